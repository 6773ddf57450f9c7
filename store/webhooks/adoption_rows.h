/*
 * Nodes that are gone: another node adopts their rows in delivery_nodes, and gets their jobs. A job's row says whose it
 * is, so whatever a node that was thought dead still writes about it changes nothing. For courier 0 of the adopter.
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

/* From when on a node counts as gone. */
struct adoption_terms {
	int64_t left_ms; /* so long after it has left; > 0 */
	int64_t
	    silent_ms; /* after so long a silence, or its own timeout_ms if that is more; 0: silence does not count */
};

/* Whether nodes are gone by these terms. Reads. As db_query(). */
int adoption_wanted(
    struct db *db, const struct node_row *row, const struct adoption_terms *terms, bool *wanted, struct error *err);

/*
 * Ends the sessions of nodes that are silent by these terms, where their transactions have lasted for half of the
 * time: a process that stands still in a COPY keeps its locks otherwise. Those of the same database role alone.
 * *ended: how many. PostgreSQL only. As db_query().
 */
int adoption_end_sessions(
    struct db *db, const struct node_row *row, const struct adoption_terms *terms, int64_t *ended, struct error *err);

/*
 * Adopts these nodes, and those that they had adopted, unless the node's own row is another's: then nothing happens.
 * A node whose row somebody has locked is passed over. beat: of the heartbeat in the same transaction. *adopted: of
 * each a row of node_id, name, and whether it had left; the caller frees it. In a transaction of its own. As
 * db_commit(): after <0 the nodes may be adopted, at the latest when the node's next heartbeat succeeds.
 */
int adoption_adopt(struct db *db, const struct node_row *row, const struct node_beat *beat,
    const struct adoption_terms *terms, struct db_rows **adopted,
    struct error *err); /* six: who, whom, and the result */

/* Whether the node has adopted rows that are not removed yet. Reads. As db_query(). */
int adoption_unfinished(struct db *db, int64_t node_id, bool *unfinished, struct error *err);

/*
 * The database's transactions: each with an id below *ended has ended, and none has begun with one from *next on. In
 * SQLite, which takes one writer at a time, both are 0. Reads. As db_query().
 */
int adoption_horizon(struct db *db, int64_t *ended, int64_t *next, struct error *err);

/* A place in the key of jobs, as texts; all empty: before the first row. */
struct adoption_place {
	uint32_t rows; /* so many are looked at next; > 0 */
	char tenant_id[TENANT_ID_MAX + 1];
	char endpoint_id[FORMAT_UUID_BYTES + 1], job_id[FORMAT_UUID_BYTES + 1];
};

/*
 * The jobs of adopted nodes among the next place->rows rows of jobs become the node's: in a transaction of its own,
 * whose statements last for three seconds at most, and wait for a lock for one. *moved: how many; *ends: no row stands
 * behind; else the place is the last row. As db_commit(); DB_BUSY: somebody holds a lock. After any result but 0 *place
 * is as before.
 */
int adoption_move(struct db *db, int64_t node_id, struct adoption_place *place, uint32_t *moved, bool *ends,
    struct error *err); /* six: whose, where, and two results */

/*
 * Removes the rows of nodes that this one has adopted, and which have no jobs any more; none when the node's own row is
 * another's. In a transaction of its own. As db_commit().
 */
int adoption_remove(struct db *db, const struct node_row *row, struct error *err);

#endif
