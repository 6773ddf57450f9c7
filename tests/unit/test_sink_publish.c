/*
 * How a publisher's sink stores events. The store is an SQLite file and, if HOOKS_TEST_POSTGRES_URL names a database
 * (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "tests/unit/publish_fixture.h"

static void
test_an_event_and_its_jobs_are_stored_and_handed_over(void **state)
{
	const struct published_event events[] = {{.number = 1,
						     .topic = "a.b",
						     .payload = "{\"x\":1.50}",
						     .ordering_key = "o",
						     .target_user_id = "u",
						     .traceparent = "00-1",
						     .extra = "{\"colour\":\"red\"}"},
	    {.number = 2, .topic = "b"}};
	struct publish_outcome outcomes[2];

	assert_string_equal(publish_all(events, 2, outcomes), "2 stored 0 duplicates 0 dead 0 discarded");
	assert_int_equal(outcomes[0].result, PUBLISH_STORED);
	assert_int_equal(outcomes[0].jobs, 2);
	assert_int_equal(outcomes[1].jobs, 1);
	assert_string_equal(handed, "a.b:1,2 b:1");
	assert_true(ends == 1 && misses == 0);
	assert_string_equal(value("SELECT payload FROM events WHERE tenant_id = $1 AND topic = 'a.b'"), "{\"x\":1.50}");
	assert_string_equal(
	    value("SELECT extra FROM events WHERE tenant_id = $1 AND topic = 'a.b'"), "{\"colour\":\"red\"}");
	assert_string_equal(
	    value("SELECT trace FROM events WHERE tenant_id = $1 AND topic = 'a.b'"), "{\"traceparent\":\"00-1\"}");
	assert_string_equal(value("SELECT payload FROM events WHERE tenant_id = $1 AND topic = 'b'"), "null");
	assert_string_equal(value("SELECT job_count FROM events WHERE tenant_id = $1 AND topic = 'a.b'"), "2");
	assert_string_equal(
	    value(
		"SELECT CAST(hl_ms(created_at) AS text) || ' ' || hl_ms(occurred_at) FROM events WHERE tenant_id = $1 "
		"AND topic = 'b'"),
	    "1767225600000 1767225600000");
	assert_string_equal(value("SELECT status || ' ' || node_id || ' ' || attempt_count || ' ' || CAST(job_id AS "
				  "text) FROM jobs WHERE "
				  "tenant_id = $1 AND endpoint_id = '0190f5fe-0000-7000-8000-000000000001'"),
	    "pending 1 0 019b76da-a800-7000-8000-000000010001");
	assert_string_equal(
	    value("SELECT (hl_ms(expires_at) - hl_ms(next_attempt_at) + 30000) / 60000 FROM jobs WHERE tenant_id = $1 "
		  "LIMIT 1"),
	    "1440");
	assert_string_equal(
	    value("SELECT COUNT(*) FROM jobs WHERE tenant_id = $1 AND subscription_ids IS NOT NULL"), "3");
}

static void
test_jobs_of_a_disabled_endpoint_are_held_and_not_handed_over(void **state)
{
	const struct published_event events[] = {{.number = 1, .topic = "a"}};

	change("UPDATE endpoints SET enabled = FALSE WHERE tenant_id = $1 AND endpoint_id = "
	       "'0190f5fe-0000-7000-8000-000000000001'");
	assert_string_equal(publish_all(events, 1, NULL), "1 stored 0 duplicates 0 dead 0 discarded");
	assert_string_equal(handed, "a:2");
	assert_string_equal(value("SELECT CASE WHEN expires_at IS NULL THEN 'never' ELSE 'some time' END FROM jobs "
				  "WHERE tenant_id = $1 AND "
				  "status = 'held'"),
	    "never");
}

/* Subscriptions take memory, and time in a transaction, as jobs do. */
static void
test_events_whose_jobs_have_many_subscriptions_are_stored_in_several_transactions(void **state)
{
	struct published_event events[110];

	subscribe_often('2', "b", 660);
	for (uint32_t i = 0; i < 110; i++)
		events[i] = (struct published_event){.number = i + 1, .topic = "b"};
	assert_string_equal(publish_all(events, 110, NULL), "110 stored 0 duplicates 0 dead 0 discarded");
	assert_int_equal(ends, 16);
	assert_string_equal(value("SELECT count(*) FROM jobs WHERE tenant_id = $1"), "110");
}

