/*
 * The rows of an order, and what stops it. The store is an SQLite file and, if HOOKS_TEST_POSTGRES_URL names a database
 * (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "base/uuid.h"
#include "store/webhooks/fifo_heads.h"
#include "store/webhooks/fifo_stops.h"
#include "store/webhooks/job_outcomes.h"
#include "store/webhooks/job_rows.h"
#include "store/webhooks/replay_jobs.h"
#include "store/webhooks/requeue.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"

static struct error err;
static const uint8_t none[16];
#define OTHER_NODE 8

static void
must(int rc)
{
	must_be(0, rc, &err);
}

/* ---- rows ---- */

static struct job_range
range_of(uint8_t endpoint, const uint8_t *after, uint32_t limit)
{
	return (struct job_range){jobs_tenant, endpoint_id(endpoint), NODE, after, limit};
}

static void
assert_page(int64_t after_seq, const uint8_t *after, uint32_t count, const uint8_t *const *ids, const int64_t *places)
{
	struct job_range range = range_of(1, after, 3);
	struct db_rows *rows;

	must(jobs_begin(jobs_db, &err));
	must(job_rows_fifo_page(jobs_db, &range, after_seq, &rows, &err));
	must_commit(jobs_db);
	assert_int_equal(db_rows_count(rows), count);
	for (uint32_t row = 0; row < count; row++) {
		struct span text = db_rows_text(rows, row, JOB_COLUMN_ID);
		uint8_t id[16];

		assert_true(uuid_parse(text.base, text.len, id));
		assert_memory_equal(id, ids[row], 16);
		assert_int_equal(db_rows_int(rows, row, JOB_COLUMN_FIFO_SEQ), places[row]);
	}
	db_rows_free(rows);
}

static void
test_a_page_has_the_rows_with_a_place_in_the_order_of_places(void **state)
{
	add_job(1, 6, 0);
	tenant_run("UPDATE jobs SET fifo_seq = 2 WHERE tenant_id = $1");
	for (uint32_t event = 1; event <= 3; event++)
		add_job(1, event, 0);
	add_job(2, 5, 0);
	tenant_run("UPDATE jobs SET fifo_seq = 3 WHERE tenant_id = $1 AND fifo_seq IS NULL");
	add_job(1, 7, 0);
	assert_page(-1, none, 3, (const uint8_t *[]){job_id(6, 1), job_id(1, 1), job_id(2, 1)}, (int64_t[]){2, 3, 3});
	assert_page(3, job_id(2, 1), 1, (const uint8_t *[]){job_id(3, 1)}, (int64_t[]){3});
	assert_page(3, job_id(3, 1), 0, NULL, NULL);
	tenant_run("UPDATE jobs SET fifo_seq = -7 WHERE tenant_id = $1 AND fifo_seq = 2"); /* an administrator's edit */
	assert_page(
	    INT64_MIN, none, 3, (const uint8_t *[]){job_id(6, 1), job_id(1, 1), job_id(2, 1)}, (int64_t[]){-7, 3, 3});
}

/* Returns how many rows get a place, in slices of two. */
static uint32_t
place_rows(int64_t sender)
{
	uint8_t last[16] = {0};
	struct db_rows *rows;
	uint32_t placed = 0, count;

	do {
		struct job_range range = range_of(1, last, 2);

		must(jobs_begin(jobs_db, &err));
		must(job_rows_unplaced(jobs_db, &range, &rows, &err));
		count = db_rows_count(rows);
		if (count > 0) {
			struct span text = db_rows_text(rows, count - 1, 0);
			uint8_t id[16];

			assert_true(uuid_parse(text.base, text.len, id));
			must(job_rows_place(jobs_db, &range, id, sender, &err));
			memcpy(last, id, sizeof last);
		}
		must_commit(jobs_db);
		db_rows_free(rows);
		placed += count;
	} while (count == 2);
	return placed;
}

