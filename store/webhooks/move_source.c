/* The previous id is kept behind the mark, so that a resumed move has the same name. */
#include "store/webhooks/move_source.h"

#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "store/webhooks/pause_rows.h"

#define MARK_BYTES 16 /* bytes of the checksum */
#define REASON                                                                                                         \
	"everything here was moved to another store, and this one was opened again. A resume of all deliveries sends " \
	"what waits here, whatever the other store has sent"

/* The database's name is added, because all databases of a server have one system identifier. */
static const struct db_statement name_store = {
    "SELECT COALESCE((SELECT store_id FROM store_identity WHERE id = 1), ''), current_database() || '/' ||"
    " current_schema()",
    "SELECT COALESCE((SELECT store_id FROM store_identity WHERE id = 1), ''), ''"};

static bool
begins_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static const char *
id_of_before(const char *store_id)
{
	return begins_with(store_id, STORE_ID_MOVED) ? store_id + strlen(STORE_ID_MOVED) : store_id;
}

int
move_mark(struct db *from, char mark[STORE_ID_BYTES], struct error *err)
{
	uint8_t digest[SHA256_BYTES];
	char name[512];
	struct db_rows *rows;
	int rc = db_query(from, &name_store, NULL, 0, &rows, err);

	if (rc != 0)
		return rc;
	const char *store_id = db_rows_text(rows, 0, 0).base;
	bool unfinished = begins_with(store_id, STORE_ID_OF_MOVE);
	int len = snprintf(name, sizeof name, "%s %s", id_of_before(store_id), db_rows_text(rows, 0, 1).base);
	db_rows_free(rows);
	if (unfinished)
		return error_set(err, "a move into the old store was never finished: it lacks rows");
	crypto_sha256((struct span){name, (size_t)len < sizeof name ? (size_t)len : sizeof name - 1}, digest);
	char *end = stpcpy(mark, STORE_ID_OF_MOVE);
	for (int i = 0; i < MARK_BYTES; i++, end += 2)
		(void)snprintf(end, 3, "%02x", digest[i]);
	return 0;
}

static int
set_moved(struct db *from, struct error *err)
{
	struct store_identity before, moved;
	bool exists;
	int rc = identity_rows_read(from, true, &before, &exists, err);

	if (rc != 0)
		return rc;
	moved = before;
	(void)snprintf(moved.store_id, sizeof moved.store_id, STORE_ID_MOVED "%.*s",
	    (int)(sizeof moved.store_id - sizeof STORE_ID_MOVED), id_of_before(before.store_id));
	return identity_rows_write(from, &moved, err);
}

int
move_set_moved(struct db *from, struct error *err)
{
	int rc = db_begin(from, err);

	if (rc == 0)
		rc = set_moved(from, err);
	return db_end(from, rc, err);
}

static int
reopen(struct db *db, struct error *err)
{
	struct store_identity identity, before;
	bool exists;
	int rc = identity_rows_read(db, true, &identity, &exists, err);

	if (rc != 0)
		return rc;
	if (!begins_with(identity.store_id, STORE_ID_MOVED))
		return error_set(err, "nothing was moved away from this store: hooksd starts on it");
	before = identity;
	(void)snprintf(
	    before.store_id, sizeof before.store_id, "%.*s", STORE_ID_BYTES - 1, id_of_before(identity.store_id));
	rc = identity_rows_write(db, &before, err);
	return rc == 0 ? pause_rows_set(db, PAUSE_OF_ALL, (struct span){REASON, strlen(REASON)}, NULL, err) : rc;
}

int
move_reopen(struct db *db, struct error *err)
{
	int rc = db_begin(db, err);

	if (rc == 0)
		rc = reopen(db, err);
	return db_end(db, rc, err);
}
