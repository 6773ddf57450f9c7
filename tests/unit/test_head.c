/* Heads of requests: which are accepted, which are refused and why, in one piece and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/head.h"

/* Reads the head in pieces of that size. Each time it is in other memory, which ends with the bytes that have come. */
static int
read_in_pieces(const char *text, size_t len, size_t piece, struct head *head)
{
	int state = HEAD_PARTIAL;

	*head = (struct head){0};
	for (size_t come = 0; state == HEAD_PARTIAL && come < len;) {
		char *copy;

		come = come + piece < len ? come + piece : len;
		copy = malloc(come);
		assert_non_null(copy);
		memcpy(copy, text, come);
		state = head_read(head, copy, come);
		free(copy);
	}
	return state;
}

static void
check(const char *text, size_t len, int state, int status, const char *words)
{
	static const size_t pieces[] = {SIZE_MAX / 2, 1, 2, 3, 7};

	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		struct head head;

		assert_int_equal(read_in_pieces(text, len, pieces[i], &head), state);
		if (state == HEAD_REFUSED) {
			assert_int_equal(head.status, status);
			assert_non_null(strstr(head.why, words));
			assert_null(strpbrk(head.why, "\"\\\n"));
		}
	}
}

static void
check_whole(const char *head_text)
{
	char text[2048];
	size_t len = strlen(head_text);
	struct head head;

	check(head_text, len, HEAD_WHOLE, 0, "");
	check(head_text, len - 1, HEAD_PARTIAL, 0, "");
	/* The bytes after the head are not read. */
	(void)snprintf(text, sizeof text, "%s\x01 {\r\n\r\n", head_text);
	assert_int_equal(read_in_pieces(text, strlen(text), sizeof text, &head), HEAD_WHOLE);
	assert_int_equal(head.line, len);
}

static void
test_a_valid_head_is_read_to_its_end(void **state)
{
	check_whole("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	check_whole("GET /livez HTTP/1.0\r\n\r\n");
	check_whole("POST /events?a=b HTTP/1.1\r\nHost: h\r\nContent-Length: 35\r\nX:\r\nY: \t a\tb \r\n\r\n");
	check_whole("OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n");
	check_whole("M-SEARCH /\xc3\xa9 HTTP/1.1\r\nhost:h\r\nx_!#$%&'*+.^`|~-: \xc3\xa9\r\n\r\n");
	check_whole("CONNECT-A / HTTP/1.1\r\nHost: h\r\n\r\n");
	check_whole("POST / HTTP/1.0\r\nContent-Length: 5\r\ncontent-length:5\r\n\r\n");
	check_whole("POST / HTTP/1.0\r\nContent-Length: 9999999999999999999\r\n\r\n");
	check_whole("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-Continue\r\n\r\n");
}

static void
test_a_host_is_a_name_or_an_address(void **state)
{
	static const char *const hosts[] = {"h", "h:80", "h:", "a-b.c_d~e:65536", "127.0.0.1", "[::1]", "[::1]:8080",
	    "[fe80::1%25eth0]:1", "%2Frun%2Fs", ""};
	static const char *const others[] = {"a,b", "a b", "u@h", "h/", "h?", "h#", "h:p", "h:1:2", "::1", "[::1",
	    "[::1]2", "[::1]]", "]", "h\\", "\"h\"", "h\xc3\xa9", "http://h", "*"};
	char text[128];

	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		(void)snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", hosts[i]);
		check_whole(text);
	}
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		(void)snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", others[i]);
		check(text, strlen(text), HEAD_REFUSED, 400, "name or address");
	}
}

static void
check_url(const char *url, const char *host, int state, const char *words)
{
	char text[128];

	(void)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nX: y\r\nHost: %s\r\n\r\n", url, host);
	check(text, strlen(text), state, 400, words);
}

static void
test_a_url_in_the_request_line_names_the_same_host(void **state)
{
	check_url("http://h/livez", "h", HEAD_WHOLE, "");
	check_url("HTTP://h", "H:80", HEAD_WHOLE, "");
	check_url("http://h:80/", "h", HEAD_WHOLE, "");
	check_url("http://h:/", "h", HEAD_WHOLE, "");
	check_url("https://[::1]:443/?a", "[::1]", HEAD_WHOLE, "");
	check_url("https://h:8443/", "h:8443", HEAD_WHOLE, "");
	check_url("http://h/", "i", HEAD_REFUSED, "different hosts");
	check_url("http://h/", "h:443", HEAD_REFUSED, "different hosts");
	check_url("https://h/", "h:80", HEAD_REFUSED, "different hosts");
	check_url("http://h/", "", HEAD_REFUSED, "different hosts");
	check_url("http://h80/", "h", HEAD_REFUSED, "different hosts");
	check_url("http://u@h/", "h", HEAD_REFUSED, "no host");
	check_url("http://h?a", "h", HEAD_REFUSED, "no host");
	check_url("http:///", "h", HEAD_REFUSED, "no host");
	check_url("http://", "h", HEAD_REFUSED, "a path");
	check_url("https://", "h", HEAD_REFUSED, "a path");
	check_url("ftp://h/", "h", HEAD_REFUSED, "a path");
	check_url("h:443", "h", HEAD_REFUSED, "a path");
	check_url("**", "h", HEAD_REFUSED, "a path");
	check_url("/a#b", "h", HEAD_REFUSED, "%23");
	check("GET http://h/ HTTP/1.0\r\n\r\n", 26, HEAD_WHOLE, 0, "");
}

