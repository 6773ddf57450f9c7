/*
 * Whole documents that a JSON parser must accept, must refuse, or may treat as it likes, in the categories in which
 * parsers are usually compared: arrays, objects, numbers, strings, structure, encodings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/scan.h"

struct document {
	const char *text;
	size_t len;
};

/* Literals may hold NUL bytes. */
#define D(literal)                                                                                                     \
	{                                                                                                              \
		literal, sizeof(literal) - 1                                                                           \
	}
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* From memory of exactly its size, so that the address sanitizer sees a byte read too far. */
static bool
accepts(const struct document *document, bool nonfinite_ok)
{
	char *copy = malloc(document->len > 0 ? document->len : 1);
	struct scan scan;
	struct json value;
	bool ok;

	assert_non_null(copy);
	memcpy(copy, document->text, document->len);
	ok = scan_begin(&scan, copy, document->len);
	if (ok) {
		scan.nonfinite_ok = nonfinite_ok;
		ok = scan_value(&scan, &value) && scan_finish(&scan);
	}
	assert_true(ok == (scan.reason == NULL));
	assert_true(scan.at >= copy && scan.at <= copy + document->len);
	free(copy);
	return ok;
}

static void
check_all(const struct document *documents, size_t count, bool expected, bool nonfinite_ok)
{
	for (size_t i = 0; i < count; i++)
		if (accepts(&documents[i], nonfinite_ok) != expected)
			fail_msg(
			    "%s: %.*s", expected ? "refused" : "accepted", (int)documents[i].len, documents[i].text);
}

static const struct document valid[] = {
    /* arrays */
    D("[]"),
    D("[ ]"),
    D("[[]   ]"),
    D("[\"\"]"),
    D("[\"a\"]"),
    D("[false]"),
    D("[null, 1, \"1\", {}]"),
    D("[null]"),
    D("[1\n]"),
    D(" [1]"),
    D("[1,null,null,null,2]"),
    D("[2] "),
    D("[\t1\r\n,\t2 ]"),
    D("[[[[[[]]]]],[],[[]]]"),
    /* numbers */
    D("[123e65]"),
    D("[0e+1]"),
    D("[0e1]"),
    D("[ 4]"),
    D("[-0.000000000000000000000000000000000000000000000000001]"),
    D("[20e1]"),
    D("[-0]"),
    D("[-123]"),
    D("[-1]"),
    D("[-0.0]"),
    D("[1E22]"),
    D("[1E-2]"),
    D("[1E+2]"),
    D("[123e45]"),
    D("[123.456e78]"),
    D("[1e-2]"),
    D("[1e+2]"),
    D("[123]"),
    D("[123.456789]"),
    D("[0]"),
    D("[0.0]"),
    D("[0.5e-00]"),
    D("[1e00000000000000000000000000000000000001]"),
    D("[12345678901234567890123456789012345678901234567890]"),
    /* objects */
    D("{\"asd\":\"sdf\", \"dfg\":\"fgh\"}"),
    D("{\"asd\":\"sdf\"}"),
    D("{\"a\":\"b\",\"a\":\"c\"}"),
    D("{\"a\":\"b\",\"a\":\"b\"}"),
    D("{}"),
    D("{\"\":0}"),
    D("{\"foo\\u0000bar\": 42}"),
    D("{ \"min\": -1.0e+28, \"max\": 1.0e+28 }"),
    D("{\"x\":[{\"id\": \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}], \"id\": "
      "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}"),
    D("{\"a\":[]}"),
    D("{\"title\":\"\\u041f\\u043e\\u043b\\u0442\"}"),
    D("{\n\"a\": \"b\"\n}"),
    D("{\"a\":{\"b\":{\"c\":{}}}}"),
    /* strings */
    D("[\"\\u0060\\u012a\\u12AB\"]"),
    D("[\"\\uD801\\udc37\"]"),
    D("[\"\\ud83d\\ude39\\ud83d\\udc8d\"]"),
    D("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"),
    D("[\"\\\\u0000\"]"),
    D("[\"\\\"\"]"),
    D("[\"a/*b*/c/*d//e\"]"),
    D("[\"\\\\a\"]"),
    D("[\"\\\\n\"]"),
    D("[\"\\u0012\"]"),
    D("[\"\\uFFFF\"]"),
    D("[\"asd\"]"),
    D("[ \"asd\"]"),
    D("[\"\\uDBFF\\uDFFF\"]"),
    D("[\"new\\u00A0line\"]"),
    D("[\"\xf4\x8f\xbf\xbf\"]"),
    D("[\"\xef\xbf\xbf\"]"),
    D("[\"\\u0000\"]"),
    D("[\"\\u002c\"]"),
    D("[\"\xcf\x80\"]"),
    D("[\"\xf0\x9b\xbf\xbf\"]"),
    D("[\"asd \"]"),
    D("\" \""),
    D("[\"\\uD834\\uDd1e\"]"),
    D("[\"\\u0821\"]"),
    D("[\"\\u0123\"]"),
    D("[\"\xe2\x80\xa8\"]"),
    D("[\"\xe2\x80\xa9\"]"),
    D("[\"\\u0061\\u30af\\u30EA\\u30b9\"]"),
    D("[\"new\\u000Aline\"]"),
    D("[\"\x7f\"]"),
    D("[\"\\uA66D\"]"),
    D("[\"\\u005C\"]"),
    D("[\"\xe2\x8d\x82\xe3\x88\xb4\xe2\x8d\x82\"]"),
    D("[\"\\u200B\"]"),
    D("[\"\\u2064\"]"),
    D("[\"\\uFDD0\"]"),
    D("[\"\\uFFFE\"]"),
    D("[\"\\u0022\"]"),
    D("[\"a\x7f"
      "a\"]"),
    D("[\"\xe3\x81\x82\xc3\xa9 \xf0\x9f\x98\x80 tail that is plain and longer than a word\"]"),
    /* structure */
    D("false"),
    D("42"),
    D("-0.1"),
    D("null"),
    D("\"asd\""),
    D("true"),
    D("\"\""),
    D("[\"a\"]\n"),
    D("[true]"),
    D(" [] "),
    D("0"),
    D("-1e-1"),
    D("\t\r\n {} \t\r\n"),
    D("[{\"a\":[{\"b\":[{}]}]}]"),
};

