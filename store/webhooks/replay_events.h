/*
 * What a replay reads and writes besides its own row: events, whether their jobs wait or have failed, and new jobs. The
 * functions return what db_query() does (store/db.h). For one thread.
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
#include "store/webhooks/routes.h"

/* Which events. */
struct replay_range {
	const char *tenant_id;
	struct time_range created;
	struct span topic_like; /* of LIKE; base NULL: every topic */
};

/* Behind those of enum job_event_column, of which the first is the event's id here. */
#define REPLAY_EVENT_COLUMN_JOBS (JOB_EVENT_COLUMN_TRACE + 1)

/* At most limit events behind that id, in the order of ids. */
int replay_events_range(struct db *db, const struct replay_range *range, const uint8_t after[16], uint32_t limit,
    struct db_rows **rows, struct error *err); /* six: which, and what comes back */

/* One row, or none: the tenant has no such event. */
int replay_events_named(
    struct db *db, const char *tenant_id, const uint8_t event_id[16], struct db_rows **rows, struct error *err);

/* How many events there are, by topic: columns topic and count. Of the range's events the first `most` are counted. */
int replay_events_count(
    struct db *db, const struct replay_range *range, int64_t most, struct db_rows **rows, struct error *err);

/* A job that a replay might make. */
struct replay_job {
	const uint8_t *event_id; /* 16 bytes */
	const struct route_job *route;
	uint32_t number; /* k: its id is the event's + k */
	bool waits; /* an earlier one for the same event, endpoint and transform still waits or is under way */
	bool failed; /* an earlier one is a dead letter, or no attempt for the event and endpoint succeeded */
};

/* Sets `waits` of count jobs, or `failed`. In a transaction of jobs_begin(), in which nobody else makes such jobs. */
int replay_jobs_waiting(
    struct db *db, const char *tenant_id, struct replay_job *jobs, uint32_t count, struct error *err);
int replay_jobs_failed(
    struct db *db, const char *tenant_id, struct replay_job *jobs, uint32_t count, struct error *err);

/* Who makes jobs, and when. */
struct replay_maker {
	const char *tenant_id;
	uint8_t replay_id[16];
	int64_t node_id; /* delivers them */
	int64_t now_ms; /* wall clock */
	const uint8_t (*subscription_ids)[16]; /* of the routes: struct route_jobs */
};

/* Adds the jobs of which `waits` is false and that have a number. In a transaction. */
int replay_jobs_add(
    struct db *db, const struct replay_maker *maker, const struct replay_job *jobs, uint32_t count, struct error *err);

/* How many jobs were made of an event, those of replays included. */
struct replay_count {
	const uint8_t *event_id; /* 16 bytes */
	uint32_t jobs;
};

int replay_events_have(
    struct db *db, const char *tenant_id, const struct replay_count *counts, uint32_t count, struct error *err);

/* Whether that row of delivery_nodes is the node's own. In a transaction: until it ends nobody takes the row over. */
int replay_node_is_there(struct db *db, int64_t node_id, int64_t epoch, bool *there, struct error *err);

#endif
