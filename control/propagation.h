/*
 * Waits until a change holds: after the reply no courier acts by the old state (docs/delivery-design.md). A
 * transaction raises the version of the table changes; each courier publishes in its slot, and each node in its row,
 * the version by which it acts. Worker threads.
 */
#ifndef CONTROL_PROPAGATION_H
#define CONTROL_PROPAGATION_H

#include <stdint.h>

#include "control/request.h"

/*
 * Call it after the commit that raised the version, with the reply to the change. Wakes the couriers, and waits until
 * those of this node, and of each node that is not silent, act by the version. After five seconds, or shortly before
 * the request's deadline, the reply becomes a 202 with the names of the other nodes as "pending_nodes"; if the store is
 * lost meanwhile, a 503.
 */
void propagation_wait(const struct request *request, int64_t version, struct reply *reply);

/*
 * Call it after the commit that raised the version: wakes this node's couriers, so that they follow at once. Couriers
 * of other nodes look by themselves. Any thread.
 */
void propagation_wake_couriers(const struct segment *segment, int64_t version);

#endif
