/*
 * Records of version 1 become records of this version. The bytes are written out as 0.1.0 laid them out, so that the
 * test does not depend on the reader's own description of the format. tests/e2e/test_old_spool.py reads a file that
 * 0.1.0 wrote.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/crc32c.h"
#include "event/record.h"
#include "event/record_v1.h"

#define STRINGS 7

static const char *const every_string[STRINGS] = {
    NULL, "own-id", "session_started", "s-1", "workflow", "", "m\xc3\xa9"};

static void
put(char *record, size_t at, const void *value, size_t bytes)
{
	memcpy(record + at, value, bytes);
}

/*
 * Strings are in the order of version 1: tenant, client_event_id, event_type, session_id, workflow, phase, milestone.
 * Release the record with free().
 */
static char *
v1_record(const char *const strings[STRINGS], const char *data, size_t *length)
{
	static const int64_t timestamp_us = -1, received_us = INT64_C(1700000000000001);
	uint32_t data_bytes = (uint32_t)strlen(data), whole, crc;
	size_t used = 64 + data_bytes;
	char *record, *at;

	for (int i = 0; i < STRINGS; i++)
		used += strings[i] == NULL ? 0 : strlen(strings[i]);
	*length = (used + 7) / 8 * 8;
	record = at = calloc(1, *length);
	assert_non_null(record);
	whole = (uint32_t)*length;
	put(record, 0, &whole, 4);
	record[8] = 1; /* version */
	record[9] = 1; /* flags: unsafe escapes */
	at = record + 64;
	for (int i = 0; i < STRINGS; i++) {
		uint16_t bytes = strings[i] == NULL ? UINT16_MAX : (uint16_t)strlen(strings[i]);

		put(record, 10 + 2 * (size_t)i, &bytes, 2);
		if (strings[i] != NULL)
			at = mempcpy(at, strings[i], bytes);
	}
	put(record, 24, "0123456789abcdef", 16);
	put(record, 40, &timestamp_us, 8);
	put(record, 48, &received_us, 8);
	put(record, 56, &data_bytes, 4);
	memcpy(at, data, data_bytes);
	crc = crc32c(record + 8, *length - 8);
	put(record, 4, &crc, 4);
	return record;
}

static void
assert_text(struct span span, const char *text)
{
	if (text == NULL) {
		assert_null(span.base);
		return;
	}
	assert_non_null(span.base);
	assert_int_equal(span.len, strlen(text));
	assert_memory_equal(span.base, text, span.len);
}

/* The room is exact: a sanitizer sees a byte too many. */
static void
assert_converted(const char *const strings[STRINGS], const char *data)
{
	size_t length;
	char *v1 = v1_record(strings, data, &length);
	struct record *record = malloc(length);

	assert_non_null(record);
	assert_int_equal(record_v1_claims(v1, length), length);
	assert_true(record_v1_check(v1, length));
	assert_false(record_check(v1, length)); /* the ring accepts records of this version only */

	size_t now = record_from_v1(v1, record);

	assert_in_range(now, 1, length);
	assert_true(record_check(record, now));
	assert_int_equal(record->kind, RECORD_HOOK_EVENT);
	assert_int_equal(record->flags, RECORD_UNSAFE_ESCAPES);
	assert_memory_equal(record->event_id, "0123456789abcdef", 16);
	assert_true(record->timestamp_us == -1 && record->received_us == INT64_C(1700000000000001));
	assert_int_equal(record_tenant(record).len, 0);
	assert_text(record_string(record, RECORD_CLIENT_EVENT_ID), strings[1]);
	assert_text(record_string(record, RECORD_EVENT_TYPE), strings[2]);
	assert_text(record_string(record, RECORD_SESSION_ID), strings[3]);
	assert_text(record_string(record, RECORD_WORKFLOW_ID), strings[4]);
	assert_text(record_string(record, RECORD_PHASE_ID), strings[5]);
	assert_text(record_string(record, RECORD_MILESTONE_ID), strings[6]);
	assert_text(record_data(record), data);
	free(record);
	free(v1);
}

static void
test_the_event_stays_the_same(void **state)
{
	static const char *const few[STRINGS] = {NULL, NULL, "t", "s", NULL, NULL, NULL};

	assert_converted(every_string, "{\"n\":1}");
	/* for every amount of padding */
	for (const char *data = "{\"k\":\"12345678\"}"; *data != '\0'; data++) {
		assert_converted(few, data);
		assert_converted(every_string, data);
	}
}

static void
test_damage_is_noticed(void **state)
{
	size_t length;
	char *v1 = v1_record(every_string, "{}", &length);

	for (size_t bit = 0; bit < length * 8; bit++) {
		v1[bit / 8] ^= (char)(1 << bit % 8);
		assert_false(record_v1_check(v1, length));
		v1[bit / 8] ^= (char)(1 << bit % 8);
	}
	assert_true(record_v1_check(v1, length));
	for (size_t cut = 0; cut < length; cut++) {
		char *exact = malloc(cut + 1);

		assert_non_null(exact);
		memcpy(exact, v1, cut);
		assert_false(record_v1_check(exact, cut));
		free(exact);
	}
	free(v1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_event_stays_the_same),
	    cmocka_unit_test(test_damage_is_noticed),
	};

	return cmocka_run_group_tests_name("record_v1", tests, NULL, NULL);
}
