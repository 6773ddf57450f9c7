/*
 * The rows of the development receiver: the key of its tokens, and received messages. The functions return what
 * db_query() does (store/db.h).
 */
#ifndef STORE_WEBHOOKS_INBOX_ROWS_H
#define STORE_WEBHOOKS_INBOX_ROWS_H

#include "store/webhooks/list_sql.h"

#define INBOX_KEPT 1000 /* newest messages kept for a token */
#define INBOX_KEPT_MS (24ll * 60 * 60 * 1000)

/* Reads the key, in hex, as one row; if there is none yet stores `made`, 64 hex digits. In no transaction. */
int inbox_rows_key(struct db *db, const char *made, struct db_rows **rows, struct error *err);

/* A message. Texts are UTF-8 without NUL. */
struct inbox_message {
	const char *tenant_id;
	struct span token;
	const char *message_id; /* UUIDv7 */
	struct span headers; /* a JSON object */
	struct span body;
};

/* Adds the message, and removes the oldest ones of its token beyond INBOX_KEPT. In a transaction. */
int inbox_rows_add(struct db *db, const struct inbox_message *message, struct error *err);

enum inbox_column {
	INBOX_COLUMN_ID,
	INBOX_COLUMN_RECEIVED_MS,
	INBOX_COLUMN_HEADERS,
	INBOX_COLUMN_BODY,
	INBOX_COLUMN_TOKEN
};

/* Messages of the last day in the order of arrival. token.base NULL: of all receivers of the tenant. */
int inbox_rows_list(struct db *db, const char *tenant_id, struct span token, const struct list_slice *slice,
    struct db_rows **rows, struct error *err); /* six: whose, which, and what comes back */

/* One row, or none. */
int inbox_rows_get(struct db *db, const char *tenant_id, struct span token, const char *message_id,
    struct db_rows **rows, struct error *err); /* six: as above */

/*
 * Removes messages older than a day, of all tenants: up to limit of them, in SQLite up to REMOVAL_SLICE_BYTES
 * (store/webhooks/removal.h). *removed: how many; 0: none are left. In no transaction.
 */
int inbox_rows_remove_old(struct db *db, uint32_t limit, uint32_t *removed, struct error *err);

#endif
