/*
 * The rows of nodes in the webhooks' store. The store is an SQLite file and, if HOOKS_TEST_POSTGRES_URL names a
 * database (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "store/webhooks/changes.h"
#include "store/webhooks/node_rows.h"
#include "tests/unit/db_fixture.h"

static struct db *db;
static _Thread_local struct error err;

static int
no_nodes(void **state)
{
	db = must_open();
	must_begin(db);
	must_run(db, SAME("DELETE FROM delivery_nodes"), NULL, 0);
	must_commit(db);
	return 0;
}

static int
close_it(void **state)
{
	db_close(db);
	return 0;
}

static struct node_row
must_claim(struct db *by, int64_t node_id, int64_t epoch, int64_t other_epoch, int64_t next_epoch)
{
	const struct node_claim claim = {node_id, epoch, other_epoch, next_epoch, "here", 5, 30000};
	struct node_row row;
	bool fresh;

	must_be(0, node_rows_claim(by, &claim, &row, &fresh, &err), &err);
	assert_true(row.epoch == next_epoch);
	assert_true(fresh || row.node_id == node_id);
	return row;
}

static bool
beats(const struct node_row *row, int64_t seen_version)
{
	const struct node_heartbeat beat = {.seen_version = seen_version, .sessions = "{1,2}", .timeout_ms = 30000};
	struct node_heartbeat_result result;

	must_be(0, node_rows_heartbeat(db, row, &beat, &result, &err), &err);
	return result.ours;
}

static void
change(const char *sql)
{
	must_begin(db);
	must_run(db, SAME(sql), NULL, 0);
	must_commit(db);
}

static void
a_node_without_a_row_gets_the_smallest_free_number(void **state)
{
	for (int64_t id = 1; id <= 3; id++)
		assert_int_equal(must_claim(db, 0, 0, 0, 10 * id).node_id, id);
	change("DELETE FROM delivery_nodes WHERE node_id = 2");
	assert_int_equal(must_claim(db, 0, 0, 0, 40).node_id, 2);
	assert_int_equal(must_claim(db, 0, 0, 0, 50).node_id, 4);
	assert_int_equal(must_count(db, "SELECT count(*) FROM delivery_nodes WHERE name = 'here' AND seen_version = 5"
					" AND left_at IS NULL AND hl_ms(hl_now()) - hl_ms(alive_at) < 60000"),
	    4);
}

static void
a_node_that_starts_again_takes_up_its_row(void **state)
{
	struct node_row row = must_claim(db, 0, 0, 0, 10);

	must_be(0, node_rows_leave(db, &row, &err), &err);
	assert_int_equal(must_count(db, "SELECT count(*) FROM delivery_nodes WHERE left_at IS NOT NULL"), 1);
	row = must_claim(db, row.node_id, 10, 10, 20);
	assert_int_equal(row.node_id, 1);
	assert_int_equal(must_count(db, "SELECT count(*) FROM delivery_nodes WHERE left_at IS NOT NULL"), 0);
	assert_true(beats(&row, 6));
}

static void
a_claim_whose_answer_was_lost_is_found_by_its_epoch(void **state)
{
	struct node_row row = must_claim(db, 0, 0, 0, 10);

	(void)must_claim(db, row.node_id, 10, 10, 20); /* it died before it knew the answer */
	row = must_claim(db, row.node_id, 10, 20, 30);
	assert_int_equal(row.node_id, 1);
	assert_int_equal(must_count(db, "SELECT count(*) FROM delivery_nodes"), 1);
}

static void
a_copy_of_a_node_gets_a_row_of_its_own_and_the_older_one_keeps_its_row(void **state)
{
	struct node_row original = must_claim(db, 0, 0, 0, 10), copy;

	original = must_claim(db, original.node_id, 10, 10, 20);
	copy = must_claim(db, 1, 10, 10, 30);
	assert_int_equal(copy.node_id, 2);
	assert_true(beats(&original, 6));
	assert_true(beats(&copy, 6));
}

