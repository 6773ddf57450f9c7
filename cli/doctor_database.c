/* The PostgreSQL servers behind DATABASE_URL and HL_POSTGRES_URL, and our tables in them. */
#include <inttypes.h>
#include <string.h>

#include "cli/doctor.h"
#include "store/postgres/server_facts.h"

/* Connections of the processes that answer the API; see docs/scaling.md. */
#define API_CONNECTIONS 7

/* Ages of an open transaction. VACUUM cannot remove rows that died after its start. */
#define OLD_TRANSACTION_SECONDS 600
#define ANCIENT_TRANSACTION_SECONDS (24 * 3600)
#define CLOCK_WARN_US 1000000
#define CLOCK_FAIL_US 30000000
/* More dead rows than VACUUM normally leaves between two runs. */
#define BLOAT_ROWS 100000
#define BLOAT_TIMES 10

#define ASK_DBA "docs/operations.md tells what each error of the server means"
#define END_IT "end it: pg_terminate_backend(), ROLLBACK PREPARED; bound it by idle_in_transaction_session_timeout"

/* A database: the option that names it, and its checks. */
struct place {
	const char *option, *url;
	bool webhooks; /* false: tables of hook events */
	bool known; /* the same server was checked for the other place */
	int64_t connections; /* opened by one hooksd */
	enum doctor_check connection, schema, rights, months, in_default, durability, used, pooler, vacuum, slots,
	    clock;
};

/* Reports a refused or unanswered statement. Returns whether the connection is gone. */
static bool
failed(const struct doctor *doctor, enum doctor_check check, int rc, const struct error *err)
{
	if (rc != 0)
		doctor_fail(doctor->out, check, ASK_DBA, "%s", err->text);
	return rc < 0;
}

static void
check_durability(const struct doctor *doctor, const struct place *place, const struct server_facts *facts)
{
	if (!facts->fsync || !facts->full_page_writes)
		doctor_fail(doctor->out, place->durability, "set fsync and full_page_writes to on",
		    "fsync is %s, full_page_writes is %s: a crash loses what was acknowledged",
		    facts->fsync ? "on" : "off", facts->full_page_writes ? "on" : "off");
	else
		doctor_ok(doctor->out, place->durability, "fsync is on; synchronous_commit is %s",
		    facts->synchronous_commit ? "on" : "off, and hooksd sets it for its own commits");
}

static bool
lacks(int64_t most, int64_t now, int64_t need)
{
	return most >= 0 && most - now < need;
}

/* Checks the limits of connections. A running service has its connections already. */
static void
check_connections(const struct doctor *doctor, const struct place *place, const struct server_facts *facts)
{
	bool runs = doctor_master(doctor->config) > 0;
	int64_t need = runs ? 1 : place->connections;
	const char *limit = lacks(facts->most, facts->now, need)                     ? "max_connections"
			    : lacks(facts->database_most, facts->database_now, need) ? "the database's CONNECTION LIMIT"
			    : lacks(facts->role_most, facts->role_now, need)         ? "the role's CONNECTION LIMIT"
										     : NULL;

	if (limit != NULL)
		doctor_fail(doctor->out, place->used, "raise it, or put PgBouncer in front",
		    "%s leaves less than the %" PRId64 " connections that hooksd %s", limit, place->connections,
		    runs ? "has" : "opens");
	else
		doctor_ok(doctor->out, place->used,
		    "%" PRId64 " of %" PRId64 " are used, and one hooksd opens %" PRId64, facts->now, facts->most,
		    place->connections);
}

static void
check_clock(const struct doctor *doctor, const struct place *place, const struct server_facts *facts)
{
	int64_t ahead = facts->clock_ahead_us, off = ahead < 0 ? -ahead : ahead;
	const char *fix = "keep the clocks of both machines synchronised";
	const char *way = ahead < 0 ? "behind" : "ahead of";

	if (off >= CLOCK_FAIL_US)
		doctor_fail(
		    doctor->out, place->clock, fix, "the server's clock is %" PRId64 " s %s ours", off / 1000000, way);
	else if (off >= CLOCK_WARN_US)
		doctor_warn(
		    doctor->out, place->clock, fix, "the server's clock is %" PRId64 " ms %s ours", off / 1000, way);
	else
		doctor_ok(doctor->out, place->clock, "the server's clock is as ours, to %" PRId64 " ms", off / 1000);
}

