/* Reading the catalog, and asking the schema for a month. */
#include "store/postgres/partition_sql.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "store/postgres/sqlstate.h"

/* The writer stores nothing while such a statement runs. ensure_partitions() never waits long for a lock. */
#define STATEMENT_MS 5000
#define LIMITS "SET LOCAL lock_timeout = '200ms'; SET LOCAL statement_timeout = %" PRIu32 "; "

/*
 * A partition that spans several months counts for all of them. Each of several partitions in one month counts.
 * MINVALUE, MAXVALUE and far years count for all months within ten years.
 */
#define MONTHS_SQL                                                                                                     \
	"SELECT DISTINCT extract(year FROM day)::int * 12 + extract(month FROM day)::int - 1 "                         \
	"FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid, "                                                  \
	"regexp_match(pg_get_expr(relpartbound, inhrelid), "                                                           \
	"$re$^FOR VALUES FROM \\((?:MINVALUE|'(.*)')\\) TO \\((?:MAXVALUE|'(.*)')\\)$$re$) AS bound, "                 \
	"generate_series(date_trunc('month', greatest(bound[1]::date, now()::date - 3660)::timestamp), "               \
	"least(bound[2]::date - 1, now()::date + 3660)::timestamp, interval '1 month') AS day "                        \
	"WHERE inhparent = 'hook_events'::regclass AND NOT inhdetachpending AND bound IS NOT NULL "                    \
	"UNION ALL SELECT NULL WHERE NOT EXISTS (SELECT FROM pg_partitioned_table "                                    \
	"WHERE partrelid = 'hook_events'::regclass AND partdefid = 0)"

/* The help text of the gauge default_partition_rows also names the bound. */
#define DEFAULT_SQL                                                                                                    \
	"SELECT extract(year FROM created_date)::int * 12 + extract(month FROM created_date)::int - 1, count(*) "      \
	"FROM (SELECT created_date FROM hook_events_default LIMIT 100000) AS seen GROUP BY 1 ORDER BY 2 DESC"

/* The outcome for the month of that day; NULL: the condition does not hold. */
#define MAKE_SQL "SELECT CASE WHEN %s THEN (SELECT outcome FROM ensure_partitions(0, '%s-01')) END"

/*
 * The same from a worker of Citus, which may not make partitions. After a failure the outcome is the coordinator's
 * error.
 */
#define COORDINATOR_SQL                                                                                                \
	"SELECT CASE WHEN %s THEN (SELECT result FROM run_command_on_coordinator("                                     \
	"$$SELECT outcome FROM ensure_partitions(0, '%s-01')$$)) END"

/* The lock's number is the ASCII of "hookt". */
#define UNLESS_BUSY "pg_try_advisory_xact_lock(448546171764)"

/* Writers that want the same month wait for each other in the function, and find it made. */
#define IN_TURN "true"

static int
run(struct session *session, const char *sql, PGresult **result, struct error *err)
{
	uint32_t limit_ms = deadline_server_ms(session->deadline);
	char text[1536];
	int len = snprintf(text, sizeof text, LIMITS "%s", limit_ms < STATEMENT_MS ? limit_ms : STATEMENT_MS, sql);

	assert(len < (int)sizeof text);
	int rc = pg_exec(session->pg, text, deadline_begin(session->deadline), result, err);
	if (rc < 0)
		(void)deadline_expired(session->deadline, err);
	return rc;
}

int
partition_sql_months(struct session *session, PGresult **result, struct error *err)
{
	return run(session, MONTHS_SQL, result, err);
}

int
partition_sql_default(struct session *session, PGresult **result, struct error *err)
{
	return run(session, DEFAULT_SQL, result, err);
}

int
partition_sql_make(
    struct session *session, const struct partition_request *request, PGresult **result, struct error *err)
{
	const char *condition = request->unless_busy ? UNLESS_BUSY : IN_TURN;
	struct error elsewhere;
	char sql[256];

	(void)snprintf(sql, sizeof sql, MAKE_SQL, condition, request->month);
	int rc = run(session, sql, result, err);
	if (rc != PG_REFUSED || !sqlstate_is(pg_sqlstate(session->pg), SQLSTATE_INTERNAL_ERROR))
		return rc;
	(void)snprintf(sql, sizeof sql, COORDINATOR_SQL, condition, request->month);
	rc = run(session, sql, result, &elsewhere);
	/* Without Citus there is no such function, and the first error says more. */
	if (rc < 0 || (rc == PG_REFUSED && !sqlstate_is(pg_sqlstate(session->pg), SQLSTATE_UNDEFINED_FUNCTION)))
		*err = elsewhere;
	return rc;
}
