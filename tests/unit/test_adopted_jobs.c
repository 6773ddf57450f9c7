/*
 * The jobs of adopted nodes become the adopter's, whichever step fails. The store is an SQLite file and, if
 * HOOKS_TEST_POSTGRES_URL names a database (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/clock.h"
#include "shm/counters.h"
#include "store/db_ops.h"
#include "tests/unit/adoption_fixture.h"
#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"

static struct error err;

#define ADD(id, uuid)                                                                                                  \
	"WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $3) "                   \
	"INSERT INTO jobs (tenant_id, endpoint_id, job_id, event_id, node_id, status) "                                \
	"SELECT $1, CAST($2 AS " uuid "), CAST(" id " AS " uuid "), CAST(" id " AS " uuid "), $4, 'pending' "          \
	"FROM numbers"
#define PG_ID "'01900000-0000-7000-8000-' || lpad(n::text, 12, '0')"
#define SQLITE_ID "'01900000-0000-7000-8000-' || printf('%012d', n)"

/* Adds jobs of an endpoint that has none yet, in rows of that node. */
static void
add_jobs_of(int64_t node_id, uint8_t endpoint, uint32_t count)
{
	must_begin(jobs_db);
	must_run(jobs_db, BOTH(ADD(PG_ID, "uuid"), ADD(SQLITE_ID, "text")),
	    PARAMS(db_string(jobs_tenant), db_uuid(endpoint_id(endpoint)), db_int(count), db_int(node_id)));
	must_commit(jobs_db);
}

static int64_t
jobs_of(int64_t node_id)
{
	char sql[100];

	(void)snprintf(
	    sql, sizeof sql, "SELECT count(*) FROM jobs WHERE tenant_id = $1 AND node_id = %d", (int)node_id);
	return tenant_count(sql);
}

static uint32_t
missed(uint32_t courier)
{
	return courier_missed(segment_courier(&segment, courier));
}

/* Takes steps until none is due at once. */
static void
step_all(void)
{
	while (adoption_due_us(&adoption) <= clock_steady_us())
		must_be(0, adoption_step(&adoption, jobs_db, &own, &err), &err);
}

/* After lose_answers() a commit takes effect, but its caller gets an error. */
static const struct db_ops *real_ops;
static struct db_ops lossy_ops;

static int
commit_and_lose(struct db *db, struct error *error)
{
	must_be(0, real_ops->commit(db, error), error);
	return error_set(error, "lost");
}

static void
roll_nothing_back(struct db *db)
{
	(void)db;
}

static void
lose_answers(void)
{
	real_ops = jobs_db->ops;
	lossy_ops = *real_ops;
	lossy_ops.commit = commit_and_lose;
	lossy_ops.rollback = roll_nothing_back;
	jobs_db->ops = &lossy_ops;
}

static void
get_answers(void)
{
	jobs_db->ops = real_ops;
}

static void
test_an_adoption_whose_commit_lost_its_answer_is_carried_on(void **state)
{
	const struct node_heartbeat says = {.seen_version = 1, .timeout_ms = TIMEOUT * 1000};
	const struct node_heartbeat_result result = {.ours = true, .alive_ms = 1000};

	add_jobs_of(2, 2, 3);
	step_all();
	run("UPDATE delivery_nodes SET left_at = hl_time(0) WHERE node_id = 2");
	lose_answers();
	assert_true(adoption_after_heartbeat(&adoption, jobs_db, &own, &says, &result, 100 * SECOND_US, &err) < 0);
	get_answers();
	assert_int_equal(adopted_by(2), 1);
	beat(105, 0);
	step_all();
	assert_int_equal(jobs_of(1), 3);
	assert_int_equal(missed(1), 1);
}

static void
test_the_last_pass_for_a_node_keeps_the_row_of_another_one_whose_adoption_is_in_doubt(void **state)
{
	const struct node_heartbeat says = {.seen_version = 1, .timeout_ms = TIMEOUT * 1000};
	const struct node_heartbeat_result result = {.ours = true, .alive_ms = (1000000 + 105) * 1000};

	add_jobs_of(2, 2, 3);
	run("UPDATE delivery_nodes SET left_at = hl_time(0) WHERE node_id = 2");
	beat(100, 0);
	step_all(); /* the first pass */
	adoption.next_us = 0;
	while (adoption.state != ADOPTION_SENDS)
		must_be(0, adoption_step(&adoption, jobs_db, &own, &err), &err);
	add_jobs_of(3, 3, 4);
	run("UPDATE delivery_nodes SET left_at = hl_time(0) WHERE node_id = 3");
	lose_answers();
	assert_true(adoption_after_heartbeat(&adoption, jobs_db, &own, &says, &result, 105 * SECOND_US, &err) < 0);
	get_answers();
	step_all(); /* the pass ends */
	assert_int_equal(adopted_by(3), 1);
	beat(110, 0);
	step_all();
	assert_int_equal(jobs_of(1), 3 + 4);
	adoption.next_us = 0;
	step_all();
	assert_int_equal(adopted_by(2), -1);
	assert_int_equal(adopted_by(3), -1);
}

