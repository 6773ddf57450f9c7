/*
 * The table store_identity: which installation this store belongs to, in one row. A copy of the store is known by it.
 * The functions return what db_query() does. For courier 0 of a node.
 */
#ifndef STORE_WEBHOOKS_IDENTITY_ROWS_H
#define STORE_WEBHOOKS_IDENTITY_ROWS_H

#include <stdbool.h>
#include <string.h>
#include <stdint.h>

#include "base/error.h"
#include "config/text_rules.h"
#include "store/db.h"

#define STORE_ID_BYTES 64 /* with a NUL */

/* With this begins the store_id of a store that a move has not filled yet (move_target.h). */
#define STORE_ID_OF_MOVE "move "

struct store_identity {
	char store_id[STORE_ID_BYTES]; /* "": it is not known */
	char deployment[TENANT_ID_MAX + 1]; /* HL_DEPLOYMENT; "": it has no name */
};

static inline bool
identity_of_move(const struct store_identity *identity)
{
	return strncmp(identity->store_id, STORE_ID_OF_MOVE, strlen(STORE_ID_OF_MOVE)) == 0;
}

/* The row. *there: whether there is one. lock: in a transaction, and nobody else changes it until that has ended. */
int identity_rows_read(struct db *db, bool lock, struct store_identity *identity, bool *there, struct error *err);

/* Writes the row, in a transaction. */
int identity_rows_write(struct db *db, const struct store_identity *identity, struct error *err);

/*
 * PostgreSQL alone: the number that initdb gave to the server, which its standbys have also. "": the server does not
 * tell it, as some services do not. In no transaction.
 */
int identity_rows_server(struct db *db, char store_id[STORE_ID_BYTES], struct error *err);

/* How many jobs wait, of all tenants, and replays that have not ended; at most IDENTITY_WAITING_MAX are counted. */
#define IDENTITY_WAITING_MAX 1000000
int identity_rows_waiting(struct db *db, int64_t *waiting, struct error *err);

#endif
