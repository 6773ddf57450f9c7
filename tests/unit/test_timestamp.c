/* Timestamps: every form, the calendar against an independent count, bounds, and numbers digit by digit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/timestamp.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define UNTOUCHED INT64_C(0x5555555555555555)

typedef const char *parse_fn(const char *text, size_t len, int64_t *us);

/* Parses memory of exactly the text's size, so that the address sanitizer sees a byte read too far. */
static const char *
parse(parse_fn *fn, const char *text, int64_t *us)
{
	size_t len = strlen(text);
	char *copy = malloc(len > 0 ? len : 1);
	const char *msg;

	assert_non_null(copy);
	memcpy(copy, text, len);
	*us = UNTOUCHED;
	msg = fn(copy, len, us);
	free(copy);
	assert_true((msg == NULL) == (*us != UNTOUCHED));
	return msg;
}

struct good {
	const char *text;
	int64_t us;
};

static void
check_good(parse_fn *fn, const struct good *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int64_t us;
		const char *msg = parse(fn, cases[i].text, &us);

		if (msg != NULL)
			fail_msg("%s: %s", cases[i].text, msg);
		if (us != cases[i].us)
			fail_msg("%s: %" PRId64 " and not %" PRId64, cases[i].text, us, cases[i].us);
	}
}

/* The expected values are another calendar's. */
static const struct good strings[] = {
    /* forms */
    {"1970-01-01", 0},
    {"2024-06-01", 1717200000000000},
    {"2024-06-01T12:34", 1717245240000000},
    {"2024-06-01T12:34Z", 1717245240000000},
    {"2024-06-01T12:34:56", 1717245296000000},
    {"2024-06-01t12:34:56z", 1717245296000000},
    {"2024-06-01 12:34:56Z", 1717245296000000},
    {"2024-06-01_12:34:56Z", 1717245296000000},
    {"2024-06-01T12:34:56.789Z", 1717245296789000},
    {"2024-06-01T12:34:56,789Z", 1717245296789000},
    {"2024-06-01T12:34:56.7", 1717245296700000},
    {"2024-06-01T12:34:56.123456", 1717245296123456},
    {"2024-06-01T12:34:56.000001Z", 1717245296000001},
    {"2024-06-01T12:34:56.1234567Z", 1717245296123456},
    {"2024-06-01T12:34:56.1234569999999999999999999999999999999Z", 1717245296123456},
    {"2024-06-01T12:34:56.999999999Z", 1717245296999999},
    /* offsets */
    {"2024-06-01T12:34:56+00:00", 1717245296000000},
    {"2024-06-01T12:34:56-00:00", 1717245296000000},
    {"2024-06-01T12:34:56+02:00", 1717238096000000},
    {"2024-06-01T12:34:56+0200", 1717238096000000},
    {"2024-06-01T12:34:56+02", 1717238096000000},
    {"2024-06-01T12:34:56-05:30", 1717265096000000},
    {"2024-06-01T12:34:56.5-0530", 1717265096500000},
    {"2024-06-01T12:34+05:45", 1717224540000000},
    {"2024-06-01T12:34-11", 1717284840000000},
    {"2024-06-01T12:34:56+23:59", 1717158956000000},
    {"2024-06-01T12:34:56-23:59", 1717331636000000},
    {"2024-06-01 00:30:00+01:00", 1717198200000000},
    /* days that exist */
    {"2000-02-29", 951782400000000},
    {"2024-02-29T23:59:59.999999Z", 1709251199999999},
    {"1600-02-29", -11670998400000000},
    {"1900-02-28", -2203977600000000},
    {"1900-03-01", -2203891200000000},
    {"2023-12-31T23:59:59Z", 1704067199000000},
    {"1969-12-31T23:59:59.999999Z", -1},
    {"1582-10-10", -12219724800000000},
    /* second 60 */
    {"2016-12-31T23:59:60Z", 1483228800000000},
    {"2016-12-31T23:59:60.25Z", 1483228800250000},
    {"2024-06-01T12:34:60", 1717245300000000},
    /* bounds */
    {"0001-01-01", TIMESTAMP_MIN_US},
    {"0001-01-01T00:00:00Z", -62135596800000000},
    {"0001-01-01T01:00:00+01:00", TIMESTAMP_MIN_US},
    {"9999-12-31T23:59:59.999999Z", TIMESTAMP_MAX_US},
    {"9999-12-31T23:59:59.9999999Z", 253402300799999999},
    {"9999-12-31T22:59:59.999999-01:00", TIMESTAMP_MAX_US},
    {"9999-12-31T23:59:60+01:00", 253402297200000000},
};

