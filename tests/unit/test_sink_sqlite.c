/* How the SQLite sink stores a batch. tests/e2e tests it with databases, files and locks of other programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/sqlite/sink_sqlite.h"
#include "tests/unit/record_fixture.h"

#define LENGTH_LIMIT 10000

static char directory[] = "/tmp/hooks-sqlite-XXXXXX";
static char path[128], letters[128];
static uint64_t failed_syncs;

static void
sync_failed(void *context)
{
	failed_syncs++;
}

static const struct sink_env env = {.sync_failed = sync_failed};
static struct config config;

static int
set_up(void **state)
{
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof path, "%s/events.db", directory);
	(void)snprintf(letters, sizeof letters, "%s/dead-letters.jsonl", directory);
	config =
	    (struct config){.sqlite_path = path, .data_dir = directory, .auto_migrate = true, .store_timeout_ms = 100};
	return 0;
}

static int
empty(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char name[160];

	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
		(void)unlink(name);
	}
	(void)unlink(letters);
	return 0;
}

static int
tear_down(void **state)
{
	return rmdir(directory);
}

static struct sink *
open_sink(void)
{
	struct sink *sink = sink_sqlite_new(&config, &env);
	struct error err;

	if (sink->ops->open(sink, &err) != 0)
		fail_msg("%s", err.text);
	return sink;
}

static struct sink_result
must_store(struct sink *sink, const struct event *events, uint32_t count)
{
	struct record *records[8];
	struct sink_result result;
	struct error err;

	for (uint32_t i = 0; i < count; i++)
		records[i] = record_of(&events[i]);
	if (sink->ops->store(sink, &(struct batch){(const struct record *const *)records, count}, &result, &err) != 0)
		fail_msg("%s", err.text);
	for (uint32_t i = 0; i < count; i++)
		free(records[i]);
	return result;
}

/* The rows of the query: columns joined by "|", "~" for NULL, rows by newlines. The text is static. */
static const char *
query(const char *sql)
{
	static char text[4096];
	sqlite3_stmt *rows;
	sqlite3 *db;
	size_t used = 0;

	text[0] = '\0';
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &rows, NULL), SQLITE_OK);
	while (sqlite3_step(rows) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(rows); i++) {
			const char *value = (const char *)sqlite3_column_text(rows, i);

			used += (size_t)snprintf(
			    text + used, sizeof text - used, "%s%s", i > 0 ? "|" : "", value != NULL ? value : "~");
		}
		used += (size_t)snprintf(text + used, sizeof text - used, "\n");
	}
	assert_int_equal(sqlite3_finalize(rows), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return text;
}

static const struct event whole = {.id = 1,
    .timestamp_us = 1795319680123456,
    .received_us = 1795319681000000,
    .client_event_id = "mine",
    .event_type = "type",
    .session_id = "session",
    .workflow_id = "workflow",
    .phase_id = "",
    .milestone_id = "milestone",
    .data = "{\"a\":\"\\u0000\\ud800\",\"n\":1e9999}",
    .flags = RECORD_UNSAFE_ESCAPES};
static const struct event least = {.id = 2, .timestamp_us = -1, .event_type = "t", .session_id = "s"};

static void
test_a_row_has_every_field_in_its_column(void **state)
{
	struct sink *sink = open_sink();
	struct sink_result result = must_store(sink, (struct event[]){whole, least}, 2);

	assert_int_equal(result.stored, 2);
	assert_string_equal(query("SELECT event_id, timestamp, received_at, created_date, tenant_id, client_event_id, "
				  "event_type, session_id, workflow_id, phase_id, milestone_id, data FROM hook_events"),
	    "11223344-5566-7788-99aa-bbccddeeff01|2026-11-22T03:54:40.123456Z|2026-11-22T03:54:41.000000Z|2026-11-22|"
	    "default|mine|type|session|workflow||milestone|{\"a\":\"\\u0000\\ud800\",\"n\":1e9999}\n"
	    "11223344-5566-7788-99aa-bbccddeeff02|1969-12-31T23:59:59.999999Z|1970-01-01T00:00:00.000000Z|1969-12-31|"
	    "default|~|t|s|~|~|~|{}\n");
	sink->ops->close(sink);
}

/* As after the death of a writer between its commit and the release of the lanes. */
static void
test_a_batch_that_is_stored_again_is_duplicates(void **state)
{
	struct sink *sink = open_sink();

	assert_int_equal(must_store(sink, (struct event[]){whole, least}, 2).stored, 2);
	sink->ops->close(sink);
	sink = open_sink();
	struct sink_result result = must_store(sink, (struct event[]){whole, least, least}, 3);
	assert_int_equal(result.stored, 0);
	assert_int_equal(result.duplicates, 3);
	sink->ops->close(sink);
}

static void
test_the_same_id_on_another_day_is_another_event(void **state)
{
	struct event tomorrow = whole;
	struct sink *sink = open_sink();

	tomorrow.timestamp_us += INT64_C(86400000000);
	assert_int_equal(must_store(sink, (struct event[]){whole, tomorrow}, 2).stored, 2);
	sink->ops->close(sink);
}

/* A lower limit than SQLite's own, which is a gigabyte. */
static int
lower_limit(sqlite3 *db, const char **message, const void *api)
{
	(void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, LENGTH_LIMIT);
	return SQLITE_OK;
}

static void
test_an_event_that_is_too_large_for_sqlite_is_a_dead_letter(void **state)
{
	char data[LENGTH_LIMIT + 100];
	struct event large = whole;

	memset(data, 'x', sizeof data);
	memcpy(data, "{\"a\":\"", 6);
	memcpy(data + sizeof data - 3, "\"}", 3);
	large.data = data;
	large.id = 3;
	(void)sqlite3_auto_extension((void (*)(void))lower_limit);

	struct sink *sink = open_sink();
	struct sink_result result = must_store(sink, (struct event[]){whole, large, least}, 3);

	sqlite3_reset_auto_extension();
	assert_int_equal(result.stored, 2);
	assert_int_equal(result.dead_lettered, 1);
	assert_int_equal(access(letters, F_OK), 0);
	sink->ops->close(sink);
}

static void
test_a_lock_that_is_not_given_up_fails_without_doubt(void **state)
{
	struct record *record = record_of(&whole);
	const struct record *records[] = {record};
	struct sink *sink = open_sink();
	struct sink_result result = {.in_doubt = true};
	struct error err;
	sqlite3 *other;

	assert_int_equal(sqlite3_open_v2(path, &other, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_true(sink->ops->store(sink, &(struct batch){records, 1}, &result, &err) < 0);
	assert_non_null(strstr(err.text, "is locked"));
	assert_false(result.in_doubt);
	assert_true(sink->ops->open(sink, &err) < 0);
	assert_int_equal(sqlite3_close(other), SQLITE_OK); /* this ends its transaction */
	assert_int_equal(sink->ops->open(sink, &err), 0);
	assert_int_equal(sink->ops->store(sink, &(struct batch){records, 1}, &result, &err), 0);
	sink->ops->close(sink);
	free(record);
	assert_int_equal(failed_syncs, 0);
}

#define TEST(function) cmocka_unit_test_teardown(function, empty)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_row_has_every_field_in_its_column),
	    TEST(test_a_batch_that_is_stored_again_is_duplicates),
	    TEST(test_the_same_id_on_another_day_is_another_event),
	    TEST(test_an_event_that_is_too_large_for_sqlite_is_a_dead_letter),
	    TEST(test_a_lock_that_is_not_given_up_fails_without_doubt),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
