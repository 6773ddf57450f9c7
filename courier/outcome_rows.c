/*
 * If rows of these attempts exist, a transaction with these outcomes was committed before: its answer was lost, or the
 * process died before it released the lane. The transaction is then repeated: it adds only missing rows, and its
 * changes of jobs have no effect.
 *
 * If a job's row is gone, its tenant may be deleted, and no attempt is stored for a deleted tenant. If all rows of jobs
 * exist, the tenant need not be checked: upkeep removes these rows before the tenant's attempts, and this transaction
 * has locked them.
 */
#include "courier/outcome_rows.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "shm/counters.h"
#include "store/db_refusal.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/endpoint_disabling.h"

/* If the store refuses the end of a job, its row waits this long for an administrator. */
#define POSTPONED_MS (24 * 3600 * INT64_C(1000))
#define POSTPONED_ERROR "the store refuses the end of this job"

void
outcome_rows_open(struct outcome_rows *rows, const struct segment *segment, struct process_slot *slot)
{
	rows->segment = segment;
	rows->slot = slot;
	uuid_source_init(&rows->ids);
}

/* The text that people read for a failed job: the error, or otherwise the status. */
static struct span
reason_of_failure(const struct outcome *outcome, const struct outcome_form *form, char text[OUTCOME_STATUS_BYTES])
{
	if (!form->ends)
		return (struct span){POSTPONED_ERROR, sizeof POSTPONED_ERROR - 1};
	if (form->texts && outcome->error.base != NULL)
		return outcome->error;
	if (outcome->http_status == 0)
		return (struct span){NULL, 0};
	return (struct span){text, (size_t)snprintf(text, OUTCOME_STATUS_BYTES, "HTTP %d", outcome->http_status)};
}

static uint32_t
at_most(uint32_t number, uint32_t most)
{
	return number < most ? number : most;
}

static struct job_outcome
job_of(const struct outcome *outcome, const struct outcome_form *form, int64_t node_id, int64_t now_ms,
    char reason[OUTCOME_STATUS_BYTES])
{
	const struct outcome_job *job = &outcome->job;
	uint32_t count = at_most(job->attempt_count, JOB_ATTEMPTS_MAX);

	return (struct job_outcome){
	    .tenant_id = job->tenant_id,
	    .endpoint_id = job->endpoint_id,
	    .job_id = job->job_id,
	    .event_id = job->event_id,
	    .node_id = node_id,
	    .attempt_count = count,
	    /* An uncharged attempt leaves the number unchanged. */
	    .below = outcome->charged ? count : count + 1,
	    .due_in_ms = form->ends ? outcome->due_ms - now_ms : POSTPONED_MS,
	    .sets_expiry = job->expires_ms != 0,
	    .expires_in_ms = job->expires_ms - now_ms,
	    .reason = outcome->reason,
	    .http_status = outcome->http_status,
	    .error = reason_of_failure(outcome, form, reason),
	};
}

static struct attempt_row
attempt_of(const struct outcome *outcome, const struct outcome_form *form)
{
	struct attempt_row row = {
	    .tenant_id = outcome->job.tenant_id,
	    .attempt_id = outcome->attempt_id,
	    .job_id = outcome->job.job_id,
	    .event_id = outcome->job.event_id,
	    .endpoint_id = outcome->job.endpoint_id,
	    .started_us = outcome->started_us,
	    .duration_ms = outcome->duration_ms,
	    .dns_ms = outcome->dns_ms,
	    .connect_ms = outcome->connect_ms,
	    .tls_ms = outcome->tls_ms,
	    .first_byte_ms = outcome->first_byte_ms,
	    .attempt_n = at_most(outcome->job.attempt_count, JOB_ATTEMPTS_MAX),
	    .http_status = outcome->http_status,
	};

	if (form->texts) {
		row.peer_address = outcome->peer;
		row.error = outcome->error;
		row.certificate_error = outcome->certificate_error;
		row.response_body = outcome->response;
	}
	return row;
}

static int
add_attempts(struct outcome_rows *rows, struct db *db, const struct outcome *const *outcomes, uint32_t count,
    const struct outcome_form *form, struct error *err) /* six: which, how, and where */
{
	uint32_t charged = 0;
	int rc = 0;

	if (!form->attempt)
		return 0;
	for (uint32_t i = 0; i < count; i++)
		if (outcomes[i]->charged)
			rows->attempts[charged++] = attempt_of(outcomes[i], form);
	if (rows->missing && charged > 0)
		rc = attempt_rows_of_tenants(db, rows->attempts, &charged, err);
	if (rc != 0)
		return rc;
	return rows->repeats ? attempt_rows_repeat(db, rows->attempts, charged, err)
			     : attempt_rows_add(db, rows->attempts, charged, err);
}