static void
test_a_head_that_contradicts_itself_is_refused_at_its_end(void **state)
{
	static const char *const cases[][2] = {
	    {"GET / HTTP/1.1\r\n\r\n", "no header Host"},
	    {"GET / HTTP/1.9\r\nX-Host: h\r\n\r\n", "no header Host"},
	    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.0"},
	    {"POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n", "HTTP/1.0"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check(cases[i][0], strlen(cases[i][0]), HEAD_REFUSED, 400, cases[i][1]);
}

static void
test_empty_lines_before_a_request_are_skipped(void **state)
{
	assert_int_equal(head_empty_lines("\r\n\r\nGET", 7), 4);
	assert_int_equal(head_empty_lines("\r\n\r", 3), 2);
	assert_int_equal(head_empty_lines("\r", 1), 0);
	assert_int_equal(head_empty_lines("\n\r\n", 3), 0);
	assert_int_equal(head_empty_lines("\r\r\n", 3), 0);
	assert_int_equal(head_empty_lines("", 0), 0);
}

static void
test_bytes_that_are_no_http_are_refused(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *words;
	} cases[] = {
	    {"\x16\x03\x01\x02\x00\x01", 6, "TLS"},
	    {"\x16", 1, "TLS"},
	    {"\x04\x01\x00\x50", 4, "not HTTP"},
	    {"\x05\x01\x00", 3, "not HTTP"},
	    {"\x00\x00\x00\x08\x04\xd2\x16\x2f", 8, "not HTTP"},
	    {"{\"event_type\":\"a\"}", 18, "not HTTP"},
	    {"SSH-2.0-OpenSSH_9.2\r\n", 21, "not HTTP"},
	    {"*1\r\n$4\r\nPING\r\n", 14, "not HTTP"},
	    {"GET\r\n\r\n", 7, "not HTTP"},
	    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24, "HTTP/1.1 and HTTP/1.0"},
	    {"GET / HTTP/0.9\r\n\r\n", 18, "HTTP/1.1 and HTTP/1.0"},
	    {"GET / HTTP/1.10\r\n\r\n", 19, "HTTP/1.1 and HTTP/1.0"},
	    {"GET / http/1.1\r\n\r\n", 18, "HTTP/1.1 and HTTP/1.0"},
	    {"GET /\r\n", 7, "HTTP/1.1 and HTTP/1.0"},
	    {"CONNECT h:443 HTTP/1.1\r\n", 24, "tunnel"},
	    {"CONNECT /a HTTP/1.1\r\n", 21, "tunnel"},
	    {"CONNECT-UDP / HTTP/1.1\r\n", 24, "tunnel"},
	    {"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n", 32, "HTTP/1.1 and HTTP/1.0"},
	    {"GET  HTTP/1.1\r\n\r\n", 17, "no path"},
	    {"GET /a b HTTP/1.1\r\n\r\n", 21, "blank"},
	    {"GET /\x01 HTTP/1.1\r\n\r\n", 19, "control"},
	    {"GET /a\tb HTTP/1.1\r\n\r\n", 21, "control"},
	    {"GET / HTTP/1.1\r\t\n", 17, "control"},
	    {"stats\x00\x01", 7, "control"},
	    {"stats\n", 6, "LF alone"},
	    {"GET / HTTP/1.0\n\n", 16, "LF alone"},
	    {"\rGET / HTTP/1.0\r\n\r\n", 19, "not HTTP"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check(cases[i].text, cases[i].len, HEAD_REFUSED, 400, cases[i].words);
}

static void
test_malformed_headers_are_refused(void **state)
{
	static const char *const cases[][2] = {
	    {"no colon", "not of the form"},
	    {": v", "not of the form"},
	    {"Name : v", "not of the form"},
	    {" continued", "not of the form"},
	    {"a\x01: v", "control"},
	    {"N\xc3\xa9: v", "not of the form"},
	    {"a: b\rc", "control"},
	    {"a: b\r", "control"},
	    {"a: 0123456\x7f"
	     "01234567",
		"control"},
	    {"a: 0123456\xff\x80\x1f"
	     "01234567",
		"control"},
	    {"a: \x7f", "control"},
	    {"a: \x1b[0m", "control"},
	    {"Content-Length: 5\r\nContent-Length: 6", "they differ"},
	    {"Content-Length: 5\r\nContent-Length: 55", "they differ"},
	    {"Content-Length: 5\r\nContent-Length: 05", "they differ"},
	    {"Content-Length:", "not a number"},
	    {"Content-Length: \t ", "not a number"},
	    {"Content-Length: 5 ", "not a number"},
	    {"Content-Length: +5", "not a number"},
	    {"Content-Length: 5, 5", "not a number"},
	    {"Content-Length: 10000000000000000000", "not a number"},
	    {"Content-Length: 00000000000000000005", "not a number"},
	    {"Content-Length: 5\r\nTransfer-Encoding: chunked", "both"},
	    {"transfer-encoding: chunked\r\ncontent-length: 5", "both"},
	    {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "two headers Transfer-Encoding"},
	    {"Transfer-Encoding:", "something other"},
	    {"Transfer-Encoding: gzip, chunked", "something other"},
	    {"Transfer-Encoding: chunked;q=1", "something other"},
	    {"Host: h", "two headers Host"},
	    {"a: b\nc: d", "LF alone"},
	    {"a: b\r\n\n", "LF alone"},
	    {"a: b\r\r\n", "control"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[256];

		(void)snprintf(text, sizeof text, "POST /events HTTP/1.1\r\nHost: h\r\n%s\r\n\r\n", cases[i][0]);
		check(text, strlen(text), HEAD_REFUSED, 400, cases[i][1]);
	}
	check("GET / HTTP/1.1\r\na: \0\r\n\r\n", 24, HEAD_REFUSED, 400, "control");
	check("POST / HTTP/1.1\r\nExpect: wonders\r\n", 34, HEAD_REFUSED, 417, "expectation");
	check("POST / HTTP/1.1\r\nExpect: 100-continue \r\n", 40, HEAD_REFUSED, 417, "expectation");
}

static void
test_the_number_and_size_of_headers_are_limited(void **state)
{
	size_t size = HEAD_BYTES_MAX + 100, len = 0;
	char *text = malloc(size);
	struct head head;

	assert_non_null(text);
	len = (size_t)sprintf(text, "GET / HTTP/1.0\r\n");
	for (int i = 0; i < HEAD_FIELDS_MAX; i++)
		len += (size_t)sprintf(text + len, "a%d: b\r\n", i);
	memcpy(text + len, "\r\n", 2);
	assert_int_equal(read_in_pieces(text, len + 2, size, &head), HEAD_WHOLE);
	memcpy(text + len, "x: y\r\n", 6);
	check(text, len + 6, HEAD_REFUSED, 431, "more than 100");

	memset(text, 'x', size);
	memcpy(text, "GET /", 5);
	assert_int_equal(read_in_pieces(text, HEAD_BYTES_MAX - 1, 1000, &head), HEAD_PARTIAL);
	assert_int_equal(read_in_pieces(text, HEAD_BYTES_MAX, 1000, &head), HEAD_REFUSED);
	assert_int_equal(head.status, 414);
	memcpy(text, "GET / HTTP/1.0\r\na:", 18);
	assert_int_equal(read_in_pieces(text, size, size, &head), HEAD_REFUSED);
	assert_int_equal(head.status, 431);
	memcpy(text + HEAD_BYTES_MAX - 4, "\r\n\r\n", 4);
	assert_int_equal(read_in_pieces(text, size, size, &head), HEAD_WHOLE);
	assert_int_equal(head.line, HEAD_BYTES_MAX);
	memcpy(text + HEAD_BYTES_MAX - 4, "x\r\n\r", 4);
	text[HEAD_BYTES_MAX] = '\n';
	assert_int_equal(read_in_pieces(text, size, size, &head), HEAD_REFUSED);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_valid_head_is_read_to_its_end),
	    cmocka_unit_test(test_a_host_is_a_name_or_an_address),
	    cmocka_unit_test(test_a_url_in_the_request_line_names_the_same_host),
	    cmocka_unit_test(test_a_head_that_contradicts_itself_is_refused_at_its_end),
	    cmocka_unit_test(test_empty_lines_before_a_request_are_skipped),
	    cmocka_unit_test(test_bytes_that_are_no_http_are_refused),
	    cmocka_unit_test(test_malformed_headers_are_refused),
	    cmocka_unit_test(test_the_number_and_size_of_headers_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
