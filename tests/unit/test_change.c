/*
 * Changes by handlers: committed once, rolled back when refused, and tried again when another session was in the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "control/change.h"
#include "store/db.h"
#include "store/db_ops.h"

/* A store that notes the calls and fails as the test wants. */
static struct fake {
	char calls[100]; /* b: begin, q: query, c: commit, r: rollback, u: the body */
	const int *commits; /* the results of commit(), one after the other */
	bool tenant_is_gone;
} fake;

static void
note(const char *call)
{
	assert_true(strlen(fake.calls) + 1 < sizeof fake.calls);
	strcat(fake.calls, call);
}

static int
fake_begin(struct db *db, bool to_read, struct error *err)
{
	note("b");
	return 0;
}

static int
fake_commit(struct db *db, struct error *err)
{
	note("c");
	(void)snprintf(err->text, sizeof err->text, "told to fail");
	return fake.commits != NULL ? *fake.commits++ : 0;
}

static void
fake_rollback(struct db *db)
{
	note("r");
}

static int
fake_query(struct db *db, const struct db_call *call, struct db_rows **rows, struct error *err)
{
	note("q");
	*rows = db_rows_new(1);
	if (!fake.tenant_is_gone)
		db_rows_add(*rows, "1", 1);
	return 0;
}

static const struct db_ops ops = {
    .begin = fake_begin, .commit = fake_commit, .rollback = fake_rollback, .query = fake_query};

static int
body(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	note("u");
	assert_int_equal(0, reply->status);
	assert_int_equal(0, reply->body.len);
	if (*(int *)context < 0)
		return error_set(err, "gone");
	answer_error(reply, *(int *)context, "code", "words");
	return 0;
}

/* Runs a change whose body answers with that status, or fails. Checks that the store got those calls. */
static struct reply
run(int status, bool start_key, bool committed, const char *calls)
{
	static const struct config config = {.store_timeout_ms = 1000};
	static struct db db;
	static struct reply reply;
	const struct request request = {
	    .caller = {.tenant_id = "t", .key_id = "k", .key_name = "", .is_start_key = start_key},
	    .deadline_us = clock_steady_us() + 60 * 1000000ll,
	    .db = &db};

	db = (struct db){.ops = &ops, .config = &config, .deadline_us = INT64_MAX};
	bytes_free(&reply.body);
	reply = (struct reply){0};
	fake.calls[0] = '\0';
	assert_int_equal(committed, change_run(&request, body, &status, &reply));
	assert_string_equal(calls, fake.calls);
	return reply;
}

static void
test_an_answer_below_400_is_committed_and_another_leaves_nothing(void **state)
{
	fake = (struct fake){0};
	assert_int_equal(201, run(201, true, true, "buc").status);
	assert_int_equal(409, run(409, true, false, "bur").status);
	assert_int_equal(503, run(-1, true, false, "bur").status);
}

static void
test_a_change_is_tried_again_when_another_session_was_in_the_way(void **state)
{
	fake = (struct fake){.commits = (const int[]){DB_BUSY, DB_BUSY, 0}};
	assert_int_equal(200, run(200, true, true, "bucrbucrbuc").status);
	fake.commits = (const int[]){DB_BUSY, DB_BUSY, DB_BUSY, DB_BUSY, DB_BUSY};
	assert_int_equal(503, run(200, true, false, "bucrbucrbucrbucrbucr").status);
}

static void
test_a_change_whose_commit_has_no_answer_is_not_repeated(void **state)
{
	struct reply reply;

	fake = (struct fake){.commits = (const int[]){-1}};
	reply = run(201, true, false, "bucr");
	assert_int_equal(503, reply.status);
	assert_non_null(memmem(reply.body.base, reply.body.len, "store_unavailable", strlen("store_unavailable")));
	assert_null(memmem(reply.body.base, reply.body.len, "words", strlen("words")));
}

static void
test_the_tenant_of_a_stored_key_is_locked_and_a_deleted_one_changes_nothing(void **state)
{
	fake = (struct fake){0};
	assert_int_equal(201, run(201, false, true, "bquc").status);
	fake.tenant_is_gone = true;
	assert_int_equal(404, run(201, false, false, "bqr").status);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_an_answer_below_400_is_committed_and_another_leaves_nothing),
	    cmocka_unit_test(test_a_change_is_tried_again_when_another_session_was_in_the_way),
	    cmocka_unit_test(test_a_change_whose_commit_has_no_answer_is_not_repeated),
	    cmocka_unit_test(test_the_tenant_of_a_stored_key_is_locked_and_a_deleted_one_changes_nothing),
	};

	return cmocka_run_group_tests_name("change", tests, NULL, NULL);
}
