/* The version of keys, routing and pauses, which must take effect at once. */
#ifndef STORE_WEBHOOKS_CHANGES_H
#define STORE_WEBHOOKS_CHANGES_H

#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/* Reads the committed version. Returns as db_query(). */
int changes_version(struct db *db, int64_t *version, struct error *err);

/* The committed versions. */
struct changes {
	int64_t version;
	int64_t removed_version; /* version at the last removal of a tenant's last row; 0: none yet */
};

/* Returns as db_query(). */
int changes_read(struct db *db, struct changes *changes, struct error *err);

/*
 * For a caller of changes_read() that then reads the changed rows: if tables are distributed, waits until the rows are
 * visible on each node, and reads the versions once more. Otherwise does nothing. As db_query().
 */
int changes_settle(struct db *db, struct changes *changes, struct error *err);

/*
 * Raises the version in the open transaction. Other transactions that raise it wait until this one ends, so versions
 * are in the order of commits: call it late. Store the version in changed API keys. The call stores it for tenants
 * whose routing versions the transaction has raised before, so that couriers look at them. Returns as db_query().
 */
int changes_raise(struct db *db, int64_t *version, struct error *err);

/*
 * Calls routing_raise_for_couriers() for a tenant, and changes_raise(): couriers learn that jobs of the tenant have
 * changed. The first call without the second would erase the mark by which they find an earlier change. Returns as
 * db_query().
 */
int changes_raise_of(struct db *db, const char *tenant_id, int64_t *version, struct error *err);

/*
 * The names of nodes that may send and have not confirmed that version: nodes that have left, were adopted, or are
 * silent for their timeout_ms are left out, and so is node_id. Returns as db_query(), with a column of texts.
 */
int changes_unseen(struct db *db, int64_t version, int64_t node_id, struct db_rows **rows, struct error *err);

#endif
