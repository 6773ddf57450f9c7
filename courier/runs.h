/*
 * Runs of endpoints: since when one has only failed, when it was last well. Noted at each outcome that is written,
 * stored at most once a minute an endpoint. A process that dies forgets what was not stored yet: the next outcome says
 * it again. For the store thread.
 */
#ifndef COURIER_RUNS_H
#define COURIER_RUNS_H

#include <stdint.h>

#include "base/error.h"
#include "courier/outcome.h"
#include "store/db.h"

struct runs;

struct runs *runs_new(void);
void runs_free(struct runs *runs);

/* An outcome was written. Attempts that were not charged say nothing of their endpoint. */
void runs_note(struct runs *runs, const struct outcome *outcome, int64_t now_us);

/*
 * When runs_write() is to be called next, by the steady clock; INT64_MAX: there is nothing to store.
 */
int64_t runs_due_us(const struct runs *runs);

/* Stores what is due, in a transaction of its own. Returns as db_commit(); what was not stored stays. */
int runs_write(struct runs *runs, struct db *db, int64_t now_us, struct error *err);

#endif
