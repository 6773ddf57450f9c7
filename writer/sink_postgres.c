/*
 * The PostgreSQL store. A batch goes by COPY straight into hook_events: one statement, one transaction, committed when
 * it returns. What can go wrong is told by SQLSTATE:
 *
 *   23505              some row is there already (sent again by a client, or stored by a writer that died before it
 *                      could say so): the same rows go by INSERT ... ON CONFLICT DO NOTHING
 *   21 22 23 54 P0     PostgreSQL will not have some row, now or ever: the rows are stored in halves, and the halves
 *                      in halves, until the refused row is alone; it goes to the dead letters. k such rows among n
 *                      cost about k log n statements
 *   40                 a deadlock with another writer that stores the same events: once more
 *   anything else      the store is away; the caller keeps the records and opens the sink again
 *
 * Rows are stored in the order given. Partial success is harmless: what is stored twice is found out by its key.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "schema/migrate.h"
#include "schema/pg.h"
#include "writer/dead_letter.h"
#include "writer/row_encode.h"
#include "writer/sink.h"

/* A statement that takes longer is given up, and the connection with it. */
#define STATEMENT_SECONDS 30

/* COPY data goes out in pieces of about this size: large enough for few system calls, small beside the batch. */
#define COPY_CHUNK_BYTES ((size_t)256 << 10)

/* An INSERT's parameters are held whole by libpq and by the server: larger batches go in several statements. */
#define INSERT_BYTES_MAX ((size_t)16 << 20)

/* Each time one of the two ends; more in a row means something else. */
#define DEADLOCK_ATTEMPTS 5

#define PARTITIONS_AHEAD "3"
#define PARTITIONS_INTERVAL_US (INT64_C(3600) * 1000000)
#define PARTITIONS_RETRY_US (INT64_C(60) * 1000000)

enum method { METHOD_COPY, METHOD_INSERT };

struct sink_postgres {
	struct sink super;
	const struct config *config;
	struct pg *pg; /* NULL: not open */
	int64_t partitions_due_us;
	struct bytes chunk;
	struct bytes arrays[ROW_COLUMNS];
	struct dead_letters dead_letters;
	struct error refusal; /* of the last dead letter */
};

static void
disconnect(struct sink_postgres *s)
{
	pg_close(s->pg);
	s->pg = NULL;
}

/*
 * Makes the partitions of this month and the next ones. 0, also when they cannot be made now, which is logged: events
 * of a month without a partition go to the default partition. <0: the connection is gone.
 */
static int
ensure_partitions(struct sink_postgres *s, struct error *err)
{
	static const char sql[] = "SELECT partition_name, outcome FROM ensure_partitions(" PARTITIONS_AHEAD ")";
	int64_t again_us = PARTITIONS_INTERVAL_US;
	PGresult *result;

	int rc = pg_exec(s->pg, sql, pg_deadline(STATEMENT_SECONDS), &result, err);
	if (rc < 0)
		return rc;
	if (rc == PG_REFUSED) {
		log_warning("partitions cannot be made ahead", LOG_STR("error", err->text));
		again_us = PARTITIONS_RETRY_US;
	}
	for (int i = 0; rc == 0 && i < PQntuples(result); i++) {
		const char *name = PQgetvalue(result, i, 0);
		const char *outcome = PQgetvalue(result, i, 1);

		if (strcmp(outcome, "created") == 0) {
			log_info("partition made", LOG_STR("partition", name));
		} else if (strcmp(outcome, "exists") != 0) {
			log_warning("partition cannot be made now: a lock is held", LOG_STR("partition", name));
			again_us = PARTITIONS_RETRY_US;
		}
	}
	if (rc == 0)
		PQclear(result);
	s->partitions_due_us = clock_steady_us() + again_us;
	return 0;
}

