/* Chunked bodies: which are accepted and which are refused, cut at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/chunks.h"

/* Reads the bytes in two parts, each from memory of exactly its size. */
static int
read_in_two(const char *text, size_t len, size_t cut, struct chunks *chunks, size_t *total)
{
	const size_t ends[] = {cut, len};
	int state = CHUNKS_PARTIAL;

	*chunks = (struct chunks){0};
	*total = 0;
	for (size_t i = 0; i < 2 && state == CHUNKS_PARTIAL; i++) {
		size_t part = ends[i] - *total, used;
		char *copy = malloc(part > 0 ? part : 1);

		assert_non_null(copy);
		memcpy(copy, text + *total, part);
		state = chunks_read(chunks, copy, part, &used);
		*total += used;
		free(copy);
	}
	return state;
}

static void
check(const char *text, size_t len, int state, size_t used, const char *words)
{
	for (size_t cut = 0; cut <= len; cut++) {
		struct chunks chunks;
		size_t total;

		assert_int_equal(read_in_two(text, len, cut, &chunks, &total), state);
		if (state == CHUNKS_REFUSED) {
			assert_non_null(strstr(chunks.why, words));
			assert_null(strpbrk(chunks.why, "\"\\\n"));
		} else {
			assert_int_equal(total, used);
		}
	}
}

static void
test_a_whole_body_is_read_to_its_last_byte(void **state)
{
	static const char *const bodies[] = {
	    "0\r\n\r\n",
	    "00000000\r\n\r\n",
	    "5\r\nhello\r\n0\r\n\r\n",
	    "00000005\r\nhello\r\n0\r\n\r\n",
	    "A\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n",
	    "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n",
	    "b;a\r\nhello world\r\n0;a=b;c\r\n\r\n",
	    "5 \t; a = \"b;c\xc3\xa9\"\r\nhello\r\n0\r\n\r\n",
	    "0\r\nX-Sum: 5d41\r\nY:\r\nhosts: a\tb\r\ncontent-lengths: 1\r\na-transfer-encoding: c\r\n\r\n",
	};
	char text[256];

	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		size_t len = strlen(bodies[i]);

		for (size_t part = 0; part < len; part++)
			check(bodies[i], part, CHUNKS_PARTIAL, part, "");
		check(bodies[i], len, CHUNKS_WHOLE, len, "");
		/* The bytes after the body are not read. */
		(void)snprintf(text, sizeof text, "%s\n\x01GET", bodies[i]);
		check(text, strlen(text), CHUNKS_WHOLE, len, "");
	}
}

static void
test_a_malformed_body_is_refused_with_the_reason(void **state)
{
	static const char *const cases[][2] = {
	    {"\r\n", "hexadecimal"},
	    {"g", "hexadecimal"},
	    {"+5", "hexadecimal"},
	    {"-5", "hexadecimal"},
	    {" 5", "hexadecimal"},
	    {"0x5", "hexadecimal"},
	    {"5_0", "hexadecimal"},
	    {"5,5", "hexadecimal"},
	    {"5\n", "hexadecimal"},
	    {"100000005\r\n", "8 digits"},
	    {"000000005\r\n", "8 digits"},
	    {"5 \r\n", "extension"},
	    {"5 5\r\n", "extension"},
	    {"5\rhello", "CR LF"},
	    {"5\r\r\n", "CR LF"},
	    {"5;a\n", "LF alone"},
	    {"5;a\rb", "CR LF"},
	    {"5;\x01", "control"},
	    {"5;\x7f", "control"},
	    {"5\r\nhello\n", "CR LF"},
	    {"5\r\nhello\r\r\n", "CR LF"},
	    {"5\r\nhelloworld", "CR LF"},
	    {"5\r\nhell\r\n", "CR LF"},
	    {"0\r\n\n", "Name: value"},
	    {"0\r\n\r\r\n", "CR LF"},
	    {"0\r\n: a\r\n", "Name: value"},
	    {"0\r\nGET / HTTP/1.1\r\n", "Name: value"},
	    {"0\r\n a: b\r\n", "Name: value"},
	    {"0\r\na: b\r\n c\r\n", "Name: value"},
	    {"0\r\na : b\r\n", "Name: value"},
	    {"0\r\na: b\n", "LF alone"},
	    {"0\r\na: \x1b\r\n", "control"},
	    {"0\r\nHost: a\r\n", "cannot be trailers"},
	    {"0\r\na: b\r\nCONTENT-length:1\r\n", "cannot be trailers"},
	    {"0\r\ntransfer-encoding: chunked\r\n", "cannot be trailers"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check(cases[i][0], strlen(cases[i][0]), CHUNKS_REFUSED, 0, cases[i][1]);
	check("5;\0\r\n", 5, CHUNKS_REFUSED, 0, "control");
	check("5\0\r\n", 4, CHUNKS_REFUSED, 0, "hexadecimal");
}

/* Reads the beginning, so many bytes of text, and the end. */
static int
read_long(const char *beginning, size_t text, const char *end)
{
	size_t len = strlen(beginning), used;
	char *body = malloc(len + text + strlen(end) + 1);
	struct chunks chunks = {0};
	int state;

	assert_non_null(body);
	memcpy(body, beginning, len);
	memset(body + len, 'x', text);
	(void)strcpy(body + len + text, end);
	state = chunks_read(&chunks, body, strlen(body), &used);
	free(body);
	return state;
}

static void
test_extensions_and_trailers_have_a_limit(void **state)
{
	/* Each line with a size may have CHUNKS_TEXT_MAX bytes, and so may all trailers together. */
	assert_int_equal(read_long("1\r\na\r\n0;", CHUNKS_TEXT_MAX - 4, "\r\n\r\n"), CHUNKS_WHOLE);
	assert_int_equal(read_long("1\r\na\r\n0;", CHUNKS_TEXT_MAX - 3, "\r\n\r\n"), CHUNKS_REFUSED);
	assert_int_equal(read_long("0\r\na:", CHUNKS_TEXT_MAX - 6, "\r\n\r\n"), CHUNKS_WHOLE);
	assert_int_equal(read_long("0\r\na:", CHUNKS_TEXT_MAX - 5, "\r\n\r\n"), CHUNKS_REFUSED);
	assert_int_equal(read_long("0\r\na:b\r\n", CHUNKS_TEXT_MAX - 9, ":\r\n\r\n"), CHUNKS_REFUSED);
	assert_int_equal(read_long("2000\r\n", 0x2000, "\r\n0\r\n\r\n"), CHUNKS_WHOLE);
}

/* The size of the data is counted without that of the chunks' framing. */
static void
test_only_the_data_of_chunks_is_counted(void **state)
{
	static const char body[] = "5;a=b\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\na: b\r\n\r\n";
	struct chunks chunks;
	size_t total;

	for (size_t cut = 0; cut < sizeof body; cut++) {
		assert_int_equal(read_in_two(body, sizeof body - 1, cut, &chunks, &total), CHUNKS_WHOLE);
		assert_int_equal(chunks.data, strlen("hello world"));
	}
	assert_int_equal(read_in_two(body, strlen("5;a=b\r\nhel"), 3, &chunks, &total), CHUNKS_PARTIAL);
	assert_int_equal(chunks.data, strlen("hel"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_whole_body_is_read_to_its_last_byte),
	    cmocka_unit_test(test_a_malformed_body_is_refused_with_the_reason),
	    cmocka_unit_test(test_extensions_and_trailers_have_a_limit),
	    cmocka_unit_test(test_only_the_data_of_chunks_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
