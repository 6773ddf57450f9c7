/*
 * Endpoints and subscriptions in the webhooks' store. The store is an SQLite file and, if HOOKS_TEST_POSTGRES_URL names
 * a database (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/webhooks/endpoints.h"
#include "store/webhooks/subscriptions.h"
#include "tests/unit/db_fixture.h"

#define TEXT(literal) ((struct span){literal, sizeof(literal) - 1})
#define E1 TEXT("0190f5fe-0000-7000-8000-000000000001")
#define E2 TEXT("0190f5fe-0000-7000-8000-000000000002")
#define E3 TEXT("0190f5fe-0000-7000-8000-000000000003")
#define T1 TEXT("0190f5fe-0000-7000-8000-00000000000a")
#define T2 TEXT("0190f5fe-0000-7000-8000-00000000000b")

static struct db *db;
static char tenant[32];
static struct error err;

static void
must(int rc)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, err.text);
}

static int
set_up(void **state)
{
	int rc = db_set_up(state);

	db = must_open();
	return rc;
}

static int
tear_down(void **state)
{
	db_close(db);
	return db_tear_down(state);
}

/* Set-up of a test, which has a tenant of its own. */
static int
new_tenant(void **state)
{
	static int number;

	(void)snprintf(tenant, sizeof tenant, "tenant-%d", number++);
	must(db_begin(db, &err));
	return 0;
}

static int
end(void **state)
{
	db_rollback(db);
	return 0;
}

static void
assert_text(struct span text, const char *expected)
{
	if (expected == NULL) {
		assert_null(text.base);
		return;
	}
	assert_int_equal(text.len, strlen(expected));
	assert_memory_equal(text.base, expected, text.len);
}

static struct endpoint
some_endpoint(struct span id)
{
	return (struct endpoint){
	    .id = id,
	    .url = TEXT("https://example.com/?a=%2F"),
	    .secret = TEXT("secret"),
	    .headers = TEXT("{}"),
	    .enabled = true,
	    .timeout_ms = 30000,
	    .max_in_flight = 10,
	    .rate_limit_rps = 100,
	    .ordering = TEXT("endpoint"),
	    .on_dead = TEXT("continue"),
	    .fail_fast = true,
	    .body = TEXT("envelope"),
	};
}

static void
insert(struct span id)
{
	struct endpoint endpoint = some_endpoint(id);
	struct db_rows *rows;

	must(endpoints_insert(db, tenant, &endpoint, &rows, &err));
	db_rows_free(rows);
}

static struct db_rows *
get(struct span id)
{
	struct db_rows *rows;

	must(endpoints_get(db, tenant, id, false, &rows, &err));
	return rows;
}

static void
test_an_endpoint_is_read_as_it_was_stored(void **state)
{
	struct endpoint put = some_endpoint(E1), got;
	struct db_rows *rows;

	put.name = TEXT("n\xc3\xa4me");
	put.metadata = TEXT("{ \"n\": 9007199254740993, \"a\":1.10}");
	put.extra = TEXT("{\"x\":null,\"y\":[1e400]}");
	put.retry_schedule = TEXT("[ \"5s\", 6000 ]");
	put.max_attempts = 3;
	put.paused = put.fifo = put.keep_response = true;
	put.fail_fast = false;
	put.ordering = TEXT("key");
	must(endpoints_insert(db, tenant, &put, &rows, &err));
	got = endpoint_of_row(rows, 0);
	assert_text(got.id, E1.base);
	assert_int_equal(got.version, 1);
	assert_text(got.url, "https://example.com/?a=%2F");
	assert_text(got.name, "n\xc3\xa4me");
	assert_text(got.description, NULL);
	assert_text(got.metadata, "{ \"n\": 9007199254740993, \"a\":1.10}");
	assert_text(got.extra, "{\"x\":null,\"y\":[1e400]}");
	assert_text(got.retry_schedule, "[ \"5s\", 6000 ]");
	assert_text(got.ordering, "key");
	assert_text(got.on_dead, "continue");
	assert_text(got.body, "envelope");
	assert_text(got.state, "active");
	assert_text(got.disabled_reason, NULL);
	assert_text(got.old_secret, NULL);
	assert_int_equal(got.max_attempts, 3);
	assert_int_equal(got.timeout_ms, 30000);
	assert_int_equal(got.max_in_flight, 10);
	assert_int_equal(got.rate_limit_rps, 100);
	assert_true(got.enabled && got.paused && got.fifo && got.keep_response);
	assert_false(got.fail_fast || got.exact_limits || got.legacy_headers);
	assert_true(got.created_at > 1700000000000 && got.updated_at == got.created_at);
	assert_int_equal(got.failing_since, 0);
	db_rows_free(rows);
}

