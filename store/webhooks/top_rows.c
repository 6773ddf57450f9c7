/* The rows read are bounded, so that a question takes a second at most, however many jobs wait. */
#include "store/webhooks/top_rows.h"

#include "store/webhooks/job_outcomes.h"

#define PARAMS_MOST 4

/* A statement for all tenants, and one for the tenant that its last parameter names. */
struct pair {
	struct db_statement of_all, of_one;
};

static int
ask(struct db *db, const struct top_question *question, const struct pair *pair,
    struct db_param params[static PARAMS_MOST], size_t count, struct db_rows **rows,
    struct error *err) /* seven: the question, its statement and the result */
{
	const struct db_statement *statement = &pair->of_all;
	int rc;

	*rows = NULL;
	if (question->tenant_id != NULL) {
		statement = &pair->of_one;
		params[count++] = db_string(question->tenant_id);
	}
	if (!question->postgres)
		return db_query(db, statement, params, count, rows, err);
	rc = jobs_begin(db, err);
	if (rc == 0)
		rc = db_query(db, statement, params, count, rows, err);
	rc = db_end(db, rc, err);
	if (rc != 0) {
		db_rows_free(*rows);
		*rows = NULL;
	}
	return rc;
}

#define TENANTS(whose)                                                                                                 \
	{                                                                                                              \
		"SELECT tenant_id, queue_depth FROM tenant_stats WHERE queue_depth > 0" whose                          \
		" ORDER BY queue_depth DESC, tenant_id LIMIT $1",                                                      \
		    NULL                                                                                               \
	}

int
top_tenants(struct db *db, const struct top_question *question, struct db_rows **rows, struct error *err)
{
	static const struct pair tenants = {TENANTS(""), TENANTS(" AND tenant_id = $2")};
	struct db_param params[PARAMS_MOST] = {db_int(question->most)};

	return ask(db, question, &tenants, params, 1, rows, err);
}

#define WAITING(whose)                                                                                                 \
	{                                                                                                              \
		"SELECT tenant_id, endpoint_id, count(*), CAST(sum(count(*)) OVER () AS bigint) FROM"                  \
		" (SELECT tenant_id, endpoint_id FROM jobs" whose " LIMIT $2) AS found"                                \
		" GROUP BY tenant_id, endpoint_id ORDER BY count(*) DESC, tenant_id, endpoint_id LIMIT $1",            \
		    NULL                                                                                               \
	}

int
top_waiting(struct db *db, const struct top_question *question, struct db_rows **rows, struct error *err)
{
	static const struct pair waiting = {WAITING(""), WAITING(" WHERE tenant_id = $3")};
	struct db_param params[PARAMS_MOST] = {db_int(question->most), db_int(TOP_JOBS_MOST)};

	return ask(db, question, &waiting, params, 2, rows, err);
}

#define FAILING(whose)                                                                                                 \
	{                                                                                                              \
		"SELECT tenant_id, endpoint_id, sum(failed), count(*), CAST(sum(count(*)) OVER () AS bigint) FROM"     \
		" (SELECT tenant_id, endpoint_id, CASE WHEN status = 'failure' THEN 1 ELSE 0 END AS failed"            \
		" FROM attempts WHERE started_at > hl_time(hl_ms(hl_now()) - $3) AND NOT test" whose                   \
		" LIMIT $2) AS found"                                                                                  \
		" GROUP BY tenant_id, endpoint_id ORDER BY sum(failed) DESC, tenant_id, endpoint_id LIMIT $1",         \
		    NULL                                                                                               \
	}

int
top_failing(struct db *db, const struct top_question *question, struct db_rows **rows, struct error *err)
{
	static const struct pair failing = {FAILING(""), FAILING(" AND tenant_id = $4")};
	struct db_param params[PARAMS_MOST] = {
	    db_int(question->most), db_int(TOP_ATTEMPTS_MOST), db_int(TOP_WINDOW_MS)};

	return ask(db, question, &failing, params, 3, rows, err);
}
