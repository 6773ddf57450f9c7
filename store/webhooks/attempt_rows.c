/* Adds rows of attempts: new ones by db_load(), repeated ones with ON CONFLICT. */
#include "store/webhooks/attempt_rows.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"

#define COLUMNS                                                                                                        \
	"tenant_id, attempt_id, started_at, job_id, event_id, endpoint_id, duration_ms, dns_ms, connect_ms, tls_ms, "  \
	"first_byte_ms, attempt_n, http_status, status, peer_address, error, certificate_error, response_body"

static const enum db_type types[] = {DB_TYPE_TEXT, DB_TYPE_UUID, DB_TYPE_TIME, DB_TYPE_UUID, DB_TYPE_UUID, DB_TYPE_UUID,
    DB_TYPE_INT4, DB_TYPE_INT4, DB_TYPE_INT4, DB_TYPE_INT4, DB_TYPE_INT4, DB_TYPE_INT2, DB_TYPE_INT2, DB_TYPE_TEXT,
    DB_TYPE_TEXT, DB_TYPE_TEXT, DB_TYPE_TEXT, DB_TYPE_TEXT};

enum { COLUMN_COUNT = sizeof types / sizeof *types };

static const struct db_table table = {.name = "attempts", .columns = COLUMNS, .types = types, .count = COLUMN_COUNT};

#define ARRAYS                                                                                                         \
	"unnest($1::text[], $2::uuid[], $3::timestamptz[], $4::uuid[], $5::uuid[], $6::uuid[], $7::int[], $8::int[], " \
	"$9::int[], $10::int[], $11::int[], $12::smallint[], $13::smallint[], $14::text[], $15::text[], $16::text[], " \
	"$17::text[], $18::text[])"
#define VALUES "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18"

static const struct db_each repeat = {.statement = {"INSERT INTO attempts (" COLUMNS ") SELECT * FROM " ARRAYS
						    " ON CONFLICT (tenant_id, attempt_id, started_at) DO NOTHING",
					  "INSERT INTO attempts (" COLUMNS ") VALUES (" VALUES
					  ") ON CONFLICT (tenant_id, attempt_id, started_at) DO NOTHING"},
    .types = types,
    .count = COLUMN_COUNT};

static const struct db_each add_test = {
    .statement = {"INSERT INTO attempts (" COLUMNS ", test) SELECT *, true FROM " ARRAYS
		  " ON CONFLICT (tenant_id, attempt_id, started_at) DO NOTHING",
	"INSERT INTO attempts (" COLUMNS ", test) VALUES (" VALUES
	", true) ON CONFLICT (tenant_id, attempt_id, started_at) DO NOTHING"},
    .types = types,
    .count = COLUMN_COUNT};

static struct db_param
duration(int32_t ms)
{
	return ms >= 0 ? db_int(ms) : db_null();
}

static struct db_param
id_or_null(const uint8_t *id)
{
	return id != NULL ? db_uuid(id) : db_null();
}

static void
put_values(const struct attempt_row *row, struct db_param values[COLUMN_COUNT])
{
	size_t n = 0;

	values[n++] = db_text(row->tenant_id);
	values[n++] = db_uuid(row->attempt_id);
	values[n++] = db_int(row->started_us);
	values[n++] = id_or_null(row->job_id);
	values[n++] = id_or_null(row->event_id);
	values[n++] = db_uuid(row->endpoint_id);
	values[n++] = db_int(row->duration_ms > 0 ? row->duration_ms : 0);
	values[n++] = duration(row->dns_ms);
	values[n++] = duration(row->connect_ms);
	values[n++] = duration(row->tls_ms);
	values[n++] = duration(row->first_byte_ms);
	values[n++] = db_int(row->attempt_n);
	values[n++] = row->http_status != 0 ? db_int(row->http_status) : db_null();
	values[n++] = db_string(row->http_status >= 200 && row->http_status <= 299 ? "success" : "failure");
	values[n++] = db_text(row->peer_address);
	values[n++] = db_text(row->error);
	values[n++] = db_text(row->certificate_error);
	values[n++] = db_text(row->response_body);
}

static struct db_param *
values_of(const struct attempt_row *rows, uint32_t count)
{
	struct db_param *values = mem_new((size_t)count * COLUMN_COUNT, sizeof *values);

	for (uint32_t i = 0; i < count; i++)
		put_values(&rows[i], values + (size_t)i * COLUMN_COUNT);
	return values;
}

/* ---- existing tenants ---- */

