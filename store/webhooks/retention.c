/*
 * A tenant's rows are found by the key, in the order of ids, which is that of time: removal needs no index of its own.
 */
#include "store/webhooks/retention.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "store/webhooks/job_outcomes.h"

/* ---- months ---- */

static const char *
why(const char *outcome)
{
	if (strcmp(outcome, "needed") == 0)
		return "jobs that wait or a replay need its events";
	if (strcmp(outcome, "depended_on") == 0)
		return "another object of the database depends on it";
	return "the table is in use by a long query or an open transaction";
}

int
retention_drop_month(struct db *db, enum retention_table table, int64_t before_ms, bool *dropped, struct error *err)
{
	static const struct db_statement drop = {
	    "SELECT partition_name, outcome FROM hl_drop_month($1::text::regclass, hl_time($2))",
	    "SELECT $1, $2 WHERE 0"};
	const struct db_param params[] = {
	    db_string(table == RETENTION_EVENTS ? "events" : "attempts"), db_int(before_ms)};
	struct db_rows *rows = NULL;
	int rc = db_begin(db, err);

	*dropped = false;
	if (rc == 0)
		rc = db_query(db, &drop, params, 2, &rows, err);
	rc = db_end(db, rc, err);
	for (uint32_t row = 0; rc == 0 && row < db_rows_count(rows); row++) {
		struct log_field name = LOG_STR("month", db_rows_text(rows, row, 0).base);
		const char *outcome = db_rows_text(rows, row, 1).base;

		if (strcmp(outcome, "dropped") == 0) {
			*dropped = true;
			log_info("a month of old rows was dropped", name);
		} else {
			log_info("a month of old rows stays for now", name, LOG_STR("reason", why(outcome)));
		}
	}
	db_rows_free(rows);
	return rc;
}

/* ---- slices ---- */

struct table_statements {
	struct db_statement next_tenant; /* the next tenant behind $1 that has rows before id $2 and time $3 */
	struct db_statement row; /* id of row number $5 of the slice: tenant, after, last, time, number */
	struct db_statement remove; /* tenant, after, last, time */
};

#define NEXT_TENANT(table, id, time)                                                                                   \
	"SELECT tenant_id FROM tenants WHERE tenant_id > $1 AND deleted_at IS NULL AND (SELECT 1 FROM " table          \
	" WHERE " table ".tenant_id = tenants.tenant_id AND " id " < $2 AND " time " < hl_time($3) LIMIT 1) = 1"       \
	" ORDER BY tenant_id LIMIT 1"
#define NEXT_TENANT_ON_CITUS(table, id, time)                                                                          \
	"SELECT tenants.tenant_id FROM tenants JOIN " table " ON " table ".tenant_id = tenants.tenant_id"              \
	" WHERE tenants.tenant_id > $1 AND tenants.deleted_at IS NULL AND " table "." id " < $2 AND " table "." time   \
	" < hl_time($3) ORDER BY tenants.tenant_id LIMIT 1"
#define ROW(table, id, time)                                                                                           \
	"SELECT " id " FROM " table " WHERE tenant_id = $1 AND " id " > $2 AND " id " <= $3 AND " time                 \
	" < hl_time($4) ORDER BY " id " LIMIT 1 OFFSET $5"
#define REMOVE(table, id, time)                                                                                        \
	"DELETE FROM " table " WHERE tenant_id = $1 AND " id " > $2 AND " id " <= $3 AND " time " < hl_time($4)"

/*
 * Jobs of these events, found by the key at each endpoint. $5 is the greatest id of a job of the last event. $6 is the
 * first event: before it there may be many requeued jobs, which outlive their events. LATERAL and OFFSET 0, and
 * SQLite's CROSS JOIN, make the planner start with the endpoints, whatever its statistics of jobs. Citus changes a
 * distributed table only if a condition on each table names the one tenant.
 */
#define OLD_JOBS "jobs.job_id > $6 AND jobs.job_id <= $5"
#define NOT_REQUEUED(tenant_id)                                                                                        \
	" AND (SELECT 1 FROM dlq_events WHERE dlq_events.tenant_id = " tenant_id                                       \
	" AND dlq_events.event_id = jobs.event_id AND dlq_events.job_id = jobs.job_id) IS NULL"
#define REMOVE_EVENTS REMOVE("events", "event_id", "created_at") " AND event_id NOT IN (SELECT waiting.event_id FROM "
#define LATERAL_WAITING(of_endpoint, of_job)                                                                           \
	"endpoints CROSS JOIN LATERAL (SELECT jobs.event_id FROM jobs WHERE jobs.tenant_id = " of_endpoint             \
	" AND jobs.endpoint_id = endpoints.endpoint_id AND " OLD_JOBS                                                  \
	NOT_REQUEUED(of_job) " OFFSET 0) AS waiting WHERE endpoints.tenant_id = $1) RETURNING 1"
