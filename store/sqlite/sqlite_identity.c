/*
 * A database of hooksd is one that has the table of its migrations, or no table at all yet. An application_id would not
 * do: a database that was rebuilt from a dump has none.
 */
#include "store/sqlite/sqlite_identity.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "SQLite format 3" /* its terminator is part of it */
#define URI_MAX (3 * PATH_MAX + 64)

/* cache_size: holds the pages of a batch, which would be written twice if they did not fit. */
const struct sqlite_kind sqlite_events = {
    .option = "SQLITE_PATH",
    .migrations = &sqlite_migrations,
    .mode = 0666,
    .settings = "PRAGMA cache_size = -65536;",
};

/* Several threads have a connection each, and small transactions. auto_vacuum can be set in an empty file only. */
const struct sqlite_kind sqlite_webhooks = {
    .option = "HL_DATA_PATH",
    .migrations = &webhooks_sqlite_migrations,
    .mode = 0600,
    .settings = "PRAGMA cache_size = -4096; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA foreign_keys = ON;",
};

/* A transaction that created or changed the file was cut off: only SQLite can tell what the file was before. */
static bool
has_journal(const char *path)
{
	char journal[PATH_MAX + sizeof "-journal"];

	(void)snprintf(journal, sizeof journal, "%s-journal", path);
	return access(journal, F_OK) == 0;
}

/* 1: an SQLite database, 0: empty, unreadable, or not there. <0: anything else. */
static int
check_head(const struct sqlite_kind *kind, const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char head[sizeof MAGIC];
	struct stat st;
	int rc = 0;

	if (fd < 0)
		return 0;
	if (fstat(fd, &st) != 0)
		rc = error_errno(err, "cannot stat %s=%s", kind->option, path);
	else if (!S_ISREG(st.st_mode))
		rc = error_set(err, "%s=%s is not a regular file", kind->option, path);
	else if (st.st_size > 0 && !has_journal(path))
		rc = pread(fd, head, sizeof head, 0) == (ssize_t)sizeof head && memcmp(head, MAGIC, sizeof head) == 0
			 ? 1
			 : error_set(err, "%s=%s is not an SQLite database: set another path, or move the file away",
			       kind->option, path);
	close(fd);
	return rc;
}

int
sqlite_identity_of(const struct sqlite_kind *kind, sqlite3 *db, const char *path, struct error *err)
{
	static const char sql[] = "SELECT count(*), total(name = ?) FROM sqlite_schema";
	sqlite3_stmt *statement;
	bool foreign = false;
	int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

	if (rc == SQLITE_OK) {
		(void)sqlite3_bind_text(statement, 1, kind->migrations->table, -1, SQLITE_STATIC);
		if (sqlite3_step(statement) == SQLITE_ROW)
			foreign = sqlite3_column_int(statement, 0) > 0 && sqlite3_column_int(statement, 1) == 0;
		rc = sqlite3_finalize(statement);
	}
	if (rc != SQLITE_OK || !foreign)
		return rc;
	return error_set(err, "%s=%s is the database of another application: set another path", kind->option, path);
}

/* A name for sqlite3_open_v2() by which SQLite reads the file alone and makes none beside it. */
static void
immutable_uri(const char *path, char out[URI_MAX])
{
	char *end = stpcpy(out, "file:");

	for (const unsigned char *c = (const unsigned char *)path; *c != '\0' && end < out + 3 * PATH_MAX; c++) {
		if (isalnum(*c) || strchr("/._-", *c) != NULL)
			*end++ = (char)*c;
		else
			end += sprintf(end, "%%%02X", *c);
	}
	(void)strcpy(end, "?mode=ro&immutable=1");
}

int
sqlite_identity_check(const struct sqlite_kind *kind, const char *path, struct error *err)
{
	char uri[URI_MAX];
	sqlite3 *db;
	int rc = check_head(kind, path, err);

	if (rc <= 0)
		return rc;
	immutable_uri(path, uri);
	rc = sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite_identity_of(kind, db, path, err);
	(void)sqlite3_close(db);
	return rc < 0 ? -1 : 0;
}
