/* Tells the loop of jobs that somebody has cancelled, as NEWS_CANCELLED. For the store thread. */
#ifndef COURIER_CANCELS_H
#define COURIER_CANCELS_H

#include <stdint.h>

#include "base/error.h"
#include "courier/news.h"
#include "store/db.h"

/* Those of the tenant by a later version of changes than that one. As db_query(). */
int cancels_tell_since(
    struct news_queue *news, struct db *db, const char *tenant_id, int64_t version, struct error *err);

/*
 * For a new courier, before it begins an attempt: those of all tenants of the last ms milliseconds. The parcels of its
 * predecessor may still bring them. As db_query().
 */
int cancels_tell_recent(struct news_queue *news, struct db *db, int64_t ms, struct error *err);

#endif
