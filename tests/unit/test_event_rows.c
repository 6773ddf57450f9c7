/*
 * Events that a publisher finds stored already. The store is an SQLite file and, if HOOKS_TEST_POSTGRES_URL names a
 * database (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/publish_fixture.h"

#define AGES "SELECT (hl_ms(hl_now()) - hl_ms(stored_at) + 30000) / 60000 FROM events WHERE tenant_id = $1"

static const struct published_event event = {.number = 1, .topic = "a"};

static void
store_and_meet_again(const char *change_of_time)
{
	assert_string_equal(publish_all(&event, 1, NULL), "1 stored 0 duplicates 0 dead 0 discarded");
	change(change_of_time);
	assert_string_equal(publish_all(&event, 1, NULL), "0 stored 1 duplicates 0 dead 0 discarded");
}

/* The event's COMMIT has taken an hour. Lists have passed the time at which its transaction began. */
static void
test_an_event_whose_commit_took_long_is_moved_to_where_lists_find_it(void **state)
{
	store_and_meet_again("UPDATE events SET stored_at = hl_time(hl_ms(stored_at) - 3600000) WHERE tenant_id = $1");
	assert_string_equal(value(AGES), "0");
}

static void
test_an_event_that_was_committed_in_time_keeps_its_place(void **state)
{
	db_config.store_timeout_ms += 3600000;
	store_and_meet_again("UPDATE events SET stored_at = hl_time(hl_ms(stored_at) - 3600000) WHERE tenant_id = $1");
	db_config.store_timeout_ms -= 3600000;
	assert_string_equal(value(AGES), "60");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, new_tenant, close_sink)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_an_event_whose_commit_took_long_is_moved_to_where_lists_find_it),
	    TEST(test_an_event_that_was_committed_in_time_keeps_its_place),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
