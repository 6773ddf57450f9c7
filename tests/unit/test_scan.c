/*
 * The scanner apart from accepting and refusing: what it reports about values, where and why it fails, depth, UTF-8,
 * and walks over members.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/rewrite.h"
#include "event/scan.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static bool
scan_all(struct scan *scan, const char *text, size_t len, struct json *value)
{
	if (!scan_begin(scan, text, len))
		return false;
	scan->nonfinite_ok = true;
	return scan_value(scan, value) && scan_finish(scan);
}

/* --- errors and their places -------------------------------------------------------------------------------------- */

static const struct failure {
	const char *text;
	const char *reason;
	ptrdiff_t position;
} failures[] = {
    {"", "empty body", 0},
    {" \t\r\n", "empty body", 4},
    {"\xef\xbb\xbf{}", "byte order mark", 0},
    {"\xef\xbb\xbf", "byte order mark", 0},
    {"x", "expected a value", 0},
    {" [1, x]", "expected a value", 5},
    {"[1,]", "trailing comma", 3},
    {"{\"a\":1, }", "trailing comma", 8},
    {"[1 2]", "expected ',' or ']'", 3},
    {"{\"a\":1 2}", "expected ',' or '}'", 7},
    {"{\"a\" 1}", "expected ':'", 5},
    {"{a:1}", "expected a key in double quotes", 1},
    {"[1", "unexpected end", 2},
    {"[", "unexpected end", 1},
    {"{\"a\"", "unexpected end", 4},
    {"{\"a\":", "unexpected end", 5},
    {"{\"a\":1,", "unexpected end", 7},
    {"-", "unexpected end", 1},
    {"1.", "unexpected end", 2},
    {"1e", "unexpected end", 2},
    {"\"\\", "unexpected end", 2},
    {"[\"abc]", "unterminated string", 1},
    {"[\"\\x\"]", "invalid escape", 2},
    {"[\"ab\\u12g4\"]", "invalid \\u escape", 4},
    {"[\"a\nb\"]", "raw control character in a string", 3},
    {"[\"0123456789abcde\xff\"]", "invalid UTF-8", 17},
    {"00", "leading zero in a number", 1},
    {"-09", "leading zero in a number", 2},
    {"-x", "expected a digit", 1},
    {"1.x", "expected a digit after the decimal point", 2},
    {"1e+x", "expected a digit in the exponent", 3},
    {"{} {}", "more than one value", 3},
};

static void
test_each_failure_has_its_reason_and_position(void **state)
{
	for (size_t i = 0; i < COUNT(failures); i++) {
		struct scan scan;
		struct json value;

		assert_false(scan_all(&scan, failures[i].text, strlen(failures[i].text), &value));
		assert_string_equal(scan.reason, failures[i].reason);
		assert_int_equal(scan.at - failures[i].text, failures[i].position);
	}
}

static void
test_nan_and_infinity_are_accepted_on_request(void **state)
{
	const char text[] = "[1,-Infinity]";
	struct scan scan;
	struct json value;

	assert_true(scan_begin(&scan, text, strlen(text)));
	assert_false(scan_value(&scan, &value));
	assert_string_equal(scan.reason, "NaN and Infinity are taken only inside data");
	assert_int_equal(scan.at - text, 3);
}

/* --- properties of values ----------------------------------------------------------------------------------------- */

