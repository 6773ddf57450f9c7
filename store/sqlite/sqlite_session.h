/*
 * A connection to a database of hooksd: opened so that what it commits is on the disk, with bounded waits for
 * other programs' locks, and with sentences for operators in the place of SQLite's error codes.
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
	 * The file must be there, and was looked at: another connection of this process may have it open, whose locks
	 * the kernel would give up with any descriptor of the file that is closed.
	 */
	bool shared;
	bool beats; /* a wait tells env that the process lives */
	sqlite3 *db; /* NULL: closed */
	int fd, log_fd; /* of the database and of its write-ahead log, to know them again; -1: none */
	int64_t wait_until_us; /* steady */
	bool sync_failed; /* what stands in the log may not be on the disk, even if a later sync succeeds */
	bool log_is_orphaned; /* the log at path belonged to a database that was moved away */
};

/* Opens nothing yet; the caller sets wait_ms. */
void sqlite_session_init(
    struct sqlite_session *session, const struct sqlite_kind *kind, const char *path, const struct sink_env *env);

/*
 * Opens the database, which must be closed; makes file and directories where there are none. 0, or <0: it is closed.
 * Its schema may be older or newer than this program's: sqlite_migrate_open() (store/sqlite/sqlite_migrate.h) sees to
 * that.
 */
int sqlite_session_connect(struct sqlite_session *session, struct error *err);

/*
 * Begins to write by the write-ahead log. When it returns 0 everything that is committed in the database, by any
 * process, is on the disk. <0: it is not, or the log cannot be used.
 */
int sqlite_session_begin_log(struct sqlite_session *session, struct error *err);

/* Closes the database if it is open. All statements are finalized. */
void sqlite_session_close(struct sqlite_session *session);

/* Whether the files of the open database still are those at its path. */
bool sqlite_session_in_place(const struct sqlite_session *session);

/* Makes the sentence for a file that is gone and is not made anew. Returns <0. */
int sqlite_session_removed(const struct sqlite_session *session, struct error *err);

/* From now on locks are waited for as long as one call of a sink may take. */
void sqlite_session_start_wait(struct sqlite_session *session);

/* Runs statements without results. 0 or <0 as sqlite_session_failed(). */
int sqlite_session_exec(struct sqlite_session *session, const char *sql, struct error *err);

/*
 * Writes what stands in the write-ahead log into the database, syncs it and empties the log, as far as other programs'
 * transactions let it. *left is set to the size of the log afterwards. 0 or <0.
 */
int sqlite_session_checkpoint(struct sqlite_session *session, uint64_t *left, struct error *err);

/*
 * The size of the write-ahead log of the database at path; 0 where there is none. It needs no session and opens no
 * file, so no lock of this process is given up. Any thread.
 */
uint64_t sqlite_session_log_size(const char *path);

/* The last call failed by that result code: makes the sentence and counts a failed sync. Returns <0. */
int sqlite_session_failed(struct sqlite_session *session, int code, struct error *err);

#endif
