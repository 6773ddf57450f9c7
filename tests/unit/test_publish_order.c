/*
 * How a publisher's sink stores events for endpoints with fifo. The store is an SQLite file and, if
 * HOOKS_TEST_POSTGRES_URL names a database (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "tests/unit/publish_fixture.h"

static void
keep_order(void)
{
	change("UPDATE endpoints SET fifo = TRUE WHERE tenant_id = $1");
}

static void
test_jobs_have_places_and_are_handed_over(void **state)
{
	const struct published_event events[] = {{.number = 1, .topic = "a.b"}, {.number = 2, .topic = "b"}};

	keep_order();
	assert_string_equal(publish_all(events, 2, NULL), "2 stored 0 duplicates 0 dead 0 discarded");
	assert_string_equal(handed, "a.b:1,2 b:1");
	assert_string_equal(value("SELECT last_seq FROM fifo_heads WHERE tenant_id = $1 AND endpoint_id = "
				  "'0190f5fe-0000-7000-8000-000000000002'"),
	    "2");
	assert_string_equal(
	    value("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND fifo_seq > 0 AND expires_at IS NULL"), "3");
}

static void
test_jobs_that_another_node_sends_have_its_number_and_are_not_handed_over(void **state)
{
	const struct published_event first[] = {{.number = 1, .topic = "a.b"}},
				     second[] = {{.number = 2, .topic = "a.b"}};

	keep_order();
	(void)publish_all(first, 1, NULL);
	change("UPDATE fifo_heads SET node_id = 99 WHERE tenant_id = $1 AND endpoint_id = "
	       "'0190f5fe-0000-7000-8000-000000000001'");
	handed[0] = '\0';
	assert_string_equal(publish_all(second, 1, NULL), "1 stored 0 duplicates 0 dead 0 discarded");
	assert_string_equal(handed, "a.b:2");
	assert_string_equal(value("SELECT count(*) FROM jobs WHERE tenant_id = $1 AND node_id = 99"), "1");
}

/* Otherwise they could wait for the lock of another tenant's order. */
static void
test_events_of_an_order_are_stored_apart_from_other_tenants_events(void **state)
{
	char ordered[sizeof tenant];
	struct publish_outcome outcomes[4] = {{0}};
	struct sink_result result;

	keep_order();
	(void)strcpy(ordered, tenant);
	(void)close_sink(NULL);
	(void)new_tenant(NULL);

	const struct published_event events[] = {{.number = 1, .topic = "b"},
	    {.number = 2, .topic = "a", .tenant_id = ordered}, {.number = 3, .topic = "b"},
	    {.number = 4, .topic = "a", .tenant_id = ordered}};

	for (uint32_t turn = 0; turn < 2; turn++) {
		assert_int_equal(publish_group(events, 4, outcomes, &result), 0);
		assert_int_equal(result.stored, 2);
		assert_int_equal(outcomes[0].result, outcomes[2].result);
		assert_int_equal(outcomes[1].result, outcomes[3].result);
	}
	assert_int_equal(outcomes[0].result, PUBLISH_STORED);
	assert_int_equal(outcomes[1].result, PUBLISH_STORED);
}

/* Locks the tenant's orders by another session. */
static void
lock_orders(void)
{
	const struct db_param params[] = {db_string(tenant)};

	must_begin(routes_db);
	must_run(routes_db, SAME("UPDATE fifo_heads SET node_id = node_id WHERE tenant_id = $1"), params, 1);
}

/* A sequence also counts events of transactions that are rolled back. */
static void
test_events_whose_order_stays_locked_are_not_inserted_again(void **state)
{
	const struct published_event events[] = {{.number = 1, .topic = "b"}, {.number = 2, .topic = "b"}};
	struct publish_outcome outcomes[1] = {{0}};
	struct sink_result result;

	if (db_config.hl_store != HL_STORE_POSTGRES)
		skip(); /* SQLite has one writer at a time */
	keep_order();
	(void)publish_all(events, 1, NULL);
	run_alone("CREATE SEQUENCE additions");
	run_alone("CREATE FUNCTION count_addition() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
		  "PERFORM nextval('additions'); RETURN new; END $$");
	run_alone("CREATE TRIGGER additions BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION count_addition()");
	lock_orders();
	for (int turn = 0; turn < 3; turn++) {
		assert_int_equal(publish_group(&events[1], 1, outcomes, &result), 0);
		assert_int_equal(outcomes[0].result, 0);
	}
	assert_string_equal(value("SELECT last_value FROM additions WHERE $1 <> ''"), "1");
	db_rollback(routes_db);
	assert_int_equal(publish_group(&events[1], 1, outcomes, &result), 0);
	assert_int_equal(outcomes[0].result, PUBLISH_STORED);
	assert_string_equal(value("SELECT last_seq FROM fifo_heads WHERE tenant_id = $1"), "2");
	run_alone("DROP TRIGGER additions ON events");
	run_alone("DROP FUNCTION count_addition()");
	run_alone("DROP SEQUENCE additions");
}

/* The store refuses the event among others and by itself, as it does when a trigger refuses an event. */
static void
test_an_event_whose_order_is_locked_when_it_is_tried_again_stays_spooled(void **state)
{
	const struct published_event events[] = {{.number = 1, .topic = "a.b"}, {.number = 2, .topic = "b"}};
	struct sink_result result;

	if (db_config.hl_store != HL_STORE_POSTGRES)
		skip(); /* SQLite has one writer at a time */
	change("UPDATE endpoints SET fifo = TRUE WHERE tenant_id = $1 AND endpoint_id = "
	       "'0190f5fe-0000-7000-8000-000000000001'");
	run_alone("CREATE SEQUENCE refusals");
	run_alone("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
		  "IF nextval('refusals') <= 2 THEN RAISE 'not this one'; END IF; "
		  "RAISE 'locked' USING ERRCODE = 'lock_not_available'; END $$");
	run_alone("CREATE TRIGGER refuse BEFORE INSERT ON fifo_heads FOR EACH ROW EXECUTE FUNCTION refuse()");
	assert_true(publish(events, 2, NULL, &result) < 0);
	run_alone("DROP TRIGGER refuse ON fifo_heads");
	run_alone("DROP FUNCTION refuse()");
	run_alone("DROP SEQUENCE refusals");
	assert_string_equal(publish_all(events, 2, NULL), "1 stored 1 duplicates 0 dead 0 discarded");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, new_tenant, close_sink)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_jobs_have_places_and_are_handed_over),
	    TEST(test_jobs_that_another_node_sends_have_its_number_and_are_not_handed_over),
	    TEST(test_events_of_an_order_are_stored_apart_from_other_tenants_events),
	    TEST(test_events_whose_order_stays_locked_are_not_inserted_again),
	    TEST(test_an_event_whose_order_is_locked_when_it_is_tried_again_stays_spooled),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