static void
test_couriers_learn_of_jobs_that_were_moved_by_a_commit_whose_answer_is_lost(void **state)
{
	add_jobs_of(2, 2, 3);
	run("UPDATE delivery_nodes SET left_at = hl_time(0) WHERE node_id = 2");
	beat(100, 0);
	must_be(0, adoption_step(&adoption, jobs_db, &own, &err), &err); /* the step that looks for jobs */
	lose_answers();
	assert_true(adoption_step(&adoption, jobs_db, &own, &err) < 0);
	get_answers();
	assert_int_equal(jobs_of(1), 3);
	assert_int_equal(missed(1), 0);
	assert_true(adoption_due_us(&adoption) > clock_steady_us() + SECOND_US);
	adoption.next_us = 0;
	step_all();
	assert_int_equal(missed(0), 1);
	assert_int_equal(missed(1), 1);
}

static void
test_couriers_learn_of_jobs_that_were_moved_by_a_process_that_died(void **state)
{
	add_jobs_of(1, 2, 3); /* the process that died had moved them */
	run("UPDATE delivery_nodes SET adopted_by = 1, adopted_at = hl_now() WHERE node_id = 2");
	adoption_open(&adoption, &db_config, &segment);
	step_all();
	assert_int_equal(missed(0), 1);
	assert_int_equal(missed(1), 1);
}

static void
test_a_step_that_the_store_refuses_is_tried_again_later_and_others_go_on(void **state)
{
	add_jobs_of(2, 2, 3);
	run("UPDATE delivery_nodes SET left_at = hl_time(0) WHERE node_id = 2");
	beat(100, 0);
	add_refusal("stays", "UPDATE ON jobs", "NEW.node_id = 1");
	step_all();
	assert_in_range(adoption_due_us(&adoption) - clock_steady_us(), SECOND_US, 60 * SECOND_US);
	assert_int_equal(jobs_of(2), 3);
	remove_refusal("stays", "jobs");
	adoption.next_us = 0;
	step_all();
	assert_int_equal(jobs_of(1), 3);
}

static void
test_jobs_that_another_session_has_locked_are_moved_when_they_are_free(void **state)
{
	struct db *other;

	if (db_config.hl_store != HL_STORE_POSTGRES)
		skip(); /* one transaction at a time */
	add_jobs_of(2, 2, 3);
	other = must_open();
	must_begin(other);
	must_run(other, SAME("SET LOCAL idle_in_transaction_session_timeout = 0"), NULL, 0);
	must_run(other, SAME("UPDATE jobs SET last_error = 'x' WHERE tenant_id = $1"), PARAMS(db_string(jobs_tenant)));
	run("UPDATE delivery_nodes SET left_at = hl_time(0) WHERE node_id = 2");
	beat(100, 0);
	step_all();
	assert_int_equal(jobs_of(2), 3);
	assert_in_range(adoption_due_us(&adoption) - clock_steady_us(), 0, 2 * SECOND_US);
	db_rollback(other);
	db_close(other);
	adoption.next_us = 0;
	step_all();
	assert_int_equal(jobs_of(1), 3);
}

static void
test_a_node_whose_number_is_anothers_removes_no_row(void **state)
{
	const struct node_row before = {.node_id = 1, .epoch = 9};

	run("UPDATE delivery_nodes SET adopted_by = 1, adopted_at = hl_now() WHERE node_id = 2");
	must_be(0, adoption_remove(jobs_db, &before, &err), &err);
	assert_int_equal(adopted_by(2), 1);
	must_be(0, adoption_remove(jobs_db, &own, &err), &err);
	assert_int_equal(adopted_by(2), -1);
}

static void
test_the_jobs_of_adopted_nodes_become_the_nodes_and_its_couriers_look_for_them(void **state)
{
	add_jobs_of(1, 1, 2);
	add_jobs_of(2, 2, 3);
	add_jobs_of(3, 3, 4);
	add_jobs_of(4, 4, 5);
	run("UPDATE delivery_nodes SET left_at = hl_time(0) WHERE node_id IN (2, 4)");
	step_all();
	assert_int_equal(jobs_of(1), 2);
	assert_int_equal(missed(0), 0);
	beat(100, 0);
	step_all();
	assert_int_equal(jobs_of(1), 2 + 3 + 5);
	assert_int_equal(jobs_of(3), 4);
	assert_int_equal(missed(0), 1);
	assert_int_equal(missed(1), 1);
	assert_int_equal(counted(COUNTER_LEFT_NODES_ADOPTED), 2);
	assert_int_equal(counted(COUNTER_JOBS_ADOPTED), 8);
}

