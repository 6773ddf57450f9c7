/*
 * SQLite restarts its log when a commit finds that all of it is in the database. The thread cannot achieve that while
 * others commit, but it leaves only a few pages, which the checkpoint of the next commit writes.
 *
 * SQLite writes the pages of a checkpoint to the page cache and then syncs the database. A commit of another connection
 * would wait behind a sync of hundreds of megabytes. So the thread's connection has a write method of its own, which
 * syncs each PIECE_BYTES and then pauses for as long as that took. It syncs by SQLite's descriptor: this process would
 * lose its locks on the database when it closed another one.
 */
#include "store/sqlite/sqlite_checkpointer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/repeat.h"

#define DUE_PAGES 3000 /* 12 MiB; each checkpoint holds up a publisher for its two syncs */
#define LONG_PAGES 6000 /* the thread writes a longer log */
#define PIECE_BYTES (512 << 10)
#define SLOW_DOWN_MS 1000 /* a commit waits at most this long for the thread */
#define RETRY_MS 100 /* while a reader or another process's checkpoint blocks the thread */

struct sqlite_checkpointer {
	sqlite3 *db; /* the committing connection */
	const char *path; /* of the database */
	int fd; /* of the database, to recognise it */
	bool committed; /* since the last call of sqlite_checkpointer_after_commit() */
	pthread_t thread;
	bool started;

	pthread_mutex_t lock; /* protects the members below */
	pthread_cond_t changed;
	bool wanted, stopping, commit_waits;
	sqlite3 *own_db; /* the thread's connection; NULL: not open yet */
	int log_pages; /* after the last commit */
	int done_pages; /* pages of the log that are in the database, as far as is known */
	int most_pages; /* limit of log_pages while the thread catches up; 0: none */
	uint32_t passes; /* completed passes of the thread */
	struct repeat failure; /* of a checkpoint */

	/* used only by the thread */
	const sqlite3_io_methods *methods; /* of the database file */
	sqlite3_io_methods paced;
	int piece_bytes; /* written since the last pause */
};

/* The SELECT opens the log. */
static const char settings[] = "PRAGMA synchronous = FULL; SELECT count(*) FROM sqlite_schema";

static _Thread_local struct sqlite_checkpointer *self;

/* Logs the failure of a checkpoint, unless something else explains it. The caller has the lock. */
static void
report(struct sqlite_checkpointer *checkpointer, int code)
{
	int general = code & 0xff;

	if (general == SQLITE_OK || general == SQLITE_BUSY || general == SQLITE_INTERRUPT || general == SQLITE_ABORT)
		return;
	if (repeat_met(&checkpointer->failure, clock_steady_us()) > 0)
		log_warning("the write-ahead log cannot be written into the embedded store",
		    LOG_STR("path", checkpointer->path), LOG_STR("error", sqlite3_errstr(code)));
}

/* ---- the thread's connection ---- */

/* Waits until that time, unless the thread shall end or hurry. The caller has the lock. */
static void
rest_until(int64_t until_us)
{
	const struct timespec until = {until_us / 1000000, until_us % 1000000 * 1000};

	while (!self->stopping && !self->commit_waits && clock_steady_us() < until_us)
		(void)pthread_cond_clockwait(&self->changed, &self->lock, CLOCK_MONOTONIC, &until);
}

/*
 * Returns SQLite's code. A failure ends the checkpoint, and a later one writes its pages again: the kernel reports a
 * failed write only once for each descriptor, so the sync at the end of the checkpoint could succeed.
 */
static int
sync_piece(sqlite3_file *file)
{
	int64_t began_us = clock_steady_us();
	int code = self->methods->xSync(file, SQLITE_SYNC_NORMAL);
	int64_t ended_us = clock_steady_us();

	self->piece_bytes = 0;
	if (code != SQLITE_OK)
		return code;
	pthread_mutex_lock(&self->lock);
	rest_until(ended_us + (ended_us - began_us));
	pthread_mutex_unlock(&self->lock);
	return SQLITE_OK;
}

