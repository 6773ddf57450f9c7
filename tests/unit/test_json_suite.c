/*
 * Whole documents that a JSON parser must accept, or may treat as it likes, in the categories in which parsers are
 * usually compared: arrays, objects, numbers, strings, structure. Documents that must be refused are in
 * test_json_suite_invalid.c.
 */
#include "event/filter_event.h"
#include "event/transform_apply.h"
#include "tests/unit/json_suite_fixture.h"

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

/* RFC 8259 leaves a choice here. The scanner accepts every number and every escape that has the form of one. */
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

/* Documents outside the RFC, which are accepted only when the caller allows it. */
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
test_valid_documents_are_accepted(void **state)
{
	check_all(valid, COUNT(valid), true, false);
	check_all(valid, COUNT(valid), true, true);
}

static void
test_any_number_and_any_escape_is_accepted(void **state)
{
	check_all(our_choice_valid, COUNT(our_choice_valid), true, false);
}

static void
test_nan_and_infinity_are_accepted_on_request(void **state)
{
	check_all(nonfinite, COUNT(nonfinite), false, false);
	check_all(nonfinite, COUNT(nonfinite), true, true);
	check_all(never_nonfinite, COUNT(never_nonfinite), false, false);
	check_all(never_nonfinite, COUNT(never_nonfinite), false, true);
}

/* No part of a document in brackets or quotes that begins with it is a document. */
static void
test_truncated_documents_are_refused(void **state)
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

/* Whether the filter eq with that value holds for an event with that member. False if no filter accepts the value. */
static bool
equals_itself(const struct document *document)
{
	struct filter_event *event;
	struct filter_set *set;
	struct filter filter;
	struct error err;
	char text[512];
	bool equal;

	(void)snprintf(text, sizeof text, "{\"eq\":\"a\",\"value\":%.*s}", (int)document->len, document->text);
	if (filter_parse((struct span){text, strlen(text)}, &filter, &err) < 0)
		return false;
	set = filter_set_new(&filter, 1);
	event = filter_event_new(set);
	(void)snprintf(text, sizeof text, "{\"a\":%.*s}", (int)document->len, document->text);
	assert_true(filter_event_read(event, (struct span){text, strlen(text)}));
	equal = filter_event_holds(event, 0);
	filter_event_free(event);
	filter_set_free(set);
	return equal;
}

static void
test_a_filter_finds_each_value_equal_to_itself(void **state)
{
	for (size_t i = 0; i < COUNT(valid) + COUNT(our_choice_valid); i++) {
		const struct document *document = i < COUNT(valid) ? &valid[i] : &our_choice_valid[i - COUNT(valid)];
		bool doubled = strncmp(document->text, "{\"a\":\"b\",\"a\"", 12) == 0; /* no filter accepts these */

		if (equals_itself(document) != !doubled)
			fail_msg("%.*s", (int)document->len, document->text);
	}
}

static void
test_a_transform_does_not_change_the_spelling_of_other_values(void **state)
{
	static const char steps[] = "[{\"op\":\"set_field\",\"field\":\"b\",\"value\":[1.10]},"
				    "{\"op\":\"rename_field\",\"from\":\"a\",\"to\":\"c.d\"}]";
	struct json_edit *edit = json_edit_new();
	struct transform transform;
	struct error err;

	assert_int_equal(transform_parse((struct span){steps, sizeof steps - 1}, &transform, &err), 0);
	for (size_t i = 0; i < COUNT(valid) + COUNT(our_choice_valid); i++) {
		const struct document *document = i < COUNT(valid) ? &valid[i] : &our_choice_valid[i - COUNT(valid)];
		const char *begin = document->text, *end = begin + document->len;
		char text[512], want[512];
		struct span got;

		(void)snprintf(text, sizeof text, "{\"x\":%.*s,\"a\":%.*s}", (int)document->len, document->text,
		    (int)document->len, document->text);
		/* White space around a value that moves is left behind. */
		while (strchr(" \t\r\n", *begin) != NULL)
			begin++;
		while (strchr(" \t\r\n", end[-1]) != NULL)
			end--;
		(void)snprintf(want, sizeof want, "{\"x\":%.*s,\"b\":[1.10],\"c\":{\"d\":%.*s}}", (int)document->len,
		    document->text, (int)(end - begin), begin);
		got = transform_apply(&transform, (struct span){text, strlen(text)}, edit);
		assert_int_equal(got.len, strlen(want));
		assert_memory_equal(got.base, want, got.len);
	}
	transform_free(&transform);
	json_edit_free(edit);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_valid_documents_are_accepted),

	    cmocka_unit_test(test_any_number_and_any_escape_is_accepted),
	    cmocka_unit_test(test_nan_and_infinity_are_accepted_on_request),
	    cmocka_unit_test(test_truncated_documents_are_refused),
	    cmocka_unit_test(test_a_filter_finds_each_value_equal_to_itself),
	    cmocka_unit_test(test_a_transform_does_not_change_the_spelling_of_other_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