static const struct document invalid[] = {
    /* arrays */
    D("[1 true]"),
    D("[a\xe5]"),
    D("[\"\": 1]"),
    D("[\"\"],"),
    D("[,1]"),
    D("[1,,2]"),
    D("[\"x\",,]"),
    D("[\"x\"]]"),
    D("[\"\",]"),
    D("[\"x\""),
    D("[x"),
    D("[3[4]]"),
    D("[\xff]"),
    D("[1:2]"),
    D("[,]"),
    D("[-]"),
    D("[   , \"\"]"),
    D("[\"a\",\n4\n,1,"),
    D("[1,]"),
    D("[1,,]"),
    D("[\"\x0b"
      "a\"\\f]"),
    D("[*]"),
    D("[\"\""),
    D("[1,"),
    D("[1,\n1\n,1"),
    D("[{}"),
    D("["),
    D("]"),
    D("[]]"),
    D("[}"),
    D("[1}"),
    D("[1;2]"),
    D("[\"a\" \"b\"]"),
    D("[[]"),
    D("[1\v]"),
    /* words */
    D("[fals]"),
    D("[nul]"),
    D("[tru]"),
    D("[True]"),
    D("[NULL]"),
    D("[nulll]"),
    D("[truee]"),
    D("[true1]"),
    D("[undefined]"),
    D("tru"),
    D("nul"),
    D("f"),
    D("[None]"),
    /* numbers */
    D("[++1234]"),
    D("[+1]"),
    D("[+Inf]"),
    D("[-01]"),
    D("[-1.0.]"),
    D("[-2.]"),
    D("[-NaN]"),
    D("[.-1]"),
    D("[.2e-3]"),
    D("[0.1.2]"),
    D("[0.3e+]"),
    D("[0.3e]"),
    D("[0.e1]"),
    D("[0E+]"),
    D("[0E]"),
    D("[0e+]"),
    D("[0e]"),
    D("[1.0e+]"),
    D("[1.0e-]"),
    D("[1.0e]"),
    D("[1 000.0]"),
    D("[1eE2]"),
    D("[2.e+3]"),
    D("[2.e-3]"),
    D("[2.e3]"),
    D("[9.e+]"),
    D("[Inf]"),
    D("[\xef\xbc\x91]"),
    D("[1+2]"),
    D("[0x1]"),
    D("[0x42]"),
    D("[0e+-1]"),
    D("[-123.123foo]"),
    D("[123\xe5]"),
    D("[1e1\xe5]"),
    D("[0\xe5]"),
    D("[-foo]"),
    D("[- 1]"),
    D("[-012]"),
    D("[-.123]"),
    D("[-1x]"),
    D("[1ea]"),
    D("[1e\xe5]"),
    D("[1.]"),
    D("[.123]"),
    D("[1.2a-3]"),
    D("[1.8011670033376514H-308]"),
    D("[012]"),
    D("00"),
    D("01"),
    D("-"),
    D("1."),
    D("1e"),
    D("1e+"),
    D("-00"),
    D("--1"),
    D("1_000"),
    D("1,000"),
    D("0b1"),
    D("1.5f"),
    D("[1.e]"),
    D("0x"),
    D("1e5.5"),
    D("[1 2]"),
    D("\xd9\xa1"),
    /* objects */
    D("[\"x\", truth]"),
    D("{[: \"x\"}\n"),
    D("{\"x\", null}"),
    D("{\"x\"::\"b\"}"),
    D("{\xf0\x9f\x87\xa8\xf0\x9f\x87\xad}"),
    D("{\"a\":\"a\" 123}"),
    D("{key: 'value'}"),
    D("{\"\xb9\":\"0\",}"),
    D("{\"a\" b}"),
    D("{:\"b\"}"),
    D("{\"a\" \"b\"}"),
    D("{\"a\":"),
    D("{\"a\""),
    D("{1:1}"),
    D("{9999E9999:1}"),
    D("{null:null,null:null}"),
    D("{\"id\":0,,,,,}"),
    D("{'a':0}"),
    D("{\"id\":0,}"),
    D("{\"a\":\"b\"}/**/"),
    D("{\"a\":\"b\"}/**//"),
    D("{\"a\":\"b\"}//"),
    D("{\"a\":\"b\"}/"),
    D("{\"a\":\"b\",,\"c\":\"d\"}"),
    D("{a: \"b\"}"),
    D("{\"a\":\"a"),
    D("{ \"foo\" : \"bar\", \"a\" }"),
    D("{\"a\":\"b\"}#"),
    D("{"),
    D("}"),
    D("{,"),
    D("{]"),
    D("{\"a\":1]"),
    D("{\"a\"}"),
    D("{\"a\":}"),
    D("{\"a\":1,\"b\"}"),
    D("{\"a\":1 \"b\":2}"),
    D("{\"a\":,}"),
    D("{{}}"),
    D("{[]}"),
    D("{true:1}"),
    D("{,\"a\":1}"),
    D("{\"a\":1;\"b\":2}"),
    D("{\"a\"=1}"),
    D("{\"a\":b}"),
    D("{\"a\n\":1}"),
    /* strings */
    D(" "),
    D("[\"\\uD800\\\"]"),
    D("[\"\\uD800\\u\"]"),
    D("[\"\\uD800\\u1\"]"),
    D("[\"\\uD800\\u1x\"]"),
    D("[\xc3\xa9]"),
    D("[\"\\x00\"]"),
    D("[\"\\\\\\\"]"),
    D("[\"\\\t\"]"),
    D("[\"\\\xf0\x9f\x8c\x80\"]"),
    D("[\"\\\"]"),
    D("[\"\\u00A\"]"),
    D("[\"\\uD834\\uDd\"]"),
    D("[\"\\uD800\\uD800\\x\"]"),
    D("[\"\\u\xe5\"]"),
    D("[\"\\a\"]"),
    D("[\"\\uqqqq\"]"),
    D("[\"\\\xe5\"]"),
    D("[\\u0020\"asd\"]"),
    D("[\\n]"),
    D("\""),
    D("['single quote']"),
    D("abc"),
    D("[\"\\"),
    D("[\"a\0a\"]"),
    D("[\"new\nline\"]"),
    D("[\"\t\"]"),
    D("\"\\UA66D\""),
    D("\"\\"),
    D("\"\\u"),
    D("\"\\u1"),
    D("\"\\u12"),
    D("\"\\u123"),
    D("\"\\u1234"),
    D("\"abc"),
    D("\"\\u+123\""),
    D("\"\\u 123\""),
    D("\"\\u12 4\""),
    D("\"\\u-001\""),
    D("\"\\'\""),
    D("\"\\0\""),
    D("\"\\v\""),
    D("\"\\e\""),
    D("\"\\N\""),
    D("\"\\\n\""),
    D("\"\x1f\""),
    D("\"\x01\""),
    D("\"\\\0\""),
    D("\"\r\""),
    D("`a`"),
    D("\"a\"b"),
    D("\"a\"\"b\""),
    /* encodings: bytes that are no UTF-8 */
    D("[\"\xff\"]"),
    D("[\"\xfe\"]"),
    D("[\"\x81\"]"),
    D("[\"\xe5\"]"),
    D("[\"\xc0\xaf\"]"),
    D("[\"\xe0\x80\xaf\"]"),
    D("[\"\xc1\xbf\"]"),
    D("[\"\xf0\x80\x80\xaf\"]"),
    D("[\"\xf8\x80\x80\x80\xaf\"]"),
    D("[\"\xfc\x80\x80\x80\x80\xaf\"]"),
    D("[\"\xed\xa0\x80\"]"),
    D("[\"\xed\xbf\xbf\"]"),
    D("[\"\xf4\x90\x80\x80\"]"),
    D("[\"\xf5\x80\x80\x80\"]"),
    D("[\"\xe9\"]"),
    D("[\"\xe6\x97\xa5\xd1\x88\xfa\"]"),
    D("[\"\xe4\xbd\"]"),
    D("[\"\xf0\x9f\x98\"]"),
    D("[\"\xf0\x9f\"]"),
    D("[\"\xf0\"]"),
    D("[\"\xc3\"]"),
    D("[\"\xc3"),
    D("[\"\xf0\x9f\x98"),
    D("[\"\xed\xa0\x81\xed\xb0\x80\"]"),
    D("{\"\xe5\":1}"),
    D("[\"\xc2\x41\"]"),
    D("[\"\xe1\x80\x41\"]"),
    D("[\"\xe1\x41\x80\"]"),
    /* structure */
    D(""),
    D("<.>"),
    D("[<null>]"),
    D("[1]x"),
    D("[1]]"),
    D("[\"asd]"),
    D("a\xc3\xa5"),
    D("[True]"),
    D("1]"),
    D("{\"x\": true,"),
    D("[][]"),
    D("{\"a\": true} \"x\""),
    D("\xef\xbb\xbf"),
    D("\xef\xbb\xbf{}"),
    D("\xef\xbb{}"),
    D("\xe5"),
    D("[\0]"),
    D("\0"),
    D("{}\0"),
    D("2@"),
    D("{}}"),
    D("{\"\":"),
    D("{\"a\":/*comment*/\"b\"}"),
    D("[\"a\" // c\n]"),
    D("{\"a\": true} \"x\""),
    D("['"),
    D("[,"),
    D("[{"),
    D("[\"a"),
    D("[\"a\""),
    D("{["),
    D("{\"a"),
    D("{'a'"),
    D("[\"\\{[\"\\{[\"\\{"),
    D("\xe9"),
    D("*"),
    D("{\"a\":\"b\"}#{}"),
    D("[\\u000A\"\"]"),
    D("[\f]"),
    D("[\xe2\x81\xa0]"),
    D("\xc2\xa0[]"),
    D("[]\xe3\x80\x80"),
    D("\v1"),
    D("1\f"),
    D("[1] 2"),
    D("null null"),
    D("\n\r\t "),
    D("\xff\xfe[\0\"\0\xe9\0\"\0]\0"),
    D("[\0\"\0\xe9\0\"\0]\0"),
    D("\0[\0\"\0\xe9\0\"\0]"),
    D("(1)"),
    D("// x\n1"),
    D("1;"),
    D("callback({})"),
};