/* ---- several tenants ---- */

/* Adds that number of subscriptions to a topic of this tenant, and begins another tenant. Returns the first one. */
static const char *
large_tenant(uint32_t subscriptions)
{
	static char large[sizeof tenant];

	subscribe_often('2', "b", subscriptions);
	(void)strcpy(large, tenant);
	(void)close_sink(NULL);
	(void)new_tenant(NULL);
	return large;
}

static void
test_a_small_event_is_stored_before_the_large_ones_that_came_first(void **state)
{
	const char *large = large_tenant(1500);
	struct published_event events[20];
	struct publish_outcome outcomes[20] = {{0}};
	struct sink_result result;
	uint32_t stored = 0;

	for (uint32_t i = 0; i < 19; i++)
		events[i] = (struct published_event){.number = i + 1, .topic = "b", .tenant_id = large};
	events[19] = (struct published_event){.number = 20, .topic = "b"};
	assert_int_equal(publish_group(events, 20, outcomes, &result), 0);
	assert_int_equal(outcomes[19].result, PUBLISH_STORED);
	for (uint32_t i = 0; i < 19; i++) {
		assert_true(i == 0 || outcomes[i].result <= outcomes[i - 1].result); /* in order */
		stored += outcomes[i].result == PUBLISH_STORED;
	}
	assert_in_range(stored, 1, 4);
	assert_int_equal(result.stored, stored + 1);
	assert_int_equal(ends, 1);
}

/* It is stored although small events keep coming. */
static void
test_a_large_event_is_stored_although_small_ones_keep_coming(void **state)
{
	const char *large = large_tenant(5000);
	struct published_event events[101] = {{.number = 1, .topic = "b", .tenant_id = large}};
	struct publish_outcome outcomes[101];
	struct sink_result result;
	uint32_t turns = 0;

	subscribe_often('1', "c", 62); /* 64 of these events fill a transaction */
	memset(outcomes, 0, sizeof outcomes);
	while (outcomes[0].result == 0) {
		assert_true(turns++ < 5);
		handed[0] = '\0';
		memset(&outcomes[1], 0, sizeof outcomes - sizeof outcomes[0]);
		for (uint32_t i = 1; i < 101; i++)
			events[i] = (struct published_event){.number = 101 * turns + i, .topic = "c"};
		assert_int_equal(publish_group(events, 101, outcomes, &result), 0);
	}
	assert_true(turns > 1);
}

static void
test_events_of_a_request_with_too_many_jobs_are_refused_from_there_on(void **state)
{
	static const uint32_t two[] = {0, 0, 0, 0, 1};
	struct publish_outcome outcomes[5];
	struct published_event events[5];

	/* An earlier turn has stored the first event. */
	for (uint32_t i = 0; i < 5; i++)
		events[i] = (struct published_event){.number = i + 1, .topic = "b"};
	requests = two;
	memset(outcomes, 0, sizeof outcomes);
	outcomes[0] = (struct publish_outcome){.result = PUBLISH_STORED, .jobs = PUBLISH_JOBS_MAX - 1};

	struct sink_result result;

	while (outcomes[4].result == 0 || outcomes[3].result == 0)
		assert_int_equal(publish_group(events, 5, outcomes, &result), 0);
	assert_int_equal(outcomes[1].result, PUBLISH_STORED);
	assert_int_equal(outcomes[2].result, PUBLISH_TOO_MANY);
	assert_int_equal(outcomes[3].result, PUBLISH_TOO_MANY);
	assert_int_equal(outcomes[4].result, PUBLISH_STORED);
	assert_string_equal(value("SELECT COUNT(*) FROM events WHERE tenant_id = $1"), "2");
}

