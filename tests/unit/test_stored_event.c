/* Events from rows that publishers have stored or that somebody has edited. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "store/webhooks/stored_event.h"
#include "event/published_json.h"
#include "event/record.h"

#define TEXT(literal) ((struct span){literal, sizeof(literal) - 1})
#define COLUMNS 10

static const uint8_t id[16] = {1, 2, 3};
static struct bytes memory, json;

/* A row: topic, payload, idempotency_key, ordering_key, target_user_id, extra, trace. */
static struct db_rows *
row_of(const char *const texts[7])
{
	struct db_rows *rows = db_rows_new(COLUMNS);

	db_rows_add(rows, "job", 3);
	db_rows_add(rows, "1700000000123", 13);
	db_rows_add(rows, "1600000000456", 13);
	for (int i = 0; i < 7; i++)
		db_rows_add(rows, texts[i], texts[i] != NULL ? strlen(texts[i]) : 0);
	return rows;
}

/* The event as it is delivered; NULL: it cannot be. */
static const char *
event_of(struct span tenant, const char *const texts[7])
{
	struct db_rows *rows = row_of(texts);
	bool added = stored_event_add(&memory, tenant, id, rows, 0);

	db_rows_free(rows);
	json.len = 0;
	if (!added) {
		assert_int_equal(memory.len, 0);
		return NULL;
	}

	const struct record *record = (const void *)memory.base;

	assert_true(record_check(record, memory.len) && record->length == memory.len);
	memory.len = 0;
	published_json_members(&json, record);
	bytes_add(&json, "", 1);
	return json.base;
}

#define EVENT(...) event_of(TEXT("acme"), (const char *const[7]){__VA_ARGS__})

static void
test_an_event_has_all_members_that_were_published(void **state)
{
	const char *event = EVENT("a.b", "{\"n\":1.10,\"n\":1e400}", "key", "order", "user", "{\"more\":[1]}",
	    "{\"traceparent\":\"00-ab-cd-01\",\"tracestate\":\"a=b\"}");

	assert_non_null(event);
	assert_non_null(strstr(event, "\"tenant_id\":\"acme\""));
	assert_non_null(strstr(event, "\"topic\":\"a.b\""));
	assert_non_null(strstr(event, "\"payload\":{\"n\":1.10,\"n\":1e400}"));
	assert_non_null(strstr(event, "\"created_at\":1700000000123"));
	assert_non_null(strstr(event, "\"occurred_at\":1600000000456"));
	assert_non_null(strstr(event, "\"idempotency_key\":\"key\""));
	assert_non_null(strstr(event, "\"ordering_key\":\"order\""));
	assert_non_null(strstr(event, "\"target_user_id\":\"user\""));
	assert_non_null(strstr(event, ",\"more\":[1]"));
	assert_non_null(strstr(event, "\"_trace\":{\"traceparent\":\"00-ab-cd-01\",\"tracestate\":\"a=b\"}"));
}

static void
test_an_event_of_the_default_tenant_without_members_is_valid(void **state)
{
	const char *event = event_of(TEXT("default"), (const char *const[7]){"t", NULL, NULL, NULL, NULL, NULL, NULL});

	assert_non_null(strstr(event, "\"tenant_id\":\"default\""));
	assert_non_null(strstr(event, "\"payload\":null"));
	assert_null(strstr(event, "idempotency_key"));
	assert_null(strstr(event, "_trace"));
}

static void
test_a_payload_that_is_no_json_is_not_delivered(void **state)
{
	assert_null(EVENT("t", "", NULL, NULL, NULL, NULL, NULL));
	assert_null(EVENT("t", "{\"a\":1", NULL, NULL, NULL, NULL, NULL));
	assert_null(EVENT("t", "1,\"x\":2", NULL, NULL, NULL, NULL, NULL));
	assert_null(EVENT("t", "nul", NULL, NULL, NULL, NULL, NULL));
	assert_null(EVENT(NULL, "1", NULL, NULL, NULL, NULL, NULL));
	assert_null(EVENT("", "1", NULL, NULL, NULL, NULL, NULL));
	assert_non_null(strstr(EVENT("t", " [1] \n", NULL, NULL, NULL, NULL, NULL), "\"payload\":[1]"));
}

static void
test_members_that_cannot_be_used_are_left_out(void **state)
{
	static const char *const wrong[] = {"", "[]", "1", "{", "{\"a\":}", "{}", "{ }", "{\"a\":1}}", "\"x\""};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		const char *event = EVENT("t", "1", NULL, NULL, NULL, wrong[i], wrong[i]);

		assert_non_null(event);
		assert_null(strstr(event, "_trace"));
		assert_null(strstr(event, ",,"));
		assert_non_null(strstr(event, "\"occurred_at\":1600000000456"));
		assert_string_equal(strstr(event, "\"occurred_at\""), "\"occurred_at\":1600000000456");
	}
	assert_null(strstr(
	    EVENT("t", "1", NULL, NULL, NULL, NULL, "{\"traceparent\":7,\"tracestate\":\"\\u0041\"}"), "_trace"));
}

static int
free_memory(void **state)
{
	bytes_free(&memory);
	bytes_free(&json);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_an_event_has_all_members_that_were_published),
	    cmocka_unit_test(test_an_event_of_the_default_tenant_without_members_is_valid),
	    cmocka_unit_test(test_a_payload_that_is_no_json_is_not_delivered),
	    cmocka_unit_test(test_members_that_cannot_be_used_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, free_memory);
}
