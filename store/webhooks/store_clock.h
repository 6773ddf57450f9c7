/* The clock of the webhooks' store, which all nodes have in common: its rows have times of it. */
#ifndef STORE_WEBHOOKS_STORE_CLOCK_H
#define STORE_WEBHOOKS_STORE_CLOCK_H

#include <stdint.h>

#include "store/db.h"

/* In ms since 1970; in a transaction, when that began. Returns as db_query(). */
int store_clock_now(struct db *db, int64_t *now_ms, struct error *err);

#endif
