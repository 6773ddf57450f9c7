/* The months of events and attempts, made before they begin. */
#ifndef STORE_WEBHOOKS_MONTHS_H
#define STORE_WEBHOOKS_MONTHS_H

#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/*
 * Makes the partitions of the month of today (UTC, by the database) and of so many months ahead, 0..120, for events
 * and attempts; SQLite needs none. Cheap when all are there, so any node may call it at any time, once an hour and at
 * its start. 0: done, or said in the log why a month must wait until the next call, and *missing is how many must:
 * their rows go to the default partition meanwhile. DB_REFUSED, DB_BUSY or <0 as db_query(). In no transaction of the
 * caller.
 */
int webhooks_months_ahead(struct db *db, uint32_t ahead, uint32_t *missing, struct error *err);

#endif
