/* The table `idempotency_keys`: its unique key is the check. */
#include "store/webhooks/idempotency.h"

#include "base/clock.h"

#define KEPT_MS (24ll * 60 * 60 * 1000)

/* A row that is older than a day is taken over. */
static const struct db_statement claim = {
    "INSERT INTO idempotency_keys (tenant_id, route, key, object_id, fingerprint, created_at)"
    " VALUES ($1, $2, $3, $4, $5, hl_time($6)) ON CONFLICT (tenant_id, route, key) DO UPDATE"
    " SET object_id = excluded.object_id, fingerprint = excluded.fingerprint, created_at = excluded.created_at"
    " WHERE idempotency_keys.created_at < hl_time($7) RETURNING 1",
    NULL};

static const struct db_statement first = {
    "SELECT object_id, fingerprint FROM idempotency_keys WHERE tenant_id = $1 AND route = $2 AND key = $3", NULL};

int
idempotency_claim(
    struct db *db, const struct idempotency *request, const char *object_id, struct db_rows **rows, struct error *err)
{
	int64_t now_ms = clock_wall_us() / 1000;
	const struct db_param params[] = {
	    db_string(request->tenant_id),
	    db_string(request->route),
	    db_text(request->key),
	    db_string(object_id),
	    db_string(request->fingerprint),
	    db_int(now_ms),
	    db_int(now_ms - KEPT_MS),
	};
	int rc = db_query(db, &claim, params, 7, rows, err);
	bool claimed;

	if (rc != 0)
		return rc;
	claimed = db_rows_count(*rows) > 0;
	db_rows_free(*rows);
	*rows = NULL;
	return claimed ? 0 : db_query(db, &first, params, 3, rows, err);
}

int
idempotency_remove_old(struct db *db, uint32_t limit, uint32_t *removed, struct error *err)
{
	static const struct db_statement remove_old = {
	    "DELETE FROM idempotency_keys WHERE (tenant_id, route, key) IN"
	    " (SELECT tenant_id, route, key FROM idempotency_keys WHERE created_at < hl_time($1) LIMIT $2) RETURNING 1",
	    NULL};
	const struct db_param params[] = {db_int(clock_wall_us() / 1000 - KEPT_MS), db_int(limit)};
	struct db_rows *rows;
	int rc = db_begin(db, err);

	if (rc == 0)
		rc = db_query(db, &remove_old, params, 2, &rows, err);
	if (rc == 0) {
		*removed = db_rows_count(rows);
		db_rows_free(rows);
	}
	return db_end(db, rc, err);
}
