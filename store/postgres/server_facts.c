/*
 * Reads catalogs and statistics that every role may read. Without pg_monitor a role sees little of other roles'
 * sessions.
 */
#include "store/postgres/server_facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/postgres/migrate.h"
#include "store/postgres/pg.h"

#define STATEMENT_SECONDS 4

struct server {
	struct pg *pg;
};

#define FACTS_SQL                                                                                                      \
	"SELECT current_setting('server_version'), current_user,"                                                      \
	" (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,"                                                  \
	" current_setting('transaction_read_only'), current_setting('fsync'), current_setting('full_page_writes'),"    \
	" current_setting('synchronous_commit'), pg_database_size(current_database()),"                                \
	" current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"            \
	" - coalesce(current_setting('reserved_connections', true)::int, 0),"                                          \
	" (SELECT count(*) FROM pg_stat_activity WHERE usesysid IS NOT NULL),"                                         \
	" (SELECT datconnlimit FROM pg_database WHERE datname = current_database()),"                                  \
	" (SELECT count(*) FROM pg_stat_activity WHERE usesysid IS NOT NULL AND datname = current_database()),"        \
	" (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),"                                           \
	" (SELECT count(*) FROM pg_stat_activity WHERE usename = current_user)"

/*
 * The age in seconds and the session, or no row. Not a VACUUM: it may take hours, but does not hold back other
 * VACUUMs.
 */
#define TRANSACTION_SQL                                                                                                \
	"SELECT extract(epoch FROM clock_timestamp() - xact_start)::bigint,"                                           \
	" format('pid %s of %s (%s)', pid, usename, application_name) FROM pg_stat_activity"                           \
	" WHERE pid <> pg_backend_pid() AND datname = current_database() AND xact_start IS NOT NULL"                   \
	" AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)"                                                   \
	" AND pid NOT IN (SELECT pid FROM pg_stat_progress_vacuum) ORDER BY xact_start LIMIT 1"
#define PREPARED_SQL                                                                                                   \
	"SELECT extract(epoch FROM clock_timestamp() - prepared)::bigint, format('the prepared transaction %s of "     \
	"%s', gid, owner)"                                                                                             \
	" FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared LIMIT 1"
#define SLOT_SQL                                                                                                       \
	"SELECT coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint, slot_name"                    \
	" FROM pg_replication_slots WHERE NOT active ORDER BY 1 DESC LIMIT 1"
#define HIDDEN_SQL "SELECT count(*), '' FROM pg_stat_activity WHERE query = '<insufficient privilege>'"

/* The rights that schema/roles.sql grants. */
#define EVENTS_RIGHTS                                                                                                  \
	"('hooks_schema_migrations', 'SELECT'), ('hook_events', 'SELECT INSERT'),"                                     \
	" ('hook_events_dead_letters', 'SELECT INSERT')"
#define LOG_RIGHTS ", ('hook_event_log', 'SELECT INSERT DELETE')"
#define ALL_RIGHTS "SELECT INSERT UPDATE DELETE"
#define WEBHOOKS_RIGHTS                                                                                                \
	"('hookline_schema_migrations', 'SELECT'), ('hooks_schema_migrations', 'SELECT'), ('tenants', '" ALL_RIGHTS    \
	"'), ('api_keys', '" ALL_RIGHTS "'), ('endpoints', '" ALL_RIGHTS "'), ('subscriptions', '" ALL_RIGHTS          \
	"'), ('transforms', 'SELECT INSERT DELETE'), ('events', '" ALL_RIGHTS "'), ('jobs', '" ALL_RIGHTS              \
	"'), ('attempts', 'SELECT INSERT DELETE'), ('dlq', '" ALL_RIGHTS "'), ('dlq_events', 'SELECT INSERT DELETE')," \
	" ('cancelled_jobs', 'SELECT INSERT DELETE'), ('notices', '" ALL_RIGHTS                                        \
	"'), ('endpoint_tests', 'SELECT INSERT DELETE'), ('fifo_heads', '" ALL_RIGHTS                                  \
	"'), ('idempotency_keys', '" ALL_RIGHTS "'), ('replays', '" ALL_RIGHTS                                         \
	"'), ('audit_log', 'SELECT INSERT DELETE'), ('tenant_stats', '" ALL_RIGHTS                                     \
	"'), ('inbox_messages', 'SELECT INSERT DELETE'), ('inbox_keys', 'SELECT INSERT'),"                             \
	" ('routing_versions', '" ALL_RIGHTS "'), ('changes', 'SELECT UPDATE'), ('pauses', '" ALL_RIGHTS               \
	"'), ('upkeep', 'SELECT INSERT UPDATE'), ('delivery_nodes', '" ALL_RIGHTS                                      \
	"'), ('store_identity', 'SELECT INSERT UPDATE')"

