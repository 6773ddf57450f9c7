/*
 * Counting only reads, and takes no write turn; changed figures are written in short slices. A tenant's figures are one
 * row, which is made before they are counted. in_flight stays 0: attempts under way are known only in the nodes'
 * segments (shm/attempts.h).
 */
#include "store/webhooks/tenant_stats.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "base/mem.h"
#include "store/webhooks/job_outcomes.h"

#define WRITTEN_AT_ONCE 200

/* Writes figures, each->count values per tenant, in short transactions. */
static int
write_figures(
    struct db *db, const struct db_each *each, const struct db_param *figures, uint32_t count, struct error *err)
{
	int rc = 0;

	for (uint32_t done = 0, n; rc == 0 && done < count; done += n) {
		n = count - done < WRITTEN_AT_ONCE ? count - done : WRITTEN_AT_ONCE;
		rc = jobs_begin(db, err);
		if (rc == 0)
			rc = db_each(db, each, &figures[(size_t)done * each->count], n, NULL, err);
		rc = db_end(db, rc, err);
	}
	return rc;
}

/* Forces PostgreSQL to use the keys: with few statistics of a month it would sort all rows of each tenant. */
static const struct db_statement by_keys = {
    "SELECT set_config('enable_sort', 'off', true), set_config('enable_incremental_sort', 'off', true), "
    "set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true), "
    "set_config('jit', 'off', true)",
    "SELECT 1", .citus = "SELECT hl_by_indexes()"};

static int
read_by_keys(struct db *db, const struct db_statement *statement, const struct db_param *params, size_t count,
    struct db_rows **rows, struct error *err) /* six: as db_query() */
{
	int rc = db_begin_to_read(db, err);

	if (rc == 0)
		rc = db_query(db, &by_keys, NULL, 0, NULL, err);
	if (rc == 0)
		rc = db_query(db, statement, params, count, rows, err);
	db_rollback(db);
	return rc;
}

/* Runs a writing statement, if the other one finds rows for it. */
static int
run_if(struct db *db, const struct db_statement *finds, const struct db_statement *statement, struct error *err)
{
	struct db_rows *rows;
	int rc = read_by_keys(db, finds, NULL, 0, &rows, err);
	bool any = rc == 0 && db_rows_count(rows) > 0;

	if (rc == 0)
		db_rows_free(rows);
	if (!any)
		return rc;
	rc = jobs_begin(db, err);
	if (rc == 0)
		rc = db_query(db, statement, NULL, 0, NULL, err);
	return db_end(db, rc, err);
}

/* ---- small tables ---- */

#define WITHOUT_ROW                                                                                                    \
	"FROM tenants WHERE deleted_at IS NULL AND "                                                                   \
	"(SELECT 1 FROM tenant_stats WHERE tenant_stats.tenant_id = tenants.tenant_id) IS NULL"

/* Citus refuses a correlated subquery on a distributed table for rows of a local one. */
#define CITUS_WITHOUT_ROW                                                                                              \
	"FROM tenants WHERE deleted_at IS NULL AND tenants.tenant_id NOT IN (SELECT tenant_stats.tenant_id "           \
	"FROM tenant_stats)"
#define ADD_NEW(without_row)                                                                                           \
	"INSERT INTO tenant_stats (tenant_id, queue_depth, in_flight, dlq_count, api_keys, event_count, "              \
	"endpoint_count, subscription_count, delivery_count, counted_at) "                                             \
	"SELECT tenant_id, 0, 0, 0, 0, 0, 0, 0, 0, hl_now() " without_row " ON CONFLICT (tenant_id) DO NOTHING"

static const struct db_statement find_new = {
    "SELECT tenant_id " WITHOUT_ROW " LIMIT 1", NULL, .citus = "SELECT tenant_id " CITUS_WITHOUT_ROW " LIMIT 1"};
static const struct db_statement add_new = {ADD_NEW(WITHOUT_ROW), NULL, .citus = ADD_NEW(CITUS_WITHOUT_ROW)};

/*
 * One branch per figure, which counts into its column and leaves the others 0; the last branch has the known
 * figures.
 */
