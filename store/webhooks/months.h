/* Makes the monthly partitions of events and attempts in advance. */
#ifndef STORE_WEBHOOKS_MONTHS_H
#define STORE_WEBHOOKS_MONTHS_H

#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/*
 * Makes the partitions of the current month (UTC, by the database) and of `ahead` months, 0..120, for events and
 * attempts; SQLite needs none. Cheap if all exist, so any node may call it, once an hour and at its start. 0: done;
 * *missing: the number of months that could not be made, which is logged: their rows go to the default partition until
 * a later call succeeds. DB_REFUSED, DB_BUSY or <0 as db_query(). The caller has no transaction open.
 */
int webhooks_months_ahead(struct db *db, uint32_t ahead, uint32_t *missing, struct error *err);

#endif
