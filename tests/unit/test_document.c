/* Documents of the API: their members are kept as they were sent, and errors are reported. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "api/document.h"

static const struct document_lengths name_lengths = {1, 8, false};

static struct span
span_of(const char *text)
{
	return (struct span){text, strlen(text)};
}

/* Opens a body that must be valid. */
static struct document
opened(const char *body, struct document_error *error)
{
	struct document document;

	*error = (struct document_error){0};
	assert_true(document_open(&document, span_of(body), error));
	assert_null(error->code);
	return document;
}

#define assert_span(expected, span)                                                                                    \
	do {                                                                                                           \
		assert_int_equal(strlen(expected), (span).len);                                                        \
		assert_memory_equal(expected, (span).base, (span).len);                                                \
	} while (0)

static void
refused(const char *body, const char *code, const char *detail)
{
	struct document_error error = {0};
	struct document document;

	assert_false(document_open(&document, span_of(body), &error));
	assert_string_equal(code, error.code);
	assert_string_equal(detail, error.detail);
	assert_int_equal(0, document.count);
	document_close(&document);
}

static void
test_a_body_that_is_no_object_is_refused_with_its_place(void **state)
{
	refused("{\"a\":1,}", "invalid_json", "malformed JSON at byte 8 (line 1, column 8): trailing comma");
	refused("{\n \"a\": tru\n}", "invalid_json", "malformed JSON at byte 9 (line 2, column 7): expected a value");
	refused("{\"a\":1}x", "invalid_json", "malformed JSON at byte 8 (line 1, column 8): more than one value");
	refused("{\"a\"", "invalid_json", "malformed JSON at byte 5 (line 1, column 5): unexpected end");
	refused("{\"a\":\"\x80\"}", "invalid_json", "malformed JSON at byte 7 (line 1, column 7): invalid UTF-8");
	refused("[1", "invalid_json", "malformed JSON at byte 3 (line 1, column 3): unexpected end");
	refused("hello", "invalid_json", "malformed JSON at byte 1 (line 1, column 1): expected a value");
	refused("[1]", "validation_error", "the body must be a JSON object");
	refused("null", "validation_error", "the body must be a JSON object");
	refused("{\"a\":{\"b\":\"\\u0000\"}}", "validation_error", "a: holds \\u0000 or half a surrogate pair");
	refused("{\"a\\ud800\":1}", "validation_error", "a\xef\xbf\xbd: holds \\u0000 or half a surrogate pair");
}

static void
test_an_object_has_a_limit_of_members_and_depth(void **state)
{
	struct document_error error = {0};
	struct document document;
	struct bytes body = {0};

	bytes_add(&body, "{", 1);
	for (int i = 0; i <= DOCUMENT_MEMBERS_MAX; i++)
		bytes_add_text(&body, i == 0 ? "\"a\":0" : ",\"a\":0");
	bytes_add(&body, "}", 1);
	assert_false(document_open(&document, (struct span){body.base, body.len}, &error));
	assert_string_equal("more than 1000 members", error.detail);
	document_close(&document);

	body.len = 0;
	for (int i = 0; i < DOCUMENT_DEPTH_MAX; i++)
		bytes_add_text(&body, "{\"a\":");
	bytes_add_text(&body, "{}");
	for (int i = 0; i < DOCUMENT_DEPTH_MAX; i++)
		bytes_add(&body, "}", 1);
	error = (struct document_error){0};
	assert_false(document_open(&document, (struct span){body.base, body.len}, &error));
	assert_non_null(strstr(error.detail, "nested too deep"));
	document_close(&document);
	bytes_free(&body);
}

static void
test_an_empty_body_is_an_empty_object(void **state)
{
	struct document_error error;

	for (const char *const *body = (const char *const[]){"", "  \r\n", "{}", NULL}; *body != NULL; body++) {
		struct document document = opened(*body, &error);

		assert_int_equal(0, document.count);
		assert_int_equal(DOCUMENT_ABSENT, document_presence(&document, "name"));
		document_close(&document);
	}
}

