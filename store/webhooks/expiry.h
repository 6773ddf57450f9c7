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

/* So many rows are looked at in a step, and so many jobs become dead letters at most. */
#define EXPIRY_SLICE_ROWS 2000
#define EXPIRY_SLICE_LETTERS 250

/* How far a walk over all jobs is. All zero: it begins. */
struct expiry_place {
	char *tenant_id; /* owned */
	uint8_t endpoint_id[16], job_id[16];
};

void expiry_place_free(struct expiry_place *place);

/* What a step has done. */
struct expiry_result {
	uint64_t letters;
	int64_t version; /* of changes, for the couriers of this node (control/at_once.h); 0: it was not raised */
	bool done; /* no job stands behind the place */
};

/*
 * One step of a walk: a slice is read, then what is past its time is buried by a transaction. events_before_ms: jobs of
 * events older than that are past their time also, but for those that were requeued, which have their event beside
 * them, and those that may be under way just now; 0: none are.
 * Where the store refuses to change the rows of a step, that is said in the log, and the walk goes on behind them. 0
 * with *result; DB_BUSY: nothing is done, the same step may be tried again; <0 as db_query(). For one thread, in no
 * transaction of the caller.
 */
int expiry_step(struct db *db, struct expiry_place *place, int64_t events_before_ms, struct expiry_result *result,
    struct error *err);

#endif
