/* Shows attempts, which have ended. control/jobs.c shows jobs that still wait. */
#include "control/deliveries.h"

#include <string.h>

#include "control/filters.h"
#include "control/listing.h"
#include "control/tree.h"
#include "store/webhooks/attempt_lists.h"

#define LIMIT 50

cJSON *
delivery_show(const char *tenant_id, const struct db_rows *rows, uint32_t row)
{
	static const struct {
		const char *name;
		enum attempt_column column;
	} times[] = {
	    {"duration_ms", ATTEMPT_COLUMN_DURATION_MS},
	    {"dns_ms", ATTEMPT_COLUMN_DNS_MS},
	    {"connect_ms", ATTEMPT_COLUMN_CONNECT_MS},
	    {"tls_ms", ATTEMPT_COLUMN_TLS_MS},
	    {"first_byte_ms", ATTEMPT_COLUMN_FIRST_BYTE_MS},
	};
	cJSON *tree = tree_new();

	tree_add_text(tree, "id", db_rows_text(rows, row, ATTEMPT_COLUMN_ID));
	tree_add_text(tree, "attempt_id", db_rows_text(rows, row, ATTEMPT_COLUMN_ID));
	tree_add_text(tree, "job_id", db_rows_text(rows, row, ATTEMPT_COLUMN_JOB));
	tree_add_text(tree, "event_id", db_rows_text(rows, row, ATTEMPT_COLUMN_EVENT));
	tree_add_text(tree, "endpoint_id", db_rows_text(rows, row, ATTEMPT_COLUMN_ENDPOINT));
	tree_add_text(tree, "tenant_id", (struct span){tenant_id, strlen(tenant_id)});
	tree_add_int(tree, "attempt_n", db_rows_int(rows, row, ATTEMPT_COLUMN_NUMBER));
	tree_add_text(tree, "status", db_rows_text(rows, row, ATTEMPT_COLUMN_STATUS));
	tree_add_int_of(tree, "http_status", rows, row, ATTEMPT_COLUMN_HTTP_STATUS);
	tree_add_text(tree, "error", db_rows_text(rows, row, ATTEMPT_COLUMN_ERROR));
	tree_add_int(tree, "started_at", db_rows_int(rows, row, ATTEMPT_COLUMN_STARTED_MS));
	for (size_t i = 0; i < sizeof times / sizeof *times; i++)
		tree_add_int_of(tree, times[i].name, rows, row, times[i].column);
	tree_add_text(tree, "peer_address", db_rows_text(rows, row, ATTEMPT_COLUMN_PEER));
	tree_add_text(tree, "certificate_error", db_rows_text(rows, row, ATTEMPT_COLUMN_CERTIFICATE_ERROR));
	tree_add_bool(tree, "test", db_rows_bool(rows, row, ATTEMPT_COLUMN_TEST));
	if (!db_rows_null(rows, row, ATTEMPT_COLUMN_RESPONSE))
		tree_add_text(tree, "response_body", db_rows_text(rows, row, ATTEMPT_COLUMN_RESPONSE));
	return tree;
}

void
delivery_get(const struct request *request, struct reply *reply)
{
	char id[OBJECT_ID_BYTES];
	struct db_rows *rows = NULL;
	struct error err;
	int rc = 0;

	if (object_id_read(request->params[0], id))
		rc = attempt_lists_get(request->db, request->caller.tenant_id, id, time_range_of_id(id), &rows, &err);
	if (rc != 0)
		answer_store_failed(reply, rc, &err);
	else if (db_rows_count(rows) == 0)
		answer_error(reply, 404, "not_found", "there is no such attempt");
	else
		answer_json(reply, 200, delivery_show(request->caller.tenant_id, rows, 0));
	db_rows_free(rows);
}

/* ---- the list ---- */

static cJSON *
show(const struct request *request, const struct db_rows *rows, uint32_t row)
{
	return delivery_show(request->caller.tenant_id, rows, row);
}

static int
read_slice(const struct request *request, const void *context, const struct list_slice *slice, struct db_rows **rows,
    struct error *err)
{
	struct attempt_filter filter = *(const struct attempt_filter *)context;

	/* Ids begin with times, so rows behind this id are in its month or in a month beyond it, in list order. */
	if (slice->after != NULL) {
		struct time_range near = time_range_of_id(slice->after);

		if (slice->descending && near.to_ms < filter.started.to_ms)
			filter.started.to_ms = near.to_ms;
		if (!slice->descending && near.from_ms > filter.started.from_ms)
			filter.started.from_ms = near.from_ms;
	}
	return attempt_lists_list(request->db, request->caller.tenant_id, &filter, slice, rows, err);
}

static const char *
given(const char *id)
{
	return id[0] != '\0' ? id : NULL;
}

/* The id of a job's event: the job's id with zeros at the end. */
static void
event_of_job(const char *job_id, char out[OBJECT_ID_BYTES])
{
	memcpy(out, job_id, OBJECT_ID_BYTES);
	memcpy(out + OBJECT_ID_BYTES - 5, "0000", 4);
}

static bool
read_status(const struct request *request, const char **status, struct reply *reply)
{
	static const char *const words[] = {"success", "failure", "failed", NULL};
	char value[QUERY_VALUE_BYTES];

	if (query_value(request, "status", value) && strcmp(value, "pending") == 0) {
		answer_error(reply, 400, "validation_error",
		    "query: status must be success or failure: deliveries are attempts that have ended, and /v1/jobs "
		    "lists what is pending");
		return false;
	}
	if (!filter_word(request, "status", words, status, reply))
		return false;
	if (*status != NULL && strcmp(*status, "failed") == 0)
		*status = "failure";
	return true;
}

void
delivery_list(const struct request *request, struct reply *reply)
{
	static const struct list_kind kind = {
	    .letter = 'd', .descending = true, .limit = LIMIT, .read = read_slice, .show = show};
	char job_id[OBJECT_ID_BYTES], event_id[OBJECT_ID_BYTES], endpoint_id[OBJECT_ID_BYTES];
	char event_of_it[OBJECT_ID_BYTES];
	struct attempt_filter filter;

	if (!filter_id(request, "job_id", "a job", job_id, reply) ||
	    !filter_id(request, "event_id", "an event", event_id, reply) ||
	    !filter_id(request, "endpoint_id", "an endpoint", endpoint_id, reply) ||
	    !read_status(request, &filter.status, reply) || !filter_times(request, &filter.started, reply))
		return;
	filter.job_id = given(job_id);
	filter.event_id = given(event_id);
	filter.endpoint_id = given(endpoint_id);
	if (filter.event_id == NULL && filter.job_id != NULL) {
		event_of_job(job_id, event_of_it);
		filter.event_id = event_of_it;
	}
	list_answer(request, &kind, &filter, reply);
}
