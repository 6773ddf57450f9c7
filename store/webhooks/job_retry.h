/*
 * Makes jobs due, or cancels them. All functions are for a transaction, and return what db_query() does (store/db.h).
 * Raise the tenant's routing version and changes.version as well, so that couriers learn of it. For one thread.
 */
#ifndef STORE_WEBHOOKS_JOB_RETRY_H
#define STORE_WEBHOOKS_JOB_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/* SQL for "due at once": a courier ignores a row without attempts during the first five seconds after it is due. */
#define JOB_DUE_NOW "hl_time(hl_ms(hl_now()) - 5000)"

/* Makes a waiting job due at once. Does nothing if it is due already. */
int job_retry(struct db *db, const char *tenant_id, const char *endpoint_id, const char *job_id, struct error *err);

/*
 * The same for the endpoint's first `limit` jobs behind `after` (16 zeros: from the first) that are not due. *count:
 * how many; sets after to the last of them.
 */
int job_retry_slice(struct db *db, const char *tenant_id, const char *endpoint_id, uint32_t limit, uint8_t after[16],
    uint32_t *count, struct error *err); /* seven: of what, how far, and what came of it */

/* Removes the job, and its copy of the event in dlq_events. *exists: whether the job existed. */
int job_cancel(struct db *db, const char *tenant_id, const char *endpoint_id, const char *job_id, bool *exists,
    struct error *err); /* six: a key, and what came of it */

#endif