/* Returns whether the connection is gone. */
static bool
check_pooler(const struct doctor *doctor, struct server *server, const struct place *place)
{
	enum server_pooling pooling;
	struct error err;
	int rc = server_find_pooling(server, place->url, &pooling, &err);

	if (rc != 0)
		return failed(doctor, place->pooler, rc, &err);
	switch (pooling) {
	case SERVER_DIRECT:
		doctor_ok(doctor->out, place->pooler, "none: the server itself answers");
		break;
	case SERVER_TRANSACTION:
		doctor_ok(doctor->out, place->pooler, "there is one, in transaction mode");
		break;
	case SERVER_SESSION:
		doctor_warn(doctor->out, place->pooler, "set pool_mode=transaction, or a pool_size for all connections",
		    "there is one, in session mode or without a free connection: one hooksd holds %" PRId64
		    " of its pool",
		    place->connections);
		break;
	case SERVER_STATEMENT:
		doctor_fail(doctor->out, place->pooler, "set pool_mode=transaction",
		    "there is one in statement mode, which takes no transactions");
		return true;
	}
	return false;
}

/* Reports a transaction that is too old. Returns whether it is. */
static bool
is_old(const struct doctor *doctor, const struct place *place, const char *who, int64_t seconds, int64_t warn_at,
    int64_t fail_at) /* six: what is checked, and its limits */
{
	static const char found[] = "%s has a transaction open for %s: VACUUM removes nothing that is newer";
	char age[DOCTOR_AGE_BYTES];

	if (seconds < 0 || seconds < warn_at)
		return false;
	(void)doctor_age(seconds, age);
	if (seconds >= fail_at)
		doctor_fail(doctor->out, place->vacuum, END_IT, found, who, age);
	else
		doctor_warn(doctor->out, place->vacuum, END_IT, found, who, age);
	return true;
}

static void
check_vacuum(const struct doctor *doctor, const struct place *place, const struct server_holders *holders)
{
	char size[DOCTOR_SIZE_BYTES];
	bool open = is_old(doctor, place, holders->transaction, holders->transaction_seconds, OLD_TRANSACTION_SECONDS,
	    ANCIENT_TRANSACTION_SECONDS);

	if (!is_old(doctor, place, holders->prepared, holders->prepared_seconds, 0, OLD_TRANSACTION_SECONDS) && !open)
		doctor_ok(doctor->out, place->vacuum, "no old transaction%s",
		    holders->hidden > 0 ? ", as far as this role sees (pg_monitor sees all)" : "");
	if (holders->slot_bytes >= 0)
		doctor_warn(doctor->out, place->slots, "start its standby again, or pg_drop_replication_slot()",
		    "nobody uses the replication slot %s, which keeps %s of the server's log", holders->slot,
		    doctor_size((uint64_t)holders->slot_bytes, size));
	else
		doctor_ok(doctor->out, place->slots, "none is unused");
}

/* Returns whether the connection is gone. */
static bool
check_server(const struct doctor *doctor, struct server *server, const struct place *place)
{
	struct server_holders holders;
	struct server_facts facts;
	char size[DOCTOR_SIZE_BYTES];
	struct error err;
	int rc = server_read_facts(server, &facts, &err);

	if (rc != 0)
		return failed(doctor, place->connection, rc, &err);
	if (facts.read_only)
		doctor_fail(doctor->out, place->connection, "name the primary, with target_session_attrs=read-write",
		    "%s: PostgreSQL %s is a standby, or takes no writes", place->option, facts.version);
	else
		doctor_ok(doctor->out, place->connection, "%s: PostgreSQL %s as %s, %s; the database has %s",
		    place->option, facts.version, facts.role, facts.tls[0] != '\0' ? facts.tls : "not encrypted",
		    doctor_size((uint64_t)facts.database_bytes, size));
	if (place->known)
		return false;
	check_durability(doctor, place, &facts);
	check_connections(doctor, place, &facts);
	check_clock(doctor, place, &facts);
	if (check_pooler(doctor, server, place))
		return true;
	if (facts.read_only)
		return false;
	rc = server_read_holders(server, &holders, &err);
	if (rc == 0)
		check_vacuum(doctor, place, &holders);
	return failed(doctor, place->vacuum, rc, &err);
}

