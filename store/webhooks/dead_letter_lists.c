/* A dead letter's row contains its event. */
#include "store/webhooks/dead_letter_lists.h"

#define COLUMNS(created_us)                                                                                            \
	"job_id, endpoint_id, reason, attempt_count, hl_ms(created_at), " created_us                                   \
	", last_http_status, last_error, transform_id, replay_id, " EVENT_COLUMNS
#define PG_COLUMNS COLUMNS(PG_MICROSECONDS("created_at"))
#define SQLITE_COLUMNS COLUMNS(SQLITE_MICROSECONDS("created_at"))

#define OF_ID "FROM dlq WHERE tenant_id = $1 AND job_id = $2"

int
dead_letter_lists_get(
    struct db *db, const char *tenant_id, const char *job_id, struct db_rows **rows, struct error *err)
{
	static const struct db_statement get = {"SELECT " PG_COLUMNS
						" FROM dlq WHERE tenant_id = $1 AND " ONE_BY("job_id", "$2", ""),
	    "SELECT " SQLITE_COLUMNS " " OF_ID};
	const struct db_param params[] = {db_string(tenant_id), db_string(job_id)};

	return db_query(db, &get, params, 2, rows, err);
}

int
dead_letter_lists_take(
    struct db *db, const char *tenant_id, const char *job_id, struct db_rows **rows, struct error *err)
{
	static const struct db_statement take = {"DELETE " OF_ID " RETURNING " PG_COLUMNS,
	    "DELETE " OF_ID " RETURNING " SQLITE_COLUMNS,
	    .citus = "DELETE " OF_ID " RETURNING " COLUMNS(CITUS_MICROSECONDS("created_at"))};
	const struct db_param params[] = {db_string(tenant_id), db_string(job_id)};

	return db_query(db, &take, params, 2, rows, err);
}

#define LIST(columns, uuid, place, after, order)                                                                       \
	"SELECT " columns " FROM dlq WHERE tenant_id = $1 AND created_at >= hl_time($3) AND created_at < hl_time($4)"  \
	" AND topic LIKE $5 ESCAPE '\\' AND (CAST($6 AS " uuid ") IS NULL OR endpoint_id = $6)"                        \
	" AND (CAST($7 AS text) IS NULL OR reason = $7) AND (created_at, job_id) " after " (" place ", $8)"            \
	" ORDER BY created_at" order ", job_id" order " LIMIT $2"
#define BOTH(after, order)                                                                                             \
	LIST(PG_COLUMNS, "uuid", PG_OF_MICROSECONDS("$9"), after, order),                                              \
	    LIST(SQLITE_COLUMNS, "text", SQLITE_OF_MICROSECONDS("$9"), after, order)

int
dead_letter_lists_list(struct db *db, const char *tenant_id, const struct dead_letter_filter *filter,
    const struct list_slice *slice, struct db_rows **rows, struct error *err)
{
	static const struct db_statement lists[2] = {{BOTH(">", "")}, {BOTH("<", " DESC")}};
	const struct db_param params[] = {
	    db_string(tenant_id),
	    db_int(slice->limit),
	    db_int(filter->created.from_ms),
	    db_int(filter->created.to_ms),
	    list_like(filter->topic_like),
	    db_string(filter->endpoint_id),
	    db_string(filter->reason),
	    list_after_id(slice),
	    list_after_time(slice),
	};

	return list_query(db, &lists[slice->descending], params, 9, rows, err);
}