/* ---- idempotency keys ---- */

static void
test_the_first_event_with_a_key_is_the_only_one(void **state)
{
	const struct published_event events[] = {{.number = 1, .topic = "a", .payload = "1", .idempotency_key = "k"},
	    {.number = 2, .topic = "a", .payload = "1", .idempotency_key = "k"},
	    {.number = 3, .topic = "a", .payload = "2", .idempotency_key = "k"},
	    {.number = 4, .topic = "b", .payload = "1", .idempotency_key = "k"},
	    {.number = 5, .topic = "a", .payload = "1", .idempotency_key = "l"}};
	struct publish_outcome outcomes[5];

	assert_string_equal(publish_all(events, 5, outcomes), "2 stored 1 duplicates 0 dead 2 discarded");
	assert_int_equal(outcomes[0].result, PUBLISH_STORED);
	assert_int_equal(outcomes[1].result, PUBLISH_KNOWN);
	assert_int_equal(outcomes[1].event_id[13], 1);
	assert_int_equal(outcomes[2].result, PUBLISH_CONFLICT);
	assert_int_equal(outcomes[2].event_id[13], 1);
	assert_int_equal(outcomes[3].result, PUBLISH_CONFLICT);
	assert_int_equal(outcomes[4].result, PUBLISH_STORED);

	const struct published_event later[] = {{.number = 6, .topic = "a", .payload = "1", .idempotency_key = "k"},
	    {.number = 7, .topic = "a", .payload = "7", .idempotency_key = "k"},
	    {.number = 8, .topic = "a", .payload = "7", .idempotency_key = "k2"}};

	assert_string_equal(publish_all(later, 3, outcomes), "1 stored 1 duplicates 0 dead 1 discarded");
	assert_int_equal(outcomes[0].result, PUBLISH_KNOWN);
	assert_int_equal(outcomes[0].event_id[13], 1);
	assert_int_equal(outcomes[1].result, PUBLISH_CONFLICT);
	assert_string_equal(value("SELECT COUNT(*) FROM events WHERE tenant_id = $1"), "3");
}

static void
test_a_key_belongs_to_one_tenant(void **state)
{
	const struct published_event events[] = {{.number = 1, .topic = "a", .idempotency_key = "mine"}};
	struct publish_outcome outcomes[1];

	assert_string_equal(publish_all(events, 1, outcomes), "1 stored 0 duplicates 0 dead 0 discarded");
	(void)close_sink(NULL);
	(void)new_tenant(NULL);
	assert_string_equal(publish_all(events, 1, outcomes), "1 stored 0 duplicates 0 dead 0 discarded");
}

static void
test_a_key_is_free_again_after_a_day(void **state)
{
	const struct published_event first[] = {{.number = 1, .topic = "a", .payload = "1", .idempotency_key = "k"}};
	const struct published_event second[] = {{.number = 2, .topic = "a", .payload = "2", .idempotency_key = "k"}};

	(void)publish_all(first, 1, NULL);
	change("UPDATE idempotency_keys SET created_at = hl_time(hl_ms(created_at) - 86401000) WHERE tenant_id = $1");
	assert_string_equal(publish_all(second, 1, NULL), "1 stored 0 duplicates 0 dead 0 discarded");
}

/* No client waits for the answer. */
static void
test_a_spooled_event_in_conflict_becomes_a_dead_letter(void **state)
{
	const struct published_event events[] = {{.number = 1, .topic = "a", .payload = "1", .idempotency_key = "k"},
	    {.number = 2, .topic = "a", .payload = "1", .idempotency_key = "k"},
	    {.number = 3, .topic = "a", .payload = "{\"n\":3}", .idempotency_key = "k"}};

	struct publish_outcome outcomes[3];

	spooled = true;
	assert_string_equal(publish_all(events, 3, outcomes), "1 stored 1 duplicates 1 dead 0 discarded");
	assert_int_equal(outcomes[2].result, PUBLISH_DEAD);
	assert_true(is_dead_letter("its idempotency key is that of event 019b76da-a800-7000-8000-000000010000"));
	assert_true(is_dead_letter("019b76da-a800-7000-8000-000000030000"));
}

