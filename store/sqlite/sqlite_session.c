/*
 * Settings, each with its reason:
 *
 *   journal_mode=WAL          a commit is one append and one sync; readers and the writer do not wait for each other
 *   synchronous=FULL          a commit returns when the log is synced; by NORMAL a power cut would take the last ones.
 *                             The webhooks' store commits by NORMAL and then syncs the log where db_sync_late() says so
 *   wal_autocheckpoint        SQLite's 1000 pages: each 4 MiB of log are written into the database after a commit. The
 *                             webhooks' store has sqlite_checkpointer.h instead
 *   journal_size_limit        a log that a long transaction of a reader has made large becomes small again
 *   temp_store=MEMORY         no temporary files in directories that nobody has named
 *
 * The log may contain commits of a killed writer that were never synced, and after a failed sync the kernel treats
 * pages as clean that are not on the disk. A duplicate event is acknowledged without a write, so everything in the
 * database must be durable: opening ends with a checkpoint, which syncs the log, copies it, and syncs the database. If
 * a reader's transaction prevents the checkpoint, syncing the log is enough, except after a failed sync: then the store
 * waits for the reader.
 */
#include "store/sqlite/sqlite_session.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "store/sqlite/sqlite_identity.h"

/* Wait between two attempts to get a lock. */
#define RETRY_MS 5
/*
 * A checkpoint waits this long for readers; the next one writes the rest. If readers always overlap, every checkpoint
 * would leave a rest, so for a large log it waits until all present readers have ended.
 */
#define CHECKPOINT_WAIT_MS 100
#define LARGE_LOG_WAIT_MS 2000
#define LARGE_LOG_BYTES ((uint64_t)64 << 20)

static const char settings[] = "PRAGMA synchronous = FULL;"
			       "PRAGMA temp_store = MEMORY;"
			       "PRAGMA journal_size_limit = 67108864;";

void
sqlite_session_init(
    struct sqlite_session *session, const struct sqlite_kind *kind, const char *path, const struct sink_env *env)
{
	*session =
	    (struct sqlite_session){.kind = kind, .path = path, .env = env, .beats = true, .fd = -1, .log_fd = -1};
}

/* SQLite's busy handler: 0 gives up. */
static int
wait_for_lock(void *context, int tries)
{
	const struct sqlite_session *session = context;
	const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000};
	int64_t now = clock_steady_us();

	if (now >= session->wait_until_us || now >= sink_env_store_until_us(session->env))
		return 0;
	if (session->beats)
		sink_env_heartbeat(session->env);
	(void)nanosleep(&pause, NULL);
	return 1;
}

void
sqlite_session_start_wait(struct sqlite_session *session)
{
	session->wait_until_us = clock_steady_us() + (int64_t)session->wait_ms * 1000;
}

int
sqlite_session_failed(struct sqlite_session *session, int code, struct error *err)
{
	const char *option = session->kind->option, *path = session->path, *text = sqlite3_errmsg(session->db);
	int error = sqlite3_system_errno(session->db);

	if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC) {
		session->sync_failed = true;
		sink_env_sync_failed(session->env);
		return error_set(err, "cannot sync %s=%s: %s", option, path, error != 0 ? strerror(error) : text);
	}
	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return error_set(err,
		    "%s=%s is locked: another program has a transaction open that writes, and must end it", option,
		    path);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return error_set(err,
		    "%s=%s is damaged (%s): move it away with its -wal and -shm files, and hooksd begins "
		    "another; `sqlite3 FILE .dump` reads what is left",
		    option, path, text);
	case SQLITE_FULL:
		return error_set(err, "cannot write to %s=%s: %s", option, path, strerror(error != 0 ? error : ENOSPC));
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
		return error_set(err,
		    "cannot open %s=%s: %s%s%s: the file and its directory must be writable, for a log beside "
		    "it",
		    option, path, text, error != 0 ? ": " : "", error != 0 ? strerror(error) : "");
	default:
		return error_set(err, "cannot store in %s=%s: %s%s%s", option, path, text, error != 0 ? ": " : "",
		    error != 0 ? strerror(error) : "");
	}
}

