/* The rows of API keys as the key table needs them: all, or what has changed; and what the key table knows of them. */
#ifndef STORE_WEBHOOKS_KEY_ROWS_H
#define STORE_WEBHOOKS_KEY_ROWS_H

#include <stdint.h>

#include "base/error.h"
#include "store/db.h"

/* Columns of key_rows_after(). */
enum key_column {
	KEY_COLUMN_ID,
	KEY_COLUMN_TENANT_ID,
	KEY_COLUMN_NAME, /* may be null */
	KEY_COLUMN_HASH, /* of the key, in hex */
	KEY_COLUMN_SCOPES, /* a JSON array of texts */
	KEY_COLUMN_EVENTS_PER_SECOND, /* null: no limit */
	KEY_COLUMN_BYTES_PER_SECOND, /* null: no limit */
	KEY_COLUMN_EXPIRES_MS, /* null: never */
	KEY_COLUMN_REVOKED,
	KEY_COLUMN_VERSION, /* of the change that the row shows */
};

#define KEY_ROWS_ID_BYTES 37

/* The place of a row in the order of changes. Since versions follow commits, nothing appears before a place later. */
struct key_rows_place {
	int64_t version;
	char key_id[KEY_ROWS_ID_BYTES];
};

/* Before all rows, and behind all of that version. */
struct key_rows_place key_rows_begin(void);
struct key_rows_place key_rows_behind(int64_t version);

/*
 * Reads the next rows behind the place, revoked ones also, at most limit, and moves the place to the last one. Returns
 * as db_query(); *rows is then to be released.
 */
int key_rows_after(
    struct db *db, struct key_rows_place *place, uint32_t limit, struct db_rows **rows, struct error *err);

/* When a key was used. */
struct key_use_row {
	char key_id[KEY_ROWS_ID_BYTES];
	char tenant_id[65];
	int64_t used_ms;
};

/* Writes when those keys were used last, if that is later than what the store knows. In one transaction. */
int key_rows_set_used(struct db *db, const struct key_use_row *uses, uint32_t count, struct error *err);

/* Removes at most limit keys that were revoked before then, milliseconds since 1970; *removed: how many. */
int key_rows_remove_revoked(struct db *db, int64_t before_ms, uint32_t limit, uint32_t *removed, struct error *err);

#endif