#define PG_WAITING LATERAL_WAITING("endpoints.tenant_id", "jobs.tenant_id")
#define CITUS_WAITING LATERAL_WAITING("$1", "$1")
#define SQLITE_WAITING                                                                                                 \
	"(SELECT jobs.event_id FROM endpoints CROSS JOIN jobs WHERE endpoints.tenant_id = $1 AND jobs.tenant_id = $1"  \
	" AND jobs.endpoint_id = endpoints.endpoint_id AND " OLD_JOBS NOT_REQUEUED(                                    \
	    "jobs.tenant_id") ") AS waiting) RETURNING 1"

static const struct table_statements statements[] = {
    [RETENTION_EVENTS] = {.next_tenant = {NEXT_TENANT("events", "event_id", "created_at"),
			      .citus = NEXT_TENANT_ON_CITUS("events", "event_id", "created_at")},
	.row = {ROW("events", "event_id", "created_at")},
	.remove = {REMOVE_EVENTS PG_WAITING, REMOVE_EVENTS SQLITE_WAITING, .citus = REMOVE_EVENTS CITUS_WAITING}},
    [RETENTION_ATTEMPTS] = {.next_tenant = {NEXT_TENANT("attempts", "attempt_id", "started_at"),
				.citus = NEXT_TENANT_ON_CITUS("attempts", "attempt_id", "started_at")},
	.row = {ROW("attempts", "attempt_id", "started_at")},
	.remove = {REMOVE("attempts", "attempt_id", "started_at") " RETURNING 1"}}};

/*
 * Blocks a replay's next slice until the transaction ends, because a replay locks the tenant's routes before it reads
 * events. A tenant without a row has no endpoint.
 */
static const struct db_statement lock_routes = {
    "SELECT 1 FROM routing_versions WHERE tenant_id = $1 FOR UPDATE", "SELECT $1"};

/*
 * The place of the tenant's slowest replay: jobs of events before it are made. A replay is respected for a day, as in
 * hl_drop_month().
 */
static const struct db_statement find_replay = {
    "SELECT place FROM replays WHERE tenant_id = $1 AND finished_at IS NULL"
    " AND hl_ms(created_at) > hl_ms(hl_now()) - 86400000 ORDER BY place NULLS FIRST LIMIT 1"};

/* The bounds of a slice of one tenant. */
struct bound {
	uint8_t first[16]; /* the first row */
	uint8_t id[16]; /* the last id */
	bool nothing; /* no row may be removed */
};

static bool
id_of(const struct db_rows *rows, uint8_t id[16])
{
	struct span text = db_rows_text(rows, 0, 0);

	return text.base != NULL && uuid_parse(text.base, text.len, id);
}

static int
bound_by_replays(struct db *db, const char *tenant_id, struct bound *bound, struct error *err)
{
	const struct db_param params[] = {db_string(tenant_id)};
	uint8_t place[16];
	struct db_rows *rows;
	int rc = db_query(db, &lock_routes, params, 1, NULL, err);

	if (rc == 0)
		rc = db_query(db, &find_replay, params, 1, &rows, err);
	if (rc != 0)
		return rc;
	if (db_rows_count(rows) > 0 && !id_of(rows, place))
		bound->nothing = true;
	else if (db_rows_count(rows) > 0 && memcmp(place, bound->id, sizeof place) < 0)
		memcpy(bound->id, place, sizeof place);
	db_rows_free(rows);
	return 0;
}

/* Finds a row of the slice by its number, from 0. *found: it exists, and id is set. */
static int
find_row(struct db *db, enum retention_table table, const struct db_param params[5], uint8_t id[16], bool *found,
    struct error *err) /* six: what is asked, and two results */
{
	struct db_rows *rows;
	int rc = db_query(db, &statements[table].row, params, 5, &rows, err);

	if (rc != 0)
		return rc;
	*found = db_rows_count(rows) > 0 && id_of(rows, id);
	db_rows_free(rows);
	return 0;
}

/* Sets the end of the slice after `most` rows. *more: others follow. */
static int
bound_by_rows(struct db *db, const struct retention_run *run, uint32_t most, struct bound *bound, bool *more,
    struct error *err) /* six: whose, and two results */
{
	struct db_param params[] = {
	    db_string(run->tenant_id), db_uuid(run->after), db_uuid(bound->id), db_int(run->before_ms), db_int(0)};
	bool any;
	int rc = find_row(db, run->table, params, bound->first, &any, err);

