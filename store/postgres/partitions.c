/* Looking at months and making them. Each statement below is one transaction: PgBouncer may serve it from any server. */
#include "store/postgres/partitions.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/version.h"
#include "store/postgres/sqlstate.h"

#define LOOK_INTERVAL_US (INT64_C(3600) * 1000000)
#define BUSY_INTERVAL_US (INT64_C(60) * 1000000)

/* How long the writer does something else than storing; ensure_partitions() sees to it that nobody waits for a lock. */
#define STATEMENT_MS 5000
#define LIMITS "SET LOCAL lock_timeout = '200ms'; SET LOCAL statement_timeout = %" PRIu32 "; "

/*
 * A partition that spans several months, or one of several in a month, counts for all its months; MINVALUE, MAXVALUE and
 * far years for all that are near. The null says that every row has a place, whatever its month.
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

/* The gauge's help knows the bound too. */
#define DEFAULT_SQL                                                                                                    \
	"SELECT extract(year FROM created_date)::int * 12 + extract(month FROM created_date)::int - 1, count(*) "      \
	"FROM (SELECT created_date FROM hook_events_default LIMIT 100000) AS seen GROUP BY 1 ORDER BY 2 DESC"

/* One outcome for the one month of that day, or NULL when the condition does not hold. */
#define MAKE_SQL "SELECT CASE WHEN %s THEN (SELECT outcome FROM ensure_partitions(0, '%s-01')) END"

/* The same from a worker of Citus, where nothing may be made. A failure's outcome is what the coordinator says. */
#define COORDINATOR_SQL                                                                                                \
	"SELECT CASE WHEN %s THEN (SELECT result FROM run_command_on_coordinator("                                     \
	"$$SELECT outcome FROM ensure_partitions(0, '%s-01')$$)) END"

/* Ahead of time: unless somebody else is making months just now. The lock's number is the ASCII of "hookt". */
#define WHEN_ALONE "pg_try_advisory_xact_lock(448546171764)"

/* On demand: writers that want the same month wait for each other in the function, and find it made. */
#define WHEN_NEEDED "true"

enum making { MADE, NOT_MADE, LEFT_TO_ANOTHER };

void
partitions_init(struct partitions *p, uint32_t ahead, struct deadline *deadline, const struct sink_env *env)
{
	*p = (struct partitions){.ahead = ahead, .deadline = deadline, .env = env, .every_row_fits = true};
}

bool
partitions_due(const struct partitions *p, int64_t now_us)
{
	return clock_steady_us() >= p->due_us || month_of(now_us) != p->this_month;
}

static void
due_within(struct partitions *p, int64_t us)
{
	int64_t at = clock_steady_us() + us;

	if (at < p->due_us)
		p->due_us = at;
}

/* Runs one query. 0 with *result, PG_REFUSED, or <0: also when the server does not even end the query itself. */
static int
query(struct partitions *p, struct pg *pg, const char *sql, PGresult **result, struct error *err)
{
	uint32_t limit_ms = deadline_server_ms(p->deadline);
	char text[1536];
	int len = snprintf(text, sizeof text, LIMITS "%s", limit_ms < STATEMENT_MS ? limit_ms : STATEMENT_MS, sql);

	assert(len < (int)sizeof text);
	int rc = pg_exec(pg, text, deadline_begin(p->deadline), result, err);
	if (rc < 0)
		(void)deadline_expired(p->deadline, err);
	return rc;
}

/*
 * Runs a query of a look. 0 with *result, PG_REFUSED, or <0. A refusal is told, but for a table that is not there: a DBA
 * may prefer to live without a default partition.
 */
static int
look(struct partitions *p, struct pg *pg, const char *sql, PGresult **result, struct error *err)
{
	int rc = query(p, pg, sql, result, err);

	if (rc == PG_REFUSED && !sqlstate_is(pg_sqlstate(pg), SQLSTATE_UNDEFINED_TABLE)) {
		due_within(p, BUSY_INTERVAL_US);
		log_warning("cannot look at the partitions now", LOG_STR("error", err->text),
		    LOG_UINT("retry_in_s", BUSY_INTERVAL_US / 1000000));
	}
	return rc;
}

