/*
 * Many letters are requeued in slices, each a transaction: after a death each letter is either unchanged or a job. The
 * tenant's row of routing_versions is changed first, so that endpoints cannot be deleted meanwhile.
 */
#include "control/requeue.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/sizes.h"
#include "base/uuid.h"
#include "control/change.h"
#include "control/job_target.h"
#include "control/requeue_filter.h"
#include "control/tree.h"
#include "shm/node.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/replay_jobs.h"
#include "store/webhooks/requeue.h"
#include "store/webhooks/routing.h"

#define SLICE_LETTERS 250 /* few, because each may hold HL_MAX_PAYLOAD_BYTES */
/* Fewer in SQLite, where publishers wait for a slice. */
#define SLICE_LETTERS_EMBEDDED 50
#define SLICE_BYTES_EMBEDDED (32 * MIB)
#define COUNTED_LETTERS 5000
/* No slice begins this shortly before the deadline, nor within twice the last one's time. */
#define MARGIN_US (1000 * INT64_C(1000))

static uint32_t
slice_letters(const struct config *config)
{
	uint64_t letters = SLICE_BYTES_EMBEDDED / config->hl_max_payload_bytes;

	if (config->hl_store == HL_STORE_POSTGRES)
		return SLICE_LETTERS;
	return letters > SLICE_LETTERS_EMBEDDED ? SLICE_LETTERS_EMBEDDED : letters > 0 ? (uint32_t)letters : 1;
}

/* Makes locked letters jobs of this node. As db_query(). */
static int
move(const struct request *request, const struct requeued *letters, uint32_t count, struct error *err)
{
	struct node_row node = {0};
	int rc;

	if (!node_read(&request->context->segment->header->node, &node)) {
		(void)error_set(err, "this node has no row in delivery_nodes now");
		return DB_BUSY;
	}
	rc = requeue_move(request->db, request->caller.tenant_id, node.node_id, letters, count, err);
	return rc == 0 ? replay_hold_node(request->db, &node, err) : rc;
}

static struct requeued
requeued_of(const struct db_rows *rows, uint32_t row, const struct job_target *target)
{
	struct span id = db_rows_text(rows, row, REQUEUE_COLUMN_JOB);
	struct span endpoint = db_rows_text(rows, row, REQUEUE_COLUMN_ENDPOINT);
	struct requeued letter = {.held = target->held, .fifo = target->fifo, .lifetime_ms = target->lifetime_ms};

	(void)uuid_parse(id.base, id.len, letter.job_id); /* a UUID column; SQLite may hold another text */
	(void)uuid_parse(endpoint.base, endpoint.len, letter.endpoint_id);
	return letter;
}

/* ---- one ---- */

/* Why the letter cannot be requeued; NULL: it can. */
static const char *
obstacle(const struct db_rows *rows, uint32_t row, const struct job_target *target)
{
	if (db_rows_bool(rows, row, REQUEUE_COLUMN_WAITS))
		return "a job of this id waits already";
	if (db_rows_text(rows, row, REQUEUE_COLUMN_TOPIC).len == 0)
		return "the event of this dead letter is gone: there is nothing to deliver";
	return target->exists ? NULL : "the endpoint of this dead letter is deleted: it can be delivered nowhere";
}

static int
audit_one(const struct request *request, const struct db_rows *rows, struct error *err)
{
	const struct change change = {
	    "dlq.requeue", "dead_letter", db_rows_text(rows, 0, REQUEUE_COLUMN_JOB).base, request->caller.tenant_id};
	cJSON *before = tree_new();
	int rc;

	tree_add_text(before, "job_id", db_rows_text(rows, 0, REQUEUE_COLUMN_JOB));
	tree_add_text(before, "event_id", db_rows_text(rows, 0, REQUEUE_COLUMN_EVENT));
	tree_add_text(before, "endpoint_id", db_rows_text(rows, 0, REQUEUE_COLUMN_ENDPOINT));
	tree_add_text(before, "topic", db_rows_text(rows, 0, REQUEUE_COLUMN_TOPIC));
	tree_add_text(before, "reason", db_rows_text(rows, 0, REQUEUE_COLUMN_REASON));
	rc = change_audit(request, &change, before, NULL, err);
	cJSON_Delete(before);
	return rc;
}