	if (rc != 0)
		return rc;
	bound->nothing = !any;
	if (!any)
		return 0;
	params[4] = db_int((int64_t)most - 1);
	return find_row(db, run->table, params, bound->id, more, err);
}

static int
remove_rows(
    struct db *db, const struct retention_run *run, const struct bound *bound, uint32_t *removed, struct error *err)
{
	uint8_t last_job[16];
	const struct db_param params[] = {db_string(run->tenant_id), db_uuid(run->after), db_uuid(bound->id),
	    db_int(run->before_ms), db_uuid(last_job), db_uuid(bound->first)};
	struct db_rows *rows;

	memcpy(last_job, bound->id, sizeof last_job);
	last_job[14] = last_job[15] = 0xff;
	int rc =
	    db_query(db, &statements[run->table].remove, params, run->table == RETENTION_EVENTS ? 6 : 4, &rows, err);
	if (rc != 0)
		return rc;
	*removed = db_rows_count(rows);
	db_rows_free(rows);
	return 0;
}

static int
slice_of_tenant(struct db *db, struct retention_run *run, uint32_t most, uint32_t *removed, struct error *err)
{
	struct bound bound = {.nothing = false};
	bool more = false;
	int rc = jobs_begin(db, err);

	uuid_v7_first(run->before_ms, bound.id);
	if (rc == 0 && run->table == RETENTION_EVENTS)
		rc = bound_by_replays(db, run->tenant_id, &bound, err);
	if (rc == 0 && !bound.nothing)
		rc = bound_by_rows(db, run, most, &bound, &more, err);
	if (rc == 0 && !bound.nothing)
		rc = remove_rows(db, run, &bound, removed, err);
	rc = db_end(db, rc, err);
	if (rc == 0) {
		memcpy(run->after, bound.id, sizeof run->after);
		run->in_tenant = more;
	}
	return rc;
}

static int
next_tenant(struct db *db, struct retention_run *run, struct error *err)
{
	uint8_t before[16];
	const struct db_param params[] = {
	    db_string(run->tenant_id != NULL ? run->tenant_id : ""), db_uuid(before), db_int(run->before_ms)};
	struct db_rows *rows = NULL;
	int rc = jobs_begin(db, err);

	uuid_v7_first(run->before_ms, before);
	if (rc == 0)
		rc = db_query(db, &statements[run->table].next_tenant, params, 3, &rows, err);
	rc = db_end(db, rc, err);
	if (rc == 0) {
		free(run->tenant_id);
		run->done = db_rows_count(rows) == 0;
		run->in_tenant = !run->done;
		run->tenant_id = run->done ? NULL : mem_strdup(db_rows_text(rows, 0, 0).base);
		memset(run->after, 0, sizeof run->after);
	}
	db_rows_free(rows);
	return rc;
}

void
retention_run_free(struct retention_run *run)
{
	free(run->tenant_id);
	run->tenant_id = NULL;
}

int
retention_slice(struct db *db, struct retention_run *run, uint32_t rows, uint32_t *removed, struct error *err)
{
	*removed = 0;
	return run->in_tenant ? slice_of_tenant(db, run, rows, removed, err) : next_tenant(db, run, err);
}

/* ---- pages ---- */

/* Free pages left for new rows: without them the file would soon grow again. */
#define FREE_PAGES_KEPT 2560

static int
count_free_pages(struct db *db, int64_t *pages, struct error *err)
{
	static const struct db_statement count = {"SELECT 0", "PRAGMA freelist_count"};
	struct db_rows *rows;
	int rc = db_query(db, &count, NULL, 0, &rows, err);

	if (rc != 0)
		return rc;
	*pages = db_rows_int(rows, 0, 0);
	db_rows_free(rows);
	return 0;
}

/* A file restored from a dump has no auto_vacuum, and gives none back. */
int
retention_give_pages_back(struct db *db, bool *more, struct error *err)
{
	static const struct db_statement give_back = {"SELECT 1", "PRAGMA incremental_vacuum(1000)"};
	int64_t before, after;
	int rc = count_free_pages(db, &before, err);

	*more = false;
	if (rc != 0 || before <= FREE_PAGES_KEPT)
		return rc;
	rc = db_begin(db, err);
	if (rc == 0)
		rc = db_query(db, &give_back, NULL, 0, NULL, err);
	rc = db_end(db, rc, err);
	if (rc == 0)
		rc = count_free_pages(db, &after, err);
	if (rc == 0)
		*more = after < before && after > FREE_PAGES_KEPT;
	return rc;
}
