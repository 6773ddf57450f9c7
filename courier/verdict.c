/* Decides whether a job is delivered, tried again, or dead. */
#include "courier/verdict.h"

#include <stdio.h>

#define JITTER_PERCENT 20
#define OUR_WAIT_LEAST_MS 1000 /* after an attempt that failed for our own reasons */
#define OUR_WAIT_MOST_MS 10000
#define NAME_WAIT_MS INT64_C(5000) /* at first */

/* Scales chance to 0..range. */
static int64_t
part_of(int64_t range, uint32_t chance)
{
	return (int64_t)((uint64_t)range * chance / UINT32_MAX);
}

static struct verdict
dead(const char *reason)
{
	struct verdict verdict = {.kind = VERDICT_DEAD, .charged = true};

	(void)snprintf(verdict.reason, sizeof verdict.reason, "%s", reason);
	return verdict;
}

/* The schedule's next wait, or the end of the job. last: the reason if no wait is left. */
static struct verdict
try_again(const struct endpoint_config *endpoint, uint32_t charged, uint32_t chance, const char *last)
{
	int64_t wait;

	if (charged > endpoint->waits)
		return dead(last);
	wait = endpoint->waits_ms[charged > 0 ? charged - 1 : 0];
	return (struct verdict){
	    .kind = VERDICT_RETRY, .charged = true, .wait_ms = wait + part_of(wait * JITTER_PERCENT / 100, chance)};
}

/* Whether another attempt would get the same answer. */
static bool
is_final(int32_t status)
{
	return status == 400 || status == 405 || status == 413 || status == 415 || status == 422;
}

static struct verdict
dead_by_status(int32_t status)
{
	char reason[VERDICT_REASON_MAX];

	(void)snprintf(reason, sizeof reason, "http_%d", status);
	return dead(reason);
}

static struct verdict
of_answer(
    const struct attempt_result *result, const struct endpoint_config *endpoint, uint32_t charged, uint32_t chance)
{
	int32_t status = result->http_status;
	bool asks_to_wait = result->retry_after_ms >= 0;
	struct verdict verdict;

	if (status >= 200 && status <= 299)
		return (struct verdict){.kind = VERDICT_DELIVERED, .charged = true};
	if (result->directive == DIRECTIVE_ABORT)
		return dead("aborted");
	if (status == 410 || (endpoint->fail_fast && is_final(status)))
		return dead_by_status(status);
	if (asks_to_wait && (status == 429 || status == 503))
		return (struct verdict){
		    .kind = VERDICT_RETRY, .wait_ms = result->retry_after_ms, .holds_endpoint = status == 429};
	verdict = try_again(endpoint, charged, chance, "max_attempts_exceeded");
	if (verdict.kind == VERDICT_RETRY && asks_to_wait)
		verdict.wait_ms = result->retry_after_ms;
	return verdict;
}

struct verdict
verdict_of(
    const struct attempt_result *result, const struct endpoint_config *endpoint, uint32_t charged, uint32_t chance)
{
	struct verdict verdict = {.kind = VERDICT_RETRY};

	switch (result->end) {
	case ATTEMPT_ANSWERED:
		verdict = of_answer(result, endpoint, charged, chance);
		verdict.disables = result->http_status == 410 || result->directive == DIRECTIVE_DISABLE;
		break;
	case ATTEMPT_FAILED:
		verdict = try_again(endpoint, charged, chance, "max_attempts_exceeded");
		break;
	case ATTEMPT_GUARD:
		verdict = try_again(endpoint, charged, chance, "guard");
		break;
	case ATTEMPT_INTERNAL:
		verdict.wait_ms = OUR_WAIT_LEAST_MS + part_of(OUR_WAIT_MOST_MS - OUR_WAIT_LEAST_MS, chance);
		break;
	case ATTEMPT_UNRESOLVED:
		verdict.wait_ms = NAME_WAIT_MS + part_of(NAME_WAIT_MS * JITTER_PERCENT / 100, chance);
		verdict.holds_endpoint = true;
		break;
	case ATTEMPT_TRANSFORM:
		verdict = dead("transform_error"); /* charged, so that a row in attempts shows the error */
		break;
	}
	return verdict;
}