/* ---- events that are stored already ---- */

static void
test_an_event_that_is_stored_already_makes_no_jobs_again(void **state)
{
	const struct published_event events[] = {
	    {.number = 1, .topic = "a", .idempotency_key = "k"}, {.number = 2, .topic = "a"}};
	struct publish_outcome outcomes[3];

	(void)publish_all(events, 2, outcomes);
	handed[0] = '\0';
	subscribe('1', "#"); /* the first jobs stay as they are */

	const struct published_event again[] = {events[0], {.number = 3, .topic = "b"}, events[1]};

	assert_string_equal(publish_all(again, 3, outcomes), "1 stored 2 duplicates 0 dead 0 discarded");
	assert_int_equal(outcomes[0].result, PUBLISH_STORED);
	assert_int_equal(outcomes[0].jobs, 2);
	assert_int_equal(outcomes[2].result, PUBLISH_STORED);
	assert_string_equal(handed, "b:1,2");
	assert_int_equal(misses, 1);
	assert_string_equal(value("SELECT COUNT(*) FROM jobs WHERE tenant_id = $1"), "6");

	/* The same events again: there is nothing to store. */
	assert_string_equal(publish_all(again, 3, outcomes), "0 stored 3 duplicates 0 dead 0 discarded");
	assert_int_equal(misses, 2);
	assert_string_equal(value("SELECT COUNT(*) FROM jobs WHERE tenant_id = $1"), "6");
}

static void
test_an_event_that_is_twice_in_a_batch_is_stored_once(void **state)
{
	const struct published_event events[] = {{.number = 1, .topic = "a"}, {.number = 1, .topic = "a"}};

	assert_string_equal(publish_all(events, 2, NULL), "1 stored 1 duplicates 0 dead 0 discarded");
	assert_string_equal(value("SELECT COUNT(*) FROM jobs WHERE tenant_id = $1"), "2");
}

/* ---- changes during a batch ---- */

static void
subscribe_to_everything(void)
{
	in_mid_batch = NULL;
	subscribe('1', "#");
}

static void
test_an_event_is_routed_by_the_newest_subscriptions(void **state)
{
	const struct published_event first[] = {{.number = 1, .topic = "b"}}, second[] = {{.number = 2, .topic = "b"}};

	(void)publish_all(first, 1, NULL);
	in_mid_batch = subscribe_to_everything;
	(void)publish_all(second, 1, NULL);
	assert_string_equal(handed, "b:1 b:1,2");
}

static uint32_t changes_left, transactions;

static void
subscribe_again(void)
{
	transactions++;
	if (changes_left > 0) {
		changes_left--;
		subscribe('1', "#");
	}
}

/* Customers may change their subscriptions as often as they like. */
static void
test_events_of_a_tenant_whose_subscriptions_change_all_the_time_are_stored(void **state)
{
	const struct published_event events[] = {{.number = 1, .topic = "b"},
	    {.number = 9, .topic = "b", .tenant_id = "publish-0"}, {.number = 3, .topic = "b"}};
	struct publish_outcome outcomes[3];

	if (db_config.hl_store == HL_STORE_POSTGRES)
		skip(); /* PostgreSQL has no hook at the beginning of a transaction */
	before_transaction = subscribe_again;
	for (uint32_t changes = 1; changes <= 4; changes++) {
		const struct published_event more = {.number = 10 + changes, .topic = "b"};

		changes_left = changes;
		transactions = 0;
		if (changes == 1)
			assert_string_equal(
			    publish_all(events, 3, outcomes), "3 stored 0 duplicates 0 dead 0 discarded");
		else
			assert_string_equal(
			    publish_all(&more, 1, outcomes), "1 stored 0 duplicates 0 dead 0 discarded");
		assert_int_equal(outcomes[0].jobs, 2);
		assert_int_equal(changes_left, changes > 3 ? changes - 3 : 0);
		assert_true(transactions <= 4);
	}
	before_transaction = NULL;
}

