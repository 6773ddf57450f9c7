/* The bodies of deliveries, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "courier/body.h"
#include "tests/unit/published_fixture.h"

#define ID "11111111-2222-7333-8444-555566660000"
#define BEFORE "{\"id\":\"" ID "\",\"event_id\":\"" ID "\",\"tenant_id\":\"default\",\"topic\":\"t\",\"payload\":"
#define BEHIND ",\"created_at\":0,\"occurred_at\":0}"

static const uint8_t job_id[16] = {0x0a, [15] = 1}, attempt_id[16] = {0x0b, [15] = 2};

/* transform: NULL for none. */
static void
assert_body(enum endpoint_body kind, const char *transform, const char *payload, const char *expected)
{
	struct record *event =
	    published_record(&(struct published){.strings = {[PUBLISHED_TOPIC] = "t"}, .payload = payload});
	struct body_maker *maker = body_maker_new();
	struct body_spec spec = {.kind = kind, .event = event, .job_id = job_id, .attempt_id = attempt_id, .number = 3};
	struct transform read;
	struct bytes out = {0};
	struct error err;

	if (transform != NULL) {
		assert_int_equal(transform_parse((struct span){transform, strlen(transform)}, &read, &err), 0);
		spec.transform = &read;
	}
	for (int again = 0; again < 2; again++) {
		struct span body = body_make(maker, &spec, &out);

		assert_int_equal(body.len, strlen(expected));
		assert_memory_equal(body.base, expected, body.len);
	}
	if (transform != NULL)
		transform_free(&read);
	body_maker_free(maker);
	bytes_free(&out);
	free(event);
}

static void
test_the_envelope_names_job_attempt_and_event(void **state)
{
	assert_body(BODY_ENVELOPE, NULL, "[1.0,\"\\u001B\"]",
	    "{\"attempt\":3,\"attempt_id\":\"0b000000-0000-0000-0000-000000000002\",\"event\":" BEFORE
	    "[1.0,\"\\u001B\"]" BEHIND ",\"event_id\":\"" ID
	    "\",\"hookline_version\":\"1\",\"job_id\":\"0a000000-0000-0000-0000-000000000001\"}");
}

static void
test_the_event_or_its_payload_stand_alone(void **state)
{
	assert_body(BODY_BARE_EVENT, NULL, "7", BEFORE "7" BEHIND);
	assert_body(
	    BODY_PAYLOAD, NULL, "{\"b\":\"\xf0\x9f\x98\x80\",\"a\":1e400}", "{\"b\":\"\xf0\x9f\x98\x80\",\"a\":1e400}");
	assert_body(BODY_PAYLOAD, NULL, "0", "0");
}

static void
test_a_transform_changes_the_event_and_nothing_of_the_envelope(void **state)
{
	static const char transform[] = "{\"op\":\"remove_field\",\"field\":\"payload.secret\"}";
	static const char ids[] =
	    "[{\"op\":\"remove_field\",\"field\":\"event_id\"},{\"op\":\"set_field\",\"field\":\"id\",\"value\":1}]";

	assert_body(BODY_BARE_EVENT, transform, "{\"secret\":1,\"b\":2}", BEFORE "{\"b\":2}" BEHIND);
	assert_body(BODY_PAYLOAD, transform, "{\"secret\":1,\"b\":2}", "{\"b\":2}");
	assert_body(BODY_ENVELOPE, ids, "null",
	    "{\"attempt\":3,\"attempt_id\":\"0b000000-0000-0000-0000-000000000002\",\"event\":{\"id\":1,\"tenant_id\":"
	    "\"default\",\"topic\":\"t\",\"payload\":null" BEHIND ",\"event_id\":\"" ID
	    "\",\"hookline_version\":\"1\",\"job_id\":\"0a000000-0000-0000-0000-000000000001\"}");
}

static void
test_a_payload_that_a_transform_removed_is_null(void **state)
{
	assert_body(BODY_PAYLOAD, "{\"op\":\"remove_field\",\"field\":\"payload\"}", "{\"a\":1}", "null");
	assert_body(
	    BODY_PAYLOAD, "{\"op\":\"rename_field\",\"from\":\"topic\",\"to\":\"payload\"}", "{\"a\":1}", "\"t\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_envelope_names_job_attempt_and_event),
	    cmocka_unit_test(test_the_event_or_its_payload_stand_alone),
	    cmocka_unit_test(test_a_transform_changes_the_event_and_nothing_of_the_envelope),
	    cmocka_unit_test(test_a_payload_that_a_transform_removed_is_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
