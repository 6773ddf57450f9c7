/*
 * Changes that must hold at once: after the reply no courier acts by what was before (docs/delivery-design.md). A
 * transaction raises the version of the table changes; each courier says in its slot, and each node in its row, by
 * which version it acts. Worker threads.
 */
#ifndef CONTROL_AT_ONCE_H
#define CONTROL_AT_ONCE_H

#include <stdint.h>

#include "control/request.h"

/*
 * After the commit that raised the version, with the reply to the change: tells the couriers, and waits until those of
 * this node, and of every node with a heartbeat of the last ten seconds, act by it. After five seconds, or shortly
 * before the request's deadline, the reply becomes a 202 with the names of the nodes that have not said so, as
 * "pending_nodes"; where the store is lost meanwhile, a 503.
 */
void at_once_wait(const struct request *request, int64_t version, struct reply *reply);

/*
 * After the commit that raised the version: wakes this node's couriers, so that they follow at once. Couriers of other
 * nodes look by themselves. Any thread.
 */
void at_once_tell(const struct segment *segment, int64_t version);

#endif
