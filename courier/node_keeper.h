/*
 * Courier 0 keeps the node's row in delivery_nodes. It claims the row at each start of a master and after it was lost.
 * Its heartbeats say that the node lives, and by which version of changes its couriers act. It takes over the jobs of
 * nodes that are gone (courier/adoption.h). For the store thread.
 */
#ifndef COURIER_NODE_KEEPER_H
#define COURIER_NODE_KEEPER_H

#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "shm/segment.h"
#include "store/db.h"

struct node_keeper;

/* config and segment are borrowed. Never NULL. */
struct node_keeper *node_keeper_new(const struct config *config, const struct segment *segment);
void node_keeper_free(struct node_keeper *keeper);

/* When to call node_keeper_step() next, by the steady clock. */
int64_t node_keeper_due_us(const struct node_keeper *keeper);

/*
 * If the segment has no row: claims it, and puts it there (shm/node.h). Otherwise writes a heartbeat if one is due, or
 * moves a slice of jobs. If another node has the row by now, takes it out of the segment, and the next step claims one.
 * As db_commit(), or <0: DATA_DIR cannot be written.
 */
int node_keeper_step(struct node_keeper *keeper, struct db *db, struct error *err);

/*
 * Call it when the store has failed or could not be reached. A node that was alone at its last heartbeat may go on
 * beginning attempts, unless it has stood still: another node may have started in that time.
 */
void node_keeper_failed(const struct node_keeper *keeper);

/* Records at the end of a drain that the node has stopped, so that nobody waits for it. As db_commit(). */
int node_keeper_leave(struct node_keeper *keeper, struct db *db, struct error *err);

#endif