static const struct report {
	const char *text;
	enum json_type type;
	bool escapes, unsafe, nonfinite;
	const char *tight;
} reports[] = {
    {"null", JSON_NULL, false, false, false, "null"},
    {"true", JSON_BOOLEAN, false, false, false, "true"},
    {"false", JSON_BOOLEAN, false, false, false, "false"},
    {"-0.5e1", JSON_NUMBER, false, false, false, "-0.5e1"},
    {"NaN", JSON_NONFINITE, false, false, true, "null"},
    {"-Infinity", JSON_NONFINITE, false, false, true, "null"},
    {"\"a b\\n\"", JSON_STRING, true, false, false, "\"a b\\n\""},
    {"[]", JSON_ARRAY, false, false, false, "[]"},
    {"{}", JSON_OBJECT, false, false, false, "{}"},
    {"[ ]", JSON_ARRAY, false, false, false, "[]"},
    {"{ }", JSON_OBJECT, false, false, false, "{}"},
    {"[1, 2 ,3\n]", JSON_ARRAY, false, false, false, "[1,2,3]"},
    {"{ \"a\" : 1 , \"b\" : [ 1 , 2 ] }", JSON_OBJECT, false, false, false, "{\"a\":1,\"b\":[1,2]}"},
    {"{\"a b\": \" c \\\" d \"}", JSON_OBJECT, true, false, false, "{\"a b\":\" c \\\" d \"}"},
    {"{\r\n\t\"a\": \"x\\\\\"\r\n}", JSON_OBJECT, true, false, false, "{\"a\":\"x\\\\\"}"},
    {"{\"a\": \"x\\\\\\\" y\", \"b\": 1}", JSON_OBJECT, true, false, false, "{\"a\":\"x\\\\\\\" y\",\"b\":1}"},
    {"[NaN]", JSON_ARRAY, false, false, true, "[null]"},
    {"[Infinity,-Infinity,NaN]", JSON_ARRAY, false, false, true, "[null,null,null]"},
    {"[ -1, -Infinity , -2 ]", JSON_ARRAY, false, false, true, "[-1,null,-2]"},
    {"[NaN ]", JSON_ARRAY, false, false, true, "[null]"}, /* as long as before: only the flag shows the change */
    {"[\"NaN\", \"-Infinity\"]", JSON_ARRAY, false, false, false, "[\"NaN\",\"-Infinity\"]"},
    {"\"\\u0000\"", JSON_STRING, true, true, false, "\"\\u0000\""},
    {"{\"\\u0000\":1}", JSON_OBJECT, true, true, false, "{\"\\u0000\":1}"},
    {"\"\\\\u0000\"", JSON_STRING, true, false, false, "\"\\\\u0000\""},
    {"\"\\u0001\"", JSON_STRING, true, false, false, "\"\\u0001\""},
    {"\"\\ud83d\\ude00\"", JSON_STRING, true, false, false, "\"\\ud83d\\ude00\""},
    {"\"\\uD83D\\uDE00\"", JSON_STRING, true, false, false, "\"\\uD83D\\uDE00\""},
    {"\"\\ud83d\"", JSON_STRING, true, true, false, "\"\\ud83d\""},
    {"\"\\ude00\"", JSON_STRING, true, true, false, "\"\\ude00\""},
    {"\"\\ude00\\ud83d\"", JSON_STRING, true, true, false, "\"\\ude00\\ud83d\""},
    {"\"\\ud83dx\\ude00\"", JSON_STRING, true, true, false, "\"\\ud83dx\\ude00\""},
    {"\"\\ud83d\\n\"", JSON_STRING, true, true, false, "\"\\ud83d\\n\""},
    {"\"\\ud83d\\u0041\"", JSON_STRING, true, true, false, "\"\\ud83d\\u0041\""},
    {"\"\\ud83d\\ud83d\\ude00\"", JSON_STRING, true, true, false, "\"\\ud83d\\ud83d\\ude00\""},
    {"\"\\ud7ff\\ue000\"", JSON_STRING, true, false, false, "\"\\ud7ff\\ue000\""},
    {"\"\\udbff\\udfff\"", JSON_STRING, true, false, false, "\"\\udbff\\udfff\""},
    {"[1,[2,{\"x\":\"\\udc00\"}]]", JSON_ARRAY, true, true, false, "[1,[2,{\"x\":\"\\udc00\"}]]"},
};

static void
test_properties_of_a_value_are_reported(void **state)
{
	for (size_t i = 0; i < COUNT(reports); i++) {
		const struct report *want = &reports[i];
		char tight[64];
		struct scan scan;
		struct json value;

		assert_true(scan_all(&scan, want->text, strlen(want->text), &value));
		assert_int_equal(value.type, want->type);
		assert_int_equal(value.escapes, want->escapes);
		assert_int_equal(value.unsafe, want->unsafe);
		assert_int_equal(value.nonfinite, want->nonfinite);
		assert_ptr_equal(value.text, want->text);
		assert_int_equal(value.len, strlen(want->text));
		assert_int_equal(value.tight, strlen(want->tight));

		memset(tight, '#', sizeof tight);
		rewrite_tight(&value, tight);
		assert_memory_equal(tight, want->tight, strlen(want->tight));
		assert_int_equal(tight[strlen(want->tight)], '#');
	}
}

