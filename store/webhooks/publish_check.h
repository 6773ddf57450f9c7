/* What a publishing transaction rests on is checked with its COMMIT. */
#ifndef STORE_WEBHOOKS_PUBLISH_CHECK_H
#define STORE_WEBHOOKS_PUBLISH_CHECK_H

#include "base/error.h"
#include "config/config.h"
#include "store/db.h"
#include "store/webhooks/publication.h"

/*
 * Beside what db_commit() returns. STALE: a tenant has other routes by now. NO_NODE: the node's row is not its own.
 * SLOW: the transaction has taken longer than config->store_timeout_ms. With each of them nothing holds.
 */
enum publish_condition { PUBLISH_STALE = DB_BUSY + 1, PUBLISH_NO_NODE, PUBLISH_SLOW };

/*
 * Commits, unless the routes of one of the tenants have changed since they were read, the node's row is another node's
 * by now or was adopted, or the transaction was slow. Publications whose outcome is known are passed over; the others
 * are sorted by tenant. <0: in doubt.
 */
int publish_check_and_commit(
    struct db *db, const struct config *config, const struct publication_group *group, struct error *err);

#endif
