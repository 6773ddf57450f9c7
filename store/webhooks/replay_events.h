/* Reads and counts the events of a replay. The functions return what db_query() does (store/db.h). For one thread. */
#ifndef STORE_WEBHOOKS_REPLAY_EVENTS_H
#define STORE_WEBHOOKS_REPLAY_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "store/db.h"
#include "store/webhooks/job_rows.h"
#include "store/webhooks/list_sql.h"

/* The events of a replay. */
struct replay_range {
	const char *tenant_id;
	struct time_range created;
	struct span topic_like; /* of LIKE; base NULL: every topic */
};

/*
 * A part of a range: the events behind one id up to another, of every topic. A statement reads no more, however few
 * events match.
 */
struct replay_window {
	uint8_t after[16], last[16];
	bool ends; /* no event of the range follows */
};

/* The column behind those of enum job_event_column, whose first is the event's id here. */
#define REPLAY_EVENT_COLUMN_JOBS (JOB_EVENT_COLUMN_TRACE + 1)

/* Finds the window of the next `size` events behind `after`; all zero: from the start of the range. */
int replay_events_window(struct db *db, const struct replay_range *range, const uint8_t after[16], uint32_t size,
    struct replay_window *window, struct error *err); /* six: which, and what comes back */

/* At most limit events of the window with a matching topic, in the order of ids. */
int replay_events_range(struct db *db, const struct replay_range *range, const struct replay_window *window,
    uint32_t limit, struct db_rows **rows, struct error *err); /* six: which, and what comes back */

/* One row, or none: the tenant has no such event. */
int replay_events_named(
    struct db *db, const char *tenant_id, const uint8_t event_id[16], struct db_rows **rows, struct error *err);

/* Counts the events of the window by topic: columns topic and count. */
int replay_events_count(struct db *db, const struct replay_range *range, const struct replay_window *window,
    struct db_rows **rows, struct error *err);

/* The number of jobs made of an event, including those of replays. */
struct replay_count {
	const uint8_t *event_id; /* 16 bytes */
	uint32_t jobs;
};

int replay_events_have(
    struct db *db, const char *tenant_id, const struct replay_count *counts, uint32_t count, struct error *err);

#endif
