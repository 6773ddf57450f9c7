/* The tables `inbox_keys` and `inbox_messages`. */
#include "store/webhooks/inbox_rows.h"

#include "store/webhooks/old_rows.h"

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
	    "DELETE FROM inbox_messages WHERE tenant_id = $1 AND token = $2 AND message_id IN"
	    " (SELECT message_id FROM inbox_messages WHERE tenant_id = $1 AND token = $2"
	    " ORDER BY message_id DESC LIMIT 100 OFFSET $3)"};
	const struct db_param params[] = {db_string(message->tenant_id), db_text(message->token),
	    db_string(message->message_id), db_text(message->headers), db_text(message->body)};
	const struct db_param old[] = {params[0], params[1], db_int(INBOX_KEPT)};
	int rc = db_query(db, &add, params, 5, NULL, err);

	return rc != 0 ? rc : db_query(db, &remove, old, 3, NULL, err);
}

#define SELECT_MESSAGES                                                                                                \
	"SELECT message_id, hl_ms(received_at), headers, body FROM inbox_messages WHERE tenant_id = $1 AND token = $2" \
	" AND hl_ms(received_at) > hl_ms(hl_now()) - $3"

int
inbox_rows_list(struct db *db, const char *tenant_id, struct span token, const struct list_slice *slice,
    struct db_rows **rows, struct error *err)
{
	static const struct db_statement lists[2] = {
	    {SELECT_MESSAGES " AND message_id > $4 ORDER BY message_id LIMIT $5"},
	    {SELECT_MESSAGES " AND message_id < $4 ORDER BY message_id DESC LIMIT $5"},
	};
	const struct db_param params[] = {
	    db_string(tenant_id), db_text(token), db_int(INBOX_KEPT_MS), list_after_id(slice), db_int(slice->limit)};

	return db_query(db, &lists[slice->descending], params, 5, rows, err);
}

int
inbox_rows_get(struct db *db, const char *tenant_id, struct span token, const char *message_id, struct db_rows **rows,
    struct error *err)
{
	static const struct db_statement get = {SELECT_MESSAGES " AND message_id = $4"};
	const struct db_param params[] = {
	    db_string(tenant_id), db_text(token), db_int(INBOX_KEPT_MS), db_string(message_id)};

	return db_query(db, &get, params, 4, rows, err);
}

int
inbox_rows_remove_old(struct db *db, uint32_t limit, uint32_t *removed, struct error *err)
{
	static const struct db_statement statement = {
	    "DELETE FROM inbox_messages WHERE message_id IN (SELECT message_id FROM inbox_messages"
	    " WHERE hl_ms(received_at) <= hl_ms(hl_now()) - $1 ORDER BY message_id LIMIT $2) RETURNING message_id"};
	const struct db_param params[] = {db_int(INBOX_KEPT_MS), db_int(limit)};

	return old_rows_remove(db, &statement, params, 2, removed, err);
}
