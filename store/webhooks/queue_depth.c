/* The key of jobs begins with the tenant: each step jumps to the next tenant, then skips `depth` of its rows. */
#include "store/webhooks/queue_depth.h"

#include "store/webhooks/job_outcomes.h"

static int
find(struct db *db, int64_t depth, uint32_t most, struct db_rows **rows, struct error *err)
{
	static const struct db_statement above = {
	    "WITH RECURSIVE waiting (tenant_id) AS ("
	    "SELECT * FROM (SELECT tenant_id FROM jobs ORDER BY tenant_id LIMIT 1) AS first"
	    " UNION ALL SELECT (SELECT jobs.tenant_id FROM jobs WHERE jobs.tenant_id > waiting.tenant_id"
	    " ORDER BY jobs.tenant_id LIMIT 1) FROM waiting WHERE waiting.tenant_id IS NOT NULL)"
	    " SELECT tenant_id FROM waiting WHERE tenant_id IS NOT NULL AND EXISTS (SELECT 1 FROM jobs"
	    " WHERE jobs.tenant_id = waiting.tenant_id ORDER BY jobs.tenant_id, jobs.endpoint_id, jobs.job_id"
	    " LIMIT 1 OFFSET $1) ORDER BY tenant_id LIMIT $2",
	    .citus =
		"SELECT tenant_id FROM (SELECT DISTINCT tenant_id FROM endpoints) AS owners WHERE (SELECT 1 FROM jobs"
		" WHERE jobs.tenant_id = owners.tenant_id ORDER BY jobs.tenant_id, jobs.endpoint_id, jobs.job_id"
		" LIMIT 1 OFFSET $1) = 1 ORDER BY tenant_id LIMIT $2"};
	const struct db_param params[] = {db_int(depth), db_int(most)};

	return db_query(db, &above, params, 2, rows, err);
}

int
queue_depth_above(struct db *db, bool postgres, int64_t depth, uint32_t most, struct db_rows **rows, struct error *err)
{
	int rc;

	if (!postgres)
		return find(db, depth, most, rows, err);
	*rows = NULL;
	rc = jobs_begin(db, err);
	if (rc == 0)
		rc = find(db, depth, most, rows, err);
	rc = db_end(db, rc, err);
	if (rc != 0) {
		db_rows_free(*rows);
		*rows = NULL;
	}
	return rc;
}
