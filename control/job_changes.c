/* Each change raises the tenant's change_version, so that couriers read the rows again. */
#include "control/job_changes.h"

#include <string.h>

#include "base/clock.h"
#include "control/change.h"
#include "control/job_target.h"
#include "control/jobs.h"
#include "control/propagation.h"
#include "control/tree.h"
#include "store/webhooks/cancelled_jobs.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/job_lists.h"
#include "store/webhooks/job_retry.h"
#include "store/webhooks/routing.h"

#define SLICE_JOBS 1000
#define MARGIN_US (1000 * INT64_C(1000)) /* no slice begins this shortly before the deadline */

/*
 * Reads the caller's job in the path. Returns as db_query(); if it does not wait, returns 0 with an answer in the
 * reply.
 */
static int
load(const struct request *request, struct db_rows **rows, struct reply *reply, struct error *err)
{
	char id[OBJECT_ID_BYTES];
	int rc = 0;

	*rows = NULL;
	if (object_id_read(request->params[0], id))
		rc = job_lists_get(request->db, request->caller.tenant_id, id, rows, err);
	if (rc == 0 && db_rows_count(*rows) == 0)
		job_answer_unknown(reply);
	return rc;
}

static int
audit(const struct request *request, const char *action, const struct db_rows *rows, struct error *err)
{
	const struct change change = {
	    action, "job", db_rows_text(rows, 0, JOB_COLUMN_ID).base, request->caller.tenant_id};
	cJSON *before = job_show(request, rows, 0);
	int rc = change_audit(request, &change, before, NULL, err);

	cJSON_Delete(before);
	return rc;
}

/*
 * Checks that jobs of the endpoint may be made due. Returns as db_query(); if not, returns 0 with an answer in the
 * reply.
 */
static int
check_target(const struct request *request, struct span endpoint_id, struct reply *reply, struct error *err)
{
	struct job_target target;
	int rc = job_target_read(request, endpoint_id, &target, err);

	if (rc == 0 && !target.exists)
		answer_error(reply, 409, "conflict", "the endpoint is deleted: its jobs are being removed");
	else if (rc == 0 && target.held)
		answer_error(reply, 409, "conflict", "%s: its jobs are held until it goes on", target.why_held);
	return rc;
}

/* ---- one job is due ---- */

static int
make_due(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	const char *tenant_id = request->caller.tenant_id;
	struct db_rows *rows = NULL;
	int64_t version;
	int rc = routing_raise_for_couriers(request->db, tenant_id, err);

	(void)context;
	if (rc == 0)
		rc = load(request, &rows, reply, err);
	if (rc == 0 && reply->status == 0)
		rc = check_target(request, db_rows_text(rows, 0, JOB_COLUMN_ENDPOINT), reply, err);
	if (rc == 0 && reply->status == 0) {
		cJSON *tree = tree_new();

		tree_add_bool(tree, "ok", true);
		tree_add_text(tree, "job_id", db_rows_text(rows, 0, JOB_COLUMN_ID));
		rc = job_retry(request->db, tenant_id, db_rows_text(rows, 0, JOB_COLUMN_ENDPOINT).base,
		    db_rows_text(rows, 0, JOB_COLUMN_ID).base, err);
		if (rc == 0)
			rc = audit(request, "job.retry", rows, err);
		if (rc == 0)
			rc = changes_raise(request->db, &version, err);
		answer_json(reply, 200, tree);
	}
	db_rows_free(rows);
	return rc;
}

void
job_make_due(const struct request *request, struct reply *reply)
{
	if (request_has_no_members(request, reply))
		(void)change_run(request, make_due, NULL, reply);
}

/* ---- one job is cancelled ---- */

