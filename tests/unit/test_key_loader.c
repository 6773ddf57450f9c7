/* Keys from a store, here an SQLite file, into the table: what the table has after each change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <unistd.h>

#include "api/scopes.h"
#include "base/clock.h"
#include "base/log.h"
#include "control/key_loader.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/key_rows.h"
#include "store/webhooks/upkeep_rows.h"
#include "store/webhooks_store.h"
#include "tests/unit/key_table_fixture.h"

static char directory[] = "/tmp/hooks-test-keys-XXXXXX";
static char path[64];
static struct config config = {.hl_store = HL_STORE_EMBEDDED, .auto_migrate = true, .store_timeout_ms = 10000};
static const struct db_env env = {0};
static struct db *db;
static struct key_table *table;
static struct key_loader *loader;

static int
open_store(void **state)
{
	struct error err;

	(void)snprintf(path, sizeof path, "%s/hookline.db", directory);
	config.hl_data_path = path;
	if (db_open(&db, &config, &env, &err) != 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	table = table_make();
	loader = key_loader_new(table);
	return 0;
}

static int
remove_store(void **state)
{
	static const char *const endings[] = {"", "-wal", "-shm", ".lock"};
	char file[96];

	key_loader_free(loader);
	db_close(db);
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
		(void)snprintf(file, sizeof file, "%s%s", path, endings[i]);
		(void)unlink(file);
	}
	return 0;
}

/* Runs a statement that changes a key. $1 is the version that this raises. */
static void
change(const char *sql)
{
	const struct db_statement statement = {sql, NULL};
	struct db_param param;
	struct error err = {""};
	int64_t version;

	assert_int_equal(db_begin(db, &err), 0);
	assert_int_equal(changes_raise(db, &version, &err), 0);
	param = db_int(version);
	if (db_query(db, &statement, &param, 1, NULL, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(db_commit(db, &err), 0);
}

static void
hex_of(uint32_t number, char hex[2 * SHA256_BYTES + 1])
{
	uint8_t hash[SHA256_BYTES];

	hash_of(number, hash);
	for (size_t i = 0; i < SHA256_BYTES; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", hash[i]);
}

/* Adds the key of that number. columns, values: the further ones of its row. */
static void
add_key(uint32_t number, const char *columns, const char *values)
{
	char hex[2 * SHA256_BYTES + 1], sql[1024];

	hex_of(number, hex);
	(void)snprintf(sql, sizeof sql,
	    "INSERT INTO api_keys (key_id, tenant_id, prefix, hash, created_at, change_version%s)"
	    " VALUES ('00000000-0000-7000-8000-%012u', 'acme', 'hl_live_', '%s', hl_now(), $1%s)",
	    columns, number, hex, values);
	change(sql);
}

static void
change_key(uint32_t number, const char *what)
{
	char sql[512];

	(void)snprintf(sql, sizeof sql,
	    "UPDATE api_keys SET change_version = $1, %s WHERE key_id = '00000000-0000-7000-8000-%012u'", what, number);
	change(sql);
}

static void
refresh(void)
{
	struct error err = {""};

	if (key_loader_refresh(loader, db, &err) != 0)
		fail_msg("%s", err.text);
}

static int
find(uint32_t number, struct api_key *key)
{
	uint8_t hash[SHA256_BYTES];

	hash_of(number, hash);
	return key_table_find(table, hash, key);
}

#define ALL ", scopes", ", '[\"*\"]'"

static void
test_a_key_is_known_with_all_its_fields(void **state)
{
	struct api_key key;

	add_key(1, ", scopes, name, events_per_second, bytes_per_second, expires_at",
	    ", '[\"events:publish\", \"dlq.manage\", \"no.such\", 7]', 'Zoë', 5, 4611686018427387904,"
	    " hl_time(4102444800123)");
	add_key(2, ", scopes, name",
	    ", '[\"admin\"]', "
	    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaéé'");
	assert_int_equal(find(1, &key), KEY_NOT_LOADED);
	refresh();
	assert_int_equal(find(1, &key), 0);
	assert_string_equal(key.tenant_id, "acme");
	assert_string_equal(key.key_id, "00000000-0000-7000-8000-000000000001");
	assert_string_equal(key.name, "Zoë");
	assert_int_equal(key.events_per_second, 5);
	assert_int_equal(key.bytes_per_second, 4611686018427387904);
	assert_int_equal(key.expires_ms, 4102444800123);
	assert_int_equal(
	    key.scopes, SCOPE_BIT(SCOPE_EVENTS_PUBLISH) | SCOPE_BIT(SCOPE_DLQ_READ) | SCOPE_BIT(SCOPE_DLQ_REPLAY));
	assert_int_equal(find(2, &key), 0);
	assert_int_equal(strlen(key.name), 78); /* cut between two characters */
	assert_int_equal(key.expires_ms, KEY_NEVER);
	assert_int_equal(key.scopes, SCOPE_BIT(SCOPE_ADMIN));
	assert_int_equal(key.events_per_second + key.bytes_per_second, 0);
	assert_int_equal(find(3, &key), KEY_UNKNOWN);
}

static void
test_each_change_reaches_the_table(void **state)
{
	struct api_key key;

	add_key(1, ALL);
	refresh();
	add_key(2, ALL);
	assert_int_equal(find(2, &key), KEY_UNKNOWN);
	refresh();
	assert_int_equal(find(2, &key), 0);
	change_key(1, "revoked_at = hl_now()");
	assert_int_equal(find(1, &key), 0);
	refresh();
	assert_int_equal(find(1, &key), KEY_UNKNOWN);
	change_key(2, "expires_at = hl_time(1000)");
	refresh();
	assert_int_equal(find(2, &key), 0);
	assert_int_equal(key.expires_ms, 1000);
	change_key(2, "expires_at = NULL, name = 'back'");
	refresh();
	assert_int_equal(find(2, &key), 0);
	assert_string_equal(key.name, "back");
}

static void
test_keys_are_read_only_when_the_version_has_changed(void **state)
{
	static const struct db_statement unseen = {"UPDATE api_keys SET name = 'unseen'", NULL};
	struct api_key key;
	struct error err = {""};

	add_key(1, ALL);
	assert_int_equal(key_loader_follow(loader, db, &err), 0);
	assert_int_equal(find(1, &key), 0);
	assert_int_equal(db_begin(db, &err), 0);
	assert_int_equal(db_query(db, &unseen, NULL, 0, NULL, &err), 0);
	assert_int_equal(db_commit(db, &err), 0);
	assert_int_equal(key_loader_follow(loader, db, &err), 0);
	assert_int_equal(find(1, &key), 0);
	assert_string_equal(key.name, "");
	add_key(2, ALL);
	assert_int_equal(key_loader_follow(loader, db, &err), 0);
	assert_int_equal(find(2, &key), 0);
}

/* A store that was restored to an earlier state counts its versions again. */
static void
test_a_restored_store_is_read_anew(void **state)
{
	static const struct db_statement back[] = {
	    {"DELETE FROM api_keys", NULL}, {"UPDATE changes SET version = 1", NULL}};
	struct api_key key;
	struct error err = {""};

	for (uint32_t number = 1; number <= 5; number++)
		add_key(number, ALL);
	refresh();
	assert_int_equal(db_begin(db, &err), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(db_query(db, &back[i], NULL, 0, NULL, &err), 0);
	assert_int_equal(db_commit(db, &err), 0);
	add_key(9, ALL);
	assert_int_equal(key_loader_follow(loader, db, &err), 0);
	assert_int_equal(find(9, &key), 0);
	assert_int_equal(find(1, &key), KEY_UNKNOWN);
}

static void
test_a_new_loader_removes_keys_that_are_gone(void **state)
{
	struct api_key key;

	add_key(1, ALL);
	add_key(2, ALL);
	refresh();
	key_loader_free(loader); /* as when control is killed */
	change_key(1, "revoked_at = hl_now()");
	loader = key_loader_new(table);
	assert_int_equal(find(1, &key), 0);
	refresh();
	assert_int_equal(find(1, &key), KEY_UNKNOWN);
	assert_int_equal(find(2, &key), 0);
}

/* One change has more rows than a page. Every row is read, and the reading ends. */
static void
test_many_keys_of_one_change_come_in_pages(void **state)
{
	struct api_key key;

	change("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
	       " INSERT INTO api_keys (key_id, tenant_id, prefix, hash, scopes, created_at, change_version)"
	       " SELECT printf('00000000-0000-7000-8000-%012d', i), 'acme', '', printf('%064x', i), '[\"*\"]', "
	       "hl_now(), $1"
	       " FROM n");
	refresh();
	for (uint32_t i = 1; i <= 5000; i++) {
		uint8_t hash[SHA256_BYTES] = {[30] = (uint8_t)(i >> 8), [31] = (uint8_t)i};

		assert_int_equal(key_table_find(table, hash, &key), 0);
	}
}

/* The table has room for a hundred thousand keys. */
static void
test_a_key_that_found_no_room_is_known_when_another_is_removed(void **state)
{
	const uint32_t count = 100001;
	const uint8_t last[SHA256_BYTES] = {count >> 16, (count >> 8) & 0xff, count & 0xff};
	struct api_key key;

	change("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100001)"
	       " INSERT INTO api_keys (key_id, tenant_id, prefix, hash, scopes, created_at, change_version)"
	       " SELECT printf('00000000-0000-7000-8000-%012d', i), 'acme', '', printf('%06x%058x', i, 0), '[\"*\"]', "
	       "hl_now(), i + 0 * $1"
	       " FROM n");
	change("UPDATE changes SET version = 100000 + $1 WHERE id = 1");
	refresh();
	assert_int_equal(key_table_find(table, last, &key), KEY_UNKNOWN);
	change_key(7, "revoked_at = hl_now()");
	refresh();
	assert_int_equal(key_table_find(table, last, &key), 0);
}

static void
test_uses_that_the_store_has_not_stored_are_written_later(void **state)
{
	static const struct db_statement used = {"SELECT hl_ms(last_used_at) FROM api_keys", NULL};
	struct error err = {""};
	struct api_key key;
	struct db_rows *rows;
	struct db *other;

	add_key(1, ALL);
	refresh();
	assert_int_equal(find(1, &key), 0);
	key_table_note_use(table, &key, 1700000000000);
	assert_int_equal(db_open(&other, &config, &env, &err), 0);
	assert_int_equal(db_begin(other, &err), 0);
	db_set_deadline(db, clock_steady_us() + 1000);
	assert_true(key_loader_write_uses(loader, db, &err) != 0);
	db_close(other);
	db_set_deadline(db, INT64_MAX);
	if (key_loader_write_uses(loader, db, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(db_query(db, &used, NULL, 0, &rows, &err), 0);
	assert_int_equal(db_rows_int(rows, 0, 0), 1700000000000);
	db_rows_free(rows);
}

static void
test_uses_are_written_once_and_never_back(void **state)
{
	static const struct db_statement used = {"SELECT hl_ms(last_used_at) FROM api_keys ORDER BY key_id", NULL};
	struct error err = {""};
	struct api_key key;
	struct db_rows *rows;

	add_key(1, ALL);
	add_key(2, ", scopes, last_used_at", ", '[]', hl_time(1800000000000)");
	add_key(3, ALL);
	refresh();
	for (uint32_t number = 1; number <= 2; number++) {
		assert_int_equal(find(number, &key), 0);
		key_table_note_use(table, &key, 1700000000000);
	}
	assert_int_equal(key_loader_write_uses(loader, db, &err), 0);
	assert_int_equal(db_query(db, &used, NULL, 0, &rows, &err), 0);
	assert_int_equal(db_rows_int(rows, 0, 0), 1700000000000);
	assert_int_equal(db_rows_int(rows, 1, 0), 1800000000000);
	assert_true(db_rows_null(rows, 2, 0));
	db_rows_free(rows);
}

static void
test_only_keys_that_were_revoked_long_ago_are_removed(void **state)
{
	static const struct db_statement left = {"SELECT key_id FROM api_keys", NULL};
	struct error err = {""};
	struct db_rows *rows;
	uint32_t removed;

	for (uint32_t number = 1; number <= 4; number++)
		add_key(number, ALL);
	for (uint32_t number = 1; number <= 3; number++)
		change_key(number, number < 3 ? "revoked_at = hl_time(5000)" : "revoked_at = hl_time(9000)");
	assert_int_equal(key_rows_remove_revoked(db, 7000, 1, &removed, &err), 0);
	assert_int_equal(removed, 1);
	assert_int_equal(key_rows_remove_revoked(db, 7000, 10, &removed, &err), 0);
	assert_int_equal(removed, 1);
	assert_int_equal(db_query(db, &left, NULL, 0, &rows, &err), 0);
	assert_int_equal(db_rows_count(rows), 2);
	db_rows_free(rows);
}

static void
test_a_task_is_claimed_once_a_period(void **state)
{
	struct error err = {""};
	bool mine;

	assert_int_equal(upkeep_claim(db, "t", 60000, &mine, &err), 0);
	assert_true(mine);
	assert_int_equal(upkeep_claim(db, "t", 60000, &mine, &err), 0);
	assert_false(mine);
	assert_int_equal(upkeep_claim(db, "other", 60000, &mine, &err), 0);
	assert_true(mine);
	(void)usleep(2000);
	assert_int_equal(upkeep_claim(db, "t", 1, &mine, &err), 0);
	assert_true(mine);
}

static void
test_a_task_that_ran_by_a_clock_that_was_ahead_is_claimed_again(void **state)
{
	static const struct db_statement set_ahead = {
	    "UPDATE upkeep SET ran_at = hl_time(hl_ms(hl_now()) + 86400000) WHERE task = 't'", NULL};
	struct error err = {""};
	bool mine;

	assert_int_equal(upkeep_claim(db, "t", 60000, &mine, &err), 0);
	assert_int_equal(db_begin(db, &err), 0);
	assert_int_equal(db_query(db, &set_ahead, NULL, 0, NULL, &err), 0);
	assert_int_equal(db_commit(db, &err), 0);
	assert_int_equal(upkeep_claim(db, "t", 60000, &mine, &err), 0);
	assert_true(mine);
	assert_int_equal(upkeep_claim(db, "t", 60000, &mine, &err), 0);
	assert_false(mine);
}

static void
test_the_tenant_is_made_once_and_stays_deleted(void **state)
{
	static const struct db_statement erase = {
	    "UPDATE tenants SET deleted_at = hl_now(), status = 'deleted' WHERE tenant_id = 'acme'", NULL};
	static const struct db_statement look = {
	    "SELECT deleted_at IS NOT NULL FROM tenants WHERE tenant_id = 'acme'", NULL};
	struct error err = {""};
	struct db_rows *rows;

	assert_int_equal(upkeep_ensure_tenant(db, "acme", &err), 0);
	assert_int_equal(db_begin(db, &err), 0);
	assert_int_equal(db_query(db, &erase, NULL, 0, NULL, &err), 0);
	assert_int_equal(db_commit(db, &err), 0);
	assert_int_equal(upkeep_ensure_tenant(db, "acme", &err), 0);
	assert_int_equal(db_query(db, &look, NULL, 0, &rows, &err), 0);
	assert_int_equal(db_rows_count(rows), 1);
	assert_true(db_rows_bool(rows, 0, 0));
	db_rows_free(rows);
}

int
main(void)
{
#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, open_store, remove_store)
	const struct CMUnitTest tests[] = {
	    STORE_TEST(test_a_key_is_known_with_all_its_fields),
	    STORE_TEST(test_each_change_reaches_the_table),
	    STORE_TEST(test_keys_are_read_only_when_the_version_has_changed),
	    STORE_TEST(test_a_restored_store_is_read_anew),
	    STORE_TEST(test_a_new_loader_removes_keys_that_are_gone),
	    STORE_TEST(test_many_keys_of_one_change_come_in_pages),
	    STORE_TEST(test_a_key_that_found_no_room_is_known_when_another_is_removed),
	    STORE_TEST(test_uses_that_the_store_has_not_stored_are_written_later),
	    STORE_TEST(test_uses_are_written_once_and_never_back),
	    STORE_TEST(test_only_keys_that_were_revoked_long_ago_are_removed),
	    STORE_TEST(test_a_task_is_claimed_once_a_period),
	    STORE_TEST(test_a_task_that_ran_by_a_clock_that_was_ahead_is_claimed_again),
	    STORE_TEST(test_the_tenant_is_made_once_and_stays_deleted),
	};
	int failed;

	log_init("test", LOG_ERROR, LOG_TEXT);
	if (mkdtemp(directory) == NULL)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)rmdir(directory);
	return failed;
}
