/* Rows for tests; see the header. Plain statements write them, not the statements under test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/db_fixture.h"
#include "tests/unit/jobs_fixture.h"

struct db *jobs_db;
char jobs_tenant[32];

int
jobs_set_up(void **state)
{
	int rc = db_set_up(state);

	jobs_db = must_open();
	return rc;
}

int
jobs_tear_down(void **state)
{
	db_close(jobs_db);
	return db_tear_down(state);
}

int
jobs_new_tenant(void **state)
{
	static int number;

	db_rollback(jobs_db);
	(void)snprintf(jobs_tenant, sizeof jobs_tenant, "tenant-%03d", number++);
	tenant_run(
	    "INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES ($1, 'n', hl_now(), hl_now())");
	return 0;
}

static uint8_t *
next_id(void)
{
	static uint8_t ids[64][16];
	static size_t next;

	return memset(ids[next++ % 64], 0, 16);
}

const uint8_t *
endpoint_id(uint8_t number)
{
	uint8_t *id = next_id();

	memset(id, 0x11, 15);
	id[15] = number;
	return id;
}

const uint8_t *
job_id(uint32_t event, uint16_t k)
{
	uint8_t *id = next_id();

	for (int i = 0; i < 6; i++)
		id[i] = (uint8_t)(SOME_MS >> (40 - 8 * i));
	id[6] = 0x70;
	id[8] = 0x80;
	for (int i = 0; i < 4; i++)
		id[10 + i] = (uint8_t)(event >> (24 - 8 * i));
	id[14] = (uint8_t)(k >> 8);
	id[15] = (uint8_t)k;
	return id;
}

const uint8_t *
event_id(uint32_t number)
{
	return job_id(number, 0);
}

static void
run(const struct db_statement *statement, const struct db_param *params, size_t count)
{
	must_begin(jobs_db);
	must_run(jobs_db, statement, params, count);
	must_commit(jobs_db);
}

void
tenant_run(const char *sql)
{
	run(SAME(sql), PARAMS(db_string(jobs_tenant)));
}

void
add_endpoint(uint8_t number)
{
	must_begin(jobs_db);
	must_add_endpoint(jobs_db, jobs_tenant, endpoint_id(number));
	must_commit(jobs_db);
}

void
add_event(uint32_t number, const char *payload)
{
	run(SAME("INSERT INTO events (event_id, created_at, occurred_at, job_count, tenant_id, topic, payload) "
		 "VALUES ($1, hl_time($2), hl_time($2 + 1), 1, $3, 'a.b', $4)"),
	    PARAMS(db_uuid(event_id(number)), db_int(SOME_MS), db_string(jobs_tenant), db_string(payload)));
}

void
add_job(uint8_t endpoint, uint32_t event, int64_t due_in_ms)
{
	run(SAME("INSERT INTO jobs (tenant_id, endpoint_id, job_id, event_id, node_id, status, next_attempt_at, "
		 "expires_at) VALUES ($1, $2, $3, $4, $5, 'pending', hl_time(hl_ms(hl_now()) + $6), "
		 "hl_time(hl_ms(hl_now()) + 86400000))"),
	    PARAMS(db_string(jobs_tenant), db_uuid(endpoint_id(endpoint)), db_uuid(job_id(event, 1)),
		db_uuid(event_id(event)), db_int(NODE), db_int(due_in_ms)));
}

void
keep_event_beside(uint32_t event)
{
	must_begin(jobs_db);
	must_run(jobs_db,
	    SAME("INSERT INTO dlq_events (tenant_id, event_id, job_id, topic, occurred_at, payload) "
		 "VALUES ($1, $2, $3, 'kept', hl_time(1000), '\"kept\"')"),
	    PARAMS(db_string(jobs_tenant), db_uuid(event_id(event)), db_uuid(job_id(event, 1))));
	must_commit(jobs_db);
}

const char *
tenant_text(const char *sql)
{
	static char text[512];
	struct db_rows *rows = must_read(jobs_db, SAME(sql), PARAMS(db_string(jobs_tenant)));

	text[0] = '\0';
	if (db_rows_count(rows) > 0 && !db_rows_null(rows, 0, 0))
		(void)snprintf(text, sizeof text, "%s", db_rows_text(rows, 0, 0).base);
	db_rows_free(rows);
	return text;
}

int64_t
tenant_count(const char *sql)
{
	return atoll(tenant_text(sql));
}

void
add_refusal(const char *name, const char *what, const char *when)
{
	char postgres[512], sqlite[512];

	(void)snprintf(postgres, sizeof postgres,
	    "CREATE TRIGGER %s BEFORE %s FOR EACH ROW WHEN (%s) EXECUTE FUNCTION refuse()", name, what, when);
	(void)snprintf(sqlite, sizeof sqlite,
	    "CREATE TRIGGER %s BEFORE %s FOR EACH ROW WHEN %s BEGIN SELECT RAISE(ABORT, 'not this one'); END", name,
	    what, when);
	must_begin(jobs_db);
	must_run(jobs_db,
	    BOTH("CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
		 "$$ BEGIN RAISE EXCEPTION 'not this one'; END $$",
		"SELECT 1"),
	    NULL, 0);
	must_run(jobs_db, BOTH(postgres, sqlite), NULL, 0);
	must_commit(jobs_db);
}

bool
store_has_delays(void)
{
	return db_config.hl_postgres_url != NULL;
}

void
add_delay(const char *name, const char *what, const char *each, const char *seconds)
{
	char trigger[256];

	(void)snprintf(trigger, sizeof trigger, "CREATE TRIGGER %s BEFORE %s FOR EACH %s EXECUTE FUNCTION delay('%s')",
	    name, what, each, seconds);
	must_begin(jobs_db);
	must_run(jobs_db,
	    SAME("CREATE OR REPLACE FUNCTION delay() RETURNS trigger LANGUAGE plpgsql AS "
		 "$$ BEGIN PERFORM pg_sleep(TG_ARGV[0]::float8); RETURN NEW; END $$"),
	    NULL, 0);
	must_run(jobs_db, SAME(trigger), NULL, 0);
	must_commit(jobs_db);
}

void
remove_refusal(const char *name, const char *table)
{
	char postgres[128], sqlite[128];

	(void)snprintf(postgres, sizeof postgres, "DROP TRIGGER %s ON %s", name, table);
	(void)snprintf(sqlite, sizeof sqlite, "DROP TRIGGER %s", name);
	must_begin(jobs_db);
	must_run(jobs_db, BOTH(postgres, sqlite), NULL, 0);
	must_commit(jobs_db);
}
