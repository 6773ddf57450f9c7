/*
 * A small replay is finished in the transaction that adds its row; a larger one continues in upkeep
 * (control/replay_work.h).
 */
#include "control/replays.h"

#include <string.h>

#include "control/change.h"
#include "control/idempotent.h"
#include "control/listing.h"
#include "control/propagation.h"
#include "control/replay_dry_run.h"
#include "control/replay_matched.h"
#include "control/replay_request.h"
#include "control/replay_work.h"
#include "control/tree.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/job_outcomes.h"
#include "store/webhooks/replay_rows.h"
#include "store/webhooks/router.h"
#include "store/webhooks/routing.h"

#define SMALL_EVENTS 100

static struct span
text(const char *of)
{
	return (struct span){of, strlen(of)};
}

static cJSON *
show(const struct request *request, const struct db_rows *rows, uint32_t row)
{
	cJSON *tree = tree_new();

	tree_add_text(tree, "id", db_rows_text(rows, row, REPLAY_COLUMN_ID));
	tree_add_text(tree, "replay_id", db_rows_text(rows, row, REPLAY_COLUMN_ID));
	tree_add_text(tree, "tenant_id", text(request->caller.tenant_id));
	tree_add_text(tree, "status", db_rows_text(rows, row, REPLAY_COLUMN_STATUS));
	tree_add_bool(tree, "dry_run", false);
	tree_add_int(tree, "matched", db_rows_int(rows, row, REPLAY_COLUMN_MATCHED));
	tree_add_bool(tree, "matched_exact", db_rows_bool(rows, row, REPLAY_COLUMN_MATCHED_EXACT));
	tree_add_int(tree, "replayed", db_rows_int(rows, row, REPLAY_COLUMN_REPLAYED));
	tree_add_int(tree, "scheduled", db_rows_int(rows, row, REPLAY_COLUMN_SCHEDULED));
	tree_add_int(tree, "skipped", db_rows_int(rows, row, REPLAY_COLUMN_SKIPPED));
	tree_add_json(tree, "results", db_rows_text(rows, row, REPLAY_COLUMN_RESULTS), "[]");
	tree_add_text(tree, "error", db_rows_text(rows, row, REPLAY_COLUMN_ERROR));
	tree_add_json(tree, "request", db_rows_text(rows, row, REPLAY_COLUMN_REQUEST), "{}");
	tree_add_int(tree, "created_at", db_rows_int(rows, row, REPLAY_COLUMN_CREATED_MS));
	tree_add_int(tree, "updated_at", db_rows_int(rows, row, REPLAY_COLUMN_UPDATED_MS));
	tree_add_int_of(tree, "finished_at", rows, row, REPLAY_COLUMN_FINISHED_MS);
	return tree;
}

/* Reads the replay in the path. Returns as db_query(); if there is none, returns 0 with an answer in the reply. */
static int
load(const struct request *request, bool for_update, struct db_rows **rows, struct reply *reply, struct error *err)
{
	char id[OBJECT_ID_BYTES];
	int rc = 0;

	*rows = NULL;
	if (object_id_read(request->params[0], id))
		rc = replay_rows_get(request->db, request->caller.tenant_id, id, for_update, rows, err);
	if (rc == 0 && db_rows_count(*rows) == 0)
		answer_error(reply, 404, "not_found", "there is no such replay");
	return rc;
}

/* ---- POST ---- */

struct creation {
	const struct replay_request *replay;
	struct replay_matched matched;
	char id[OBJECT_ID_BYTES];
	struct request_fingerprint fingerprint;
	int64_t version; /* of changes; 0: not raised */
};

static int
show_first(const struct request *request, const char *id, struct reply *reply, struct error *err)
{
	struct db_rows *rows = NULL;
	int rc = replay_rows_get(request->db, request->caller.tenant_id, id, false, &rows, err);

	if (rc == 0 && db_rows_count(rows) == 0)
		answer_error(reply, 409, "conflict", "the replay that this Idempotency-Key made has been removed");
	else if (rc == 0)
		answer_json(reply, 200, show(request, rows, 0));
	db_rows_free(rows);
	return rc;
}

/* Does the first slice if it can be the only one. */
static int
begin(const struct request *request, struct creation *creation, struct error *err)
{
	struct replay_work work = {request->context->config, request->context->segment, NULL};
	struct db_rows *rows = NULL;
	int rc = 0;

	if (creation->replay->limit > SMALL_EVENTS || creation->replay->rate > 0)
		return 0;
	rc = replay_rows_get(request->db, request->caller.tenant_id, creation->id, true, &rows, err);
	if (rc == 0)
		rc = jobs_by_indexes(request->db, err);
	if (rc == 0) {
		work.router = router_new(work.config);
		rc = replay_work_slice(&work, request->db, rows, &creation->version, err);
		router_free(work.router);
	}
	db_rows_free(rows);
	return rc == REPLAY_NO_NODE ? 0 : rc;
}

