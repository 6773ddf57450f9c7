/*
 * The store that a move fills: what keeps it from being used before it is whole, and from being filled with two stores.
 * From the first row to the last check its row of store_identity names the move, and db_open() opens no such store;
 * deliveries are paused until somebody resumes them. For hooksctl. Functions return as db_query().
 */
#ifndef STORE_WEBHOOKS_MOVE_TARGET_H
#define STORE_WEBHOOKS_MOVE_TARGET_H

#include <stdbool.h>

#include "base/error.h"
#include "store/db.h"
#include "store/webhooks/identity_rows.h"
#include "store/webhooks/node_rows.h"

/* A name for the move of everything that is in the store: the same each time, and no other store's. */
int move_mark(struct db *from, char mark[STORE_ID_BYTES], struct error *err);

/* Whether a node of the service has the store in use; its name, for people. */
int move_finds_node(struct db *db, char name[NODE_NAME_MAX + 1], bool *found, struct error *err);

/*
 * Begins the move of that mark into an empty store, or goes on with it. <0 also when the store has rows, or an
 * unfinished move of another mark.
 */
int move_begin(struct db *to, const char *mark, bool *goes_on, struct error *err);

/* Makes the months of events and attempts in PostgreSQL for what is to be moved there. */
int move_months(struct db *from, struct db *to, struct error *err);

/* Everything is there: the service may begin. */
int move_finish(struct db *to, const char *mark, struct error *err);

#endif
