/*
 * Runs of endpoints: since when an endpoint has only failed, when it last failed, and when it last succeeded. The store
 * thread notes a run at each outcome that it writes, and stores it at most once a minute per endpoint. It also stores
 * the state of the breaker that the loop reports, within a second. A process that dies loses the runs that it has not
 * stored; the endpoint's next outcome starts them again. For the store thread.
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
 * Notes an outcome that was written. Ignores uncharged attempts, failures by a transform, failures of notices
 * (topic_of_notices()), and failures of an older breaker_version.
 */
void runs_note(struct runs *runs, const struct outcome *outcome, int64_t now_us);

/* Notes the state of the endpoint's breaker. */
void runs_note_breaker(
    struct runs *runs, const char *tenant_id, const uint8_t endpoint_id[16], enum breaker_state breaker);

/* When to call runs_write() next, by the steady clock; INT64_MAX: there is nothing to store. */
int64_t runs_due_us(const struct runs *runs);

/*
 * Stores the runs that are due, in a transaction of its own. A refused run is tried again after a minute, a locked one
 * after a second. As db_commit() without DB_REFUSED. Runs that were not stored stay.
 */
int runs_write(struct runs *runs, struct db *db, int64_t now_us, struct error *err);

#endif
