/*
 * Places in an order, and which node sends. The store is an SQLite file and, if HOOKS_TEST_POSTGRES_URL names a
 * database (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "event/record.h"
#include "store/webhooks/event_rows.h"
#include "store/webhooks/fifo_places.h"
#include "store/webhooks/job_outcomes.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"
#include "tests/unit/published_fixture.h"

static struct error err;

static void
must(int rc)
{
	must_be(0, rc, &err);
}

/* ---- places ---- */

#define EVENTS 3u
#define OTHER_NODE 8

/* Takes places for jobs of the endpoints 1 and 3 in turn. */
static void
take_places(int64_t *first, int64_t *third, int64_t *sender, int64_t node_id, bool commits)
{
	struct fifo_place_request requests[2 * EVENTS];

	for (uint32_t i = 0; i < EVENTS; i++) {
		requests[2 * i] = (struct fifo_place_request){.tenant_id = {jobs_tenant, strlen(jobs_tenant)},
		    .endpoint_id = endpoint_id(3),
		    .seq = &third[i],
		    .node_id = sender};
		requests[2 * i + 1] = (struct fifo_place_request){.tenant_id = {jobs_tenant, strlen(jobs_tenant)},
		    .endpoint_id = endpoint_id(1),
		    .seq = &first[i],
		    .node_id = sender};
	}
	must(db_begin(jobs_db, &err));
	must(fifo_places_take(jobs_db, node_id, requests, 2 * EVENTS, &err));
	if (commits)
		must(db_commit(jobs_db, &err));
	else
		db_rollback(jobs_db);
}

static void
assert_places(const int64_t got[EVENTS], int64_t one)
{
	for (uint32_t i = 0; i < EVENTS; i++)
		assert_int_equal(got[i], one + i);
}

static void
test_jobs_get_the_next_places_of_their_endpoint_without_gaps(void **state)
{
	int64_t first[EVENTS], third[EVENTS], sender;

	take_places(first, third, &sender, NODE, true);
	assert_places(first, 1);
	assert_places(third, 1);
	take_places(first, third, &sender, NODE, false);
	assert_places(first, 4);
	take_places(first, third, &sender, NODE, true);
	assert_places(first, 4);
	assert_places(third, 4);
	assert_int_equal(tenant_count("SELECT count(*) FROM fifo_heads WHERE tenant_id = $1 AND last_seq = 6"), 2);
}

static void
test_an_edited_count_of_places_stops_no_publisher(void **state)
{
	int64_t first[EVENTS], third[EVENTS], sender;

	take_places(first, third, &sender, NODE, true);
	tenant_run("UPDATE fifo_heads SET last_seq = -5 WHERE tenant_id = $1");
	take_places(first, third, &sender, NODE, true);
	assert_places(first, 1);
	tenant_run("UPDATE fifo_heads SET last_seq = 9223372036854775807 WHERE tenant_id = $1");
	take_places(first, third, &sender, NODE, true);
	assert_places(first, 1);
}

static void
test_a_trial_takes_no_places(void **state)
{
	int64_t first[EVENTS], third[EVENTS], sender, seq, node_id;
	struct fifo_place_request request = {.tenant_id = {jobs_tenant, strlen(jobs_tenant)},
	    .endpoint_id = endpoint_id(1),
	    .seq = &seq,
	    .node_id = &node_id};

	must(db_begin(jobs_db, &err));
	must(fifo_places_try(jobs_db, NODE, &request, 1, &err));
	must(fifo_places_take(jobs_db, NODE, &request, 1, &err));
	must_commit(jobs_db);
	assert_int_equal(seq, 1);
	take_places(first, third, &sender, NODE, true);
	assert_places(first, 2);
}

static void
test_the_first_node_that_stores_a_job_is_the_sender(void **state)
{
	int64_t first[EVENTS], third[EVENTS], sender = 0;
	struct fifo_head head;

	must(fifo_heads_find(jobs_db, jobs_tenant, endpoint_id(1), NODE, &head, &err));
	assert_false(head.other_sender);
	take_places(first, third, &sender, NODE, true);
	assert_int_equal(sender, NODE);
	take_places(first, third, &sender, OTHER_NODE, true);
	assert_int_equal(sender, NODE);
	must(fifo_heads_find(jobs_db, jobs_tenant, endpoint_id(1), NODE, &head, &err));
	assert_false(head.other_sender);
	must(fifo_heads_find(jobs_db, jobs_tenant, endpoint_id(1), OTHER_NODE, &head, &err));
	assert_true(head.other_sender);
}