static const enum db_type tenant_types[] = {DB_TYPE_TEXT, DB_TYPE_INT8, DB_TYPE_UUID, DB_TYPE_INT4};

#define GIVEN                                                                                                          \
	"unnest($1::text[], $2::bigint[], $3::uuid[], $4::int[]) AS given (tenant_id, started, endpoint_id, number)"

/* Clocks differ, so an attempt that seems older than its tenant still belongs to it if its endpoint does. */
static const struct db_each find_strays = {
    .statement = {"SELECT given.number FROM " GIVEN " WHERE NOT EXISTS (SELECT 1 FROM tenants "
		  "WHERE tenants.tenant_id = given.tenant_id AND tenants.deleted_at IS NULL "
		  "AND (hl_ms(tenants.created_at) <= given.started OR EXISTS (SELECT 1 FROM endpoints "
		  "WHERE endpoints.tenant_id = given.tenant_id AND endpoints.endpoint_id = given.endpoint_id)))",
	"SELECT $4 WHERE NOT EXISTS (SELECT 1 FROM tenants WHERE tenant_id = $1 AND deleted_at IS NULL "
	"AND (hl_ms(created_at) <= $2 OR EXISTS (SELECT 1 FROM endpoints "
	"WHERE endpoints.tenant_id = $1 AND endpoints.endpoint_id = $3)))",
	.citus =
	    "SELECT given.number FROM " GIVEN " WHERE NOT EXISTS (SELECT 1 FROM tenants "
	    "WHERE tenants.tenant_id = given.tenant_id AND tenants.deleted_at IS NULL "
	    "AND hl_ms(tenants.created_at) <= given.started) AND given.number NOT IN (SELECT given.number FROM "
	    "(SELECT unnest($1::text[]), unnest($3::uuid[]), unnest($4::int[])) AS given (tenant_id, endpoint_id, "
	    "number)"
	    " JOIN tenants ON tenants.tenant_id = given.tenant_id AND tenants.deleted_at IS NULL "
	    "JOIN endpoints ON endpoints.tenant_id = given.tenant_id AND endpoints.endpoint_id = given.endpoint_id)"},
    .types = tenant_types,
    .count = 4};

/*
 * Takes a transaction id before looking: removal waits only for transactions that have one
 * (store/webhooks/removal.c).
 */
static const struct db_statement get_id = {"SELECT pg_current_xact_id()", "SELECT 1"};

int
attempt_rows_of_tenants(struct db *db, struct attempt_row *rows, uint32_t *count, struct error *err)
{
	struct db_param *values = mem_new((size_t)*count * 4 + 1, sizeof *values);
	bool *strays = mem_new(*count + 1, sizeof *strays);
	uint32_t kept = 0;
	struct db_rows *found;
	int rc = db_query(db, &get_id, NULL, 0, NULL, err);

	for (uint32_t i = 0; i < *count; i++) {
		values[4 * i] = db_text(rows[i].tenant_id);
		values[4 * i + 1] = db_int(rows[i].started_us / 1000);
		values[4 * i + 2] = db_uuid(rows[i].endpoint_id);
		values[4 * i + 3] = db_int(i);
	}
	if (rc == 0)
		rc = db_each(db, &find_strays, values, *count, &found, err);
	if (rc == 0) {
		for (uint32_t row = 0; row < db_rows_count(found); row++)
			strays[db_rows_int(found, row, 0)] = true;
		for (uint32_t i = 0; i < *count; i++)
			if (!strays[i])
				rows[kept++] = rows[i];
		*count = kept;
		db_rows_free(found);
	}
	free(values);
	free(strays);
	return rc;
}

int
attempt_rows_add(struct db *db, const struct attempt_row *rows, uint32_t count, struct error *err)
{
	if (count == 0)
		return 0;

	struct db_param *values = values_of(rows, count);
	int rc = db_load(db, &table, values, count, err);

	free(values);
	return rc;
}

int
attempt_rows_repeat(struct db *db, const struct attempt_row *rows, uint32_t count, struct error *err)
{
	if (count == 0)
		return 0;

	struct db_param *values = values_of(rows, count);
	int rc = db_each(db, &repeat, values, count, NULL, err);

	free(values);
	return rc;
}

int
attempt_rows_add_test(struct db *db, const struct attempt_row *row, struct error *err)
{
	struct db_param values[COLUMN_COUNT];

	put_values(row, values);
	return db_each(db, &add_test, values, 1, NULL, err);
}
