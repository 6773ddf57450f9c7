/*
 * Removes old rows: expired jobs become dead letters, then events and attempts are removed by HL_RETENTION_SECS and
 * HL_ATTEMPT_RETENTION_SECS. A run is a sequence of short transactions, in turns of upkeep. One node makes it for all;
 * if that node dies, the next run, at most an hour later, does the rest.
 */
#ifndef CONTROL_RETENTION_H
#define CONTROL_RETENTION_H

#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "shm/segment.h"
#include "store/db.h"
#include "store/webhooks/expiry.h"
#include "store/webhooks/retention.h"

/* The steps of a run, in order. */
enum retention_step {
	RETENTION_RESTS,
	RETENTION_JOBS,
	RETENTION_EVENT_MONTHS,
	RETENTION_EVENT_ROWS,
	RETENTION_ATTEMPT_MONTHS,
	RETENTION_ATTEMPT_ROWS,
	RETENTION_PAGES
};

/* For one thread. All zero except the borrowed members. */
struct retention_work {
	const struct config *config;
	const struct segment *segment;
	enum retention_step step;
	int64_t look_us; /* steady: when to look whether a run is due */
	int64_t now_ms; /* store's clock, when the run began */
	int64_t began_us; /* steady: the same moment */
	struct expiry_place jobs;
	struct retention_run rows;
	uint32_t slice_rows; /* rows of the next slice, adapted so that it is short */
	uint64_t letters, events, attempts; /* totals of the run */
};

/* Works for a moment on the run, or begins a due one. In no transaction. 0 or <0; DB_REFUSED as db_query(). */
int retention_work_turn(struct retention_work *work, struct db *db, struct error *err);

/*
 * Before what time rows of the table are old, in ms since 1970. 0: none is removed by itself, since they stay for ever
 * or go by month.
 */
int64_t retention_rows_before_ms(const struct config *config, enum retention_table table, int64_t now_ms);

/* Makes the next turn look whether a run is due, after a request for one. */
void retention_work_look(struct retention_work *work);

void retention_work_close(struct retention_work *work);

#endif