static int
requeue_locked(const struct request *request, const struct db_rows *rows, struct reply *reply, struct error *err)
{
	struct job_target target;
	const char *why_not;
	struct requeued letter;
	int64_t version;
	cJSON *tree;
	int rc = job_target_read(request, db_rows_text(rows, 0, REQUEUE_COLUMN_ENDPOINT), &target, err);

	if (rc != 0)
		return rc;
	why_not = obstacle(rows, 0, &target);
	if (why_not != NULL) {
		answer_error(reply, 409, "conflict", "%s", why_not);
		return 0;
	}
	letter = requeued_of(rows, 0, &target);
	rc = move(request, &letter, 1, err);
	if (rc == 0)
		rc = audit_one(request, rows, err);
	if (rc == 0)
		rc = changes_raise(request->db, &version, err);
	if (rc != 0)
		return rc;
	tree = tree_new();
	tree_add_bool(tree, "ok", true);
	tree_add_text(tree, "job_id", db_rows_text(rows, 0, REQUEUE_COLUMN_JOB));
	answer_json(reply, 200, tree);
	return 0;
}

static int
requeue_one(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	const char *tenant_id = request->caller.tenant_id, *id = context;
	struct db_rows *rows = NULL;
	int rc = routing_raise_for_couriers(request->db, tenant_id, err);

	if (rc == 0)
		rc = requeue_lock(request->db, tenant_id, id, &rows, err);
	if (rc == 0 && db_rows_count(rows) == 0)
		answer_error(reply, 404, "not_found",
		    "there is no such dead letter: /v1/jobs/ tells whether it was requeued already");
	else if (rc == 0)
		rc = requeue_locked(request, rows, reply, err);
	db_rows_free(rows);
	return rc;
}

void
dead_letter_requeue(const struct request *request, struct reply *reply)
{
	char id[OBJECT_ID_BYTES];

	if (!request_has_no_members(request, reply))
		return;
	if (object_id_read(request->params[0], id))
		(void)change_run(request, requeue_one, id, reply);
	else
		answer_error(reply, 404, "not_found", "there is no such dead letter");
}

/* ---- many ---- */

struct many {
	struct requeue_filter *filter;
	char after[OBJECT_ID_BYTES]; /* "": from the first letter */
	int64_t after_us;
	int64_t matched, requeued, skipped;
	/* The slice, until it is committed. */
	char slice_last[OBJECT_ID_BYTES];
	int64_t slice_last_us;
	uint32_t slice_letters, slice_requeued, slice_skipped;
};

static int
read_slice(const struct request *request, struct many *many, uint32_t limit, bool lock, struct db_rows **rows,
    struct error *err) /* six: as requeue_slice() */
{
	const struct list_slice slice = {
	    .after = many->after[0] != '\0' ? many->after : NULL, .after_us = many->after_us, .limit = limit};
	uint32_t count;
	int rc = requeue_slice(request->db, request->caller.tenant_id, &many->filter->letters, &slice, lock, rows, err);

	if (rc != 0)
		return rc;
	count = db_rows_count(*rows);
	many->slice_letters = count;
	if (count == 0)
		return 0;
	(void)object_id_read(db_rows_text(*rows, count - 1, REQUEUE_COLUMN_JOB), many->slice_last);
	many->slice_last_us = db_rows_int(*rows, count - 1, REQUEUE_COLUMN_CREATED_US);
	return 0;
}

static void
pass(struct many *many)
{
	memcpy(many->after, many->slice_last, sizeof many->after);
	many->after_us = many->slice_last_us;
}

static bool
fits(const struct many *many, const struct db_rows *rows, uint32_t row)
{
	return topic_filter_fits(&many->filter->topic, db_rows_text(rows, row, REQUEUE_COLUMN_TOPIC));
}

/* Counts the letters. Ignores those that die from now on: this request may have requeued them. */
static int
count_all(const struct request *request, struct many *many, struct error *err)
{
	struct dead_letter_filter *letters = &many->filter->letters;
	struct db_rows *rows;
	int rc = requeue_count(request->db, request->caller.tenant_id, letters, &rows, err);

	if (rc != 0)
		return rc;
	many->matched = db_rows_int(rows, 0, 0);
	if (letters->created.to_ms > db_rows_int(rows, 0, 1) + 1)
		letters->created.to_ms = db_rows_int(rows, 0, 1) + 1;
	db_rows_free(rows);
	if (!many->filter->topic.given)
		return 0;
	/* LIKE also passes some topics that do not match. */
	many->matched = 0;
	for (;;) {
		rc = read_slice(request, many, COUNTED_LETTERS, false, &rows, err);
		if (rc != 0)
			return rc;
		for (uint32_t row = 0; row < db_rows_count(rows); row++)
			many->matched += fits(many, rows, row);
		db_rows_free(rows);
		if (many->slice_letters == 0)
			break;
		pass(many);
	}
	many->after[0] = '\0';
	return 0;
}

/* Chooses the letters of the slice to be requeued. As job_target_read(). */
static int
choose(const struct request *request, struct many *many, const struct db_rows *rows, struct requeued *letters,
    struct error *err)
{
	struct job_targets targets = {0};
	int64_t left = many->filter->limit - many->requeued - many->skipped;
	int rc = 0;