static void
test_an_update_changes_the_row_and_raises_its_version(void **state)
{
	struct endpoint endpoint;
	struct db_rows *before, *after;

	insert(E1);
	must(endpoints_get(db, tenant, E1, true, &before, &err));
	endpoint = endpoint_of_row(before, 0);
	endpoint.url = TEXT("https://example.org");
	endpoint.old_secret = endpoint.secret;
	endpoint.old_secret_until = 1700000000123;
	endpoint.secret = TEXT("newer");
	endpoint.max_attempts = 7;
	must(endpoints_update(db, tenant, &endpoint, false, &after, &err));
	endpoint = endpoint_of_row(after, 0);
	assert_text(endpoint.url, "https://example.org");
	assert_text(endpoint.secret, "newer");
	assert_text(endpoint.old_secret, "secret");
	assert_int_equal(endpoint.old_secret_until, 1700000000123);
	assert_int_equal(endpoint.version, 2);
	assert_int_equal(endpoint.max_attempts, 7);
	assert_int_equal(endpoint.timeout_ms, 30000);
	db_rows_free(before);
	db_rows_free(after);
}

static void
test_a_run_of_failures_begins_anew_only_when_asked(void **state)
{
	static const struct db_statement disable = {
	    "UPDATE endpoints SET state = 'disabled', disabled_reason = 'gone', "
	    "failing_since = hl_now() WHERE tenant_id = $1"};
	const struct db_param params[] = {db_string(tenant)};
	struct db_rows *rows, *after;
	struct endpoint endpoint;

	insert(E1);
	must(db_query(db, &disable, params, 1, NULL, &err));
	rows = get(E1);
	endpoint = endpoint_of_row(rows, 0);
	must(endpoints_update(db, tenant, &endpoint, false, &after, &err));
	assert_text(endpoint_of_row(after, 0).state, "disabled");
	assert_text(endpoint_of_row(after, 0).disabled_reason, "gone");
	assert_true(endpoint_of_row(after, 0).failing_since > 0);
	db_rows_free(after);
	must(endpoints_update(db, tenant, &endpoint, true, &after, &err));
	assert_text(endpoint_of_row(after, 0).state, "active");
	assert_text(endpoint_of_row(after, 0).disabled_reason, NULL);
	assert_int_equal(endpoint_of_row(after, 0).failing_since, 0);
	db_rows_free(after);
	db_rows_free(rows);
}

/* There was no attempt during the pause. The state of the breaker stays. */
static void
test_a_run_of_failures_begins_anew_when_a_pause_of_the_endpoint_ends(void **state)
{
	static const struct db_statement fail = {
	    "UPDATE endpoints SET breaker = 'open', failing_since = hl_now() WHERE tenant_id = $1"};
	static const bool paused[] = {false, true, true, false};
	const struct db_param params[] = {db_string(tenant)};
	struct db_rows *rows;

	insert(E1);
	must(db_query(db, &fail, params, 1, NULL, &err));
	for (size_t i = 0; i < sizeof paused / sizeof *paused; i++) {
		struct endpoint endpoint = some_endpoint(E1), after;

		endpoint.paused = paused[i];
		must(endpoints_update(db, tenant, &endpoint, false, &rows, &err));
		after = endpoint_of_row(rows, 0);
		assert_true((after.failing_since > 0) == (i < 3));
		assert_text(after.breaker, "open");
		assert_int_equal(after.breaker_version, 1);
		db_rows_free(rows);
	}
}