static void
test_an_event_of_a_deleted_tenant_is_discarded_and_its_neighbours_are_stored(void **state)
{
	const struct published_event events[] = {{.number = 1, .topic = "a"}};
	struct publish_outcome outcomes[2];
	char gone[sizeof tenant];

	(void)publish_all(events, 1, NULL);
	change("UPDATE tenants SET deleted_at = hl_now() WHERE tenant_id = $1");
	(void)strcpy(gone, tenant);
	(void)close_sink(NULL);
	(void)new_tenant(NULL);

	const struct published_event both[] = {
	    {.number = 2, .topic = "a", .tenant_id = gone}, {.number = 3, .topic = "a"}};

	assert_string_equal(publish_all(both, 2, outcomes), "1 stored 0 duplicates 0 dead 1 discarded");
	assert_int_equal(outcomes[0].result, PUBLISH_GONE);
	assert_int_equal(outcomes[1].result, PUBLISH_STORED);
	assert_string_equal(publish_all(both, 1, outcomes), "0 stored 0 duplicates 0 dead 1 discarded");
}

static void
test_a_tenant_that_was_just_deleted_gets_no_job(void **state)
{
	const struct published_event events[] = {{.number = 1, .topic = "a"}}, later[] = {{.number = 2, .topic = "a"}};
	struct publish_outcome outcomes[1];

	(void)publish_all(events, 1, outcomes);
	change("UPDATE tenants SET deleted_at = hl_now() WHERE tenant_id = $1");
	assert_string_equal(publish_all(later, 1, outcomes), "0 stored 0 duplicates 0 dead 1 discarded");
	assert_int_equal(outcomes[0].result, PUBLISH_GONE);
	assert_string_equal(value("SELECT COUNT(*) FROM events WHERE tenant_id = $1"), "1");
}

static void
test_an_event_of_an_earlier_tenant_with_the_same_id_is_discarded(void **state)
{
	const struct published_event events[] = {{.topic = "a"}, {.topic = "a", .created_ms = 1767225600001}};

	change("UPDATE tenants SET events_from = hl_time(1767225600001) WHERE tenant_id = $1");
	assert_string_equal(publish_all(events, 2, NULL), "1 stored 0 duplicates 0 dead 1 discarded");
}

static void
test_a_node_that_has_lost_its_row_stores_nothing(void **state)
{
	const struct published_event events[] = {{.number = 1, .topic = "a"}};
	struct sink_result result;

	node.epoch = 78;
	assert_true(publish(events, 1, NULL, &result) < 0);
	assert_non_null(strstr(err.text, "lost its row"));
	assert_false(result.in_doubt);
	node.node_id = 0;
	assert_true(publish(events, 1, NULL, &result) < 0);
	assert_non_null(strstr(err.text, "no row yet"));
	node = (struct node_row){.node_id = 1, .epoch = 77};
	assert_string_equal(publish_all(events, 1, NULL), "1 stored 0 duplicates 0 dead 0 discarded");
}

/* ---- refusals of the store ---- */

static void
refuse(bool on)
{
	if (db_config.hl_store == HL_STORE_POSTGRES)
		run_alone(on ? "ALTER TABLE events ADD CONSTRAINT no_bad_topics CHECK (topic NOT LIKE 'bad%')"
			     : "ALTER TABLE events DROP CONSTRAINT no_bad_topics");
	else
		run_alone(on ? "CREATE TRIGGER no_bad_topics BEFORE INSERT ON events WHEN NEW.topic LIKE 'bad%' BEGIN "
			       "SELECT RAISE(ABORT, 'no_bad_topics'); END"
			     : "DROP TRIGGER no_bad_topics");
}

