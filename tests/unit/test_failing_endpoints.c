/*
 * Upkeep disables endpoints that have only failed. The store is an SQLite file and, if HOOKS_TEST_POSTGRES_URL names a
 * database (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/failing_endpoints.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"

#define ENDPOINTS 105 /* more than upkeep takes in a turn */
#define LAST_ID "11111111-1111-1111-1111-111111111169"
#define DISABLED "SELECT count(*) FROM endpoints WHERE tenant_id = $1 AND state = 'disabled'"

static struct segment_header header;
static struct process_slot control;
static struct segment segment;
static struct failing_endpoints failing;
static struct error err;

static int
begin(void **state)
{
	segment = (struct segment){.header = &header};
	segment.slots[ROLE_CONTROL] = (char *)&control;
	segment.counts[ROLE_CONTROL] = 1;
	failing = (struct failing_endpoints){.segment = &segment};
	uuid_source_init(&failing.ids);
	return jobs_new_tenant(state);
}

static void
take_turn(void)
{
	must_be(0, failing_endpoints_turn(&failing, jobs_db, &err), &err);
}

static void
test_endpoints_that_the_store_refuses_to_disable_do_not_keep_others_active(void **state)
{
	for (uint8_t number = 1; number <= ENDPOINTS; number++)
		add_endpoint(number);
	tenant_run("UPDATE endpoints SET failing_since = hl_time(hl_ms(hl_now()) - 500000000), "
		   "last_failure_at = hl_now() WHERE tenant_id = $1");
	add_refusal(
	    "no_disabling", "UPDATE ON endpoints", "NEW.state = 'disabled' AND NEW.endpoint_id <> '" LAST_ID "'");
	take_turn();
	assert_int_equal(tenant_count(DISABLED), 0);
	take_turn();
	assert_int_equal(tenant_count(DISABLED), 1);
	remove_refusal("no_disabling", "endpoints");
	take_turn();
	assert_int_equal(tenant_count(DISABLED), 101);
	take_turn();
	assert_int_equal(tenant_count(DISABLED), ENDPOINTS);
	failing_endpoints_free(&failing);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_endpoints_that_the_store_refuses_to_disable_do_not_keep_others_active, begin),
	};

	return cmocka_run_group_tests(tests, jobs_set_up, jobs_tear_down);
}
