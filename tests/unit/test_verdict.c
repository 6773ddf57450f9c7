/* What an attempt means for its job, and what Retry-After asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "courier/retry_after.h"
#include "courier/verdict.h"

#define NOW_US INT64_C(1700000000000000) /* Tue, 14 Nov 2023 22:13:20 GMT */

static struct endpoint_config endpoint;

static int
set_up(void **state)
{
	endpoint = (struct endpoint_config){.fail_fast = true, .waits = 2, .waits_ms = {5000, 30000}};
	return 0;
}

static struct verdict
after(struct attempt_result result, uint32_t charged, uint32_t chance)
{
	return verdict_of(&result, &endpoint, charged, chance);
}

static struct verdict
after_status(int32_t status)
{
	return after(
	    (struct attempt_result){.end = ATTEMPT_ANSWERED, .http_status = status, .retry_after_ms = -1}, 1, 0);
}

static void
assert_dead(struct verdict verdict, const char *reason)
{
	assert_int_equal(verdict.kind, VERDICT_DEAD);
	assert_true(verdict.charged);
	assert_string_equal(verdict.reason, reason);
}

static void
assert_retry(struct verdict verdict, bool charged, int64_t wait_ms)
{
	assert_int_equal(verdict.kind, VERDICT_RETRY);
	assert_int_equal(verdict.charged, charged);
	assert_int_equal(verdict.wait_ms, wait_ms);
}

static void
test_only_2xx_is_delivered(void **state)
{
	for (int32_t status = 200; status <= 299; status++) {
		assert_int_equal(after_status(status).kind, VERDICT_DELIVERED);
		assert_true(after_status(status).charged);
	}
	for (int32_t status = 300; status <= 999; status++)
		assert_int_not_equal(after_status(status).kind, VERDICT_DELIVERED);
}

static void
test_a_permanent_refusal_ends_the_job_unless_the_endpoint_wants_retries(void **state)
{
	assert_dead(after_status(400), "http_400");
	assert_dead(after_status(405), "http_405");
	assert_dead(after_status(413), "http_413");
	assert_dead(after_status(415), "http_415");
	assert_dead(after_status(422), "http_422");
	endpoint.fail_fast = false;
	assert_retry(after_status(422), true, 5000);
	assert_dead(after_status(410), "http_410");
}

static void
test_every_other_answer_is_retried(void **state)
{
	static const int32_t others[] = {
	    301, 302, 307, 308, 401, 403, 404, 408, 409, 421, 425, 429, 500, 502, 503, 504};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		assert_retry(after_status(others[i]), true, 5000);
		assert_false(after_status(others[i]).disables);
	}
}

static void
test_waits_follow_the_schedule_with_up_to_a_fifth_more(void **state)
{
	struct attempt_result failed = {.end = ATTEMPT_FAILED, .retry_after_ms = -1};

	assert_retry(after(failed, 1, 0), true, 5000);
	assert_retry(after(failed, 1, UINT32_MAX), true, 6000);
	assert_retry(after(failed, 2, 0), true, 30000);
	assert_retry(after(failed, 2, UINT32_MAX / 2), true, 32999);
	assert_dead(after(failed, 3, 0), "max_attempts_exceeded");
	assert_dead(after(failed, UINT32_MAX, 0), "max_attempts_exceeded");
}

static void
test_a_refusal_of_the_guard_is_a_failure_with_a_reason_of_its_own(void **state)
{
	struct attempt_result guard = {.end = ATTEMPT_GUARD, .retry_after_ms = -1};

	assert_retry(after(guard, 1, 0), true, 5000);
	assert_dead(after(guard, 3, 0), "guard");
}

static void
test_an_attempt_that_the_service_ended_is_not_charged(void **state)
{
	struct attempt_result ours = {.end = ATTEMPT_INTERNAL, .retry_after_ms = -1};

	assert_retry(after(ours, 0, 0), false, 1000);
	assert_retry(after(ours, 99, UINT32_MAX), false, 10000);
}

static void
test_a_name_that_cannot_be_resolved_pauses_the_endpoint_and_is_not_charged(void **state)
{
	struct attempt_result unresolved = {.end = ATTEMPT_UNRESOLVED, .retry_after_ms = -1};

	assert_retry(after(unresolved, 0, 0), false, 5000);
	assert_retry(after(unresolved, 99, UINT32_MAX), false, 6000);
	assert_true(after(unresolved, 0, 0).holds_endpoint);
}

static void
test_an_endpoint_that_is_gone_or_asks_for_it_is_disabled(void **state)
{
	struct attempt_result asked = {
	    .end = ATTEMPT_ANSWERED, .http_status = 500, .directive = DIRECTIVE_DISABLE, .retry_after_ms = -1};

	assert_true(after_status(410).disables);
	assert_dead(after_status(410), "http_410");
	assert_true(after(asked, 1, 0).disables);
	assert_retry(after(asked, 1, 0), true, 5000);
	asked.http_status = 204;
	assert_true(after(asked, 1, 0).disables);
	assert_int_equal(after(asked, 1, 0).kind, VERDICT_DELIVERED);
}

