/*
 * Orders stopped by dead letters (endpoints.on_dead is 'block'). Burying a job sets dlq.blocks. An order is stopped as
 * long as such a letter exists, and goes on after any removal of it. For one thread.
 */
#ifndef STORE_WEBHOOKS_FIFO_STOPS_H
#define STORE_WEBHOOKS_FIFO_STOPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/*
 * The stopped orders of the endpoint, at most limit: rows of one column, the ordering_key, "" for none. In a
 * transaction of jobs_begin(). As db_query().
 */
int fifo_stops_read(struct db *db, const char *tenant_id, const uint8_t endpoint_id[16], uint32_t limit,
    struct db_rows **rows, struct error *err); /* six: whose, of which, and the result */

/* Whether that dead letter stops an order. In a transaction or without. As db_query(). */
int fifo_stops_has(struct db *db, const char *tenant_id, const char *job_id, bool *stops, struct error *err);

#endif