/* A right to some columns counts. DELETE has no column rights. */
#define MISSING_SQL(rights, functions)                                                                                 \
	"SELECT coalesce(string_agg(what, ', ' ORDER BY what), '') FROM (SELECT privilege || ' on ' || name FROM "     \
	"(VALUES " rights ") AS wanted (name, privileges), regexp_split_to_table(privileges, ' ') AS privilege"        \
	" WHERE to_regclass(name) IS NOT NULL AND NOT CASE privilege WHEN 'DELETE' THEN"                               \
	" has_table_privilege(to_regclass(name), privilege) ELSE"                                                      \
	" has_any_column_privilege(to_regclass(name), privilege) END"                                                  \
	" UNION SELECT 'EXECUTE on ' || proname FROM pg_proc WHERE pg_function_is_visible(oid) AND " functions         \
	" AND NOT has_function_privilege(oid, 'EXECUTE')) AS lacking (what)"
#define EVENTS_FUNCTIONS "pronargs = 2 AND proname IN ('create_monthly_partition', 'ensure_partitions')"
#define WEBHOOKS_FUNCTIONS                                                                                             \
	"(proname = 'hl_drop_month' OR pronargs = 3 AND proname IN ('create_monthly_partition', 'ensure_partitions'))"

int
server_open(struct server **out, const char *url, struct error *err)
{
	struct pg *pg;

	if (pg_open(&pg, url, err) != 0)
		return -1;
	*out = mem_new(1, sizeof **out);
	(*out)->pg = pg;
	return 0;
}

void
server_close(struct server *server)
{
	if (server == NULL)
		return;
	pg_close(server->pg);
	free(server);
}

/*
 * As pg_exec(). The server ends the statement before we give it up; otherwise it would go on, or wait for a lock,
 * without us.
 */
static int
ask(struct server *server, const char *sql, PGresult **result, struct error *err)
{
	char *limited = mem_printf("SET LOCAL statement_timeout = '%ds'; %s", STATEMENT_SECONDS - 1, sql);
	int rc = pg_exec(server->pg, limited, pg_deadline(STATEMENT_SECONDS), result, err);

	free(limited);
	return rc;
}

static void
copy_text(char out[SERVER_TEXT_BYTES], const PGresult *result, int column)
{
	(void)snprintf(out, SERVER_TEXT_BYTES, "%s", PQgetvalue(result, 0, column));
}

static int64_t
number(const PGresult *result, int column)
{
	return strtoll(PQgetvalue(result, 0, column), NULL, 10);
}

static bool
is_on(const PGresult *result, int column)
{
	return strcmp(PQgetvalue(result, 0, column), "on") == 0;
}

