/* The tables `inbox_keys` and `inbox_messages`. */
#include "store/webhooks/inbox_rows.h"

#include "base/uuid.h"
#include "store/webhooks/job_outcomes.h"
#include "store/webhooks/removal.h"

int
inbox_rows_key(struct db *db, const char *made, struct db_rows **rows, struct error *err)
{
	static const struct db_statement read = {"SELECT key FROM inbox_keys WHERE id = 1"};
	static const struct db_statement add = {
	    "INSERT INTO inbox_keys (id, key) VALUES (1, $1) ON CONFLICT (id) DO NOTHING"};
	const struct db_param params[] = {db_string(made)};
	int rc = db_query(db, &read, NULL, 0, rows, err);

	if (rc != 0 || db_rows_count(*rows) == 1)
		return rc;
	db_rows_free(*rows);
	*rows = NULL;
	rc = db_begin(db, err);
	if (rc == 0)
		rc = db_query(db, &add, params, 1, NULL, err);
	rc = db_end(db, rc, err);
	return rc != 0 ? rc : db_query(db, &read, NULL, 0, rows, err);
}

int
inbox_rows_add(struct db *db, const struct inbox_message *message, struct error *err)
{
	static const struct db_statement add = {
	    "INSERT INTO inbox_messages (tenant_id, token, message_id, received_at, headers, body)"
	    " VALUES ($1, $2, $3, hl_now(), $4, $5)"};
	static const struct db_statement remove = {
	    "WITH old AS MATERIALIZED (SELECT message_id FROM inbox_messages WHERE tenant_id = $1 AND token = $2"
	    " ORDER BY message_id DESC LIMIT 100 OFFSET $3)"
	    " DELETE FROM inbox_messages WHERE tenant_id = $1 AND token = $2 AND message_id IN"
	    " (SELECT message_id FROM old)"};
	const struct db_param params[] = {db_string(message->tenant_id), db_text(message->token),
	    db_string(message->message_id), db_text(message->headers), db_text(message->body)};
	const struct db_param old[] = {params[0], params[1], db_int(INBOX_KEPT)};
	int rc = db_query(db, &add, params, 5, NULL, err);

	return rc != 0 ? rc : db_query(db, &remove, old, 3, NULL, err);
}

#define SELECT_ALL                                                                                                     \
	"SELECT message_id, hl_ms(received_at), headers, body, token FROM inbox_messages WHERE tenant_id = $1"         \
	" AND hl_ms(received_at) > hl_ms(hl_now()) - $2"
#define SELECT_MESSAGES SELECT_ALL " AND token = $3"

int
inbox_rows_list(struct db *db, const char *tenant_id, struct span token, const struct list_slice *slice,
    struct db_rows **rows, struct error *err)
{
	static const struct db_statement lists[2] = {
	    {SELECT_MESSAGES " AND message_id > $4 ORDER BY message_id LIMIT $5"},
	    {SELECT_MESSAGES " AND message_id < $4 ORDER BY message_id DESC LIMIT $5"},
	};
	static const struct db_statement lists_of_all[2] = {
	    {SELECT_ALL " AND message_id > $3 ORDER BY message_id LIMIT $4"},
	    {SELECT_ALL " AND message_id < $3 ORDER BY message_id DESC LIMIT $4"},
	};
	const struct db_param params[] = {
	    db_string(tenant_id), db_int(INBOX_KEPT_MS), db_text(token), list_after_id(slice), db_int(slice->limit)};
	const struct db_param params_of_all[] = {params[0], params[1], params[3], params[4]};

	if (token.base == NULL)
		return db_query(db, &lists_of_all[slice->descending], params_of_all, 4, rows, err);
	return db_query(db, &lists[slice->descending], params, 5, rows, err);
}

int
inbox_rows_get(struct db *db, const char *tenant_id, struct span token, const char *message_id, struct db_rows **rows,
    struct error *err)
{
	static const struct db_statement get = {SELECT_MESSAGES " AND message_id = $4"};
	const struct db_param params[] = {
	    db_string(tenant_id), db_int(INBOX_KEPT_MS), db_text(token), db_string(message_id)};

	return db_query(db, &get, params, 4, rows, err);
}

/* ---- old messages ---- */

/* Rows per statement, which in SQLite returns their size: it blocks other writers, so slices are limited by bytes. */
#define ROWS_AT_ONCE 16

static const enum db_type key_types[] = {DB_TYPE_TEXT, DB_TYPE_TEXT, DB_TYPE_UUID};

#define KEY_COLUMNS 3

static const struct db_each remove_messages = {
    .statement = {"DELETE FROM inbox_messages USING unnest($1::text[], $2::text[], $3::uuid[]) "
		  "AS given (tenant_id, token, message_id) WHERE inbox_messages.tenant_id = ANY "
		  "(ARRAY[given.tenant_id]) AND inbox_messages.token = given.token "
		  "AND inbox_messages.message_id = given.message_id RETURNING 0",
	"DELETE FROM inbox_messages WHERE tenant_id = $1 AND token = $2 AND message_id = $3 "
	"RETURNING length(CAST(headers AS blob)) + length(CAST(body AS blob))"},
    .types = key_types,
    .count = KEY_COLUMNS};

struct removed {
	uint32_t rows;
	int64_t bytes;
};

/* Removes up to ROWS_AT_ONCE of the rows found, from `first` on, and adds them to *removed. */
static int
remove_some(struct db *db, const struct db_rows *found, uint32_t first, struct removed *removed, struct error *err)
{
	struct db_param values[ROWS_AT_ONCE * KEY_COLUMNS];
	uint8_t ids[ROWS_AT_ONCE][16] = {{0}};
	struct db_rows *rows;
	uint32_t count = 0;

	for (; count < ROWS_AT_ONCE && first + count < db_rows_count(found); count++) {
		struct db_param *value = &values[count * KEY_COLUMNS];
		struct span id = db_rows_text(found, first + count, 2);

		(void)uuid_parse(id.base, id.len, ids[count]);
		value[0] = db_text(db_rows_text(found, first + count, 0));
		value[1] = db_text(db_rows_text(found, first + count, 1));
		value[2] = db_uuid(ids[count]);
	}
	int rc = db_each(db, &remove_messages, values, count, &rows, err);
	if (rc != 0)
		return rc;
	removed->rows += db_rows_count(rows);
	for (uint32_t row = 0; row < db_rows_count(rows); row++)
		removed->bytes += db_rows_int(rows, row, 0);
	db_rows_free(rows);
	return 0;
}

int
inbox_rows_remove_old(struct db *db, uint32_t limit, uint32_t *removed, struct error *err)
{
	static const struct db_statement find = {
	    "SELECT tenant_id, token, message_id FROM inbox_messages WHERE hl_ms(received_at) <= hl_ms(hl_now()) - $1"
	    " ORDER BY message_id LIMIT $2"};
	const struct db_param params[] = {db_int(INBOX_KEPT_MS), db_int(limit)};
	struct removed slice = {0};
	struct db_rows *found;
	int rc = db_query(db, &find, params, 2, &found, err);

	if (rc != 0)
		return rc;
	rc = jobs_begin(db, err);
	for (uint32_t row = 0; rc == 0 && row < db_rows_count(found) && slice.bytes < REMOVAL_SLICE_BYTES;
	     row += ROWS_AT_ONCE)
		rc = remove_some(db, found, row, &slice, err);
	rc = db_end(db, rc, err);
	if (rc == 0)
		*removed = slice.rows;
	db_rows_free(found);
	return rc;
}
