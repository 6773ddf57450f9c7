/* Reads the months, makes missing ones, and handles those that cannot be made. */
#include "store/postgres/partitions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/version.h"
#include "store/postgres/partition_sql.h"
#include "store/postgres/sqlstate.h"

#define BUSY_INTERVAL_US (INT64_C(60) * 1000000)

enum making { MADE, NOT_MADE, LEFT_TO_ANOTHER };

void
partitions_init(struct partitions *p, uint32_t ahead, struct session *session, const struct sink_env *env)
{
	*p = (struct partitions){.ahead = ahead, .session = session, .env = env, .every_row_fits = true};
}

bool
partitions_due(const struct partitions *p)
{
	return month_schedule_due(&p->schedule, clock_wall_us(), clock_steady_us());
}

static void
due_within(struct partitions *p, int64_t us)
{
	month_schedule_no_later(&p->schedule, clock_steady_us() + us);
}

static int32_t
current_month(const struct partitions *p)
{
	return p->schedule.month;
}

/* ---- reading ---- */

/*
 * Logs that PostgreSQL refused the reading. A missing table is not logged: a DBA may prefer to have no default
 * partition.
 */
static void
log_refused_reading(struct partitions *p, const struct error *err)
{
	if (sqlstate_is(pg_sqlstate(p->session->pg), SQLSTATE_UNDEFINED_TABLE))
		return;
	due_within(p, BUSY_INTERVAL_US);
	log_warning("cannot look at the partitions now", LOG_STR("error", err->text),
	    LOG_UINT("retry_in_s", BUSY_INTERVAL_US / 1000000));
}