int
server_read_facts(struct server *server, struct server_facts *facts, struct error *err)
{
	const char *tls = pg_tls(server->pg);
	int64_t began_us = clock_wall_us();
	PGresult *result;
	int rc = ask(server, FACTS_SQL, &result, err);

	if (rc != 0)
		return rc;
	*facts = (struct server_facts){
	    .clock_ahead_us = number(result, 2) - (began_us + (clock_wall_us() - began_us) / 2),
	    .read_only = is_on(result, 3),
	    .fsync = is_on(result, 4),
	    .full_page_writes = is_on(result, 5),
	    .synchronous_commit = strcmp(PQgetvalue(result, 0, 6), "off") != 0,
	    .database_bytes = number(result, 7),
	    .most = number(result, 8),
	    .now = number(result, 9),
	    .database_most = number(result, 10),
	    .database_now = number(result, 11),
	    .role_most = number(result, 12),
	    .role_now = number(result, 13),
	};
	copy_text(facts->version, result, 0);
	copy_text(facts->role, result, 1);
	(void)snprintf(facts->tls, sizeof facts->tls, "%s", tls != NULL ? tls : "");
	PQclear(result);
	return 0;
}

#define TURN_TRIES 10

static int
read_pid(struct pg *pg, int *pid, struct error *err)
{
	PGresult *result;
	int rc = pg_exec(pg, "SELECT pg_backend_pid()", pg_deadline(STATEMENT_SECONDS), &result, err);

	if (rc != 0)
		return rc;
	*pid = atoi(PQgetvalue(result, 0, 0));
	PQclear(result);
	return 0;
}

/*
 * Whether connections get the server's processes in turn, as in transaction mode: two get the same one, or one gets
 * another, because other clients use some meanwhile.
 */
static bool
take_turns(struct server *server, const char *url)
{
	struct pg *other = NULL;
	struct error err;
	bool turns = false;
	int first, again, two;

	if (pg_open(&other, url, &err) == 0)
		for (int tries = 0; tries < TURN_TRIES && !turns; tries++)
			turns = read_pid(server->pg, &first, &err) == 0 && read_pid(server->pg, &again, &err) == 0 &&
				read_pid(other, &two, &err) == 0 && (first != again || again == two);
	pg_close(other);
	return turns;
}

int
server_find_pooling(struct server *server, const char *url, enum server_pooling *pooling, struct error *err)
{
	bool pooled;
	int rc = pg_pooled(server->pg, pg_deadline(STATEMENT_SECONDS), &pooled, err);

	if (rc != 0)
		return rc;
	*pooling = SERVER_DIRECT;
	if (!pooled)
		return 0;
	rc = pg_exec(server->pg, "BEGIN", pg_deadline(STATEMENT_SECONDS), NULL, err);
	if (rc == 0)
		rc = pg_exec(server->pg, "ROLLBACK", pg_deadline(STATEMENT_SECONDS), NULL, err);
	if (rc != 0 && strstr(err->text, "statement pooling") != NULL) {
		*pooling = SERVER_STATEMENT;
		return 0;
	}
	if (rc == 0)
		*pooling = take_turns(server, url) ? SERVER_TRANSACTION : SERVER_SESSION;
	return rc;
}

/* Reads the first row's number and text; -1 and "" without a row. */
static int
read_pair(struct server *server, const char *sql, int64_t *value, char text[SERVER_TEXT_BYTES], struct error *err)
{
	PGresult *result;
	int rc = ask(server, sql, &result, err);

	if (rc != 0)
		return rc;
	*value = -1;
	text[0] = '\0';
	if (PQntuples(result) > 0) {
		*value = number(result, 0);
		copy_text(text, result, 1);
	}
	PQclear(result);
	return 0;
}

int
server_read_holders(struct server *server, struct server_holders *holders, struct error *err)
{
	char unused[SERVER_TEXT_BYTES];
	int rc = read_pair(server, TRANSACTION_SQL, &holders->transaction_seconds, holders->transaction, err);

	if (rc == 0)
		rc = read_pair(server, PREPARED_SQL, &holders->prepared_seconds, holders->prepared, err);
	if (rc == 0)
		rc = read_pair(server, HIDDEN_SQL, &holders->hidden, unused, err);
	if (rc == 0)
		rc = read_pair(server, SLOT_SQL, &holders->slot_bytes, holders->slot, err);
	return rc;
}

