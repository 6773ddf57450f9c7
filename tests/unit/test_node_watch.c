/*
 * A node that joins waits for the others, and logs for which. The store is an SQLite file and, if
 * HOOKS_TEST_POSTGRES_URL names a database (tests/e2e/test_db.py), PostgreSQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "courier/node_watch.h"
#include "store/webhooks/node_rows.h"
#include "tests/unit/db_fixture.h"

#define SECOND_US (1000 * INT64_C(1000))
#define VERSION 7 /* of changes, at first */

static struct db *db;
static struct message_queue messages;
static struct node_watch watch;
static struct node_row own;
static int64_t version;
static struct error err;

static struct node_row
add_node(const char *name, int64_t epoch, int64_t seen_version)
{
	const struct node_claim claim = {
	    .next_epoch = epoch, .name = name, .seen_version = seen_version, .timeout_ms = 30000};
	struct node_row row;
	bool fresh;

	must_be(0, node_rows_claim(db, &claim, &row, &fresh, &err), &err);
	return row;
}

static void
run(const char *sql)
{
	must_begin(db);
	must_run(db, SAME(sql), NULL, 0);
	must_commit(db);
}

static int
begin(void **state)
{
	db = must_open();
	run("DELETE FROM delivery_nodes");
	own = add_node("own", 10, VERSION);
	must_be(0, message_queue_open(&messages, &err), &err);
	watch = (struct node_watch){.messages = &messages, .logs = true};
	version = VERSION;
	return 0;
}

static int
end(void **state)
{
	message_queue_close(&messages);
	db_close(db);
	return 0;
}

/* Takes a look. Returns what it logs; the text stays valid until the next call. */
static const char *
look(void)
{
	static char text[4096];
	int real_stderr = dup(STDERR_FILENO), file = memfd_create("log", MFD_CLOEXEC);
	ssize_t len;

	assert_true(real_stderr >= 0 && file >= 0 && dup2(file, STDERR_FILENO) >= 0);
	must_be(0, node_watch_look(&watch, db, &own, version, &err), &err);
	assert_true(dup2(real_stderr, STDERR_FILENO) >= 0);
	len = pread(file, text, sizeof text - 1, 0);
	assert_true(len >= 0);
	text[len] = '\0';
	(void)close(real_stderr);
	(void)close(file);
	return text;
}

/* Makes the watch believe that it has waited for so long. */
static void
wait_seconds(int64_t seconds)
{
	watch.since_us -= seconds * SECOND_US;
	watch.late.logged_us -= seconds * SECOND_US;
}

/*
 * Returns the number of nodes, or the version that the others act by, from the next message of that kind; -1: there is
 * none.
 */
static int64_t
told(enum message_kind kind)
{
	int64_t number = -1;
	struct message *one;

	while (number < 0 && (one = message_queue_take(&messages)) != NULL) {
		if (one->kind == kind)
			number = kind == MESSAGE_NODES ? one->view.nodes : one->version;
		message_free(one);
	}
	return number;
}

static void
test_a_node_that_waits_for_long_names_the_one_for_which_it_waits(void **state)
{
	const char *line;

	(void)add_node("follows", 20, VERSION);
	(void)add_node("late", 30, VERSION - 1);
	(void)add_node("later", 40, VERSION - 2);
	assert_string_equal(look(), "");
	wait_seconds(50);
	assert_string_equal(look(), "");
	wait_seconds(20);
	line = look();
	assert_non_null(strstr(line, "warning"));
	assert_non_null(strstr(line, "name=later"));
	assert_non_null(strstr(line, "seconds=70"));
	assert_string_equal(look(), ""); /* one line a minute */
	assert_int_equal(told(MESSAGE_NODES), -1);

	run("UPDATE delivery_nodes SET seen_version = 7 WHERE name = 'later'");
	wait_seconds(20);
	assert_non_null(strstr(look(), "name=late "));
	run("UPDATE delivery_nodes SET seen_version = 8 WHERE name = 'late'");
	assert_null(strstr(look(), "warning"));
	assert_int_equal(told(MESSAGE_NODES), 4);
}

static void
test_a_node_that_stops_following_changes_is_named_and_no_share_waits_for_it(void **state)
{
	const char *line;

	(void)add_node("follows", 20, VERSION);
	(void)look();
	assert_int_equal(told(MESSAGE_NODES), 2);
	for (int change = 0; change < 100; change++) { /* each look finds it one version behind */
		version++;
		assert_string_equal(look(), "");
		wait_seconds(1);
		run("UPDATE delivery_nodes SET seen_version = seen_version + 1 WHERE name = 'follows'");
	}
	wait_seconds(70);
	version++;
	assert_string_equal(look(), "");
	wait_seconds(70);
	line = look();
	assert_non_null(strstr(line, "name=follows seconds=70"));
	assert_int_equal(told(MESSAGE_NODES), -1);
}

static void
test_the_version_that_all_other_nodes_act_by_is_reported(void **state)
{
	(void)look();
	assert_true(told(MESSAGE_SEEN) == INT64_MAX);
	(void)add_node("one", 20, 5);
	(void)add_node("two", 30, 6);
	(void)look();
	assert_int_equal(told(MESSAGE_SEEN), 5);
	(void)look();
	assert_int_equal(told(MESSAGE_SEEN), -1);
	run("UPDATE delivery_nodes SET left_at = hl_now() WHERE name = 'one'");
	(void)look();
	assert_int_equal(told(MESSAGE_SEEN), 6);
}

static void
test_a_node_that_waits_for_no_other_logs_no_warning(void **state)
{
	(void)add_node("silent", 20, 1);
	(void)add_node("stopped", 30, 1);
	run("UPDATE delivery_nodes SET alive_at = hl_time(hl_ms(hl_now()) - 31000) WHERE name = 'silent'");
	run("UPDATE delivery_nodes SET left_at = hl_now() WHERE name = 'stopped'");
	assert_null(strstr(look(), "warning"));
	assert_int_equal(told(MESSAGE_NODES), 3);
	wait_seconds(100);
	assert_string_equal(look(), "");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_node_that_waits_for_long_names_the_one_for_which_it_waits),
	    TEST(test_a_node_that_waits_for_no_other_logs_no_warning),
	    TEST(test_a_node_that_stops_following_changes_is_named_and_no_share_waits_for_it),
	    TEST(test_the_version_that_all_other_nodes_act_by_is_reported),
	};

	return cmocka_run_group_tests(tests, db_set_up, db_tear_down);
}
