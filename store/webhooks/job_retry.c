/* The statements find jobs by their key. */
#include "store/webhooks/job_retry.h"

#include <string.h>

#include "base/uuid.h"
#include "store/webhooks/job_outcomes.h"

int
job_retry(struct db *db, const char *tenant_id, const char *endpoint_id, const char *job_id, struct error *err)
{
	static const struct db_statement retry = {
	    "UPDATE jobs SET next_attempt_at = " JOB_DUE_NOW " WHERE tenant_id = $1 AND endpoint_id = $2 "
	    "AND job_id = $3 AND next_attempt_at > hl_now()"};
	const struct db_param params[] = {db_string(tenant_id), db_string(endpoint_id), db_string(job_id)};

	return db_query(db, &retry, params, 3, NULL, err);
}

static void
note_last(const struct db_rows *rows, uint8_t after[16])
{
	for (uint32_t row = 0; row < db_rows_count(rows); row++) {
		struct span text = db_rows_text(rows, row, 0);
		uint8_t id[16];

		if (uuid_parse(text.base, text.len, id) && memcmp(id, after, sizeof id) > 0)
			memcpy(after, id, sizeof id);
	}
}

#define RETRY_SOME                                                                                                     \
	"UPDATE jobs SET next_attempt_at = " JOB_DUE_NOW " WHERE tenant_id = $1 AND endpoint_id = $2 AND job_id "
#define SOME                                                                                                           \
	"(SELECT job_id FROM jobs WHERE tenant_id = $1 AND endpoint_id = $2 AND job_id > $3 "                          \
	"AND next_attempt_at > hl_now() ORDER BY job_id LIMIT $4)"

/* ARRAY: PostgreSQL finds the ids once. Otherwise a planner that takes the table for empty would do so for each row. */
int
job_retry_slice(struct db *db, const char *tenant_id, const char *endpoint_id, uint32_t limit, uint8_t after[16],
    uint32_t *count, struct error *err)
{
	static const struct db_statement retry = {
	    RETRY_SOME "= ANY (ARRAY" SOME ") RETURNING job_id", RETRY_SOME "IN " SOME " RETURNING job_id"};
	const struct db_param params[] = {db_string(tenant_id), db_string(endpoint_id), db_uuid(after), db_int(limit)};
	struct db_rows *rows;
	int rc = jobs_by_indexes(db, err);

	if (rc == 0)
		rc = db_query(db, &retry, params, 4, &rows, err);
	if (rc != 0)
		return rc;
	*count = db_rows_count(rows);
	note_last(rows, after);
	db_rows_free(rows);
	return 0;
}

int
job_cancel(
    struct db *db, const char *tenant_id, const char *endpoint_id, const char *job_id, bool *exists, struct error *err)
{
	static const struct db_statement cancel = {
	    "DELETE FROM jobs WHERE tenant_id = $1 AND endpoint_id = $2 AND job_id = $3 RETURNING event_id"};
	static const struct db_statement forget_event = {
	    "DELETE FROM dlq_events WHERE tenant_id = $1 AND event_id = $2 AND job_id = $3"};
	const struct db_param key[] = {db_string(tenant_id), db_string(endpoint_id), db_string(job_id)};
	struct db_rows *rows;
	int rc = db_query(db, &cancel, key, 3, &rows, err);

	if (rc != 0)
		return rc;
	*exists = db_rows_count(rows) > 0;
	if (*exists) {
		const struct db_param event[] = {
		    db_string(tenant_id), db_text(db_rows_text(rows, 0, 0)), db_string(job_id)};

		rc = db_query(db, &forget_event, event, 3, NULL, err);
	}
	db_rows_free(rows);
	return rc;
}
