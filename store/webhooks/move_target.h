/*
 * The target of a move, which must not be used before it is complete, nor be filled from two stores. From the first row
 * to the last check its row in store_identity names the move, and db_open() refuses such a store; deliveries are paused
 * until somebody resumes them. For hooksctl. Functions return as db_query().
 */
#ifndef STORE_WEBHOOKS_MOVE_TARGET_H
#define STORE_WEBHOOKS_MOVE_TARGET_H

#include <stdbool.h>

#include "base/error.h"
#include "store/db.h"
#include "store/webhooks/identity_rows.h"
#include "store/webhooks/node_rows.h"

/* Finds a node of the service that uses the store; name: for people. */
int move_finds_node(struct db *db, char name[NODE_NAME_MAX + 1], bool *found, struct error *err);

/*
 * Begins the move with that mark into an empty store, or continues it. <0 also if the store has rows, or an unfinished
 * move with another mark.
 */
int move_begin(struct db *to, const char *mark, bool *goes_on, struct error *err);

/* Makes the monthly partitions in PostgreSQL for the events and attempts to be moved. */
int move_months(struct db *from, struct db *to, struct error *err);

/* Finishes a complete move: the service may start. */
int move_finish(struct db *to, const char *mark, struct error *err);

#endif
