/*
 * write_turn DIRECTORY SECONDS turn|polling: two processes write to one SQLite database with hooksd's settings. The
 * busy one stores 100 events a transaction without pause, as a publisher does. The small one makes a change every few
 * milliseconds, as control does. Prints how long the small one waited until it could begin, in milliseconds, and how
 * much the busy one has stored. "turn": they use shm/write_turn.h; "polling": SQLite's busy timeout.
 */
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "shm/segment_open.h"
#include "shm/write_turn.h"

#define BATCH 100
#define PAUSE_US 5000
#define WAITS_MAX 100000
#define FOR_EVER_US 600000000

enum { BUSY, SMALL, PROCESSES };

static struct segment segment;
static struct write_turn turn;
static bool by_turn;
static sqlite3 *db;
static double waits_ms[WAITS_MAX];

static void
die(const char *what)
{
	(void)fprintf(stderr, "%s: %s\n", what, db != NULL ? sqlite3_errmsg(db) : "");
	exit(1);
}

static void
run(const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		die(sql);
}

static void
open_database(const char *directory)
{
	char path[512];

	(void)snprintf(path, sizeof path, "%s/hookline.db", directory);
	if (sqlite3_open(path, &db) != SQLITE_OK)
		die(path);
	(void)sqlite3_busy_timeout(db, FOR_EVER_US / 1000);
	run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
}

static void
join(uint32_t process)
{
	struct process_slot *slot = segment_slot(&segment, ROLE_ACCEPTOR, process);
	struct error err;

	if (write_turn_open(&turn, &segment, slot, &err) != 0)
		die(err.text);
	slot_begin(slot, getpid(), clock_steady_us());
}

static int64_t
for_ever(void *context)
{
	(void)context;
	return INT64_MAX;
}

static void
begin(void)
{
	struct error err;

	if (by_turn && write_turn_take(&turn, &(struct turn_wait){.until_us = for_ever}, &err) != 0)
		die(err.text);
	run("BEGIN IMMEDIATE");
}

static void
commit(void)
{
	run("COMMIT");
	if (by_turn)
		write_turn_give(&turn);
}

/* Stores events until the time is over, writes the number of transactions to the pipe, and ends the process. */
static void
write_events(const char *directory, int64_t until_us, int report)
{
	sqlite3_stmt *insert;
	uint32_t transactions = 0;
	char payload[470];

	open_database(directory);
	join(BUSY);
	memset(payload, 'x', sizeof payload);
	if (sqlite3_prepare_v2(db, "INSERT INTO events (payload) VALUES (?)", -1, &insert, NULL) != SQLITE_OK)
		die("prepare");
	(void)sqlite3_bind_text(insert, 1, payload, sizeof payload, SQLITE_STATIC);
	for (; clock_steady_us() < until_us; transactions++) {
		begin();
		for (int i = 0; i < BATCH; i++) {
			if (sqlite3_step(insert) != SQLITE_DONE)
				die("insert");
			(void)sqlite3_reset(insert);
		}
		commit();
	}
	(void)sqlite3_finalize(insert);
	(void)sqlite3_close(db);
	_exit(write(report, &transactions, sizeof transactions) == (ssize_t)sizeof transactions ? 0 : 1);
}

/* Returns the number of waits. */
static size_t
write_changes(const char *directory, int64_t until_us)
{
	size_t count = 0;

	open_database(directory);
	join(SMALL);
	while (clock_steady_us() < until_us && count < WAITS_MAX) {
		int64_t asked_us = clock_steady_us();

		begin();
		waits_ms[count++] = (double)(clock_steady_us() - asked_us) / 1000;
		run("UPDATE changes SET version = version + 1; INSERT INTO audit (entry) VALUES ('endpoint.update')");
		commit();
		(void)usleep(PAUSE_US);
	}
	(void)sqlite3_close(db);
	return count;
}

static int
compare(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return (a > b) - (a < b);
}

int
main(int argc, char **argv)
{
	static char ring[512];
	struct config config = {.acceptors = PROCESSES, .writers = 1, .ring_bytes = 8 << 20, .ring_path = ring};
	uint32_t transactions = 0;
	struct error err;
	int report[2];

	if (argc != 4)
		return 2;
	double seconds = atof(argv[2]);
	by_turn = strcmp(argv[3], "turn") == 0;
	(void)snprintf(ring, sizeof ring, "%s/ring", argv[1]);
	if (segment_open(&segment, &config, &err) != 0)
		die(err.text);
	open_database(argv[1]);
	run("CREATE TABLE events (id INTEGER PRIMARY KEY, payload TEXT); CREATE TABLE audit (id INTEGER PRIMARY KEY, "
	    "entry TEXT); CREATE TABLE changes (version INTEGER); INSERT INTO changes VALUES (0)");
	(void)sqlite3_close(db);

	int64_t until_us = clock_steady_us() + (int64_t)(seconds * 1e6);
	if (pipe(report) != 0)
		die("pipe");
	pid_t pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		write_events(argv[1], until_us, report[1]);
	}
	size_t count = write_changes(argv[1], until_us);
	if (read(report[0], &transactions, sizeof transactions) != (ssize_t)sizeof transactions)
		die("the busy process");
	(void)waitpid(pid, NULL, 0);
	qsort(waits_ms, count, sizeof *waits_ms, compare);
	(void)printf("changes=%zu p50_ms=%.3f p99_ms=%.3f max_ms=%.3f events=%u\n", count, waits_ms[count / 2],
	    waits_ms[count - 1 - count / 100], waits_ms[count - 1], transactions * BATCH);
	return 0;
}
