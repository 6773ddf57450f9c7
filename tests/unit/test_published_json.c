/* A published event as the API and deliveries show it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "event/published_json.h"
#include "tests/unit/published_fixture.h"

#define ID "11111111-2222-7333-8444-555566660000"

static void
assert_members(const struct published *published, const char *expected)
{
	struct record *record = published_record(published);
	struct bytes out = {0};

	assert_true(record_check(record, record->length));
	published_json_members(&out, record);
	bytes_add(&out, "", 1);
	assert_string_equal(out.base, expected);
	bytes_free(&out);
	free(record);
}

static void
test_an_event_shows_only_the_members_that_were_given(void **state)
{
	assert_members(&(struct published){.strings = {[PUBLISHED_TOPIC] = "order.created"},
			   .payload = "{\"a\":1e400}",
			   .occurred_us = -1500,
			   .received_us = 1700000000123456},
	    "\"id\":\"" ID "\",\"event_id\":\"" ID "\",\"tenant_id\":\"default\",\"topic\":\"order.created\","
	    "\"payload\":{\"a\":1e400},\"created_at\":1700000000123,\"occurred_at\":-1");
}

static void
test_an_event_shows_all_members_that_were_given(void **state)
{
	assert_members(
	    &(struct published){.tenant_id = "acme",
		.strings = {"t", "key \"1\"", "", "u\n", "00-ab-cd-01", "v=1", "{\"x\":[1, 2],\"y\":\"\\u001b\"}"},
		.payload = "\"\\u001B\xe2\x80\xa8\""},
	    "\"id\":\"" ID "\",\"event_id\":\"" ID "\",\"tenant_id\":\"acme\",\"topic\":\"t\","
	    "\"payload\":\"\\u001B\xe2\x80\xa8\",\"created_at\":0,\"occurred_at\":0,\"idempotency_key\":\"key "
	    "\\\"1\\\"\",\"ordering_key\":\"\",\"target_user_id\":\"u\\n\",\"x\":[1, 2],\"y\":\"\\u001b\","
	    "\"_trace\":{\"traceparent\":\"00-ab-cd-01\",\"tracestate\":\"v=1\"}");
}

static void
test_an_empty_object_of_unknown_members_adds_nothing(void **state)
{
	assert_members(
	    &(struct published){
		.strings = {[PUBLISHED_TOPIC] = "t", [PUBLISHED_EXTRA] = "{}", [PUBLISHED_TRACESTATE] = "a"}},
	    "\"id\":\"" ID "\",\"event_id\":\"" ID "\",\"tenant_id\":\"default\",\"topic\":\"t\",\"payload\":null,"
	    "\"created_at\":0,\"occurred_at\":0,\"_trace\":{\"tracestate\":\"a\"}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_an_event_shows_only_the_members_that_were_given),
	    cmocka_unit_test(test_an_event_shows_all_members_that_were_given),
	    cmocka_unit_test(test_an_empty_object_of_unknown_members_adds_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
