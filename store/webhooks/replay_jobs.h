/*
 * The jobs of a replay: finds those that still wait or were delivered, and adds new ones. The functions return what
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
	uint8_t arrived[16]; /* set with `failed`: the newest delivered job of event and endpoint; all zero: none */
};

/*
 * Sets `waits` of count jobs; jobs of the same event are adjacent. In a transaction of jobs_begin() during which nobody
 * else can make such jobs.
 */
int replay_jobs_waiting(
    struct db *db, const char *tenant_id, struct replay_job *jobs, uint32_t count, struct error *err);

/*
 * Sets `failed`: no job for the event and endpoint was delivered, or there is a dead letter for event, endpoint and
 * transform and no newer job was delivered. Attempts do not record transforms: if an endpoint gets the event in several
 * forms, each dead letter counts. In such a transaction.
 */
int replay_jobs_failed(
    struct db *db, const char *tenant_id, struct replay_job *jobs, uint32_t count, struct error *err);

/* The maker of jobs. */
struct replay_maker {
	const char *tenant_id;
	uint8_t replay_id[16];
	int64_t node_id; /* the node that delivers them */
	int64_t now_ms; /* wall clock */
	const uint8_t (*subscription_ids)[16]; /* of the routes: struct route_jobs */
};

/*
 * Adds the jobs that have a number and do not wait already. Jobs of endpoints with fifo go before all that wait there.
 * In a transaction. DB_BUSY also if the places of such an endpoint are locked for a second.
 */
int replay_jobs_add(
    struct db *db, const struct replay_maker *maker, const struct replay_job *jobs, uint32_t count, struct error *err);

/*
 * Checks that the node still has its row, and locks it until the transaction ends: no adoption can miss its new jobs.
 * Call it last, because the node's heartbeats wait meanwhile. As db_query(); DB_BUSY also if the row is not the node's
 * any more.
 */
int replay_hold_node(struct db *db, const struct node_row *row, struct error *err);

#endif
