/*
 * Jobs come first, so that most waiting jobs become dead letters before their events are removed. A slice has as many
 * rows as take a few hundredths of a second: in SQLite nobody else writes meanwhile.
 */
#include "control/retention.h"

#include <stdbool.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/propagation.h"
#include "shm/counters.h"
#include "store/webhooks/store_clock.h"
#include "store/webhooks/upkeep_rows.h"

#define SECOND_MS INT64_C(1000)
#define DAY_MS (24 * 60 * 60 * SECOND_MS)

/* The shortest month. */
#define MONTH_SECS (28u * 24 * 60 * 60)

/* The period of runs: shorter if rows are kept for less than a day. */
#define PERIOD_MOST_MS (60 * 60 * SECOND_MS)
#define PERIOD_LEAST_MS (5 * SECOND_MS)
#define PERIODS_IN_RETENTION 24

#define TURN_US (100 * 1000)

#define ROWS_LEAST 50
#define SLICE_SHORT_US (20 * 1000)
#define SLICE_LONG_US (60 * 1000)

/*
 * Jobs are given up a day before their events are removed, or a quarter of the retention time before if that is less
 * than four days.
 */
static int64_t
jobs_before_ms(const struct retention_work *work)
{
	int64_t kept_ms = work->config->hl_retention_secs * SECOND_MS;

	return kept_ms == 0 ? 0 : work->now_ms - kept_ms + (kept_ms / 4 < DAY_MS ? kept_ms / 4 : DAY_MS);
}

static uint32_t
kept_secs(const struct config *config, enum retention_table table)
{
	return table == RETENTION_EVENTS ? config->hl_retention_secs : config->hl_attempt_retention_secs;
}

static int64_t
before_ms(const struct retention_work *work, enum retention_table table)
{
	return work->now_ms - kept_secs(work->config, table) * SECOND_MS;
}

/*
 * Rows are removed one by one, or by month. If months are dropped, rows in a month stay until the whole month can be
 * dropped.
 */
int64_t
retention_rows_before_ms(const struct config *config, enum retention_table table, int64_t now_ms)
{
	uint32_t secs = kept_secs(config, table);
	bool by_rows = secs > 0 && (secs < MONTH_SECS || config->hl_store == HL_STORE_EMBEDDED);

	return by_rows ? now_ms - secs * SECOND_MS : 0;
}

static int64_t
period_ms(const struct config *config)
{
	uint32_t secs = config->hl_retention_secs;
	int64_t period = PERIOD_MOST_MS;

	if (secs == 0 || (config->hl_attempt_retention_secs != 0 && config->hl_attempt_retention_secs < secs))
		secs = config->hl_attempt_retention_secs;
	if (secs != 0 && secs * SECOND_MS / PERIODS_IN_RETENTION < period)
		period = secs * SECOND_MS / PERIODS_IN_RETENTION;
	return period > PERIOD_LEAST_MS ? period : PERIOD_LEAST_MS;
}

/* ---- the run ---- */

static int
begin_if_due(struct retention_work *work, struct db *db, struct error *err)
{
	int64_t period = period_ms(work->config);
	struct node_row node;
	bool mine = false;
	int rc;

	/*
	 * Not before the node has a row: courier 0 pauses deliveries of a copied store first, and jobs must not expire
	 * before that.
	 */
	if (clock_steady_us() < work->look_us || !node_read(&work->segment->header->node, &node))
		return 0;
	rc = upkeep_claim(db, "retention", period, &mine, err);
	if (rc == 0 && mine)
		rc = store_clock_now(db, &work->now_ms, err);
	if (rc != 0)
		return rc;
	work->look_us = clock_steady_us() + period * 1000;
	if (mine) {
		work->began_us = clock_steady_us();
		expiry_place_free(&work->jobs);
		work->letters = work->events = work->attempts = 0;
		work->step = RETENTION_JOBS;
	}
	return 0;
}

static int
end_run(struct retention_work *work, struct db *db, struct error *err)
{
	const struct upkeep_run run = {work->now_ms, work->now_ms + (clock_steady_us() - work->began_us) / 1000};
	int rc = upkeep_write_run(db, &run, err);

	if (rc != 0)
		return rc;
	work->step = RETENTION_RESTS;
	if (work->letters > 0 || work->events > 0 || work->attempts > 0)
		log_info("old rows were removed", LOG_UINT("expired_jobs", work->letters),
		    LOG_UINT("events", work->events), LOG_UINT("attempts", work->attempts));
	return 0;
}

