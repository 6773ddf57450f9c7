/*
 * Adoption of lost nodes: another node adopts their rows in delivery_nodes, and gets their jobs. A job's row names its
 * node, so a node that was wrongly considered dead cannot change jobs that it has lost. For courier 0 of the adopter.
 */
#ifndef STORE_WEBHOOKS_ADOPTION_ROWS_H
#define STORE_WEBHOOKS_ADOPTION_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/format.h"
#include "config/text_rules.h"
#include "shm/node.h"
#include "store/db.h"
#include "store/webhooks/node_rows.h"

/* When a node counts as gone. */
struct adoption_terms {
	int64_t left_ms; /* this long after it has left; > 0 */
	int64_t silent_ms; /* after this silence, or its own timeout_ms if that is longer; 0: silence does not count */
};

/* Whether any node is gone by these terms. Only reads. As db_query(). */
int adoption_wanted(
    struct db *db, const struct node_row *row, const struct adoption_terms *terms, bool *wanted, struct error *err);

/*
 * Ends sessions of silent nodes whose transactions have lasted for half of the time: a process stopped within a COPY
 * would keep its locks. Only sessions of the same database role. *ended: their number. PostgreSQL only. As db_query().
 */
int adoption_end_sessions(
    struct db *db, const struct node_row *row, const struct adoption_terms *terms, int64_t *ended, struct error *err);

/*
 * Adopts the nodes that are gone, and those that they had adopted. Does nothing if another node has this node's row.
 * Skips nodes whose rows are locked. beat: the heartbeat written in the same transaction. *adopted: for each node a row
 * of node_id, name, and whether it had left; the caller frees it. In a transaction of its own. As db_commit(); after <0
 * the nodes may be adopted, which is certain once the node's next heartbeat has succeeded.
 */
int adoption_adopt(struct db *db, const struct node_row *row, const struct node_heartbeat *beat,
    const struct adoption_terms *terms, struct db_rows **adopted,
    struct error *err); /* six: the adopter, the terms, and the result */

/* Whether the node has adopted rows that are not removed yet. Only reads. As db_query(). */
int adoption_unfinished(struct db *db, int64_t node_id, bool *unfinished, struct error *err);

/*
 * The horizon of the database's transactions: each with an id below *ended has ended; none with an id from *next on has
 * begun. In SQLite, which has one writer at a time, both are 0. Only reads. As db_query().
 */
int adoption_horizon(struct db *db, int64_t *ended, int64_t *next, struct error *err);

/* A place in the key of jobs, as texts; all empty: before the first row. */
struct adoption_place {
	uint32_t rows; /* rows to look at in the next slice; > 0 */
	char tenant_id[TENANT_ID_MAX + 1];
	char endpoint_id[FORMAT_UUID_BYTES + 1], job_id[FORMAT_UUID_BYTES + 1];
};

/*
 * Gives the jobs of adopted nodes among the next place->rows rows of jobs to the node. In a transaction of its own,
 * whose statements take at most three seconds and wait at most one for a lock. *moved: number of jobs. *ends: no row
 * follows; otherwise *place is the last row. As db_commit(); DB_BUSY: a row is locked. After any result but 0 *place is
 * unchanged.
 */
int adoption_move(struct db *db, int64_t node_id, struct adoption_place *place, uint32_t *moved, bool *ends,
    struct error *err); /* six: whose, where, and two results */

/*
 * Removes the rows of nodes that this one has adopted; they must have no jobs any more. Does nothing if another node
 * has this node's row. In a transaction of its own. As db_commit().
 */
int adoption_remove(struct db *db, const struct node_row *row, struct error *err);

#endif