static int
change_jobs(struct outcome_rows *rows, struct db *db, const struct outcome *const *outcomes, uint32_t count,
    const struct outcome_form *form, struct error *err) /* six: as above */
{
	static int (*const changes[])(
	    struct db * db, const struct job_outcome *jobs, uint32_t count, uint64_t *changed, struct error *err) = {
	    [VERDICT_DELIVERED] = job_outcomes_finish,
	    [VERDICT_RETRY] = job_outcomes_retry,
	    [VERDICT_DEAD] = job_outcomes_dead_letter,
	};
	int64_t now_ms = clock_boot_us() / 1000;
	uint64_t asked = 0, changed = 0;
	int rc = 0;

	for (int kind = VERDICT_DELIVERED; rc == 0 && kind <= VERDICT_DEAD; kind++) {
		uint32_t jobs = 0;

		for (uint32_t i = 0; i < count; i++) {
			bool last = i + 1 == count ||
				    memcmp(outcomes[i]->job.job_id, outcomes[i + 1]->job.job_id, 16) != 0 ||
				    memcmp(outcomes[i]->job.endpoint_id, outcomes[i + 1]->job.endpoint_id, 16) != 0;

			if (!last || (int)outcomes[i]->kind != kind)
				continue;
			rows->jobs[jobs] = job_of(outcomes[i], form, rows->node_id, now_ms, rows->reasons[jobs]);
			jobs++;
		}
		rc = (form->ends ? changes[kind] : job_outcomes_retry)(db, rows->jobs, jobs, &changed, err);
		asked += jobs;
	}
	rows->missing = changed < asked;
	return rc;
}

/* ---- endpoints that are disabled ---- */

static struct endpoint_disabling
disabling_of(const struct outcome *outcome)
{
	return (struct endpoint_disabling){
	    .tenant_id = outcome->job.tenant_id,
	    .endpoint_id = outcome->job.endpoint_id,
	    .cause = outcome->http_status == 410 ? DISABLED_BY_410 : DISABLED_BY_REPLY,
	    .breaker_version = outcome->breaker_version,
	    .quiet = outcome->of_notice,
	};
}

static int
disable_endpoints(
    struct outcome_rows *rows, struct db *db, const struct outcome *const *outcomes, uint32_t count, struct error *err)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < count; i++)
		if (outcomes[i]->disables) {
			const struct endpoint_disabling disabling = disabling_of(outcomes[i]);
			bool disabled = false;

			rc = endpoint_disable(db, &rows->ids, &disabling, &disabled, err);
			if (disabled)
				rows->disabled[rows->disabled_count++] = outcomes[i];
		}
	if (rc == 0 && rows->disabled_count > 0)
		rc = changes_raise(db, &rows->version, err);
	return rc;
}

static void
log_disabled(const struct outcome_rows *rows)
{
	for (uint32_t i = 0; i < rows->disabled_count; i++) {
		const struct endpoint_disabling disabling = disabling_of(rows->disabled[i]);

		endpoint_disabled_log(&disabling);
		counter_add(rows->slot,
		    disabling.cause == DISABLED_BY_410 ? COUNTER_ENDPOINTS_DISABLED_410
						       : COUNTER_ENDPOINTS_DISABLED_BY_REPLY,
		    1);
	}
}

/* Wakes the couriers of this node, so that they need not wait for their next look. */
static void
spread_version(const struct outcome_rows *rows)
{
	if (rows->version == 0)
		return;
	node_raise_changes_version(&rows->segment->header->node, rows->version);
	segment_wake_all(rows->segment, ROLE_COURIER);
}

/* ---- transactions ---- */

static int
write_in_one(struct outcome_rows *rows, struct db *db, const struct outcome *const *outcomes, uint32_t count,
    const struct outcome_form *form, struct error *err) /* six: which, how, and where */
{
	int rc;

	rows->version = 0;
	rows->disabled_count = 0;
	db_share_timeout(db); /* it may add dead letters */
	rc = jobs_begin(db, err);
	if (rc == 0)
		rc = change_jobs(rows, db, outcomes, count, form, err);
	if (rc == 0)
		rc = add_attempts(rows, db, outcomes, count, form, err);
	if (rc == 0 && form->disables)
		rc = disable_endpoints(rows, db, outcomes, count, err);
	rc = db_end(db, rc, err);
	db_set_deadline(db, INT64_MAX);
	if (rc == 0) {
		spread_version(rows);
		log_disabled(rows);
	}
	return rc;
}

int
outcome_rows_write(struct outcome_rows *rows, struct db *db, const struct outcome *const *outcomes, uint32_t count,
    const struct outcome_form *form, struct error *err) /* six: as above */
{
	int rc = write_in_one(rows, db, outcomes, count, form, err);

	if (rc == DB_REFUSED && (db_conflict(db) || db_unexplained(db)) && !rows->repeats) {
		rows->repeats = true;
		rc = write_in_one(rows, db, outcomes, count, form, err);
	}
	return rc;
}
