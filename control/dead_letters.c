/* A single dead letter is shown with its event; a list leaves the events out. */
#include "control/dead_letters.h"

#include <string.h>

#include "control/change.h"
#include "control/events.h"
#include "control/filters.h"
#include "control/listing.h"
#include "control/propagation.h"
#include "control/tree.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/dead_letter_lists.h"
#include "store/webhooks/fifo_stops.h"
#include "store/webhooks/routing.h"
#include "store/webhooks/store_clock.h"

static cJSON *
show(const struct request *request, const struct db_rows *rows, uint32_t row)
{
	const struct stored_event event = stored_event_of_row(rows, row, DEAD_LETTER_COLUMN_EVENT);
	const char *tenant_id = request->caller.tenant_id;
	struct span id = db_rows_text(rows, row, DEAD_LETTER_COLUMN_JOB);
	cJSON *tree = tree_new();

	tree_add_text(tree, "id", id);
	tree_add_text(tree, "dlq_id", id);
	tree_add_text(tree, "job_id", id);
	tree_add_text(tree, "event_id", event.id);
	tree_add_text(tree, "endpoint_id", db_rows_text(rows, row, DEAD_LETTER_COLUMN_ENDPOINT));
	tree_add_text(tree, "tenant_id", (struct span){tenant_id, strlen(tenant_id)});
	tree_add_text(tree, "topic", event.topic);
	tree_add_text(tree, "reason", db_rows_text(rows, row, DEAD_LETTER_COLUMN_REASON));
	tree_add_int(tree, "attempt_count", db_rows_int(rows, row, DEAD_LETTER_COLUMN_ATTEMPTS));
	tree_add_int_of(tree, "last_http_status", rows, row, DEAD_LETTER_COLUMN_HTTP_STATUS);
	tree_add_text(tree, "last_error", db_rows_text(rows, row, DEAD_LETTER_COLUMN_ERROR));
	tree_add_text(tree, "transform_id", db_rows_text(rows, row, DEAD_LETTER_COLUMN_TRANSFORM));
	tree_add_text(tree, "replay_id", db_rows_text(rows, row, DEAD_LETTER_COLUMN_REPLAY));
	tree_add_int(tree, "created_at", db_rows_int(rows, row, DEAD_LETTER_COLUMN_CREATED_MS));
	return tree;
}

/*
 * Reads the dead letter, or removes it. Returns as db_query(); if there is none, returns 0 with an answer in the
 * reply.
 */
static int
load(const struct request *request, bool take, struct db_rows **rows, struct reply *reply, struct error *err)
{
	char id[OBJECT_ID_BYTES];
	int rc = 0;

	*rows = NULL;
	if (object_id_read(request->params[0], id))
		rc = (take ? dead_letter_lists_take : dead_letter_lists_get)(
		    request->db, request->caller.tenant_id, id, rows, err);
	if (rc == 0 && db_rows_count(*rows) == 0)
		answer_error(reply, 404, "not_found", "there is no such dead letter");
	return rc;
}

void
dead_letter_get(const struct request *request, struct reply *reply)
{
	struct db_rows *rows;
	struct error err;
	int rc = load(request, false, &rows, reply, &err);

	if (rc != 0) {
		answer_store_failed(reply, rc, &err);
	} else if (reply->status == 0) {
		const struct stored_event event = stored_event_of_row(rows, 0, DEAD_LETTER_COLUMN_EVENT);
		cJSON *tree = show(request, rows, 0);

		tree_add(tree, "event", event_show(request->caller.tenant_id, &event, -1));
		answer_json(reply, 200, tree);
	}
	db_rows_free(rows);
}

/* ---- the list ---- */

struct asked {
	struct topic_filter topic;
	struct dead_letter_filter filter;
};

static int
read_slice(const struct request *request, const void *context, const struct list_slice *slice, struct db_rows **rows,
    struct error *err)
{
	const struct asked *asked = context;

	return dead_letter_lists_list(request->db, request->caller.tenant_id, &asked->filter, slice, rows, err);
}

/* LIKE also passes some topics that do not match. */
static bool
fits(const void *context, const struct db_rows *rows, uint32_t row)
{
	const struct asked *asked = context;

	return topic_filter_fits(&asked->topic, stored_event_of_row(rows, row, DEAD_LETTER_COLUMN_EVENT).topic);
}

static struct span
id_of(const struct db_rows *rows, uint32_t row)
{
	return db_rows_text(rows, row, DEAD_LETTER_COLUMN_JOB);
}

static int64_t
created_us(const struct db_rows *rows, uint32_t row)
{
	return db_rows_int(rows, row, DEAD_LETTER_COLUMN_CREATED_US);
}

void
dead_letter_list(const struct request *request, struct reply *reply)
{
	static const struct list_kind kind = {.letter = 'q',
	    .has_payloads = true,
	    .descending = true,
	    .read = read_slice,
	    .show = show,
	    .fits = fits,
	    .id = id_of,
	    .time_us = created_us,
	    .now = store_clock_now};
	char endpoint_id[OBJECT_ID_BYTES], reason[QUERY_VALUE_BYTES];
	struct asked asked;

	if (!filter_id(request, "endpoint_id", "an endpoint", endpoint_id, reply) ||
	    !filter_topic(request, &asked.topic, reply) || !filter_times(request, &asked.filter.created, reply))
		return;
	asked.filter.endpoint_id = endpoint_id[0] != '\0' ? endpoint_id : NULL;
	asked.filter.reason = query_value(request, "reason", reason) ? reason : NULL;
	asked.filter.topic_like = topic_filter_like(&asked.topic);
	list_answer(request, &kind, &asked, reply);
}

/* ---- DELETE ---- */

/* *stops: whether the letter stops an order, which then goes on. Raises versions before anything else is changed. */
static int
raise_if_it_stops(const struct request *request, bool *stops, struct reply *reply, struct error *err)
{
	const char *tenant_id = request->caller.tenant_id;
	struct db_rows *rows = NULL;
	int rc = load(request, false, &rows, reply, err);

	*stops = false;
	if (rc == 0 && reply->status == 0)
		rc = fifo_stops_has(
		    request->db, tenant_id, db_rows_text(rows, 0, DEAD_LETTER_COLUMN_JOB).base, stops, err);
	if (rc == 0 && *stops)
		rc = routing_raise_for_couriers(request->db, tenant_id, err);
	db_rows_free(rows);
	return rc;
}

/* context: the raised version of changes, or 0. */
static int delete (const struct request *request, void *context, struct reply *reply, struct error *err)
{
	const char *tenant_id = request->caller.tenant_id;
	int64_t *version = context;
	struct db_rows *rows = NULL;
	bool stops;
	int rc = raise_if_it_stops(request, &stops, reply, err);

	*version = 0;
	if (rc == 0 && reply->status == 0)
		rc = load(request, true, &rows, reply, err);
	if (rc == 0 && reply->status == 0) {
		const char *id = db_rows_text(rows, 0, DEAD_LETTER_COLUMN_JOB).base;
		const struct change change = {"dlq.delete", "dead_letter", id, tenant_id};

		if (stops)
			rc = changes_raise(request->db, version, err);
		if (rc == 0)
			rc = change_removed(request, &change, show(request, rows, 0), reply, err);
	}
	db_rows_free(rows);
	return rc;
}

void
dead_letter_delete(const struct request *request, struct reply *reply)
{
	int64_t version;

	if (change_run(request, delete, &version, reply) && version != 0)
		propagation_wake_couriers(request->context->segment, version);
}
