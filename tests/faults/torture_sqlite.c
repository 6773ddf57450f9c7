/*
 * The SQLite sink, whichever call fails, over a reopening and a database that is moved: every event of a batch that it
 * reported as stored is in a database, and none is there twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <glob.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/sqlite/sink_sqlite.h"
#include "tests/faults/torture.h"
#include "tests/unit/record_fixture.h"

#define TRIES 3
#define BATCH 3

static char path[128], moved[160];
static struct config config;
static const struct sink_env env;
static struct sink *sink;
static bool is_open;

static void
start(void)
{
	config = (struct config){
	    .sqlite_path = path, .data_dir = torture_directory, .auto_migrate = true, .store_timeout_ms = 1};
	sink = sink_sqlite_new(&config, &env);
	is_open = false;
}

/* Stores the events first to first + BATCH - 1 as the writer's loop does. Gives up after several tries. */
static void
store(struct torture_log *log, int first)
{
	uint32_t groups = faults()->groups;
	struct record *records[BATCH];
	struct sink_result result;
	struct error err = {""};
	int rc = -1;

	faults()->groups = 0; /* the test's own memory */
	for (int i = 0; i < BATCH; i++) {
		records[i] =
		    record_of(&(struct event){.id = (uint8_t)(first + i), .event_type = "e", .session_id = "s"});
		log->tried[first + i] = 1;
	}
	faults()->groups = groups;
	for (int tries = 0; tries < TRIES && rc != 0; tries++) {
		rc = is_open ? 0 : sink->ops->open(sink, &err);
		if (rc == 0)
			rc = sink->ops->store(
			    sink, &(struct batch){(const struct record *const *)records, BATCH}, &result, &err);
		is_open = rc == 0;
		torture_assert(
		    rc == 0 || strstr(err.text, "SQLITE_PATH") != NULL || strstr(err.text, torture_directory) != NULL,
		    "no place in \"%s\"", err.text);
	}
	for (int i = 0; i < BATCH; i++) {
		log->promised[first + i] = rc == 0;
		free(records[i]);
	}
}

static void
prepare(struct torture_log *log)
{
	start();
	store(log, 1);
	sink->ops->close(sink);
}

static void
run(struct torture_log *log)
{
	uint32_t groups = faults()->groups;

	start();
	store(log, 10);
	sink->ops->reopen(sink);
	store(log, 20);
	if (is_open)
		is_open = sink->ops->upkeep(sink, &(struct error){""}) == 0;
	faults()->groups = 0; /* another program does this */
	(void)rename(path, moved);
	faults()->groups = groups;
	store(log, 30);
	sink->ops->close(sink);
}

static void
count_rows(struct torture_log *log, const char *database)
{
	sqlite3_stmt *rows;
	sqlite3 *db;
	int rc;

	torture_assert(sqlite3_open_v2(database, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK, "%s", database);
	torture_assert(sqlite3_prepare_v2(db, "SELECT event_id FROM hook_events", -1, &rows, NULL) == SQLITE_OK,
	    "%s: %s", database, sqlite3_errmsg(db));
	while ((rc = sqlite3_step(rows)) == SQLITE_ROW) {
		const char *id = (const char *)sqlite3_column_text(rows, 0);

		log->delivered[strtoul(id + strlen(id) - 2, NULL, 16)]++;
	}
	torture_assert(rc == SQLITE_DONE, "%s: %s", database, sqlite3_errmsg(db));
	(void)sqlite3_finalize(rows);
	(void)sqlite3_close(db);
}

/* A log that could not be written into the moved database is kept and belongs to it. */
static void
give_back_log(void)
{
	char pattern[192], name[192];
	glob_t found;

	(void)snprintf(pattern, sizeof pattern, "%s-wal.set-aside.*", path);
	(void)snprintf(name, sizeof name, "%s-wal", moved);
	if (glob(pattern, 0, NULL, &found) == 0) {
		torture_assert(found.gl_pathc == 1 && rename(found.gl_pathv[0], name) == 0, "%s", found.gl_pathv[0]);
		globfree(&found);
	}
}

static void
check(struct torture_log *log)
{
	start();
	store(log, 40);
	torture_assert(is_open, "it does not work without faults");
	sink->ops->close(sink);
	count_rows(log, path);
	give_back_log();
	if (access(moved, F_OK) == 0)
		count_rows(log, moved);
	for (int id = 0; id < 256; id++)
		torture_assert(log->delivered[id] >= log->promised[id] && log->delivered[id] <= log->tried[id],
		    "event %d stands there %d times", id, log->delivered[id]);
}

static void
every_stored_event_stands_there_once(void **state)
{
	torture(&(struct torture){prepare, run, check});
}

/*
 * SQLite allocates memory thousands of times, and its own tests make each allocation fail. Here only the calls of
 * hooksd fail. test_torture.py also makes SQLite's fail.
 */
static sqlite3_mem_methods memory;

static void *
sqlite_malloc(int size)
{
	uint32_t groups = faults()->groups;

	faults()->groups &= ~(uint32_t)FAULT_MEMORY;
	void *new = memory.xMalloc(size);
	faults()->groups = groups;
	return new;
}

static void *
sqlite_realloc(void *old, int size)
{
	uint32_t groups = faults()->groups;

	faults()->groups &= ~(uint32_t)FAULT_MEMORY;
	void *new = memory.xRealloc(old, size);
	faults()->groups = groups;
	return new;
}

/* SQLite waits ten seconds for a lock that never comes. */
static int
sqlite_fcntl(int fd, int command, void *argument)
{
	uint32_t groups = faults()->groups;

	faults()->groups &= ~(uint32_t)FAULT_MEMORY;
	int rc = fcntl(fd, command, argument);
	faults()->groups = groups;
	return rc;
}

static int
set_up(void **state)
{
	sqlite3_mem_methods methods;

	int rc = torture_make_directory(state);
	(void)sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory);
	methods = memory;
	methods.xMalloc = sqlite_malloc;
	methods.xRealloc = sqlite_realloc;
	(void)sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	(void)vfs->xSetSystemCall(vfs, "fcntl", (sqlite3_syscall_ptr)sqlite_fcntl);
	(void)snprintf(path, sizeof path, "%s/events.db", torture_directory);
	(void)snprintf(moved, sizeof moved, "%s.moved", path);
	return rc;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_stored_event_stands_there_once),
	};

	return cmocka_run_group_tests(tests, set_up, torture_remove_directory);
}
