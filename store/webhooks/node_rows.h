/*
 * The rows of delivery_nodes: which nodes deliver, and that they live. Jobs belong to a node's number. The epoch of a
 * row tells which process has claimed it: each claim sets another one. A row that another node has adopted is lost. For
 * courier 0 of a node.
 */
#ifndef STORE_WEBHOOKS_NODE_ROWS_H
#define STORE_WEBHOOKS_NODE_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "shm/node.h"
#include "store/db.h"

/* What a node claims. */
struct node_claim {
	int64_t node_id; /* the row that it had; 0: none */
	int64_t epoch; /* of that row, */
	int64_t other_epoch; /* or this one, where a claim was under way; the same: none was */
	int64_t next_epoch; /* that the row gets: of no other claim, of no node */
	const char *name; /* for people */
	int64_t seen_version; /* changes.version by which the node acts from now on */
};

/*
 * Takes the row up again, or a new one with the smallest free number if the row is gone, adopted, or has neither epoch.
 * *row: what the node has now. In a transaction of its own. 0, or as db_commit(): after <0 the row may have next_epoch.
 */
int node_rows_claim(struct db *db, const struct node_claim *claim, struct node_row *row, struct error *err);

/*
 * Which row has that epoch: *node_id, 0 if none has it that no other node has adopted. After a first claim whose result
 * nobody has seen. Returns as db_query().
 */
int node_rows_find(struct db *db, int64_t epoch, int64_t *node_id, struct error *err);

/*
 * Says that the node lives, and by which version it acts. *ours: whether the row still is the node's; if not, nothing
 * was written. In a transaction of its own. Returns as db_commit(); *ours is set on 0.
 */
int node_rows_beat(struct db *db, const struct node_row *row, int64_t seen_version, bool *ours, struct error *err);

/*
 * Says that the node has stopped: others may adopt its row at once, and nobody waits for it. Nothing happens when the
 * row is another's. In a transaction of its own. Returns as db_commit().
 */
int node_rows_leave(struct db *db, const struct node_row *row, struct error *err);

#endif
