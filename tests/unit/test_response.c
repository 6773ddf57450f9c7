/* Replies, line by line, and which part of their bodies is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "courier/response.h"

static struct response reply;

static int
begin(void **state)
{
	reply = (struct response){0};
	response_begin(&reply, true);
	return 0;
}

static int
end(void **state)
{
	response_free(&reply);
	return 0;
}

static bool
line(const char *text)
{
	return response_head(&reply, (struct span){text, strlen(text)}, 0);
}

static void
test_the_status_decides_when_the_head_is_complete(void **state)
{
	assert_true(line("HTTP/1.1 204 No Content\r\n"));
	assert_true(line("Retry-After: 7\r\n"));
	assert_false(reply.complete);
	assert_true(line("\r\n"));
	assert_true(reply.complete);
	assert_int_equal(reply.status, 204);
	assert_int_equal(reply.retry_after_ms, 7000);
}

static void
test_an_informational_reply_is_no_reply(void **state)
{
	assert_true(line("HTTP/1.1 100 Continue\r\n"));
	assert_true(line("retry-after: 7\r\n"));
	assert_true(line("webhook-delivery: disable\r\n"));
	assert_true(line("\r\n"));
	assert_false(reply.complete);
	assert_true(line("HTTP/2 503 \r\n"));
	assert_true(line("\r\n"));
	assert_true(reply.complete);
	assert_int_equal(reply.status, 503);
	assert_int_equal(reply.retry_after_ms, -1);
	assert_int_equal(reply.directive, DIRECTIVE_NONE);
}

static void
test_trailers_change_nothing(void **state)
{
	assert_true(line("HTTP/1.1 200 OK\r\n"));
	assert_true(line("\r\n"));
	assert_true(line("webhook-delivery: disable\r\n"));
	assert_true(line("HTTP/1.1 410 Gone\r\n"));
	assert_int_equal(reply.status, 200);
	assert_int_equal(reply.directive, DIRECTIVE_NONE);
}

static void
test_a_receiver_controls_retries_with_a_header(void **state)
{
	assert_true(line("HTTP/1.1 500 X\r\n"));
	assert_true(line("Webhook-Delivery:\tdisable \r\n"));
	assert_int_equal(reply.directive, DIRECTIVE_DISABLE);
	assert_true(line("webhook-delivery: abort-message\n"));
	assert_int_equal(reply.directive, DIRECTIVE_ABORT);
	assert_true(line("webhook-delivery: disabled\r\n"));
	assert_true(line("webhook-deliver: disable\r\n"));
	assert_int_equal(reply.directive, DIRECTIVE_ABORT);
}

static void
test_scheme_and_host_of_a_redirect_are_kept(void **state)
{
	static const char *const others[] = {"location: /path\r\n", "location:\r\n", "location: ftp://a/\r\n",
	    "location: http://user:word@a/\r\n", "location: https://a\x01/\r\n", "location: //a/b\r\n"};

	assert_true(line("HTTP/1.1 302 Found\r\n"));
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		assert_true(line(others[i]));
		assert_string_equal(reply.redirect, "");
	}
	assert_true(line("Location: HTTPS://login.example:8443/?token=1\r\n"));
	assert_string_equal(reply.redirect, "https://login.example:8443");
}

static void
test_lines_that_are_no_headers_are_ignored(void **state)
{
	static const char *const odd[] = {"HTTP/1.1\r\n", "HTTP/\r\n", "HTTP/1.1 \r\n", "HTTP/1.1 2x0\r\n", ":\r\n",
	    ": a\r\n", "no colon\r\n", "retry-after\r\n", "retry-after:\r\n", "\r\n"};

	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
		assert_true(line(odd[i]));
	assert_false(reply.complete);
}

static void
test_a_head_without_end_is_cut(void **state)
{
	char long_line[1025];
	int taken = 0;

	memset(long_line, 'a', 1024);
	long_line[1024] = '\0';
	while (line(long_line))
		taken++;
	assert_int_equal(taken, 64);
}

static void
assert_text(const char *body, size_t len, const char *expected, size_t expected_len)
{
	char text[ATTEMPT_RESPONSE_MAX + 1];

	response_begin(&reply, true);
	(void)response_body(&reply, (struct span){body, len});
	response_text(&reply, text);
	assert_int_equal(strlen(text), expected_len);
	assert_memory_equal(text, expected, expected_len);
}

static void
test_the_kept_text_is_utf8_without_nul(void **state)
{
	static char large[100000];
	char text[ATTEMPT_RESPONSE_MAX + 1];

	assert_text("ok", 2, "ok", 2);
	assert_text("", 0, "", 0);
	assert_text("a\0b", 3,
	    "a\xef\xbf\xbd"
	    "b",
	    5);
	assert_text("\xff\xc3\xa9\xed\xa0\x80", 6, "\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", 14);
	assert_text("a\xc3", 2, "a\xef\xbf\xbd", 4); /* cut by the receiver, or by the end of the connection */
	memset(large, 'a', sizeof large);
	memcpy(large + ATTEMPT_RESPONSE_MAX - 2, "\xf0\x9f\x98\x80", 4); /* the limit cuts the character in two */
	assert_text(large, sizeof large, large, ATTEMPT_RESPONSE_MAX - 2);
	memset(large, 0xff, sizeof large);
	response_begin(&reply, true);
	(void)response_body(&reply, (struct span){large, sizeof large});
	response_text(&reply, text);
	assert_int_equal(strlen(text), ATTEMPT_RESPONSE_MAX / 3 * 3);
}

static void
test_a_body_is_read_up_to_the_limit(void **state)
{
	static char half[REPLY_BODY_MAX / 2];

	assert_true(response_body(&reply, (struct span){half, sizeof half}));
	assert_true(response_body(&reply, (struct span){half, sizeof half}));
	assert_false(response_body(&reply, (struct span){half, 1}));
	assert_int_equal(reply.body.len, ATTEMPT_RESPONSE_MAX);
	response_begin(&reply, false);
	assert_true(response_body(&reply, (struct span){half, sizeof half}));
	assert_int_equal(reply.body.len, 0);
}

#define REPLY_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    REPLY_TEST(test_the_status_decides_when_the_head_is_complete),
	    REPLY_TEST(test_an_informational_reply_is_no_reply),
	    REPLY_TEST(test_trailers_change_nothing),
	    REPLY_TEST(test_a_receiver_controls_retries_with_a_header),
	    REPLY_TEST(test_scheme_and_host_of_a_redirect_are_kept),
	    REPLY_TEST(test_lines_that_are_no_headers_are_ignored),
	    REPLY_TEST(test_a_head_without_end_is_cut),
	    REPLY_TEST(test_the_kept_text_is_utf8_without_nul),
	    REPLY_TEST(test_a_body_is_read_up_to_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
