/*
 * A node adopts nodes that are gone, and no others. The store is an SQLite file and, if HOOKS_TEST_POSTGRES_URL names a
 * database (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <time.h>

#include "tests/unit/adoption_fixture.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"

static struct error err;

static void
test_a_silent_node_is_adopted_once_this_one_has_lived_without_a_gap_for_as_long(void **state)
{
	beat_until(100, 110);
	silence(2, TIMEOUT + 1);
	silence(3, TIMEOUT - 5);
	beat_until(115, 125);
	assert_int_equal(adopted_by(2), 0);
	beat(130, 0);
	assert_int_equal(adopted_by(2), 1);
	assert_int_equal(adopted_by(3), 0);
	assert_int_equal(adopted_by(1), 0);
	assert_int_equal(counted(COUNTER_SILENT_NODES_ADOPTED), 1);
}

static void
test_after_an_outage_of_the_store_no_node_is_adopted_before_all_had_time_for_a_heartbeat(void **state)
{
	beat_until(100, 200);
	silence(2, 60);
	silence(3, 60);
	silence(4, 60);
	beat_until(260, 285); /* the first heartbeat after the outage, and those within the other nodes' timeout */
	assert_int_equal(adopted_by(2), 0);
	silence(2, 0);
	silence(3, 0);
	beat(290, 0);
	assert_int_equal(adopted_by(2), 0);
	assert_int_equal(adopted_by(3), 0);
	assert_int_equal(adopted_by(4), 1);
}

static void
test_a_jump_of_the_databases_clock_adopts_no_node(void **state)
{
	beat_until(100, 200);
	for (int64_t id = 2; id <= 4; id++)
		silence(id, 3600);
	beat(205, 3600);
	for (int64_t id = 2; id <= 4; id++)
		silence(id, -3600);
	beat(210, 0); /* the clock is right again */
	beat_until(215, 235);
	for (int64_t id = 2; id <= 4; id++)
		assert_int_equal(adopted_by(id), 0);
	beat(240, 0); /* no node is alive by a heartbeat of the future */
	for (int64_t id = 2; id <= 4; id++)
		assert_int_equal(adopted_by(id), 1);
}

static void
test_a_node_that_has_left_is_adopted_when_its_last_process_has_ended(void **state)
{
	run("UPDATE delivery_nodes SET left_at = hl_time(hl_ms(hl_now()) - 1000) WHERE node_id = 2");
	silence(2, TIMEOUT + 1);
	beat_until(100, 150);
	assert_int_equal(adopted_by(2), 0);
	run("UPDATE delivery_nodes SET left_at = hl_time(hl_ms(hl_now()) - 9000) WHERE node_id = 2");
	beat(155, 0);
	assert_int_equal(adopted_by(2), 1);
}

static void
test_a_node_with_a_longer_timeout_of_its_own_is_adopted_after_that(void **state)
{
	run("UPDATE delivery_nodes SET timeout_ms = 60000 WHERE node_id = 2");
	silence(2, TIMEOUT + 5);
	silence(3, TIMEOUT + 5);
	beat_until(100, 150);
	assert_int_equal(adopted_by(2), 0);
	assert_int_equal(adopted_by(3), 1);
	silence(2, 61);
	beat(155, 0);
	assert_int_equal(adopted_by(2), 1);
}

static void
test_a_row_that_a_process_of_its_node_has_locked_keeps_no_other_node_from_being_adopted(void **state)
{
	struct db *other;

	if (db_config.hl_store != HL_STORE_POSTGRES)
		skip(); /* one transaction at a time */
	silence(2, TIMEOUT + 1);
	silence(3, TIMEOUT + 1);
	other = must_open();
	must_begin(other);
	db_rows_free(must_read(other, SAME("SELECT 1 FROM delivery_nodes WHERE node_id = 2 FOR SHARE"), NULL, 0));
	beat_until(100, 140);
	assert_int_equal(adopted_by(2), 0);
	assert_int_equal(adopted_by(3), 1);
	db_rollback(other);
	db_close(other);
	beat(145, 0);
	assert_int_equal(adopted_by(2), 1);
}

/* One of two nodes that adopt at the same time. */
struct adopter {
	struct node_row row;
	struct db *db;
	uint32_t adopted;
	int rc;
	struct error err;
};

static void *
adopt_once(void *context)
{
	struct adopter *adopter = context;
	const struct node_heartbeat says = {.seen_version = 1, .timeout_ms = TIMEOUT * 1000};
	const struct adoption_terms terms = {.left_ms = 1};
	struct db_rows *adopted = NULL;

	do
		adopter->rc = adoption_adopt(adopter->db, &adopter->row, &says, &terms, &adopted, &adopter->err);
	while (adopter->rc == DB_BUSY);
	adopter->adopted = db_rows_count(adopted);
	db_rows_free(adopted);
	return NULL;
}

