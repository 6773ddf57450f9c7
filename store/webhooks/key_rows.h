/* Reads the rows of API keys for the key table: all, or changed ones. Writes when keys were last used. */
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
	KEY_COLUMN_VERSION, /* of the row's last change */
};

#define KEY_ROWS_ID_BYTES 37

/*
 * The place of a row in the order of changes. Versions are in the order of commits, so no row appears later before a
 * place.
 */
struct key_rows_place {
	int64_t version;
	char key_id[KEY_ROWS_ID_BYTES];
};

/* The places before all rows, and behind all rows of that version. */
struct key_rows_place key_rows_begin(void);
struct key_rows_place key_rows_behind(int64_t version);

/*
 * Reads the next rows behind the place, including revoked ones, at most limit, and moves the place to the last one.
 * Returns as db_query(); release *rows.
 */
int key_rows_after(
    struct db *db, struct key_rows_place *place, uint32_t limit, struct db_rows **rows, struct error *err);

/* When a key was used. */
struct key_use_row {
	char key_id[KEY_ROWS_ID_BYTES];
	char tenant_id[65];
	int64_t used_ms;
};

/* Writes when those keys were last used, if that is later than the stored time. In one transaction. */
int key_rows_set_used(struct db *db, const struct key_use_row *uses, uint32_t count, struct error *err);

/* Removes at most limit keys that were revoked before before_ms, milliseconds since 1970; *removed: how many. */
int key_rows_remove_revoked(struct db *db, int64_t before_ms, uint32_t limit, uint32_t *removed, struct error *err);

#endif
