/*
 * The table store_identity: one row names the installation to which this store belongs, so a copy of the store can be
 * recognised. The functions return what db_query() does. For courier 0 of a node.
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

/* What the store_id begins with while a move fills the store (move_target.h), and after one (move_source.h). */
#define STORE_ID_OF_MOVE "move "
#define STORE_ID_MOVED "moved "

struct store_identity {
	char store_id[STORE_ID_BYTES]; /* "": unknown */
	char deployment[TENANT_ID_MAX + 1]; /* HL_DEPLOYMENT; "": no name */
};

static inline bool
identity_of_move(const struct store_identity *identity)
{
	return strncmp(identity->store_id, STORE_ID_OF_MOVE, strlen(STORE_ID_OF_MOVE)) == 0;
}

/* Returns why the service must not begin on that store, as a sentence. NULL: it may. */
const char *identity_refusal(const struct store_identity *identity);

/* Reads the row. *exists: whether it exists. lock: in a transaction; locks the row until its end. */
int identity_rows_read(struct db *db, bool lock, struct store_identity *identity, bool *exists, struct error *err);

/* Writes the row, in a transaction. */
int identity_rows_write(struct db *db, const struct store_identity *identity, struct error *err);

/*
 * PostgreSQL only: the server's system identifier, made by initdb, the same on its standbys. "": the server does not
 * reveal it, as in some hosted services. In no transaction.
 */
int identity_rows_server(struct db *db, char store_id[STORE_ID_BYTES], struct error *err);

/* Counts waiting jobs of all tenants, up to IDENTITY_WAITING_MAX, and unfinished replays. */
#define IDENTITY_WAITING_MAX 1000000
int identity_rows_waiting(struct db *db, int64_t *waiting, struct error *err);

#endif