static int
cancel(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	const char *tenant_id = request->caller.tenant_id;
	int64_t *version = context;
	struct db_rows *rows = NULL;
	bool exists = false;
	/* First, in the order of all transactions that change jobs. */
	int rc = routing_raise_for_couriers(request->db, tenant_id, err);

	if (rc == 0)
		rc = load(request, &rows, reply, err);
	if (rc == 0 && reply->status == 0) {
		const char *id = db_rows_text(rows, 0, JOB_COLUMN_ID).base;

		rc = job_cancel(
		    request->db, tenant_id, db_rows_text(rows, 0, JOB_COLUMN_ENDPOINT).base, id, &exists, err);
		if (rc == 0 && !exists)
			job_answer_unknown(reply); /* it has ended meanwhile */
		if (rc == 0 && exists)
			rc = audit(request, "job.cancel", rows, err);
		if (rc == 0 && exists)
			rc = changes_raise(request->db, version, err);
		if (rc == 0 && exists)
			rc = cancelled_jobs_add(request->db, tenant_id, id, *version, err);
		if (rc == 0 && exists)
			answer_nothing(reply);
	}
	db_rows_free(rows);
	return rc;
}

void
job_delete(const struct request *request, struct reply *reply)
{
	int64_t version;

	if (change_run(request, cancel, &version, reply))
		propagation_wait(request, version, reply);
}

/* ---- all jobs of an endpoint are due ---- */

struct retry {
	char endpoint_id[OBJECT_ID_BYTES];
	uint8_t after[16];
	int64_t jobs;
	uint8_t slice_last[16];
	uint32_t slice_jobs;
};

static int
audit_slice(const struct request *request, const struct retry *retry, struct error *err)
{
	const struct change change = {"endpoint.retry", "endpoint", retry->endpoint_id, request->caller.tenant_id};
	cJSON *after = tree_new();
	int rc;

	tree_add_int(after, "jobs", retry->slice_jobs);
	rc = change_audit(request, &change, NULL, after, err);
	cJSON_Delete(after);
	return rc;
}

static int
retry_slice(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	const char *tenant_id = request->caller.tenant_id;
	struct retry *retry = context;
	int64_t version;
	int rc = routing_raise_for_couriers(request->db, tenant_id, err);

	memcpy(retry->slice_last, retry->after, sizeof retry->slice_last);
	retry->slice_jobs = 0;
	if (rc == 0)
		rc = check_target(request, (struct span){retry->endpoint_id, strlen(retry->endpoint_id)}, reply, err);
	if (rc != 0 || reply->status != 0)
		return rc;
	rc = job_retry_slice(
	    request->db, tenant_id, retry->endpoint_id, SLICE_JOBS, retry->slice_last, &retry->slice_jobs, err);
	if (rc == 0)
		rc = audit_slice(request, retry, err);
	if (rc == 0)
		rc = changes_raise(request->db, &version, err);
	if (rc == 0)
		answer_json(reply, 200, tree_new()); /* for change_run() */
	return rc;
}

static void
answer_retried(const struct retry *retry, bool more, struct reply *reply)
{
	cJSON *tree = tree_new();

	reply_reset(reply);
	tree_add_bool(tree, "ok", true);
	tree_add_int(tree, "jobs", retry->jobs);
	tree_add_bool(tree, "more", more);
	answer_json(reply, 200, tree);
}

/* Checks by a read that the endpoint exists. false: the reply says that it does not, or that the store failed. */
static bool
find_endpoint(const struct request *request, char id[OBJECT_ID_BYTES], struct reply *reply)
{
	struct job_target target = {0};
	struct error err;
	int rc = 0;

	if (object_id_read(request->params[0], id))
		rc = job_target_read(request, (struct span){id, strlen(id)}, &target, &err);
	if (rc != 0)
		answer_store_failed(reply, rc, &err);
	else if (!target.exists)
		answer_error(reply, 404, "not_found", "there is no such endpoint");
	return rc == 0 && target.exists;
}

void
endpoint_make_due(const struct request *request, struct reply *reply)
{
	struct retry retry = {0};

	if (!request_has_no_members(request, reply) || !find_endpoint(request, retry.endpoint_id, reply))
		return;
	do {
		reply_reset(reply);
		if (!change_run(request, retry_slice, &retry, reply))
			return;
		retry.jobs += retry.slice_jobs;
		memcpy(retry.after, retry.slice_last, sizeof retry.after);
	} while (retry.slice_jobs > 0 && clock_steady_us() + MARGIN_US < request->deadline_us);
	answer_retried(&retry, retry.slice_jobs > 0, reply);
}