static int
postgres_open(struct sink *sink, struct error *err)
{
	struct sink_postgres *s = (struct sink_postgres *)sink;
	int applied;

	disconnect(s);
	int rc = pg_open(&s->pg, s->config->database_url, err);
	if (rc == 0)
		rc = s->config->auto_migrate ? migrate_apply(s->pg, &applied, err) : migrate_check(s->pg, err);
	if (rc == 0)
		rc = ensure_partitions(s, err);
	if (rc != 0)
		disconnect(s);
	return rc;
}

/* One COPY, all rows or none. 0 with *stored, PG_REFUSED, or <0. */
static int
copy_rows(
    struct sink_postgres *s, const struct record *const *records, uint32_t count, uint64_t *stored, struct error *err)
{
	int64_t deadline = pg_deadline(STATEMENT_SECONDS);
	int rc = pg_copy_begin(s->pg, ROW_COPY_SQL, deadline, err);

	s->chunk.len = 0;
	row_copy_begin(&s->chunk);
	for (uint32_t i = 0; rc == 0 && i < count; i++) {
		row_copy(&s->chunk, records[i]);
		if (s->chunk.len >= COPY_CHUNK_BYTES) {
			rc = pg_copy_send(s->pg, s->chunk.base, s->chunk.len, deadline, err);
			s->chunk.len = 0;
		}
	}
	row_copy_end(&s->chunk);
	if (rc == 0)
		rc = pg_copy_send(s->pg, s->chunk.base, s->chunk.len, deadline, err);
	return rc == 0 ? pg_copy_end(s->pg, deadline, stored, err) : rc;
}

/* One INSERT, all rows that are not there yet or none. 0 with *stored, PG_REFUSED, or <0. */
static int
insert_rows(
    struct sink_postgres *s, const struct record *const *records, uint32_t count, uint64_t *stored, struct error *err)
{
	struct pg_param params[ROW_COLUMNS];
	PGresult *result;

	for (unsigned column = 0; column < ROW_COLUMNS; column++) {
		row_array(&s->arrays[column], column, records, count);
		params[column] = (struct pg_param){s->arrays[column].base, s->arrays[column].len};
	}
	int rc =
	    pg_exec_params(s->pg, ROW_INSERT_SQL, params, ROW_COLUMNS, pg_deadline(STATEMENT_SECONDS), &result, err);
	if (rc != 0)
		return rc;
	*stored = pg_rows_affected(result);
	PQclear(result);
	return 0;
}

static bool
sqlstate_is_class(const char *sqlstate, const char *class)
{
	return strncmp(sqlstate, class, 2) == 0;
}

/* Whether an SQLSTATE is about the content of a row: the same row would be refused tomorrow. */
static bool
blames_row(const char *sqlstate)
{
	static const char *const classes[] = {
	    "21", /* cardinality violation */
	    "22", /* data exception: a number too large, text that jsonb cannot hold */
	    "23", /* integrity constraint violation: a CHECK, a foreign key, NOT NULL */
	    "54", /* program limit exceeded: too many keys, an index entry too large */
	    "P0", /* raised by a function, such as a trigger */
	};

	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
		if (sqlstate_is_class(sqlstate, classes[i]))
			return true;
	return false;
}

static size_t
bytes_of(const struct record *const *records, uint32_t count)
{
	size_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += records[i]->length;
	return sum;
}

/* One statement for all rows, repeated when it lost a deadlock. Returns as copy_rows() does. */
static int
store_at_once(struct sink_postgres *s, enum method method, const struct record *const *records, uint32_t count,
    uint64_t *stored, struct error *err)
{
	int rc = 0;

	for (int attempt = 0; attempt < DEADLOCK_ATTEMPTS; attempt++) {
		rc = method == METHOD_COPY ? copy_rows(s, records, count, stored, err)
					   : insert_rows(s, records, count, stored, err);
		if (rc != PG_REFUSED || !sqlstate_is_class(pg_sqlstate(s->pg), "40"))
			break;
	}
	return rc;
}

