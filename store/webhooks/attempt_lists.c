/* Attempts of an event or a job are found by the index on events; other lists follow the key. */
#include "store/webhooks/attempt_lists.h"

#define COLUMNS                                                                                                        \
	"attempt_id, endpoint_id, attempt_n, status, hl_ms(started_at), duration_ms, test, job_id, event_id, "         \
	"http_status, error, dns_ms, connect_ms, tls_ms, first_byte_ms, peer_address, certificate_error, "             \
	"response_body"

#define STARTED " AND started_at >= hl_time($3) AND started_at < hl_time($4)"

int
attempt_lists_get(struct db *db, const char *tenant_id, const char *attempt_id, struct time_range started,
    struct db_rows **rows, struct error *err)
{
	static const struct db_statement get = {
	    "SELECT " COLUMNS " FROM attempts WHERE tenant_id = $1 AND attempt_id = $2" STARTED};
	const struct db_param params[] = {
	    db_string(tenant_id), db_string(attempt_id), db_int(started.from_ms), db_int(started.to_ms)};

	return db_query(db, &get, params, 4, rows, err);
}

/* uuid: the type of ids. */
#define FILTERED(from, uuid)                                                                                           \
	"SELECT " COLUMNS " FROM " from " WHERE tenant_id = $1" STARTED " AND (CAST($5 AS " uuid                       \
	") IS NULL OR endpoint_id = $5) AND (CAST($6 AS text) IS NULL OR status = $6)"
#define ALL(uuid, after, order)                                                                                        \
	FILTERED("attempts", uuid) " AND attempt_id " after " $7 ORDER BY attempt_id" order " LIMIT $2"
/*
 * Keeps the databases from choosing the key because it has the order: OFFSET 0 for PostgreSQL, +attempt_id for
 * SQLite.
 */
#define OF_EVENT(from, uuid, id, after, order)                                                                         \
	FILTERED(from, uuid)                                                                                           \
	" AND event_id = $8 AND (CAST($9 AS " uuid ") IS NULL OR job_id = $9) AND " id " " after                       \
	" $7 ORDER BY " id order " LIMIT $2"
#define PG_OF_EVENT(after, order)                                                                                      \
	OF_EVENT("(SELECT * FROM attempts WHERE tenant_id = $1 AND event_id = $8" STARTED " OFFSET 0) AS attempts",    \
	    "uuid", "attempt_id", after, order)
#define SQLITE_OF_EVENT(after, order) OF_EVENT("attempts", "text", "+attempt_id", after, order)

int
attempt_lists_list(struct db *db, const char *tenant_id, const struct attempt_filter *filter,
    const struct list_slice *slice, struct db_rows **rows, struct error *err)
{
	static const struct db_statement all[2] = {
	    {ALL("uuid", ">", ""), ALL("text", ">", "")},
	    {ALL("uuid", "<", " DESC"), ALL("text", "<", " DESC")},
	};
	static const struct db_statement of_event[2] = {
	    {PG_OF_EVENT(">", ""), SQLITE_OF_EVENT(">", "")},
	    {PG_OF_EVENT("<", " DESC"), SQLITE_OF_EVENT("<", " DESC")},
	};
	const struct db_param params[] = {
	    db_string(tenant_id),
	    db_int(slice->limit),
	    db_int(filter->started.from_ms),
	    db_int(filter->started.to_ms),
	    db_string(filter->endpoint_id),
	    db_string(filter->status),
	    list_after_id(slice),
	    db_string(filter->event_id),
	    db_string(filter->job_id),
	};

	/* The attempts of an event are few, so they are sorted. */
	if (filter->event_id == NULL)
		return list_query(db, &all[slice->descending], params, 7, rows, err);
	return db_query(db, &of_event[slice->descending], params, 9, rows, err);
}