static void
test_an_event_that_the_store_refuses_is_a_dead_letter_and_its_neighbours_are_stored(void **state)
{
	const struct published_event events[] = {{.number = 1, .topic = "a"}, {.number = 2, .topic = "bad.1"},
	    {.number = 3, .topic = "a"}, {.number = 4, .topic = "a"},
	    {.number = 5, .topic = "bad.2", .idempotency_key = "k"},
	    {.number = 6, .topic = "bad.2", .idempotency_key = "k"}};
	struct publish_outcome outcomes[6];

	refuse(true);
	assert_string_equal(publish_all(events, 6, outcomes), "3 stored 0 duplicates 3 dead 0 discarded");
	refuse(false);
	assert_int_equal(outcomes[1].result, PUBLISH_DEAD);
	assert_int_equal(outcomes[3].result, PUBLISH_STORED);
	assert_true(is_dead_letter("no_bad_topics"));
	assert_true(is_dead_letter("bad.1"));
	assert_string_equal(value("SELECT COUNT(*) FROM idempotency_keys WHERE tenant_id = $1"), "0");
	assert_string_equal(value("SELECT COUNT(*) FROM jobs WHERE tenant_id = $1"), "6");
}

/* A database that is slow for an hour must not get the same events again and again in vain. */
static void
test_a_transaction_that_took_too_long_is_followed_by_smaller_ones(void **state)
{
	struct published_event events[8];
	struct publish_outcome outcomes[8] = {{0}};
	uint32_t timeout_ms = db_config.store_timeout_ms, failures = 0;
	struct sink_result result;

	if (db_config.hl_store != HL_STORE_POSTGRES)
		skip(); /* a statement of SQLite has no deadline */
	for (uint32_t i = 0; i < 8; i++)
		events[i] = (struct published_event){.number = i + 1, .topic = "a"};
	run_alone("CREATE FUNCTION slow_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.08); "
		  "RETURN NEW; END'");
	run_alone("CREATE TRIGGER slow_rows BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION slow_row()");
	db_config.store_timeout_ms = 500;
	while (outcomes[7].result == 0)
		if (publish_group(events, 8, outcomes, &result) != 0) {
			assert_true(failures++ < 6);
			while (sink->ops->open(sink, &err) != 0)
				(void)usleep(10000);
		}
	db_config.store_timeout_ms = timeout_ms;
	run_alone("DROP TRIGGER slow_rows ON events");
	run_alone("DROP FUNCTION slow_row");
	assert_true(failures > 0);
	assert_string_equal(value("SELECT COUNT(*) FROM events WHERE tenant_id = $1"), "8");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, new_tenant, close_sink)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_an_event_and_its_jobs_are_stored_and_handed_over),
	    TEST(test_jobs_of_a_disabled_endpoint_are_held_and_not_handed_over),
	    TEST(test_events_whose_jobs_have_many_subscriptions_are_stored_in_several_transactions),
	    TEST(test_a_small_event_is_stored_before_the_large_ones_that_came_first),
	    TEST(test_a_large_event_is_stored_although_small_ones_keep_coming),
	    TEST(test_events_of_a_request_with_too_many_jobs_are_refused_from_there_on),
	    TEST(test_the_first_event_with_a_key_is_the_only_one),
	    TEST(test_a_key_belongs_to_one_tenant),
	    TEST(test_a_key_is_free_again_after_a_day),
	    TEST(test_a_spooled_event_in_conflict_becomes_a_dead_letter),
	    TEST(test_an_event_that_is_stored_already_makes_no_jobs_again),
	    TEST(test_an_event_that_is_twice_in_a_batch_is_stored_once),
	    TEST(test_an_event_is_routed_by_the_newest_subscriptions),
	    TEST(test_events_of_a_tenant_whose_subscriptions_change_all_the_time_are_stored),
	    TEST(test_an_event_of_a_deleted_tenant_is_discarded_and_its_neighbours_are_stored),
	    TEST(test_a_tenant_that_was_just_deleted_gets_no_job),
	    TEST(test_an_event_of_an_earlier_tenant_with_the_same_id_is_discarded),
	    TEST(test_a_node_that_has_lost_its_row_stores_nothing),
	    TEST(test_an_event_that_the_store_refuses_is_a_dead_letter_and_its_neighbours_are_stored),
	    TEST(test_a_transaction_that_took_too_long_is_followed_by_smaller_ones),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