static int
paced_write(sqlite3_file *file, const void *page, int len, sqlite3_int64 at)
{
	int code = self->methods->xWrite(file, page, len, at);

	self->piece_bytes += len;
	return code == SQLITE_OK && self->piece_bytes >= PIECE_BYTES ? sync_piece(file) : code;
}

static int
pace(sqlite3 *db)
{
	sqlite3_file *file;
	int code = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);

	if (code != SQLITE_OK)
		return code;
	self->methods = file->pMethods;
	self->paced = *file->pMethods;
	self->paced.xWrite = paced_write;
	file->pMethods = &self->paced;
	return SQLITE_OK;
}

/* Returns SQLite's code; close *db in any case. SQLITE_ABORT: another file may be at the path now. */
static int
connect_own(sqlite3 **db)
{
	int code = sqlite3_open_v2(self->path, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

	if (code == SQLITE_OK && !files_named(self->fd, self->path))
		code = SQLITE_ABORT;
	if (code == SQLITE_OK)
		code = sqlite3_db_config(*db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(*db, settings, NULL, NULL, NULL);
	return code == SQLITE_OK ? pace(*db) : code;
}

static int
open_own(void)
{
	sqlite3 *db;
	int code = connect_own(&db);

	if (code != SQLITE_OK) {
		(void)sqlite3_close(db);
		return code;
	}
	pthread_mutex_lock(&self->lock);
	self->own_db = db;
	if (self->stopping)
		sqlite3_interrupt(db); /* sqlite_checkpointer_stop() has not seen it */
	pthread_mutex_unlock(&self->lock);
	return SQLITE_OK;
}

/* ---- the thread ---- */

/* Returns false if the thread shall end. The caller has the lock. */
static bool
wait_for_work(void)
{
	while (!self->wanted && !self->stopping)
		(void)pthread_cond_wait(&self->changed, &self->lock);
	self->wanted = false;
	return !self->stopping;
}

/*
 * The limit of the log ends when its rest is short, and also without progress, because then a reader blocks the thread.
 * The caller has the lock.
 */
static void
end_pass(int done_pages)
{
	bool advanced = done_pages > self->done_pages;

	self->passes++;
	if (advanced)
		self->done_pages = done_pages;
	if (!advanced || self->log_pages - self->done_pages <= LONG_PAGES)
		self->most_pages = 0;
	pthread_cond_broadcast(&self->changed);
	if (!advanced)
		rest_until(clock_steady_us() + RETRY_MS * 1000);
}

/* Returns SQLite's code. *done: how many pages of the log are in the database; <0: unknown. */
static int
pass(int *done)
{
	int all, code = self->own_db != NULL ? SQLITE_OK : open_own();

	*done = -1;
	if (code == SQLITE_OK)
		code = sqlite3_wal_checkpoint_v2(self->own_db, "main", SQLITE_CHECKPOINT_PASSIVE, &all, done);
	if (code != SQLITE_OK)
		*done = -1;
	return code;
}

static void *
run(void *argument)
{
	self = argument;
	pthread_mutex_lock(&self->lock);
	while (wait_for_work()) {
		if (self->most_pages == 0)
			self->most_pages = 2 * self->log_pages;
		pthread_mutex_unlock(&self->lock);
		int done_pages, code = pass(&done_pages);
		pthread_mutex_lock(&self->lock);
		report(self, code);
		end_pass(done_pages);
	}
	pthread_mutex_unlock(&self->lock);
	(void)sqlite3_close(self->own_db);
	return NULL;
}

/* ---- the committing connection ---- */

static int
on_commit(void *context, sqlite3 *db, const char *name, int pages)
{
	struct sqlite_checkpointer *checkpointer = context;

	(void)db;
	(void)name;
	checkpointer->committed = true;
	pthread_mutex_lock(&checkpointer->lock);
	checkpointer->log_pages = pages;
	if (checkpointer->done_pages > pages)
		checkpointer->done_pages = 0; /* the log was restarted */
	pthread_mutex_unlock(&checkpointer->lock);
	return SQLITE_OK;
}

struct sqlite_checkpointer *
sqlite_checkpointer_start(sqlite3 *db, int fd)
{
	struct sqlite_checkpointer *checkpointer = mem_new(1, sizeof *checkpointer);

	*checkpointer = (struct sqlite_checkpointer){.db = db,
	    .path = sqlite3_db_filename(db, "main"),
	    .fd = fd,
	    .lock = PTHREAD_MUTEX_INITIALIZER,
	    .changed = PTHREAD_COND_INITIALIZER};
	(void)sqlite3_wal_hook(db, on_commit, checkpointer);
	return checkpointer;
}

/* Slows down commits that are faster than the thread. The caller has the lock. */
static void
wait_for_thread(struct sqlite_checkpointer *checkpointer)
{
	int64_t until_us = clock_steady_us() + SLOW_DOWN_MS * 1000;
	const struct timespec until = {until_us / 1000000, until_us % 1000000 * 1000};
	uint32_t passes = checkpointer->passes;

	checkpointer->commit_waits = true;
	pthread_cond_broadcast(&checkpointer->changed);
	while (checkpointer->passes == passes && clock_steady_us() < until_us)
		(void)pthread_cond_clockwait(&checkpointer->changed, &checkpointer->lock, CLOCK_MONOTONIC, &until);
	checkpointer->commit_waits = false;
}

/* Returns false if there is no thread. The caller has the lock. */
static bool
ask_thread(struct sqlite_checkpointer *checkpointer)
{
	if (!checkpointer->started)
		checkpointer->started = pthread_create(&checkpointer->thread, NULL, run, checkpointer) == 0;
	if (!checkpointer->wanted)
		pthread_cond_broadcast(&checkpointer->changed);
	checkpointer->wanted = true;
	if (checkpointer->most_pages > 0 && checkpointer->log_pages > checkpointer->most_pages)
		wait_for_thread(checkpointer);
	return checkpointer->started;
}

static void
checkpoint(struct sqlite_checkpointer *checkpointer)
{
	int all = -1, done = -1;
	int code = sqlite3_wal_checkpoint_v2(checkpointer->db, "main", SQLITE_CHECKPOINT_PASSIVE, &all, &done);
	pthread_mutex_lock(&checkpointer->lock);
	report(checkpointer, code);
	if (code == SQLITE_OK)
		checkpointer->done_pages = done > 0 ? done : 0;
	pthread_mutex_unlock(&checkpointer->lock);
}

void
sqlite_checkpointer_in_turn(struct sqlite_checkpointer *checkpointer)
{
	if (!checkpointer->committed)
		return;
	pthread_mutex_lock(&checkpointer->lock);
	bool is_long = checkpointer->log_pages > LONG_PAGES;
	bool rest_is_short = checkpointer->log_pages - checkpointer->done_pages <= DUE_PAGES;
	pthread_mutex_unlock(&checkpointer->lock);
	if (!is_long || !rest_is_short)
		return;
	checkpointer->committed = false;
	checkpoint(checkpointer);
}

void
sqlite_checkpointer_after_commit(struct sqlite_checkpointer *checkpointer)
{
	if (!checkpointer->committed)
		return;
	checkpointer->committed = false;
	pthread_mutex_lock(&checkpointer->lock);
	bool is_due = checkpointer->log_pages >= DUE_PAGES;
	bool is_long = checkpointer->log_pages - checkpointer->done_pages > LONG_PAGES;
	bool is_asked = is_long && ask_thread(checkpointer);
	pthread_mutex_unlock(&checkpointer->lock);
	if (is_due && !is_asked)
		checkpoint(checkpointer);
}

void
sqlite_checkpointer_stop(struct sqlite_checkpointer *checkpointer)
{
	if (checkpointer == NULL)
		return;
	(void)sqlite3_wal_hook(checkpointer->db, NULL, NULL);
	pthread_mutex_lock(&checkpointer->lock);
	checkpointer->stopping = true;
	if (checkpointer->own_db != NULL)
		sqlite3_interrupt(checkpointer->own_db);
	pthread_cond_broadcast(&checkpointer->changed);
	pthread_mutex_unlock(&checkpointer->lock);
	if (checkpointer->started)
		(void)pthread_join(checkpointer->thread, NULL);
	free(checkpointer);
}