static void
test_of_members_with_one_name_the_last_counts(void **state)
{
	struct document_error error;
	struct document document = opened("{\"n\":\"old\",\"\\u006e\":\"new\",\"m\":1,\"m\":null}", &error);
	struct span text = {0};
	int64_t number = 7;

	assert_true(document_string(&document, "n", &name_lengths, &text));
	assert_span("new", text);
	assert_int_equal(DOCUMENT_NULL, document_presence(&document, "m"));
	assert_false(document_int(&document, "m", 0, 9, &number));
	assert_int_equal(7, number);
	assert_null(error.code);
	document_close(&document);
}

static void
test_strings_are_read_without_escapes(void **state)
{
	struct document_error error;
	struct document document = opened("{\"n\":\"\\u00e9\\n\\ud83d\\ude00\\\"\",\"plain\":\"x\"}", &error);
	struct span text = {0};

	for (int i = 0; i < 2; i++) {
		assert_true(document_string(&document, "n", &(struct document_lengths){0, 4, true}, &text));
		assert_span("\xc3\xa9\n\xf0\x9f\x98\x80\"", text);
	}
	assert_true(document_string(&document, "plain", &name_lengths, &text));
	assert_span("x", text);
	document_close(&document);
}

/* Reads that member as each kind in turn. The refusal of that kind must have the detail. */
static void
member_refused(const char *body, char kind, const char *detail)
{
	struct document_error error;
	struct document document = opened(body, &error), inner;
	struct span text;
	int64_t number;
	bool flag;

	switch (kind) {
	case 's':
		assert_false(document_string(&document, "k", &name_lengths, &text));
		break;
	case 'i':
		assert_false(document_int(&document, "k", -5, 100, &number));
		break;
	case 'b':
		assert_false(document_bool(&document, "k", &flag));
		break;
	case 'o':
		assert_false(document_object(&document, "k", 10, &text));
		break;
	default:
		assert_false(document_inner_array(&document, "k", &inner));
	}
	assert_string_equal("validation_error", error.code);
	assert_string_equal(detail, error.detail);
	document_close(&document);
}

static void
test_a_refusal_names_the_member_and_never_the_value(void **state)
{
	member_refused("{\"k\":1}", 's', "k: must be a string");
	member_refused("{\"k\":\"\"}", 's', "k: must have 1 to 8 characters, and has 0");
	member_refused("{\"k\":\"123456789\"}", 's', "k: must have 1 to 8 characters, and has 9");
	member_refused("{\"k\":\"a\\tb\"}", 's', "k: holds the control character U+0009 at character 2");
	member_refused("{\"k\":\"a\\u007f\"}", 's', "k: holds the control character U+007F at character 2");
	member_refused("{\"k\":\"\\u0085\"}", 's', "k: holds the control character U+0085 at character 1");
	member_refused("{\"k\":\"5\"}", 'i', "k: must be a whole number from -5 to 100");
	member_refused("{\"k\":101}", 'i', "k: must be a whole number from -5 to 100");
	member_refused("{\"k\":-6}", 'i', "k: must be a whole number from -5 to 100");
	member_refused("{\"k\":5.5}", 'i', "k: must be a whole number from -5 to 100");
	member_refused("{\"k\":1e1}", 'i', "k: must be a whole number from -5 to 100");
	member_refused("{\"k\":18446744073709551617}", 'i', "k: must be a whole number from -5 to 100");
	member_refused("{\"k\":0}", 'b', "k: must be true or false");
	member_refused("{\"k\":[]}", 'o', "k: must be an object");
	member_refused("{\"k\":{\"a\":12345}}", 'o', "k: must have at most 10 bytes, and has 11");
	member_refused("{\"k\":{}}", 'a', "k: must be an array");
}

static void
test_whole_numbers_are_exact(void **state)
{
	struct document_error error;
	struct document document =
	    opened("{\"a\":9223372036854775807,\"b\":-9223372036854775808,\"c\":10.00,\"d\":-0}", &error);
	int64_t number;

	assert_true(document_int(&document, "a", INT64_MIN, INT64_MAX, &number));
	assert_true(number == INT64_MAX);
	assert_true(document_int(&document, "b", INT64_MIN, INT64_MAX, &number));
	assert_true(number == INT64_MIN);
	assert_true(document_int(&document, "c", 0, 10, &number));
	assert_int_equal(10, number);
	assert_true(document_int(&document, "d", 0, 10, &number));
	assert_int_equal(0, number);
	document_close(&document);
}

