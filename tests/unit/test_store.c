/* Stores without shared memory: a sink works without an environment, or with one of a few functions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/store.h"
#include "tests/unit/record_fixture.h"

static char directory[32], jsonl_path[64], sqlite_path[64];
static char url[] = "postgresql://nobody@127.0.0.1:1/nothing";
static struct config config;

static int
set_up(void **state)
{
	strcpy(directory, "/tmp/hooks-store-XXXXXX");
	assert_non_null(mkdtemp(directory));
	(void)snprintf(jsonl_path, sizeof jsonl_path, "%s/events.jsonl", directory);
	(void)snprintf(sqlite_path, sizeof sqlite_path, "%s/events.db", directory);
	config = (struct config){.database_url = url,
	    .jsonl_path = jsonl_path,
	    .sqlite_path = sqlite_path,
	    .data_dir = directory,
	    .store_timeout_ms = 1000,
	    .auto_migrate = true};
	return 0;
}

static int
tear_down(void **state)
{
	(void)unlink(jsonl_path);
	(void)unlink(sqlite_path);
	(void)rmdir(directory);
	return 0;
}

static void
test_every_store_can_be_made_and_named(void **state)
{
	const struct sink_env env = {0};

	for (config.storage = STORAGE_AUTO + 1; storage_names[config.storage] != NULL; config.storage++) {
		struct sink *sink = store_new(&config, &env);

		assert_string_equal(sink->ops->name, storage_name(config.storage));
		sink->ops->close(sink);
	}
}

static void
test_the_file_of_a_store_is_named_with_its_option(void **state)
{
	config.storage = STORAGE_JSONL;
	assert_string_equal(store_file(&config).path, jsonl_path);
	assert_string_equal(store_file(&config).option, "JSONL_PATH");
	config.storage = STORAGE_SQLITE;
	assert_string_equal(store_file(&config).path, sqlite_path);
	assert_true(store_file(&config).has_companions);
	config.storage = STORAGE_POSTGRES;
	assert_null(store_file(&config).path);
}

static void
test_a_migration_without_a_database_is_an_error(void **state)
{
	struct store_migrated done;
	struct error err;

	config.storage = STORAGE_JSONL;
	config.database_url = NULL;
	assert_int_equal(store_migrate(&config, &done, &err), STORE_NO_DATABASE);
}

static void
test_sqlite_stores_and_finds_duplicates_with_no_environment(void **state)
{
	const struct record *record =
	    record_of(&(struct event){.id = 1, .event_type = "t", .session_id = "s", .data = "{}"});
	const struct batch batch = {&record, 1};
	const struct sink_env env = {0};
	struct sink_result result;
	struct error err;

	config.storage = STORAGE_SQLITE;
	struct sink *sink = store_new(&config, &env);

	assert_int_equal(sink->ops->open(sink, &err), 0);
	assert_int_equal(sink->ops->store(sink, &batch, &result, &err), 0);
	assert_int_equal(result.stored, 1);
	assert_int_equal(sink->ops->store(sink, &batch, &result, &err), 0);
	assert_int_equal(result.duplicates, 1);
	sink->ops->close(sink);
	free((void *)(uintptr_t)record);
}

/* An environment that notes the calls of its journal. */
static struct {
	int locks, begun, cut_offs;
	uint64_t offset;
} journal_calls;

static void
journal_lock(void *context)
{
	journal_calls.locks++;
}

static bool
journal_try_lock(void *context)
{
	journal_calls.locks++;
	return true;
}

static void
journal_unlock(void *context)
{
	journal_calls.locks--;
}

static void
journal_begin(void *context, const struct stat *file, uint64_t bytes)
{
	assert_int_equal(journal_calls.locks, 1);
	journal_calls.begun++;
	journal_calls.offset = (uint64_t)file->st_size;
}

static bool
journal_unfinished(void *context)
{
	return false;
}

static int
journal_cut_off(void *context, const char *of, struct error *err)
{
	assert_int_equal(journal_calls.locks, 1);
	assert_string_equal(of, directory);
	journal_calls.cut_offs++;
	return 0;
}

static void
test_jsonl_records_each_append_and_keeps_the_lock_until_it_is_settled(void **state)
{
	static const struct append_journal journal = {.lock = journal_lock,
	    .try_lock = journal_try_lock,
	    .unlock = journal_unlock,
	    .begin = journal_begin,
	    .unfinished = journal_unfinished,
	    .cut_off = journal_cut_off};
	const struct sink_env env = {.journal = &journal};
	const struct record *record =
	    record_of(&(struct event){.id = 1, .event_type = "t", .session_id = "s", .data = "{}"});
	const struct batch batch = {&record, 1};
	struct sink_result result;
	struct error err;

	config.storage = STORAGE_JSONL;
	struct sink *sink = store_new(&config, &env);

	assert_int_equal(sink->ops->open(sink, &err), 0);
	assert_true(journal_calls.cut_offs > 0);
	for (int append = 1; append <= 2; append++) {
		assert_int_equal(sink->ops->store(sink, &batch, &result, &err), 0);
		assert_int_equal(result.stored, 1);
		assert_int_equal(journal_calls.begun, append);
		assert_int_equal(journal_calls.locks, 1);
		sink->ops->settled(sink);
		assert_int_equal(journal_calls.locks, 0);
	}
	assert_true(journal_calls.offset > 0);
	sink->ops->close(sink);
	assert_int_equal(journal_calls.locks, 0);
	free((void *)(uintptr_t)record);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_every_store_can_be_made_and_named),
	    CASE(test_the_file_of_a_store_is_named_with_its_option),
	    CASE(test_a_migration_without_a_database_is_an_error),
	    CASE(test_sqlite_stores_and_finds_duplicates_with_no_environment),
	    CASE(test_jsonl_records_each_append_and_keeps_the_lock_until_it_is_settled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
