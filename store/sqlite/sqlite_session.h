/*
 * A connection to a database of hooksd. Its commits are on the disk, its waits for other programs' locks are bounded,
 * and its errors are sentences for operators in place of SQLite's codes.
 */
#ifndef STORE_SQLITE_SQLITE_SESSION_H
#define STORE_SQLITE_SQLITE_SESSION_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/sink_env.h"
#include "store/sqlite/sqlite_identity.h"

struct sqlite_session {
	const struct sqlite_kind *kind;
	const char *path; /* borrowed */
	const struct sink_env *env; /* borrowed */
	uint32_t wait_ms; /* the longest wait for a lock */
	/*
	 * The file must exist, and is not checked again: another connection of this process may have it open, and
	 * closing any descriptor of the file would drop that connection's locks.
	 */
	bool shared;
	bool beats; /* send heartbeats by env while waiting */
	sqlite3 *db; /* NULL: closed */
	int fd, log_fd; /* the database and its write-ahead log, to recognise them; -1: none */
	int64_t wait_until_us; /* steady */
	bool syncs_late; /* by sqlite_session_sync_late() */
	bool sync_failed; /* the log's content may not be on the disk, even if a later sync succeeds */
	bool log_is_orphaned; /* the log at path belongs to a database that was moved away */
};

/* Opens nothing yet; the caller sets wait_ms. */
void sqlite_session_init(
    struct sqlite_session *session, const struct sqlite_kind *kind, const char *path, const struct sink_env *env);

/*
 * Opens the database, which must be closed; makes missing file and directories. 0, or <0: it is closed. Its schema may
 * be older or newer than this program's: sqlite_migrate_open() (store/sqlite/sqlite_migrate.h) checks that.
 */
int sqlite_session_connect(struct sqlite_session *session, struct error *err);

/*
 * Switches to the write-ahead log. 0: everything that any process has committed is on the disk. <0: it is not, or the
 * log cannot be used.
 */
int sqlite_session_begin_log(struct sqlite_session *session, struct error *err);

/*
 * late: from now on a commit returns before it is on the disk, and sqlite_session_end_commit() must follow it. Not in a
 * transaction. 0, or <0 with the setting as it was.
 */
int sqlite_session_sync_late(struct sqlite_session *session, bool late, struct error *err);

/* The open session has committed. 0: that is on the disk. <0: it may not be; close the session. */
int sqlite_session_end_commit(struct sqlite_session *session, struct error *err);

/* Closes the database if it is open. All statements must be finalized. */
void sqlite_session_close(struct sqlite_session *session);

/* Whether the open files are still those at the database's path. */
bool sqlite_session_in_place(const struct sqlite_session *session);

/* Sets *err for a file that is gone and must not be made again. Returns <0. */
int sqlite_session_removed(const struct sqlite_session *session, struct error *err);

/* Starts the time that the next call may wait for locks. */
void sqlite_session_start_wait(struct sqlite_session *session);

/* Runs statements without results. 0 or <0 as sqlite_session_failed(). */
int sqlite_session_exec(struct sqlite_session *session, const char *sql, struct error *err);

/*
 * Writes the write-ahead log into the database, syncs it and empties the log, as far as other programs' transactions
 * allow. *left: the size of the log afterwards. 0 or <0.
 */
int sqlite_session_checkpoint(struct sqlite_session *session, uint64_t *left, struct error *err);

/*
 * The size of the write-ahead log of the database at path; 0: none. Needs no session and opens no file, so this process
 * loses no lock. Any thread.
 */
uint64_t sqlite_session_log_size(const char *path);

/* Sets *err for a failed call by its result code, and counts a failed sync. Returns <0. */
int sqlite_session_failed(struct sqlite_session *session, int code, struct error *err);

#endif
