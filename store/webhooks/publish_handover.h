/* After the commit the jobs of published events go to those who deliver them. */
#ifndef STORE_WEBHOOKS_PUBLISH_HANDOVER_H
#define STORE_WEBHOOKS_PUBLISH_HANDOVER_H

#include "base/error.h"
#include "store/db.h"
#include "store/sink_env.h"
#include "store/webhooks/publication.h"

/*
 * Hands the jobs of the group's fresh events to couriers, but not those that are held. known: there are events whose
 * jobs an earlier transaction has made, perhaps without handing them over. begun_us: CLOCK_BOOTTIME, before the
 * transaction began. A process without couriers hands nothing over: publish_tell_nodes().
 */
void publish_hand_over(const struct sink_env *env, const struct publication_group *group, bool known, int64_t begun_us);

/*
 * For a process that belongs to no node, such as hooksctl: the node that was heard of last, which delivers what the
 * process stores. Returns as db_query(), and <0 when there is none.
 */
int publish_find_node(struct db *db, struct node_row *node, struct error *err);

/*
 * For such a process: couriers look for jobs of the tenants of these events, which are in rows alone. In no transaction
 * of the caller. Returns as db_query().
 */
int publish_tell_nodes(struct db *db, const struct record *const *records, uint32_t count, struct error *err);

#endif