static void
report_months(const struct doctor *doctor, const struct place *place, const char *table, int ahead, int64_t in_default)
{
	uint32_t wanted = doctor->config->partitions_ahead;
	const char *fix = "see the log of hooksd for why, or SELECT * FROM ensure_partitions()";

	if (ahead < 0)
		doctor_fail(doctor->out, place->months, fix, "%s has no partition for this month", table);
	else if ((uint32_t)ahead < wanted)
		doctor_warn(doctor->out, place->months, fix, "%s has partitions for %d months ahead, not %" PRIu32,
		    table, ahead, wanted);
	else
		doctor_ok(doctor->out, place->months, "%s has partitions for %d months ahead", table, ahead);
	if (in_default > 0)
		doctor_warn(doctor->out, place->in_default, "create_monthly_partition() moves them to their month",
		    "%s_default holds %" PRId64 " rows%s", table, in_default, in_default >= 1000 ? " or more" : "");
	else
		doctor_ok(doctor->out, place->in_default,
		    in_default == 0 ? "%s_default is empty" : "this role may not read %s_default", table);
}

/* Returns whether the connection is gone. */
static bool
check_months(const struct doctor *doctor, struct server *server, const struct place *place, const char *table)
{
	int64_t in_default;
	struct error err;
	int ahead, rc = server_read_months(server, table, doctor->config->partitions_ahead, &ahead, &in_default, &err);

	if (rc == 0)
		report_months(doctor, place, table, ahead, in_default);
	return failed(doctor, place->months, rc, &err);
}

/* Returns whether the schema of hook events, or of webhooks, is this program's. */
static bool
has_schema(const struct doctor *doctor, struct server *server, const struct place *place, bool webhooks)
{
	const char *of = webhooks ? "webhooks" : "hook events";
	int version, target;
	struct error err;
	int rc = server_read_schema(server, webhooks, &version, &target, &err);

	if (rc != 0)
		doctor_fail(doctor->out, place->schema, ASK_DBA, "%s", err.text);
	return rc == 0 && doctor_schema(doctor, place->schema, of, version, target);
}

/* Checks the schema and the rights. Returns whether further checks are useless. */
static bool
check_schema(const struct doctor *doctor, struct server *server, const struct place *place)
{
	char missing[ERROR_TEXT_MAX];
	struct error err;

	if (!has_schema(doctor, server, place, false) || (place->webhooks && !has_schema(doctor, server, place, true)))
		return true;
	const enum server_rights rights = place->webhooks                              ? SERVER_RIGHTS_WEBHOOKS
					  : config_streams_hook_events(doctor->config) ? SERVER_RIGHTS_LOGGED_EVENTS
										       : SERVER_RIGHTS_EVENTS;
	int rc = server_find_missing(server, rights, missing, &err);
	if (rc == 0 && missing[0] != '\0')
		doctor_fail(
		    doctor->out, place->rights, "GRANT them, or run schema/roles.sql", "the role lacks %s", missing);
	else if (rc == 0)
		doctor_ok(doctor->out, place->rights, "the role has the rights that hooksd uses");
	return failed(doctor, place->rights, rc, &err);
}

/* Connects, or reports why not. */
static struct server *
open_place(const struct doctor *doctor, const struct place *place)
{
	struct server *server = NULL;
	struct error err;

	if (server_open(&server, place->url, &err) != 0)
		doctor_fail(doctor->out, place->connection, ASK_DBA, "%s: %s", place->option, err.text);
	return server;
}

static void
check_letters(const struct doctor *doctor, struct server *server)
{
	struct error err;
	int64_t count;
	int rc = server_count_letters(server, &count, &err);

	if (rc == 0 && count > 0)
		doctor_warn(doctor->out, CHECK_DATABASE_LETTERS,
		    "hooksctl deadletter list, and retry when the cause is gone",
		    "%" PRId64 " events that the database refused", count);
	else if (rc == 0 && count == 0)
		doctor_ok(doctor->out, CHECK_DATABASE_LETTERS, "none");
	(void)failed(doctor, CHECK_DATABASE_LETTERS, rc, &err);
}

