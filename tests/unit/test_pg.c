/*
 * A connection to servers that behave badly. A child process plays the server on a unix socket: it follows a script of
 * bytes, and then is silent, stops reading or goes away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/postgres/pg.h"

/* Messages of the protocol: type, length (with itself), body. */
#define AUTHENTICATION_OK "R\0\0\0\x08\0\0\0\0"
#define READY "Z\0\0\0\x05I"
#define COPY_IN "G\0\0\0\x07\x01\0\0"
#define SELECT_1 "C\0\0\0\x0dSELECT 1\0"
#define REFUSAL "E\0\0\0\x1fSERROR\0C22003\0Mtoo\n large\0\0"
#define VALUE_REFUSED                                                                                                  \
	"E\0\0\0\x55SERROR\0C22P02\0Minvalid input for type integer: \"hush\"\0DToken \"hush\" is invalid.\0\0"
#define ROW_REFUSED "E\0\0\0\x42SERROR\0CXX000\0Mduplicate key\0DKey (x)=(hush)\0tevents\0nkey\0cx\0\0"
#define RESTED "E\0\0\0\x22SFATAL\0C57P05\0Midle too long\0\0"
#define LATIN1 "S\0\0\0\x1bserver_encoding\0LATIN1\0"
#define FAREWELL "E\0\0\0\x1dSFATAL\0C57P01\0Mgood bye\0\0"

struct script {
	const char *reply; /* after the start-up message */
	size_t reply_len;
	const char *answer; /* after the next message; then the server reads everything and answers nothing */
	size_t answer_len;
	const char *farewell; /* NULL: none; sent when dismiss() wants it, before the server goes away */
	size_t farewell_len;
	int leave; /* the server goes away after the answer */
	int stalled; /* the server stops reading after the answer */
};

#define SCRIPT(r, a, ...)                                                                                              \
	{                                                                                                              \
		.reply = (r), .reply_len = sizeof(r) - 1, .answer = (a), .answer_len = sizeof(a) - 1, __VA_ARGS__      \
	}

#define GOES_WITH(f) .farewell = (f), .farewell_len = sizeof(f) - 1

struct server {
	char directory[32];
	char url[128];
	pid_t pid;
	int gate; /* dismiss() writes to it */
};

static void
play(int listener, int gate, const struct script *script)
{
	char sink[65536];
	int fd = accept(listener, NULL, NULL);

	if (read(fd, sink, sizeof sink) <= 0 || write(fd, script->reply, script->reply_len) < 0)
		_exit(1);
	if (script->answer_len > 0 &&
	    (read(fd, sink, sizeof sink) <= 0 || write(fd, script->answer, script->answer_len) < 0))
		_exit(1);
	if (script->farewell != NULL)
		_exit(read(gate, sink, 1) != 1 || write(fd, script->farewell, script->farewell_len) < 0);
	if (script->leave)
		_exit(0);
	if (script->stalled)
		pause();
	while (read(fd, sink, sizeof sink) > 0)
		;
	_exit(0);
}

static struct server
start(const struct script *script)
{
	struct server server = {.directory = "/tmp/hooks-pg-XXXXXX"};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), gate[2];

	assert_int_equal(pipe(gate), 0);
	assert_non_null(mkdtemp(server.directory));
	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s/.s.PGSQL.5432", server.directory);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(listener, 1), 0);
	server.pid = fork();
	if (server.pid == 0)
		play(listener, gate[0], script);
	close(listener);
	close(gate[0]);
	server.gate = gate[1];
	(void)snprintf(server.url, sizeof server.url,
	    "host=%s port=5432 user=u password=hush dbname=d sslmode=disable connect_timeout=2", server.directory);
	return server;
}

static void
dismiss(const struct server *server)
{
	assert_int_equal(write(server->gate, "", 1), 1);
	(void)waitpid(server->pid, NULL, 0);
}

