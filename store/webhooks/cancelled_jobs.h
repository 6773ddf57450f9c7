/*
 * Notes of recently cancelled jobs, for couriers that have them in memory: a removed row notifies nobody. The functions
 * return what db_query() does.
 */
#ifndef STORE_WEBHOOKS_CANCELLED_JOBS_H
#define STORE_WEBHOOKS_CANCELLED_JOBS_H

#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/* Notes a job in the transaction that removed its row; version: the result of changes_raise() in it. */
int cancelled_jobs_add(struct db *db, const char *tenant_id, const char *job_id, int64_t version, struct error *err);

/* The same for a column of ids, which may be empty. */
int cancelled_jobs_add_all(
    struct db *db, const char *tenant_id, const struct db_rows *jobs, int64_t version, struct error *err);

enum cancelled_column { CANCELLED_COLUMN_TENANT_ID, CANCELLED_COLUMN_JOB_ID };

/* The tenant's jobs cancelled after that version. In a transaction or without. */
int cancelled_jobs_since(
    struct db *db, const char *tenant_id, int64_t version, struct db_rows **rows, struct error *err);

/*
 * All tenants' jobs cancelled in the last ms milliseconds, by the start of the transactions. In a transaction or
 * without.
 */
int cancelled_jobs_recent(struct db *db, int64_t ms, struct db_rows **rows, struct error *err);

/*
 * Removes at most limit notes that are an hour old, of all tenants: by then every living courier has read them.
 * *removed: how many. In no transaction.
 */
int cancelled_jobs_remove_old(struct db *db, uint32_t limit, uint32_t *removed, struct error *err);

#endif