/* 0 or <0, as read_default(). Unless the months are known, none is made on demand. */
static int
read_months(struct partitions *p, struct pg *pg, struct error *err)
{
	PGresult *result;
	int rc = look(p, pg, MONTHS_SQL, &result, err);

	months_init(&p->months, p->this_month);
	p->may_make = rc == 0;
	if (rc != 0) {
		p->obstacle = *err;
		return rc < 0 ? rc : 0;
	}
	p->every_row_fits = false;
	for (int i = 0; i < PQntuples(result); i++) {
		if (PQgetisnull(result, i, 0))
			p->every_row_fits = true;
		else
			months_add(&p->months, atoi(PQgetvalue(result, i, 0)));
	}
	PQclear(result);
	return 0;
}

static int
read_default(struct partitions *p, struct pg *pg, struct error *err)
{
	PGresult *result;
	int rc = look(p, pg, DEFAULT_SQL, &result, err);

	p->default_rows = 0;
	memset(p->months.in_default, 0, sizeof p->months.in_default);
	for (int i = 0; rc == 0 && i < PQntuples(result); i++) {
		int32_t month = atoi(PQgetvalue(result, i, 0));
		uint32_t rows = (uint32_t)atoi(PQgetvalue(result, i, 1));

		if (i == 0)
			p->default_month = month;
		if (months_known(&p->months, month))
			p->months.in_default[month - p->months.first] = rows;
		p->default_rows += rows;
	}
	if (rc == 0)
		PQclear(result);
	return rc < 0 ? rc : 0;
}

/* A store that is away for want of this month is opened again and again, and meets the same obstacle each time. */
static bool
is_news(struct partitions *p, const char *month, const char *why)
{
	int64_t now_us = clock_steady_us();

	if (strcmp(p->obstacle.text, why) == 0 && strcmp(p->obstacle_month, month) == 0 &&
	    now_us < p->obstacle_told_us + BUSY_INTERVAL_US)
		return false;
	(void)error_set(&p->obstacle, "%s", why);
	(void)snprintf(p->obstacle_month, sizeof p->obstacle_month, "%s", month);
	p->obstacle_told_us = now_us;
	return true;
}

static void
tell_obstacle(struct partitions *p, int64_t us, const char *month, const char *why)
{
	due_within(p, us);
	if (!is_news(p, month, why))
		return;
	log_warning("the partition of a month cannot be made now", LOG_STR("month", month), LOG_STR("reason", why),
	    LOG_STR("meanwhile",
		p->every_row_fits ? "its events go to the default partition" : "there is no default partition"),
	    LOG_UINT("retry_in_s", (uint64_t)us / 1000000));
}

/* What stops this month stops the others, too: none is tried before the next look, after so long at the latest. */
static enum making
put_off_all(struct partitions *p, int64_t us, const char *month, const char *why)
{
	p->may_make = false;
	tell_obstacle(p, us, month, why);
	return NOT_MADE;
}

/* It is about this month: the others may be made. */
static enum making
put_off_one(struct partitions *p, int32_t month, const char *name, const char *why)
{
	months_refuse(&p->months, month);
	tell_obstacle(p, LOOK_INTERVAL_US, name, why);
	return NOT_MADE;
}

static enum making
month_is_there(struct partitions *p, int32_t month, const char *name, const char *outcome)
{
	log_info("the partition of a month is there", LOG_STR("month", name), LOG_STR("outcome", outcome));
	months_add(&p->months, month);
	return MADE;
}