static void
test_text_of_each_form_is_read(void **state)
{
	check_good(timestamp_parse, strings, COUNT(strings));
}

static const struct bad {
	const char *text;
	const char *msg; /* the message after "Input should be a valid datetime, " */
} bad_strings[] = {
    {"", "expected"},
    {"yesterday", "expected"},
    {"2024-06", "expected"},
    {"2024-06-1", "expected"},
    {"2024-6-01", "expected"},
    {"24-06-01", "expected"},
    {"+2024-06-01", "expected"},
    {"-2024-06-01", "expected"},
    {"12024-06-01", "expected"},
    {"2024/06/01", "expected"},
    {"2024-06-01T", "expected"},
    {"2024-06-01T12", "expected"},
    {"2024-06-01T12:", "expected"},
    {"2024-06-01T12:3", "expected"},
    {"2024-06-01T1:34", "expected"},
    {"2024-06-01T1234", "expected"},
    {"2024-06-01T12:34:", "expected"},
    {"2024-06-01T12:34:5", "expected"},
    {"2024-06-01T12:34:56.", "expected"},
    {"2024-06-01T12:34:56.Z", "expected"},
    {"2024-06-01T12:34.5", "expected"},
    {"2024-06-01T12:34:56 Z", "expected"},
    {"2024-06-01T12:34:56ZZ", "expected"},
    {"2024-06-01T12:34:56Z ", "expected"},
    {" 2024-06-01", "expected"},
    {"2024-06-01 ", "expected"},
    {"2024-06-01Z", "expected"},
    {"2024-06-01+02:00", "expected"},
    {"2024-06-01  12:34", "expected"},
    {"2024-06-01X12:34", "expected"},
    {"2024-06-01T12:34:56+", "expected"},
    {"2024-06-01T12:34:56+2", "expected"},
    {"2024-06-01T12:34:56+02:", "expected"},
    {"2024-06-01T12:34:56+02:0", "expected"},
    {"2024-06-01T12:34:56+020", "expected"},
    {"2024-06-01T12:34:56+02:00:00", "expected"},
    {"2024-06-01T12:34:56+02000", "expected"},
    {"2024-06-01T12:34:56 GMT", "expected"},
    {"Sat, 01 Jun 2024 12:34:56 GMT", "expected"},
    {"2024-W22-6", "expected"},
    {"2024-06-01T12:34:56.1\xd9\xa1Z", "expected"},
    {"2024-06-01T12:34:56\xe2\x88\x92"
     "05:00",
	"expected"},
    {"20240601T123456Z", "expected"},
    {"1700000000", "a number in a string"},
    {"20240601", "a number in a string"},
    {"2024", "a number in a string"},
    {"-1", "a number in a string"},
    {"+1700000000.5", "a number in a string"},
    {"1700000000.", "a number in a string"},
    {"0000-01-01", "years before"},
    {"0000-12-31T23:59:59-23:59", "years before"},
    {"0001-01-01T00:00:00+00:01", "years before"},
    {"0001-01-01T00:59:59.999999+01:00", "years before"},
    {"9999-12-31T23:59:60", "years before"},
    {"9999-12-31T23:59:59-00:01", "years before"},
    {"2024-00-01", "month value is outside expected range of 1-12"},
    {"2024-13-01", "month value is outside expected range of 1-12"},
    {"2024-01-00", "day value is outside expected range"},
    {"2024-01-32", "day value is outside expected range"},
    {"2024-04-31", "day value is outside expected range"},
    {"2024-02-30", "day value is outside expected range"},
    {"2023-02-29", "day value is outside expected range"},
    {"1900-02-29", "day value is outside expected range"},
    {"2100-02-29", "day value is outside expected range"},
    {"2024-01-01T24:00", "hour value is outside expected range of 0-23"},
    {"2024-01-01T24:00:00Z", "hour value is outside expected range of 0-23"},
    {"2024-01-01T99:00", "hour value is outside expected range of 0-23"},
    {"2024-01-01T10:60", "minute value is outside expected range of 0-59"},
    {"2024-01-01T10:10:61", "second value is outside expected range of 0-60"},
    {"2024-01-01T10:10:10+24:00", "timezone offset must be less than 24 hours"},
    {"2024-01-01T10:10:10+23:60", "timezone offset must be less than 24 hours"},
    {"2024-01-01T10:10:10-99", "timezone offset must be less than 24 hours"},
};