/* Audits the replay as it is now, and answers with it. */
static int
show_made(const struct request *request, const struct creation *creation, struct reply *reply, struct error *err)
{
	const struct change change = {"replay.create", "replay", creation->id, request->caller.tenant_id};
	struct db_rows *rows = NULL;
	int rc = replay_rows_get(request->db, request->caller.tenant_id, creation->id, false, &rows, err);

	if (rc == 0) {
		cJSON *tree = show(request, rows, 0);

		rc = change_audit(request, &change, NULL, tree, err);
		if (rc == 0)
			answer_json(reply, 200, tree);
		else
			cJSON_Delete(tree);
	}
	db_rows_free(rows);
	return rc;
}

static int
make(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	struct creation *creation = context;
	int rc = replay_check(request, creation->replay, &creation->matched, reply, err);

	if (rc != 0 || reply->status != 0)
		return rc;
	rc = replay_rows_add(
	    request->db, request->caller.tenant_id, creation->id, request->body, &creation->matched, err);
	if (rc == 0)
		rc = begin(request, creation, err);
	return rc == 0 ? show_made(request, creation, reply, err) : rc;
}

static int
create(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	struct creation *creation = context;
	const struct made_once once = {"replay", creation->id, &creation->fingerprint, make, show_first};

	creation->version = 0;
	return make_once(request, &once, creation, reply, err);
}

/* Counts the events before the transaction, so that nobody waits for that. */
static void
run(const struct request *request, struct creation *creation, struct reply *reply)
{
	struct error err;
	int rc = replay_count(request, creation->replay, &creation->matched, &err);

	object_id_make(creation->id);
	if (rc != 0)
		answer_store_failed(reply, rc, &err);
	else if (change_run(request, create, creation, reply) && creation->version != 0)
		propagation_wake_couriers(request->context->segment, creation->version);
}

void
replay_create(const struct request *request, struct reply *reply)
{
	struct creation creation = {0};
	struct document_error error = {0};
	struct replay_request replay;

	if (!request_idempotency_key(request, &creation.fingerprint, reply))
		return;
	if (!replay_request_read(request->body, &replay, &error)) {
		answer_error(reply, 400, error.code, "%s", error.detail);
	} else if (replay.dry_run) {
		replay_dry_run(request, &replay, reply);
	} else {
		creation.replay = &replay;
		run(request, &creation, reply);
	}
	replay_request_free(&replay);
}

/* ---- GET ---- */

void
replay_get(const struct request *request, struct reply *reply)
{
	struct db_rows *rows;
	struct error err;
	int rc = load(request, false, &rows, reply, &err);

	if (rc != 0)
		answer_store_failed(reply, rc, &err);
	else if (reply->status == 0)
		answer_json(reply, 200, show(request, rows, 0));
	db_rows_free(rows);
}

static int
read_slice(const struct request *request, const void *filter, const struct list_slice *slice, struct db_rows **rows,
    struct error *err)
{
	(void)filter;
	return replay_rows_list(request->db, request->caller.tenant_id, slice, rows, err);
}

/* A replay contains raw JSON, so the list cannot read the id from its tree. */
static struct span
id_of(const struct db_rows *rows, uint32_t row)
{
	return db_rows_text(rows, row, REPLAY_COLUMN_ID);
}

void
replay_list(const struct request *request, struct reply *reply)
{
	static const struct list_kind kind = {
	    .letter = 'r', .descending = true, .limit = 50, .read = read_slice, .show = show, .id = id_of};

	list_answer(request, &kind, NULL, reply);
}

/* ---- DELETE ---- */

static int
end(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	const char *tenant_id = request->caller.tenant_id;
	struct db_rows *rows, *after = NULL;
	int64_t *version = context;
	bool ended = false;
	int rc = load(request, true, &rows, reply, err);

	if (rc == 0 && reply->status == 0) {
		const char *id = db_rows_text(rows, 0, REPLAY_COLUMN_ID).base;
		const struct change change = {"replay.cancel", "replay", id, tenant_id};
		cJSON *old = show(request, rows, 0), *new = NULL;

		rc = replay_rows_end(request->db, tenant_id, id, "cancelled", NULL, &ended, err);
		if (rc == 0 && !ended)
			answer_error(reply, 409, "conflict", "the replay has ended");
		if (rc == 0 && ended)
			rc = replay_rows_get(request->db, tenant_id, id, false, &after, err);
		if (rc == 0 && ended) {
			new = show(request, after, 0);
			rc = change_audit(request, &change, old, new, err);
		}
		/* Couriers may not know of the last slices yet. */
		if (rc == 0 && ended)
			rc = routing_raise_for_couriers(request->db, tenant_id, err);
		if (rc == 0 && ended)
			rc = changes_raise(request->db, version, err);
		if (rc == 0 && ended)
			answer_nothing(reply);
		cJSON_Delete(old);
		cJSON_Delete(new);
		db_rows_free(after);
	}
	db_rows_free(rows);
	return rc;
}

void
replay_cancel(const struct request *request, struct reply *reply)
{
	int64_t version = 0;

	if (change_run(request, end, &version, reply))
		propagation_wake_couriers(request->context->segment, version);
}