static void
stop(struct server *server)
{
	char path[64];

	close(server->gate);
	(void)kill(server->pid, SIGKILL);
	(void)waitpid(server->pid, NULL, 0);
	(void)snprintf(path, sizeof path, "%s/.s.PGSQL.5432", server->directory);
	(void)unlink(path);
	(void)rmdir(server->directory);
}

static struct pg *
open_or_fail(const struct server *server)
{
	struct error err;
	struct pg *pg = NULL;

	if (pg_open(&pg, server->url, &err) != 0)
		fail_msg("%s", err.text);
	return pg;
}

/* A deadline that is near, and the check that a call ended at it: not before, and not long after. */
#define SHORT_US 200000

static void
assert_took_until(int64_t deadline_us)
{
	int64_t now = clock_steady_us();

	assert_true(now >= deadline_us);
	assert_true(now < deadline_us + 5000000);
}

static void
test_a_statement_is_answered(void **state)
{
	static const struct script script = SCRIPT(AUTHENTICATION_OK READY, SELECT_1 READY);
	struct server server = start(&script);
	struct pg *pg = open_or_fail(&server);
	struct error err;
	PGresult *result;

	assert_int_equal(pg_check(pg, &err), 0);
	assert_int_equal(pg_exec(pg, "SELECT 1", pg_deadline(30), &result, &err), 0);
	assert_int_equal(pg_rows_affected(result), 1);
	PQclear(result);
	pg_close(pg);
	stop(&server);
}

static void
test_a_refusal_leaves_the_connection_usable(void **state)
{
	static const struct script script = SCRIPT(AUTHENTICATION_OK READY, REFUSAL READY);
	struct server server = start(&script);
	struct pg *pg = open_or_fail(&server);
	struct error err;

	assert_int_equal(pg_exec(pg, "SELECT 1", pg_deadline(30), NULL, &err), PG_REFUSED);
	assert_string_equal(pg_sqlstate(pg), "22003");
	assert_string_equal(pg_refusal(pg)->message.text, "too; large");
	assert_string_equal(err.text, "too; large (SQLSTATE 22003)");
	assert_int_equal(pg_check(pg, &err), 0);
	pg_close(pg);
	stop(&server);
}

static void
test_a_server_that_shuts_down_is_a_failure_and_no_refusal(void **state)
{
	static const struct script script = SCRIPT(AUTHENTICATION_OK READY, FAREWELL, .leave = 1);
	struct server server = start(&script);
	struct pg *pg = open_or_fail(&server);
	struct error err;

	assert_true(pg_exec(pg, "SELECT 1", pg_deadline(30), NULL, &err) < 0);
	assert_string_equal(err.text, "good bye (SQLSTATE 57P01)");
	pg_close(pg);
	stop(&server);
}

static void
test_a_check_notices_an_idle_connection_that_has_ended(void **state)
{
	static const struct script script = SCRIPT(AUTHENTICATION_OK READY, "", GOES_WITH(FAREWELL));
	struct server server = start(&script);
	struct pg *pg = open_or_fail(&server);
	struct error err;

	dismiss(&server);
	assert_true(pg_check(pg, &err) < 0);
	assert_string_equal(err.text, "good bye (SQLSTATE 57P01)");
	assert_false(pg_idle_closed(pg));
	pg_close(pg);
	stop(&server);
}

/* The server says so before it closes, or when a statement crosses its message. */
static void
test_a_connection_that_the_server_closed_for_idleness_is_recognised(void **state)
{
	static const struct script scripts[] = {
	    SCRIPT(AUTHENTICATION_OK READY, "", GOES_WITH(RESTED)),
	    SCRIPT(AUTHENTICATION_OK READY, RESTED, .leave = 1),
	};

	for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
		struct server server = start(&scripts[i]);
		struct pg *pg = open_or_fail(&server);
		struct error err;

		if (i == 0)
			dismiss(&server);
		assert_true((i == 0 ? pg_check(pg, &err) : pg_exec(pg, "SELECT 1", pg_deadline(30), NULL, &err)) < 0);
		assert_string_equal(err.text, "idle too long (SQLSTATE 57P05)");
		assert_true(pg_idle_closed(pg));
		pg_close(pg);
		stop(&server);
	}
}