static const struct db_statement count_small = {
    "SELECT tenant_id, sum(keys), sum(endpoints), sum(subscriptions) FROM ("
    "SELECT tenant_id, count(*) AS keys, 0 AS endpoints, 0 AS subscriptions, 0 AS known_keys, 0 AS known_endpoints,"
    " 0 AS known_subscriptions FROM api_keys"
    " WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > hl_now()) GROUP BY tenant_id"
    " UNION ALL SELECT tenant_id, 0, count(*), 0, 0, 0, 0 FROM endpoints WHERE deleted_at IS NULL GROUP BY tenant_id"
    " UNION ALL SELECT tenant_id, 0, 0, count(*), 0, 0, 0 FROM subscriptions WHERE deleted_at IS NULL"
    " GROUP BY tenant_id"
    " UNION ALL SELECT tenant_id, 0, 0, 0, api_keys, endpoint_count, subscription_count FROM tenant_stats"
    ") AS figures GROUP BY tenant_id HAVING sum(keys) <> sum(known_keys)"
    " OR sum(endpoints) <> sum(known_endpoints) OR sum(subscriptions) <> sum(known_subscriptions)",
    NULL};

static const enum db_type small_types[] = {DB_TYPE_TEXT, DB_TYPE_INT8, DB_TYPE_INT8, DB_TYPE_INT8};

#define SMALL_COLUMNS 4

static const struct db_each put_small = {
    {"UPDATE tenant_stats SET api_keys = given.keys, endpoint_count = given.endpoints, "
     "subscription_count = given.subscriptions, counted_at = hl_now() "
     "FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) "
     "AS given (tenant_id, keys, endpoints, subscriptions) WHERE tenant_stats.tenant_id = ANY (ARRAY[given.tenant_id])",
	"UPDATE tenant_stats SET api_keys = $2, endpoint_count = $3, subscription_count = $4, counted_at = hl_now() "
	"WHERE tenant_id = $1"},
    small_types, SMALL_COLUMNS};

static int
step_small(struct db *db, struct error *err)
{
	struct db_param *figures;
	struct db_rows *rows;
	int rc = run_if(db, &find_new, &add_new, err);

	if (rc == 0)
		rc = db_query(db, &count_small, NULL, 0, &rows, err);
	if (rc != 0)
		return rc;
	figures = mem_new((size_t)db_rows_count(rows) * SMALL_COLUMNS + 1, sizeof *figures);
	for (uint32_t row = 0; row < db_rows_count(rows); row++) {
		figures[SMALL_COLUMNS * row] = db_text(db_rows_text(rows, row, 0));
		for (uint32_t i = 1; i < SMALL_COLUMNS; i++)
			figures[SMALL_COLUMNS * row + i] = db_int(db_rows_int(rows, row, i));
	}
	rc = write_figures(db, &put_small, figures, db_rows_count(rows), err);
	free(figures);
	db_rows_free(rows);
	return rc;
}

/* ---- tables that are counted in slices ---- */

static const enum db_type figure_types[] = {DB_TYPE_TEXT, DB_TYPE_INT8};

#define FIGURE_COLUMNS 2

/*
 * count: the slice's tenants in order, with their numbers of rows, their known figures, and the end of the slice.
 * find_none, put_none: tenants that had rows and have none any more.
 */
struct table {
	uint32_t ids; /* ids in its key, behind the tenant */
	struct db_statement count;
	struct db_each put;
	struct db_statement find_none, put_none;
};

#define SLICE_OF(table, key, place)                                                                                    \
	"FROM (SELECT tenant_id, " key " FROM " table " WHERE (tenant_id, " key ") > (" place ") "                     \
	"ORDER BY tenant_id, " key " LIMIT $1) AS slice "
#define COUNT_TO(table, column, key, place, last)                                                                      \
	"SELECT tenant_id, count(*), "                                                                                 \
	"(SELECT known." column " FROM tenant_stats AS known WHERE known.tenant_id = slice.tenant_id), max(" last      \
	") " SLICE_OF(table, key, place) "GROUP BY tenant_id ORDER BY tenant_id"