static void
test_objects_keep_their_text(void **state)
{
	struct document_error error;
	struct document document = opened("{\"m\": {\"n\" : 1234567890123456789 } ,\"v\":[1]}", &error);
	struct span text;

	assert_true(document_object(&document, "m", 100, &text));
	assert_span("{\"n\" : 1234567890123456789 }", text);
	assert_true(document_value(&document, "v", 100, &text));
	assert_span("[1]", text);
	document_close(&document);
}

static void
test_inner_documents_name_their_path(void **state)
{
	struct document_error error;
	struct document document = opened("{\"headers\":{\"a\":\"1\",\"\\u0062\":2},\"list\":[\"x\",5]}", &error);
	struct document headers, list;
	struct span text;
	int64_t number;

	assert_true(document_inner_object(&document, "headers", &headers));
	assert_int_equal(2, headers.count);
	assert_true(document_string_at(&headers, 0, &name_lengths, &text));
	assert_span("1", text);
	assert_span("b", headers.members[1].name);
	assert_false(document_string_at(&headers, 1, &name_lengths, &text));
	assert_string_equal("headers.b: must be a string", error.detail);
	document_close(&headers);

	error = (struct document_error){0};
	assert_true(document_inner_array(&document, "list", &list));
	assert_true(document_string_at(&list, 0, &name_lengths, &text));
	assert_true(document_int_at(&list, 1, 0, 5, &number));
	assert_false(document_string_at(&list, 1, &name_lengths, &text));
	assert_string_equal("list.1: must be a string", error.detail);
	assert_false(document_refuse(&list, "0", "later"));
	assert_string_equal("list.1: must be a string", error.detail);
	document_close(&list);
	document_close(&document);
}

static void
unknown_is(const char *body, const char *kept, const char *expected)
{
	struct document_error error;
	struct document document = opened(body, &error);
	struct span old = span_of(kept != NULL ? kept : "");
	struct bytes out = {0};

	(void)document_presence(&document, "known");
	document_unknown(&document, kept != NULL ? &old : NULL, &out);
	bytes_add(&out, "", 1);
	assert_string_equal(expected, out.base);
	bytes_free(&out);
	document_close(&document);
}

static void
test_unknown_members_are_kept_as_they_were_sent(void **state)
{
	unknown_is("{\"known\":1}", NULL, "");
	unknown_is("{\"a\":1,\"known\":2,\"b\\n\\u00e9\":12345678901234567890,\"a\": [ 2 ]}", NULL,
	    "{\"b\\n\xc3\xa9\":12345678901234567890,\"a\":[ 2 ]}");
	unknown_is("{\"a\":null}", NULL, "");
	unknown_is("{\"a\":3,\"new\":{}}", "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":3,\"new\":{}}");
	unknown_is("{\"a\":null}", "{\"a\":1,\"b\":2}", "{\"b\":2}");
	unknown_is("{}", "{\"a\":1}", "{\"a\":1}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_body_that_is_no_object_is_refused_with_its_place),
	    cmocka_unit_test(test_an_object_has_a_limit_of_members_and_depth),
	    cmocka_unit_test(test_an_empty_body_is_an_empty_object),
	    cmocka_unit_test(test_of_members_with_one_name_the_last_counts),
	    cmocka_unit_test(test_strings_are_read_without_escapes),
	    cmocka_unit_test(test_a_refusal_names_the_member_and_never_the_value),
	    cmocka_unit_test(test_whole_numbers_are_exact),
	    cmocka_unit_test(test_objects_keep_their_text),
	    cmocka_unit_test(test_inner_documents_name_their_path),
	    cmocka_unit_test(test_unknown_members_are_kept_as_they_were_sent),
	};

	return cmocka_run_group_tests_name("document", tests, NULL, NULL);
}