/* Whether both kinds of events use one database. */
static bool
is_shared(const struct config *config)
{
	return config->storage == STORAGE_POSTGRES && config->hl_store == HL_STORE_POSTGRES &&
	       strcmp(config->database_url, config->hl_postgres_url) == 0;
}

static int64_t
webhooks_connections(const struct config *config)
{
	return (int64_t)config->hl_publishers + config->hl_couriers + API_CONNECTIONS;
}

void
doctor_database(const struct doctor *doctor)
{
	const struct config *config = doctor->config;
	const struct place place = {
	    .option = "DATABASE_URL",
	    .url = config->database_url,
	    .connections = config->writers + (is_shared(config) ? webhooks_connections(config) : 0) +
			   (config_streams_hook_events(config) ? 1 : 0),
	    .connection = CHECK_DATABASE_CONNECTION,
	    .schema = CHECK_DATABASE_SCHEMA,
	    .rights = CHECK_DATABASE_RIGHTS,
	    .months = CHECK_DATABASE_MONTHS,
	    .in_default = CHECK_DATABASE_DEFAULT,
	    .durability = CHECK_DATABASE_DURABILITY,
	    .used = CHECK_DATABASE_CONNECTIONS,
	    .pooler = CHECK_DATABASE_POOLER,
	    .vacuum = CHECK_DATABASE_VACUUM,
	    .slots = CHECK_DATABASE_SLOTS,
	    .clock = CHECK_DATABASE_CLOCK,
	};
	struct server *server;

	if (config->storage != STORAGE_POSTGRES)
		return;
	server = open_place(doctor, &place);
	if (server != NULL && !check_server(doctor, server, &place) && !check_schema(doctor, server, &place) &&
	    !check_months(doctor, server, &place, "hook_events"))
		check_letters(doctor, server);
	server_close(server);
}

static void
check_bloat(const struct doctor *doctor, struct server *server)
{
	struct server_bloat bloat;
	char size[DOCTOR_SIZE_BYTES];
	struct error err;
	int rc = server_read_bloat(server, &bloat, &err);

	if (rc == 0 && bloat.dead > BLOAT_ROWS && bloat.dead > BLOAT_TIMES * bloat.live)
		doctor_warn(doctor->out, CHECK_WEBHOOKS_BLOAT, "see webhooks.vacuum; then VACUUM jobs",
		    "jobs has %" PRId64 " dead rows beside %" PRId64 " live ones, %s in all", bloat.dead, bloat.live,
		    doctor_size((uint64_t)bloat.bytes, size));
	else if (rc == 0)
		doctor_ok(doctor->out, CHECK_WEBHOOKS_BLOAT, "jobs has %s, %" PRId64 " dead rows",
		    doctor_size((uint64_t)bloat.bytes, size), bloat.dead);
	(void)failed(doctor, CHECK_WEBHOOKS_BLOAT, rc, &err);
}

void
doctor_webhooks(const struct doctor *doctor)
{
	const struct config *config = doctor->config;
	const struct place place = {
	    .option = "HL_POSTGRES_URL",
	    .url = config->hl_postgres_url,
	    .webhooks = true,
	    .known = is_shared(config),
	    .connections = webhooks_connections(config),
	    .connection = CHECK_WEBHOOKS_CONNECTION,
	    .schema = CHECK_WEBHOOKS_SCHEMA,
	    .rights = CHECK_WEBHOOKS_RIGHTS,
	    .months = CHECK_WEBHOOKS_MONTHS,
	    .in_default = CHECK_WEBHOOKS_DEFAULT,
	    .durability = CHECK_WEBHOOKS_DURABILITY,
	    .used = CHECK_WEBHOOKS_CONNECTIONS,
	    .pooler = CHECK_WEBHOOKS_POOLER,
	    .vacuum = CHECK_WEBHOOKS_VACUUM,
	    .slots = CHECK_WEBHOOKS_SLOTS,
	    .clock = CHECK_WEBHOOKS_CLOCK,
	};
	struct server *server;

	if (config->hl_store != HL_STORE_POSTGRES)
		return;
	server = open_place(doctor, &place);
	if (server != NULL && !check_server(doctor, server, &place) && !check_schema(doctor, server, &place) &&
	    !check_months(doctor, server, &place, "events") && !check_months(doctor, server, &place, "attempts"))
		check_bloat(doctor, server);
	server_close(server);
}
