/*
 * The jobs of a replay: which of them wait already or were delivered, and new ones. The functions return what
 * db_query() does (store/db.h). For one thread.
 */
#ifndef STORE_WEBHOOKS_REPLAY_JOBS_H
#define STORE_WEBHOOKS_REPLAY_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "shm/node.h"
#include "store/db.h"
#include "store/webhooks/routes.h"

/* A job that a replay might make. */
struct replay_job {
	const uint8_t *event_id; /* 16 bytes */
	struct route_job *route;
	uint32_t number; /* k: its id is the event's + k */
	bool waits; /* an earlier one for the same event, endpoint and transform still waits or is under way */
	bool failed; /* replay_jobs_failed() */
	uint8_t arrived
	    [16]; /* set with `failed`: the newest job of event and endpoint that was delivered; all zero: none */
};

/*
 * Sets `waits` of count jobs, those of an event side by side. In a transaction of jobs_begin(), in which nobody else
 * makes such jobs.
 */
int replay_jobs_waiting(
    struct db *db, const char *tenant_id, struct replay_job *jobs, uint32_t count, struct error *err);

/*
 * Sets `failed` of them: no job for the event and endpoint was delivered, or there is a dead letter for event, endpoint
 * and transform and no newer job was delivered. Attempts do not tell transforms: where an endpoint gets the event in
 * several forms each dead letter counts. In such a transaction.
 */
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

/*
 * Adds the jobs of which `waits` is false and that have a number. Those of endpoints with fifo go before all that wait
 * there. In a transaction. DB_BUSY also when somebody has the places of such an endpoint locked for a second.
 */
int replay_jobs_add(
    struct db *db, const struct replay_maker *maker, const struct replay_job *jobs, uint32_t count, struct error *err);

/*
 * That row of delivery_nodes is the node's own, and nobody takes it over until the transaction ends: so its jobs are
 * not overlooked. Called last, because the node's heartbeats wait meanwhile. Returns as db_query(); DB_BUSY: also when
 * the row is another's.
 */
int replay_hold_node(struct db *db, const struct node_row *row, struct error *err);

#endif
