/*
 * Of two nodes that adopt at once one locks the rows and the other skips them. The transaction begins with the
 * adopter's own heartbeat, so nobody adopts its row meanwhile, and no adopted row stays with an adopted node.
 */
#include "store/webhooks/adoption_rows.h"

#include <stdio.h>

#include "store/webhooks/job_outcomes.h"

#define NO_ID "00000000-0000-0000-0000-000000000000"
#define LAST_ID "ffffffff-ffff-ffff-ffff-ffffffffffff"
#define LAST_TENANT "~" /* sorts behind every character of an id */

/* abs(): a database clock that was set back must not look like a sign of life. */
#define SILENT_FOR "abs(hl_ms(hl_now()) - hl_ms(alive_at)) >= "
#define GONE                                                                                                           \
	"node_id <> $1 AND adopted_by IS NULL AND CASE WHEN left_at IS NULL"                                           \
	" THEN " SILENT_FOR "$3 AND " SILENT_FOR "timeout_ms ELSE abs(hl_ms(hl_now()) - hl_ms(left_at)) >= $2 END"

static const struct db_statement find_gone = {"SELECT 1 FROM delivery_nodes WHERE " GONE " LIMIT 1", NULL};

/*
 * Skips a row that vanishes before its session is looked at, and sessions of other roles. A session that began after
 * the node's last heartbeat is another process with the same pid.
 */
static const struct db_statement end_sessions = {
    "SELECT count(pg_terminate_backend(session.pid)) FROM delivery_nodes JOIN pg_stat_activity AS session"
    " ON session.pid = ANY (backend_pids) WHERE node_id <> $1 AND adopted_by IS NULL"
    " AND left_at IS NULL AND " SILENT_FOR "$2 AND " SILENT_FOR "timeout_ms AND session.backend_start <= alive_at"
    " AND session.datname = current_database() AND session.usename = current_user"
    " AND hl_ms(hl_now()) - hl_ms(session.xact_start) >= $3",
    "SELECT 0 WHERE $1 + $2 + $3 < 0"};

/* SKIP LOCKED: a stopped process may hold its node's row for ever. The other nodes are adopted. */
#define ADOPT(gone)                                                                                                    \
	"UPDATE delivery_nodes SET adopted_by = $1, adopted_at = hl_now() WHERE " gone                                 \
	" RETURNING node_id, name, left_at IS NOT NULL"
static const struct db_statement adopt = {
    ADOPT("node_id IN (SELECT node_id FROM delivery_nodes WHERE " GONE " FOR UPDATE SKIP LOCKED)"), ADOPT(GONE)};

static const struct db_statement adopt_chains = {
    "UPDATE delivery_nodes SET adopted_by = $1 WHERE adopted_by <> $1"
    " AND adopted_by IN (SELECT node_id FROM delivery_nodes WHERE adopted_by = $1)",
    NULL};

static const struct db_statement find_adopted = {"SELECT 1 FROM delivery_nodes WHERE adopted_by = $1 LIMIT 1", NULL};

static const struct db_statement horizon = {
    "SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint),"
    " CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint)",
    "SELECT 0, 0"};

/* Limits the following statements of the transaction: heartbeats wait for them. */
static const struct db_statement limit_times = {
    "SELECT set_config('lock_timeout', '1s', true), set_config('statement_timeout',"
    " CAST(LEAST(3000, NULLIF(CAST(setting AS int), 0)) AS text), true) FROM pg_settings"
    " WHERE name = 'statement_timeout'",
    "SELECT 1"};

#define JOB_KEY "tenant_id, endpoint_id, job_id"

static const struct db_statement find_last = {
    "SELECT " JOB_KEY " FROM jobs WHERE (" JOB_KEY ") > ($1, $2, $3) ORDER BY " JOB_KEY " LIMIT 1 OFFSET $4", NULL};

/* node_id is in no index, so rows stay on their pages if these have room. The planner cannot make a join of this. */
#define MOVE(adopted)                                                                                                  \
	"UPDATE jobs SET node_id = $7 WHERE (" JOB_KEY ") > ($1, $2, $3) AND (" JOB_KEY ") <= ($4, $5, $6) AND "       \
	"node_id " adopted " RETURNING 1"
#define ADOPTED "(SELECT node_id FROM delivery_nodes WHERE adopted_by = $7)"

static const struct db_statement move = {MOVE("= ANY (ARRAY" ADOPTED ")"), MOVE("IN " ADOPTED)};

/*
 * The check of the epoch uses the same snapshot, so another node that got this number meanwhile is not mistaken for
 * this one.
 */
static const struct db_statement remove_adopted = {
    "DELETE FROM delivery_nodes WHERE adopted_by = $1 AND EXISTS (SELECT 1 FROM delivery_nodes AS own"
    " WHERE own.node_id = $1 AND own.epoch = $2 AND own.adopted_by IS NULL)",
    NULL};

/* ---- nodes ---- */

static struct db_param
silence(const struct adoption_terms *terms)
{
	return terms->silent_ms > 0 ? db_int(terms->silent_ms) : db_null();
}

int
adoption_wanted(
    struct db *db, const struct node_row *row, const struct adoption_terms *terms, bool *wanted, struct error *err)
{
	const struct db_param params[] = {db_int(row->node_id), db_int(terms->left_ms), silence(terms)};

	return db_finds(db, &find_gone, params, 3, wanted, err);
}