/* Stores rows by one statement, or by halves when it must be. Adds to *result. 0, or <0: the store is away. */
static int
store_rows(struct sink_postgres *s, enum method method, const struct record *const *records, uint32_t count,
    struct sink_result *result, struct error *err)
{
	bool too_large = method == METHOD_INSERT && count > 1 && bytes_of(records, count) > INSERT_BYTES_MAX;

	if (!too_large) {
		uint64_t stored;
		int rc = store_at_once(s, method, records, count, &stored, err);

		if (rc == 0) {
			/* A trigger that drops rows makes them look like duplicates: not stored, and meant so. */
			result->stored += (uint32_t)stored;
			result->duplicates += count - (uint32_t)stored;
			return 0;
		}
		if (rc < 0)
			return rc;
		if (method == METHOD_COPY && strcmp(pg_sqlstate(s->pg), "23505") == 0)
			return store_rows(s, METHOD_INSERT, records, count, result, err);
		if (!blames_row(pg_sqlstate(s->pg)))
			return -1;
		if (count == 1) {
			s->refusal = *err;
			result->dead_lettered++;
			return dead_letters_append(
			    &s->dead_letters, records[0], pg_sqlstate(s->pg), s->refusal.text, err);
		}
	}

	uint32_t half = count / 2;
	if (store_rows(s, method, records, half, result, err) < 0)
		return -1;
	return store_rows(s, method, records + half, count - half, result, err);
}

static int
postgres_store(struct sink *sink, const struct record *const *records, uint32_t count, struct sink_result *result,
    struct error *err)
{
	struct sink_postgres *s = (struct sink_postgres *)sink;

	assert(s->pg != NULL && count > 0);
	*result = (struct sink_result){0};
	int rc = store_rows(s, METHOD_COPY, records, count, result, err);
	if (rc == 0 && result->dead_lettered > 0)
		rc = dead_letters_sync(&s->dead_letters, err);
	if (rc < 0) {
		disconnect(s);
		return rc;
	}
	if (result->dead_lettered > 0)
		log_warning("PostgreSQL refused events: they are in the dead letters",
		    LOG_UINT("events", result->dead_lettered), LOG_STR("last_refusal", s->refusal.text));
	return 0;
}

static int
postgres_upkeep(struct sink *sink, struct error *err)
{
	struct sink_postgres *s = (struct sink_postgres *)sink;
	int rc = pg_check(s->pg, err);

	if (rc == 0 && clock_steady_us() >= s->partitions_due_us)
		rc = ensure_partitions(s, err);
	if (rc < 0)
		disconnect(s);
	return rc;
}

static int
postgres_watch(const struct sink *sink)
{
	const struct sink_postgres *s = (const struct sink_postgres *)sink;

	return s->pg == NULL ? -1 : pg_socket(s->pg);
}

static void
postgres_reopen(struct sink *sink)
{
	dead_letters_close(&((struct sink_postgres *)sink)->dead_letters);
}

static void
postgres_close(struct sink *sink)
{
	struct sink_postgres *s = (struct sink_postgres *)sink;

	disconnect(s);
	dead_letters_free(&s->dead_letters);
	bytes_free(&s->chunk);
	for (unsigned column = 0; column < ROW_COLUMNS; column++)
		bytes_free(&s->arrays[column]);
	free(s);
}

struct sink *
sink_postgres_new(const struct config *config)
{
	static const struct sink_ops ops = {
	    .name = "postgres",
	    .open = postgres_open,
	    .store = postgres_store,
	    .upkeep = postgres_upkeep,
	    .watch = postgres_watch,
	    .reopen = postgres_reopen,
	    .close = postgres_close,
	};
	struct sink_postgres *s = mem_new(1, sizeof *s);

	s->super.ops = &ops;
	s->config = config;
	dead_letters_init(&s->dead_letters, config->data_dir);
	return &s->super;
}