static const char prefix[] = "Input should be a valid datetime, ";

static void
test_other_text_is_refused_with_the_reason(void **state)
{
	for (size_t i = 0; i < COUNT(bad_strings); i++) {
		int64_t us;
		const char *msg = parse(timestamp_parse, bad_strings[i].text, &us);

		if (msg == NULL)
			fail_msg("accepted: %s", bad_strings[i].text);
		assert_memory_equal(msg, prefix, strlen(prefix));
		if (strstr(bad_strings[i].msg, " value ") != NULL)
			assert_string_equal(msg + strlen(prefix), bad_strings[i].msg);
		if (strncmp(msg + strlen(prefix), bad_strings[i].msg, strlen(bad_strings[i].msg)) != 0)
			fail_msg("%s: %s", bad_strings[i].text, msg);
	}
}

/* Each day from the first to the last. The counter knows only the lengths of months. */
static void
test_every_day_has_its_instant(void **state)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int64_t expected = TIMESTAMP_MIN_US;

	for (int year = 1; year <= 9999; year++) {
		bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

		for (int month = 1; month <= 12; month++) {
			int days = lengths[month - 1] + (month == 2 && leap);
			char text[32];
			int64_t us;

			for (int day = 1; day <= days; day++, expected += INT64_C(86400000000)) {
				snprintf(text, sizeof text, "%04d-%02d-%02d", year, month, day);
				assert_null(timestamp_parse(text, strlen(text), &us));
				assert_true(us == expected);
			}
			snprintf(text, sizeof text, "%04d-%02d-%02d", year, month, days + 1);
			assert_non_null(timestamp_parse(text, strlen(text), &us));
		}
	}
	assert_true(expected == TIMESTAMP_MAX_US + 1);
}

/* No beginning of a full timestamp is accepted, except for those that are a form. */
static void
test_truncated_timestamps_are_refused(void **state)
{
	static const char full[] = "2024-06-01T12:34:56.789+02:30";
	static const size_t complete[] = {10, 16, 19, 21, 22, 23, 26, 29};
	size_t next = 0;

	for (size_t len = 0; len <= strlen(full); len++) {
		bool want = next < COUNT(complete) && complete[next] == len;
		char text[sizeof full];
		int64_t us;

		memcpy(text, full, len);
		text[len] = '\0';
		assert_int_equal(parse(timestamp_parse, text, &us) == NULL, want);
		next += want;
	}
	assert_int_equal(next, COUNT(complete));
}

static const struct good numbers[] = {
    {"0", 0},
    {"-0", 0},
    {"0.0", 0},
    {"1", 1000000},
    {"-1", -1000000},
    {"1700000000", 1700000000000000},
    {"1700000000.123456", 1700000000123456},
    {"1700000000.999999", 1700000000999999},
    {"1700000000.1", 1700000000100000},
    {"1700000000.000001", 1700000000000001},
    {"-1700000000.123456", -1700000000123456},
    {"1700000000123", 1700000000123000},
    {"1700000000123.456", 1700000000123456},
    {"-1700000000123.456", -1700000000123456},
    {"1700000000123.4568", 1700000000123457}, /* what Python makes of 1700000000.123457 * 1000 */
    {"1.7e9", 1700000000000000},
    {"17E+8", 1700000000000000},
    {"1700000000123456e-6", 1700000000123456},
    {"0.0000017e15", 1700000000000000},
    {"1.700000000123e12", 1700000000123000},
    /* rounding: to the nearest, halves away from zero */
    {"0.0000004", 0},
    {"0.0000005", 1},
    {"-0.0000004", 0},
    {"-0.0000005", -1},
    {"0.00000049999999999999999999999999999", 0},
    {"1700000000.1234564", 1700000000123456},
    {"1700000000.1234565", 1700000000123457},
    {"1700000000.9999999", 1700000001000000},
    {"1700000000.12345649999999999999999999999999999999999", 1700000000123456},
    {"1e-400", 0},
    {"-1e-99999999999999999999", 0},
    {"0e99999999999999999999", 0},
    {"0.000000000000000000000000000000000000000000000000001700000000e60", 1700000000000000},
    {"170000000000000000000000000000000000000000e-32", 1700000000000000},
    /* the limit between seconds and milliseconds */
    {"20000000000", 20000000000000000},
    {"20000000000.000001", 20000000000000},
    {"20000000001", 20000000001000},
    {"-20000000000", -20000000000000000},
    {"-20000000001", -20000000001000},
    {"2e10", 20000000000000000},
    /* bounds, which only milliseconds can reach */
    {"253402300799999", 253402300799999000},
    {"253402300799999.999", TIMESTAMP_MAX_US},
    {"253402300799999.9994", TIMESTAMP_MAX_US},
    {"-62135596800000", TIMESTAMP_MIN_US},
};

