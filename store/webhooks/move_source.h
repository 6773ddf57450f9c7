/*
 * The store from which a move takes everything. In the end its row of store_identity says so, and db_open() opens no
 * such store: a hooksd that is started on it by mistake would send once more what waits there. For hooksctl. Functions
 * return as db_query().
 */
#ifndef STORE_WEBHOOKS_MOVE_SOURCE_H
#define STORE_WEBHOOKS_MOVE_SOURCE_H

#include "base/error.h"
#include "store/db.h"
#include "store/webhooks/identity_rows.h"

/* A name for the move of everything that is in the store: the same each time, and no other store's. */
int move_mark(struct db *from, char mark[STORE_ID_BYTES], struct error *err);

/* Everything is in another store: the service does not begin on this one. Repeating it does no harm. */
int move_leave(struct db *from, struct error *err);

/*
 * Takes that back: the service may begin, with deliveries paused until somebody resumes them. <0 also when nothing was
 * moved away.
 */
int move_reopen(struct db *db, struct error *err);

#endif
