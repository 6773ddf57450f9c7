/*
 * Courier 0 keeps the node's row in delivery_nodes: claims it at each start of a master, and when it was lost, says
 * that the node lives, and by which version of changes its couriers act; and takes over the jobs of nodes that are
 * gone (courier/adoption.h). For the store thread.
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

/* When node_keeper_step() is to be called next, by the steady clock. */
int64_t node_keeper_due_us(const struct node_keeper *keeper);

/*
 * Claims the row if the segment has none, and puts it there (shm/node.h); else writes a heartbeat when one is due, or
 * moves a slice of jobs. A row that turns out to be another's is taken out of the segment: the next step claims. As
 * db_commit(), or <0: DATA_DIR cannot be written.
 */
int node_keeper_step(struct node_keeper *keeper, struct db *db, struct error *err);

/*
 * The store has failed, or could not be reached. A node that was alone at its last heartbeat goes on to begin attempts,
 * unless it has stood still meanwhile: then another one may have started.
 */
void node_keeper_failed(const struct node_keeper *keeper);

/* Says that the node has stopped, so that nobody waits for it: the end of a drain. As db_commit(). */
int node_keeper_leave(struct node_keeper *keeper, struct db *db, struct error *err);

#endif
