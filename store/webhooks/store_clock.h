/* The clock of the webhooks' store, common to all nodes: the times in its rows are by this clock. */
#ifndef STORE_WEBHOOKS_STORE_CLOCK_H
#define STORE_WEBHOOKS_STORE_CLOCK_H

#include <stdint.h>

#include "store/db.h"

/* The time in ms since 1970; in a transaction, the time of its start. Returns as db_query(). */
int store_clock_now(struct db *db, int64_t *now_ms, struct error *err);

#endif
