/* How an attempt without a reply is described to people. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/utf8.h"
#include "courier/failure.h"

static void
assert_utf8(const char *text)
{
	for (size_t len = strlen(text), at = 0, width; at < len; at += width) {
		width = utf8_length(text + at, len - at);
		assert_int_not_equal(width, 0);
	}
}

static void
test_a_certificate_with_long_names_is_described_in_whole_characters(void **state)
{
	char certificate[400] = "";

	for (size_t shift = 0; shift < 4; shift++) {
		struct failure failure = {.code = CURLE_PEER_FAILED_VERIFICATION,
		    .host = "a.example",
		    .certificate = certificate,
		    .detail = ""};
		struct attempt_result result = {0};

		memset(certificate, 'x', shift);
		certificate[shift] = '\0';
		while (strlen(certificate) + strlen("\xe2\x82\xac") < sizeof certificate)
			strcat(certificate, "\xe2\x82\xac");
		failure_describe(&failure, &result);
		assert_int_equal(result.end, ATTEMPT_FAILED);
		assert_true(strlen(result.error) > 256);
		assert_utf8(result.error);
		assert_string_equal(result.certificate_error, certificate);
	}
}

static void
test_a_text_that_libcurl_has_cut_is_shown_in_whole_characters(void **state)
{
	const struct failure failure = {.code = CURLE_PEER_FAILED_VERIFICATION,
	    .host = "a.example",
	    .certificate = "",
	    .detail = "subject name '\xe2\x82"};
	struct attempt_result result = {0};

	failure_describe(&failure, &result);
	assert_utf8(result.error);
	assert_utf8(result.certificate_error);
}

static void
test_an_attempt_that_the_courier_aborts_is_not_the_endpoints_failure(void **state)
{
	const struct failure failure = {
	    .code = CURLE_ABORTED_BY_CALLBACK, .host = "a.example", .certificate = "", .detail = ""};
	struct attempt_result result = {0};

	failure_describe(&failure, &result);
	assert_int_equal(result.end, ATTEMPT_INTERNAL);
}

static void
test_a_refused_connection_differs_from_one_without_an_answer(void **state)
{
	struct failure failure = {.code = CURLE_COULDNT_CONNECT,
	    .os_error = ECONNREFUSED,
	    .host = "a.example",
	    .certificate = "",
	    .detail = ""};
	struct attempt_result result = {0};

	failure_describe(&failure, &result);
	assert_int_equal(result.failure, FAILURE_REFUSED);
	failure.os_error = EHOSTUNREACH;
	failure_describe(&failure, &result);
	assert_int_equal(result.failure, FAILURE_CONNECTION);
}

static void
test_each_failure_has_its_kind(void **state)
{
	static const struct {
		CURLcode code;
		enum attempt_failure kind;
	} kinds[] = {{CURLE_OPERATION_TIMEDOUT, FAILURE_TIMEOUT}, {CURLE_PEER_FAILED_VERIFICATION, FAILURE_TLS},
	    {CURLE_SSL_CONNECT_ERROR, FAILURE_TLS}, {CURLE_RECV_ERROR, FAILURE_CONNECTION},
	    {CURLE_GOT_NOTHING, FAILURE_CONNECTION}};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		const struct failure failure = {
		    .code = kinds[i].code, .host = "a.example", .certificate = "", .detail = ""};
		struct attempt_result result = {0};

		failure_describe(&failure, &result);
		assert_int_equal(result.failure, kinds[i].kind);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_certificate_with_long_names_is_described_in_whole_characters),
	    cmocka_unit_test(test_a_text_that_libcurl_has_cut_is_shown_in_whole_characters),
	    cmocka_unit_test(test_an_attempt_that_the_courier_aborts_is_not_the_endpoints_failure),
	    cmocka_unit_test(test_a_refused_connection_differs_from_one_without_an_answer),
	    cmocka_unit_test(test_each_failure_has_its_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
