/*
 * Turns jobs that are past their time into dead letters `expired`. A job is past its time five minutes after its
 * expires_at, or when its event is about to go. It may be in a courier's memory, or in its row only. A courier does the
 * same with an expired job that it is about to attempt.
 */
#ifndef STORE_WEBHOOKS_EXPIRY_H
#define STORE_WEBHOOKS_EXPIRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/* The most rows that a step looks at, and the most dead letters that it makes. */
#define EXPIRY_SLICE_ROWS 2000
#define EXPIRY_SLICE_LETTERS 250

/* The place of a walk over all jobs. All zero: the beginning. */
struct expiry_place {
	char *tenant_id; /* owned */
	uint8_t endpoint_id[16], job_id[16];
};

void expiry_place_free(struct expiry_place *place);

/* The result of a step. */
struct expiry_result {
	uint64_t letters;
	int64_t version; /* of changes, for the couriers of this node (control/propagation.h); 0: it was not raised */
	bool done; /* no job is left behind the place */
};

/*
 * Does one step of a walk: reads a slice, then makes its expired jobs dead letters in a transaction. events_before_ms:
 * jobs of older events are expired too, but not requeued jobs, which have their event in dlq_events, nor jobs that may
 * be under way; 0: no bound. If the store refuses to change the rows of a step, it is logged, and the walk goes on
 * behind them. 0 with *result; DB_BUSY: nothing is done, repeat the step; <0 as db_query(). For one thread; the caller
 * has no transaction open.
 */
int expiry_step(struct db *db, struct expiry_place *place, int64_t events_before_ms, struct expiry_result *result,
    struct error *err);

#endif
