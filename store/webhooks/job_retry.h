/*
 * Jobs that somebody makes due, or cancels. All are for a transaction, and return what db_query() does (store/db.h). A
 * courier learns of it when the tenant's routing version and changes.version are raised also. For one thread.
 */
#ifndef STORE_WEBHOOKS_JOB_RETRY_H
#define STORE_WEBHOOKS_JOB_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/* SQL. Due at once: a courier leaves a row that was never attempted alone for the first five seconds that it is due. */
#define JOB_DUE_NOW "hl_time(hl_ms(hl_now()) - 5000)"

/* The job waits no longer for its time. Nothing happens to one that is due. */
int job_retry(struct db *db, const char *tenant_id, const char *endpoint_id, const char *job_id, struct error *err);

/*
 * The same for the first `limit` of the endpoint's jobs behind `after` (16 zeros: from the first on) that are not due.
 * *count: how many; after is set to the last of them.
 */
int job_retry_slice(struct db *db, const char *tenant_id, const char *endpoint_id, uint32_t limit, uint8_t after[16],
    uint32_t *count, struct error *err); /* seven: of what, how far, and what came of it */

/* Removes the job, and the event that it had beside it. *there: whether there was one. */
int job_cancel(struct db *db, const char *tenant_id, const char *endpoint_id, const char *job_id, bool *there,
    struct error *err); /* six: a key, and what came of it */

#endif