int
sqlite_session_exec(struct sqlite_session *session, const char *sql, struct error *err)
{
	int code = sqlite3_exec(session->db, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : sqlite_session_failed(session, code, err);
}

/* The answer is the resulting mode; SQLite keeps the old one if it cannot have shared memory. */
static int
set_wal_mode(struct sqlite_session *session, struct error *err)
{
	sqlite3_stmt *statement;
	bool wal = false;
	int code = sqlite3_prepare_v2(session->db, "PRAGMA journal_mode = WAL", -1, &statement, NULL);

	if (code == SQLITE_OK) {
		if (sqlite3_step(statement) == SQLITE_ROW)
			wal = strcmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0;
		code = sqlite3_finalize(statement);
	}
	if (code != SQLITE_OK)
		return sqlite_session_failed(session, code, err);
	return wal ? 0
		   : error_set(err,
			 "%s=%s: its file system has no shared memory for a write-ahead log: use a local one",
			 session->kind->option, session->path);
}

static int
check_identity(struct sqlite_session *session, struct error *err)
{
	int rc = sqlite_identity_of(session->kind, session->db, session->path, err);

	return rc > 0 ? sqlite_session_failed(session, rc, err) : rc;
}

/* Without a checkpoint at its close until the database's owner is known. */
static int
connect_to(struct sqlite_session *session, struct error *err)
{
	char name[PATH_MAX];
	int code;

	/* A name that begins with "file:" or ":" would be no path. */
	if (snprintf(name, sizeof name, "%s%s", session->path[0] == '/' ? "" : "./", session->path) >= (int)sizeof name)
		return error_set(err, "%s=%s is too long", session->kind->option, session->path);
	code = sqlite3_open_v2(
	    name, &session->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_db_config(session->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_busy_handler(session->db, wait_for_lock, session);
	return code == SQLITE_OK ? 0 : sqlite_session_failed(session, code, err);
}

/*
 * Sets the log of a moved database aside, so that it can be returned to that database, which is incomplete without it.
 * SQLite would delete the log when it makes a new database, or apply it to another one.
 */
static int
keep_orphaned_log(const struct sqlite_session *session, struct error *err)
{
	char *real = realpath(session->path, NULL);
	const char *path = real != NULL ? real : session->path;
	char log[PATH_MAX + sizeof "-wal"], log_index[PATH_MAX + sizeof "-shm"], aside[PATH_MAX];
	struct stat st;

	(void)snprintf(log, sizeof log, "%s-wal", path);
	(void)snprintf(log_index, sizeof log_index, "%s-shm", path);
	free(real);
	bool foreign = session->log_is_orphaned || (fstat(session->fd, &st) == 0 && st.st_size == 0);
	if (!foreign || stat(log, &st) != 0 || st.st_size == 0)
		return 0;
	if (files_set_aside(log, aside, err) != 0)
		return -1;
	/* Readers of the old database may have locks in the index. SQLite makes a new one. */
	(void)unlink(log_index);
	log_warning("the write-ahead log of an SQLite database that is gone is set aside: it may hold events",
	    LOG_STR("path", log), LOG_STR("set_aside_as", aside));
	return 0;
}

static uint64_t
log_bytes(const struct sqlite_session *session)
{
	struct stat st;

	return session->log_fd >= 0 && fstat(session->log_fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static int
sync_log(struct sqlite_session *session, struct error *err)
{
	if (fdatasync(session->log_fd) == 0)
		return 0;
	session->sync_failed = true;
	sink_env_sync_failed(session->env);
	return error_errno(err, "cannot sync the log of %s=%s", session->kind->option, session->path);
}

static int
open_log(struct sqlite_session *session, struct error *err)
{
	const char *name = sqlite3_filename_wal(sqlite3_db_filename(session->db, "main"));

	session->log_fd = open(name, O_RDONLY | O_CLOEXEC);
	if (session->log_fd < 0)
		return error_errno(err, "cannot open %s (%s)", name, session->kind->option);
	if (log_bytes(session) == 0)
		session->sync_failed = false;
	else if (session->sync_failed)
		return error_set(err,
		    "%s=%s: a sync has failed, and another program's transaction keeps hooksd from writing the log "
		    "into the database again: it must end",
		    session->kind->option, session->path);
	return sync_log(session, err);
}

int
sqlite_session_removed(const struct sqlite_session *session, struct error *err)
{
	return error_set(err, "%s=%s was removed: put it back, or restart the service to begin another database",
	    session->kind->option, session->path);
}

/* Closing a descriptor opened with O_PATH drops no locks. */
static int
open_file(struct sqlite_session *session, struct error *err)
{
	const struct sqlite_kind *kind = session->kind;

	if (!session->shared) {
		if (sqlite_identity_check(kind, session->path, err) != 0)
			return -1;
		int fd = files_open(session->path, O_RDWR, kind->mode, kind->option, err);
		if (fd < 0)
			return -1;
		close(fd);
	}
	session->fd = open(session->path, O_PATH | O_CLOEXEC);
	if (session->fd < 0 && session->shared && errno == ENOENT)
		return sqlite_session_removed(session, err);
	return session->fd < 0 ? error_errno(err, "cannot open %s=%s", kind->option, session->path) : 0;
}

int
sqlite_session_connect(struct sqlite_session *session, struct error *err)
{
	if (open_file(session, err) != 0)
		return -1;
	sqlite_session_start_wait(session);
	int rc = keep_orphaned_log(session, err);
	if (rc == 0)
		rc = connect_to(session, err);
	if (rc == 0)
		rc = check_identity(session, err);
	if (rc == 0)
		rc = sqlite_session_exec(session, settings, err);
	if (rc == 0)
		rc = sqlite_session_exec(session, session->kind->settings, err);
	if (rc != 0)
		sqlite_session_close(session);
	return rc;
}

int
sqlite_session_begin_log(struct sqlite_session *session, struct error *err)
{
	uint64_t left;
	int rc = set_wal_mode(session, err);

	if (rc == 0)
		rc = sqlite_session_checkpoint(session, &left, err);
	if (rc == 0)
		rc = open_log(session, err);
	if (rc == 0)
		(void)sqlite3_db_config(session->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	return rc;
}

/* Whether the database was moved without its log, which a reader's transaction kept from being emptied. */
static bool
leaves_log(const struct sqlite_session *session)
{
	const char *log = sqlite3_filename_wal(sqlite3_db_filename(session->db, "main"));

	return log_bytes(session) > 0 && !files_in_place(session->fd, session->path) &&
	       files_in_place(session->log_fd, log);
}

void
sqlite_session_close(struct sqlite_session *session)
{
	if (session->db != NULL)
		session->log_is_orphaned = leaves_log(session);
	(void)sqlite3_close(session->db);
	session->db = NULL;
	if (session->log_fd >= 0)
		close(session->log_fd);
	if (session->fd >= 0)
		close(session->fd);
	session->log_fd = session->fd = -1;
	session->syncs_late = false;
}

int
sqlite_session_sync_late(struct sqlite_session *session, bool late, struct error *err)
{
	static const char *const settings_of[] = {"PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"};

	if (session->syncs_late != late && sqlite_session_exec(session, settings_of[late], err) != 0)
		return -1;
	session->syncs_late = late;
	return 0;
}

int
sqlite_session_end_commit(struct sqlite_session *session, struct error *err)
{
	return session->syncs_late ? sync_log(session, err) : 0;
}

bool
sqlite_session_in_place(const struct sqlite_session *session)
{
	const char *log = sqlite3_filename_wal(sqlite3_db_filename(session->db, "main"));

	return files_in_place(session->fd, session->path) && files_in_place(session->log_fd, log);
}

int
sqlite_session_checkpoint(struct sqlite_session *session, uint64_t *left, struct error *err)
{
	int64_t until_us = session->wait_until_us;
	int32_t wait_ms = log_bytes(session) > LARGE_LOG_BYTES ? LARGE_LOG_WAIT_MS : CHECKPOINT_WAIT_MS;

	session->wait_until_us = clock_steady_us() + wait_ms * 1000;
	int code = sqlite3_wal_checkpoint_v2(session->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	session->wait_until_us = until_us;
	*left = log_bytes(session);
	return code == SQLITE_OK || code == SQLITE_BUSY ? 0 : sqlite_session_failed(session, code, err);
}

uint64_t
sqlite_session_log_size(const char *path)
{
	char log[PATH_MAX + sizeof "-wal"];
	struct stat st;

	(void)snprintf(log, sizeof log, "%s-wal", path);
	return stat(log, &st) == 0 ? (uint64_t)st.st_size : 0;
}
