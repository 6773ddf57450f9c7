/*
 * Rows of attempts that are there already show that a transaction of these outcomes was committed: its answer was lost,
 * or the process died before it released the lane. Then rows are added that are not there yet, and the changes of jobs
 * apply again without effect.
 */
#include "courier/outcome_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/repeat.h"
#include "base/uuid.h"
#include "config/text_rules.h"
#include "courier/outcome.h"
#include "store/webhooks/attempt_rows.h"
#include "store/webhooks/audit.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/endpoint_runs.h"
#include "store/webhooks/job_outcomes.h"
#include "store/webhooks/routing.h"

/* Who disables an endpoint, in the audit log. */
#define SERVICE "service"

enum form { WHOLE, WITHOUT_TEXTS, WITHOUT_ATTEMPT, FORMS };

#define STATUS_TEXT_BYTES 20

struct outcome_writer {
	const struct segment *segment;
	struct lane lane;
	struct runs *runs;
	struct uuid_source ids;
	bool repeats; /* what stands first on the lane may be stored already */
	int64_t version; /* of changes, that the open transaction has raised; 0: none */
	struct repeat refused, damaged;
	uint32_t count;
	struct outcome outcomes[OUTCOMES_AT_ONCE];
	struct job_outcome jobs[OUTCOMES_AT_ONCE];
	struct attempt_row attempts[OUTCOMES_AT_ONCE];
	char reasons[OUTCOMES_AT_ONCE][STATUS_TEXT_BYTES]; /* of jobs */
};

struct outcome_writer *
outcome_writer_new(const struct segment *segment, const struct lane *lane, struct runs *runs)
{
	struct outcome_writer *writer = mem_new(1, sizeof *writer);

	writer->segment = segment;
	writer->lane = *lane;
	writer->runs = runs;
	uuid_source_init(&writer->ids);
	return writer;
}

void
outcome_writer_free(struct outcome_writer *writer)
{
	free(writer);
}

uint32_t
outcome_writer_waiting(const struct outcome_writer *writer)
{
	return lane_depth(&writer->lane);
}

/* ---- from the lane ---- */

static void
tell_damaged(struct outcome_writer *writer)
{
	uint64_t times = repeat_met(&writer->damaged, clock_steady_us());

	if (times > 0)
		log_error(
		    "the outcome of an attempt is damaged: its job will be attempted again", LOG_UINT("times", times));
}

/* Reads what is there into outcomes. Returns the position behind the last parcel that was looked at. */
static uint32_t
gather(struct outcome_writer *writer)
{
	uint32_t position = lane_released(&writer->lane);
	struct parcel parcel;

	for (writer->count = 0; writer->count < OUTCOMES_AT_ONCE && lane_peek(&writer->lane, position, &parcel);
	     position++)
		if (outcome_read(parcel.bytes, parcel.length, &writer->outcomes[writer->count]))
			writer->count++;
		else
			tell_damaged(writer);
	return position;
}

/* By job, then as they happened. */
static int
compare_outcomes(const void *a, const void *b)
{
	const struct outcome *one = *(const struct outcome *const *)a, *other = *(const struct outcome *const *)b;
	int order = memcmp(one->job.endpoint_id, other->job.endpoint_id, 16);

	if (order == 0)
		order = memcmp(one->job.job_id, other->job.job_id, 16);
	if (order == 0 && one->job.attempt_count != other->job.attempt_count)
		order = one->job.attempt_count < other->job.attempt_count ? -1 : 1;
	return order != 0 ? order : one < other ? -1 : 1;
}

/* ---- rows ---- */

/* What people read of a job that failed: the error, or else the status. */
static struct span
reason_of_failure(const struct outcome *outcome, enum form form, char text[STATUS_TEXT_BYTES])
{
	if (form == WHOLE && outcome->error.base != NULL)
		return outcome->error;
	if (outcome->http_status == 0)
		return (struct span){NULL, 0};
	return (struct span){text, (size_t)snprintf(text, STATUS_TEXT_BYTES, "HTTP %d", outcome->http_status)};
}

static uint32_t
at_most(uint32_t number, uint32_t most)
{
	return number < most ? number : most;
}

