/*
 * Dead letters that become jobs again, of the same id: first they are locked, then moved. The event goes to dlq_events
 * until the job ends. All are for a transaction, and return what db_query() does (store/db.h). For one thread.
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
	REQUEUE_COLUMN_TOPIC, /* "": its event was gone when it died */
	REQUEUE_COLUMN_CREATED_US, /* its place in the list */
	REQUEUE_COLUMN_WAITS, /* boolean: a job of that id is there already */
};

/* One row, or none. The letter stays as it is until the transaction ends. */
int requeue_lock(struct db *db, const char *tenant_id, const char *job_id, struct db_rows **rows, struct error *err);

/* How many letters the filter finds, LIKE as it is, and the time by the store: two columns of one row. */
int requeue_count(struct db *db, const char *tenant_id, const struct dead_letter_filter *filter, struct db_rows **rows,
    struct error *err);

/*
 * Those of a slice, oldest first; lock: as above, and then fewer rows may come than there are. Without it in a
 * transaction or without.
 */
int requeue_slice(struct db *db, const char *tenant_id, const struct dead_letter_filter *filter,
    const struct list_slice *slice, bool lock, struct db_rows **rows, struct error *err); /* seven: as the list's */

/* A letter that is locked, and what its job is like. */
struct requeued {
	uint8_t job_id[16];
	uint8_t endpoint_id[16];
	bool held; /* its endpoint is disabled or paused */
	bool fifo; /* its endpoint keeps an order */
	int64_t lifetime_ms; /* from now; no matter while it is held */
};

/*
 * Moves them. The jobs are that node's, due now, with the attempts of before and a schedule that begins anew. A letter
 * that has died without an attempt counts as one. Those of endpoints with fifo are the sender's, and go before all that
 * wait there; DB_BUSY also when somebody has the places of such an endpoint locked for a second.
 */
int requeue_move(struct db *db, const char *tenant_id, int64_t node_id, const struct requeued *letters, uint32_t count,
    struct error *err); /* six: whose, to whom, and what */

#endif
