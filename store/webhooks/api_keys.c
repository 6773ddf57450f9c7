/* The table `api_keys`, row by row. */
#include "store/webhooks/api_keys.h"

/* In the order in which api_key_of_row() reads them. */
#define SELECT_KEY                                                                                                     \
	"SELECT k.key_id, k.tenant_id, k.prefix, k.name, k.scopes, k.events_per_second, k.bytes_per_second,"           \
	" hl_ms(k.expires_at), hl_ms(k.created_at), hl_ms(k.revoked_at), hl_ms(k.last_used_at), k.replaced_by"         \
	" FROM api_keys k JOIN tenants t ON t.tenant_id = k.tenant_id AND t.deleted_at IS NULL"

struct api_key_row
api_key_of_row(const struct db_rows *rows, uint32_t row)
{
	return (struct api_key_row){
	    .id = db_rows_text(rows, row, 0),
	    .tenant_id = db_rows_text(rows, row, 1),
	    .prefix = db_rows_text(rows, row, 2),
	    .terms =
		{
		    .name = db_rows_text(rows, row, 3),
		    .scopes = db_rows_text(rows, row, 4),
		    .events_per_second = db_rows_int(rows, row, 5),
		    .bytes_per_second = db_rows_int(rows, row, 6),
		    .expires_ms = db_rows_int(rows, row, 7),
		},
	    .created_ms = db_rows_int(rows, row, 8),
	    .revoked_ms = db_rows_int(rows, row, 9),
	    .last_used_ms = db_rows_int(rows, row, 10),
	    .replaced_by = db_rows_text(rows, row, 11),
	};
}

static struct db_param
int_or_null(int64_t number)
{
	return number == 0 ? db_null() : db_int(number);
}

int
api_keys_insert(struct db *db, const struct api_key_identity *identity, const struct api_key_terms *terms,
    int64_t version, struct error *err)
{
	static const struct db_statement insert = {
	    "INSERT INTO api_keys (key_id, tenant_id, prefix, hash, name, scopes, events_per_second, bytes_per_second,"
	    " expires_at, created_at, change_version)"
	    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, hl_time($9), hl_now(), $10)",
	    NULL};
	const struct db_param params[] = {
	    db_string(identity->id),
	    db_string(identity->tenant_id),
	    db_string(identity->prefix),
	    db_string(identity->hash),
	    db_text(terms->name),
	    db_text(terms->scopes),
	    int_or_null(terms->events_per_second),
	    int_or_null(terms->bytes_per_second),
	    int_or_null(terms->expires_ms),
	    db_int(version),
	};

	return db_query(db, &insert, params, sizeof params / sizeof *params, NULL, err);
}

int
api_keys_get(
    struct db *db, const char *tenant_id, const char *key_id, bool for_update, struct db_rows **rows, struct error *err)
{
	static const struct db_statement get = {
	    SELECT_KEY " WHERE k.key_id = $1 AND (CAST($2 AS text) IS NULL OR k.tenant_id = $2)", NULL};
	static const struct db_statement get_for_update = {SELECT_KEY
	    " WHERE k.key_id = $1 AND (CAST($2 AS text) IS NULL OR k.tenant_id = $2) FOR UPDATE OF k",
	    SELECT_KEY " WHERE k.key_id = $1 AND (CAST($2 AS text) IS NULL OR k.tenant_id = $2)"};
	const struct db_param params[] = {db_string(key_id), db_string(tenant_id)};

	return db_query(db, for_update ? &get_for_update : &get, params, 2, rows, err);
}

int
api_keys_update(
    struct db *db, const struct api_key_row *key, const struct api_key_terms *terms, int64_t version, struct error *err)
{
	static const struct db_statement update = {
	    "UPDATE api_keys SET name = $3, scopes = $4, events_per_second = $5, bytes_per_second = $6,"
	    " expires_at = hl_time($7), change_version = $8 WHERE tenant_id = $1 AND key_id = $2",
	    NULL};
	const struct db_param params[] = {
	    db_text(key->tenant_id),
	    db_text(key->id),
	    db_text(terms->name),
	    db_text(terms->scopes),
	    int_or_null(terms->events_per_second),
	    int_or_null(terms->bytes_per_second),
	    int_or_null(terms->expires_ms),
	    db_int(version),
	};

	return db_query(db, &update, params, sizeof params / sizeof *params, NULL, err);
}

int
api_keys_replace(struct db *db, const struct api_key_row *key, const char *successor_id, int64_t expires_ms,
    int64_t version, struct error *err)
{
	static const struct db_statement replace = {
	    "UPDATE api_keys SET replaced_by = $3, expires_at = hl_time($4), change_version = $5"
	    " WHERE tenant_id = $1 AND key_id = $2",
	    NULL};
	const struct db_param params[] = {
	    db_text(key->tenant_id),
	    db_text(key->id),
	    db_string(successor_id),
	    db_int(expires_ms),
	    db_int(version),
	};

	return db_query(db, &replace, params, sizeof params / sizeof *params, NULL, err);
}

int
api_keys_revoke(struct db *db, const struct api_key_row *key, int64_t version, struct error *err)
{
	static const struct db_statement revoke = {
	    "UPDATE api_keys SET revoked_at = hl_now(), change_version = $3 WHERE tenant_id = $1 AND key_id = $2",
	    NULL};
	const struct db_param params[] = {db_text(key->tenant_id), db_text(key->id), db_int(version)};

	return db_query(db, &revoke, params, 3, NULL, err);
}

int
api_keys_lock_all(struct db *db, const char *tenant_id, struct error *err)
{
	static const struct db_statement lock = {
	    "SELECT 1 FROM api_keys WHERE tenant_id = $1 AND revoked_at IS NULL ORDER BY key_id FOR UPDATE",
	    "SELECT 1 FROM api_keys WHERE tenant_id = $1 AND revoked_at IS NULL"};
	const struct db_param params[] = {db_string(tenant_id)};

	return db_query(db, &lock, params, 1, NULL, err);
}

int
api_keys_revoke_all(struct db *db, const char *tenant_id, int64_t version, struct error *err)
{
	static const struct db_statement revoke = {"UPDATE api_keys SET revoked_at = hl_now(), change_version = $2 "
						   "WHERE tenant_id = $1 AND revoked_at IS NULL",
	    NULL};
	const struct db_param params[] = {db_string(tenant_id), db_int(version)};

	return db_query(db, &revoke, params, 2, NULL, err);
}

int
api_keys_list(
    struct db *db, const char *tenant_id, const struct list_slice *slice, struct db_rows **rows, struct error *err)
{
	static const struct db_statement list = {
	    SELECT_KEY " WHERE k.tenant_id = $1 AND k.key_id > $2 ORDER BY k.key_id LIMIT $3", NULL};
	static const struct db_statement list_descending = {
	    SELECT_KEY " WHERE k.tenant_id = $1 AND k.key_id < $2 ORDER BY k.key_id DESC LIMIT $3", NULL};
	const struct db_param params[] = {db_string(tenant_id), list_after_id(slice), db_int(slice->limit)};

	return db_query(db, slice->descending ? &list_descending : &list, params, 3, rows, err);
}