/* 0, also if PostgreSQL refuses, or <0. While the months are unknown, none is made on demand. */
static int
read_months(struct partitions *p, struct error *err)
{
	PGresult *result;
	int rc = partition_sql_months(p->session, &result, err);

	if (rc == PG_REFUSED)
		log_refused_reading(p, err);
	months_init(&p->months, current_month(p));
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

/* 0, also when PostgreSQL refuses, or <0. */
static int
read_default(struct partitions *p, struct error *err)
{
	PGresult *result;
	int rc = partition_sql_default(p->session, &result, err);

	if (rc == PG_REFUSED)
		log_refused_reading(p, err);
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

/* ---- months that cannot be made ---- */

/* Whether to log an obstacle. If it makes the store unavailable, each attempt to open the store meets it again. */
static bool
is_news(const struct partitions *p, const char *month, const char *why)
{
	return strcmp(p->obstacle.text, why) != 0 || strcmp(p->obstacle_month, month) != 0 ||
	       clock_steady_us() >= p->obstacle_logged_us + BUSY_INTERVAL_US;
}

/* Postpones the month to the next reading, which comes within us. */
static void
put_off(struct partitions *p, int64_t us, const char *month, const char *why)
{
	bool news = is_news(p, month, why);

	due_within(p, us);
	if (!news)
		return;
	(void)error_set(&p->obstacle, "%s", why);
	(void)snprintf(p->obstacle_month, sizeof p->obstacle_month, "%s", month);
	p->obstacle_logged_us = clock_steady_us();
	log_warning("the partition of a month cannot be made now", LOG_STR("month", month), LOG_STR("reason", why),
	    LOG_STR("meanwhile",
		p->every_row_fits ? "its events go to the default partition" : "there is no default partition"),
	    LOG_UINT("retry_in_s", (uint64_t)us / 1000000));
}

/* Postpones all months: the obstacle concerns all of them. */
static enum making
put_off_all(struct partitions *p, int64_t us, const char *month, const char *why)
{
	p->may_make = false;
	put_off(p, us, month, why);
	return NOT_MADE;
}

/* Postpones only this month. */
static enum making
put_off_one(struct partitions *p, int32_t month, const char *name, const char *why)
{
	months_refuse(&p->months, month);
	put_off(p, MONTHS_INTERVAL_US, name, why);
	return NOT_MADE;
}

/* ---- making ---- */

static enum making
add_month(struct partitions *p, int32_t month, const char *name, const char *outcome)
{
	log_info("the partition of a month is there", LOG_STR("month", name), LOG_STR("outcome", outcome));
	months_add(&p->months, month);
	return MADE;
}

/* outcome: the result of ensure_partitions(); "": it was not called. */
static enum making
handle_outcome(struct partitions *p, int32_t month, const char *name, const char *outcome)
{
	if (strcmp(outcome, "created") == 0 || strcmp(outcome, "exists") == 0)
		return add_month(p, month, name, outcome);
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
	return put_off_all(p, MONTHS_INTERVAL_US, name, outcome);
}

/* PostgreSQL has refused to make a month. */
static enum making
handle_refusal(struct partitions *p, int32_t month, const char *name, const char *why)
{
	const char *sqlstate = pg_sqlstate(p->session->pg);

	/* The month overlaps a partition made by a DBA since the last reading, which takes its events. */
	if (sqlstate_is(sqlstate, SQLSTATE_INVALID_OBJECT_DEFINITION))
		return add_month(p, month, name, "overlaps");
	/* Another table has the month's name, or a constraint of the month refuses events. */
	if (sqlstate_is(sqlstate, SQLSTATE_DUPLICATE_TABLE) || sqlstate_is(sqlstate, SQLSTATE_CLASS_DATA_EXCEPTION) ||
	    sqlstate_is(sqlstate, SQLSTATE_CLASS_INTEGRITY))
		return put_off_one(p, month, name, why);
	return put_off_all(p, MONTHS_INTERVAL_US, name, why);
}

/* Returns enum making, or <0. */
static int
make(struct partitions *p, int32_t month, bool unless_busy, struct error *err)
{
	struct partition_request request = {.unless_busy = unless_busy};
	PGresult *result;

	(void)snprintf(request.month, sizeof request.month, "%04d-%02d", month_year(month), month_number(month));
	if (clock_wall_us() < HOOKS_RELEASED * 1000000)
		return put_off_all(
		    p, BUSY_INTERVAL_US, request.month, "the clock of this machine is behind the day of this release");
	int rc = partition_sql_make(p->session, &request, &result, err);
	if (rc == PG_REFUSED)
		return handle_refusal(p, month, request.month, err->text);
	if (rc < 0)
		return rc;
	rc = handle_outcome(p, month, request.month, PQgetvalue(result, 0, 0)); /* "" for null */
	PQclear(result);
	return rc;
}

static uint32_t
in_default(const struct partitions *p, int32_t month)
{
	return p->months.in_default[month - p->months.first];
}

/* The current month, those ahead, and every month of the window that has events in the default partition. */
static bool
is_missing(const struct partitions *p, int32_t month)
{
	int32_t current = current_month(p);

	if (months_has(&p->months, month) || months_refused(&p->months, month))
		return false;
	if (month >= current && month <= current + (int32_t)p->ahead)
		return true;
	return in_default(p, month) > 0 && month_in_window(month, current);
}

/* Makes the current month and those ahead first, then past ones. *moved: events have left the default partition. */
static int
make_missing(struct partitions *p, bool *moved, struct error *err)
{
	for (int32_t i = 0; i < MONTHS_KNOWN && p->may_make; i++) {
		int32_t month = p->months.first + (current_month(p) - p->months.first + i) % MONTHS_KNOWN;

		if (!is_missing(p, month))
			continue;
		int making = make(p, month, true, err);
		if (making < 0 || making == LEFT_TO_ANOTHER)
			return making < 0 ? making : 0;
		*moved |= making == MADE && in_default(p, month) > 0;
	}
	return 0;
}

static void
report(struct partitions *p)
{
	const uint64_t gauges[GAUGES] = {
	    [GAUGE_DEFAULT_PARTITION_ROWS] = p->default_rows,
	    [GAUGE_PARTITIONS_AHEAD] = months_in_a_row(&p->months, current_month(p)),
	};
	char fix[64];

	sink_env_set_gauges(p->env, gauges);
	if (p->default_rows > 0 && !p->default_logged) {
		(void)snprintf(fix, sizeof fix, "SELECT create_monthly_partition(%d, %d)", month_year(p->default_month),
		    month_number(p->default_month));
		log_warning("events are in the default partition: their month has no partition",
		    LOG_UINT("events", p->default_rows), LOG_STR("fix", fix));
	}
	p->default_logged = p->default_rows > 0;
}

/* A refusal of one step is logged and does not stop the others. 0 or <0. */
static int
read_and_make(struct partitions *p, struct error *err)
{
	bool moved = false;

	if (read_months(p, err) < 0 || read_default(p, err) < 0 || make_missing(p, &moved, err) < 0)
		return -1;
	return moved ? read_default(p, err) : 0;
}

int
partitions_upkeep(struct partitions *p, struct error *err)
{
	month_schedule_restart(&p->schedule, clock_wall_us(), clock_steady_us());
	if (read_and_make(p, err) < 0)
		return -1;
	report(p);
	return 0;
}

/* ---- for a batch ---- */

int
partitions_make_for(struct partitions *p, const struct batch *batch, struct error *err)
{
	for (uint32_t i = 0; i < batch->count && p->may_make; i++) {
		int32_t month;
		enum month_need need = months_need(&p->months, batch->records[i], &month);

		if (need == MONTH_IS_OUTSIDE)
			due_within(p, BUSY_INTERVAL_US); /* the next reading counts it */
		if (need != MONTH_IS_WANTED)
			continue;
		int rc = make(p, month, false, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int
partitions_reread(struct partitions *p, const struct batch *batch, struct error *err)
{
	due_within(p, BUSY_INTERVAL_US);
	if (read_months(p, err) < 0)
		return -1;
	return partitions_make_for(p, batch, err);
}

static int
missing(const struct partitions *p, int32_t month, struct error *err)
{
	return error_set(err, "hook_events has no partition for %04d-%02d, and none can be made: %s", month_year(month),
	    month_number(month), p->obstacle.text);
}

int
partitions_find(struct partitions *p, const struct record *record, struct error *err)
{
	int32_t month;

	switch (months_need(&p->months, record, &month)) {
	case MONTH_IS_THERE:
		return PARTITION_EXISTS;
	case MONTH_IS_OUTSIDE:
		return PARTITION_NEVER;
	case MONTH_IS_REFUSED:
		return month == current_month(p) ? missing(p, month, err) : PARTITION_NEVER;
	case MONTH_IS_WANTED:
		break;
	}
	return missing(p, month, err);
}

int
partitions_check(const struct partitions *p, struct error *err)
{
	if (p->every_row_fits || months_has(&p->months, current_month(p)))
		return 0;
	return missing(p, current_month(p), err);
}
