/* An empty COPY, an empty INSERT, and the checks that these two do not make. */
#include "store/postgres/pg_probe.h"

#include <string.h>

#include "store/postgres/sqlstate.h"

/*
 * One row: whether row-level security refuses this role either inserting rows or seeing them, which ON CONFLICT
 * needs.
 */
#define POLICIES_SQL                                                                                                   \
	"SELECT row_security_active('hook_events') AND NOT (coalesce(bool_or(polcmd IN ('*', 'a')), false) "           \
	"AND coalesce(bool_or(polcmd IN ('*', 'r')), false)) FROM pg_policy "                                          \
	"WHERE polrelid = 'hook_events'::regclass AND polpermissive "                                                  \
	"AND (polroles = '{0}' OR EXISTS (SELECT FROM unnest(polroles) AS role WHERE pg_has_role(role, 'USAGE')))"

/* An empty COPY reaches none of Citus' workers; this query reaches all of them. No event is that old. */
#define WORKERS_SQL                                                                                                    \
	"SELECT 1 FROM hook_events WHERE created_date < '0001-01-01' AND \"timestamp\" < '0001-01-01' LIMIT 1"

static int
ask(struct rows *rows, const char *sql, PGresult **result, struct error *err)
{
	struct session *session = rows->session;

	sink_env_count(rows->env, COUNTER_STATEMENTS, 1);
	int rc = pg_exec(session->pg, sql, deadline_begin(session->deadline), result, err);
	if (rc < 0)
		(void)deadline_expired(session->deadline, err);
	return rc == 0 ? 0 : -1;
}

static int
check_policies(struct rows *rows, struct error *err)
{
	PGresult *result;

	if (ask(rows, POLICIES_SQL, &result, err) < 0)
		return -1;
	bool closed = PQgetvalue(result, 0, 0)[0] == 't';
	PQclear(result);
	if (!closed)
		return 0;
	return error_set(err,
	    "row-level security of hook_events refuses every row: give the role BYPASSRLS, or policies "
	    "for INSERT and SELECT");
}

int
pg_probe(struct rows *rows, enum rows_method *method, struct error *err)
{
	struct session *session = rows->session;
	const struct batch empty = {0};
	uint64_t none;

	*method = ROWS_COPY;
	int rc = rows_store(rows, ROWS_COPY, &empty, &none, err);
	if (rc == PG_REFUSED && sqlstate_cause(pg_refusal(session->pg)) != CAUSE_STORE) {
		*method = ROWS_INSERT;
		rc = check_policies(rows, err);
	}
	/* Without the key, or the right to read it, resent events would be doubled, or block all others. */
	if (rc == 0)
		rc = rows_store(rows, ROWS_INSERT, &empty, &none, err);
	if (rc == 0 && session->citus)
		rc = ask(rows, WORKERS_SQL, NULL, err);
	return rc == 0 ? 0 : -1;
}