	many->slice_requeued = many->slice_skipped = 0;
	for (uint32_t row = 0; rc == 0 && row < db_rows_count(rows); row++) {
		struct job_target target;

		if (!fits(many, rows, row))
			continue;
		if (many->slice_requeued + many->slice_skipped == left)
			break;
		rc =
		    job_targets_find(&targets, request, db_rows_text(rows, row, REQUEUE_COLUMN_ENDPOINT), &target, err);
		if (rc == 0 && obstacle(rows, row, &target) != NULL)
			many->slice_skipped++;
		else if (rc == 0)
			letters[many->slice_requeued++] = requeued_of(rows, row, &target);
	}
	job_targets_free(&targets);
	return rc;
}

/* Adds an audit row for each slice: it stays true even if the next slice fails. */
static int
audit_slice(const struct request *request, const struct many *many, const struct db_rows *rows, struct error *err)
{
	const struct requeue_filter *filter = many->filter;
	const struct change change = {
	    "dlq.requeue", "dead_letters", db_rows_text(rows, 0, REQUEUE_COLUMN_JOB).base, request->caller.tenant_id};
	cJSON *after = tree_new();
	int rc;

	tree_add_int(after, "requeued", many->slice_requeued);
	if (filter->letters.endpoint_id != NULL)
		tree_add_text(after, "endpoint_id", (struct span){filter->endpoint_id, strlen(filter->endpoint_id)});
	if (filter->letters.reason != NULL)
		tree_add_text(after, "reason", (struct span){filter->reason, strlen(filter->reason)});
	if (filter->topic.given)
		tree_add_text(after, "topic", (struct span){filter->topic.pattern, strlen(filter->topic.pattern)});
	rc = change_audit(request, &change, NULL, after, err);
	cJSON_Delete(after);
	return rc;
}

static int
requeue_rows(const struct request *request, struct many *many, const struct db_rows *rows, struct error *err)
{
	struct requeued *letters = mem_new(SLICE_LETTERS, sizeof *letters);
	int64_t version;
	int rc = choose(request, many, rows, letters, err);

	if (rc == 0 && many->slice_requeued > 0) {
		rc = move(request, letters, many->slice_requeued, err);
		if (rc == 0)
			rc = audit_slice(request, many, rows, err);
		if (rc == 0)
			rc = changes_raise_of(request->db, request->caller.tenant_id, &version, err);
	}
	free(letters);
	return rc;
}

static int
requeue_some(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	struct many *many = context;
	struct db_rows *rows = NULL;
	const struct span tenant_id = {request->caller.tenant_id, strlen(request->caller.tenant_id)};
	int rc = routing_lock(request->db, tenant_id, err);

	if (rc == 0)
		rc = read_slice(request, many, slice_letters(request->context->config), true, &rows, err);
	if (rc == 0)
		rc = requeue_rows(request, many, rows, err);
	db_rows_free(rows);
	if (rc == 0)
		answer_json(reply, 200, tree_new()); /* of the slice */
	return rc;
}

static void
answer_many(const struct many *many, struct reply *reply)
{
	cJSON *tree = tree_new();
	int64_t left = many->matched - many->requeued - many->skipped;

	tree_add_bool(tree, "ok", true);
	tree_add_int(tree, "matched", many->matched);
	tree_add_int(tree, "requeued", many->requeued);
	tree_add_int(tree, "skipped", many->skipped);
	tree_add_int(tree, "remaining", left > 0 ? left : 0);
	answer_json(reply, 200, tree);
}

/* Requeues slice after slice. false: the reply has an answer. */
static bool
requeue_slices(const struct request *request, struct many *many, struct reply *reply)
{
	int64_t took_us = 0;

	while (many->requeued + many->skipped < many->filter->limit) {
		int64_t began_us = clock_steady_us();

		if (began_us + 2 * took_us + MARGIN_US > request->deadline_us)
			break;
		if (!change_run(request, requeue_some, many, reply))
			return false;
		reply_reset(reply);
		if (many->slice_letters == 0)
			break;
		many->requeued += many->slice_requeued;
		many->skipped += many->slice_skipped;
		pass(many);
		took_us = clock_steady_us() - began_us;
	}
	return true;
}

void
dead_letter_requeue_many(const struct request *request, struct reply *reply)
{
	struct requeue_filter filter;
	struct many many = {.filter = &filter};
	struct error err;
	int rc;

	if (!requeue_filter_read(request, &filter, reply))
		return;
	rc = count_all(request, &many, &err);
	if (rc != 0)
		answer_store_failed(reply, rc, &err);
	else if (filter.dry_run || requeue_slices(request, &many, reply))
		answer_many(&many, reply);
}
