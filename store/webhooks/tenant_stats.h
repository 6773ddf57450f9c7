/* Figures of tenants, which upkeep adds up: nobody counts rows when somebody asks. For one thread. */
#ifndef STORE_WEBHOOKS_TENANT_STATS_H
#define STORE_WEBHOOKS_TENANT_STATS_H

#include "base/error.h"
#include "store/db.h"

/*
 * Counts events, attempts, waiting jobs and dead letters of all tenants, and writes what has come out into the table
 * tenant_stats. In no transaction. Returns as db_query().
 */
int tenant_stats_count(struct db *db, struct error *err);

#endif
