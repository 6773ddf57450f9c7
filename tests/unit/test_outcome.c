/* Outcomes of attempts as they are written to a lane. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "courier/outcome.h"

#define TEXT(literal) ((struct span){literal, sizeof(literal) - 1})

static _Alignas(8) char bytes[OUTCOME_BYTES_MAX];

static struct outcome
some_outcome(void)
{
	struct outcome outcome = {
	    .job = {.tenant_id = TEXT("acme"), .attempt_count = 3, .expires_ms = 1800000000000},
	    .kind = VERDICT_DEAD,
	    .charged = true,
	    .disables = true,
	    .of_notice = true,
	    .breaker_version = 7,
	    .due_ms = 1700000000123,
	    .reason = TEXT("http_410"),
	    .end = ATTEMPT_ANSWERED,
	    .http_status = 410,
	    .started_us = 1700000000123456,
	    .duration_ms = 17,
	    .dns_ms = -1,
	    .connect_ms = 2,
	    .tls_ms = 3,
	    .first_byte_ms = 4,
	    .peer = TEXT("203.0.113.7:443"),
	    .error = TEXT("gone for good"),
	    .response = TEXT("{\"gone\":true}"),
	};

	memset(outcome.job.endpoint_id, 1, 16);
	memset(outcome.job.job_id, 2, 16);
	memset(outcome.job.event_id, 3, 16);
	memset(outcome.attempt_id, 4, 16);
	return outcome;
}

static void
assert_same_text(struct span expected, struct span text)
{
	assert_int_equal(expected.len, text.len);
	if (expected.len > 0)
		assert_memory_equal(expected.base, text.base, text.len);
	else
		assert_null(text.base);
}

static void
test_an_outcome_is_read_back_as_it_was_written(void **state)
{
	struct outcome put = some_outcome(), got;
	size_t length = outcome_write(bytes, &put);

	assert_int_equal(length % 8, 0);
	assert_true(outcome_read(bytes, length, &got));
	assert_same_text(put.job.tenant_id, got.job.tenant_id);
	assert_same_text(put.reason, got.reason);
	assert_same_text(put.peer, got.peer);
	assert_same_text(put.error, got.error);
	assert_same_text(put.certificate_error, got.certificate_error);
	assert_same_text(put.response, got.response);
	assert_memory_equal(put.job.endpoint_id, got.job.endpoint_id, 16);
	assert_memory_equal(put.job.job_id, got.job.job_id, 16);
	assert_memory_equal(put.job.event_id, got.job.event_id, 16);
	assert_memory_equal(put.attempt_id, got.attempt_id, 16);
	assert_int_equal(got.job.attempt_count, 3);
	assert_int_equal(got.job.expires_ms, 1800000000000);
	assert_int_equal(got.kind, VERDICT_DEAD);
	assert_true(got.charged && got.disables && got.of_notice);
	assert_int_equal(got.breaker_version, 7);
	assert_int_equal(got.due_ms, 1700000000123);
	assert_int_equal(got.end, ATTEMPT_ANSWERED);
	assert_int_equal(got.http_status, 410);
	assert_int_equal(got.started_us, 1700000000123456);
	assert_int_equal(got.duration_ms, 17);
	assert_int_equal(got.dns_ms, -1);
	assert_int_equal(got.connect_ms, 2);
	assert_int_equal(got.tls_ms, 3);
	assert_int_equal(got.first_byte_ms, 4);
}

static void
test_the_longest_texts_fit(void **state)
{
	static char text[ATTEMPT_RESPONSE_MAX];
	struct outcome put = some_outcome(), got;

	memset(text, 'x', sizeof text);
	put.job.tenant_id = (struct span){text, 64};
	put.reason = (struct span){text, VERDICT_REASON_MAX};
	put.peer = (struct span){text, ATTEMPT_PEER_MAX};
	put.error = put.certificate_error = (struct span){text, ATTEMPT_ERROR_MAX};
	put.response = (struct span){text, ATTEMPT_RESPONSE_MAX};
	size_t length = outcome_write(bytes, &put);
	assert_true(length <= OUTCOME_BYTES_MAX);
	assert_true(outcome_read(bytes, length, &got));
	assert_same_text(put.response, got.response);
}

/* Each bit of it is flipped, and it is cut to each length. */
static void
test_a_damaged_outcome_is_refused(void **state)
{
	struct outcome put = some_outcome(), got;
	size_t length = outcome_write(bytes, &put);

	for (size_t bit = 0; bit < 8 * length; bit++) {
		bytes[bit / 8] ^= (char)(1 << bit % 8);
		assert_false(outcome_read(bytes, length, &got));
		bytes[bit / 8] ^= (char)(1 << bit % 8);
	}
	for (size_t other = 0; other < sizeof bytes; other++)
		assert_true(outcome_read(bytes, other, &got) == (other == length));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_an_outcome_is_read_back_as_it_was_written),
	    cmocka_unit_test(test_the_longest_texts_fit),
	    cmocka_unit_test(test_a_damaged_outcome_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
