/* A note is found by its tenant and version; upkeep goes through all of them. */
#include "store/webhooks/cancelled_jobs.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "store/webhooks/old_rows.h"

#define KEPT_MS (60ll * 60 * 1000)

int
cancelled_jobs_add(struct db *db, const char *tenant_id, const char *job_id, int64_t version, struct error *err)
{
	static const struct db_statement add = {
	    "INSERT INTO cancelled_jobs (tenant_id, version, job_id, cancelled_at) VALUES ($1, $2, $3, hl_now())"};
	const struct db_param params[] = {db_string(tenant_id), db_int(version), db_string(job_id)};

	return db_query(db, &add, params, 3, NULL, err);
}

static const enum db_type types[] = {DB_TYPE_TEXT, DB_TYPE_INT8, DB_TYPE_UUID};

static const struct db_each add_each = {
    .statement = {"INSERT INTO cancelled_jobs (tenant_id, version, job_id, cancelled_at) SELECT given.tenant_id, "
		  "given.version, given.job_id, hl_now() FROM unnest($1::text[], $2::bigint[], $3::uuid[]) "
		  "AS given (tenant_id, version, job_id) WHERE given.tenant_id IS NOT NULL",
	"INSERT INTO cancelled_jobs (tenant_id, version, job_id, cancelled_at) VALUES ($1, $2, $3, hl_now())"},
    .types = types,
    .count = 3};

int
cancelled_jobs_add_all(
    struct db *db, const char *tenant_id, const struct db_rows *jobs, int64_t version, struct error *err)
{
	uint32_t count = db_rows_count(jobs);
	struct db_param *values = mem_new((size_t)count * 3 + 1, sizeof *values);
	uint8_t(*ids)[16] = mem_new(count + 1, sizeof *ids);
	int rc;

	for (uint32_t row = 0; row < count; row++) {
		struct span id = db_rows_text(jobs, row, 0);

		(void)uuid_parse(id.base, id.len, ids[row]);
		values[3 * row] = db_string(tenant_id);
		values[3 * row + 1] = db_int(version);
		values[3 * row + 2] = db_uuid(ids[row]);
	}
	rc = db_each(db, &add_each, values, count, NULL, err);
	free(values);
	free(ids);
	return rc;
}

int
cancelled_jobs_since(struct db *db, const char *tenant_id, int64_t version, struct db_rows **rows, struct error *err)
{
	static const struct db_statement since = {
	    "SELECT tenant_id, job_id FROM cancelled_jobs WHERE tenant_id = $1 AND version > $2"};
	const struct db_param params[] = {db_string(tenant_id), db_int(version)};

	return db_query(db, &since, params, 2, rows, err);
}

int
cancelled_jobs_recent(struct db *db, int64_t ms, struct db_rows **rows, struct error *err)
{
	static const struct db_statement recent = {
	    "SELECT tenant_id, job_id FROM cancelled_jobs WHERE cancelled_at >= hl_time(hl_ms(hl_now()) - $1)"};
	const struct db_param params[] = {db_int(ms)};

	return db_query(db, &recent, params, 1, rows, err);
}

int
cancelled_jobs_remove_old(struct db *db, uint32_t limit, uint32_t *removed, struct error *err)
{
	static const struct db_statement remove_old = {
	    "WITH old AS MATERIALIZED (SELECT tenant_id, version, job_id"
	    " FROM cancelled_jobs WHERE hl_ms(cancelled_at) <= hl_ms(hl_now()) - $1 LIMIT $2)"
	    " DELETE FROM cancelled_jobs WHERE (tenant_id, version, job_id) IN"
	    " (SELECT tenant_id, version, job_id FROM old) RETURNING job_id"};
	const struct db_param params[] = {db_int(KEPT_MS), db_int(limit)};

	return old_rows_remove(db, &remove_old, params, 2, removed, err);
}
