/*
 * VACUUM INTO reads in one transaction, so the copy is a snapshot, and it copies table by table into a new file without
 * unused pages. SQLite's backup functions would start again at each commit of hooksd.
 */
#include "store/sqlite/sqlite_copy.h"

#include <limits.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/format.h"
#include "store/sqlite/sqlite_identity.h"

/* SQLite calls the watch this often, in instructions of its machine. */
#define WATCH_INSTRUCTIONS 1000

/* For locks that hooksd takes briefly when it opens the database or empties its log. */
#define WAIT_MS 5000

/* ---- connections ---- */

static int
is_over(void *context)
{
	const struct sqlite_copy_watch *watch = context;

	return !watch->goes_on(watch->context);
}

/* Translates SQLite's code to a condition, or <0. *err does not name the path. */
static int
failed(sqlite3 *db, int code, struct error *err)
{
	int error = sqlite3_system_errno(db);

	if (code == SQLITE_OK)
		return 0;
	(void)error_set(err, "%s%s%s", sqlite3_errmsg(db), error != 0 ? ": " : "", error != 0 ? strerror(error) : "");
	switch (code & 0xff) {
	case SQLITE_INTERRUPT:
		return SQLITE_COPY_STOPPED;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return SQLITE_COPY_DAMAGED;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return SQLITE_COPY_IN_USE;
	default:
		return -1;
	}
}

/* Ends a public function: prefixes *err with what failed and the path. Returns rc. */
static int
prefix_error(int rc, const char *what, const char *path, struct error *err)
{
	struct error why;

	if (rc == 0)
		return 0;
	why = *err;
	(void)error_set(err, "%s %s: %s", what, path, why.text);
	return rc;
}

