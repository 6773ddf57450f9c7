/* Endpoints as couriers use them, read from rows that the API has stored or that somebody has edited. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "api/secrets.h"
#include "base/clock.h"
#include "courier/endpoint_config.h"
#include "store/webhooks/endpoints.h"

#define TEXT(literal) ((struct span){literal, sizeof(literal) - 1})
#define ID TEXT("0190f5fe-0000-7000-8000-000000000001")

static char schedule[] = "5s,30s,5m";
static char key_one[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
static char key_two[] = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
static struct config config = {.hl_retry_schedule = schedule};
static struct secrets secrets;
static struct error why;

static struct endpoint
some_row(void)
{
	return (struct endpoint){
	    .id = ID,
	    .version = 7,
	    .url = TEXT("https://hooks.example:8443/in?token=%2F"),
	    .secret = TEXT("a secret of ours"),
	    .headers = TEXT("{\"X-One\":\"1\",\"x-two\":\"\\u0032 2\"}"),
	    .enabled = true,
	    .timeout_ms = 30000,
	    .max_in_flight = 10,
	    .rate_limit_rps = 100,
	    .ordering = TEXT("endpoint"),
	    .on_dead = TEXT("continue"),
	    .fail_fast = true,
	    .body = TEXT("payload"),
	};
}

static struct endpoint_config *
read_row(const struct endpoint *row)
{
	return endpoint_config_new(&config, &secrets, "acme", row, &why);
}

static void
assert_bytes(const struct bytes *bytes, const char *expected)
{
	assert_int_equal(bytes->len, strlen(expected));
	if (bytes->len > 0)
		assert_memory_equal(bytes->base, expected, bytes->len);
}

static int
use_no_key(void **state)
{
	struct config none = {0};

	secrets_open(&secrets, &none);
	config = (struct config){.hl_retry_schedule = schedule};
	return 0;
}

static void
use_key(char *key)
{
	struct config keys = {.hl_master_key = key};

	secrets_close(&secrets);
	secrets_open(&secrets, &keys);
}

static void
test_a_row_is_read_whole(void **state)
{
	struct endpoint row = some_row();
	struct endpoint_config *endpoint;

	row.old_secret = TEXT("the one before");
	row.old_secret_until = clock_wall_us() / 1000 + 60000;
	endpoint = read_row(&row);
	assert_string_equal(why.text, "");
	assert_false(endpoint_holds(endpoint));
	assert_string_equal(endpoint->tenant_id, "acme");
	assert_string_equal(endpoint->url, "https://hooks.example:8443/in?token=%2F");
	assert_string_equal(endpoint->host, "hooks.example");
	assert_bytes(&endpoint->secret, "a secret of ours");
	assert_bytes(&endpoint->old_secret, "the one before");
	assert_bytes(&endpoint->headers, "X-One: 1\r\nx-two: 2 2\r\n");
	assert_int_equal(endpoint->version, 7);
	assert_int_equal(endpoint->body, BODY_PAYLOAD);
	assert_int_equal(endpoint->timeout_ms, 30000);
	assert_int_equal(endpoint->max_in_flight, 10);
	assert_int_equal(endpoint->rate_limit_rps, 100);
	assert_true(endpoint->fail_fast);
	assert_int_equal(endpoint->endpoint_id[0], 1);
	assert_int_equal(endpoint->endpoint_id[1], 0x90);
	endpoint_config_unref(endpoint);
}

static void
test_a_secret_whose_overlap_is_over_is_left_out(void **state)
{
	struct endpoint row = some_row();
	struct endpoint_config *endpoint;

	row.old_secret = TEXT("the one before");
	row.old_secret_until = clock_wall_us() / 1000 - 1;
	endpoint = read_row(&row);
	assert_int_equal(endpoint->old_secret.len, 0);
	assert_int_equal(endpoint->old_secret_until_ms, 0);
	endpoint_config_unref(endpoint);
}

static void
assert_waits(struct span text, int64_t max_attempts, uint32_t count, const uint32_t *waits_ms)
{
	struct endpoint row = some_row();
	struct endpoint_config *endpoint;

	row.retry_schedule = text;
	row.max_attempts = max_attempts;
	endpoint = read_row(&row);
	assert_string_equal(why.text, "");
	assert_int_equal(endpoint->waits, count);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(endpoint->waits_ms[i], waits_ms[i]);
	endpoint_config_unref(endpoint);
}

static void
test_the_schedule_is_the_endpoints_or_the_default_cut_by_max_attempts(void **state)
{
	const uint32_t standard[] = {5000, 30000, 300000}, own[] = {1000, 2500, 7200000};
	const struct span none = {NULL, 0};

	assert_waits(none, 0, 3, standard);
	assert_waits(none, 3, 2, standard);
	assert_waits(none, 1, 0, NULL);
	assert_waits(none, 50, 3, standard);
	assert_waits(TEXT("[\"1s\", 2500, \"2h\"]"), 0, 3, own);
	assert_waits(TEXT("[\"1s\", 2500, \"2h\"]"), 2, 1, own);
	assert_waits(TEXT("\"1s, 2500ms,2h\""), 0, 3, own);
	assert_waits(TEXT("[]"), 0, 0, NULL);
	config.hl_retry_max_attempts = 2;
	assert_waits(none, 0, 1, standard);
	assert_waits(none, 3, 2, standard);
	assert_waits(TEXT("[\"1s\", 2500, \"2h\"]"), 0, 3, own);
}

static void
test_a_job_may_wait_one_and_a_half_schedules_but_a_day_at_least(void **state)
{
	struct endpoint row = some_row();
	struct endpoint_config *endpoint = read_row(&row);

	assert_int_equal(endpoint_lifetime_ms(endpoint), 24 * 60 * 60 * 1000);
	endpoint_config_unref(endpoint);
	row.retry_schedule = TEXT("[\"20h\",\"20h\"]");
	endpoint = read_row(&row);
	assert_int_equal(endpoint_lifetime_ms(endpoint), 60 * 60 * 60 * 1000);
	endpoint_config_unref(endpoint);
}

static void
test_disabled_and_paused_endpoints_hold(void **state)
{
	struct endpoint row = some_row();
	struct endpoint_config *endpoint;

	row.enabled = false;
	endpoint = read_row(&row);
	assert_true(endpoint_holds(endpoint));
	endpoint_config_unref(endpoint);
	row.enabled = row.paused = true;
	endpoint = read_row(&row);
	assert_true(endpoint_holds(endpoint));
	assert_string_equal(why.text, "");
	endpoint_config_unref(endpoint);
}

/* A row with nonsense in one column holds. The reason names the column and no secret. */
static void
assert_damaged(const struct endpoint *row, const char *column)
{
	struct endpoint_config *endpoint = read_row(row);

	if (!endpoint_holds(endpoint))
		fail_msg("an endpoint with nonsense in %s does not hold", column);
	assert_ptr_equal(strstr(why.text, column), why.text);
	assert_null(strstr(why.text, "hush"));
	endpoint_config_unref(endpoint);
}

