/*
 * Events are removed in slices, each a transaction with its audit row, so a request that dies half-way has removed and
 * audited whole slices. Replays make no jobs of the tenant's events during a slice, because both lock its routing
 * version.
 */
#include "control/event_deletion.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "control/change.h"
#include "control/filters.h"
#include "control/propagation.h"
#include "control/tree.h"
#include "store/webhooks/cancelled_jobs.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/event_removal.h"
#include "store/webhooks/job_outcomes.h"
#include "store/webhooks/routing.h"
#include "store/webhooks/tenants.h"

#define PAGE_EVENTS 500
/* In SQLite nobody else writes during a slice, so a page has as many events as take a few hundredths of a second. */
#define PAGE_FIRST 100
#define PAGE_LEAST 50
#define SLICE_SHORT_US (20 * 1000)
#define SLICE_LONG_US (60 * 1000)
/* No slice begins this shortly before the deadline, nor within twice the time of the last slice. */
#define MARGIN_US (1500 * INT64_C(1000))

struct deletion {
	const char *tenant_id;
	struct topic_filter topic;
	struct time_range created;
	bool from_given, to_given;
	int64_t deleted, cancelled;
	int64_t version; /* version by which couriers skip cancelled jobs; 0: none were cancelled */
	/* The page: a range of events, and those of them to be removed. */
	uint32_t page_events; /* most events of a page */
	uint8_t before[16], after[16];
	uint8_t ids[PAGE_EVENTS][16];
	uint32_t id_count;
	bool last; /* no event follows */
	/* The slice, until it is committed. */
	uint64_t slice_deleted;
	uint32_t slice_cancelled;
	int64_t slice_version;
	bool slice_done; /* nothing is left of the page */
};

/* ---- the request ---- */

static bool
confirms(const struct request *request, const struct deletion *deletion, struct reply *reply)
{
	char confirm[QUERY_VALUE_BYTES];

	if (query_value(request, "confirm", confirm) && strcmp(confirm, deletion->tenant_id) == 0)
		return true;
	answer_error(reply, 400, "validation_error",
	    "query: confirm must be the id of the tenant whose events are to be deleted: %s", deletion->tenant_id);
	return false;
}

static bool
read_query(
    const struct request *request, struct deletion *deletion, char tenant_id[QUERY_VALUE_BYTES], struct reply *reply)
{
	static const char *const names[] = {"tenant_id", "from_ms", "to_ms", "topic", "after_id", "confirm", NULL};
	char ignored[QUERY_VALUE_BYTES], after_id[OBJECT_ID_BYTES];

	deletion->tenant_id = query_value(request, "tenant_id", tenant_id) ? tenant_id : request->caller.tenant_id;
	if (!query_has_only(request, names, reply) || !filter_topic(request, &deletion->topic, reply) ||
	    !filter_times(request, &deletion->created, reply) ||
	    !filter_id(request, "after_id", "an event", after_id, reply))
		return false;
	(void)uuid_parse(after_id, strlen(after_id), deletion->after);
	deletion->from_given = query_value(request, "from_ms", ignored);
	deletion->to_given = query_value(request, "to_ms", ignored);
	if (!deletion->from_given && !deletion->to_given && !deletion->topic.given) {
		answer_error(reply, 400, "validation_error",
		    "query: one of from_ms, to_ms and topic is required: which events are to be deleted");
		return false;
	}
	/* Ignores events published from now on: otherwise the request might never end. */
	if (!deletion->to_given)
		deletion->created.to_ms = clock_wall_us() / 1000 + 1;
	return confirms(request, deletion, reply);
}

/* The caller's own tenant exists: its key is valid. */
static bool
find_tenant(const struct request *request, const struct deletion *deletion, struct reply *reply)
{
	struct db_rows *rows = NULL;
	struct error err;
	int rc;

	if (deletion->tenant_id == request->caller.tenant_id)
		return true;
	rc = tenants_get(request->db, deletion->tenant_id, false, &rows, &err);
	if (rc != 0)
		answer_store_failed(reply, rc, &err);
	else if (db_rows_count(rows) == 0)
		answer_error(reply, 404, "not_found", "there is no such tenant");
	db_rows_free(rows);
	return reply->status == 0;
}