/* Close *db also after a failure. */
static int
open_database(const char *path, int flags, sqlite3 **db, struct error *err)
{
	char name[PATH_MAX + 2];
	int code;

	/* A name that begins with "file:" or ":" would be no path. */
	(void)snprintf(name, sizeof name, "%s%s", path[0] == '/' ? "" : "./", path);
	code = sqlite3_open_v2(name, db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_busy_timeout(*db, WAIT_MS);
	return failed(*db, code, err);
}

/*
 * Reads the first column of the first row as text, "" for NULL or no row; longer text is cut off. parameter: $1, or
 * NULL.
 */
static int
read_text(sqlite3 *db, const char *sql, const char *parameter, char out[SQLITE_COPY_TEXT_BYTES], struct error *err)
{
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

	out[0] = '\0';
	if (code == SQLITE_OK && parameter != NULL)
		code = sqlite3_bind_text(statement, 1, parameter, -1, SQLITE_STATIC);
	if (code == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW &&
	    sqlite3_column_type(statement, 0) != SQLITE_NULL)
		(void)snprintf(out, SQLITE_COPY_TEXT_BYTES, "%s", (const char *)sqlite3_column_text(statement, 0));
	if (code == SQLITE_OK)
		code = sqlite3_finalize(statement);
	return failed(db, code, err);
}

static int
exec(sqlite3 *db, const char *sql, struct error *err)
{
	return failed(db, sqlite3_exec(db, sql, NULL, NULL, NULL), err);
}

/* <0: it belongs to another application. */
static int
check_whose(sqlite3 *db, const char *path, struct error *err)
{
	int rc = sqlite_identity_of(&sqlite_webhooks, db, path, err);

	return rc > 0 ? failed(db, rc, err) : rc;
}

/* Opens a connection that leaves the log unchanged when it closes. */
static int
open_to_leave(const char *path, int flags, sqlite3 **db, struct error *err)
{
	int rc = open_database(path, flags, db, err);

	return rc == 0 ? failed(*db, sqlite3_db_config(*db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL), err) : rc;
}

/* Opens a database that hooksd may have open: reads it and its log, and writes to neither. */
static int
open_in_use(const char *path, sqlite3 **db, struct error *err)
{
	int rc = open_to_leave(path, SQLITE_OPEN_READONLY, db, err);

	return rc == 0 ? check_whose(*db, path, err) : rc;
}

/* ---- making one ---- */

static int
give_identity(const char *path, struct error *err)
{
	char id[FORMAT_UUID_BYTES + 1] = "", unused[SQLITE_COPY_TEXT_BYTES];
	uint8_t bytes[16];
	sqlite3 *db;
	int rc = open_database(path, SQLITE_OPEN_READWRITE, &db, err);

	crypto_random(bytes, sizeof bytes);
	format_uuid(bytes, id);
	/* The caller syncs the file, and an unfinished copy is useless anyway. */
	if (rc == 0)
		rc = exec(db, "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF", err);
	if (rc == 0)
		rc = read_text(db,
		    "INSERT INTO store_identity (id, store_id) VALUES (1, $1)"
		    " ON CONFLICT (id) DO UPDATE SET store_id = excluded.store_id, created_at = excluded.created_at",
		    id, unused, err);
	(void)sqlite3_close(db);
	return rc;
}

int
sqlite_copy_make(const char *path, const char *to, const struct sqlite_copy_watch *watch, struct error *err)
{
	char unused[SQLITE_COPY_TEXT_BYTES];
	sqlite3 *db;
	int rc = open_in_use(path, &db, err);

	if (rc == 0) {
		sqlite3_progress_handler(db, WATCH_INSTRUCTIONS, is_over, (void *)(uintptr_t)watch);
		rc = read_text(db, "VACUUM INTO $1", to, unused, err);
	}
	(void)sqlite3_close(db);
	if (rc == 0)
		rc = give_identity(to, err);
	rc = prefix_error(rc, "cannot copy", path, err);
	return rc == 0 || rc == SQLITE_COPY_STOPPED ? rc : -1;
}

/* ---- reading one ---- */

static int
read_identity(sqlite3 *db, struct sqlite_copy_facts *facts, struct error *err)
{
	char version[SQLITE_COPY_TEXT_BYTES];
	int rc = read_text(db, "SELECT CAST(max(version) AS text) FROM hookline_schema_migrations", NULL, version, err);

	if (rc == 0)
		rc = read_text(db, "SELECT store_id FROM store_identity", NULL, facts->store_id, err);
	if (rc == 0)
		rc = read_text(db, "SELECT deployment FROM store_identity", NULL, facts->deployment, err);
	facts->schema_version = atoi(version);
	return rc;
}

static int
check(sqlite3 *db, struct error *err)
{
	char said[SQLITE_COPY_TEXT_BYTES];
	int rc = read_text(db, "PRAGMA quick_check(1)", NULL, said, err);

	if (rc != 0 || strcmp(said, "ok") == 0)
		return rc;
	(void)error_set(err, "%s", said);
	return SQLITE_COPY_DAMAGED;
}

static int
count_table(sqlite3 *db, struct sqlite_copy_table *table, struct error *err)
{
	char count[SQLITE_COPY_TEXT_BYTES],
	    *sql = sqlite3_mprintf("SELECT CAST(count(*) AS text) FROM \"%w\"", table->name);
	int rc = sql != NULL ? read_text(db, sql, NULL, count, err) : failed(db, SQLITE_NOMEM, err);

	sqlite3_free(sql);
	table->rows = rc == 0 ? strtoll(count, NULL, 10) : 0;
	return rc;
}

static int
count_tables(sqlite3 *db, struct sqlite_copy_facts *facts, struct error *err)
{
	static const char next[] = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
				   " AND name > $1 ORDER BY name LIMIT 1";
	const char *last = "";

	for (facts->table_count = 0; facts->table_count < SQLITE_COPY_TABLES_MAX; facts->table_count++) {
		struct sqlite_copy_table *table = &facts->tables[facts->table_count];
		int rc = read_text(db, next, last, table->name, err);

		if (rc != 0 || table->name[0] == '\0')
			return rc;
		rc = count_table(db, table, err);
		if (rc != 0)
			return rc;
		last = table->name;
	}
	return error_set(err, "it has more than %d tables", SQLITE_COPY_TABLES_MAX - 1);
}

int
sqlite_copy_read(
    const char *path, struct sqlite_copy_facts *facts, const struct sqlite_copy_watch *watch, struct error *err)
{
	sqlite3 *db;
	int code = sqlite_open_unchanged(path, &db), rc = failed(db, code, err);

	*facts = (struct sqlite_copy_facts){0};
	if (rc == 0) {
		sqlite3_progress_handler(db, WATCH_INSTRUCTIONS, is_over, (void *)(uintptr_t)watch);
		rc = check(db, err);
	}
	if (rc == 0)
		rc = read_identity(db, facts, err);
	if (rc == 0)
		rc = count_tables(db, facts, err);
	(void)sqlite3_close(db);
	return prefix_error(rc, "cannot read", path, err);
}

int
sqlite_copy_identify(const char *path, struct sqlite_copy_facts *facts, struct error *err)
{
	sqlite3 *db;
	int rc = open_in_use(path, &db, err);

	*facts = (struct sqlite_copy_facts){0};
	if (rc == 0)
		rc = read_identity(db, facts, err);
	(void)sqlite3_close(db);
	return prefix_error(rc, "cannot read", path, err) == 0 ? 0 : -1;
}

int
sqlite_copy_target_version(void)
{
	return webhooks_sqlite_migrations.target;
}

/* ---- ending its log ---- */

/*
 * As the only user of the file, SQLite syncs the log's content into the database before it removes the log. If that
 * fails the connection leaves all files as they are.
 */
int
sqlite_copy_end_log(const char *path, struct error *err)
{
	char mode[SQLITE_COPY_TEXT_BYTES];
	sqlite3 *db;
	int rc = open_to_leave(path, SQLITE_OPEN_READWRITE, &db, err);

	if (rc == 0)
		rc = check_whose(db, path, err);
	if (rc == 0)
		rc = exec(db, "PRAGMA synchronous = FULL", err);
	if (rc == 0)
		rc = read_text(db, "PRAGMA journal_mode = DELETE", NULL, mode, err);
	if (rc == 0 && strcmp(mode, "delete") != 0) {
		(void)error_set(err, "its log is in use");
		rc = SQLITE_COPY_IN_USE;
	}
	(void)sqlite3_close(db);
	return prefix_error(rc, "cannot end the log of", path, err);
}