static void
test_numbers_are_seconds_or_milliseconds(void **state)
{
	check_good(timestamp_parse_number, numbers, COUNT(numbers));
}

static void
test_other_numbers_are_refused(void **state)
{
	static const char *const cases[] = {
	    "253402300800000",
	    "253402300799999.9995",
	    "-62135596800000.001",
	    "-62135596800001",
	    "1e20",
	    "-1e20",
	    "1e400",
	    "1e99999999999999999999",
	    "99999999999999999999999999999999999999",
	    "18446744073709551616",
	    "9223372036854775808",
	    "1700000000000000",
	    "1700000000123456789",
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t us;
		const char *msg = parse(timestamp_parse_number, cases[i], &us);

		if (msg == NULL)
			fail_msg("accepted: %s", cases[i]);
		assert_non_null(strstr(msg, "years before 0001 and after 9999"));
	}
}

/* Every microsecond of a fraction is kept, in seconds and in milliseconds. */
static void
test_every_microsecond_of_a_number_is_kept(void **state)
{
	for (int fraction = 0; fraction < 1000000; fraction += 7) {
		int64_t expected = INT64_C(1717245296000000) + fraction, us;
		char text[32];

		snprintf(text, sizeof text, "1717245296.%06d", fraction);
		assert_null(timestamp_parse_number(text, strlen(text), &us));
		assert_true(us == expected);
		snprintf(text, sizeof text, "1717245296%03d.%03d", fraction / 1000, fraction % 1000);
		assert_null(timestamp_parse_number(text, strlen(text), &us));
		assert_true(us == expected);
		snprintf(text, sizeof text, "-1717245296.%06d", fraction);
		assert_null(timestamp_parse_number(text, strlen(text), &us));
		assert_true(us == -expected);
	}
}

/* A very long number is still a number: exponent and point cancel each other. */
static void
test_long_numbers_are_read(void **state)
{
	enum { ZEROS = 1200000 };
	char *text = malloc(ZEROS + 64);
	int64_t us;

	assert_non_null(text);
	memset(text, '0', ZEROS + 64);
	text[1] = '.';
	strcpy(text + 2 + ZEROS, "17e1200010");
	assert_null(timestamp_parse_number(text, strlen(text), &us));
	assert_true(us == 1700000000000000);

	memset(text, '0', ZEROS + 64);
	memcpy(text, "17", 2);
	strcpy(text + 2 + ZEROS, "e-1199992");
	assert_null(timestamp_parse_number(text, strlen(text), &us));
	assert_true(us == 1700000000000000);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text_of_each_form_is_read),
	    cmocka_unit_test(test_other_text_is_refused_with_the_reason),
	    cmocka_unit_test(test_every_day_has_its_instant),
	    cmocka_unit_test(test_truncated_timestamps_are_refused),
	    cmocka_unit_test(test_numbers_are_seconds_or_milliseconds),
	    cmocka_unit_test(test_other_numbers_are_refused),
	    cmocka_unit_test(test_every_microsecond_of_a_number_is_kept),
	    cmocka_unit_test(test_long_numbers_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