/* Where RFC 8259 leaves a choice, this is ours: any number that is a number, any escape that is an escape. */
static const struct document our_choice_valid[] = {
    D("[123.456e-789]"),
    D("[0.4e00669999999999999999999999999999999999999999999999999999999999999999999999999999]"),
    D("[-1e+9999]"),
    D("[1.5e+9999]"),
    D("[-123123e100000]"),
    D("[123123e100000]"),
    D("[123123e-10000000]"),
    D("[-123123123123123123123123123123]"),
    D("[100000000000000000000]"),
    D("[-237462374673276894279832749832423479823246327846]"),
    D("[\"\\uDADA\"]"),
    D("[\"\\uD888\\u1234\"]"),
    D("[\"\\uD800\\n\"]"),
    D("[\"\\uDd1ea\"]"),
    D("[\"\\uD800\\uD800\\n\"]"),
    D("[\"\\ud800\"]"),
    D("[\"\\ud800abc\"]"),
    D("[\"\\uDd1e\\uD834\"]"),
    D("[\"\\uDFAA\"]"),
    D("{\"\\uDFAA\":0}"),
    D("[\"\\uD800\\uD800\\uDC00\"]"),
};

/* Outside the RFC, and taken only where the caller says so. */
static const struct document nonfinite[] = {
    D("NaN"),
    D("Infinity"),
    D("-Infinity"),
    D("[NaN]"),
    D("[ NaN , Infinity,-Infinity ]"),
    D("{\"a\":NaN}"),
    D("[[-Infinity]]"),
};

