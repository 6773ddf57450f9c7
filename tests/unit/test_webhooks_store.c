/* Which store for webhooks a configuration may name, before it is opened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "store/webhooks_store.h"

static char directory[] = "/tmp/hooks-webhooks-XXXXXX";
static char path[128];
static struct config config;
static struct error err;
static uint32_t file_system;

/* Replaces the C library's. Every directory that exists is on file_system. */
int
statfs(const char *name, struct statfs *fs)
{
	struct stat st;

	if (stat(name, &st) != 0)
		return -1;
	*fs = (struct statfs){.f_type = file_system};
	return 0;
}

static int
set_up(void **state)
{
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof path, "%s/not/yet/hookline.db", directory);
	return 0;
}

static int
tear_down(void **state)
{
	return rmdir(directory);
}

static int
begin(void **state)
{
	file_system = EXT4_SUPER_MAGIC;
	config = (struct config){.hl_store = HL_STORE_EMBEDDED, .hl_data_path = path, .storage = STORAGE_JSONL};
	return 0;
}

static void
write_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void
test_a_network_file_system_is_refused_by_name(void **state)
{
	assert_int_equal(webhooks_store_check(&config, &err), 0);
	file_system = NFS_SUPER_MAGIC;
	assert_true(webhooks_store_check(&config, &err) < 0);
	assert_non_null(strstr(err.text, "HL_DATA_PATH="));
	assert_non_null(strstr(err.text, "NFS"));
	file_system = CIFS_SUPER_MAGIC;
	assert_true(webhooks_store_check(&config, &err) < 0);
	file_system = FUSE_SUPER_MAGIC; /* it may be local: a warning */
	assert_int_equal(webhooks_store_check(&config, &err), 0);
	file_system = NFS_SUPER_MAGIC;
	config.hl_store = HL_STORE_OFF;
	assert_int_equal(webhooks_store_check(&config, &err), 0);
}

static void
test_another_programs_file_is_refused_and_left_alone(void **state)
{
	char file[128], text[16] = "";

	(void)snprintf(file, sizeof file, "%s/notes", directory);
	write_file(file, "not a database");
	config.hl_data_path = file;
	assert_true(webhooks_store_check(&config, &err) < 0);
	assert_non_null(strstr(err.text, "is not an SQLite database"));
	FILE *stream = fopen(file, "r");
	assert_int_equal(fread(text, 1, sizeof text - 1, stream), 14);
	assert_string_equal(text, "not a database");
	(void)fclose(stream);
	assert_int_equal(unlink(file), 0);
}

static void
test_one_file_cannot_hold_events_and_webhooks(void **state)
{
	assert_int_equal(webhooks_store_check_options(&config, &err), 0);
	config.storage = STORAGE_SQLITE;
	config.sqlite_path = path;
	assert_true(webhooks_store_check_options(&config, &err) < 0);
	assert_non_null(strstr(err.text, "HL_DATA_PATH"));
	assert_non_null(strstr(err.text, "SQLITE_PATH"));
	config.hl_store = HL_STORE_OFF;
	assert_int_equal(webhooks_store_check_options(&config, &err), 0);
}

static void
test_the_error_for_a_wrong_url_names_its_option(void **state)
{
	static char url[] = "postgresql://user:word%zz@host/db";

	config.hl_postgres_url = url;
	assert_true(webhooks_store_check_options(&config, &err) < 0);
	assert_non_null(strstr(err.text, "HL_POSTGRES_URL"));
	assert_null(strstr(err.text, "word"));
}

static void
test_only_the_embedded_store_has_a_file(void **state)
{
	assert_string_equal(webhooks_store_file(&config).path, path);
	assert_string_equal(webhooks_store_file(&config).option, "HL_DATA_PATH");
	config.hl_store = HL_STORE_POSTGRES;
	assert_null(webhooks_store_file(&config).path);
	config.hl_store = HL_STORE_OFF;
	assert_null(webhooks_store_file(&config).path);
}

static void
test_the_file_is_readable_by_its_owner_only_and_migrated_once(void **state)
{
	static const char *const names[] = {"hookline.db", "hookline.db-wal", "hookline.db-shm"};
	char file[128], name[160];
	struct store_migrated done;
	struct stat st;

	(void)snprintf(file, sizeof file, "%s/hookline.db", directory);
	config.hl_data_path = file;
	config.store_timeout_ms = 1000;
	if (webhooks_store_migrate(&config, &done, &err) != 0)
		fail_msg("%s", err.text);
	assert_true(done.applied > 0 && done.version == done.applied);
	assert_string_equal(done.option, "HL_DATA_PATH");
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(webhooks_store_migrate(&config, &done, &err), 0);
	assert_int_equal(done.applied, 0);
	assert_int_equal(webhooks_store_check(&config, &err), 0);

	config.storage = STORAGE_SQLITE; /* the sink of events must not use it either */
	config.sqlite_path = file;
	assert_true(store_check(&config, &err) < 0);
	assert_non_null(strstr(err.text, "SQLITE_PATH"));
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(name, sizeof name, "%s/%s", directory, names[i]);
		(void)unlink(name);
	}
	config.hl_store = HL_STORE_OFF;
	assert_int_equal(webhooks_store_migrate(&config, &done, &err), STORE_NO_DATABASE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_a_network_file_system_is_refused_by_name, begin),
	    cmocka_unit_test_setup(test_another_programs_file_is_refused_and_left_alone, begin),
	    cmocka_unit_test_setup(test_one_file_cannot_hold_events_and_webhooks, begin),
	    cmocka_unit_test_setup(test_the_error_for_a_wrong_url_names_its_option, begin),
	    cmocka_unit_test_setup(test_only_the_embedded_store_has_a_file, begin),
	    cmocka_unit_test_setup(test_the_file_is_readable_by_its_owner_only_and_migrated_once, begin),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
