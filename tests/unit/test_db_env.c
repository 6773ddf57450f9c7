/* Processes that write to one webhooks' database take the write turn: none of them finds the database locked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/db_turn.h"
#include "store/webhooks_store.h"
#include "tests/unit/lane_fixture.h"
#include "tests/unit/segment_fixture.h"

#define THREADS 3
#define CHANGES 40

static char path[128];
static struct config config;
static struct segment segment;

static int
set_up(void **state)
{
	config = ring_config(2, 1, RING_OLD_BYTES);
	segment = ring_open(&config);
	(void)snprintf(path, sizeof path, "%s/hookline.db", ring_directory);
	config.hl_store = HL_STORE_EMBEDDED;
	config.hl_data_path = path;
	config.auto_migrate = true;
	config.store_timeout_ms = 20000;
	return 0;
}

static int
tear_down(void **state)
{
	ring_close(&segment);
	return 0;
}

static int
remove_all(void **state)
{
	return ring_remove(state) | ring_remove_directory(state);
}

static void
must_join(struct db_turn *env, uint32_t acceptor)
{
	struct process_slot *slot = segment_slot(&segment, ROLE_ACCEPTOR, acceptor);
	struct error err;

	REQUIRE(db_turn_open(env, &config, &segment, slot, &err) == 0);
	slot_begin(slot, getpid(), clock_steady_us());
}

static struct db *
must_open(struct db_turn *env)
{
	struct error err = {""};
	struct db *db = NULL;
	int rc = db_open(&db, &config, &env->env, &err);

	if (rc != 0)
		(void)fprintf(stderr, "%s\n", err.text);
	REQUIRE(rc == 0);
	return db;
}

static void
must_change(struct db *db)
{
	static const struct db_statement change = {.postgres = "UPDATE changes SET version = version + 1"};
	struct error err = {""};
	int rc = db_begin(db, &err);

	if (rc == 0)
		rc = db_query(db, &change, NULL, 0, NULL, &err);
	if (rc == 0)
		rc = db_commit(db, &err);
	if (rc != 0)
		(void)fprintf(stderr, "%s\n", err.text);
	REQUIRE(rc == 0);
}

static int64_t
version(struct db *db)
{
	static const struct db_statement read = {.postgres = "SELECT version FROM changes"};
	struct db_rows *rows;
	struct error err;

	REQUIRE(db_query(db, &read, NULL, 0, &rows, &err) == 0 && db_rows_count(rows) == 1);
	int64_t number = db_rows_int(rows, 0, 0);
	db_rows_free(rows);
	return number;
}

static void *
thread_changes(void *context)
{
	struct db_turn *env = context;
	struct db *db = must_open(env);

	for (int i = 0; i < CHANGES; i++)
		must_change(db);
	db_close(db);
	return NULL;
}

/* Writes as control does: from several threads, each with a connection of its own. */
static void
process_changes(uint32_t acceptor)
{
	struct db_turn env;
	pthread_t threads[THREADS];

	must_join(&env, acceptor);
	for (int i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&threads[i], NULL, thread_changes, &env) == 0);
	for (int i = 0; i < THREADS; i++)
		REQUIRE(pthread_join(threads[i], NULL) == 0);
	db_turn_close(&env);
}

static pid_t
fork_child(void)
{
	pid_t pid = fork();

	REQUIRE(pid >= 0);
	if (pid == 0)
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static void
test_threads_of_two_processes_open_and_write_at_once_and_no_change_is_lost(void **state)
{
	struct db_turn env;
	pid_t pid = fork_child();
	int status;

	if (pid == 0) {
		process_changes(1);
		_exit(0);
	}
	process_changes(0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);

	must_join(&env, 0);
	struct db *db = must_open(&env);
	assert_true(version(db) > 2 * THREADS * CHANGES);
	db_close(db);
	db_turn_close(&env);
}

static void
test_a_process_that_is_killed_in_its_transaction_frees_the_turn_and_the_database(void **state)
{
	struct db_turn env, own;
	int told[2], status;
	struct error err;
	char byte = 0;

	must_join(&env, 0);
	struct db *db = must_open(&env);
	must_change(db);
	int64_t before = version(db);
	assert_int_equal(pipe(told), 0);
	pid_t pid = fork_child();
	if (pid == 0) {
		must_join(&own, 1);
		struct db *other = must_open(&own);
		REQUIRE(db_begin(other, &err) == 0);
		REQUIRE(write(told[1], &byte, 1) == 1);
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(told[0], &byte, 1), 1);
	db_set_deadline(db, clock_steady_us() + 100000);
	assert_true(db_begin(db, &err) < 0);
	assert_non_null(strstr(err.text, "turn"));
	assert_int_equal(version(db), before); /* a reader does not wait for the writer */
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	db_set_deadline(db, INT64_MAX);
	must_change(db);
	assert_int_equal(version(db), before + 1);
	db_close(db);
	db_turn_close(&env);
	close(told[0]);
	close(told[1]);
}

static void
test_a_transaction_that_reads_needs_no_turn(void **state)
{
	struct db_turn env;
	struct error err;

	must_join(&env, 0);
	struct db *writer = must_open(&env), *reader = must_open(&env);
	int64_t before = version(reader);

	assert_int_equal(db_begin(writer, &err), 0);
	db_set_deadline(reader, clock_steady_us() + 5000000);
	assert_int_equal(db_begin_to_read(reader, &err), 0);
	assert_int_equal(version(reader), before);
	db_rollback(writer);
	must_change(writer);
	assert_int_equal(version(reader), before); /* it still sees the state at its beginning */
	db_rollback(reader);
	assert_int_equal(version(reader), before + 1);
	db_close(writer);
	db_close(reader);
	db_turn_close(&env);
}

int
main(void)
{
#define ENV_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    ENV_TEST(test_threads_of_two_processes_open_and_write_at_once_and_no_change_is_lost),
	    ENV_TEST(test_a_transaction_that_reads_needs_no_turn),
	    ENV_TEST(test_a_process_that_is_killed_in_its_transaction_frees_the_turn_and_the_database),
	};

	return cmocka_run_group_tests(tests, ring_make_directory, remove_all);
}
