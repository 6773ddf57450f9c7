/* The statements cover all tenants, as the key table and the upkeep of these rows do. */
#include "store/webhooks/key_rows.h"

#include <stdio.h>

static const struct db_statement after = {
    "SELECT key_id, tenant_id, name, hash, scopes, events_per_second, bytes_per_second, hl_ms(expires_at),"
    " revoked_at IS NOT NULL, change_version"
    " FROM api_keys WHERE change_version >= $1 AND (change_version > $1 OR key_id > $2)"
    " ORDER BY change_version, key_id LIMIT $3",
    NULL};

static const struct db_statement set_used = {
    "UPDATE api_keys SET last_used_at = hl_time($3)"
    " WHERE tenant_id = $1 AND key_id = $2 AND (last_used_at IS NULL OR last_used_at < hl_time($3))",
    NULL};

static const struct db_statement remove_revoked = {
    "WITH old AS MATERIALIZED"
    " (SELECT key_id FROM api_keys WHERE revoked_at < hl_time($1) ORDER BY key_id LIMIT $2)"
    " DELETE FROM api_keys WHERE key_id IN (SELECT key_id FROM old) RETURNING key_id",
    NULL};

struct key_rows_place
key_rows_begin(void)
{
	return (struct key_rows_place){INT64_MIN, "00000000-0000-0000-0000-000000000000"};
}

struct key_rows_place
key_rows_behind(int64_t version)
{
	return (struct key_rows_place){version, "ffffffff-ffff-ffff-ffff-ffffffffffff"};
}

int
key_rows_after(struct db *db, struct key_rows_place *place, uint32_t limit, struct db_rows **rows, struct error *err)
{
	const struct db_param params[] = {db_int(place->version), db_string(place->key_id), db_int(limit)};
	int rc = db_query(db, &after, params, 3, rows, err);
	uint32_t last;

	if (rc != 0 || db_rows_count(*rows) == 0)
		return rc;
	last = db_rows_count(*rows) - 1;
	place->version = db_rows_int(*rows, last, KEY_COLUMN_VERSION);
	(void)snprintf(place->key_id, sizeof place->key_id, "%s", db_rows_text(*rows, last, KEY_COLUMN_ID).base);
	return 0;
}

int
key_rows_set_used(struct db *db, const struct key_use_row *uses, uint32_t count, struct error *err)
{
	int rc = db_begin(db, err);

	for (uint32_t i = 0; rc == 0 && i < count; i++) {
		const struct db_param params[] = {
		    db_string(uses[i].tenant_id), db_string(uses[i].key_id), db_int(uses[i].used_ms)};

		rc = db_query(db, &set_used, params, 3, NULL, err);
	}
	return db_end(db, rc, err);
}

int
key_rows_remove_revoked(struct db *db, int64_t before_ms, uint32_t limit, uint32_t *removed, struct error *err)
{
	const struct db_param params[] = {db_int(before_ms), db_int(limit)};
	struct db_rows *rows = NULL;
	int rc = db_begin(db, err);

	if (rc == 0)
		rc = db_query(db, &remove_revoked, params, 2, &rows, err);
	rc = db_end(db, rc, err);
	if (rc == 0)
		*removed = db_rows_count(rows);
	db_rows_free(rows);
	return rc;
}
