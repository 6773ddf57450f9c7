/*
 * Makes dead letters jobs again, with the same ids: first lock them, then move them. The event is kept in dlq_events
 * until the job ends. All functions are for a transaction, and return what db_query() does (store/db.h). For one
 * thread.
 */
#ifndef STORE_WEBHOOKS_REQUEUE_H
#define STORE_WEBHOOKS_REQUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/webhooks/dead_letter_lists.h"

enum requeue_column {
	REQUEUE_COLUMN_JOB,
	REQUEUE_COLUMN_ENDPOINT,
	REQUEUE_COLUMN_EVENT,
	REQUEUE_COLUMN_REASON,
	REQUEUE_COLUMN_TOPIC, /* "": its event was already gone when it died */
	REQUEUE_COLUMN_CREATED_US, /* its place in the list */
	REQUEUE_COLUMN_WAITS, /* boolean: a job with that id exists already */
};

/* One row, or none. Locks the letter until the transaction ends. */
int requeue_lock(struct db *db, const char *tenant_id, const char *job_id, struct db_rows **rows, struct error *err);

/* The number of letters that the filter finds, and the time by the store: two columns of one row. */
int requeue_count(struct db *db, const char *tenant_id, const struct dead_letter_filter *filter, struct db_rows **rows,
    struct error *err);

/*
 * The letters of a slice, oldest first. lock: locks them, and may then return fewer rows than exist. Without lock also
 * outside of a transaction.
 */
int requeue_slice(struct db *db, const char *tenant_id, const struct dead_letter_filter *filter,
    const struct list_slice *slice, bool lock, struct db_rows **rows, struct error *err); /* seven: as the list's */

/* A locked letter, and the properties of its job. */
struct requeued {
	uint8_t job_id[16];
	uint8_t endpoint_id[16];
	bool held; /* its endpoint is disabled or paused */
	bool fifo; /* its endpoint keeps an order */
	int64_t lifetime_ms; /* from now; ignored if held */
};

/*
 * Moves the letters. Their jobs belong to node_id, are due now, keep their former attempts, and start a new schedule. A
 * death without an attempt counts as one attempt. Jobs of endpoints with fifo belong to the sender, and go before all
 * that wait there; DB_BUSY also if the places of such an endpoint are locked for a second.
 */
int requeue_move(struct db *db, const char *tenant_id, int64_t node_id, const struct requeued *letters, uint32_t count,
    struct error *err); /* six: whose, to whom, and what */

#endif
