/*
 * A node keeps its row in delivery_nodes, whichever process dies and when. The store is an SQLite file and, if
 * HOOKS_TEST_POSTGRES_URL names a database (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "courier/copy_guard.h"
#include "courier/node_file.h"
#include "courier/node_keeper.h"
#include "tests/unit/courier_segment.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"

#define SECOND_US (1000 * INT64_C(1000))

static char data_dir[] = "/tmp/hooks-node-keeper-XXXXXX";
static struct segment segment;
static struct error err;

static const char *
path(void)
{
	static char text[128];

	(void)snprintf(text, sizeof text, "%s/" NODE_FILE, data_dir);
	return text;
}

static int
set_up(void **state)
{
	assert_non_null(mkdtemp(data_dir));
	int rc = jobs_set_up(state);

	db_config.data_dir = data_dir;
	return rc;
}

static int
tear_down(void **state)
{
	char store[128];

	(void)snprintf(store, sizeof store, "%s/" STORE_FILE, data_dir);
	(void)unlink(store);
	(void)unlink(path());
	return jobs_tear_down(state) | rmdir(data_dir);
}

static int
begin(void **state)
{
	(void)unlink(path());
	segment = courier_segment_open(2);
	return jobs_new_tenant(state);
}

static int
end(void **state)
{
	courier_segment_close(&segment);
	return 0;
}

static void
run(const char *sql)
{
	must_begin(jobs_db);
	must_run(jobs_db, SAME(sql), NULL, 0);
	must_commit(jobs_db);
}

/* Claims a row as a courier that starts under a new master. */
static struct node_row
claim(void)
{
	struct node_keeper *keeper = node_keeper_new(&db_config, &segment);
	struct node_row row;

	node_write(&segment.header->node, &(struct node_row){0});
	assert_int_equal(node_keeper_due_us(keeper), 0);
	must_be(0, node_keeper_step(keeper, jobs_db, &err), &err);
	assert_true(node_read(&segment.header->node, &row));
	node_keeper_free(keeper);
	return row;
}

static struct node_file
file(void)
{
	struct node_file read;

	assert_int_equal(node_file_read(data_dir, &read, &err), 0);
	return read;
}

static void
write_file(const struct node_file *to_write)
{
	must_be(0, node_file_write(data_dir, to_write, &err), &err);
}

static void
must_be_claimed(const struct node_row *row)
{
	const struct node_file now = file();

	assert_int_equal(now.node_id, row->node_id);
	assert_true(now.epoch == row->epoch && now.next_epoch == row->epoch);
	assert_int_equal(must_count(jobs_db, "SELECT count(*) FROM delivery_nodes WHERE seen_version > 0"),
	    must_count(jobs_db, "SELECT count(*) FROM delivery_nodes"));
}

static void
test_each_start_has_the_same_row_with_another_epoch(void **state)
{
	struct node_row first = claim(), second;

	must_be_claimed(&first);
	second = claim();
	must_be_claimed(&second);
	assert_int_equal(first.node_id, second.node_id);
	assert_true(first.epoch != second.epoch);
}

static void
test_only_a_node_with_another_number_leaves_older_jobs_to_their_rows(void **state)
{
	const struct node_words *words = &segment.header->node;
	int64_t begun_us = clock_boot_us(), since_us;

	(void)claim();
	since_us = node_since_us(words);
	assert_true(since_us >= begun_us);
	(void)claim();
	assert_true(node_since_us(words) == since_us);
	run("UPDATE delivery_nodes SET adopted_by = 1000");
	(void)claim();
	assert_true(node_since_us(words) > since_us);
}

static void
test_a_death_before_or_after_the_claim_keeps_the_row(void **state)
{
	struct node_row row = claim(), next;

	/* The file names the next epoch. The row is unchanged. */
	write_file(&(struct node_file){row.node_id, row.epoch, 12345});
	next = claim();
	assert_int_equal(next.node_id, row.node_id);
	must_be_claimed(&next);

	/* The row was changed. The file still names both epochs. */
	write_file(&(struct node_file){row.node_id, 12345, next.epoch});
	row = next;
	next = claim();
	assert_int_equal(next.node_id, row.node_id);
	must_be_claimed(&next);
}

static void
test_a_death_in_the_first_claim_leaves_no_row_without_a_node(void **state)
{
	struct node_row row, next;

	/* The file names the epoch. There is no row yet. */
	write_file(&(struct node_file){0, 0, 12345});
	row = claim();
	must_be_claimed(&row);

	/* The row was added. The file has no number yet. */
	write_file(&(struct node_file){0, 0, row.epoch});
	next = claim();
	must_be_claimed(&next);
	assert_int_equal(next.node_id, row.node_id);
	assert_true(next.epoch != row.epoch);
}

static void
test_a_copy_of_the_directory_gets_a_row_of_its_own(void **state)
{
	struct node_row first = claim(), second, third;
	const struct node_file copied = file();

	second = claim();
	write_file(&copied);
	third = claim();
	assert_int_equal(first.node_id, second.node_id);
	assert_true(third.node_id != second.node_id);
	must_be_claimed(&third);
}

