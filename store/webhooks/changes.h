/* The version of everything that must hold at once: keys, routing, pauses. */
#ifndef STORE_WEBHOOKS_CHANGES_H
#define STORE_WEBHOOKS_CHANGES_H

#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/* The version that is committed. Returns as db_query(). */
int changes_version(struct db *db, int64_t *version, struct error *err);

/* What is committed. */
struct changes {
	int64_t version;
	int64_t removed_version; /* by which the last row of a tenant was removed; 0: of none yet */
};

/* Returns as db_query(). */
int changes_read(struct db *db, struct changes *changes, struct error *err);

/*
 * After changes_read(), for a caller that then reads what the versions stand for: where tables are distributed, waits
 * until the rows are to be seen on each node, and reads the versions once more. Elsewhere they are. As db_query().
 */
int changes_settle(struct db *db, struct changes *changes, struct error *err);

/*
 * Raises the version in the transaction that db_begin() began. Other transactions that raise it wait until this one
 * has ended, so versions follow commits: call it late. Changed API keys get the version. The tenants whose routing
 * versions the transaction has raised before get it also: couriers look at them. Returns as db_query().
 */
int changes_raise(struct db *db, int64_t *version, struct error *err);

/*
 * routing_raise_for_couriers() of a tenant and changes_raise(): couriers find out that jobs of the tenant have changed.
 * The first without the second, in one transaction, takes away the mark by which they find an earlier change. Returns
 * as db_query().
 */
int changes_raise_of(struct db *db, const char *tenant_id, int64_t *version, struct error *err);

/*
 * The names of nodes that have not said that they act by that version, and may send: none has left, was adopted, or has
 * been silent for its timeout_ms. The node of that id is left out. Returns as db_query(), with a column of texts.
 */
int changes_unseen(struct db *db, int64_t version, int64_t node_id, struct db_rows **rows, struct error *err);

#endif
