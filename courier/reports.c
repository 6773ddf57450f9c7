/* Makes an outcome on the lane from the end of an attempt. */
#include "courier/reports.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "courier/outcome.h"
#include "courier/queues.h"
#include "courier/verdict.h"
#include "event/topic.h"
#include "shm/counters.h"

#define WAIT_DOUBLES 5u /* the wait for a name server doubles up to 160 s */

bool
reports_have_room(const struct reports *reports)
{
	uint64_t promised = reports->jobs->in_flight + 1;
	size_t available;

	return lane_free_descriptors(&reports->lane) >= promised && lane_reserve(&reports->lane, &available) != NULL &&
	       available >= promised * OUTCOME_BYTES_MAX;
}

static uint32_t
put(struct reports *reports, const struct outcome *outcome)
{
	size_t available;
	char *base = lane_reserve(&reports->lane, &available);

	assert(base != NULL && available >= OUTCOME_BYTES_MAX); /* reports_have_room() was asked */
	reports->any = true;
	return lane_publish(&reports->lane, outcome_write(base, outcome), 1, 0);
}

static struct span
span_of(const char *text)
{
	return (struct span){text, strlen(text)};
}

static struct outcome_job
outcome_job(const struct jobs *jobs, const struct job *job)
{
	int64_t left_us = job->expires_us - jobs->ready->now_us;
	struct outcome_job out = {.tenant_id = span_of(job->queue->tenant->tenant_id),
	    .attempt_count = job->attempt_count,
	    .expires_ms = job->expires_anew ? (clock_boot_us() + left_us) / 1000 : 0};

	memcpy(out.endpoint_id, job->queue->link.id, sizeof out.endpoint_id);
	memcpy(out.job_id, job->link.id, sizeof out.job_id);
	memcpy(out.event_id, job->event->event_id, sizeof out.event_id);
	return out;
}

static enum counter
outcome_of(const struct attempt_result *result)
{
	static const enum counter of_end[] = {[ATTEMPT_GUARD] = COUNTER_ATTEMPTS_GUARD,
	    [ATTEMPT_INTERNAL] = COUNTER_ATTEMPTS_INTERNAL,
	    [ATTEMPT_TRANSFORM] = COUNTER_ATTEMPTS_TRANSFORM,
	    [ATTEMPT_UNRESOLVED] = COUNTER_ATTEMPTS_NAME};
	static const enum counter of_failure[] = {[FAILURE_CONNECTION] = COUNTER_ATTEMPTS_CONNECTION,
	    [FAILURE_TIMEOUT] = COUNTER_ATTEMPTS_TIMEOUT,
	    [FAILURE_REFUSED] = COUNTER_ATTEMPTS_REFUSED,
	    [FAILURE_TLS] = COUNTER_ATTEMPTS_TLS};
	static const enum counter of_class[] = {
	    COUNTER_ATTEMPTS_2XX, COUNTER_ATTEMPTS_3XX, COUNTER_ATTEMPTS_4XX, COUNTER_ATTEMPTS_5XX};
	int32_t class = result->http_status / 100;

	if (result->end == ATTEMPT_FAILED)
		return of_failure[result->failure];
	if (result->end != ATTEMPT_ANSWERED)
		return of_end[result->end];
	return class >= 2 && class <= 5 ? of_class[class - 2] : COUNTER_ATTEMPTS_CONNECTION;
}

static void
count_attempt(struct reports *reports, const struct attempt_result *result, const struct verdict *verdict)
{
	enum counter counter = COUNTER_DELIVERIES_UNCHARGED;

	if (verdict->kind == VERDICT_DELIVERED)
		counter = COUNTER_DELIVERIES_DELIVERED;
	else if (verdict->kind == VERDICT_DEAD)
		counter = COUNTER_DELIVERIES_DEAD;
	else if (verdict->charged)
		counter = COUNTER_DELIVERIES_RETRIED;
	counter_add(reports->slot, counter, 1);
	counter_add(reports->slot, outcome_of(result), 1);
	if (result->end == ATTEMPT_ANSWERED || result->end == ATTEMPT_FAILED)
		histogram_add(reports->slot, HISTOGRAM_ATTEMPT, (uint64_t)result->duration_ms * 1000);
}

/* An attempt that was not made says nothing about its endpoint, nor does a 429 that holds the endpoint. */
static enum breaker_result
breaker_result_of(const struct attempt_result *result, const struct verdict *verdict)
{
	switch (result->end) {
	case ATTEMPT_INTERNAL:
	case ATTEMPT_TRANSFORM:
	case ATTEMPT_UNRESOLVED:
		return BREAKER_NO_RESULT;
	case ATTEMPT_ANSWERED:
		if (verdict->kind == VERDICT_DELIVERED)
			return BREAKER_SUCCESS;
		return verdict->holds_endpoint ? BREAKER_NO_RESULT : BREAKER_FAILURE;
	case ATTEMPT_FAILED:
	case ATTEMPT_GUARD:
		break;
	}
	return result->failure == FAILURE_REFUSED ? BREAKER_REFUSED : BREAKER_FAILURE;
}

