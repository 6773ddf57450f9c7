/* Hands the jobs of published events over to couriers after the commit. */
#ifndef STORE_WEBHOOKS_PUBLISH_HANDOVER_H
#define STORE_WEBHOOKS_PUBLISH_HANDOVER_H

#include "base/error.h"
#include "store/db.h"
#include "store/sink_env.h"
#include "store/webhooks/publication.h"

/*
 * Hands the jobs of the group's fresh events to couriers, except held ones. known: an earlier transaction made jobs of
 * some events, perhaps without handing them over. begun_us: CLOCK_BOOTTIME before the transaction. Does nothing in a
 * process without couriers, which calls publish_raise_versions() instead.
 */
void publish_hand_over(const struct sink_env *env, const struct publication_group *group, bool known, int64_t begun_us);

/*
 * For a process without a node, such as hooksctl: the node with the latest heartbeat, which delivers the events that
 * the process stores. As db_query(); also <0 if there is none.
 */
int publish_find_node(struct db *db, struct node_row *node, struct error *err);

/*
 * For such a process: makes couriers look for jobs of these events' tenants, which are only in rows. The caller has no
 * transaction open. Returns as db_query().
 */
int publish_raise_versions(struct db *db, const struct record *const *records, uint32_t count, struct error *err);

#endif