/* What ensure_partitions() said of a month; "" when it was not called. */
static enum making
take_outcome(struct partitions *p, int32_t month, const char *name, const char *outcome)
{
	if (strcmp(outcome, "created") == 0 || strcmp(outcome, "exists") == 0)
		return month_is_there(p, month, name, outcome);
	if (strcmp(outcome, "") == 0) {
		due_within(p, BUSY_INTERVAL_US);
		(void)error_set(&p->obstacle, "another process is making months");
		return LEFT_TO_ANOTHER;
	}
	if (strcmp(outcome, "busy") == 0)
		return put_off_all(p, BUSY_INTERVAL_US, name, "a long query or transaction is in the way");
	if (strcmp(outcome, "crowded") == 0)
		return put_off_one(p, month, name,
		    "many of its events are in the default partition: call create_monthly_partition() in a quiet hour");
	return put_off_all(p, LOOK_INTERVAL_US, name, outcome);
}

/* PostgreSQL has refused to make a month. */
static enum making
take_refusal(struct partitions *p, int32_t month, const char *name, const char *sqlstate, const char *why)
{
	/* It would overlap another partition, which a DBA has made since the last look: that one takes its events. */
	if (sqlstate_is(sqlstate, SQLSTATE_INVALID_OBJECT_DEFINITION))
		return month_is_there(p, month, name, "overlaps");
	/* A table of its name that is no partition; events that a constraint of the month does not take. */
	if (sqlstate_is(sqlstate, SQLSTATE_DUPLICATE_TABLE) || sqlstate_is(sqlstate, SQLSTATE_CLASS_DATA_EXCEPTION) ||
	    sqlstate_is(sqlstate, SQLSTATE_CLASS_INTEGRITY))
		return put_off_one(p, month, name, why);
	return put_off_all(p, LOOK_INTERVAL_US, name, why);
}

/* Runs the function that makes a month. 0 with *result, PG_REFUSED, or <0. */
static int
call(struct partitions *p, struct pg *pg, const char *condition, const char *name, PGresult **result, struct error *err)
{
	char sql[256];
	struct error elsewhere;

	(void)snprintf(sql, sizeof sql, MAKE_SQL, condition, name);
	int rc = query(p, pg, sql, result, err);
	if (rc != PG_REFUSED || !sqlstate_is(pg_sqlstate(pg), SQLSTATE_INTERNAL_ERROR))
		return rc;
	(void)snprintf(sql, sizeof sql, COORDINATOR_SQL, condition, name);
	rc = query(p, pg, sql, result, &elsewhere);
	if (rc < 0 || (rc == PG_REFUSED && !sqlstate_is(pg_sqlstate(pg), SQLSTATE_UNDEFINED_FUNCTION)))
		*err = elsewhere;
	return rc;
}

/* Returns enum making, or <0. */
static int
make(struct partitions *p, struct pg *pg, const char *condition, int32_t month, struct error *err)
{
	char name[16];
	PGresult *result;

	(void)snprintf(name, sizeof name, "%04d-%02d", month_year(month), month_number(month));
	if (clock_wall_us() < HOOKS_RELEASED * 1000000)
		return put_off_all(
		    p, BUSY_INTERVAL_US, name, "the clock of this machine is behind the day of this release");
	int rc = call(p, pg, condition, name, &result, err);
	if (rc == PG_REFUSED)
		return take_refusal(p, month, name, pg_sqlstate(pg), err->text);
	if (rc < 0)
		return rc;
	rc = take_outcome(p, month, name, PQgetvalue(result, 0, 0)); /* "" for NULL */
	PQclear(result);
	return rc;
}

static uint32_t
in_default(const struct partitions *p, int32_t month)
{
	return p->months.in_default[month - p->months.first];
}

/* The current month and those ahead, and every month of the window that has events in the default partition. */
static bool
is_due(const struct partitions *p, int32_t month)
{
	if (months_has(&p->months, month) || months_refused(&p->months, month))
		return false;
	if (month >= p->this_month && month <= p->this_month + (int32_t)p->ahead)
		return true;
	return in_default(p, month) > 0 && month_in_window(month, p->this_month);
}