static void
end_for_breaker(
    struct jobs *jobs, const struct job *job, const struct attempt_result *result, const struct verdict *verdict)
{
	struct queue *queue = job->queue;

	if (job->config->breaker_version != queue->breaker_version || queue->state != ENDPOINT_LOADED)
		return;
	breaker_end(&queue->breaker, job->is_probe, breaker_result_of(result, verdict), jobs->ready->now_us);
	queues_write_breaker(jobs->queues, queue);
	if (queue->breaker.state == BREAKER_OPEN)
		jobs_unload_most(jobs, queue);
	read_schedule_update(jobs->schedule, queue);
}

/* Applies the verdict to the endpoint: it holds its jobs for a while, or is disabled. */
static void
apply_to_endpoint(struct jobs *jobs, struct job *job, const struct verdict *verdict)
{
	struct queue *queue = job->queue;
	int64_t until_us = jobs->ready->now_us + verdict->wait_ms * 1000;

	if (verdict->holds_endpoint && until_us > queue->held_until_us) {
		queue->held_until_us = until_us;
		read_schedule_update(jobs->schedule, queue);
	}
	if (verdict->disables && job->config->breaker_version == queue->breaker_version) {
		job->disables = true;
		queue->disabling = true;
		read_schedule_update(jobs->schedule, queue);
	}
	if (queue->disabling || queue->held_until_us - jobs->ready->now_us > READ_AHEAD_US)
		jobs_unload(jobs, queue);
	ready_update(jobs->ready, queue);
}

/*
 * Holds an endpoint whose name no name server answers for, longer each time. One attempt at a time checks whether one
 * answers again.
 */
static void
wait_for_name(const struct jobs *jobs, struct queue *queue, struct verdict *verdict)
{
	int64_t left_us = queue->held_until_us - jobs->ready->now_us;

	if (queue->unresolved > 0 && left_us > 0) { /* begun before another attempt failed */
		verdict->wait_ms = left_us / 1000 + 1;
		return;
	}
	verdict->wait_ms <<= queue->unresolved;
	if (queue->unresolved < WAIT_DOUBLES)
		queue->unresolved++;
}

void
reports_attempt(struct reports *reports, struct job *job, const struct attempt_result *result)
{
	uint32_t chance = 0, tried = job->attempt_count - job->attempt_base + 1;
	struct jobs *jobs = reports->jobs;
	struct verdict verdict;
	int64_t due_us;

	if (result->end != ATTEMPT_ANSWERED || result->http_status >= 300) /* otherwise there is no wait to spread */
		crypto_random(&chance, sizeof chance);
	verdict = verdict_of(result, job->config, tried, chance);
	if (result->end == ATTEMPT_UNRESOLVED)
		wait_for_name(jobs, job->queue, &verdict);
	else if (result->end != ATTEMPT_INTERNAL)
		job->queue->unresolved = 0;
	job->attempt_count += verdict.charged;
	due_us = verdict.kind == VERDICT_RETRY ? jobs->ready->now_us + verdict.wait_ms * 1000 : NEVER_US;

	struct outcome outcome = {.job = outcome_job(jobs, job),
	    .kind = verdict.kind,
	    .charged = verdict.charged,
	    .disables = verdict.disables,
	    .of_notice = topic_of_notices(record_published_string(job->event->record, PUBLISHED_TOPIC)),
	    .breaker_version = job->config->breaker_version,
	    .due_ms = verdict.kind == VERDICT_RETRY ? clock_boot_us() / 1000 + verdict.wait_ms : 0,
	    .reason = span_of(verdict.reason),
	    .end = result->end,
	    .http_status = result->http_status,
	    .started_us = result->started_us,
	    .duration_ms = result->duration_ms,
	    .dns_ms = result->dns_ms,
	    .connect_ms = result->connect_ms,
	    .tls_ms = result->tls_ms,
	    .first_byte_ms = result->first_byte_ms,
	    .peer = span_of(result->peer),
	    .error = span_of(result->error),
	    .certificate_error = span_of(result->certificate_error),
	    .response = span_of(result->response)};

	job->blocks = verdict.kind == VERDICT_DEAD && job->queue->fifo.blocks;
	memcpy(outcome.attempt_id, result->attempt_id, sizeof outcome.attempt_id);
	count_attempt(reports, result, &verdict);
	end_for_breaker(jobs, job, result, &verdict);
	apply_to_endpoint(jobs, job, &verdict);
	jobs_reported(jobs, job, put(reports, &outcome), due_us);
}

void
reports_dead(struct reports *reports, struct job *job, const char *reason)
{
	const struct outcome outcome = {.job = outcome_job(reports->jobs, job),
	    .kind = VERDICT_DEAD,
	    .reason = span_of(reason),
	    .end = ATTEMPT_INTERNAL,
	    .dns_ms = -1,
	    .connect_ms = -1,
	    .tls_ms = -1,
	    .first_byte_ms = -1};

	job->blocks = job->queue->fifo.blocks;
	counter_add(reports->slot, COUNTER_DELIVERIES_DEAD, 1);
	jobs_reported(reports->jobs, job, put(reports, &outcome), NEVER_US);
}
