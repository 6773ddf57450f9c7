/*
 * The table `fifo_heads`: of each endpoint with fifo the last place that was given out, and the node that sends what it
 * gets. A transaction locks the endpoint's row before it gives out a place or changes the sender, and keeps it locked
 * until it ends: so places are in the order of commits, and every job with a place has the sender's node_id. For one
 * thread.
 */
#ifndef STORE_WEBHOOKS_FIFO_HEADS_H
#define STORE_WEBHOOKS_FIFO_HEADS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "store/db.h"

/* What is asked of an endpoint's row, and what comes back. Everything is borrowed. */
struct fifo_claim {
	struct span tenant_id;
	const uint8_t *endpoint_id; /* 16 bytes */
	int64_t places; /* that are wanted; 0: for jobs that go to the front */
	int64_t last_seq; /* the last place that is given out by now */
	int64_t node_id; /* who sends */
};

/*
 * Locks the rows of endpoints, takes places, and finds the senders. An endpoint that has none is sent by that node from
 * now on. claims, at least one: in the order of fifo_heads_compare(), each endpoint once, so that transactions do not
 * wait for each other in a circle. In a transaction, in which from now on nothing waits for a lock for longer than a
 * second. Returns what db_query() does; DB_BUSY: somebody holds a row.
 */
int fifo_heads_claim(struct db *db, int64_t node_id, struct fifo_claim *claims, uint32_t count, struct error *err);

/* As fifo_heads_claim(), and waits for those rows for 20 ms: for one who has met a lock that lasts. */
int fifo_heads_try(struct db *db, int64_t node_id, struct fifo_claim *claims, uint32_t count, struct error *err);

/* <0, 0, >0, by tenant and endpoint. */
int fifo_heads_compare(const struct fifo_claim *a, const struct fifo_claim *b);

struct fifo_head {
	bool elsewhere; /* another node sends what the endpoint gets */
	int64_t last_seq; /* 0 without a row */
};

/* An endpoint's row, as that node sees it. In a transaction or without. As db_query(). */
int fifo_heads_find(struct db *db, const char *tenant_id, const uint8_t endpoint_id[16], int64_t node_id,
    struct fifo_head *head, struct error *err); /* six: whose, which, who, and the answer */

enum fifo_waiting_column { FIFO_WAITING_TENANT, FIFO_WAITING_ENDPOINT, FIFO_WAITING_SEQ };

/*
 * The endpoints that this node sends to and whose newest job still waits, and that job's place: of all tenants. Another
 * node may have stored it. In a transaction that jobs_begin() or jobs_by_indexes() prepared. As db_query().
 */
int fifo_heads_waiting(struct db *db, int64_t node_id, struct db_rows **rows, struct error *err);

/* Whether there is any endpoint that this node sends to. As db_query(). */
int fifo_heads_any(struct db *db, int64_t node_id, bool *any, struct error *err);

/*
 * The node sends from now on what nodes sent that it has adopted (delivery_nodes.adopted_by): at most limit endpoints.
 * *moved: how many. Their jobs that came since the others were moved become its own also. In a transaction of
 * jobs_begin(). As fifo_heads_claim().
 */
int fifo_heads_adopt(struct db *db, int64_t node_id, uint32_t limit, uint32_t *moved, struct error *err);

#endif
