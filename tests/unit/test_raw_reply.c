/* Answers that are written without libh2o: each is a whole HTTP message with the right length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/raw_reply.h"

static void
test_an_answer_is_a_whole_message_that_ends_its_connection(void **state)
{
	char answer[RAW_REPLY_BYTES];
	size_t len = raw_reply(answer, 431, "There are more than 100 headers", false);
	const char *body, *declared;

	assert_int_equal(len, strlen(answer));
	assert_memory_equal(answer, "HTTP/1.1 431 Request Header Fields Too Large\r\n", 46);
	assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
	assert_non_null(strstr(answer, "\r\nContent-Type: application/json\r\n"));
	body = strstr(answer, "\r\n\r\n");
	assert_non_null(body);
	assert_string_equal(body + 4, "{\"detail\":\"There are more than 100 headers\"}");
	declared = strstr(answer, "\r\nContent-Length: ");
	assert_non_null(declared);
	assert_int_equal(strtoul(declared + 18, NULL, 10), strlen(body + 4));
}

static void
test_the_longest_text_fits(void **state)
{
	char answer[RAW_REPLY_BYTES], text[401];

	memset(text, 'x', 400);
	text[400] = '\0';
	assert_true(raw_reply(answer, 400, text, true) < RAW_REPLY_BYTES);
	assert_non_null(strstr(answer, text));
}

static void
test_an_answer_of_the_management_api_has_its_shape(void **state)
{
	char answer[RAW_REPLY_BYTES];

	(void)raw_reply(answer, 400, "No", true);
	assert_string_equal(
	    strstr(answer, "\r\n\r\n") + 4, "{\"error\":\"bad_request\",\"detail\":\"No\",\"message\":\"No\"}");
}

static void
test_an_answer_to_try_again_has_retry_after(void **state)
{
	char answer[RAW_REPLY_BYTES];

	(void)raw_reply(answer, 503, "No", true);
	assert_non_null(strstr(answer, "\r\nRetry-After: 1\r\n"));
	assert_non_null(strstr(answer, "\r\n\r\n{\"error\":\"overloaded\","));
	(void)raw_reply(answer, 408, "Slow", true);
	assert_non_null(strstr(answer, "\r\n\r\n{\"error\":\"request_timeout\","));
	(void)raw_reply(answer, 400, "No", false);
	assert_null(strstr(answer, "Retry-After"));
}

static void
test_an_answer_that_wants_a_key_names_the_scheme(void **state)
{
	char answer[RAW_REPLY_BYTES];

	(void)raw_reply(answer, 401, "No", true);
	assert_non_null(strstr(answer, "\r\nWWW-Authenticate: Bearer\r\n"));
	assert_non_null(strstr(answer, "\r\n\r\n{\"error\":\"unauthorized\",\"code\":\"AUTH_REQUIRED\","));
}

static void
test_every_status_has_its_reason_phrase(void **state)
{
	static const struct {
		int status;
		const char *reason;
	} cases[] = {{200, "OK"}, {202, "Accepted"}, {204, "No Content"}, {400, "Bad Request"}, {404, "Not Found"},
	    {405, "Method Not Allowed"}, {408, "Request Timeout"}, {413, "Content Too Large"}, {414, "URI Too Long"},
	    {415, "Unsupported Media Type"}, {417, "Expectation Failed"}, {422, "Unprocessable Content"},
	    {503, "Service Unavailable"}, {504, "Gateway Timeout"}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(status_reason(cases[i].status), cases[i].reason);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_an_answer_is_a_whole_message_that_ends_its_connection),
	    cmocka_unit_test(test_the_longest_text_fits),
	    cmocka_unit_test(test_an_answer_of_the_management_api_has_its_shape),
	    cmocka_unit_test(test_an_answer_to_try_again_has_retry_after),
	    cmocka_unit_test(test_an_answer_that_wants_a_key_names_the_scheme),
	    cmocka_unit_test(test_every_status_has_its_reason_phrase),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
