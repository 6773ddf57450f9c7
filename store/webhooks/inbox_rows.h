/*
 * What the development receiver keeps: the key of its tokens, and the messages that came. The functions return what
 * db_query() does (store/db.h).
 */
#ifndef STORE_WEBHOOKS_INBOX_ROWS_H
#define STORE_WEBHOOKS_INBOX_ROWS_H

#include "store/webhooks/list_sql.h"

#define INBOX_KEPT 1000 /* messages of a token: the newest */
#define INBOX_KEPT_MS (24ll * 60 * 60 * 1000)

/* In no transaction. The key, in hex; makes it of `made`, 64 such digits, when there is none yet: one row. */
int inbox_rows_key(struct db *db, const char *made, struct db_rows **rows, struct error *err);

/* A message. Texts are UTF-8 without NUL. */
struct inbox_message {
	const char *tenant_id;
	struct span token;
	const char *message_id; /* UUIDv7 */
	struct span headers; /* a JSON object */
	struct span body;
};

/* In a transaction: adds the message, and removes those of its token that are not among the newest any more. */
int inbox_rows_add(struct db *db, const struct inbox_message *message, struct error *err);

enum inbox_column {
	INBOX_COLUMN_ID,
	INBOX_COLUMN_RECEIVED_MS,
	INBOX_COLUMN_HEADERS,
	INBOX_COLUMN_BODY,
	INBOX_COLUMN_TOKEN
};

/* In the order of arrival, those of the last day. token.base NULL: of all receivers of the tenant. */
int inbox_rows_list(struct db *db, const char *tenant_id, struct span token, const struct list_slice *slice,
    struct db_rows **rows, struct error *err); /* six: whose, which, and what comes back */

/* One row, or none. */
int inbox_rows_get(struct db *db, const char *tenant_id, struct span token, const char *message_id,
    struct db_rows **rows, struct error *err); /* six: as above */

/*
 * In no transaction. Removes messages that are older than a day, of all tenants: up to limit of them, in SQLite those
 * that make up REMOVAL_SLICE_BYTES (store/webhooks/removal.h). *removed is 0 when there are none.
 */
int inbox_rows_remove_old(struct db *db, uint32_t limit, uint32_t *removed, struct error *err);

#endif
