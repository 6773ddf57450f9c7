/*
 * The events of a replay, as it reads and counts them. The functions return what db_query() does (store/db.h). For one
 * thread.
 */
#ifndef STORE_WEBHOOKS_REPLAY_EVENTS_H
#define STORE_WEBHOOKS_REPLAY_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "store/db.h"
#include "store/webhooks/job_rows.h"
#include "store/webhooks/list_sql.h"

/* Which events. */
struct replay_range {
	const char *tenant_id;
	struct time_range created;
	struct span topic_like; /* of LIKE; base NULL: every topic */
};

/*
 * A part of a range: the events behind one id up to another, of every topic. A statement reads no more than that,
 * however few of them match.
 */
struct replay_window {
	uint8_t after[16], last[16];
	bool ends; /* no event of the range stands behind these */
};

/* Behind those of enum job_event_column, of which the first is the event's id here. */
#define REPLAY_EVENT_COLUMN_JOBS (JOB_EVENT_COLUMN_TRACE + 1)

/* Finds the window of the next `size` events behind that id, all zero: of the range's first ones. */
int replay_events_window(struct db *db, const struct replay_range *range, const uint8_t after[16], uint32_t size,
    struct replay_window *window, struct error *err); /* six: which, and what comes back */

/* At most limit events of the window that the topic fits, in the order of ids. */
int replay_events_range(struct db *db, const struct replay_range *range, const struct replay_window *window,
    uint32_t limit, struct db_rows **rows, struct error *err); /* six: which, and what comes back */

/* One row, or none: the tenant has no such event. */
int replay_events_named(
    struct db *db, const char *tenant_id, const uint8_t event_id[16], struct db_rows **rows, struct error *err);

/* How many events of the window the topic fits, by topic: columns topic and count. */
int replay_events_count(struct db *db, const struct replay_range *range, const struct replay_window *window,
    struct db_rows **rows, struct error *err);

/* How many jobs were made of an event, those of replays included. */
struct replay_count {
	const uint8_t *event_id; /* 16 bytes */
	uint32_t jobs;
};

int replay_events_have(
    struct db *db, const char *tenant_id, const struct replay_count *counts, uint32_t count, struct error *err);

#endif
