/* Checks the assumptions of a publishing transaction together with its COMMIT. */
#ifndef STORE_WEBHOOKS_PUBLISH_CHECK_H
#define STORE_WEBHOOKS_PUBLISH_CHECK_H

#include "base/error.h"
#include "config/config.h"
#include "store/db.h"
#include "store/webhooks/publication.h"

/*
 * In addition to the results of db_commit(). STALE: a tenant's routes have changed. NO_NODE: another node has the
 * node's row. SLOW: the transaction took longer than config->store_timeout_ms. After each of these nothing is stored.
 */
enum publish_condition { PUBLISH_STALE = DB_BUSY + 1, PUBLISH_NO_NODE, PUBLISH_SLOW };

/*
 * Commits, unless the routes of a tenant have changed since they were read, another node has claimed or adopted the
 * node's row, or the transaction was slow. Skips publications that have an outcome; the others are sorted by tenant.
 * <0: in doubt.
 */
int publish_check_and_commit(
    struct db *db, const struct config *config, const struct publication_group *group, struct error *err);

#endif