static void
test_rows_without_a_place_are_sent_first_and_do_not_expire(void **state)
{
	add_job(1, 9, 0);
	tenant_run("UPDATE jobs SET fifo_seq = 7 WHERE tenant_id = $1");
	for (uint32_t event = 10; event <= 12; event++)
		add_job(1, event, 0);
	add_job(2, 13, 0);
	assert_int_equal(place_rows(NODE), 3);
	assert_int_equal(place_rows(NODE), 0);
	assert_page(
	    -1, none, 3, (const uint8_t *[]){job_id(10, 1), job_id(11, 1), job_id(12, 1)}, (int64_t[]){0, 0, 0});
	assert_page(0, job_id(12, 1), 1, (const uint8_t *[]){job_id(9, 1)}, (int64_t[]){7});
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND expires_at IS NULL"), 3);
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND fifo_seq IS NULL"), 1);
}

static void
test_a_node_places_its_own_rows_alone_and_gives_them_to_the_sender(void **state)
{
	add_job(1, 1, 0);
	tenant_run("UPDATE jobs SET node_id = 8 WHERE tenant_id = $1");
	add_job(1, 2, 0);
	assert_int_equal(place_rows(9), 1);
	assert_int_equal(
	    tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND fifo_seq = 0 AND node_id = 9"), 1);
	assert_int_equal(
	    tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND fifo_seq IS NULL AND node_id = 8"), 1);
	assert_page(-1, none, 0, NULL, NULL); /* another node is the sender */
}

static void
test_released_jobs_of_an_order_do_not_expire(void **state)
{
	struct job_range range = range_of(1, none, 1000);
	uint8_t last[16];

	add_job(1, 1, 0);
	tenant_run("UPDATE jobs SET fifo_seq = 1 WHERE tenant_id = $1");
	add_job(1, 2, 0);
	must(jobs_begin(jobs_db, &err));
	must(job_rows_hold(jobs_db, &range, last, &err));
	must(job_rows_release(jobs_db, &range, 1000, last, &err));
	must_commit(jobs_db);
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND status = 'pending' "
				      "AND (expires_at IS NULL) = (fifo_seq IS NOT NULL)"),
	    2);
}

/* ---- orders that are stopped ---- */

static void
dead_letter(uint32_t event)
{
	const struct job_outcome outcome = {.tenant_id = {jobs_tenant, strlen(jobs_tenant)},
	    .endpoint_id = endpoint_id(1),
	    .job_id = job_id(event, 1),
	    .event_id = event_id(event),
	    .attempt_count = 1,
	    .below = 1,
	    .reason = {"http_422", 8}};
	uint64_t changed = 0;

	add_event(event, "1");
	add_job(1, event, 0);
	must(jobs_begin(jobs_db, &err));
	must(job_outcomes_dead_letter(jobs_db, &outcome, 1, &changed, &err));
	must_commit(jobs_db);
	assert_int_equal(changed, 1);
}

static void
assert_stopped(const char *first, const char *second)
{
	const char *const keys[] = {first, second};
	struct db_rows *rows;
	uint32_t count = 0;

	must(jobs_begin(jobs_db, &err));
	must(fifo_stops_read(jobs_db, jobs_tenant, endpoint_id(1), 10, &rows, &err));
	must_commit(jobs_db);
	while (count < 2 && keys[count] != NULL)
		count++;
	assert_int_equal(db_rows_count(rows), count);
	for (uint32_t row = 0; row < count; row++) {
		struct span key = db_rows_text(rows, row, 0);
		bool found = false;

		for (uint32_t k = 0; k < count; k++)
			found = found || (strlen(keys[k]) == key.len && memcmp(keys[k], key.base, key.len) == 0);
		assert_true(found);
	}
	db_rows_free(rows);
}

static bool
stops(uint32_t event)
{
	char job[FORMAT_UUID_BYTES + 1] = "";
	bool there;

	format_uuid(job_id(event, 1), job);
	must(fifo_stops_has(jobs_db, jobs_tenant, job, &there, &err));
	return there;
}

static void
add_blocking_endpoint(void)
{
	add_endpoint(1);
	tenant_run("UPDATE endpoints SET fifo = TRUE, on_dead = 'block' WHERE tenant_id = $1");
}

static void
test_an_order_is_stopped_while_it_has_a_dead_letter_whichever_process_made_it(void **state)
{
	add_blocking_endpoint();
	dead_letter(1);
	dead_letter(2); /* its attempt was under way beside the first one */
	assert_stopped("", NULL);
	assert_true(stops(1));
	tenant_run("DELETE FROM dlq WHERE tenant_id = $1 AND CAST(job_id AS text) = (SELECT min(CAST(job_id AS text)) "
		   "FROM dlq d "
		   "WHERE d.tenant_id = $1)");
	assert_stopped("", NULL);
	tenant_run("DELETE FROM dlq WHERE tenant_id = $1");
	assert_stopped(NULL, NULL);
	assert_false(stops(1));
}