static void
test_a_message_that_is_aborted_is_dead_unless_it_was_delivered(void **state)
{
	struct attempt_result asked = {
	    .end = ATTEMPT_ANSWERED, .http_status = 503, .directive = DIRECTIVE_ABORT, .retry_after_ms = 1000};

	assert_dead(after(asked, 1, 0), "aborted");
	asked.http_status = 200;
	assert_int_equal(after(asked, 1, 0).kind, VERDICT_DELIVERED);
}

static void
test_retry_after_is_obeyed_and_429_and_503_are_not_charged(void **state)
{
	struct attempt_result asked = {.end = ATTEMPT_ANSWERED, .http_status = 429, .retry_after_ms = 7000};

	assert_retry(after(asked, 9, UINT32_MAX), false, 7000);
	assert_true(after(asked, 9, 0).holds_endpoint);
	asked.http_status = 503;
	assert_retry(after(asked, 9, UINT32_MAX), false, 7000);
	assert_false(after(asked, 9, 0).holds_endpoint);
	asked.http_status = 500;
	assert_retry(after(asked, 1, UINT32_MAX), true, 7000);
	assert_dead(after(asked, 3, 0), "max_attempts_exceeded");
	asked.http_status = 422;
	assert_dead(after(asked, 1, 0), "http_422");
}

static void
test_a_transform_that_cannot_be_read_ends_the_job(void **state)
{
	assert_dead(
	    after((struct attempt_result){.end = ATTEMPT_TRANSFORM, .retry_after_ms = -1}, 1, 0), "transform_error");
}

static void
assert_retry_after(const char *value, int64_t ms)
{
	int64_t read = retry_after_read((struct span){value, strlen(value)}, NOW_US);

	if (read != ms)
		fail_msg("'%s' is read as %lld", value, (long long)read);
}

static void
test_retry_after_is_between_a_second_and_a_day_or_not_readable(void **state)
{
	assert_retry_after("1", 1000);
	assert_retry_after("120", 120000);
	assert_retry_after("0", 1000);
	assert_retry_after("-5", 1000);
	assert_retry_after("86400", 86400000);
	assert_retry_after("86401", 86400000);
	assert_retry_after("9999999999", 86400000);
	assert_retry_after("99999999999999999999", 86400000);
	assert_retry_after("-99999999999999999999", 1000);
	assert_retry_after("", -1);
	assert_retry_after("-", -1);
	assert_retry_after("abc", -1);
	assert_retry_after("5 seconds", -1);
	assert_retry_after("1.5", -1);
	assert_retry_after("--5", -1);
	assert_retry_after("Tue, 14 Nov 2023 22:13:50 GMT", 30000);
	assert_retry_after("Tuesday, 14-Nov-23 22:14:20 GMT", 60000);
	assert_retry_after("Tue Nov 14 22:15:20 2023", 120000);
	assert_retry_after("Tue, 14 Nov 2023 22:13:20 GMT", 1000);
	assert_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", 1000);
	assert_retry_after("Fri, 14 Nov 2053 22:13:20 GMT", 86400000);
	assert_retry_after("Tue, 44 Nov 2023 99:99:99 GMT", -1);
	assert_retry_after("Tue, 14 Nov 2023 22:13:50 GMT and more that is longer than any of the forms", -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_only_2xx_is_delivered, set_up),
	    cmocka_unit_test_setup(test_a_permanent_refusal_ends_the_job_unless_the_endpoint_wants_retries, set_up),
	    cmocka_unit_test_setup(test_every_other_answer_is_retried, set_up),
	    cmocka_unit_test_setup(test_waits_follow_the_schedule_with_up_to_a_fifth_more, set_up),
	    cmocka_unit_test_setup(test_a_refusal_of_the_guard_is_a_failure_with_a_reason_of_its_own, set_up),
	    cmocka_unit_test_setup(test_an_attempt_that_the_service_ended_is_not_charged, set_up),
	    cmocka_unit_test_setup(test_a_name_that_cannot_be_resolved_pauses_the_endpoint_and_is_not_charged, set_up),
	    cmocka_unit_test_setup(test_an_endpoint_that_is_gone_or_asks_for_it_is_disabled, set_up),
	    cmocka_unit_test_setup(test_a_message_that_is_aborted_is_dead_unless_it_was_delivered, set_up),
	    cmocka_unit_test_setup(test_retry_after_is_obeyed_and_429_and_503_are_not_charged, set_up),
	    cmocka_unit_test_setup(test_a_transform_that_cannot_be_read_ends_the_job, set_up),
	    cmocka_unit_test(test_retry_after_is_between_a_second_and_a_day_or_not_readable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
