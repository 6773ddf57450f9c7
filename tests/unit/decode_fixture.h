/* What the tests of decode_body() share: one call with its surroundings, and checks of its result. */
#ifndef TESTS_UNIT_DECODE_FIXTURE_H
#define TESTS_UNIT_DECODE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/decode.h"
#include "event/record.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define NOW_US INT64_C(1717245296123456)

static struct uuid_source ids;
static struct decode_env env;
static struct decode_result result;
static _Alignas(8) char arena[1 << 20];

/* Set-up of a test: no limit that matters. */
static int
setup(void **state)
{
	uuid_source_init(&ids);
	env = (struct decode_env){
	    .max_event_bytes = 1 << 20,
	    .max_events = 10000,
	    .now_us = NOW_US,
	    .timestamp_us = NOW_US,
	    .ids = &ids,
	};
	return 0;
}

/* Decodes from memory of exactly the body's size, so that the address sanitizer sees a byte read too far. */
static enum decode_status
decode_bytes(const char *body, size_t len, enum body_kind kind)
{
	char *copy = malloc(len > 0 ? len : 1);
	enum decode_status status;

	assert_non_null(copy);
	memcpy(copy, body, len);
	memset(arena, '#', sizeof arena);
	memset(&result, 0xa5, sizeof result);
	status = decode_body((struct span){copy, len}, kind, &env, (struct decode_space){arena, sizeof arena}, &result);
	free(copy);
	if (status != DECODE_OK) {
		assert_int_equal(result.events, 0);
		assert_int_equal(result.bytes, 0);
		assert_int_equal(result.sanitised, 0);
		assert_int_equal(result.unknown, 0);
	}
	if (status == DECODE_OK || status == DECODE_NO_SPACE)
		assert_int_equal(result.error_count, 0);
	else
		assert_in_range(result.error_count, 1, DECODE_ERRORS_MAX);
	return status;
}

static inline enum decode_status
decode(const char *body, enum body_kind kind)
{
	return decode_bytes(body, strlen(body), kind);
}

/* Record n of the last decode, checked as its reader checks it. */
static inline const struct record *
record_number(uint32_t n)
{
	size_t at = 0;

	assert_true(n < result.events);
	for (;;) {
		const struct record *record = (const struct record *)(const void *)(arena + at);

		assert_true(record_check(record, result.bytes - at));
		if (n-- == 0)
			return record;
		at += record->length;
	}
}

static inline void
assert_span(struct span span, const char *text)
{
	if (text == NULL) {
		assert_null(span.base);
		return;
	}
	assert_non_null(span.base);
	if (span.len != strlen(text) || memcmp(span.base, text, span.len) != 0)
		fail_msg("%.*s and not %s", (int)span.len, span.base, text);
}

static inline void
assert_string(uint32_t event, enum record_string which, const char *text)
{
	assert_span(record_string(record_number(event), which), text);
}

static inline void
assert_data(uint32_t event, const char *text)
{
	assert_span(record_data(record_number(event)), text);
}

/* Decodes one event that is right, with further members: empty text, or text that begins with a comma. */
static inline enum decode_status
decode_with(const char *members)
{
	char body[16384];

	snprintf(body, sizeof body, "{\"event_type\":\"t\",\"session_id\":\"s\"%s}", members);
	return decode(body, BODY_EVENT);
}

static inline void
assert_error(uint32_t i, const char *type, const char *field, const char *msg, int64_t index)
{
	const struct decode_error *error = &result.errors[i];

	assert_true(i < result.error_count);
	assert_string_equal(error->type, type);
	assert_string_equal(error->msg, msg);
	if (field == NULL)
		assert_null(error->field);
	else
		assert_string_equal(error->field, field);
	assert_true(error->index == index);
	if (strcmp(type, "json_invalid") != 0) {
		assert_null(error->reason);
		assert_true(error->position == -1);
	}
}

static inline void
assert_syntax_error(const char *reason, int64_t position, int64_t index)
{
	assert_int_equal(result.error_count, 1);
	assert_error(0, "json_invalid", NULL, "JSON decode error", index);
	assert_string_equal(result.errors[0].reason, reason);
	assert_true(result.errors[0].position == position);
}

#endif
