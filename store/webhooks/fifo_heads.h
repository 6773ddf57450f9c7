/*
 * The table `fifo_heads`: for each endpoint with fifo the last place given out, and the sender, the node that sends to
 * it. A transaction locks the endpoint's row before it gives out a place or changes the sender, and keeps the lock
 * until its end. So places are in the order of commits, and every job with a place has the sender's node_id. For one
 * thread.
 */
#ifndef STORE_WEBHOOKS_FIFO_HEADS_H
#define STORE_WEBHOOKS_FIFO_HEADS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "store/db.h"

/* A claim on an endpoint's row, and its result. Everything is borrowed. */
struct fifo_claim {
	struct span tenant_id;
	const uint8_t *endpoint_id; /* 16 bytes */
	int64_t places; /* places wanted; 0: the jobs go to the front */
	int64_t last_seq; /* result: the last place given out */
	int64_t node_id; /* result: the sender */
};

/*
 * Locks the rows of endpoints, takes places, and finds the senders. node_id becomes the sender of an endpoint without
 * one. claims: at least one, in the order of fifo_heads_compare(), each endpoint once, so that transactions do not
 * deadlock. In a transaction; limits its later waits for locks to a second. As db_query(); DB_BUSY: a row is locked.
 */
int fifo_heads_claim(struct db *db, int64_t node_id, struct fifo_claim *claims, uint32_t count, struct error *err);

/* As fifo_heads_claim(), but waits only 20 ms for those rows: for a caller that has met a lasting lock. */
int fifo_heads_try(struct db *db, int64_t node_id, struct fifo_claim *claims, uint32_t count, struct error *err);

/* <0, 0, >0, by tenant and endpoint. */
int fifo_heads_compare(const struct fifo_claim *a, const struct fifo_claim *b);

struct fifo_head {
	bool other_sender; /* another node sends to the endpoint */
	int64_t last_seq; /* 0 without a row */
};

/* Reads an endpoint's row for that node. In a transaction or without. As db_query(). */
int fifo_heads_find(struct db *db, const char *tenant_id, const uint8_t endpoint_id[16], int64_t node_id,
    struct fifo_head *head, struct error *err); /* six: an endpoint, a node, and the result */

enum fifo_waiting_column { FIFO_WAITING_TENANT, FIFO_WAITING_ENDPOINT, FIFO_WAITING_SEQ };

/*
 * Of all tenants, the endpoints that this node sends to and whose newest job still waits, with that job's place. Any
 * node may have stored that job. In a transaction prepared by jobs_begin() or jobs_by_indexes(). As db_query().
 */
int fifo_heads_waiting(struct db *db, int64_t node_id, struct db_rows **rows, struct error *err);

/* Whether this node sends to any endpoint with fifo. As db_query(). */
int fifo_heads_any(struct db *db, int64_t node_id, bool *any, struct error *err);

/*
 * Makes the node the sender of at most limit endpoints whose senders it has adopted (delivery_nodes.adopted_by).
 * *moved: how many. Also gives it their jobs that were added since the other jobs were moved. In a transaction of
 * jobs_begin(). As fifo_heads_claim().
 */
int fifo_heads_adopt(struct db *db, int64_t node_id, uint32_t limit, uint32_t *moved, struct error *err);

#endif