static struct job_outcome
job_of(const struct outcome *outcome, enum form form, int64_t now_ms, char reason[STATUS_TEXT_BYTES])
{
	const struct outcome_job *job = &outcome->job;
	uint32_t count = at_most(job->attempt_count, JOB_ATTEMPTS_MAX);

	return (struct job_outcome){
	    .tenant_id = job->tenant_id,
	    .endpoint_id = job->endpoint_id,
	    .job_id = job->job_id,
	    .event_id = job->event_id,
	    .attempt_count = count,
	    /* What did not count as an attempt leaves the number as it is. */
	    .below = outcome->charged ? count : count + 1,
	    .due_in_ms = outcome->due_ms - now_ms,
	    .sets_expiry = job->expires_ms != 0,
	    .expires_in_ms = job->expires_ms - now_ms,
	    .reason = outcome->reason,
	    .http_status = outcome->http_status,
	    .error = reason_of_failure(outcome, form, reason),
	};
}

static struct attempt_row
attempt_of(const struct outcome *outcome, enum form form)
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

	if (form == WHOLE) {
		row.peer_address = outcome->peer;
		row.error = outcome->error;
		row.certificate_error = outcome->certificate_error;
		row.response_body = outcome->response;
	}
	return row;
}

static int
add_attempts(struct outcome_writer *writer, struct db *db, const struct outcome *const *outcomes, uint32_t count,
    enum form form, struct error *err) /* six: which, how, and where */
{
	uint32_t rows = 0;

	if (form == WITHOUT_ATTEMPT)
		return 0;
	for (uint32_t i = 0; i < count; i++)
		if (outcomes[i]->charged)
			writer->attempts[rows++] = attempt_of(outcomes[i], form);
	return writer->repeats ? attempt_rows_repeat(db, writer->attempts, rows, err)
			       : attempt_rows_add(db, writer->attempts, rows, err);
}

static int
change_jobs(struct outcome_writer *writer, struct db *db, const struct outcome *const *outcomes, uint32_t count,
    enum form form, struct error *err) /* six: as above */
{
	static int (*const changes[])(
	    struct db * db, const struct job_outcome *jobs, uint32_t count, struct error *err) = {
	    [VERDICT_DELIVERED] = job_outcomes_finish,
	    [VERDICT_RETRY] = job_outcomes_retry,
	    [VERDICT_DEAD] = job_outcomes_bury,
	};
	int64_t now_ms = clock_wall_us() / 1000;
	int rc = 0;

	for (int kind = VERDICT_DELIVERED; rc == 0 && kind <= VERDICT_DEAD; kind++) {
		uint32_t jobs = 0;

		for (uint32_t i = 0; i < count; i++) {
			bool last = i + 1 == count ||
				    memcmp(outcomes[i]->job.job_id, outcomes[i + 1]->job.job_id, 16) != 0 ||
				    memcmp(outcomes[i]->job.endpoint_id, outcomes[i + 1]->job.endpoint_id, 16) != 0;

			if (!last || (int)outcomes[i]->kind != kind)
				continue;
			writer->jobs[jobs] = job_of(outcomes[i], form, now_ms, writer->reasons[jobs]);
			jobs++;
		}
		rc = changes[kind](db, writer->jobs, jobs, err);
	}
	return rc;
}

/* ---- endpoints that are disabled ---- */

static int
add_audit(struct outcome_writer *writer, struct db *db, const char *tenant_id, const uint8_t endpoint_id[16],
    const char *reason, struct error *err) /* six: what was done to which, and why */
{
	char audit_id[FORMAT_UUID_BYTES + 1] = "", object_id[FORMAT_UUID_BYTES + 1] = "", after[128];
	static const char before[] = "{\"state\":\"active\"}";
	uint8_t id[16];

	uuid_v7(&writer->ids, clock_wall_us(), id);
	format_uuid(id, audit_id);
	format_uuid(endpoint_id, object_id);
	int len = snprintf(after, sizeof after, "{\"state\":\"disabled\",\"disabled_reason\":\"%s\"}", reason);
	const struct audit_entry entry = {
	    .tenant_id = tenant_id,
	    .audit_id = audit_id,
	    .key_id = SERVICE,
	    .action = "endpoint.disable",
	    .object_kind = "endpoint",
	    .object_id = object_id,
	    .before = {before, sizeof before - 1},
	    .after = {after, (size_t)len},
	};
	return audit_add(db, &entry, err);
}

static int
disable(struct outcome_writer *writer, struct db *db, const struct outcome *outcome, struct error *err)
{
	const char *reason = outcome->http_status == 410 ? "http_410" : "asked_for_by_reply";
	char tenant_id[TENANT_ID_MAX + 1] = "";
	bool disabled;
	int rc = endpoint_disable(db, outcome->job.tenant_id, outcome->job.endpoint_id, reason, &disabled, err);

	if (rc != 0 || !disabled)
		return rc;
	memcpy(tenant_id, outcome->job.tenant_id.base, outcome->job.tenant_id.len);
	rc = add_audit(writer, db, tenant_id, outcome->job.endpoint_id, reason, err);
	if (rc == 0)
		rc = routing_raise(db, tenant_id, err);
	if (rc == 0)
		writer->version = 1; /* is to be raised */
	return rc;
}

