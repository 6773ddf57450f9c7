/*
 * The rows of delivery_nodes: which nodes deliver, and that they live. Jobs belong to a node's number. The epoch of a
 * row tells which process has claimed it: each claim sets another one. A row that another node has adopted is lost. For
 * courier 0 of a node; node_rows_peers() is for any courier.
 */
#ifndef STORE_WEBHOOKS_NODE_ROWS_H
#define STORE_WEBHOOKS_NODE_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "shm/node.h"
#include "store/db.h"

#define NODE_NAME_MAX 255 /* bytes; of a longer one the rest is cut off */

/* What a node claims. */
struct node_claim {
	int64_t node_id; /* the row that it had; 0: none */
	int64_t epoch; /* of that row, */
	int64_t other_epoch; /* or this one, where a claim was under way; the same: none was */
	int64_t next_epoch; /* that the row gets: of no other claim, of no node */
	const char *name; /* for people */
	int64_t seen_version; /* changes.version by which the node acts from now on */
	int64_t timeout_ms; /* no other node adopts it after a shorter silence */
};

/*
 * Takes the row up again, or a new one with the smallest free number if the row is gone, adopted, or has neither epoch.
 * *row: what the node has now; *fresh: it is a new one, and jobs of earlier ones are not the node's. In a transaction
 * of its own. 0, or as db_commit(): after <0 the row may have next_epoch.
 */
int node_rows_claim(
    struct db *db, const struct node_claim *claim, struct node_row *row, bool *fresh, struct error *err);

/*
 * Which row has that epoch: *node_id, 0 if none has it that no other node has adopted. After a first claim whose result
 * nobody has seen. Returns as db_query().
 */
int node_rows_find(struct db *db, int64_t epoch, int64_t *node_id, struct error *err);

/* What a heartbeat says. */
struct node_beat {
	int64_t seen_version; /* of changes, by which the node acts */
	const char *sessions; /* "{1,2}": the processes of the server that work for the node; NULL: as before */
	int64_t timeout_ms; /* as in a claim */
};

/* What it has found. */
struct node_pulse {
	bool ours; /* the row still is the node's; if not, nothing was written, and the rest says nothing */
	bool alone; /* no other node has a row that was neither adopted nor left */
	int64_t alive_ms; /* the heartbeat's time by the database's clock, since 1970 */
};

/* Says that the node lives. In a transaction of its own. Returns as db_commit(); *pulse is set on 0. */
int node_rows_beat(struct db *db, const struct node_row *row, const struct node_beat *beat, struct node_pulse *pulse,
    struct error *err);

/* The heartbeat's statement alone, in a transaction: until that ends no other node adopts the row. As db_query(). */
int node_rows_beat_in(struct db *db, const struct node_row *row, const struct node_beat *beat, struct node_pulse *pulse,
    struct error *err);

/*
 * Says that the node has stopped: others may adopt its row at once, and nobody waits for it. Nothing happens when the
 * row is another's. In a transaction of its own. Returns as db_commit().
 */
int node_rows_leave(struct db *db, const struct node_row *row, struct error *err);

/* The nodes whose rows no other node has adopted. */
struct node_peers {
	bool ours; /* the row that is asked about is one of these; if not, the rest says nothing */
	uint32_t nodes;
	uint32_t before; /* of these: with a lower number */
	/* Others of these that may begin attempts, which who has left, or is silent for its timeout_ms, does not: */
	int64_t seen_version; /* of changes, by which all of them act; INT64_MAX: there are none */
	char
	    last[NODE_NAME_MAX + 1]; /* the name of one that acts by no newer version, for people; "": there are none */
};

/* As db_query(). */
int node_rows_peers(struct db *db, const struct node_row *row, struct node_peers *peers, struct error *err);

#endif