static void
test_of_two_nodes_that_adopt_at_once_one_gets_the_node(void **state)
{
	struct adopter adopters[2] = {{.row = own}, {.row = {.node_id = 4, .epoch = 10}}};
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		adopters[i].db = must_open();
	for (int rounds = 0; rounds < 10; rounds++) {
		uint32_t adopted = 0;

		run("UPDATE delivery_nodes SET adopted_by = NULL, left_at = hl_time(0) WHERE node_id IN (2, 3)");
		for (int i = 0; i < 2; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, adopt_once, &adopters[i]), 0);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(pthread_join(threads[i], NULL), 0);
			must_be(0, adopters[i].rc, &adopters[i].err);
			adopted += adopters[i].adopted;
		}
		/*
		 * A node that was passed over, because the other node had just locked it, is adopted by that one. None
		 * is left.
		 */
		assert_int_equal(adopted, 2);
		assert_true(adopted_by(2) == 1 || adopted_by(2) == 4);
		assert_true(adopted_by(1) == 0 && adopted_by(4) == 0);
	}
	for (int i = 0; i < 2; i++)
		db_close(adopters[i].db);
}

static int64_t
ended_sessions(void)
{
	const struct adoption_terms terms = {.left_ms = 1, .silent_ms = 2};
	int64_t ended;

	must_be(0, adoption_end_sessions(jobs_db, &own, &terms, &ended, &err), &err);
	return ended;
}

static void
test_sessions_of_silent_nodes_are_ended_and_no_later_session_with_the_same_pid(void **state)
{
	struct db *other;
	int64_t pid;

	if (db_config.hl_store != HL_STORE_POSTGRES)
		skip();
	other = must_open();
	must_begin(other);
	pid = must_count(other, "SELECT pg_backend_pid()");
	must_begin(jobs_db);
	must_run(jobs_db, SAME("UPDATE delivery_nodes SET backend_pids = ARRAY[CAST($1 AS int)], timeout_ms = 1"),
	    PARAMS(db_int(pid)));
	must_commit(jobs_db);
	silence(2, 3600); /* the session began after the node's last heartbeat */
	run("UPDATE delivery_nodes SET alive_at = hl_time(0) WHERE node_id > 2");
	(void)nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
	assert_int_equal(ended_sessions(), 0);
	run("UPDATE delivery_nodes SET alive_at = hl_now() WHERE node_id = 2");
	(void)nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
	assert_int_equal(ended_sessions(), 1);
	db_close(other);
}

static void
test_a_node_that_has_adopted_others_is_adopted_with_them(void **state)
{
	run("UPDATE delivery_nodes SET adopted_by = 2, adopted_at = hl_now() WHERE node_id = 3");
	run("UPDATE delivery_nodes SET left_at = hl_time(0) WHERE node_id = 2");
	beat(100, 0);
	assert_int_equal(adopted_by(2), 1);
	assert_int_equal(adopted_by(3), 1);
	assert_int_equal(adopted_by(4), 0);
}

static void
test_a_node_whose_own_row_is_anothers_adopts_no_node(void **state)
{
	run("UPDATE delivery_nodes SET left_at = hl_time(0) WHERE node_id = 2");
	run("UPDATE delivery_nodes SET adopted_by = 4 WHERE node_id = 1");
	beat(100, 0);
	assert_int_equal(adopted_by(2), 0);
	run("UPDATE delivery_nodes SET adopted_by = NULL, epoch = 11 WHERE node_id = 1");
	beat(105, 0);
	assert_int_equal(adopted_by(2), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ADOPTION_TEST(test_a_silent_node_is_adopted_once_this_one_has_lived_without_a_gap_for_as_long),
	    ADOPTION_TEST(test_after_an_outage_of_the_store_no_node_is_adopted_before_all_had_time_for_a_heartbeat),
	    ADOPTION_TEST(test_a_jump_of_the_databases_clock_adopts_no_node),
	    ADOPTION_TEST(test_a_node_that_has_left_is_adopted_when_its_last_process_has_ended),
	    ADOPTION_TEST(test_a_node_with_a_longer_timeout_of_its_own_is_adopted_after_that),
	    ADOPTION_TEST(test_a_row_that_a_process_of_its_node_has_locked_keeps_no_other_node_from_being_adopted),
	    ADOPTION_TEST(test_of_two_nodes_that_adopt_at_once_one_gets_the_node),
	    ADOPTION_TEST(test_sessions_of_silent_nodes_are_ended_and_no_later_session_with_the_same_pid),
	    ADOPTION_TEST(test_a_node_that_has_adopted_others_is_adopted_with_them),
	    ADOPTION_TEST(test_a_node_whose_own_row_is_anothers_adopts_no_node),
	};

	return cmocka_run_group_tests(tests, jobs_set_up, jobs_tear_down);
}
