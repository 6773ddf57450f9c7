/*
 * The store from which a move takes everything. At the end the move marks its row of store_identity, and db_open()
 * refuses such a store: a hooksd that is started on it by mistake would send its waiting jobs once more. For hooksctl.
 * Functions return as db_query().
 */
#ifndef STORE_WEBHOOKS_MOVE_SOURCE_H
#define STORE_WEBHOOKS_MOVE_SOURCE_H

#include "base/error.h"
#include "store/db.h"
#include "store/webhooks/identity_rows.h"

/* Makes the name of a move from this store: always the same, and different for each store. */
int move_mark(struct db *from, char mark[STORE_ID_BYTES], struct error *err);

/* Marks the store as moved: the service does not begin on it. It may be repeated. */
int move_set_moved(struct db *from, struct error *err);

/*
 * Removes that mark: the service may begin, with deliveries paused until somebody resumes them. Also <0 if there is no
 * mark.
 */
int move_reopen(struct db *db, struct error *err);

#endif