/* ---- a slice ---- */

static int
audit(const struct request *request, const struct deletion *deletion, struct error *err)
{
	char first[OBJECT_ID_BYTES] = "", last[OBJECT_ID_BYTES] = "";
	const struct change change = {"events.delete", "events", first, deletion->tenant_id};
	cJSON *after = tree_new();
	int rc;

	format_uuid(deletion->ids[0], first);
	format_uuid(deletion->ids[deletion->id_count - 1], last);
	tree_add_text(after, "last_event_id", (struct span){last, strlen(last)});
	tree_add_int(after, "deleted", (int64_t)deletion->slice_deleted);
	tree_add_int(after, "jobs_cancelled", deletion->slice_cancelled);
	if (deletion->topic.given)
		tree_add_text(after, "topic", (struct span){deletion->topic.pattern, strlen(deletion->topic.pattern)});
	if (deletion->from_given)
		tree_add_int(after, "from_ms", deletion->created.from_ms);
	if (deletion->to_given)
		tree_add_int(after, "to_ms", deletion->created.to_ms);
	rc = change_audit(request, &change, NULL, after, err);
	cJSON_Delete(after);
	return rc;
}

/* Couriers learn of cancelled jobs by the tenant's change_version. */
static int
add_cancelled(const struct request *request, struct deletion *deletion, const struct db_rows *jobs, struct error *err)
{
	int rc = routing_raise_for_couriers(request->db, deletion->tenant_id, err);

	if (rc == 0)
		rc = changes_raise(request->db, &deletion->slice_version, err);
	if (rc == 0)
		rc = cancelled_jobs_add_all(request->db, deletion->tenant_id, jobs, deletion->slice_version, err);
	return rc;
}

/* The tenant exists and is locked: nobody else makes or changes jobs of its events. */
static int
remove_page(const struct request *request, struct deletion *deletion, struct error *err)
{
	const struct event_removal removal = {.config = request->context->config,
	    .tenant_id = deletion->tenant_id,
	    .ids = (const uint8_t(*)[16])deletion->ids,
	    .count = deletion->id_count};
	struct db_rows *jobs = NULL;
	int rc = event_removal_jobs(request->db, &removal, &jobs, &deletion->slice_done, err);

	if (rc == 0) {
		deletion->slice_cancelled = db_rows_count(jobs);
		if (deletion->slice_done)
			rc = event_removal_run(request->db, &removal, &deletion->slice_deleted, err);
	}
	if (rc == 0 && deletion->slice_deleted + deletion->slice_cancelled > 0)
		rc = audit(request, deletion, err);
	if (rc == 0 && deletion->slice_cancelled > 0)
		rc = add_cancelled(request, deletion, jobs, err);
	db_rows_free(jobs);
	return rc;
}

static int
remove_slice(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	struct deletion *deletion = context;
	bool exists;
	int rc = tenants_hold(request->db, deletion->tenant_id, &exists, err);

	deletion->slice_deleted = deletion->slice_cancelled = 0;
	deletion->slice_version = 0;
	if (rc == 0 && !exists)
		answer_error(reply, 404, "not_found", "there is no such tenant");
	if (rc != 0 || !exists)
		return rc;
	rc = routing_lock(request->db, (struct span){deletion->tenant_id, strlen(deletion->tenant_id)}, err);
	if (rc == 0)
		rc = jobs_by_indexes(request->db, err);
	if (rc == 0)
		rc = remove_page(request, deletion, err);
	if (rc == 0)
		answer_json(reply, 200, tree_new()); /* for change_run() */
	return rc;
}

/* ---- page after page ---- */