/* Readers of the log must not see the contents of rows. */
static void
test_a_refusal_quotes_no_value(void **state)
{
	static const struct {
		struct script script;
		const char *message, *table, *constraint, *column;
	} cases[] = {
	    {SCRIPT(AUTHENTICATION_OK READY, VALUE_REFUSED READY), "invalid input for type integer: \"...\"", "", "",
		""},
	    {SCRIPT(AUTHENTICATION_OK READY, ROW_REFUSED READY), "duplicate key", "events", "key", "x"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct server server = start(&cases[i].script);
		struct pg *pg = open_or_fail(&server);
		struct error err;

		assert_int_equal(pg_exec(pg, "SELECT 1", pg_deadline(30), NULL, &err), PG_REFUSED);
		assert_null(strstr(err.text, "hush"));
		assert_string_equal(pg_refusal(pg)->message.text, cases[i].message);
		assert_string_equal(pg_refusal(pg)->table, cases[i].table);
		assert_string_equal(pg_refusal(pg)->constraint, cases[i].constraint);
		assert_string_equal(pg_refusal(pg)->column, cases[i].column);
		pg_close(pg);
		stop(&server);
	}
}

static void
test_a_database_in_another_encoding_is_not_opened(void **state)
{
	static const struct script script = SCRIPT(AUTHENTICATION_OK LATIN1 READY, "");
	struct server server = start(&script);
	struct error err;
	struct pg *pg;

	assert_true(pg_open(&pg, server.url, &err) < 0);
	assert_non_null(strstr(err.text, "LATIN1"));
	assert_non_null(strstr(err.text, "ENCODING 'UTF8' TEMPLATE template0"));
	stop(&server);
}

static void
test_a_silent_server_ends_an_opening_at_its_deadline(void **state)
{
	static const struct script script = SCRIPT("", "");
	struct server server = start(&script);
	int64_t deadline = pg_deadline(1); /* libpq counts connect_timeout in whole seconds */
	struct error err;
	struct pg *pg;

	assert_true(pg_open(&pg, server.url, &err) < 0);
	assert_took_until(deadline);
	assert_non_null(strstr(err.text, "timeout expired"));
	assert_null(strstr(err.text, "hush"));
	stop(&server);
}

static void
test_a_silent_server_ends_a_statement_at_its_deadline(void **state)
{
	static const struct script script = SCRIPT(AUTHENTICATION_OK READY, "");
	struct server server = start(&script);
	struct pg *pg = open_or_fail(&server);
	int64_t deadline = clock_steady_us() + SHORT_US;
	struct error err;

	assert_true(pg_exec(pg, "SELECT 1", deadline, NULL, &err) < 0);
	assert_took_until(deadline);
	pg_close(pg);
	stop(&server);
}

struct caller {
	int asked;
	int64_t until_us;
};

/* Brings the deadline nearer while the statement runs. */
static int64_t
on_wait(void *context)
{
	struct caller *caller = context;

	if (++caller->asked == 2)
		caller->until_us = clock_steady_us() + SHORT_US;
	return caller->asked < 2 ? INT64_MAX : caller->until_us;
}

static void
test_a_statement_ends_when_its_deadline_comes_nearer(void **state)
{
	static const struct script script = SCRIPT(AUTHENTICATION_OK READY, "");
	struct server server = start(&script);
	struct pg *pg = open_or_fail(&server);
	struct caller caller = {0};
	struct error err;

	pg_on_wait(pg, on_wait, &caller);
	assert_true(pg_exec(pg, "SELECT 1", pg_deadline(3600), NULL, &err) < 0);
	assert_true(caller.asked >= 2);
	assert_took_until(caller.until_us);
	pg_close(pg);
	stop(&server);
}

static void
test_a_server_that_stops_reading_ends_a_copy_at_its_deadline(void **state)
{
	static const struct script script = SCRIPT(AUTHENTICATION_OK READY, COPY_IN, .stalled = 1);
	struct server server = start(&script);
	struct pg *pg = open_or_fail(&server);
	char *bytes = calloc(1, 1 << 20);
	struct error err;
	int rc = pg_copy_begin(pg, "COPY t FROM STDIN", pg_deadline(30), &err);

	assert_int_equal(rc, 0);
	int64_t deadline = clock_steady_us() + SHORT_US;
	for (int i = 0; rc == 0 && i < 64; i++)
		rc = pg_copy_send(pg, bytes, 1 << 20, deadline, &err);
	assert_true(rc < 0);
	assert_took_until(deadline);
	pg_close(pg);
	free(bytes);
	stop(&server);
}

static void
test_a_silent_server_ends_a_copy_at_its_deadline(void **state)
{
	static const struct script script = SCRIPT(AUTHENTICATION_OK READY, COPY_IN);
	struct server server = start(&script);
	struct pg *pg = open_or_fail(&server);
	struct error err;
	uint64_t rows;

	assert_int_equal(pg_copy_begin(pg, "COPY t FROM STDIN", pg_deadline(30), &err), 0);
	assert_int_equal(pg_copy_send(pg, "x", 1, pg_deadline(30), &err), 0);
	int64_t deadline = clock_steady_us() + SHORT_US;
	assert_true(pg_copy_end(pg, deadline, &rows, &err) < 0);
	assert_took_until(deadline);
	pg_close(pg);
	stop(&server);
}

static void
test_errors_about_urls_keep_passwords(void **state)
{
	static const char *const urls[] = {
	    "postgresql://u:hush@127.0.0.1:1/d",
	    "postgresql://u:hu@hush@127.0.0.1:1/d",
	    "postgresql://u:hush/hush@127.0.0.1:1/d",
	    "postgres://u:hush@127.0.0.1:1/d?x",
	    "postgresql://u:hush%zz@127.0.0.1:1/d",
	    "postgresql://u:hush@[::1/d",
	    "postgresql://u:hush/@127.0.0.1:hush/d",
	    "host=127.0.0.1 port=1 password=hush",
	    "host=127.0.0.1 port=1 password=very hush",
	    "host=127.0.0.1 port=1 password='hush",
	};

	for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
		struct error err = {""};
		struct pg *pg;

		assert_true(pg_open(&pg, urls[i], &err) < 0);
		assert_true(strlen(err.text) > 0);
		assert_null(strstr(err.text, "hush"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_statement_is_answered),
	    cmocka_unit_test(test_a_refusal_leaves_the_connection_usable),
	    cmocka_unit_test(test_a_server_that_shuts_down_is_a_failure_and_no_refusal),
	    cmocka_unit_test(test_a_check_notices_an_idle_connection_that_has_ended),
	    cmocka_unit_test(test_a_connection_that_the_server_closed_for_idleness_is_recognised),
	    cmocka_unit_test(test_a_refusal_quotes_no_value),
	    cmocka_unit_test(test_a_database_in_another_encoding_is_not_opened),
	    cmocka_unit_test(test_a_silent_server_ends_an_opening_at_its_deadline),
	    cmocka_unit_test(test_a_silent_server_ends_a_statement_at_its_deadline),
	    cmocka_unit_test(test_a_statement_ends_when_its_deadline_comes_nearer),
	    cmocka_unit_test(test_a_server_that_stops_reading_ends_a_copy_at_its_deadline),
	    cmocka_unit_test(test_a_silent_server_ends_a_copy_at_its_deadline),
	    cmocka_unit_test(test_errors_about_urls_keep_passwords),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
