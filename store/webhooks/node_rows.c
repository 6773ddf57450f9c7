/* Nodes that start at once find the same free number: the key gives it to one of them, and the others look again. */
#include "store/webhooks/node_rows.h"

#include <stdio.h>

#include "store/webhooks/changes.h"

static const struct db_statement take_up = {
    "UPDATE delivery_nodes SET epoch = $4, name = $5, started_at = hl_now(), alive_at = hl_now(), left_at = NULL,"
    " seen_version = $6, timeout_ms = $7 WHERE node_id = $1 AND epoch IN ($2, $3) AND adopted_by IS NULL RETURNING "
    "node_id",
    NULL};

static const struct db_statement add = {
    "INSERT INTO delivery_nodes (node_id, epoch, name, started_at, alive_at, seen_version, timeout_ms)"
    " SELECT min(before.node_id) + 1, $1, $2, hl_now(), hl_now(), $3, $4"
    " FROM (SELECT 0 AS node_id UNION ALL SELECT node_id FROM delivery_nodes) AS before"
    " WHERE NOT EXISTS (SELECT 1 FROM delivery_nodes AS next WHERE next.node_id = before.node_id + 1)"
    " ON CONFLICT (node_id) DO NOTHING RETURNING node_id",
    NULL};

static const struct db_statement find = {
    "SELECT node_id FROM delivery_nodes WHERE epoch = $1 AND adopted_by IS NULL", NULL};

#define SAY(sessions)                                                                                                  \
	"UPDATE delivery_nodes SET alive_at = hl_now(), seen_version = $3, backend_pids = COALESCE(" sessions          \
	", backend_pids), timeout_ms = $5 WHERE node_id = $1 AND epoch = $2 AND adopted_by IS NULL"                    \
	" RETURNING hl_ms(alive_at), (SELECT count(*) FROM delivery_nodes AS other"                                    \
	" WHERE other.node_id <> $1 AND other.adopted_by IS NULL AND other.left_at IS NULL)"

static const struct db_statement say = {SAY("CAST($4 AS int[])"), SAY("$4")};

static const struct db_statement leave = {
    "UPDATE delivery_nodes SET left_at = hl_now() WHERE node_id = $1 AND epoch = $2 AND adopted_by IS NULL", NULL};

#define COUNT_OF(condition) "COALESCE(sum(CASE WHEN " condition " THEN 1 ELSE 0 END), 0)"
#define SENDS "node_id <> $1 AND left_at IS NULL AND hl_ms(alive_at) > hl_ms(hl_now()) - timeout_ms"
#define LAST "FROM delivery_nodes WHERE adopted_by IS NULL AND " SENDS " ORDER BY seen_version, node_id LIMIT 1)"

static const struct db_statement peers_of = {
    "SELECT count(*), " COUNT_OF("node_id < $1") ", " COUNT_OF(
	"node_id = $1 AND epoch = $2") ", "
				       "(SELECT seen_version " LAST ", (SELECT name " LAST
				       " FROM delivery_nodes WHERE adopted_by IS NULL",
    NULL};

enum peers_column { PEERS_NODES, PEERS_BEFORE, PEERS_OURS, PEERS_SEEN, PEERS_LAST };

/* Runs a statement that returns a row's number; *node_id is 0 without a row. */
static int
ask(struct db *db, const struct db_statement *statement, const struct db_param *params, size_t count, int64_t *node_id,
    struct error *err) /* six: as db_query() */
{
	struct db_rows *rows;
	int rc = db_query(db, statement, params, count, &rows, err);

	if (rc != 0)
		return rc;
	*node_id = db_rows_count(rows) > 0 ? db_rows_int(rows, 0, 0) : 0;
	db_rows_free(rows);
	return 0;
}

int
node_rows_claim(struct db *db, const struct node_claim *claim, struct node_row *row, bool *fresh, struct error *err)
{
	const struct db_param old[] = {db_int(claim->node_id), db_int(claim->epoch), db_int(claim->other_epoch),
	    db_int(claim->next_epoch), db_string(claim->name), db_int(claim->seen_version), db_int(claim->timeout_ms)};
	const struct db_param new[] = {
	    db_int(claim->next_epoch), db_string(claim->name), db_int(claim->seen_version), db_int(claim->timeout_ms)};
	int64_t node_id = 0, version;
	int rc = db_begin(db, err);

	if (rc == 0 && claim->node_id != 0)
		rc = ask(db, &take_up, old, 7, &node_id, err);
	*fresh = node_id == 0;
	while (rc == 0 && node_id == 0)
		rc = ask(db, &add, new, 4, &node_id, err);
	if (rc == 0 && *fresh)
		rc = changes_raise(db, &version, err); /* so that other nodes soon notice this one */
	rc = db_end(db, rc, err);
	if (rc == 0)
		*row = (struct node_row){.node_id = node_id, .epoch = claim->next_epoch};
	return rc;
}

int
node_rows_find(struct db *db, int64_t epoch, int64_t *node_id, struct error *err)
{
	const struct db_param params[] = {db_int(epoch)};

	return ask(db, &find, params, 1, node_id, err);
}

int
node_rows_heartbeat_in(struct db *db, const struct node_row *row, const struct node_heartbeat *beat,
    struct node_heartbeat_result *result, struct error *err)
{
	const struct db_param params[] = {db_int(row->node_id), db_int(row->epoch), db_int(beat->seen_version),
	    beat->sessions != NULL ? db_string(beat->sessions) : db_null(), db_int(beat->timeout_ms)};
	struct db_rows *rows;
	int rc = db_query(db, &say, params, 5, &rows, err);

	if (rc != 0)
		return rc;
	*result = (struct node_heartbeat_result){.ours = db_rows_count(rows) > 0};
	if (result->ours) {
		result->alive_ms = db_rows_int(rows, 0, 0);
		result->alone = db_rows_int(rows, 0, 1) == 0;
	}
	db_rows_free(rows);
	return 0;
}

int
node_rows_heartbeat(struct db *db, const struct node_row *row, const struct node_heartbeat *beat,
    struct node_heartbeat_result *result, struct error *err)
{
	int rc = db_begin(db, err);

	if (rc == 0)
		rc = node_rows_heartbeat_in(db, row, beat, result, err);
	return db_end(db, rc, err);
}

int
node_rows_leave(struct db *db, const struct node_row *row, struct error *err)
{
	const struct db_param params[] = {db_int(row->node_id), db_int(row->epoch)};
	int rc = db_begin(db, err);

	if (rc == 0)
		rc = db_query(db, &leave, params, 2, NULL, err);
	return db_end(db, rc, err);
}

int
node_rows_peers(struct db *db, const struct node_row *row, struct node_peers *peers, struct error *err)
{
	const struct db_param params[] = {db_int(row->node_id), db_int(row->epoch)};
	struct db_rows *rows;
	struct span last;
	int rc = db_query(db, &peers_of, params, 2, &rows, err);

	if (rc != 0)
		return rc;
	last = db_rows_text(rows, 0, PEERS_LAST);
	*peers = (struct node_peers){.nodes = (uint32_t)db_rows_int(rows, 0, PEERS_NODES),
	    .before = (uint32_t)db_rows_int(rows, 0, PEERS_BEFORE),
	    .ours = db_rows_int(rows, 0, PEERS_OURS) > 0,
	    .seen_version = last.base != NULL ? db_rows_int(rows, 0, PEERS_SEEN) : INT64_MAX};
	(void)snprintf(peers->last, sizeof peers->last, "%s", last.base != NULL ? last.base : "");
	db_rows_free(rows);
	return 0;
}
