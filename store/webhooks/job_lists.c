/* A waiting job's row. PostgreSQL has an array of subscriptions, SQLite JSON. */
#include "store/webhooks/job_lists.h"

#define COLUMNS(subscription_ids)                                                                                      \
	"job_id, event_id, endpoint_id, status, attempt_count, hl_ms(next_attempt_at), hl_ms(expires_at), "            \
	"transform_id, replay_id, last_error, " subscription_ids
#define PG_COLUMNS COLUMNS("array_to_json(subscription_ids)")
#define SQLITE_COLUMNS COLUMNS("subscription_ids")

/* By the key, whose second column is the endpoint: else all that waits for the tenant would be read. */
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

#define FILTERED(columns, uuid)                                                                                        \
	"SELECT " columns " FROM jobs WHERE tenant_id = $1 AND (CAST($3 AS text) IS NULL OR status = $3)"              \
	" AND (CAST($4 AS " uuid ") IS NULL OR event_id = $4)"
#define LIST(columns, uuid, of_endpoint, after, order)                                                                 \
	FILTERED(columns, uuid) " AND job_id " after " $5" of_endpoint " ORDER BY job_id" order " LIMIT $2"
#define BOTH(of_endpoint, after, order)                                                                                \
	LIST(PG_COLUMNS, "uuid", of_endpoint, after, order), LIST(SQLITE_COLUMNS, "text", of_endpoint, after, order)
#define OF_ENDPOINT " AND endpoint_id = $6"

int
job_lists_list(struct db *db, const char *tenant_id, const struct job_filter *filter, const struct list_slice *slice,
    struct db_rows **rows, struct error *err)
{
	static const struct db_statement lists[2][2] = {
	    {{BOTH("", ">", "")}, {BOTH(OF_ENDPOINT, ">", "")}},
	    {{BOTH("", "<", " DESC")}, {BOTH(OF_ENDPOINT, "<", " DESC")}},
	};
	bool of_endpoint = filter->endpoint_id != NULL;
	const struct db_param params[] = {
	    db_string(tenant_id),
	    db_int(slice->limit),
	    db_string(filter->status),
	    db_string(filter->event_id),
	    list_after_id(slice),
	    db_string(filter->endpoint_id),
	};

	return db_query(db, &lists[slice->descending][of_endpoint], params, of_endpoint ? 6 : 5, rows, err);
}