/* White space around a value is not a part of it. */
static void
test_a_value_has_its_exact_bounds(void **state)
{
	const char text[] = " \n [1, 2] \t";
	struct scan scan;
	struct json value;

	assert_true(scan_all(&scan, text, strlen(text), &value));
	assert_ptr_equal(value.text, text + 3);
	assert_int_equal(value.len, strlen("[1, 2]"));
	assert_int_equal(value.tight, strlen("[1,2]"));
}

/* --- depth ------------------------------------------------------------------------------------------------------- */

static bool
nests(const char *open, const char *inner, const char *close, size_t depth)
{
	size_t size = depth * (strlen(open) + strlen(close)) + strlen(inner) + 1;
	char *text = malloc(size), *p = text;
	struct scan scan;
	struct json value;
	bool ok;

	assert_non_null(text);
	for (size_t i = 0; i < depth; i++)
		p = stpcpy(p, open);
	p = stpcpy(p, inner);
	for (size_t i = 0; i < depth; i++)
		p = stpcpy(p, close);
	ok = scan_all(&scan, text, (size_t)(p - text), &value);
	if (!ok)
		assert_string_equal(scan.reason, "nested too deep");
	free(text);
	return ok;
}

static void
test_the_depth_is_limited(void **state)
{
	for (size_t depth = 1; depth <= JSON_DEPTH_MAX + 70; depth++) {
		assert_int_equal(nests("[", "1", "]", depth), depth <= JSON_DEPTH_MAX);
		assert_int_equal(nests("[", "", "]", depth), depth <= JSON_DEPTH_MAX);
		assert_int_equal(nests("{\"a\":", "1", "}", depth), depth <= JSON_DEPTH_MAX);
		assert_int_equal(nests("[{\"\":", "[]", "}]", depth), 2 * depth + 1 <= JSON_DEPTH_MAX);
		assert_int_equal(nests("[1, ", "{}", ", 2 ]", depth), depth + 1 <= JSON_DEPTH_MAX);
	}
	assert_false(nests("[", "1", "]", 100000));
	assert_false(nests("[", "", "", 100000));
	assert_false(nests("{\"a\":", "", "", 100000));
}

/* The kind of each open container is remembered, so that a wrong closing bracket is noticed at any depth. */
static void
test_mismatched_brackets_are_refused_at_any_depth(void **state)
{
	for (size_t depth = 1; depth <= JSON_DEPTH_MAX; depth++) {
		char text[2 * JSON_DEPTH_MAX * 5 + 1], *p = text, kinds[JSON_DEPTH_MAX];
		struct scan scan;
		struct json value;

		for (size_t i = 0; i < depth; i++) {
			kinds[i] = i * 7 % 3 == 0 ? '{' : '[';
			p = stpcpy(p, kinds[i] == '{' ? "{\"\":" : "[");
		}
		*p++ = '0';
		for (size_t i = depth; i-- > 0;)
			*p++ = kinds[i] == '{' ? '}' : ']';
		assert_true(scan_all(&scan, text, (size_t)(p - text), &value));
		p[-1] = p[-1] == '}' ? ']' : '}';
		assert_false(scan_all(&scan, text, (size_t)(p - text), &value));
	}
}

/* --- strings ----------------------------------------------------------------------------------------------------- */