int
server_read_schema(struct server *server, bool webhooks, int *version, int *target, struct error *err)
{
	const struct migration_set *set = webhooks ? &webhooks_postgres_migrations : &postgres_migrations;

	*target = set->target;
	return migrate_read_version(server->pg, set, version, err);
}

int
server_find_missing(struct server *server, enum server_rights rights, char missing[ERROR_TEXT_MAX], struct error *err)
{
	static const char *const missing_sql[] = {
	    [SERVER_RIGHTS_EVENTS] = MISSING_SQL(EVENTS_RIGHTS, EVENTS_FUNCTIONS),
	    [SERVER_RIGHTS_LOGGED_EVENTS] = MISSING_SQL(EVENTS_RIGHTS LOG_RIGHTS, EVENTS_FUNCTIONS),
	    [SERVER_RIGHTS_WEBHOOKS] = MISSING_SQL(WEBHOOKS_RIGHTS, WEBHOOKS_FUNCTIONS),
	};
	PGresult *result;
	int rc = ask(server, missing_sql[rights], &result, err);

	if (rc != 0)
		return rc;
	(void)snprintf(missing, ERROR_TEXT_MAX, "%s", PQgetvalue(result, 0, 0));
	PQclear(result);
	return 0;
}

static int
read_number(struct server *server, const char *sql, int64_t *value, struct error *err)
{
	char unused[SERVER_TEXT_BYTES];

	return read_pair(server, sql, value, unused, err);
}

/* Counts the rows of a table, which may be missing, up to a limit; -1: the role may not read it. */
static int
count_rows(struct server *server, const char *table, unsigned limit, int64_t *count, struct error *err)
{
	char sql[256];
	int rc;

	(void)snprintf(sql, sizeof sql,
	    "SELECT CASE WHEN oid IS NULL THEN 0 WHEN has_any_column_privilege(oid, 'SELECT') THEN 1 ELSE -1 END, ''"
	    " FROM to_regclass('%s') AS oid",
	    table);
	rc = read_number(server, sql, count, err);
	if (rc != 0 || *count <= 0)
		return rc;
	(void)snprintf(
	    sql, sizeof sql, "SELECT count(*), '' FROM (SELECT 1 FROM %s LIMIT %u) AS some_rows", table, limit);
	return read_number(server, sql, count, err);
}

int
server_read_months(
    struct server *server, const char *table, uint32_t wanted, int *ahead, int64_t *in_default, struct error *err)
{
	char sql[512], rest[64];
	int64_t found;

	(void)snprintf(rest, sizeof rest, "%s_default", table);
	(void)snprintf(sql, sizeof sql,
	    "SELECT coalesce(min(n) - 1, %" PRIu32 "), '' FROM generate_series(0, %" PRIu32 ") AS n"
	    " WHERE to_regclass('%s_' || to_char(date_trunc('month', now() AT TIME ZONE 'UTC')"
	    " + n * interval '1 month', 'YYYY_MM')) IS NULL",
	    wanted, wanted, table);
	int rc = read_number(server, sql, &found, err);
	if (rc != 0)
		return rc;
	*ahead = (int)found;
	return count_rows(server, rest, 1000, in_default, err);
}

int
server_count_letters(struct server *server, int64_t *count, struct error *err)
{
	return count_rows(server, "hook_events_dead_letters", 10000, count, err);
}

int
server_read_bloat(struct server *server, struct server_bloat *bloat, struct error *err)
{
	PGresult *result;
	int rc = ask(server,
	    "SELECT n_live_tup, n_dead_tup, pg_total_relation_size(relid) FROM pg_stat_all_tables"
	    " WHERE relid = to_regclass('jobs')",
	    &result, err);

	if (rc != 0)
		return rc;
	*bloat = (struct server_bloat){0};
	if (PQntuples(result) > 0)
		*bloat = (struct server_bloat){number(result, 0), number(result, 1), number(result, 2)};
	PQclear(result);
	return 0;
}