static void
test_a_file_that_is_damaged_or_gone_makes_a_new_node(void **state)
{
	struct node_row first = claim(), second;
	struct node_file read;
	FILE *stream = fopen(path(), "r+");

	assert_non_null(stream);
	assert_int_equal(fseek(stream, 11, SEEK_SET), 0);
	assert_int_equal(fputc('7', stream), '7');
	assert_int_equal(fclose(stream), 0);
	assert_int_equal(node_file_read(data_dir, &read, &err), NODE_FILE_NONE);
	second = claim();
	assert_true(first.node_id != second.node_id);
	must_be_claimed(&second);
	assert_int_equal(unlink(path()), 0);
	assert_int_equal(node_file_read(data_dir, &read, &err), NODE_FILE_NONE);
}

static void
test_no_row_is_claimed_when_the_file_cannot_be_written(void **state)
{
	struct node_keeper *keeper;
	struct node_row row = claim();
	int64_t epoch = row.epoch;
	char fresh[160];

	(void)snprintf(fresh, sizeof fresh, "%s.new", path());
	assert_int_equal(mkdir(fresh, 0700), 0);
	node_write(&segment.header->node, &(struct node_row){0});
	keeper = node_keeper_new(&db_config, &segment);
	assert_true(node_keeper_step(keeper, jobs_db, &err) < 0);
	assert_non_null(strstr(err.text, NODE_FILE));
	assert_false(node_read(&segment.header->node, &row));
	assert_int_equal(rmdir(fresh), 0);
	must_be(0, node_keeper_step(keeper, jobs_db, &err), &err);
	assert_true(node_read(&segment.header->node, &row) && row.epoch != epoch);
	must_be_claimed(&row);
	node_keeper_free(keeper);
}

static void
test_the_row_has_the_oldest_version_by_which_a_courier_acts(void **state)
{
	struct node_keeper *keeper = node_keeper_new(&db_config, &segment);

	for (int steps = 0; steps < 3; steps++) { /* the claim, a heartbeat, a look for adopted nodes */
		assert_int_equal(node_keeper_due_us(keeper), 0);
		must_be(0, node_keeper_step(keeper, jobs_db, &err), &err);
	}
	assert_true(node_keeper_due_us(keeper) > clock_steady_us() + 1000000);
	node_raise_changes_version(&segment.header->node, 70); /* other nodes wait, so it looks soon */
	assert_true(node_keeper_due_us(keeper) < clock_steady_us() + 1000000);
	courier_set_seen_version(segment_courier(&segment, 0), 70);
	courier_set_seen_version(segment_courier(&segment, 1), 80);
	assert_int_equal(node_keeper_due_us(keeper), 0);
	must_be(0, node_keeper_step(keeper, jobs_db, &err), &err);
	assert_int_equal(must_count(jobs_db, "SELECT max(seen_version) FROM delivery_nodes"), 70);
	assert_true(node_keeper_due_us(keeper) > clock_steady_us());
	must_be(0, node_keeper_leave(keeper, jobs_db, &err), &err);
	assert_int_equal(must_count(jobs_db, "SELECT count(*) FROM delivery_nodes WHERE left_at IS NOT NULL"), 1);
	node_keeper_free(keeper);
}

static void
test_other_nodes_do_not_wait_for_a_courier_that_is_gone_or_drains(void **state)
{
	struct node_keeper *keeper = node_keeper_new(&db_config, &segment);
	struct courier_slot *other = segment_courier(&segment, 1);

	for (int steps = 0; steps < 3; steps++) /* the claim, a heartbeat, a look for adopted nodes */
		must_be(0, node_keeper_step(keeper, jobs_db, &err), &err);
	courier_set_seen_version(segment_courier(&segment, 0), 80);
	courier_set_seen_version(other, 70);
	must_be(0, node_keeper_step(keeper, jobs_db, &err), &err);
	assert_int_equal(must_count(jobs_db, "SELECT max(seen_version) FROM delivery_nodes"), 70);
	slot_end(&other->process);
	assert_int_equal(node_keeper_due_us(keeper), 0);
	must_be(0, node_keeper_step(keeper, jobs_db, &err), &err);
	assert_int_equal(must_count(jobs_db, "SELECT max(seen_version) FROM delivery_nodes"), 80);
	slot_begin(&other->process, 200, 1); /* it may act by the version of its predecessor */
	must_be(0, node_keeper_step(keeper, jobs_db, &err), &err);
	assert_int_equal(must_count(jobs_db, "SELECT max(seen_version) FROM delivery_nodes"), 70);
	slot_set_state(&other->process, PROCESS_DRAINING);
	must_be(0, node_keeper_step(keeper, jobs_db, &err), &err);
	assert_int_equal(must_count(jobs_db, "SELECT max(seen_version) FROM delivery_nodes"), 80);
	node_keeper_free(keeper);
}

