/* The table `idempotency_keys`: its unique key does the check. */
#include "store/webhooks/idempotency.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/webhooks/old_rows.h"

#define KEPT_MS (24ll * 60 * 60 * 1000)

/* Takes over a row older than a day. */
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

/* ---- many at once ---- */

static const enum db_type claim_types[] = {
    DB_TYPE_TEXT, DB_TYPE_TEXT, DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_TEXT, DB_TYPE_TIME};

#define CLAIM_COLUMNS (sizeof claim_types / sizeof *claim_types)

#define TAKE_OVER                                                                                                      \
	" ON CONFLICT (tenant_id, route, key) DO UPDATE SET object_id = excluded.object_id,"                           \
	" fingerprint = excluded.fingerprint, created_at = excluded.created_at"                                        \
	" WHERE hl_ms(idempotency_keys.created_at) < hl_ms(excluded.created_at) - "

static const struct db_each claim_all = {
    {"INSERT INTO idempotency_keys (tenant_id, route, key, object_id, fingerprint, created_at)"
     " SELECT tenant_id, route, key, CAST(object_id AS text), fingerprint, created_at"
     " FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::timestamptz[])"
     " AS request (tenant_id, route, key, object_id, fingerprint, created_at)" TAKE_OVER "86400000",
	"INSERT INTO idempotency_keys (tenant_id, route, key, object_id, fingerprint, created_at)"
	" VALUES ($1, $2, $3, $4, $5, $6)" TAKE_OVER "86400000"},
    claim_types, CLAIM_COLUMNS};

static const enum db_type find_types[] = {DB_TYPE_TEXT, DB_TYPE_TEXT, DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_INT4};

#define FIND_COLUMNS (sizeof find_types / sizeof *find_types)

/*
 * A second statement, because it sees the rows that the first one waited for. OFFSET 0 makes PostgreSQL look up each
 * key.
 */
static const struct db_each find_others = {
    {"SELECT request.number, k.object_id, k.fingerprint"
     " FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::int[])"
     " AS request (tenant_id, route, key, object_id, number) CROSS JOIN LATERAL (SELECT object_id, fingerprint"
     " FROM idempotency_keys WHERE tenant_id = request.tenant_id AND route = request.route AND key = request.key"
     " AND object_id <> CAST(request.object_id AS text) OFFSET 0) AS k",
	"SELECT $5, object_id, fingerprint FROM idempotency_keys"
	" WHERE tenant_id = $1 AND route = $2 AND key = $3 AND object_id <> $4",
	.citus = "SELECT request.number, k.object_id, k.fingerprint"
		 " FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::int[])"
		 " AS request (tenant_id, route, key, object_id, number) JOIN idempotency_keys k"
		 " ON k.tenant_id = request.tenant_id AND k.route = request.route AND k.key = request.key"
		 " AND k.object_id <> CAST(request.object_id AS text)"},
    find_types, FIND_COLUMNS};

int
idempotency_claim_all(struct db *db, const char *route, const struct idempotency_request *requests, uint32_t count,
    struct db_rows **others, struct error *err)
{
	struct db_param *values = mem_new(count * CLAIM_COLUMNS, sizeof *values), *value = values;
	int64_t now_ms = clock_wall_us() / 1000;
	int rc;

	for (uint32_t i = 0; i < count; i++, value += claim_all.count) {
		value[0] = db_text(requests[i].tenant_id);
		value[1] = db_string(route);
		value[2] = db_text(requests[i].key);
		value[3] = db_uuid(requests[i].object_id);
		value[4] = db_string(requests[i].fingerprint);
		value[5] = db_int(now_ms * 1000);
	}
	rc = db_each(db, &claim_all, values, count, NULL, err);
	value = values;
	for (uint32_t i = 0; i < count; i++, value += find_others.count) {
		value[0] = db_text(requests[i].tenant_id);
		value[1] = db_string(route);
		value[2] = db_text(requests[i].key);
		value[3] = db_uuid(requests[i].object_id);
		value[4] = db_int(i);
	}
	if (rc == 0)
		rc = db_each(db, &find_others, values, count, others, err);
	free(values);
	return rc;
}

/* ---- upkeep ---- */

int
idempotency_remove_old(struct db *db, uint32_t limit, uint32_t *removed, struct error *err)
{
	static const struct db_statement remove_old = {
	    "WITH old AS MATERIALIZED"
	    " (SELECT tenant_id, route, key FROM idempotency_keys WHERE created_at < hl_time($1) LIMIT $2)"
	    " DELETE FROM idempotency_keys WHERE (tenant_id, route, key) IN (SELECT tenant_id, route, key FROM old)"
	    " RETURNING 1",
	    NULL};
	const struct db_param params[] = {db_int(clock_wall_us() / 1000 - KEPT_MS), db_int(limit)};

	return old_rows_remove(db, &remove_old, params, 2, removed, err);
}
