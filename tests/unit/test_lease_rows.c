/*
 * Leases of endpoints. The store is an SQLite file and, if HOOKS_TEST_POSTGRES_URL names a database
 * (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/webhooks/lease_rows.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"

#define MINE 10
#define OTHER 20
#define LONG_MS 60000

static struct error err;

static void
run(const char *sql)
{
	must_begin(jobs_db);
	must_run(jobs_db, SAME(sql), NULL, 0);
	must_commit(jobs_db);
}

static int
begin(void **state)
{
	int rc = jobs_new_tenant(state);

	add_endpoint(1);
	add_endpoint(2);
	run("DELETE FROM delivery_nodes");
	run("INSERT INTO delivery_nodes (node_id, epoch, name, started_at, alive_at, seen_version)"
	    " VALUES (1, 10, 'mine', hl_now(), hl_now(), 1), (2, 20, 'other', hl_now(), hl_now(), 1)");
	return rc;
}

static bool
takes_for(uint8_t endpoint, int64_t epoch, uint32_t for_ms)
{
	const struct lease_of lease = {jobs_tenant, endpoint_id(endpoint), epoch};
	bool given;

	must_be(0, lease_take(jobs_db, &lease, for_ms, &given, &err), &err);
	return given;
}

static bool
takes(uint8_t endpoint, int64_t epoch)
{
	return takes_for(endpoint, epoch, LONG_MS);
}

static void
gives(uint8_t endpoint, int64_t epoch)
{
	must_be(0, lease_give(jobs_db, &(struct lease_of){jobs_tenant, endpoint_id(endpoint), epoch}, &err), &err);
}

static void
test_one_node_at_a_time_has_the_lease(void **state)
{
	assert_true(takes(1, MINE));
	assert_false(takes(1, OTHER));
	assert_true(takes(2, OTHER)); /* another endpoint's lease */
	assert_true(takes(1, MINE)); /* for another courier of the node, after a kill */
	gives(1, OTHER);
	assert_false(takes(1, OTHER));
	gives(1, MINE);
	assert_true(takes(1, OTHER));
	assert_false(takes(1, MINE));
	assert_false(takes(3, MINE)); /* the endpoint does not exist */
}

static void
test_a_lease_ends_when_its_time_is_over(void **state)
{
	assert_true(takes_for(1, OTHER, 0));
	assert_true(takes(1, MINE));
	assert_false(takes(1, OTHER));
}

static void
test_a_node_that_starts_again_has_lost_its_lease(void **state)
{
	assert_true(takes(1, OTHER));
	run("UPDATE delivery_nodes SET epoch = 21 WHERE node_id = 2");
	assert_true(takes(1, MINE));
}

static void
test_a_node_that_has_left_keeps_the_lease_until_its_attempts_have_ended(void **state)
{
	assert_true(takes(1, OTHER));
	run("UPDATE delivery_nodes SET left_at = hl_now() WHERE node_id = 2");
	assert_false(takes(1, MINE));
	run("UPDATE delivery_nodes SET left_at = hl_time(hl_ms(hl_now()) - 9000) WHERE node_id = 2");
	assert_true(takes(1, MINE));
}

/* A node that was only cut off from the store may have attempts under way. */
static void
test_a_node_that_was_adopted_keeps_the_lease_for_its_time(void **state)
{
	assert_true(takes(1, OTHER));
	run("UPDATE delivery_nodes SET adopted_by = 1, adopted_at = hl_now() WHERE node_id = 2");
	assert_false(takes(1, MINE));
	tenant_run("UPDATE endpoints SET lease_until = hl_now() WHERE tenant_id = $1");
	assert_true(takes(1, MINE));
}

#define TEST(test) cmocka_unit_test_setup(test, begin)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_one_node_at_a_time_has_the_lease),
	    TEST(test_a_lease_ends_when_its_time_is_over),
	    TEST(test_a_node_that_starts_again_has_lost_its_lease),
	    TEST(test_a_node_that_has_left_keeps_the_lease_until_its_attempts_have_ended),
	    TEST(test_a_node_that_was_adopted_keeps_the_lease_for_its_time),
	};

	return cmocka_run_group_tests(tests, jobs_set_up, jobs_tear_down);
}
