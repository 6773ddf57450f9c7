/* A text that was edited and is too long counts as different. */
#include "store/webhooks/identity_rows.h"

#include <stdio.h>

#define READ "SELECT store_id, COALESCE(deployment, '') FROM store_identity WHERE id = 1"

static void
copy(struct span text, char *out, size_t size)
{
	(void)snprintf(out, size, "%.*s", (int)text.len, text.base);
}

const char *
identity_refusal(const struct store_identity *identity)
{
	if (identity_of_move(identity))
		return "a move into the webhooks' store is not finished: run `hooksctl store migrate` again";
	if (strncmp(identity->store_id, STORE_ID_MOVED, strlen(STORE_ID_MOVED)) == 0)
		return "everything in the webhooks' store was moved to another one: start hooksd on that one, or open "
		       "this one again by `hooksctl store reopen`";
	return NULL;
}

int
identity_rows_read(struct db *db, bool lock, struct store_identity *identity, bool *exists, struct error *err)
{
	static const struct db_statement read = {READ, NULL}, locked = {READ " FOR UPDATE", READ};
	struct db_rows *rows;
	int rc = db_query(db, lock ? &locked : &read, NULL, 0, &rows, err);

	if (rc != 0)
		return rc;
	*identity = (struct store_identity){.store_id = ""};
	*exists = db_rows_count(rows) > 0;
	if (*exists) {
		copy(db_rows_text(rows, 0, 0), identity->store_id, sizeof identity->store_id);
		copy(db_rows_text(rows, 0, 1), identity->deployment, sizeof identity->deployment);
	}
	db_rows_free(rows);
	return 0;
}

int
identity_rows_write(struct db *db, const struct store_identity *identity, struct error *err)
{
	static const struct db_statement set = {
	    "INSERT INTO store_identity (id, store_id, deployment) VALUES (1, $1, $2)"
	    " ON CONFLICT (id) DO UPDATE SET store_id = excluded.store_id, deployment = excluded.deployment,"
	    " created_at = excluded.created_at",
	    NULL};
	const struct db_param params[] = {db_string(identity->store_id),
	    identity->deployment[0] != '\0' ? db_string(identity->deployment) : db_null()};

	return db_query(db, &set, params, 2, NULL, err);
}

int
identity_rows_server(struct db *db, char store_id[STORE_ID_BYTES], struct error *err)
{
	static const struct db_statement ask = {
	    "SELECT CAST(system_identifier AS text) FROM pg_control_system()", NULL};
	struct db_rows *rows;
	int rc = db_query(db, &ask, NULL, 0, &rows, err);

	store_id[0] = '\0';
	if (rc == DB_REFUSED)
		return 0;
	if (rc != 0)
		return rc;
	if (db_rows_count(rows) == 1)
		copy(db_rows_text(rows, 0, 0), store_id, STORE_ID_BYTES);
	db_rows_free(rows);
	return 0;
}

int
identity_rows_waiting(struct db *db, int64_t *waiting, struct error *err)
{
	static const struct db_statement count = {
	    "SELECT (SELECT count(*) FROM (SELECT 1 FROM jobs LIMIT $1) AS some_jobs)"
	    " + (SELECT count(*) FROM replays WHERE finished_at IS NULL)",
	    NULL};
	const struct db_param params[] = {db_int(IDENTITY_WAITING_MAX)};
	struct db_rows *rows;
	int rc = db_query(db, &count, params, 1, &rows, err);

	if (rc != 0)
		return rc;
	*waiting = db_rows_int(rows, 0, 0);
	db_rows_free(rows);
	return 0;
}