static const struct document never_nonfinite[] = {
    D("nan"),
    D("NAN"),
    D("Nan"),
    D("+NaN"),
    D("-NaN"),
    D("Inf"),
    D("-Inf"),
    D("inf"),
    D("infinity"),
    D("INFINITY"),
    D("+Infinity"),
    D("- Infinity"),
    D("NaNN"),
    D("Na"),
    D("N"),
    D("I"),
    D("-I"),
    D("Infinit"),
    D("-Infinit"),
    D("Infinityy"),
    D("{NaN:1}"),
    D("[NaN NaN]"),
    D("1NaN"),
    D("-1Infinity"),
    D("{\"a\":NaN,}"),
    D("--Infinity"),
    D("0Infinity"),
};

static void
test_valid(void **state)
{
	check_all(valid, COUNT(valid), true, false);
	check_all(valid, COUNT(valid), true, true);
}

static void
test_invalid(void **state)
{
	check_all(invalid, COUNT(invalid), false, false);
	check_all(invalid, COUNT(invalid), false, true);
}

static void
test_our_choice(void **state)
{
	check_all(our_choice_valid, COUNT(our_choice_valid), true, false);
}

static void
test_nonfinite(void **state)
{
	check_all(nonfinite, COUNT(nonfinite), false, false);
	check_all(nonfinite, COUNT(nonfinite), true, true);
	check_all(never_nonfinite, COUNT(never_nonfinite), false, false);
	check_all(never_nonfinite, COUNT(never_nonfinite), false, true);
}

/* No proper prefix of a document in brackets or quotes is a document. */
static void
test_truncated(void **state)
{
	for (size_t i = 0; i < COUNT(valid); i++) {
		struct document prefix = valid[i];

		if (strchr("[{\"", prefix.text[0]) == NULL)
			continue;
		while (strchr(" \n\t\r", prefix.text[prefix.len - 1]) != NULL)
			prefix.len--;
		assert_true(accepts(&prefix, false));
		while (prefix.len-- > 0)
			if (accepts(&prefix, false))
				fail_msg("accepted: %.*s", (int)prefix.len, prefix.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_valid),
	    cmocka_unit_test(test_invalid),
	    cmocka_unit_test(test_our_choice),
	    cmocka_unit_test(test_nonfinite),
	    cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
