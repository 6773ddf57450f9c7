/* Events are shown byte for byte: payloads are never parsed. */
#include "control/events.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "control/filters.h"
#include "control/listing.h"
#include "control/tree.h"
#include "store/webhooks/event_lists.h"
#include "store/webhooks/store_clock.h"

#define LIMIT 50

/* Upper bound of the difference between a node's clock and the store's. */
#define CLOCKS_DIFFER_MS (INT64_C(24) * 60 * 60 * 1000)

/* Appends the members of another object. Takes the tree. */
static cJSON *
with_members(cJSON *tree, struct span object)
{
	char *text, *whole;
	cJSON *raw;

	if (!tree_is_json(object) || object.len < 3 || object.base[0] != '{')
		return tree;
	text = cJSON_PrintUnformatted(tree);
	if (text == NULL)
		mem_none(0);
	whole = mem_printf("%.*s,%s", (int)strlen(text) - 1, text, object.base + 1);
	raw = cJSON_CreateRaw(whole);
	if (raw == NULL)
		mem_none(0);
	free(whole);
	cJSON_free(text);
	cJSON_Delete(tree);
	return raw;
}

static void
add_if_given(cJSON *tree, const char *name, struct span text)
{
	if (text.base != NULL)
		tree_add_text(tree, name, text);
}

cJSON *
event_show(const char *tenant_id, const struct stored_event *event, int64_t jobs)
{
	cJSON *tree = tree_new();

	tree_add_text(tree, "id", event->id);
	tree_add_text(tree, "event_id", event->id);
	tree_add_text(tree, "tenant_id", (struct span){tenant_id, strlen(tenant_id)});
	tree_add_text(tree, "topic", event->topic);
	tree_add_json(tree, "payload", event->payload, "null");
	tree_add_int(tree, "occurred_at", event->occurred_ms);
	tree_add_int(tree, "created_at", id_time_ms(event->id.base));
	add_if_given(tree, "idempotency_key", event->idempotency_key);
	add_if_given(tree, "ordering_key", event->ordering_key);
	add_if_given(tree, "target_user_id", event->target_user_id);
	if (jobs >= 0)
		tree_add_int(tree, "job_count", jobs);
	if (event->trace.base != NULL)
		tree_add_json(tree, "_trace", event->trace, "null");
	return with_members(tree, event->extra);
}

static cJSON *
show(const struct request *request, const struct db_rows *rows, uint32_t row)
{
	struct stored_event event = stored_event_of_row(rows, row, EVENT_COLUMN_EVENT);

	return event_show(request->caller.tenant_id, &event, db_rows_int(rows, row, EVENT_COLUMN_JOBS));
}

/* Returns as db_query(). */
static int
load(const struct request *request, const char *id, struct db_rows **rows, struct error *err)
{
	return event_lists_get(request->db, request->caller.tenant_id, id, time_range_of_id(id), rows, err);
}

void
event_get(const struct request *request, struct reply *reply)
{
	char id[OBJECT_ID_BYTES];
	struct db_rows *rows = NULL;
	struct error err;
	int rc = object_id_read(request->params[0], id) ? load(request, id, &rows, &err) : 0;

	if (rc != 0)
		answer_store_failed(reply, rc, &err);
	else if (db_rows_count(rows) == 0)
		answer_error(reply, 404, "not_found", "there is no such event");
	else
		answer_json(reply, 200, show(request, rows, 0));
	db_rows_free(rows);
}

/* ---- the list ---- */

struct asked {
	struct topic_filter topic;
	struct time_range created;
};

static int
read_slice(const struct request *request, const void *context, const struct list_slice *slice, struct db_rows **rows,
    struct error *err)
{
	const struct asked *asked = context;
	struct event_filter filter = {topic_filter_like(&asked->topic), asked->created};
	struct list_slice behind = *slice;
	int64_t earliest_us = (asked->created.from_ms - CLOCKS_DIFFER_MS) * 1000;

	/* Ids begin with times, so ids before this one are in no later month. */
	if (slice->descending && slice->after != NULL) {
		struct time_range near = time_range_of_id(slice->after);

		if (near.to_ms < filter.created.to_ms)
			filter.created.to_ms = near.to_ms;
	}
	/* No event is stored before it is made, so rows stored before from_ms need not be read. */
	if (!slice->descending && slice->after_us < earliest_us) {
		behind.after = db_first_uuid(false);
		behind.after_us = earliest_us;
	}
	return event_lists_list(request->db, request->caller.tenant_id, &filter, &behind, rows, err);
}

/* LIKE also passes some topics that do not match. */
static bool
fits(const void *context, const struct db_rows *rows, uint32_t row)
{
	const struct asked *asked = context;

	return topic_filter_fits(&asked->topic, stored_event_of_row(rows, row, EVENT_COLUMN_EVENT).topic);
}

static struct span
id_of(const struct db_rows *rows, uint32_t row)
{
	return db_rows_text(rows, row, EVENT_COLUMN_EVENT);
}

static int64_t
stored_us(const struct db_rows *rows, uint32_t row)
{
	return db_rows_int(rows, row, EVENT_COLUMN_STORED_US);
}

/* Begins the page behind the event of after_id. false: the request has been answered. */
static bool
begin_behind(const struct request *request, const char *id, struct list_page *page, struct reply *reply)
{
	struct db_rows *rows;
	struct error err;
	int rc = load(request, id, &rows, &err);

	if (rc != 0) {
		answer_store_failed(reply, rc, &err);
		return false;
	}
	if (db_rows_count(rows) == 0)
		answer_error(reply, 400, "validation_error", "query: after_id: there is no such event");
	else
		page->after_us = stored_us(rows, 0);
	db_rows_free(rows);
	(void)strcpy(page->after, id);
	return reply->status == 0;
}

void
event_list(const struct request *request, struct reply *reply)
{
	static const struct list_kind kind = {.letter = 'v',
	    .has_payloads = true,
	    .limit = LIMIT,
	    .read = read_slice,
	    .show = show,
	    .fits = fits,
	    .id = id_of,
	    .time_us = stored_us,
	    .now = store_clock_now};
	char after_id[OBJECT_ID_BYTES];
	struct asked asked;
	struct list_page page;
	cJSON *tree;

	if (!filter_topic(request, &asked.topic, reply) || !filter_times(request, &asked.created, reply) ||
	    !filter_id(request, "after_id", "an event", after_id, reply) ||
	    !list_page_read(request, &kind, &page, reply))
		return;
	if (after_id[0] != '\0' && page.after[0] != '\0')
		answer_error(reply, 400, "validation_error", "query: cursor and after_id are two places: give one");
	else if (after_id[0] == '\0' || begin_behind(request, after_id, &page, reply)) {
		tree = list_collect(request, &kind, &asked, &page, reply);
		if (tree != NULL)
			answer_json(reply, 200, tree);
	}
}
