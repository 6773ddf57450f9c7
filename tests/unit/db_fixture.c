/* Connections to a webhooks' store that each program makes anew; see the header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/db_fixture.h"

struct config db_config;
char db_path[128];

static char directory[] = "/tmp/hooks-db-XXXXXX";

int
db_set_up(void **state)
{
	const char *url = getenv("HOOKS_TEST_POSTGRES_URL");

	assert_non_null(mkdtemp(directory));
	(void)snprintf(db_path, sizeof db_path, "%s/a/hookline.db", directory);
	db_config = (struct config){
	    .hl_store = url != NULL ? HL_STORE_POSTGRES : HL_STORE_EMBEDDED,
	    .hl_data_path = db_path,
	    .auto_migrate = true,
	    .store_timeout_ms = 5000,
	    .hl_max_payload_bytes = 512 << 10,
	    .hl_node_timeout_secs = 30,
	};
	if (url != NULL)
		db_config.hl_postgres_url = strdup(url);
	return 0;
}

int
db_tear_down(void **state)
{
	static const char *const names[] = {"a/hookline.db", "a/hookline.db-wal", "a/hookline.db-shm", "a"};
	char name[256];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		(void)snprintf(name, sizeof name, "%s/%s", directory, names[i]);
		(void)remove(name);
	}
	free(db_config.hl_postgres_url);
	return rmdir(directory);
}

struct db *
must_open_with(const struct db_env *env)
{
	static const struct db_env no_env = {0};
	struct error err;
	struct db *db;

	if (db_open(&db, &db_config, env != NULL ? env : &no_env, &err) != 0)
		fail_msg("%s", err.text);
	return db;
}

struct db *
must_open(void)
{
	return must_open_with(NULL);
}

void
must_be(int expected, int rc, const struct error *err)
{
	if (rc != expected)
		fail_msg("%d in the place of %d: %s", rc, expected, rc != 0 ? err->text : "no error");
}

void
must_run(struct db *db, const struct db_statement *statement, const struct db_param *params, size_t count)
{
	struct error err = {""};

	must_be(0, db_query(db, statement, params, count, NULL, &err), &err);
}

struct db_rows *
must_read(struct db *db, const struct db_statement *statement, const struct db_param *params, size_t count)
{
	struct db_rows *rows = NULL;
	struct error err = {""};

	must_be(0, db_query(db, statement, params, count, &rows, &err), &err);
	return rows;
}

int64_t
must_count(struct db *db, const char *sql)
{
	struct db_rows *rows = must_read(db, SAME(sql), NULL, 0);
	int64_t number = db_rows_int(rows, 0, 0);

	db_rows_free(rows);
	return number;
}

void
must_begin(struct db *db)
{
	struct error err = {""};

	must_be(0, db_begin(db, &err), &err);
}

void
must_commit(struct db *db)
{
	struct error err = {""};

	must_be(0, db_commit(db, &err), &err);
}

void
must_equal(struct span text, const char *expected)
{
	assert_int_equal(text.len, strlen(expected));
	assert_memory_equal(text.base, expected, text.len + 1);
}

void
must_add_endpoint(struct db *db, const char *tenant_id, const uint8_t id[16])
{
	must_run(db,
	    SAME(
		"INSERT INTO endpoints (tenant_id, endpoint_id, version, url, secret, headers, enabled, paused, "
		"timeout_ms, max_in_flight, rate_limit_rps, exact_limits, fifo, ordering, on_dead, fail_fast, "
		"keep_response, body, legacy_headers, created_at, updated_at) VALUES ($1, $2, 1, "
		"'http://example.com/', "
		"'a secret of ours', '{}', TRUE, FALSE, 1000, 1, 1, FALSE, FALSE, 'endpoint', 'continue', TRUE, FALSE, "
		"'envelope', FALSE, hl_now(), hl_now())"),
	    PARAMS(db_string(tenant_id), db_uuid(id)));
}