static void
test_a_row_with_nonsense_in_a_column_holds(void **state)
{
	static const struct span schedules[] = {TEXT("7"), TEXT("null"), TEXT("[\"5x\"]"), TEXT("[0]"), TEXT("[1000"),
	    TEXT("{\"a\":1}"), TEXT("\"\""), TEXT("[[\"5s\"]]"), TEXT("[99999999999999999999]")};
	static const struct span headers[] = {TEXT("[]"), TEXT("{\"a\":1}"), TEXT("{\"a\":\"hush\\r\\nb: c\"}"),
	    TEXT("{\"content-length\":\"hush\"}"), TEXT("{\"a b\":\"hush\"}"), TEXT("{\"a\":\"hush"), TEXT("enc:v1:x")};
	static const struct span urls[] = {TEXT(""), TEXT("hush"), TEXT("ftp://hush/"), TEXT("https://"),
	    TEXT("https://a:b@hush/"), TEXT("https://h/\r\nx"), TEXT("http://[::1")};
	static const struct span keys[] = {TEXT(""), TEXT("hush"), TEXT("whsec_hush"), TEXT("enc:v1:hush")};
	struct endpoint row;

#define EACH(member, values)                                                                                           \
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {                                                  \
		row = some_row();                                                                                      \
		row.member = values[i];                                                                                \
		assert_damaged(&row, #member);                                                                         \
	}
	EACH(retry_schedule, schedules)
	EACH(headers, headers)
	EACH(url, urls)
	EACH(secret, keys)

	static const int64_t numbers[] = {INT64_MIN, -1, 0, INT64_MAX};
	EACH(timeout_ms, numbers)
	EACH(max_in_flight, numbers)
	EACH(rate_limit_rps, numbers)

	row = some_row();
	row.max_attempts = -1;
	assert_damaged(&row, "max_attempts");
	row = some_row();
	row.body = TEXT("hush");
	assert_damaged(&row, "body");
}

static void
test_secrets_of_a_missing_master_key_hold_and_are_read_when_it_is_back(void **state)
{
	const struct secret_place signing = {TEXT("acme"), ID, SECRET_SIGNING},
				  own = {TEXT("acme"), ID, SECRET_HEADERS};
	struct bytes secret = {0}, headers = {0};
	struct endpoint row = some_row();
	struct endpoint_config *endpoint;

	use_key(key_one);
	secret_seal(&secrets, &signing, TEXT("a secret of ours"), &secret);
	secret_seal(&secrets, &own, TEXT("{\"a\":\"b\"}"), &headers);
	row.secret = (struct span){secret.base, secret.len};
	row.headers = (struct span){headers.base, headers.len};
	use_key(key_two);
	endpoint = read_row(&row);
	assert_true(endpoint->secrets_missing && endpoint_holds(endpoint) && !endpoint->damaged);
	assert_string_not_equal(why.text, "");
	assert_int_equal(endpoint->secret.len, 0);
	endpoint_config_unref(endpoint);
	use_key(key_one);
	endpoint = read_row(&row);
	assert_false(endpoint_holds(endpoint));
	assert_bytes(&endpoint->secret, "a secret of ours");
	assert_bytes(&endpoint->headers, "a: b\r\n");
	endpoint_config_unref(endpoint);
	secret_wipe(&secret);
	secret_wipe(&headers);
}

static void
test_the_last_reference_frees_the_configuration(void **state)
{
	struct endpoint row = some_row();
	struct endpoint_config *endpoint = read_row(&row);

	assert_ptr_equal(endpoint_config_ref(endpoint), endpoint);
	endpoint_config_unref(endpoint);
	assert_string_equal(endpoint->host, "hooks.example");
	endpoint_config_unref(endpoint);
	endpoint_config_unref(NULL);
}

#define TEST(test) cmocka_unit_test_setup(test, use_no_key)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_row_is_read_whole),
	    TEST(test_a_secret_whose_overlap_is_over_is_left_out),
	    TEST(test_the_schedule_is_the_endpoints_or_the_default_cut_by_max_attempts),
	    TEST(test_a_job_may_wait_one_and_a_half_schedules_but_a_day_at_least),
	    TEST(test_disabled_and_paused_endpoints_hold),
	    TEST(test_a_row_with_nonsense_in_a_column_holds),
	    TEST(test_secrets_of_a_missing_master_key_hold_and_are_read_when_it_is_back),
	    TEST(test_the_last_reference_frees_the_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
