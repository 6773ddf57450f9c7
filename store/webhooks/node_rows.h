/*
 * The rows of delivery_nodes: the nodes that deliver, and their heartbeats. Jobs belong to a node's number. Each claim
 * sets a new epoch, which identifies the process that has the row. A row that another node has adopted is lost. For
 * courier 0 of a node; node_rows_peers() is for any courier.
 */
#ifndef STORE_WEBHOOKS_NODE_ROWS_H
#define STORE_WEBHOOKS_NODE_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "shm/node.h"
#include "store/db.h"

#define NODE_NAME_MAX 255 /* bytes; a longer name is cut off */

/* A node's claim. */
struct node_claim {
	int64_t node_id; /* the row that it had before; 0: none */
	int64_t epoch; /* epoch of that row, */
	int64_t other_epoch; /* or this one, after an unfinished claim; the same: there was none */
	int64_t next_epoch; /* the row's new epoch, which is unique */
	const char *name; /* for people */
	int64_t seen_version; /* changes.version by which the node acts from now on */
	int64_t timeout_ms; /* a shorter silence does not let others adopt it */
};

/*
 * Claims the row again, or a new one with the smallest free number if the row is gone, adopted, or has neither epoch.
 * *row: the node's row now. *fresh: it is a new one, so jobs of an earlier row are not this node's. In a transaction of
 * its own. As db_commit(); after <0 the row may have next_epoch.
 */
int node_rows_claim(
    struct db *db, const struct node_claim *claim, struct node_row *row, bool *fresh, struct error *err);

/*
 * Finds the row with that epoch that was not adopted: *node_id, 0: none. For a first claim whose result was lost.
 * Returns as db_query().
 */
int node_rows_find(struct db *db, int64_t epoch, int64_t *node_id, struct error *err);

/* What a heartbeat writes. */
struct node_heartbeat {
	int64_t seen_version; /* the version of changes by which the node acts */
	const char *sessions; /* "{1,2}": the server's processes that work for the node; NULL: unchanged */
	int64_t timeout_ms; /* as in a claim */
};

/* What a heartbeat finds. */
struct node_heartbeat_result {
	bool ours; /* the row is still the node's; if not, nothing was written, and the rest is undefined */
	bool alone; /* no other node has a row that was neither adopted nor left */
	int64_t alive_ms; /* the heartbeat's time by the database's clock, since 1970 */
};

/* Writes a heartbeat. In a transaction of its own. Returns as db_commit(); *result is set on 0. */
int node_rows_heartbeat(struct db *db, const struct node_row *row, const struct node_heartbeat *beat,
    struct node_heartbeat_result *result, struct error *err);

/* Only the heartbeat's statement, in an open transaction: no other node adopts the row until its end. As db_query(). */
int node_rows_heartbeat_in(struct db *db, const struct node_row *row, const struct node_heartbeat *beat,
    struct node_heartbeat_result *result, struct error *err);

/*
 * Records that the node has stopped: others may adopt its row at once, and nobody waits for it. Does nothing if the row
 * is not this node's any more. In a transaction of its own. Returns as db_commit().
 */
int node_rows_leave(struct db *db, const struct node_row *row, struct error *err);

/* The nodes whose rows no other node has adopted. */
struct node_peers {
	bool ours; /* the given row is one of these; if not, the rest is undefined */
	uint32_t nodes;
	uint32_t before; /* how many of these have a lower number */
	/* The others that may begin attempts: not those that have left or are silent for their timeout_ms. */
	int64_t seen_version; /* all of them act by this version of changes; INT64_MAX: none */
	char last[NODE_NAME_MAX + 1]; /* the name of one that acts by exactly this version, for people; "": none */
};

/* As db_query(). */
int node_rows_peers(struct db *db, const struct node_row *row, struct node_peers *peers, struct error *err);

#endif