static void
test_keys_are_stopped_one_by_one(void **state)
{
	add_blocking_endpoint();
	dead_letter(1);
	tenant_run("UPDATE dlq SET ordering_key = 'k' WHERE tenant_id = $1");
	dead_letter(2);
	assert_stopped("", "k");
	tenant_run("UPDATE endpoints SET on_dead = 'continue' WHERE tenant_id = $1");
	dead_letter(3);
	assert_false(stops(3));
}

static void
send_from(int64_t node_id)
{
	struct fifo_claim claim = {.tenant_id = {jobs_tenant, strlen(jobs_tenant)}, .endpoint_id = endpoint_id(1)};

	must(db_begin(jobs_db, &err));
	must(fifo_heads_claim(jobs_db, node_id, &claim, 1, &err));
	must_commit(jobs_db);
	assert_int_equal(claim.node_id, node_id);
}

static void
requeue(uint32_t event, bool fifo)
{
	struct requeued letter = {.fifo = fifo, .lifetime_ms = 1000};

	memcpy(letter.job_id, job_id(event, 1), 16);
	memcpy(letter.endpoint_id, endpoint_id(1), 16);
	must(db_begin(jobs_db, &err));
	must(requeue_move(jobs_db, jobs_tenant, OTHER_NODE, &letter, 1, &err));
	must_commit(jobs_db);
}

static void
test_a_requeued_letter_has_its_place_and_its_sender_at_once(void **state)
{

	send_from(NODE);
	dead_letter(1);
	requeue(1, false);
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND fifo_seq IS NULL "
				      "AND node_id = 8 AND expires_at IS NOT NULL"),
	    1);
	dead_letter(2);
	requeue(2, true);
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND fifo_seq = 0 "
				      "AND node_id = 1 AND expires_at IS NULL"),
	    1);
}

static void
test_replayed_jobs_have_their_places_and_their_sender_at_once(void **state)
{
	static const uint8_t ids[1][16];
	struct route_job routes[2] = {{.fifo = true, .lifetime_ms = 1000}, {.lifetime_ms = 1000}};
	struct replay_job jobs[2] = {{.event_id = event_id(5), .route = &routes[0], .number = 4},
	    {.event_id = event_id(5), .route = &routes[1], .number = 5}};
	const struct replay_maker maker = {
	    .tenant_id = jobs_tenant, .node_id = OTHER_NODE, .now_ms = SOME_MS, .subscription_ids = ids};

	memcpy(routes[0].endpoint_id, endpoint_id(1), 16);
	memcpy(routes[1].endpoint_id, endpoint_id(2), 16);
	send_from(NODE);
	must(db_begin(jobs_db, &err));
	must(replay_jobs_add(jobs_db, &maker, jobs, 2, &err));
	must_commit(jobs_db);
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND fifo_seq = 0 "
				      "AND node_id = 1 AND expires_at IS NULL"),
	    1);
	assert_int_equal(tenant_count("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND fifo_seq IS NULL "
				      "AND node_id = 8 AND expires_at IS NOT NULL"),
	    1);
}

#define TEST(test) cmocka_unit_test_setup(test, jobs_new_tenant)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_page_has_the_rows_with_a_place_in_the_order_of_places),
	    TEST(test_rows_without_a_place_are_sent_first_and_do_not_expire),
	    TEST(test_a_node_places_its_own_rows_alone_and_gives_them_to_the_sender),
	    TEST(test_released_jobs_of_an_order_do_not_expire),
	    TEST(test_an_order_is_stopped_while_it_has_a_dead_letter_whichever_process_made_it),
	    TEST(test_keys_are_stopped_one_by_one),
	    TEST(test_a_requeued_letter_has_its_place_and_its_sender_at_once),
	    TEST(test_replayed_jobs_have_their_places_and_their_sender_at_once),
	};

	return cmocka_run_group_tests(tests, jobs_set_up, jobs_tear_down);
}