int
adoption_end_sessions(
    struct db *db, const struct node_row *row, const struct adoption_terms *terms, int64_t *ended, struct error *err)
{
	const struct db_param params[] = {db_int(row->node_id), db_int(terms->silent_ms), db_int(terms->silent_ms / 2)};
	struct db_rows *rows;
	int rc = db_query(db, &end_sessions, params, 3, &rows, err);

	if (rc != 0)
		return rc;
	*ended = db_rows_int(rows, 0, 0);
	db_rows_free(rows);
	return 0;
}

int
adoption_adopt(struct db *db, const struct node_row *row, const struct node_heartbeat *beat,
    const struct adoption_terms *terms, struct db_rows **adopted, struct error *err)
{
	const struct db_param params[] = {db_int(row->node_id), db_int(terms->left_ms), silence(terms)};
	struct node_heartbeat_result result = {.ours = false};
	int rc = db_begin(db, err);

	*adopted = NULL;
	if (rc == 0)
		rc = db_query(db, &limit_times, NULL, 0, NULL, err);
	if (rc == 0)
		rc = node_rows_heartbeat_in(db, row, beat, &result, err);
	if (rc == 0 && result.ours)
		rc = db_query(db, &adopt, params, 3, adopted, err);
	if (rc == 0 && result.ours)
		rc = db_query(db, &adopt_chains, params, 1, NULL, err);
	rc = db_end(db, rc, err);
	if (rc == 0 && *adopted == NULL)
		*adopted = db_rows_new(3);
	if (rc != 0) {
		db_rows_free(*adopted);
		*adopted = NULL;
	}
	return rc;
}

int
adoption_unfinished(struct db *db, int64_t node_id, bool *unfinished, struct error *err)
{
	const struct db_param params[] = {db_int(node_id)};

	return db_finds(db, &find_adopted, params, 1, unfinished, err);
}

int
adoption_horizon(struct db *db, int64_t *ended, int64_t *next, struct error *err)
{
	struct db_rows *rows;
	int rc = db_query(db, &horizon, NULL, 0, &rows, err);

	if (rc != 0)
		return rc;
	*ended = db_rows_int(rows, 0, 0);
	*next = db_rows_int(rows, 0, 1);
	db_rows_free(rows);
	return 0;
}

int
adoption_remove(struct db *db, const struct node_row *row, struct error *err)
{
	const struct db_param params[] = {db_int(row->node_id), db_int(row->epoch)};
	int rc = db_begin(db, err);

	if (rc == 0)
		rc = db_query(db, &remove_adopted, params, 2, NULL, err);
	return db_end(db, rc, err);
}

/* ---- jobs ---- */

static const char *
id_or(const char *id, const char *otherwise)
{
	return id[0] != '\0' ? id : otherwise;
}

static void
set_place(struct adoption_place *place, const struct db_rows *rows)
{
	(void)snprintf(place->tenant_id, sizeof place->tenant_id, "%s", db_rows_text(rows, 0, 0).base);
	(void)snprintf(place->endpoint_id, sizeof place->endpoint_id, "%s", db_rows_text(rows, 0, 1).base);
	(void)snprintf(place->job_id, sizeof place->job_id, "%s", db_rows_text(rows, 0, 2).base);
}

/* The last row of the slice; all empty: the slice goes to the end. */
static int
find_end(struct db *db, const struct adoption_place *from, struct adoption_place *to, struct error *err)
{
	const struct db_param params[] = {db_string(from->tenant_id), db_string(id_or(from->endpoint_id, NO_ID)),
	    db_string(id_or(from->job_id, NO_ID)), db_int(from->rows - 1)};
	struct db_rows *rows;
	int rc = db_query(db, &find_last, params, 4, &rows, err);

	*to = (struct adoption_place){.rows = from->rows, .tenant_id = ""};
	if (rc != 0)
		return rc;
	if (db_rows_count(rows) > 0)
		set_place(to, rows);
	db_rows_free(rows);
	return 0;
}

static int
move_slice(struct db *db, int64_t node_id, const struct adoption_place *from, const struct adoption_place *to,
    uint32_t *moved, struct error *err) /* six: whose, which, and the result */
{
	const struct db_param params[] = {db_string(from->tenant_id), db_string(id_or(from->endpoint_id, NO_ID)),
	    db_string(id_or(from->job_id, NO_ID)), db_string(id_or(to->tenant_id, LAST_TENANT)),
	    db_string(id_or(to->endpoint_id, LAST_ID)), db_string(id_or(to->job_id, LAST_ID)), db_int(node_id)};
	struct db_rows *rows;
	int rc = db_query(db, &move, params, 7, &rows, err);

	if (rc != 0)
		return rc;
	*moved = db_rows_count(rows);
	db_rows_free(rows);
	return 0;
}

int
adoption_move(
    struct db *db, int64_t node_id, struct adoption_place *place, uint32_t *moved, bool *ends, struct error *err)
{
	struct adoption_place to;
	int rc = jobs_begin(db, err);

	if (rc == 0)
		rc = db_query(db, &limit_times, NULL, 0, NULL, err);
	if (rc == 0)
		rc = find_end(db, place, &to, err);
	if (rc == 0)
		rc = move_slice(db, node_id, place, &to, moved, err);
	rc = db_end(db, rc, err);
	if (rc != 0)
		return rc;
	*ends = to.tenant_id[0] == '\0';
	if (!*ends)
		*place = to;
	return 0;
}
