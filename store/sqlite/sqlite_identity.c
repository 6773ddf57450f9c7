/*
 * A database of hooksd has the table of its migrations, or no table at all yet. An application_id would not do: a
 * database rebuilt from a dump has none.
 */
#include "store/sqlite/sqlite_identity.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/log.h"

#define MAGIC "SQLite format 3" /* its NUL is part of it */
#define URI_MAX (3 * PATH_MAX + 64)

/* cache_size: large enough for the pages of a batch, which would otherwise be written twice. */
const struct sqlite_kind sqlite_events = {
    .option = "SQLITE_PATH",
    .migrations = &sqlite_migrations,
    .mode = 0666,
    .settings = "PRAGMA cache_size = -65536;",
};

/* Each thread has a connection, and transactions are small. The file holds credentials of endpoints. */
const struct sqlite_kind sqlite_webhooks = {
    .option = "HL_DATA_PATH",
    .migrations = &webhooks_sqlite_migrations,
    .local = true,
    .mode = 0600,
    .settings = "PRAGMA cache_size = -4096; PRAGMA foreign_keys = ON;",
};

/* Network file systems: locks and shared memory do not reach other machines. */
static const struct {
	uint32_t magic;
	const char *name;
	bool maybe; /* there are local ones too */
} networks[] = {
    {NFS_SUPER_MAGIC, "NFS", false},
    {SMB_SUPER_MAGIC, "SMB", false},
    {CIFS_SUPER_MAGIC, "SMB", false},
    {SMB2_SUPER_MAGIC, "SMB", false},
    {CEPH_SUPER_MAGIC, "CephFS", false},
    {AFS_SUPER_MAGIC, "AFS", false},
    {AFS_FS_MAGIC, "AFS", false},
    {0x0bd00bd0, "Lustre", false},
    {0x47504653, "GPFS", false},
    {FUSE_SUPER_MAGIC, "FUSE", true},
    {V9FS_MAGIC, "9P", true},
};

/* Finds the file system of a file that may not exist yet, nor its directories. 0, or <0 with errno. */
static int
file_system_of(const char *path, struct statfs *fs)
{
	char at[PATH_MAX];

	(void)snprintf(at, sizeof at, "%s", path);
	while (statfs(at, fs) != 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			return -1;
		char *above = dirname(at); /* in the same buffer */
		(void)memmove(at, above, strlen(above) + 1);
	}
	return 0;
}

static int
check_place(const struct sqlite_kind *kind, const char *path, struct error *err)
{
	struct statfs fs;

	if (!kind->local || file_system_of(path, &fs) != 0)
		return 0;
	for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
		if ((uint32_t)fs.f_type != networks[i].magic)
			continue;
		if (!networks[i].maybe)
			return error_set(err,
			    "%s=%s is on a network file system (%s), where SQLite's locks do not hold between "
			    "machines: "
			    "use a local disk",
			    kind->option, path, networks[i].name);
		log_warning("the SQLite database must be on a disk of this machine: its file system may be a network's",
		    LOG_STR("option", kind->option), LOG_STR("path", path), LOG_STR("file_system", networks[i].name));
	}
	return 0;
}

/* Whether a rollback journal shows an unfinished transaction: then only SQLite can tell what the file was before. */
static bool
has_journal(const char *path)
{
	char journal[PATH_MAX + sizeof "-journal"];

	(void)snprintf(journal, sizeof journal, "%s-journal", path);
	return access(journal, F_OK) == 0;
}

/* 1: an SQLite database; 0: empty, unreadable or missing; <0: anything else. */
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

/* Makes a name for sqlite3_open_v2(). immutable: SQLite reads only this file and makes no other. */
static void
reading_uri(const char *path, bool immutable, char out[URI_MAX])
{
	char *end = stpcpy(out, "file:");

	for (const unsigned char *c = (const unsigned char *)path; *c != '\0' && end < out + 3 * PATH_MAX; c++) {
		if (isalnum(*c) || strchr("/._-", *c) != NULL)
			*end++ = (char)*c;
		else
			end += sprintf(end, "%%%02X", *c);
	}
	(void)strcpy(end, immutable ? "?mode=ro&immutable=1" : "?mode=ro");
}

static int
open_to_read(const char *path, bool immutable, sqlite3 **db)
{
	char uri[URI_MAX];

	reading_uri(path, immutable, uri);
	return sqlite3_open_v2(uri, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL);
}

int
sqlite_open_unchanged(const char *path, sqlite3 **db)
{
	char log[PATH_MAX + sizeof "-wal"];

	(void)snprintf(log, sizeof log, "%s-wal", path);
	return open_to_read(path, access(log, F_OK) != 0, db);
}

int
sqlite_identity_check(const struct sqlite_kind *kind, const char *path, struct error *err)
{
	sqlite3 *db;
	int rc = check_place(kind, path, err);

	if (rc == 0)
		rc = check_head(kind, path, err);
	if (rc <= 0)
		return rc;
	rc = open_to_read(path, true, &db);
	if (rc == SQLITE_OK)
		rc = sqlite_identity_of(kind, db, path, err);
	(void)sqlite3_close(db);
	return rc < 0 ? -1 : 0;
}
