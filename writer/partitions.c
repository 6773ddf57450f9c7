/* Looking at months and making them. Each statement below is one transaction: PgBouncer may serve it from any server. */
#include "writer/partitions.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define LOOK_INTERVAL_US (INT64_C(3600) * 1000000)
#define BUSY_INTERVAL_US (INT64_C(60) * 1000000)

/* How long the writer does something else than storing; ensure_partitions() sees to it that nobody waits for a lock. */
#define STATEMENT_MS 5000
#define LIMITS "SET LOCAL lock_timeout = '200ms'; SET LOCAL statement_timeout = %" PRIu32 "; "

/* A partition that spans several months, or one of several in a month, counts for all its months. */
#define MONTHS_SQL                                                                                                     \
	"SELECT DISTINCT extract(year FROM day)::int * 12 + extract(month FROM day)::int - 1 "                         \
	"FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid, "                                                  \
	"regexp_match(pg_get_expr(relpartbound, inhrelid), "                                                           \
	"$re$^FOR VALUES FROM \\('(.*)'\\) TO \\('(.*)'\\)$$re$) AS bound, "                                           \
	"generate_series(bound[1]::date, bound[2]::date - 1, interval '1 month') AS day "                              \
	"WHERE inhparent = 'hook_events'::regclass AND NOT inhdetachpending"

/* The gauge's help knows the bound too. */
#define DEFAULT_SQL                                                                                                    \
	"SELECT extract(year FROM created_date)::int * 12 + extract(month FROM created_date)::int - 1, count(*) "      \
	"FROM (SELECT created_date FROM hook_events_default LIMIT 100000) AS seen GROUP BY 1 ORDER BY 2 DESC"

/* One outcome for the one month of that day, or NULL when the condition does not hold. */
#define MAKE_SQL "SELECT CASE WHEN %s THEN (SELECT outcome FROM ensure_partitions(0, '%s-01')) END"

/* Ahead of time: unless somebody else is making months just now. The lock's number is the ASCII of "hookt". */
#define WHEN_ALONE "pg_try_advisory_xact_lock(448546171764)"

/* On demand: writers that want the same month wait for each other in the function, and find it made. */
#define WHEN_NEEDED "true"

enum making { MADE = 0, NOT_MADE = 1 };

void
partitions_init(struct partitions *p, uint32_t ahead, struct patience *patience, struct process_slot *slot)
{
	*p = (struct partitions){.ahead = ahead, .patience = patience, .slot = slot};
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
	uint32_t limit_ms = patience_server_ms(p->patience);
	char text[1024];
	int len = snprintf(text, sizeof text, LIMITS "%s", limit_ms < STATEMENT_MS ? limit_ms : STATEMENT_MS, sql);

	assert(len < (int)sizeof text);
	int rc = pg_exec(pg, text, patience_begin(p->patience), result, err);
	if (rc < 0)
		(void)patience_ended(p->patience, err);
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

	if (rc == PG_REFUSED && strcmp(pg_sqlstate(pg), "42P01") != 0) {
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
	for (int i = 0; rc == 0 && i < PQntuples(result); i++)
		months_add(&p->months, atoi(PQgetvalue(result, i, 0)));
	if (rc == 0)
		PQclear(result);
	return rc < 0 ? rc : 0;
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

/* Tries again after so long, and tells why it must. */
static void
put_off(struct partitions *p, int64_t us, const char *month, const char *why)
{
	due_within(p, us);
	p->may_make = false;
	log_warning("the partition of a month cannot be made now: its events go to the default partition",
	    LOG_STR("month", month), LOG_STR("reason", why), LOG_UINT("retry_in_s", (uint64_t)us / 1000000));
}

/* What ensure_partitions() said of a month; "" when it was not called. */
static enum making
take_outcome(struct partitions *p, int32_t month, const char *name, const char *outcome)
{
	if (strcmp(outcome, "created") == 0 || strcmp(outcome, "exists") == 0) {
		log_info("the partition of a month is there", LOG_STR("month", name), LOG_STR("outcome", outcome));
		months_add(&p->months, month);
		return MADE;
	}
	if (strcmp(outcome, "") == 0)
		due_within(p, BUSY_INTERVAL_US);
	else if (strcmp(outcome, "busy") == 0)
		put_off(p, BUSY_INTERVAL_US, name, "a long query or transaction is in the way");
	else if (strcmp(outcome, "crowded") == 0)
		put_off(p, LOOK_INTERVAL_US, name,
		    "many of its events are in the default partition: call create_monthly_partition() in a quiet hour");
	else
		put_off(p, LOOK_INTERVAL_US, name, outcome);
	return NOT_MADE;
}

/* Returns enum making, or <0. */
static int
make(struct partitions *p, struct pg *pg, const char *condition, int32_t month, struct error *err)
{
	char sql[256], name[16];
	PGresult *result;

	(void)snprintf(name, sizeof name, "%04d-%02d", month_year(month), month_number(month));
	(void)snprintf(sql, sizeof sql, MAKE_SQL, condition, name);
	int rc = query(p, pg, sql, &result, err);
	if (rc == PG_REFUSED) {
		put_off(p, LOOK_INTERVAL_US, name, err->text);
		return NOT_MADE;
	}
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
	if (months_has(&p->months, month))
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
		if (making != MADE)
			return making < 0 ? making : 0; /* what stops this one stops the next, too */
		*moved |= in_default(p, month) > 0;
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

	gauges_set(p->slot, gauges);
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
partitions_make_for(
    struct partitions *p, struct pg *pg, const struct record *const *records, uint32_t count, struct error *err)
{
	for (uint32_t i = 0; i < count && p->may_make; i++) {
		int32_t month;
		enum month_need need = months_need(&p->months, records[i], &month);

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