static int
disable_endpoints(struct outcome_writer *writer, struct db *db, const struct outcome *const *outcomes, uint32_t count,
    struct error *err)
{
	int rc = 0;

	writer->version = 0;
	for (uint32_t i = 0; rc == 0 && i < count; i++)
		if (outcomes[i]->disables)
			rc = disable(writer, db, outcomes[i], err);
	if (rc == 0 && writer->version != 0)
		rc = changes_raise(db, &writer->version, err);
	return rc;
}

/* The couriers of this node need not wait until they look. */
static void
spread_version(const struct outcome_writer *writer)
{
	if (writer->version == 0)
		return;
	node_raise_changes_version(&writer->segment->header->node, writer->version);
	for (uint32_t i = 0; i < writer->segment->counts[ROLE_COURIER]; i++) {
		struct wake wake = segment_wake(writer->segment, ROLE_COURIER, i);

		wake_up(&wake);
	}
}

/* ---- transactions ---- */

static int
write_in_one(struct outcome_writer *writer, struct db *db, const struct outcome *const *outcomes, uint32_t count,
    enum form form, struct error *err) /* six: which, how, and where */
{
	int rc = jobs_begin(db, err);

	if (rc == 0)
		rc = add_attempts(writer, db, outcomes, count, form, err);
	if (rc == 0)
		rc = change_jobs(writer, db, outcomes, count, form, err);
	if (rc == 0)
		rc = disable_endpoints(writer, db, outcomes, count, err);
	rc = db_end(db, rc, err);
	if (rc == 0)
		spread_version(writer);
	return rc;
}

/* The same again when it was refused because rows are there already. */
static int
write_some(struct outcome_writer *writer, struct db *db, const struct outcome *const *outcomes, uint32_t count,
    enum form form, struct error *err) /* six: as above */
{
	int rc = write_in_one(writer, db, outcomes, count, form, err);

	if (rc == DB_REFUSED && db_conflict(db) && !writer->repeats) {
		writer->repeats = true;
		rc = write_in_one(writer, db, outcomes, count, form, err);
	}
	return rc;
}

static void
tell_refused(struct outcome_writer *writer, const struct outcome *outcome, const struct error *err)
{
	uint64_t times = repeat_met(&writer->refused, clock_steady_us());
	char id[FORMAT_UUID_BYTES + 1] = "";

	format_uuid(outcome->job.endpoint_id, id);
	if (times > 0)
		log_warning("the store refuses an attempt as it is: what it says of the job is stored with less",
		    LOG_STR("endpoint_id", id), LOG_STR("error", err->text), LOG_UINT("times", times));
}

static int
write_alone(struct outcome_writer *writer, struct db *db, const struct outcome *outcome, struct error *err)
{
	int rc = DB_REFUSED;

	for (enum form form = WHOLE; rc == DB_REFUSED && form < FORMS; form++) {
		rc = write_some(writer, db, &outcome, 1, form, err);
		if (rc == DB_REFUSED)
			tell_refused(writer, outcome, err);
	}
	return rc;
}

static int
write_all(struct outcome_writer *writer, struct db *db, struct error *err)
{
	const struct outcome *sorted[OUTCOMES_AT_ONCE];
	int rc;

	if (writer->count == 0)
		return 0;
	for (uint32_t i = 0; i < writer->count; i++)
		sorted[i] = &writer->outcomes[i];
	qsort(sorted, writer->count, sizeof *sorted, compare_outcomes);
	rc = write_some(writer, db, sorted, writer->count, WHOLE, err);
	if (rc != DB_REFUSED)
		return rc;
	rc = 0;
	for (uint32_t i = 0; rc == 0 && i < writer->count; i++)
		rc = write_alone(writer, db, sorted[i], err);
	return rc;
}

int
outcome_writer_write(struct outcome_writer *writer, struct db *db, uint32_t *released, struct error *err)
{
	uint32_t behind = gather(writer);
	int rc = write_all(writer, db, err);

	writer->repeats = rc != 0;
	if (rc != 0)
		return rc;
	for (uint32_t i = 0; i < writer->count; i++)
		runs_note(writer->runs, &writer->outcomes[i], clock_steady_us());
	lane_release(&writer->lane, behind);
	*released = behind;
	return 0;
}