static void
test_a_job_that_is_committed_after_the_adoption_is_moved_by_the_second_pass_then_the_row_goes(void **state)
{
	run("UPDATE delivery_nodes SET left_at = hl_time(0) WHERE node_id = 2");
	beat(100, 0);
	step_all();
	assert_int_equal(adopted_by(2), 1);
	assert_true(adoption_due_us(&adoption) > clock_steady_us() + 2 * db_config.store_timeout_ms * INT64_C(1000));
	add_jobs_of(2, 2, 3);
	adoption.next_us = 0;
	step_all();
	assert_int_equal(jobs_of(1), 3);
	assert_int_equal(adopted_by(2), -1);
	assert_true(adoption_due_us(&adoption) == INT64_MAX);
}

static void
test_the_row_stays_while_a_transaction_from_before_the_adoption_lasts(void **state)
{
	struct db *other;

	if (db_config.hl_store != HL_STORE_POSTGRES)
		skip(); /* SQLite has one transaction that writes at a time */
	other = must_open();
	must_begin(other);
	must_run(other, SAME("INSERT INTO pauses (tenant_id, paused_at) VALUES ('other', hl_now())"), NULL, 0);
	run("UPDATE delivery_nodes SET left_at = hl_time(0) WHERE node_id = 2");
	beat(100, 0);
	step_all();
	for (int passes = 0; passes < 4; passes++) {
		adoption.next_us = 0;
		step_all();
		assert_int_equal(adopted_by(2), 1);
	}
	db_rollback(other);
	db_close(other);
	add_jobs_of(2, 2, 3);
	adoption.next_us = 0;
	step_all();
	assert_int_equal(jobs_of(1), 3);
	assert_int_equal(adopted_by(2), -1);
}

static void
test_many_jobs_move_in_slices_and_a_new_process_goes_on_where_the_old_one_died(void **state)
{
	add_jobs_of(2, 2, 4500);
	run("UPDATE delivery_nodes SET left_at = hl_time(0) WHERE node_id = 2");
	beat(100, 0);
	for (int steps = 0; steps < 2; steps++) /* the step that looks for jobs, and the first slice */
		must_be(0, adoption_step(&adoption, jobs_db, &own, &err), &err);
	assert_in_range(jobs_of(1), 1, 4000);
	adoption_open(&adoption, &db_config, &segment);
	step_all();
	assert_int_equal(jobs_of(1), 4500);
}

static void
test_orders_that_are_too_many_for_one_statement_are_taken_over_a_few_at_a_time(void **state)
{
	if (!store_has_delays())
		skip();
	add_delay("slow_heads", "UPDATE ON fifo_heads", "ROW", "0.02");
	run("INSERT INTO fifo_heads (tenant_id, endpoint_id, ordering_key, last_seq, node_id) "
	    "SELECT 'orders', gen_random_uuid(), '', 0, 2 FROM generate_series(1, 60)");
	run("UPDATE delivery_nodes SET left_at = hl_time(0) WHERE node_id = 2");
	beat(100, 0);
	db_config.store_timeout_ms = 1000;
	for (int tries = 0; tries < 200 && adoption_due_us(&adoption) != INT64_MAX; tries++) {
		(void)adoption_step(&adoption, jobs_db, &own, &err);
		adoption.next_us = adoption.next_us == INT64_MAX ? INT64_MAX : 0;
	}
	db_config.store_timeout_ms = 5000;
	remove_refusal("slow_heads", "fifo_heads");
	assert_int_equal(adopted_by(2), -1);
	assert_int_equal(tenant_count("SELECT count(*) FROM fifo_heads WHERE $1 <> '' AND node_id = 1"), 60);
	run("DELETE FROM fifo_heads WHERE tenant_id = 'orders'");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ADOPTION_TEST(test_an_adoption_whose_commit_lost_its_answer_is_carried_on),
	    ADOPTION_TEST(test_the_last_pass_for_a_node_keeps_the_row_of_another_one_whose_adoption_is_in_doubt),
	    ADOPTION_TEST(test_couriers_learn_of_jobs_that_were_moved_by_a_commit_whose_answer_is_lost),
	    ADOPTION_TEST(test_couriers_learn_of_jobs_that_were_moved_by_a_process_that_died),
	    ADOPTION_TEST(test_a_step_that_the_store_refuses_is_tried_again_later_and_others_go_on),
	    ADOPTION_TEST(test_jobs_that_another_session_has_locked_are_moved_when_they_are_free),
	    ADOPTION_TEST(test_a_node_whose_number_is_anothers_removes_no_row),
	    ADOPTION_TEST(test_the_jobs_of_adopted_nodes_become_the_nodes_and_its_couriers_look_for_them),
	    ADOPTION_TEST(
		test_a_job_that_is_committed_after_the_adoption_is_moved_by_the_second_pass_then_the_row_goes),
	    ADOPTION_TEST(test_the_row_stays_while_a_transaction_from_before_the_adoption_lasts),
	    ADOPTION_TEST(test_many_jobs_move_in_slices_and_a_new_process_goes_on_where_the_old_one_died),
	    ADOPTION_TEST(test_orders_that_are_too_many_for_one_statement_are_taken_over_a_few_at_a_time),
	};

	return cmocka_run_group_tests(tests, jobs_set_up, jobs_tear_down);
}