/* Three changes close the breaker (reset): a new URL, another secret, and enabling the endpoint again. */
static void
test_another_secret_or_a_reset_closes_the_breaker_and_nothing_else_does(void **state)
{
	static const struct db_statement open = {"UPDATE endpoints SET breaker = 'open' WHERE tenant_id = $1"};
	const struct db_param params[] = {db_string(tenant)};
	struct db_rows *rows;

	insert(E1);
	for (int step = 0; step < 3; step++) {
		struct endpoint endpoint = some_endpoint(E1), after;

		if (step == 1)
			endpoint.secret = TEXT("newer");
		must(db_query(db, &open, params, 1, NULL, &err));
		if (step == 2)
			endpoint.secret = TEXT("newer");
		endpoint.timeout_ms = 1000 * (step + 1);
		must(endpoints_update(db, tenant, &endpoint, step == 2, &rows, &err));
		after = endpoint_of_row(rows, 0);
		assert_text(after.breaker, step == 0 ? "open" : "closed");
		assert_int_equal(after.version, step + 2);
		assert_int_equal(after.breaker_version, step == 0 ? 1 : after.version);
		db_rows_free(rows);
	}
}

static void
test_a_deleted_endpoint_or_that_of_another_tenant_is_not_found(void **state)
{
	struct endpoint endpoint = some_endpoint(E1);
	struct db_rows *rows;

	insert(E1);
	must(endpoints_get(db, "tenant-other", E1, false, &rows, &err));
	assert_int_equal(db_rows_count(rows), 0);
	db_rows_free(rows);
	must(endpoints_update(db, "tenant-other", &endpoint, false, &rows, &err));
	assert_int_equal(db_rows_count(rows), 0);
	db_rows_free(rows);
	must(endpoints_delete(db, "tenant-other", E1, &err));
	rows = get(E1);
	assert_int_equal(db_rows_count(rows), 1);
	db_rows_free(rows);
	must(endpoints_delete(db, tenant, E1, &err));
	rows = get(E1);
	assert_int_equal(db_rows_count(rows), 0);
	db_rows_free(rows);
	must(endpoints_update(db, tenant, &endpoint, false, &rows, &err));
	assert_int_equal(db_rows_count(rows), 0);
	db_rows_free(rows);
}

static void
assert_listed(int enabled, const struct list_slice *slice, const char *last_digits)
{
	struct db_rows *rows;

	must(endpoints_list(db, tenant, enabled, slice, &rows, &err));
	assert_int_equal(db_rows_count(rows), strlen(last_digits));
	for (uint32_t i = 0; i < db_rows_count(rows); i++)
		assert_int_equal(endpoint_of_row(rows, i).id.base[35], last_digits[i]);
	db_rows_free(rows);
}

static void
test_a_list_goes_both_ways_from_a_place_and_may_show_enabled_ones_only(void **state)
{
	struct endpoint off = some_endpoint(E2);
	struct db_rows *rows;

	insert(E3);
	insert(E1);
	off.enabled = false;
	must(endpoints_insert(db, tenant, &off, &rows, &err));
	db_rows_free(rows);
	assert_listed(-1, &(struct list_slice){.limit = 9}, "123");
	assert_listed(-1, &(struct list_slice){.limit = 2}, "12");
	assert_listed(-1, &(struct list_slice){.limit = 9, .after = E1.base}, "23");
	assert_listed(-1, &(struct list_slice){.limit = 9, .descending = true}, "321");
	assert_listed(-1, &(struct list_slice){.limit = 9, .descending = true, .after = E3.base}, "21");
	assert_listed(1, &(struct list_slice){.limit = 9}, "13");
	assert_listed(0, &(struct list_slice){.limit = 9}, "2");
	must(endpoints_delete(db, tenant, E1, &err));
	assert_listed(-1, &(struct list_slice){.limit = 9}, "23");
}