/* Citus fetches the whole of tenant_stats, a row per tenant. */
#define CITUS_COUNT(table, column, key, place, last)                                                                   \
	"SELECT slice.tenant_id, count(*), max(known." column "), max((" last ") COLLATE \"C\") " SLICE_OF(            \
	    table, key, place) "LEFT JOIN tenant_stats AS known ON known.tenant_id = slice.tenant_id "                 \
			       "GROUP BY slice.tenant_id ORDER BY slice.tenant_id"
#define COUNT(table, column, key, place, last)                                                                         \
	{                                                                                                              \
		COUNT_TO(table, column, key, place, "(" last ") COLLATE \"C\""),                                       \
		    COUNT_TO(table, column, key, place, last), .citus = CITUS_COUNT(table, column, key, place, last)   \
	}
#define PUT(column)                                                                                                    \
	{                                                                                                              \
		{"UPDATE tenant_stats SET " column " = given.figure, counted_at = hl_now() "                           \
		 "FROM unnest($1::text[], $2::bigint[]) AS given (tenant_id, figure) "                                 \
		 "WHERE tenant_stats.tenant_id = ANY (ARRAY[given.tenant_id])",                                        \
		    "UPDATE tenant_stats SET " column " = $2, counted_at = hl_now() WHERE tenant_id = $1"},            \
		    figure_types, FIGURE_COLUMNS                                                                       \
	}
#define HAS_NONE(table, column)                                                                                        \
	" WHERE " column " <> 0 AND "                                                                                  \
	"(SELECT 1 FROM " table " WHERE " table ".tenant_id = tenant_stats.tenant_id LIMIT 1) IS NULL"
#define FIND_NONE(table, column)                                                                                       \
	{                                                                                                              \
		"SELECT tenant_id FROM tenant_stats" HAS_NONE(table, column) " LIMIT 1", NULL                          \
	}
#define PUT_NONE(table, column)                                                                                        \
	{                                                                                                              \
		"UPDATE tenant_stats SET " column " = 0, counted_at = hl_now()" HAS_NONE(table, column), NULL          \
	}
#define TEXT_OF(id) "CAST(" id " AS text)"
#define BY_ID(table, column, id)                                                                                       \
	{                                                                                                              \
		1, COUNT(table, column, id, "$2, $3", TEXT_OF(id)), PUT(column), FIND_NONE(table, column),             \
		    PUT_NONE(table, column)                                                                            \
	}

static const struct table tables[] = {
    {2,
	COUNT("jobs", "queue_depth", "endpoint_id, job_id", "$2, $3, $4",
	    TEXT_OF("endpoint_id") " || " TEXT_OF("job_id")),
	PUT("queue_depth"), FIND_NONE("jobs", "queue_depth"), PUT_NONE("jobs", "queue_depth")},
    BY_ID("dlq", "dlq_count", "job_id"),
    BY_ID("events", "event_count", "event_id"),
    BY_ID("attempts", "delivery_count", "attempt_id"),
};

#define TABLES (sizeof tables / sizeof *tables)

enum slice_column { SLICE_TENANT, SLICE_COUNT, SLICE_KNOWN, SLICE_LAST };

static void
set_place(struct tenant_stats_run *run, const char *tenant_id, const char *ids)
{
	char *tenant_copy = mem_strdup(tenant_id), *ids_copy = mem_strdup(ids);

	free(run->tenant_id);
	free(run->ids);
	run->tenant_id = tenant_copy;
	run->ids = ids_copy;
}

static void
begin_part(struct tenant_stats_run *run, uint32_t part)
{
	run->part = part;
	run->count = 0;
	set_place(run, "", "");
}

static bool
is_of_place(const struct tenant_stats_run *run, const struct db_rows *rows, uint32_t row)
{
	return row < db_rows_count(rows) && strcmp(db_rows_text(rows, row, SLICE_TENANT).base, run->tenant_id) == 0;
}

/* The number of the tenant's rows up to the end of the slice. */
static int64_t
count_of(const struct tenant_stats_run *run, const struct db_rows *rows, uint32_t row)
{
	return db_rows_int(rows, row, SLICE_COUNT) + (is_of_place(run, rows, row) ? run->count : 0);
}

