/*
 * Which events a removal reads. The store is an SQLite file and, if HOOKS_TEST_POSTGRES_URL names a database
 * (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/webhooks/event_removal.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"

static const uint8_t none[16];

/* Counts the events of that time range with ids after that one. */
static uint32_t
count_page(int64_t from_ms, int64_t to_ms, const uint8_t after[16])
{
	const struct time_range created = {from_ms, to_ms};
	struct error err;
	struct db_rows *rows = NULL;
	uint32_t count;

	must_be(0, event_removal_page(jobs_db, jobs_tenant, created, after, 10, &rows, &err), &err);
	count = db_rows_count(rows);
	db_rows_free(rows);
	return count;
}

static void
test_a_page_has_the_events_of_its_time_range_after_an_id(void **state)
{
	for (uint32_t number = 1; number <= 3; number++)
		add_event(number, "{}");
	assert_int_equal(count_page(0, TIME_RANGE_LAST_MS, none), 3);
	assert_int_equal(count_page(SOME_MS, SOME_MS + 1, none), 3);
	assert_int_equal(count_page(SOME_MS, SOME_MS + 1, event_id(1)), 2);
	assert_int_equal(count_page(SOME_MS, SOME_MS + 1, event_id(3)), 0);
	assert_int_equal(count_page(SOME_MS - 1, SOME_MS, none), 0);
	assert_int_equal(count_page(SOME_MS + 1, SOME_MS + 2, none), 0);
	assert_int_equal(count_page(SOME_MS + 1, SOME_MS + 2, event_id(3)), 0);
}

/* The walk over ids begins and ends at the ids of the time range. A row whose id and time differ shows that. */
static void
test_events_whose_ids_are_outside_the_time_range_are_not_read(void **state)
{
	add_event(1, "{}");
	tenant_run("UPDATE events SET created_at = hl_time(hl_ms(created_at) + 5) WHERE tenant_id = $1");
	assert_int_equal(count_page(SOME_MS + 1, SOME_MS + 9, none), 0);
	assert_int_equal(count_page(SOME_MS, SOME_MS + 9, none), 1);
	tenant_run("UPDATE events SET created_at = hl_time(hl_ms(created_at) - 9) WHERE tenant_id = $1");
	assert_int_equal(count_page(0, SOME_MS, none), 0);
	assert_int_equal(count_page(0, SOME_MS + 1, none), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_a_page_has_the_events_of_its_time_range_after_an_id, jobs_new_tenant),
	    cmocka_unit_test_setup(test_events_whose_ids_are_outside_the_time_range_are_not_read, jobs_new_tenant),
	};

	return cmocka_run_group_tests(tests, jobs_set_up, jobs_tear_down);
}