static void
a_heartbeat_to_an_adopted_or_removed_row_fails_and_changes_nothing(void **state)
{
	struct node_row row = must_claim(db, 0, 0, 0, 10), other = must_claim(db, 0, 0, 0, 20);

	assert_true(beats(&row, 6));
	change("UPDATE delivery_nodes SET adopted_by = 2 WHERE node_id = 1");
	assert_false(beats(&row, 7));
	must_be(0, node_rows_leave(db, &row, &err), &err);
	assert_int_equal(
	    must_count(
		db, "SELECT count(*) FROM delivery_nodes WHERE node_id = 1 AND left_at IS NULL AND seen_version = 6"),
	    1);
	assert_int_equal(must_claim(db, 1, 10, 10, 30).node_id, 3);
	change("DELETE FROM delivery_nodes WHERE node_id = 2");
	assert_false(beats(&other, 7));
	other.epoch = 21;
	assert_false(beats(&other, 7));
}

/* How many other nodes may act by an earlier version. */
static uint32_t
unseen(int64_t version)
{
	struct db_rows *rows;
	uint32_t count;

	must_be(0, changes_unseen(db, version, 1, &rows, &err), &err);
	count = db_rows_count(rows);
	db_rows_free(rows);
	return count;
}

static void
a_change_waits_for_each_node_that_may_still_send(void **state)
{
	for (int64_t id = 1; id <= 3; id++)
		(void)must_claim(db, 0, 0, 0, 10 * id);
	assert_int_equal(unseen(5), 0);
	assert_int_equal(unseen(6), 2);
	/* A node that is cut off from the store goes on for a while. */
	change("UPDATE delivery_nodes SET alive_at = hl_time(hl_ms(hl_now()) - 20000) WHERE node_id = 2");
	assert_int_equal(unseen(6), 2);
	change("UPDATE delivery_nodes SET alive_at = hl_time(hl_ms(hl_now()) - 31000) WHERE node_id = 2");
	assert_int_equal(unseen(6), 1);
	change("UPDATE delivery_nodes SET left_at = hl_now() WHERE node_id = 3");
	assert_int_equal(unseen(6), 0);
}

#define CLAIMS 20

/* Claims new rows in a loop. context gets their numbers. */
static void *
claim_many(void *context)
{
	int64_t *numbers = context;
	struct db *own = must_open();

	for (int i = 0; i < CLAIMS; i++)
		numbers[i] = must_claim(own, 0, 0, 0, 10).node_id;
	db_close(own);
	return NULL;
}

static void
nodes_that_start_at_once_get_different_numbers(void **state)
{
	int64_t numbers[3 * CLAIMS];
	bool taken[3 * CLAIMS + 1] = {false};
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, claim_many, &numbers[CLAIMS * i]), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < 3 * CLAIMS; i++) {
		assert_in_range(numbers[i], 1, 3 * CLAIMS);
		assert_false(taken[numbers[i]]);
		taken[numbers[i]] = true;
	}
}

int
main(void)
{
#define NODE_TEST(test) cmocka_unit_test_setup_teardown(test, no_nodes, close_it)
	const struct CMUnitTest tests[] = {
	    NODE_TEST(a_node_without_a_row_gets_the_smallest_free_number),
	    NODE_TEST(a_node_that_starts_again_takes_up_its_row),
	    NODE_TEST(a_claim_whose_answer_was_lost_is_found_by_its_epoch),
	    NODE_TEST(a_copy_of_a_node_gets_a_row_of_its_own_and_the_older_one_keeps_its_row),
	    NODE_TEST(a_heartbeat_to_an_adopted_or_removed_row_fails_and_changes_nothing),
	    NODE_TEST(a_change_waits_for_each_node_that_may_still_send),
	    NODE_TEST(nodes_that_start_at_once_get_different_numbers),
	};

	return cmocka_run_group_tests(tests, db_set_up, db_tear_down);
}
