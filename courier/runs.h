/*
 * Runs of endpoints: since when one has only failed, when it last failed, and when it last succeeded. The store thread
 * notes a run at each outcome that it writes, and stores it at most once a minute an endpoint. What the loop says of
 * an endpoint's breaker is stored beside it, within a second. A process that dies forgets the runs that it
 * has not stored; the next outcome of the endpoint notes them again. For the store thread.
 */
#ifndef COURIER_RUNS_H
#define COURIER_RUNS_H

#include <stdint.h>

#include "base/error.h"
#include "courier/breaker.h"
#include "courier/outcome.h"
#include "store/db.h"

struct runs;

struct runs *runs_new(void);
void runs_free(struct runs *runs);

/*
 * An outcome was written. Attempts that were not charged say nothing of their endpoint; nor do failures by a transform,
 * failures of events that tell of endpoints (topic_of_notices()), and those of an older url, secret or enabling.
 */
void runs_note(struct runs *runs, const struct outcome *outcome, int64_t now_us);

/* The endpoint's breaker is that by now. */
void runs_note_breaker(
    struct runs *runs, const char *tenant_id, const uint8_t endpoint_id[16], enum breaker_state breaker);

/*
 * When runs_write() is to be called next, by the steady clock; INT64_MAX: there is nothing to store.
 */
int64_t runs_due_us(const struct runs *runs);

/*
 * Stores the runs that are due, in a transaction of its own. Returns as db_commit() without DB_REFUSED: what the store
 * refuses is tried again a minute later, and a second later what somebody has locked. Runs that were not stored stay.
 */
int runs_write(struct runs *runs, struct db *db, int64_t now_us, struct error *err);

#endif
