/* Checks the lock first: closing a descriptor of the file later drops this process's locks. */
#include "store/sqlite/sqlite_facts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/sqlite/sqlite_identity.h"
#include "store/sqlite/sqlite_migrate.h"

/* The byte of the file FILE-shm whose lock a writer has (SQLite's file format, 2.3.2). */
#define WRITE_LOCK_BYTE 120
#define ASK_INSTRUCTIONS 10000

static uint64_t
size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static pid_t
find_writer(const char *path)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = WRITE_LOCK_BYTE, .l_len = 1};
	char name[PATH_MAX + sizeof "-shm"];
	pid_t writer = 0;

	(void)snprintf(name, sizeof name, "%s-shm", path);
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return 0;
	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		writer = lock.l_pid;
	close(fd);
	return writer;
}

static int
is_late(void *context)
{
	const int64_t *until_us = context;

	return clock_steady_us() >= *until_us;
}

/* Returns SQLite's code. */
static int
check(sqlite3 *db, struct sqlite_facts *facts)
{
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &statement, NULL);

	if (code != SQLITE_OK)
		return code;
	if (sqlite3_step(statement) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(statement, 0);

		if (text != NULL && strcmp(text, "ok") != 0)
			(void)snprintf(facts->fault, sizeof facts->fault, "%s", text);
	}
	return sqlite3_finalize(statement);
}

int
sqlite_facts_read(const char *path, int64_t until_us, struct sqlite_facts *facts, struct error *err)
{
	char log[PATH_MAX + sizeof "-wal"];
	sqlite3 *db = NULL;

	(void)snprintf(log, sizeof log, "%s-wal", path);
	*facts = (struct sqlite_facts){
	    .bytes = size_of(path), .log_bytes = size_of(log), .writer = find_writer(path), .finished = true};
	int code = sqlite_open_unchanged(path, &db);
	if (code == SQLITE_OK) {
		sqlite3_progress_handler(db, ASK_INSTRUCTIONS, is_late, &until_us);
		code = check(db, facts);
	}
	if ((code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB)
		(void)snprintf(facts->fault, sizeof facts->fault, "%s", sqlite3_errmsg(db));
	else if ((code & 0xff) == SQLITE_INTERRUPT)
		facts->finished = false;
	else if (code != SQLITE_OK)
		(void)error_set(err, "%s cannot be read: %s", path, sqlite3_errmsg(db));
	facts->whole = facts->fault[0] == '\0';
	bool failed = code != SQLITE_OK && facts->whole && facts->finished;
	(void)sqlite3_close(db);
	return failed ? -1 : 0;
}

int
sqlite_facts_schema(const char *path, bool webhooks, int *version, int *target, struct error *err)
{
	static const struct sink_env env = {0};
	struct sqlite_session session;

	sqlite_session_init(&session, webhooks ? &sqlite_webhooks : &sqlite_events, path, &env);
	*target = session.kind->migrations->target;
	int code = sqlite_open_unchanged(path, &session.db);
	int rc = code == SQLITE_OK ? sqlite_migrate_read_version(&session, version, err)
				   : sqlite_session_failed(&session, code, err);
	(void)sqlite3_close(session.db);
	return rc;
}