/* From the current month to those ahead, then the past ones. *moved: whether events left the default partition. */
static int
make_due(struct partitions *p, struct pg *pg, bool *moved, struct error *err)
{
	for (int32_t i = 0; i < MONTHS_KNOWN && p->may_make; i++) {
		int32_t month = p->months.first + (p->this_month - p->months.first + i) % MONTHS_KNOWN;

		if (!is_due(p, month))
			continue;
		int making = make(p, pg, WHEN_ALONE, month, err);
		if (making < 0 || making == LEFT_TO_ANOTHER)
			return making < 0 ? making : 0;
		*moved |= making == MADE && in_default(p, month) > 0;
	}
	return 0;
}

static void
tell(struct partitions *p)
{
	const uint64_t gauges[GAUGES] = {
	    [GAUGE_DEFAULT_PARTITION_ROWS] = p->default_rows,
	    [GAUGE_PARTITIONS_AHEAD] = months_in_a_row(&p->months, p->this_month),
	};
	char fix[64];

	sink_env_set_gauges(p->env, gauges);
	if (p->default_rows > 0 && !p->told) {
		(void)snprintf(fix, sizeof fix, "SELECT create_monthly_partition(%d, %d)", month_year(p->default_month),
		    month_number(p->default_month));
		log_warning("events are in the default partition: their month has no partition",
		    LOG_UINT("events", p->default_rows), LOG_STR("fix", fix));
	}
	p->told = p->default_rows > 0;
}

/* The steps of a look; a refusal of one is told and does not stop the others. 0 or <0. */
static int
look_and_make(struct partitions *p, struct pg *pg, struct error *err)
{
	bool moved = false;

	if (read_months(p, pg, err) < 0 || read_default(p, pg, err) < 0 || make_due(p, pg, &moved, err) < 0)
		return -1;
	return moved ? read_default(p, pg, err) : 0;
}

int
partitions_upkeep(struct partitions *p, struct pg *pg, struct error *err)
{
	p->this_month = month_of(clock_wall_us());
	p->due_us = clock_steady_us() + LOOK_INTERVAL_US;
	if (look_and_make(p, pg, err) < 0)
		return -1;
	tell(p);
	return 0;
}

int
partitions_make_for(struct partitions *p, struct pg *pg, const struct batch *batch, struct error *err)
{
	for (uint32_t i = 0; i < batch->count && p->may_make; i++) {
		int32_t month;
		enum month_need need = months_need(&p->months, batch->records[i], &month);

		if (need == MONTH_IS_OUTSIDE)
			due_within(p, BUSY_INTERVAL_US); /* to count it */
		if (need != MONTH_IS_WANTED)
			continue;
		int rc = make(p, pg, WHEN_NEEDED, month, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int
partitions_look_again(struct partitions *p, struct pg *pg, const struct batch *batch, struct error *err)
{
	due_within(p, BUSY_INTERVAL_US);
	if (read_months(p, pg, err) < 0)
		return -1;
	return partitions_make_for(p, pg, batch, err);
}

static int
lacking(const struct partitions *p, int32_t month, struct error *err)
{
	return error_set(err, "hook_events has no partition for %04d-%02d, and none can be made: %s", month_year(month),
	    month_number(month), p->obstacle.text);
}

int
partitions_lack(struct partitions *p, const struct record *record, struct error *err)
{
	int32_t month;

	switch (months_need(&p->months, record, &month)) {
	case MONTH_IS_THERE:
		return LACK_NOTHING;
	case MONTH_IS_OUTSIDE:
		return LACK_FOR_GOOD;
	case MONTH_IS_REFUSED:
		return month == p->this_month ? lacking(p, month, err) : LACK_FOR_GOOD;
	case MONTH_IS_WANTED:
		break;
	}
	return lacking(p, month, err);
}

int
partitions_check(const struct partitions *p, struct error *err)
{
	if (p->every_row_fits || months_has(&p->months, p->this_month))
		return 0;
	return lacking(p, p->this_month, err);
}