static struct subscription
some_subscription(struct span id, struct span endpoint_id, struct span transform_id)
{
	return (struct subscription){.id = id,
	    .endpoint_id = endpoint_id,
	    .topic_pattern = TEXT("order.*"),
	    .transform_id = transform_id,
	    .enabled = true};
}

static void
subscribe(struct span id, struct span endpoint_id, struct span transform_id)
{
	struct subscription subscription = some_subscription(id, endpoint_id, transform_id);

	must(subscriptions_insert(db, tenant, &subscription, &err));
}

static void
test_a_subscription_is_read_with_its_transform(void **state)
{
	struct subscription put = some_subscription(E2, E1, T1), got;
	struct db_rows *rows;

	insert(E1);
	put.filter = TEXT("{\"eq\": \"payload.id\", \"value\": 12345678901234567890}");
	put.name = TEXT("");
	must(transforms_put(db, tenant, T1, TEXT("[ 1 ]"), &err));
	must(transforms_put(db, tenant, T1, TEXT("[2]"), &err));
	must(subscriptions_insert(db, tenant, &put, &err));
	must(subscriptions_get(db, tenant, E2, true, &rows, &err));
	got = subscription_of_row(rows, 0);
	assert_text(got.endpoint_id, E1.base);
	assert_text(got.topic_pattern, "order.*");
	assert_text(got.filter, put.filter.base);
	assert_text(got.transform, "[ 1 ]");
	assert_text(got.name, "");
	assert_text(got.metadata, NULL);
	assert_int_equal(got.version, 1);
	got.enabled = false;
	got.transform_id = (struct span){NULL, 0};
	must(subscriptions_update(db, tenant, &got, &err));
	db_rows_free(rows);
	must(subscriptions_get(db, tenant, E2, false, &rows, &err));
	got = subscription_of_row(rows, 0);
	assert_text(got.transform, NULL);
	assert_false(got.enabled);
	assert_int_equal(got.version, 2);
	db_rows_free(rows);
}

static void
assert_subscriptions(const struct subscription_filter *filter, const struct list_slice *slice, const char *last_digits)
{
	struct db_rows *rows;

	must(subscriptions_list(db, tenant, filter, slice, &rows, &err));
	assert_int_equal(db_rows_count(rows), strlen(last_digits));
	for (uint32_t i = 0; i < db_rows_count(rows); i++)
		assert_int_equal(subscription_of_row(rows, i).id.base[35], last_digits[i]);
	db_rows_free(rows);
}

