/* Unfinished replays are found by a partial index, in the order of next_at. */
#include "store/webhooks/replay_rows.h"

#include <string.h>

#include "store/webhooks/old_rows.h"

#define COLUMNS                                                                                                        \
	"replay_id, tenant_id, status, request, place, matched, matched_exact, taken, replayed, scheduled, skipped, "  \
	"results, error, hl_ms(created_at), hl_ms(updated_at), hl_ms(next_at), hl_ms(finished_at), hl_ms(hl_now())"

int
replay_rows_add(struct db *db, const char *tenant_id, const char *id, struct span request,
    const struct replay_matched *matched, struct error *err) /* six: as in the header */
{
	static const struct db_statement add = {
	    "INSERT INTO replays (tenant_id, replay_id, status, request, matched, matched_exact, created_at, "
	    "updated_at,"
	    " next_at) VALUES ($1, $2, 'pending', $3, $4, $5 = 1, hl_now(), hl_now(), hl_now())",
	    NULL};
	const struct db_param params[] = {
	    db_string(tenant_id), db_string(id), db_text(request), db_int(matched->events), db_bool(matched->exact)};

	return db_query(db, &add, params, 5, NULL, err);
}

#define OF_ID "SELECT " COLUMNS " FROM replays WHERE tenant_id = $1 AND replay_id = $2"

int
replay_rows_get(struct db *db, const char *tenant_id, const char *id, bool for_update, struct db_rows **rows,
    struct error *err) /* six: as in the header */
{
	static const struct db_statement get = {OF_ID, NULL}, get_for_update = {OF_ID " FOR UPDATE", OF_ID};
	const struct db_param params[] = {db_string(tenant_id), db_string(id)};

	return db_query(db, for_update ? &get_for_update : &get, params, 2, rows, err);
}

int
replay_rows_list(
    struct db *db, const char *tenant_id, const struct list_slice *slice, struct db_rows **rows, struct error *err)
{
	static const struct db_statement lists[2] = {
	    {"SELECT " COLUMNS " FROM replays WHERE tenant_id = $1 AND replay_id > $3 ORDER BY replay_id LIMIT $2",
		NULL},
	    {"SELECT " COLUMNS " FROM replays WHERE tenant_id = $1 AND replay_id < $3 ORDER BY replay_id DESC LIMIT $2",
		NULL}};
	const struct db_param params[] = {db_string(tenant_id), db_int(slice->limit), list_after_id(slice)};

	return db_query(db, &lists[slice->descending], params, 3, rows, err);
}

int
replay_rows_find(struct db *db, struct db_rows **rows, struct error *err)
{
	static const struct db_statement look = {
	    "SELECT tenant_id, replay_id FROM replays WHERE finished_at IS NULL AND next_at <= hl_now()"
	    " ORDER BY next_at LIMIT 1",
	    NULL};

	return db_query(db, &look, NULL, 0, rows, err);
}

int
replay_rows_postpone(struct db *db, const struct db_rows *found, int64_t ms, struct error *err)
{
	static const struct db_statement postpone = {"UPDATE replays SET next_at = hl_time(hl_ms(hl_now()) + $3)"
						     " WHERE tenant_id = $1 AND replay_id = $2 AND finished_at IS NULL",
	    NULL};
	const struct db_param params[] = {
	    db_text(db_rows_text(found, 0, 0)), db_text(db_rows_text(found, 0, 1)), db_int(ms)};
	int rc = db_begin(db, err);

	if (rc == 0)
		rc = db_query(db, &postpone, params, 3, NULL, err);
	return db_end(db, rc, err);
}

#define GOES_ON OF_ID " AND finished_at IS NULL AND next_at <= hl_now()"

int
replay_rows_lock(struct db *db, const struct db_rows *found, struct db_rows **rows, struct error *err)
{
	static const struct db_statement lock = {GOES_ON " FOR UPDATE SKIP LOCKED", GOES_ON};
	const struct db_param params[] = {db_text(db_rows_text(found, 0, 0)), db_text(db_rows_text(found, 0, 1))};

	return db_query(db, &lock, params, 2, rows, err);
}

/* Citus does not allow hl_now() within CASE. */
#define SAVE(finished_at)                                                                                              \
	"UPDATE replays SET status = $3, place = $4, matched = $5, taken = $6, replayed = $7, scheduled = $8,"         \
	" skipped = $9, next_at = hl_time($10), results = $11, node_id = $12, updated_at = hl_now(),"                  \
	" finished_at = " finished_at " WHERE tenant_id = $1 AND replay_id = $2"

int
replay_rows_save(struct db *db, struct db_rows *of, const struct replay_progress *progress, const char *results,
    int64_t node_id, struct error *err) /* six: as in the header */
{
	static const struct db_statement save = {SAVE("CASE WHEN $13 = 1 THEN hl_now() END"), NULL,
	    .citus = SAVE("hl_time(hl_ms(hl_now()) + NULLIF($13, 0) - 1)")};
	static const uint8_t none[16];
	const struct db_param params[] = {
	    db_text(db_rows_text(of, 0, REPLAY_COLUMN_TENANT)),
	    db_text(db_rows_text(of, 0, REPLAY_COLUMN_ID)),
	    db_string(progress->finished ? "done" : "running"),
	    memcmp(progress->place, none, sizeof none) == 0 ? db_null() : db_uuid(progress->place),
	    db_int(progress->matched),
	    db_int(progress->taken),
	    db_int(progress->replayed),
	    db_int(progress->scheduled),
	    db_int(progress->skipped),
	    db_int(progress->next_ms),
	    db_string(results),
	    db_int(node_id),
	    db_bool(progress->finished),
	};

	return db_query(db, &save, params, 13, NULL, err);
}

int
replay_rows_end(struct db *db, const char *tenant_id, const char *id, const char *status, const char *error,
    bool *ended, struct error *err) /* seven: as in the header */
{
	static const struct db_statement end = {
	    "UPDATE replays SET status = $3, error = $4, updated_at = hl_now(), finished_at = hl_now()"
	    " WHERE tenant_id = $1 AND replay_id = $2 AND finished_at IS NULL RETURNING 1",
	    NULL};
	const struct db_param params[] = {db_string(tenant_id), db_string(id), db_string(status), db_string(error)};

	return db_finds(db, &end, params, 4, ended, err);
}

int
replay_rows_remove_old(struct db *db, uint32_t limit, uint32_t *removed, struct error *err)
{
	static const struct db_statement remove_old = {
	    "WITH old AS MATERIALIZED (SELECT tenant_id, replay_id FROM replays"
	    " WHERE hl_ms(finished_at) < hl_ms(hl_now()) - $1 LIMIT $2)"
	    " DELETE FROM replays WHERE (tenant_id, replay_id) IN (SELECT tenant_id, replay_id FROM old) RETURNING 1"};
	const struct db_param params[] = {db_int(REPLAYS_KEPT_MS), db_int(limit)};

	return old_rows_remove(db, &remove_old, params, 2, removed, err);
}
