/* A waiting job's row. PostgreSQL has an array of subscriptions, SQLite JSON. */
#include "store/webhooks/job_lists.h"

#include <stdio.h>

#include "base/format.h"

#define COLUMNS(subscription_ids)                                                                                      \
	"job_id, event_id, endpoint_id, status, attempt_count, hl_ms(next_attempt_at), hl_ms(expires_at), "            \
	"transform_id, replay_id, last_error, " subscription_ids
#define PG_COLUMNS COLUMNS("array_to_json(subscription_ids)")
#define SQLITE_COLUMNS COLUMNS("subscription_ids")

/* The greatest possible id of a job of the event. NULL for NULL. */
static const char *
last_job_of(const char *event_id, char out[FORMAT_UUID_BYTES + 1])
{
	if (event_id == NULL)
		return NULL;
	(void)snprintf(out, FORMAT_UUID_BYTES + 1, "%.*sffff", FORMAT_UUID_BYTES - 4, event_id);
	return out;
}

/* Uses the key, whose second column is the endpoint; otherwise all the tenant's jobs would be read. */
#define OF_ID "FROM jobs WHERE tenant_id = $1 AND job_id = $2 AND endpoint_id "
#define ENDPOINTS "SELECT endpoint_id FROM endpoints WHERE tenant_id = $1"

int
job_lists_get(struct db *db, const char *tenant_id, const char *job_id, struct db_rows **rows, struct error *err)
{
	static const struct db_statement get = {"SELECT " PG_COLUMNS " " OF_ID "= ANY (ARRAY(" ENDPOINTS "))",
	    "SELECT " SQLITE_COLUMNS " " OF_ID "IN (" ENDPOINTS ")"};
	const struct db_param params[] = {db_string(tenant_id), db_string(job_id)};

	return db_query(db, &get, params, 2, rows, err);
}

/* job: the table's name or alias. A job's id is its event's id but for the last 16 bits. */
#define FILTERS(job, uuid)                                                                                             \
	" AND (CAST($3 AS text) IS NULL OR " job ".status = $3) AND (CAST($4 AS " uuid ") IS NULL OR " job             \
	".event_id = $4) AND " job ".job_id BETWEEN COALESCE(CAST($4 AS " uuid                                         \
	"), '00000000-0000-0000-0000-000000000000') AND COALESCE(CAST($5 AS " uuid                                     \
	"), 'ffffffff-ffff-ffff-ffff-ffffffffffff')"

#define OF_ENDPOINT(columns, uuid, after, order)                                                                       \
	"SELECT " columns " FROM jobs WHERE tenant_id = $1 AND endpoint_id = $7 AND job_id " after                     \
	" $6" FILTERS("jobs", uuid) " ORDER BY job_id" order " LIMIT $2"

/*
 * Each step jumps to the next endpoint in the key. Of each endpoint at most as many jobs are read as are wanted in
 * all.
 */
#define QUEUES                                                                                                         \
	"WITH RECURSIVE queues (queue_id) AS ("                                                                        \
	"SELECT * FROM (SELECT endpoint_id FROM jobs WHERE tenant_id = $1 ORDER BY endpoint_id LIMIT 1) AS first"      \
	" UNION ALL SELECT (SELECT jobs.endpoint_id FROM jobs WHERE jobs.tenant_id = $1"                               \
	" AND jobs.endpoint_id > queues.queue_id ORDER BY jobs.endpoint_id LIMIT 1)"                                   \
	" FROM queues WHERE queues.queue_id IS NOT NULL) "
#define PG_OF_ALL(after, order)                                                                                        \
	QUEUES "SELECT " PG_COLUMNS " FROM queues CROSS JOIN LATERAL (SELECT * FROM jobs WHERE jobs.tenant_id = $1"    \
	       " AND jobs.endpoint_id = queue_id AND jobs.job_id " after                                               \
	       " $6" FILTERS("jobs", "uuid") " ORDER BY jobs.job_id" order " LIMIT $2) AS jobs ORDER BY job_id" order  \
					     " LIMIT $2"
/* In place of LATERAL: reads each endpoint up to its last wanted job. SQLite's CROSS JOIN keeps the order. */
#define SQLITE_OF_ALL(after, order, up_to, far)                                                                        \
	QUEUES "SELECT " SQLITE_COLUMNS " FROM queues CROSS JOIN jobs WHERE tenant_id = $1 AND endpoint_id = queue_id" \
	       " AND job_id " after " $6 AND job_id " up_to                                                            \
	       " COALESCE((SELECT edge.job_id FROM jobs AS edge WHERE edge.tenant_id = $1"                             \
	       " AND edge.endpoint_id = queue_id AND edge.job_id " after                                               \
	       " $6" FILTERS("edge", "text") " ORDER BY edge.job_id" order " LIMIT 1 OFFSET $2 - 1), '" far            \
					     "')" FILTERS("jobs", "text") " ORDER BY job_id" order " LIMIT $2"

int
job_lists_list(struct db *db, const char *tenant_id, const struct job_filter *filter, const struct list_slice *slice,
    struct db_rows **rows, struct error *err)
{
	static const struct db_statement of_endpoint[2] = {
	    {OF_ENDPOINT(PG_COLUMNS, "uuid", ">", ""), OF_ENDPOINT(SQLITE_COLUMNS, "text", ">", "")},
	    {OF_ENDPOINT(PG_COLUMNS, "uuid", "<", " DESC"), OF_ENDPOINT(SQLITE_COLUMNS, "text", "<", " DESC")},
	};
	static const struct db_statement of_all[2] = {
	    {PG_OF_ALL(">", ""), SQLITE_OF_ALL(">", "", "<=", "ffffffff-ffff-ffff-ffff-ffffffffffff")},
	    {PG_OF_ALL("<", " DESC"), SQLITE_OF_ALL("<", " DESC", ">=", "00000000-0000-0000-0000-000000000000")},
	};
	bool has_endpoint = filter->endpoint_id != NULL;
	char last[FORMAT_UUID_BYTES + 1];
	const struct db_param params[] = {
	    db_string(tenant_id),
	    db_int(slice->limit),
	    db_string(filter->status),
	    db_string(filter->event_id),
	    db_string(last_job_of(filter->event_id, last)),
	    list_after_id(slice),
	    db_string(filter->endpoint_id),
	};

	return list_query(
	    db, &(has_endpoint ? of_endpoint : of_all)[slice->descending], params, has_endpoint ? 7 : 6, rows, err);
}