static void
test_subscriptions_are_listed_until_their_endpoint_is_removed(void **state)
{
	struct subscription other = some_subscription(E3, E2, (struct span){NULL, 0});
	struct db_rows *rows;
	bool exists;

	insert(E1);
	insert(E2);
	subscribe(E1, E1, (struct span){NULL, 0});
	subscribe(E2, E2, (struct span){NULL, 0});
	other.topic_pattern = TEXT("#");
	other.enabled = false;
	must(subscriptions_insert(db, tenant, &other, &err));
	assert_subscriptions(&(struct subscription_filter){.enabled = -1}, &(struct list_slice){.limit = 9}, "123");
	assert_subscriptions(
	    &(struct subscription_filter){.enabled = -1}, &(struct list_slice){.limit = 9, .descending = true}, "321");
	assert_subscriptions(
	    &(struct subscription_filter){.enabled = -1}, &(struct list_slice){.limit = 1, .after = E1.base}, "2");
	assert_subscriptions(&(struct subscription_filter){.enabled = 1}, &(struct list_slice){.limit = 9}, "12");
	assert_subscriptions(
	    &(struct subscription_filter){.enabled = -1, .endpoint_id = E2}, &(struct list_slice){.limit = 9}, "23");
	assert_subscriptions(&(struct subscription_filter){.enabled = -1, .endpoint_id = E2},
	    &(struct list_slice){.limit = 9, .descending = true}, "32");
	assert_subscriptions(&(struct subscription_filter){.enabled = -1, .topic_pattern = TEXT("#")},
	    &(struct list_slice){.limit = 9}, "3");
	must(endpoints_delete(db, tenant, E2, &err));
	assert_subscriptions(&(struct subscription_filter){.enabled = -1}, &(struct list_slice){.limit = 9}, "1");
	must(subscriptions_get(db, tenant, E2, false, &rows, &err));
	assert_int_equal(db_rows_count(rows), 0);
	db_rows_free(rows);
	must(subscriptions_hold_endpoint(db, tenant, E2, &exists, &err));
	assert_false(exists);
	must(subscriptions_hold_endpoint(db, tenant, E1, &exists, &err));
	assert_true(exists);
	must(subscriptions_delete(db, tenant, E1, &err));
	assert_subscriptions(&(struct subscription_filter){.enabled = -1}, &(struct list_slice){.limit = 9}, "");
}

static void
test_pairs_are_counted_once_and_rules_by_their_bytes(void **state)
{
	struct subscription_totals totals;
	int64_t bytes;

	insert(E1);
	insert(E2);
	subscribe(TEXT("0190f5fe-0000-7000-8000-000000000011"), E1, (struct span){NULL, 0});
	subscribe(TEXT("0190f5fe-0000-7000-8000-000000000012"), E1, (struct span){NULL, 0});
	subscribe(TEXT("0190f5fe-0000-7000-8000-000000000013"), E1, T1);
	subscribe(TEXT("0190f5fe-0000-7000-8000-000000000014"), E1, T2);
	subscribe(TEXT("0190f5fe-0000-7000-8000-000000000015"), E2, T1);
	subscribe(TEXT("0190f5fe-0000-7000-8000-000000000016"), E2, T1);
	must(subscriptions_measure(db, tenant, &totals, &err));
	assert_int_equal(totals.pairs, 4);
	bytes = totals.rule_bytes / 6;
	assert_true(bytes > SUBSCRIPTION_BYTES);
	assert_int_equal(totals.rule_bytes, 6 * bytes);
	must(endpoints_delete(db, tenant, E2, &err));
	must(subscriptions_measure(db, tenant, &totals, &err));
	assert_int_equal(totals.pairs, 3);
	assert_int_equal(totals.rule_bytes, 4 * bytes);
	must(subscriptions_measure(db, "tenant-other", &totals, &err));
	assert_int_equal(totals.pairs, 0);
	assert_int_equal(totals.rule_bytes, 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, new_tenant, end)
	    TEST(test_an_endpoint_is_read_as_it_was_stored),
	    TEST(test_an_update_changes_the_row_and_raises_its_version),
	    TEST(test_a_run_of_failures_begins_anew_only_when_asked),
	    TEST(test_a_run_of_failures_begins_anew_when_a_pause_of_the_endpoint_ends),
	    TEST(test_another_secret_or_a_reset_closes_the_breaker_and_nothing_else_does),
	    TEST(test_a_deleted_endpoint_or_that_of_another_tenant_is_not_found),
	    TEST(test_a_list_goes_both_ways_from_a_place_and_may_show_enabled_ones_only),
	    TEST(test_a_subscription_is_read_with_its_transform),
	    TEST(test_subscriptions_are_listed_until_their_endpoint_is_removed),
	    TEST(test_pairs_are_counted_once_and_rules_by_their_bytes),
	};

	return cmocka_run_group_tests_name("webhooks_endpoints", tests, set_up, tear_down);
}