/* Adds jobs of one event for the endpoints 1 to 3, as every publisher does. Endpoint 2 has no fifo. */
static void
publish(int64_t node_id)
{
	const struct published published = {.tenant_id = jobs_tenant, .strings = {[PUBLISHED_TOPIC] = "a.b"}};
	struct publication item = {.record = published_record(&published), .jobs = 3}, *items[] = {&item};
	struct route_job all[3] = {{.fifo = true, .lifetime_ms = 1000}, {.lifetime_ms = 1000}, {.fifo = true}};
	uint8_t none_matched[1][16];
	struct route_jobs jobs = {.jobs = all, .count = 3, .ids = none_matched};
	const struct publication_group group = {
	    .items = items, .count = 1, .jobs = &jobs, .node = {.node_id = node_id}, .now_ms = SOME_MS};

	for (uint8_t k = 0; k < 3; k++)
		memcpy(all[k].endpoint_id, endpoint_id(k + 1), 16);
	memcpy(((struct record *)(uintptr_t)item.record)->event_id, event_id((uint32_t)node_id), 16);
	must(db_begin(jobs_db, &err));
	must(jobs_add(jobs_db, &group, db_load, &err));
	must_commit(jobs_db);
	free((struct record *)(uintptr_t)item.record);
}

static void
test_jobs_are_added_with_their_places(void **state)
{
	publish(NODE);
	publish(OTHER_NODE);
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND fifo_seq = 1"), 2);
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND fifo_seq = 2"), 2);
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND fifo_seq IS NULL"), 2);
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND node_id = 1"), 5);
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND expires_at IS NULL"), 4);
}

/* Counts the endpoints of this tenant at which jobs wait that this node sends. */
static uint32_t
count_waiting(int64_t node_id, int64_t *seq)
{
	struct db_rows *rows;
	uint32_t count = 0;

	must(jobs_begin(jobs_db, &err));
	must(fifo_heads_waiting(jobs_db, node_id, &rows, &err));
	must_commit(jobs_db);
	for (uint32_t row = 0; row < db_rows_count(rows); row++)
		if (strcmp(db_rows_text(rows, row, FIFO_WAITING_TENANT).base, jobs_tenant) == 0) {
			count++;
			*seq = db_rows_int(rows, row, FIFO_WAITING_SEQ);
		}
	db_rows_free(rows);
	return count;
}

static void
test_jobs_that_other_nodes_have_stored_are_found(void **state)
{
	int64_t seq = 0;

	publish(NODE);
	tenant_run("DELETE FROM jobs WHERE tenant_id = $1");
	assert_int_equal(count_waiting(NODE, &seq), 0);
	publish(OTHER_NODE);
	assert_int_equal(count_waiting(NODE, &seq), 2);
	assert_int_equal(seq, 2);
	assert_int_equal(count_waiting(OTHER_NODE, &seq), 0);
}

static void
add_node(int64_t node_id, int64_t adopted_by)
{
	must_begin(jobs_db);
	must_run(jobs_db, SAME("DELETE FROM delivery_nodes WHERE node_id = $1"), PARAMS(db_int(node_id)));
	must_run(jobs_db,
	    SAME("INSERT INTO delivery_nodes (node_id, epoch, name, started_at, alive_at, seen_version, adopted_by) "
		 "VALUES ($1, 1, 'n', hl_now(), hl_now(), 0, $2)"),
	    PARAMS(db_int(node_id), adopted_by != 0 ? db_int(adopted_by) : db_null()));
	must_commit(jobs_db);
}

static void
test_the_adopter_becomes_the_sender_when_all_rows_are_its_own(void **state)
{
	uint32_t moved;
	struct fifo_head head;

	publish(NODE);
	publish(OTHER_NODE);
	add_node(NODE, OTHER_NODE);
	add_node(OTHER_NODE, 0);
	must(jobs_begin(jobs_db, &err));
	must(fifo_heads_adopt(jobs_db, OTHER_NODE, 1, &moved, &err));
	must_commit(jobs_db);
	assert_int_equal(moved, 1);
	must(jobs_begin(jobs_db, &err));
	must(fifo_heads_adopt(jobs_db, OTHER_NODE, 1000, &moved, &err));
	must_commit(jobs_db);
	assert_in_range(moved, 1, 1000); /* with jobs of earlier tests */
	must(fifo_heads_find(jobs_db, jobs_tenant, endpoint_id(1), OTHER_NODE, &head, &err));
	assert_false(head.other_sender);
	assert_int_equal(
	    tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND fifo_seq > 0 AND node_id = 8"), 4);
	assert_int_equal(
	    tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND fifo_seq IS NULL AND node_id = 1"), 1);
	must_begin(jobs_db);
	must_run(jobs_db, SAME("DELETE FROM delivery_nodes"), NULL, 0);
	must_commit(jobs_db);
}

#define TEST(test) cmocka_unit_test_setup(test, jobs_new_tenant)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_jobs_get_the_next_places_of_their_endpoint_without_gaps),
	    TEST(test_an_edited_count_of_places_stops_no_publisher),
	    TEST(test_a_trial_takes_no_places),
	    TEST(test_the_first_node_that_stores_a_job_is_the_sender),
	    TEST(test_jobs_are_added_with_their_places),
	    TEST(test_jobs_that_other_nodes_have_stored_are_found),
	    TEST(test_the_adopter_becomes_the_sender_when_all_rows_are_its_own),
	};

	return cmocka_run_group_tests(tests, jobs_set_up, jobs_tear_down);
}