/* Writes complete figures; the last tenant of the slice is incomplete if more rows follow. */
static int
write_slice(struct db *db, const struct tenant_stats_run *run, const struct db_rows *rows, bool more, struct error *err)
{
	uint32_t complete = db_rows_count(rows) - (more ? 1 : 0), count = 0;
	struct db_param *figures = mem_new((size_t)complete * FIGURE_COLUMNS + FIGURE_COLUMNS, sizeof *figures);
	int rc;

	/* The previous slice ended with the last row of its tenant. */
	if (run->count > 0 && !is_of_place(run, rows, 0)) {
		figures[0] = db_string(run->tenant_id);
		figures[1] = db_int(run->count);
		count = 1;
	}
	for (uint32_t row = 0; row < complete; row++) {
		int64_t figure = count_of(run, rows, row);

		if (figure == db_rows_int(rows, row, SLICE_KNOWN))
			continue;
		figures[FIGURE_COLUMNS * count] = db_text(db_rows_text(rows, row, SLICE_TENANT));
		figures[FIGURE_COLUMNS * count++ + 1] = db_int(figure);
	}
	rc = write_figures(db, &tables[run->part - 1].put, figures, count, err);
	free(figures);
	return rc;
}

/* Moves to the next slice. false: no progress, which only happens if ids were edited. */
static bool
move_on(struct tenant_stats_run *run, const struct db_rows *rows)
{
	uint32_t last = db_rows_count(rows) - 1;
	const char *ids = db_rows_text(rows, last, SLICE_LAST).base;
	bool same = is_of_place(run, rows, last), moves = !same || strcmp(ids, run->ids) > 0;

	run->count = count_of(run, rows, last);
	set_place(run, db_rows_text(rows, last, SLICE_TENANT).base, ids);
	return moves;
}

/* The place's id of that number, or the first possible id. */
static struct db_param
id_of_place(const struct tenant_stats_run *run, uint32_t number)
{
	size_t len = strlen(run->ids), before = (size_t)number * FORMAT_UUID_BYTES;

	if (len <= before)
		return db_string(db_first_uuid(false));
	len -= before;
	return db_text((struct span){run->ids + before, len < FORMAT_UUID_BYTES ? len : FORMAT_UUID_BYTES});
}

static int
step_table(struct db *db, struct tenant_stats_run *run, struct error *err)
{
	const struct table *table = &tables[run->part - 1];
	const struct db_param params[] = {
	    db_int(run->slice_rows), db_string(run->tenant_id), id_of_place(run, 0), id_of_place(run, 1)};
	struct db_rows *rows;
	int64_t found = 0;
	bool more;
	int rc = read_by_keys(db, &table->count, params, 2 + table->ids, &rows, err);

	if (rc != 0)
		return rc;
	for (uint32_t row = 0; row < db_rows_count(rows); row++)
		found += db_rows_int(rows, row, SLICE_COUNT);
	more = found >= run->slice_rows;
	rc = write_slice(db, run, rows, more, err);
	if (rc == 0 && !more)
		rc = run_if(db, &table->find_none, &table->put_none, err);
	if (rc == 0 && !(more && move_on(run, rows))) {
		run->done = run->part == TABLES;
		begin_part(run, run->done ? 0 : run->part + 1);
	}
	db_rows_free(rows);
	return rc;
}

/* ---- the run ---- */

void
tenant_stats_begin(struct tenant_stats_run *run, uint32_t slice_rows)
{
	run->slice_rows = slice_rows;
	run->done = false;
	begin_part(run, 0);
}

void
tenant_stats_free(struct tenant_stats_run *run)
{
	free(run->tenant_id);
	free(run->ids);
	*run = (struct tenant_stats_run){0};
}

int
tenant_stats_step(struct db *db, struct tenant_stats_run *run, struct error *err)
{
	int rc;

	assert(run->slice_rows > 1 && !run->done);
	if (run->part > 0)
		return step_table(db, run, err);
	rc = step_small(db, err);
	if (rc == 0)
		begin_part(run, 1);
	return rc;
}