static void
go_on_with(struct retention_work *work, enum retention_step step, enum retention_table table)
{
	work->step = step;
	retention_run_free(&work->rows);
	work->rows = (struct retention_run){.table = table, .before_ms = before_ms(work, table)};
	work->slice_rows = ROWS_LEAST; /* rows may be large */
}

/* Once a turn only: each time publishers read the routes of these tenants again. */
static int
expire_jobs(struct retention_work *work, struct db *db, bool *turn_over, struct error *err)
{
	struct expiry_result result;
	int rc = expiry_step(db, &work->jobs, jobs_before_ms(work), &result, err);

	if (rc != 0)
		return rc;
	if (result.version != 0)
		propagation_wake_couriers(work->segment, result.version);
	work->letters += result.letters;
	counter_add(segment_slot(work->segment, ROLE_CONTROL, 0), COUNTER_DELIVERIES_DEAD, result.letters);
	*turn_over = result.letters > 0;
	if (result.done)
		go_on_with(work, RETENTION_EVENT_MONTHS, RETENTION_EVENTS);
	return 0;
}

static int
drop_months(struct retention_work *work, struct db *db, enum retention_step next, bool *turn_over, struct error *err)
{
	bool dropped = false;
	int rc = 0;

	if (kept_secs(work->config, work->rows.table) > 0)
		rc = retention_drop_month(db, work->rows.table, work->rows.before_ms, &dropped, err);
	*turn_over = dropped;
	if (rc == 0 && !dropped)
		work->step = next;
	return rc;
}

static int
remove_rows(struct retention_work *work, struct db *db, struct error *err)
{
	int64_t began_us = clock_steady_us(), took_us;
	uint32_t removed = 0;
	int rc = 0;

	if (retention_rows_before_ms(work->config, work->rows.table, work->now_ms) != 0)
		rc = retention_slice(db, &work->rows, work->slice_rows, &removed, err);
	else
		work->rows.done = true;
	took_us = clock_steady_us() - began_us;
	if ((rc < 0 || took_us > SLICE_LONG_US) && work->slice_rows > ROWS_LEAST)
		work->slice_rows /= 2;
	if (rc != 0)
		return rc;
	if (removed == work->slice_rows && took_us < SLICE_SHORT_US)
		work->slice_rows =
		    work->slice_rows < RETENTION_SLICE_ROWS / 2 ? work->slice_rows * 2 : RETENTION_SLICE_ROWS;
	*(work->rows.table == RETENTION_EVENTS ? &work->events : &work->attempts) += removed;
	if (work->rows.done && work->rows.table == RETENTION_EVENTS)
		go_on_with(work, RETENTION_ATTEMPT_MONTHS, RETENTION_ATTEMPTS);
	else if (work->rows.done)
		work->step = RETENTION_PAGES;
	return 0;
}

static int
give_pages_back(struct retention_work *work, struct db *db, struct error *err)
{
	bool more;
	int rc = retention_give_pages_back(db, &more, err);

	return rc == 0 && !more ? end_run(work, db, err) : rc;
}

static int
step(struct retention_work *work, struct db *db, bool *turn_over, struct error *err)
{
	switch (work->step) {
	case RETENTION_RESTS:
		*turn_over = true;
		return begin_if_due(work, db, err);
	case RETENTION_JOBS:
		return expire_jobs(work, db, turn_over, err);
	case RETENTION_EVENT_MONTHS:
		return drop_months(work, db, RETENTION_EVENT_ROWS, turn_over, err);
	case RETENTION_ATTEMPT_MONTHS:
		return drop_months(work, db, RETENTION_ATTEMPT_ROWS, turn_over, err);
	case RETENTION_EVENT_ROWS:
	case RETENTION_ATTEMPT_ROWS:
		return remove_rows(work, db, err);
	case RETENTION_PAGES:
		return give_pages_back(work, db, err);
	}
	return 0;
}

int
retention_work_turn(struct retention_work *work, struct db *db, struct error *err)
{
	int64_t until_us = clock_steady_us() + TURN_US;
	bool turn_over = false;
	int rc;

	do
		rc = step(work, db, &turn_over, err);
	while (rc == 0 && !turn_over && clock_steady_us() < until_us);
	return rc == DB_BUSY ? 0 : rc;
}

void
retention_work_look(struct retention_work *work)
{
	work->look_us = 0;
}

void
retention_work_close(struct retention_work *work)
{
	expiry_place_free(&work->jobs);
	retention_run_free(&work->rows);
}
