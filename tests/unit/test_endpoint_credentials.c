/* Headers, secrets and retry schedules of endpoints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "api/endpoint_headers.h"
#include "api/endpoint_secret.h"
#include "config/retry_schedule.h"

static struct span
span(const char *text)
{
	return (struct span){text, strlen(text)};
}

static void
assert_header_refused(const char *name, const char *value, const char *why)
{
	struct error err;

	if (endpoint_header_check(span(name), span(value), &err) == 0)
		fail_msg("%s is accepted", name);
	if (strstr(err.text, why) == NULL)
		fail_msg("%s: %s", name, err.text);
}

static void
test_headers_that_can_be_sent_are_accepted(void **state)
{
	static const char *const names[] = {"authorization", "X-Api-Key", "x-h", "x!#$%&'*+-.^_`|~9", "accept", "x-hlx",
	    "webhook", "hostname", "x-forwarded-host", "cookie"};
	struct error err;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (endpoint_header_check(span(names[i]), span("Bearer a b"), &err) != 0)
			fail_msg("%s: %s", names[i], err.text);
	assert_int_equal(endpoint_header_check(span("x-empty"), span(""), &err), 0);
	assert_int_equal(endpoint_header_check(span("x-all"), span("!\"#$ ~\\"), &err), 0);
}

static void
test_headers_that_break_a_request_are_refused(void **state)
{
	struct error err;

	assert_header_refused("", "a", "empty name");
	assert_header_refused("x y", "a", "byte 2 of its name");
	assert_header_refused("x:", "a", "byte 2 of its name");
	assert_header_refused("x\r\nHost", "a", "byte 2 of its name");
	assert_header_refused("x\xc3\xa9", "a", "byte 2 of its name");
	assert_header_refused("x(", "a", "byte 2 of its name");
	assert_header_refused("x-a", "a\r\nHost: b", "control character at byte 2 of its value");
	assert_header_refused("x-a", "a\n", "control character at byte 2");
	assert_header_refused("x-a", "\ta", "control character at byte 1");
	assert_header_refused("x-a", "a\x7f", "control character at byte 2");
	assert_header_refused("x-a", "a\xe2\x80\xa8", "beyond ASCII at byte 2");
	assert_header_refused("x-a", " a", "blank");
	assert_header_refused("x-a", "a ", "blank");
	assert_int_equal(endpoint_header_check((struct span){"x\0y", 3}, span("a"), &err), -1);
	assert_int_equal(endpoint_header_check(span("x-a"), (struct span){"a\0b", 3}, &err), -1);
}

static void
test_headers_of_the_service_are_refused_in_any_case(void **state)
{
	static const char *const names[] = {"Host", "CONTENT-LENGTH", "content-type", "Transfer-Encoding", "connection",
	    "Keep-Alive", "TE", "Upgrade", "Expect", "User-Agent", "X-HL-Signature", "x-hl-", "X-Hookline-Topic",
	    "Webhook-Id", "webhook-signature", "traceparent", "TraceState", "x-gp-signature", "Proxy-Authorization"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_header_refused(names[i], "a", "the service sets itself");
}

static void
test_the_length_of_a_header_is_limited(void **state)
{
	char value[ENDPOINT_HEADER_BYTES_MAX + 1];
	struct error err;

	memset(value, 'a', sizeof value);
	assert_int_equal(
	    endpoint_header_check(span("x-a"), (struct span){value, ENDPOINT_HEADER_BYTES_MAX - 3}, &err), 0);
	assert_int_equal(
	    endpoint_header_check(span("x-a"), (struct span){value, ENDPOINT_HEADER_BYTES_MAX - 2}, &err), -1);
	assert_non_null(strstr(err.text, "4097 bytes"));
}

static void
assert_secret_refused(const char *text, const char *why)
{
	struct error err;

	if (endpoint_secret_check(span(text), &err) == 0)
		fail_msg("%s is accepted", text);
	if (strstr(err.text, why) == NULL)
		fail_msg("%s: %s", text, err.text);
}

static void
test_secrets_that_all_receivers_read_alike_are_accepted(void **state)
{
	static const char *const secrets[] = {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
	    "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "12345678", "correct horse battery",
	    ("gr\xc3\xbc\xc3\x9f"
	     "e12"),
	    "whsec-is-not-it", "WHSEC_is a text"};
	struct error err;

	for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
		if (endpoint_secret_check(span(secrets[i]), &err) != 0)
			fail_msg("%s: %s", secrets[i], err.text);
}

static void
test_secrets_that_receivers_read_differently_are_refused(void **state)
{
	char long_secret[ENDPOINT_SECRET_MOST + 2] = "";
	struct error err;

	assert_secret_refused("", "at least 8");
	assert_secret_refused("abc", "has 3 bytes, at least 8");
	assert_secret_refused("whsec_", "0 bytes in base64");
	assert_secret_refused("whsec_AAAA", "3 bytes in base64");
	assert_secret_refused("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "not base64");
	assert_secret_refused("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "not base64");
	assert_secret_refused("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-_", "not base64");
	assert_secret_refused("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2La aSw", "not base64");
	assert_secret_refused("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=", "not base64");
	assert_secret_refused("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
			      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	    "66 bytes in base64");
	assert_secret_refused("v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "begins with 'v1,'");
	assert_secret_refused("v1a,abcdefgh", "begins with 'v1a,'");
	assert_secret_refused("whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "begins with 'whsk_'");
	assert_secret_refused("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", "line break, at byte 39");
	assert_secret_refused("abcdefgh\r", "line break, at byte 9");
	assert_secret_refused(" abcdefgh", "blank");
	assert_secret_refused("abcdefgh ", "blank");
	memset(long_secret, 'a', ENDPOINT_SECRET_MOST);
	assert_int_equal(endpoint_secret_check(span(long_secret), &err), 0);
	long_secret[ENDPOINT_SECRET_MOST] = 'a';
	assert_secret_refused(long_secret, "257 bytes");
}

static void
test_a_generated_secret_is_valid_and_differs_each_time(void **state)
{
	char one[ENDPOINT_SECRET_GENERATED_BYTES], other[ENDPOINT_SECRET_GENERATED_BYTES];
	struct error err;

	endpoint_secret_make(one);
	endpoint_secret_make(other);
	assert_int_equal(strlen(one), 6 + 44);
	assert_memory_equal(one, "whsec_", 6);
	assert_int_equal(endpoint_secret_check(span(one), &err), 0);
	assert_string_not_equal(one, other);
}

static void
test_retry_schedules_are_read_as_the_option_is(void **state)
{
	static const char *const right[] = {
	    "5s", "5s,30s,5m,30m,2h,5h,10h,14h,20h,24h", " 5s , 1500ms ", "168h", "1000ms"};
	static const char *const wrong[] = {"", ",", "5s,", ",5s", "5", "0s", "999ms", "169h", "-5s", "5x", "5s;6s",
	    "5 s 6s", "99999999999999999999s", "s"};
	char many[RETRY_WAITS_MAX * 3 + 4] = "1s";
	struct error err;

	for (size_t i = 0; i < sizeof right / sizeof *right; i++)
		if (retry_schedule_check(span(right[i]), &err) != 0)
			fail_msg("%s: %s", right[i], err.text);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (retry_schedule_check(span(wrong[i]), &err) == 0)
			fail_msg("%s is accepted", wrong[i]);
	assert_int_equal(retry_schedule_check(span("5s,30x"), &err), -1);
	assert_non_null(strstr(err.text, "at place 2"));
	for (int i = 1; i < RETRY_WAITS_MAX; i++)
		(void)strcat(many, ",1s");
	assert_int_equal(retry_schedule_check(span(many), &err), 0);
	assert_int_equal(retry_schedule_check(span(strcat(many, ",1s")), &err), -1);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_headers_that_can_be_sent_are_accepted),
	    cmocka_unit_test(test_headers_that_break_a_request_are_refused),
	    cmocka_unit_test(test_headers_of_the_service_are_refused_in_any_case),
	    cmocka_unit_test(test_the_length_of_a_header_is_limited),
	    cmocka_unit_test(test_secrets_that_all_receivers_read_alike_are_accepted),
	    cmocka_unit_test(test_secrets_that_receivers_read_differently_are_refused),
	    cmocka_unit_test(test_a_generated_secret_is_valid_and_differs_each_time),
	    cmocka_unit_test(test_retry_schedules_are_read_as_the_option_is),
	};

	return cmocka_run_group_tests_name("endpoint_credentials", tests, NULL, NULL);
}