/* The byte may be at any place in a word of eight. */
static void
test_every_byte_is_judged_at_every_offset(void **state)
{
	for (unsigned byte = 0; byte <= 0xff; byte++)
		for (size_t offset = 0; offset < 20; offset++) {
			char text[32];
			struct scan scan;
			struct json value;
			bool ok;

			memset(text, 'a', sizeof text);
			text[0] = text[23] = '"';
			text[1 + offset] = (char)byte;
			ok = scan_all(&scan, text, 24, &value);
			/* \a is no escape, and no byte above ASCII is a character by itself. */
			assert_int_equal(ok, byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\');
		}
}

static size_t
encode(uint32_t code, unsigned bytes, char *to)
{
	static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

	if (bytes == 1) {
		to[0] = (char)code;
		return 1;
	}
	for (unsigned i = bytes; i-- > 1; code >>= 6)
		to[i] = (char)(0x80 | (code & 0x3f));
	to[0] = (char)(lead[bytes] | code);
	return bytes;
}

/* Every code point in every number of bytes: only the shortest form of a scalar value is UTF-8. */
static void
test_every_code_point_is_accepted_in_its_shortest_form_only(void **state)
{
	static const uint32_t top[] = {0, 0x80, 0x800, 0x10000, 0x200000};

	for (unsigned bytes = 2; bytes <= 4; bytes++)
		for (uint32_t code = 0; code < top[bytes]; code++) {
			bool surrogate = code >= 0xd800 && code <= 0xdfff;
			bool want = code >= top[bytes - 1] && code <= 0x10ffff && !surrogate;
			char text[8] = "\"";
			size_t len = 1 + encode(code, bytes, text + 1);
			struct scan scan;
			struct json value;

			text[len++] = '"';
			if (scan_all(&scan, text, len, &value) != want)
				fail_msg("U+%04X in %u bytes", code, bytes);
		}
}

/* Unescaping agrees with the meaning of \u for every code unit and a sample of pairs. */
static void
test_strings_are_unescaped(void **state)
{
	for (uint32_t unit = 0; unit < 0x10000; unit++) {
		bool replaced = unit == 0 || (unit >= 0xd800 && unit <= 0xdfff);
		uint32_t code = replaced ? 0xfffd : unit;
		bool sanitised = false;
		char text[16], want[4], got[4];
		size_t want_len = encode(code, code < 0x80 ? 1 : code < 0x800 ? 2 : 3, want);
		struct scan scan;
		struct json value;

		snprintf(text, sizeof text, unit % 2 == 0 ? "\"\\u%04x\"" : "\"\\u%04X\"", unit);
		assert_true(scan_all(&scan, text, strlen(text), &value));
		assert_int_equal(value.unsafe, replaced);
		assert_int_equal(rewrite_string(&value, got, 1, &sanitised), want_len);
		assert_memory_equal(got, want, want_len);
		assert_int_equal(sanitised, replaced);
	}
	for (uint32_t code = 0x10000; code <= 0x10ffff; code += 97) {
		bool sanitised = false;
		char text[16], want[4], got[4];
		struct scan scan;
		struct json value;

		snprintf(text, sizeof text, "\"\\u%04x\\u%04X\"", 0xd800 + ((code - 0x10000) >> 10),
		    0xdc00 + (code & 0x3ff));
		assert_true(scan_all(&scan, text, strlen(text), &value));
		(void)encode(code, 4, want);
		assert_int_equal(rewrite_string(&value, got, 1, &sanitised), 4);
		assert_memory_equal(got, want, 4);
		assert_false(sanitised || value.unsafe);
	}
}

static void
test_unescaping_stops_at_the_limit(void **state)
{
	static const struct {
		const char *text;
		size_t chars;
		const char *plain;
	} cases[] = {
	    {"\"\"", 0, ""},
	    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", 8, "\"\\/\b\f\n\r\t"},
	    {"\"a\\u0062c\"", 3, "abc"},
	    {"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", 3, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
	    {"\"\\ud83d\\ude00!\"", 2, "\xf0\x9f\x98\x80!"},
	    {"\"\\ud83d\\ud83d\\ude00\"", 2, "\xef\xbf\xbd\xf0\x9f\x98\x80"},
	    {"\"\\ude00\\ud83d\"", 2, "\xef\xbf\xbd\xef\xbf\xbd"},
	    {"\"\\u0041\\ude00\"", 2, "A\xef\xbf\xbd"},
	    {"\"\\udc00\\udc01\"", 2, "\xef\xbf\xbd\xef\xbf\xbd"},
	    {"\"x\\u0000y\"", 3, "x\xef\xbf\xbdy"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		bool sanitised = false;
		size_t len = strlen(cases[i].plain);
		char got[40];
		struct scan scan;
		struct json value;

		assert_true(scan_all(&scan, cases[i].text, strlen(cases[i].text), &value));
		assert_int_equal(rewrite_string(&value, got, cases[i].chars, &sanitised), len);
		assert_memory_equal(got, cases[i].plain, len);
		assert_int_equal(rewrite_count(cases[i].plain, len), cases[i].chars);
		if (cases[i].chars > 0)
			assert_true(rewrite_string(&value, got, cases[i].chars - 1, &sanitised) == REWRITE_TOO_LONG);
	}
}

/* --- walking ----------------------------------------------------------------------------------------------------- */

static void
test_a_walk_visits_each_member(void **state)
{
	const char text[] = " [ {\"a\" : 1, \"b\\u0063\":[2],\"d\":3} , {} ,3 ] ";
	bool outer = true, inner = true;
	struct scan scan;
	struct json key, value;

	assert_true(scan_begin(&scan, text, strlen(text)));
	assert_int_equal(scan_element(&scan, &outer), SCAN_ELEMENT);

	assert_int_equal(scan_member(&scan, &inner, &key), SCAN_ELEMENT);
	assert_int_equal(key.type, JSON_STRING);
	assert_int_equal(key.len, 3);
	assert_memory_equal(key.text, "\"a\"", 3);
	assert_false(key.escapes);
	assert_true(scan_value(&scan, &value));
	assert_int_equal(value.type, JSON_NUMBER);
	assert_int_equal(scan_member(&scan, &inner, &key), SCAN_ELEMENT);
	assert_memory_equal(key.text, "\"b\\u0063\"", key.len);
	assert_true(key.escapes);
	assert_true(scan_value(&scan, &value));
	assert_memory_equal(value.text, "[2]", value.len);
	assert_false(value.escapes);
	assert_int_equal(scan_member(&scan, &inner, &key), SCAN_ELEMENT);
	assert_false(key.escapes);
	assert_true(scan_value(&scan, &value));
	assert_int_equal(scan_member(&scan, &inner, &key), SCAN_CLOSED);

	assert_int_equal(scan_element(&scan, &outer), SCAN_ELEMENT);
	inner = true;
	assert_int_equal(scan_member(&scan, &inner, &key), SCAN_CLOSED);
	assert_int_equal(scan_element(&scan, &outer), SCAN_ELEMENT);
	assert_true(scan_value(&scan, &value));
	assert_memory_equal(value.text, "3", value.len);
	assert_int_equal(scan_element(&scan, &outer), SCAN_CLOSED);
	assert_true(scan_finish(&scan));
}

static void
test_a_walk_stops_at_an_error(void **state)
{
	static const struct failure cases[] = {
	    {"[", "unexpected end", 1},
	    {"[1", "unexpected end", 2},
	    {"[1,]", "trailing comma", 3},
	    {"[1}", "expected ',' or ']'", 2},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		bool first = true;
		struct scan scan;
		struct json value;

		assert_true(scan_begin(&scan, cases[i].text, strlen(cases[i].text)));
		while (scan_element(&scan, &first) == SCAN_ELEMENT && scan_value(&scan, &value))
			continue;
		assert_non_null(scan.reason);
		assert_string_equal(scan.reason, cases[i].reason);
		assert_int_equal(scan.at - cases[i].text, cases[i].position);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_failure_has_its_reason_and_position),
	    cmocka_unit_test(test_nan_and_infinity_are_accepted_on_request),
	    cmocka_unit_test(test_properties_of_a_value_are_reported),
	    cmocka_unit_test(test_a_value_has_its_exact_bounds),
	    cmocka_unit_test(test_the_depth_is_limited),
	    cmocka_unit_test(test_mismatched_brackets_are_refused_at_any_depth),
	    cmocka_unit_test(test_every_byte_is_judged_at_every_offset),
	    cmocka_unit_test(test_every_code_point_is_accepted_in_its_shortest_form_only),
	    cmocka_unit_test(test_strings_are_unescaped),
	    cmocka_unit_test(test_unescaping_stops_at_the_limit),
	    cmocka_unit_test(test_a_walk_visits_each_member),
	    cmocka_unit_test(test_a_walk_stops_at_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
