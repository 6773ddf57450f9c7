/* A published event that became a dead letter is read back as the same record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/deadletter_published.h"
#include "store/dead_letter_text.h"
#include "tests/unit/event_fixture.h"

static struct uuid_source ids;

static int
set_up(void **state)
{
	uuid_source_init(&ids);
	return 0;
}

static void
assert_same(const struct published_event *event)
{
	struct record *record = published_event(event);
	struct bytes payload = {0};

	dead_letter_payload(&payload, record);
	bytes_add(&payload, "", 1);

	struct record *again = deadletter_read_published(&ids, payload.base);

	assert_non_null(again);
	assert_int_equal(again->length, record->length);
	assert_memory_equal(again, record, record->length);
	free(again);
	free(record);
	bytes_free(&payload);
}

static void
test_the_event_is_read_back_unchanged(void **state)
{
	assert_same(&(struct published_event){.number = 7, .topic = "a"});
	assert_same(&(struct published_event){.number = 7,
	    .tenant_id = "acme",
	    .topic = "order.\xc3\xa9",
	    .payload = "{\"n\":1.50e3,\"t\":\"\\n\",\"n\":2}",
	    .idempotency_key = "k \" \\",
	    .ordering_key = "o",
	    .target_user_id = "u",
	    .traceparent = "00-1",
	    .tracestate = "a=\"b\\",
	    .extra = "{\"colour\":\"\\u00e9\",\"x\":[1.0]}"});
}

/* The line names topic and tenant, and has no member of a hook event. */
static void
test_the_line_names_topic_and_tenant(void **state)
{
	struct record *record =
	    published_event(&(struct published_event){.number = 7, .tenant_id = "acme", .topic = "a.b"});
	const struct refused refused = {.at_us = 0, .sqlstate = "23514", .message = "no"};
	struct bytes line = {0};

	dead_letter_line(&line, &refused, record);
	bytes_add(&line, "", 1);
	assert_string_equal(line.base,
	    "{\"refused_at\":\"1970-01-01T00:00:00.000000Z\",\"sqlstate\":\"23514\",\"message\":\"no\","
	    "\"event_id\":\"019b76da-a800-7000-8000-000000070000\",\"created_date\":\"2026-01-01\",\"topic\":\"a.b\","
	    "\"tenant_id\":\"acme\",\"payload\":\"{\\\"id\\\":\\\"019b76da-a800-7000-8000-000000070000\\\","
	    "\\\"event_id\\\":\\\"019b76da-a800-7000-8000-000000070000\\\",\\\"tenant_id\\\":\\\"acme\\\","
	    "\\\"topic\\\":\\\"a.b\\\",\\\"payload\\\":null,\\\"created_at\\\":1767225600000,"
	    "\\\"occurred_at\\\":1767225600000}\"}\n");
	bytes_free(&line);
	free(record);
}

static void
test_a_payload_that_is_no_event_is_refused(void **state)
{
	static const char *const wrong[] = {"", "[]", "{", "{}", "{\"topic\":\"a\"}",
	    "{\"id\":\"019b76da-a800-7000-8000-000000070000\"}", "{\"id\":\"no\",\"topic\":\"a\"}",
	    "{\"id\":\"019b76da-a800-7000-8000-000000070000\",\"topic\":\"a..b\"}"};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_null(deadletter_read_published(&ids, wrong[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_event_is_read_back_unchanged),
	    cmocka_unit_test(test_the_line_names_topic_and_tenant),
	    cmocka_unit_test(test_a_payload_that_is_no_event_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
