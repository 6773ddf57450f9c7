/* The limits of an event's strings. They count characters, however these are written, and are exact. */
#include "tests/unit/decode_fixture.h"

static const struct {
	const char *name;
	enum record_string string;
	uint32_t limit;
	const char *msg;
} fields[] = {
    {"event_type", RECORD_EVENT_TYPE, 100, "String should have at most 100 characters"},
    {"session_id", RECORD_SESSION_ID, 255, "String should have at most 255 characters"},
    {"event_id", RECORD_CLIENT_EVENT_ID, 255, "String should have at most 255 characters"},
    {"workflow_id", RECORD_WORKFLOW_ID, 255, "String should have at most 255 characters"},
    {"phase_id", RECORD_PHASE_ID, 100, "String should have at most 100 characters"},
    {"milestone_id", RECORD_MILESTONE_ID, 100, "String should have at most 100 characters"},
};

static void
test_each_string_may_have_exactly_its_limit_of_characters(void **state)
{
	/* One character each, in different spellings. */
	static const struct {
		const char *json;
		const char *utf8;
	} characters[] = {
	    {"x", "x"},
	    {"\xc3\xa9", "\xc3\xa9"},
	    {"\xe6\x97\xa5", "\xe6\x97\xa5"},
	    {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
	    {"\\u0041", "A"},
	    {"\\\"", "\""},
	    {"\\u00e9", "\xc3\xa9"},
	    {"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
	    {"\\udead", "\xef\xbf\xbd"},
	    {"\\u0000", "\xef\xbf\xbd"},
	};

	for (size_t i = 0; i < COUNT(fields); i++)
		for (size_t j = 0; j < COUNT(characters); j++) {
			char members[8192], plain[2048], *p = members, *q = plain;

			p += sprintf(p, ",\"%s\":\"", fields[i].name);
			for (uint32_t n = 0; n < fields[i].limit; n++) {
				p = stpcpy(p, characters[j].json);
				q = stpcpy(q, characters[j].utf8);
			}
			strcpy(p, "\"");
			assert_int_equal(decode_with(members), DECODE_OK);
			assert_string(0, fields[i].string, plain);

			p = stpcpy(p, characters[j].json);
			strcpy(p, "\"");
			assert_int_equal(decode_with(members), DECODE_INVALID);
			assert_int_equal(result.error_count, 1);
			assert_error(0, "string_too_long", fields[i].name, fields[i].msg, -1);
			assert_int_equal(result.errors[0].limit, fields[i].limit);

			/* With another character it is one too many. */
			strcpy(p - strlen(characters[j].json), "y\"");
			assert_int_equal(decode_with(members), DECODE_INVALID);
			assert_error(0, "string_too_long", fields[i].name, fields[i].msg, -1);
		}
}

/* All strings at their limits, in the longest spelling. */
static void
test_all_strings_may_be_at_their_limits(void **state)
{
	char body[16384], *p = body;

	for (size_t i = 0; i < COUNT(fields); i++) {
		p += sprintf(p, "%c\"%s\":\"", i == 0 ? '{' : ',', fields[i].name);
		for (size_t n = 0; n < fields[i].limit; n++)
			p = stpcpy(p, "\\ud83d\\ude00");
		*p++ = '"';
	}
	p = stpcpy(p, ",\"timestamp\":\"\\u0032024-06-01T12:34:56.00000000000000000000000000000000000000000000\"}");
	assert_int_equal(decode_bytes(body, (size_t)(p - body), BODY_EVENT), DECODE_OK);
	for (size_t i = 0; i < COUNT(fields); i++) {
		struct span text = record_string(record_number(0), fields[i].string);

		assert_int_equal(text.len, 4 * fields[i].limit);
		for (size_t at = 0; at < text.len; at += 4)
			assert_memory_equal(text.base + at, "\xf0\x9f\x98\x80", 4);
	}
	assert_true(record_number(0)->timestamp_us == INT64_C(1717245296000000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_each_string_may_have_exactly_its_limit_of_characters, setup),
	    cmocka_unit_test_setup(test_all_strings_may_be_at_their_limits, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
