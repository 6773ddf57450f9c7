/* A job that has ended has no row: its attempts, or its dead letter, show its result. */
#include "control/jobs.h"

#include <string.h>

#include "control/filters.h"
#include "control/listing.h"
#include "control/tree.h"
#include "store/webhooks/job_lists.h"

cJSON *
job_show(const struct request *request, const struct db_rows *rows, uint32_t row)
{
	const char *tenant_id = request->caller.tenant_id;
	cJSON *tree = tree_new();

	tree_add_text(tree, "id", db_rows_text(rows, row, JOB_COLUMN_ID));
	tree_add_text(tree, "job_id", db_rows_text(rows, row, JOB_COLUMN_ID));
	tree_add_text(tree, "event_id", db_rows_text(rows, row, JOB_COLUMN_EVENT));
	tree_add_text(tree, "endpoint_id", db_rows_text(rows, row, JOB_COLUMN_ENDPOINT));
	tree_add_text(tree, "tenant_id", (struct span){tenant_id, strlen(tenant_id)});
	tree_add_text(tree, "status", db_rows_text(rows, row, JOB_COLUMN_STATUS));
	tree_add_int(tree, "attempt_count", db_rows_int(rows, row, JOB_COLUMN_ATTEMPTS));
	tree_add_int(tree, "next_attempt_at", db_rows_int(rows, row, JOB_COLUMN_NEXT_MS));
	tree_add_text(tree, "last_error", db_rows_text(rows, row, JOB_COLUMN_ERROR));
	tree_add_int_of(tree, "expires_at", rows, row, JOB_COLUMN_EXPIRES_MS);
	tree_add_text(tree, "transform_id", db_rows_text(rows, row, JOB_COLUMN_TRANSFORM));
	tree_add_text(tree, "replay_id", db_rows_text(rows, row, JOB_COLUMN_REPLAY));
	tree_add_json(tree, "subscription_ids", db_rows_text(rows, row, JOB_COLUMN_SUBSCRIPTIONS), "[]");
	return tree;
}

void
job_answer_unknown(struct reply *reply)
{
	answer_error(reply, 404, "not_found",
	    "there is no such job that waits: /v1/deliveries?job_id= and /v1/dlq/ tell what became of it");
}

void
job_get(const struct request *request, struct reply *reply)
{
	char id[OBJECT_ID_BYTES];
	struct db_rows *rows = NULL;
	struct error err;
	int rc = 0;

	if (object_id_read(request->params[0], id))
		rc = job_lists_get(request->db, request->caller.tenant_id, id, &rows, &err);
	if (rc != 0)
		answer_store_failed(reply, rc, &err);
	else if (db_rows_count(rows) == 0)
		job_answer_unknown(reply);
	else
		answer_json(reply, 200, job_show(request, rows, 0));
	db_rows_free(rows);
}

static int
read_slice(const struct request *request, const void *filter, const struct list_slice *slice, struct db_rows **rows,
    struct error *err)
{
	return job_lists_list(request->db, request->caller.tenant_id, filter, slice, rows, err);
}

void
job_list(const struct request *request, struct reply *reply)
{
	static const struct list_kind kind = {.letter = 'j', .descending = true, .read = read_slice, .show = job_show};
	static const char *const words[] = {"pending", "held", NULL};
	char endpoint_id[OBJECT_ID_BYTES], event_id[OBJECT_ID_BYTES];
	struct job_filter filter;

	if (!filter_id(request, "endpoint_id", "an endpoint", endpoint_id, reply) ||
	    !filter_id(request, "event_id", "an event", event_id, reply) ||
	    !filter_word(request, "status", words, &filter.status, reply))
		return;
	filter.endpoint_id = endpoint_id[0] != '\0' ? endpoint_id : NULL;
	filter.event_id = event_id[0] != '\0' ? event_id : NULL;
	list_answer(request, &kind, &filter, reply);
}