static int
read_page(const struct request *request, struct deletion *deletion, struct error *err)
{
	struct db_rows *rows;
	int rc = event_removal_page(
	    request->db, deletion->tenant_id, deletion->created, deletion->after, deletion->page_events, &rows, err);

	if (rc != 0)
		return rc;
	memcpy(deletion->before, deletion->after, sizeof deletion->before);
	deletion->id_count = 0;
	deletion->last = db_rows_count(rows) < deletion->page_events;
	for (uint32_t row = 0; row < db_rows_count(rows); row++) {
		struct span id = db_rows_text(rows, row, 0);

		(void)uuid_parse(id.base, id.len, deletion->after);
		if (topic_filter_fits(&deletion->topic, db_rows_text(rows, row, 1)))
			memcpy(deletion->ids[deletion->id_count++], deletion->after, 16);
	}
	db_rows_free(rows);
	return 0;
}

/* false: the reply is an error. */
static bool
next_page(const struct request *request, struct deletion *deletion, struct reply *reply)
{
	struct error err;
	int rc = read_page(request, deletion, &err);

	deletion->slice_done = deletion->id_count == 0;
	if (rc != 0)
		answer_store_failed(reply, rc, &err);
	return rc == 0;
}

static bool
next_slice(const struct request *request, struct deletion *deletion, struct reply *reply)
{
	if (!change_run(request, remove_slice, deletion, reply))
		return false;
	reply_reset(reply);
	deletion->deleted += (int64_t)deletion->slice_deleted;
	deletion->cancelled += deletion->slice_cancelled;
	if (deletion->slice_version != 0)
		deletion->version = deletion->slice_version;
	return true;
}

static void
fit_page(const struct request *request, struct deletion *deletion, int64_t took_us)
{
	if (request->context->config->hl_store != HL_STORE_EMBEDDED)
		return;
	if (took_us > SLICE_LONG_US && deletion->page_events > PAGE_LEAST)
		deletion->page_events /= 2;
	else if (took_us < SLICE_SHORT_US)
		deletion->page_events =
		    deletion->page_events < PAGE_EVENTS / 2 ? deletion->page_events * 2 : PAGE_EVENTS;
}

/* *more: the time ended before all events were removed. false: the reply is an error. */
static bool
delete_pages(const struct request *request, struct deletion *deletion, bool *more, struct reply *reply)
{
	int64_t began_us, took_us;

	deletion->slice_done = true;
	deletion->page_events = request->context->config->hl_store == HL_STORE_EMBEDDED ? PAGE_FIRST : PAGE_EVENTS;
	do {
		began_us = clock_steady_us();
		if (deletion->slice_done && !next_page(request, deletion, reply))
			return false;
		if (!deletion->slice_done && !next_slice(request, deletion, reply))
			return false;
		took_us = clock_steady_us() - began_us;
		fit_page(request, deletion, took_us);
		*more = !deletion->last || !deletion->slice_done;
	} while (*more && began_us + 3 * took_us + MARGIN_US <= request->deadline_us);
	return true;
}

static void
answer(const struct deletion *deletion, bool more, struct reply *reply)
{
	static const uint8_t none[16];
	const uint8_t *next = deletion->slice_done ? deletion->after : deletion->before;
	char id[OBJECT_ID_BYTES] = "";
	cJSON *tree = tree_new();

	tree_add_bool(tree, "ok", true);
	tree_add_int(tree, "deleted", deletion->deleted);
	tree_add_int(tree, "jobs_cancelled", deletion->cancelled);
	tree_add_bool(tree, "more", more);
	if (more && memcmp(next, none, sizeof none) != 0) {
		format_uuid(next, id);
		tree_add_text(tree, "next_after_id", (struct span){id, strlen(id)});
	}
	answer_json(reply, 200, tree);
}

void
event_delete_many(const struct request *request, struct reply *reply)
{
	struct deletion *deletion = mem_new(1, sizeof *deletion);
	char tenant_id[QUERY_VALUE_BYTES];
	bool more;

	if (read_query(request, deletion, tenant_id, reply) && find_tenant(request, deletion, reply) &&
	    delete_pages(request, deletion, &more, reply)) {
		answer(deletion, more, reply);
		if (deletion->version != 0)
			propagation_wait(request, deletion->version, reply);
	}
	free(deletion);
}