static void
test_attempts_end_before_another_node_may_adopt_this_one(void **state)
{
	struct node_keeper *keeper = node_keeper_new(&db_config, &segment);
	const struct node_words *words = &segment.header->node;
	int64_t begun_us = clock_boot_us();

	run("DELETE FROM delivery_nodes");
	assert_true(node_attempts_until_us(words) <= begun_us);
	for (int steps = 0; steps < 2; steps++) { /* the claim, a heartbeat */
		must_be(0, node_keeper_step(keeper, jobs_db, &err), &err);
		assert_in_range(node_heartbeat_us(words), begun_us, clock_boot_us());
		if (db_config.hl_store == HL_STORE_POSTGRES)
			assert_in_range(node_attempts_until_us(words) - begun_us, 20 * SECOND_US, 25 * SECOND_US);
		else
			assert_true(node_attempts_until_us(words) == INT64_MAX); /* there is never another node */
	}
	node_keeper_free(keeper);
}

static void
test_after_a_silence_attempts_go_on_when_couriers_know_the_changes(void **state)
{
	struct node_keeper *keeper = node_keeper_new(&db_config, &segment);
	const struct node_words *words = &segment.header->node;

	run("DELETE FROM delivery_nodes");
	for (int steps = 0; steps < 2; steps++)
		must_be(0, node_keeper_step(keeper, jobs_db, &err), &err);
	node_keeper_free(keeper);
	int64_t version = must_count(jobs_db, "SELECT version FROM changes");
	for (uint32_t i = 0; i < 2; i++)
		courier_set_seen_version(segment_courier(&segment, i), version);
	run("UPDATE changes SET version = version + 1");

	keeper = node_keeper_new(&db_config, &segment); /* it does not know how long there was no heartbeat */
	must_be(0, node_keeper_step(keeper, jobs_db, &err), &err);
	assert_true(node_attempts_until_us(words) <= clock_boot_us());
	courier_set_seen_version(segment_courier(&segment, 0), version + 1);
	must_be(0, node_keeper_step(keeper, jobs_db, &err), &err);
	assert_true(node_attempts_until_us(words) <= clock_boot_us());
	courier_set_seen_version(segment_courier(&segment, 1), version + 1);
	assert_int_equal(node_keeper_due_us(keeper), 0);
	must_be(0, node_keeper_step(keeper, jobs_db, &err), &err);
	assert_true(node_attempts_until_us(words) > clock_boot_us() + 10 * SECOND_US);
	node_keeper_free(keeper);
}

static void
test_a_node_that_is_alone_goes_on_without_a_store_unless_it_was_suspended(void **state)
{
	struct node_keeper *keeper;
	struct node_words *words = &segment.header->node;
	int64_t until_us;

	if (db_config.hl_store != HL_STORE_POSTGRES)
		skip();
	keeper = node_keeper_new(&db_config, &segment);
	run("DELETE FROM delivery_nodes");
	for (int steps = 0; steps < 2; steps++)
		must_be(0, node_keeper_step(keeper, jobs_db, &err), &err);
	node_set_attempts_until_us(words, clock_boot_us() + SECOND_US);
	node_keeper_failed(keeper);
	assert_true(node_attempts_until_us(words) > clock_boot_us() + 10 * SECOND_US);
	until_us = clock_boot_us() - 1;
	node_set_attempts_until_us(words, until_us); /* as after a suspend of the machine */
	node_keeper_failed(keeper);
	assert_true(node_attempts_until_us(words) == until_us);

	run("INSERT INTO delivery_nodes (node_id, epoch, name, started_at, alive_at, seen_version)"
	    " VALUES (1000, 1, 'other', hl_now(), hl_now(), 1)");
	courier_set_seen_version(segment_courier(&segment, 0), 90); /* makes a heartbeat due */
	must_be(0, node_keeper_step(keeper, jobs_db, &err), &err);
	until_us = clock_boot_us() + SECOND_US;
	node_set_attempts_until_us(words, until_us);
	node_keeper_failed(keeper);
	assert_true(node_attempts_until_us(words) == until_us);
	node_keeper_free(keeper);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_each_start_has_the_same_row_with_another_epoch),
	    TEST(test_only_a_node_with_another_number_leaves_older_jobs_to_their_rows),
	    TEST(test_a_death_before_or_after_the_claim_keeps_the_row),
	    TEST(test_a_death_in_the_first_claim_leaves_no_row_without_a_node),
	    TEST(test_a_copy_of_the_directory_gets_a_row_of_its_own),
	    TEST(test_a_file_that_is_damaged_or_gone_makes_a_new_node),
	    TEST(test_no_row_is_claimed_when_the_file_cannot_be_written),
	    TEST(test_the_row_has_the_oldest_version_by_which_a_courier_acts),
	    TEST(test_other_nodes_do_not_wait_for_a_courier_that_is_gone_or_drains),
	    TEST(test_attempts_end_before_another_node_may_adopt_this_one),
	    TEST(test_after_a_silence_attempts_go_on_when_couriers_know_the_changes),
	    TEST(test_a_node_that_is_alone_goes_on_without_a_store_unless_it_was_suspended),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
