/*
 * The PostgreSQL store. A batch goes by COPY straight into hook_events: one statement, one transaction, committed when
 * it returns. When the server refuses it, the SQLSTATE tells what to do (writer/refusal.h):
 *
 *   a duplicate   some row is there already (sent again by a client, or stored by a writer that died before it could
 *                 say so): the same rows go by INSERT ... ON CONFLICT DO NOTHING, and so does the next batch at once,
 *                 because resends come in floods
 *   a row         PostgreSQL will not have some row, now or ever: the rows are stored in halves, and the halves in
 *                 halves, until the refused row is alone; it goes to the dead letters. k such rows among n cost about
 *                 2 k log2(n / k) statements
 *   a race        a deadlock with another writer that stores the same events: as for a duplicate, in the order of keys,
 *                 and once more
 *   the store     it is away; the caller keeps the records and opens the sink again
 *   unclear       a row's if the table takes no rows at all without complaint, else the store's
 *
 * A statement that runs out of time (writer/patience.h) means that the store is away, too; in case it is only slow, the
 * next ones take fewer rows.
 *
 * Rows are stored in the order given, but for those of an INSERT. Partial success is harmless: what is stored twice is
 * found out by its key.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "schema/migrate.h"
#include "schema/pg.h"
#include "writer/dead_letter.h"
#include "writer/dead_letter_table.h"
#include "writer/partitions.h"
#include "writer/patience.h"
#include "writer/refusal.h"
#include "writer/row_encode.h"
#include "writer/sink.h"

/* COPY data goes out in pieces of about this size: large enough for few system calls, small beside the batch. */
#define COPY_CHUNK_BYTES ((size_t)256 << 10)

/* An INSERT's parameters are held whole by libpq and by the server: larger batches go in several statements. */
#define INSERT_BYTES_MAX ((size_t)16 << 20)

/* Each time one of the two ends; more in a row means something else. */
#define RACE_ATTEMPTS 5

/*
 * The server ends a statement just before the writer gives it up: otherwise each attempt at a locked table would leave a
 * backend waiting, until there is no connection left. One that waits for the rest of a COPY's data it does not end; it
 * notices within half a minute, not after the two hours of a TCP connection that nobody cares for, when the writer's
 * machine or the network is gone, and whoever brings the same events waits for it no longer.
 *
 * A session of its own is told once, behind a pooler each COPY is: that takes a tenth of the CPU of small ones.
 */
#define LIMITS(set)                                                                                                    \
	set " statement_timeout = %" PRIu32 "; " set " tcp_keepalives_idle = 10; " set                                 \
	    " tcp_keepalives_interval = 5; " set " tcp_keepalives_count = 4; "

enum method { METHOD_COPY, METHOD_INSERT };

struct sink_postgres {
	struct sink super;
	const struct config *config;
	struct process_slot *slot;
	struct pg *pg; /* NULL: not open */
	char copy_sql[sizeof LIMITS("SET LOCAL") ROW_COPY_SQL + 16];
	struct patience patience;
	struct partitions partitions;
	struct bytes chunk;
	struct bytes arrays[ROW_COLUMNS];
	struct dead_letters file; /* for the letters that the table does not take */

	uint32_t rows_most; /* in one statement; at least 1 */
	bool duplicates; /* in the last batch */
	bool sent; /* the last statement that carries rows, to its end */

	/* Of the batch at hand. */
	bool in_doubt; /* some of it may be stored */
	bool table_works; /* it took an empty COPY */
	bool file_used;
	struct error refusal; /* of the last dead letter */
};

static void
disconnect(struct sink_postgres *s)
{
	pg_close(s->pg);
	s->pg = NULL;
}

/* One COPY, all rows or none. 0 with *stored, PG_REFUSED, or <0. */
static int
copy_rows(
    struct sink_postgres *s, const struct record *const *records, uint32_t count, uint64_t *stored, struct error *err)
{
	int64_t deadline = patience_begin(&s->patience);
	int rc = pg_copy_begin(s->pg, s->copy_sql, deadline, err);

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
	if (rc != 0)
		return rc;
	s->sent = true;
	return pg_copy_end(s->pg, deadline, stored, err);
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
	s->sent = true;
	int rc = pg_exec_params(s->pg, ROW_INSERT_SQL, params, ROW_COLUMNS, patience_begin(&s->patience), &result, err);
	if (rc != 0)
		return rc;
	*stored = pg_rows_affected(result);
	PQclear(result);
	return 0;
}

/* The statement ran out of time: the next ones take fewer rows. */
static void
fewer_rows(struct sink_postgres *s, uint32_t count)
{
	if (count > 1)
		s->rows_most = count / 2;
}

/* It did not take a quarter of its time: they may take more. */
static void
more_rows(struct sink_postgres *s, uint32_t count)
{
	if (count > s->rows_most / 2)
		s->rows_most = s->rows_most > UINT32_MAX / 2 ? UINT32_MAX : s->rows_most * 2;
}

static int
store_by(struct sink_postgres *s, enum method method, const struct record *const *records, uint32_t count,
    uint64_t *stored, struct error *err)
{
	counter_add(s->slot, COUNTER_STATEMENTS, 1);
	s->sent = false;
	int rc = method == METHOD_COPY ? copy_rows(s, records, count, stored, err)
				       : insert_rows(s, records, count, stored, err);

	/* Rows that the server has had are stored or not, unless it says that they are not. */
	if (count > 0 && s->sent && rc != PG_REFUSED)
		s->in_doubt = true;
	if (rc < 0 || (rc == PG_REFUSED && strcmp(pg_sqlstate(s->pg), "57014") == 0)) {
		if (patience_ended(&s->patience, err))
			fewer_rows(s, count);
	} else if (rc == 0 && patience_used_us(&s->patience) / 1000 < s->patience.statement_ms / 4) {
		more_rows(s, count);
	}
	return rc;
}

/*
 * What will hold up or refuse a COPY holds up or refuses this one, before the writer gives the spool up for it. A refusal
 * that some rows may escape is left to them. 0, or <0: the store is away.
 */
static int
probe(struct sink_postgres *s, struct error *err)
{
	uint64_t none;
	int rc = store_by(s, METHOD_COPY, NULL, 0, &none, err);

	if (rc == PG_REFUSED && refusal_of(pg_sqlstate(s->pg)) != REFUSAL_STORE)
		return 0;
	return rc == 0 ? 0 : -1;
}

static int
set_limits(struct sink_postgres *s, struct error *err)
{
	uint32_t limit_ms = patience_server_ms(&s->patience);
	char sql[sizeof LIMITS("SET") + 16];
	bool pooled;
	int rc = pg_pooled(s->pg, patience_begin(&s->patience), &pooled, err);

	if (rc != 0)
		return -1;
	if (pooled) {
		(void)snprintf(s->copy_sql, sizeof s->copy_sql, LIMITS("SET LOCAL") ROW_COPY_SQL, limit_ms);
		return 0;
	}
	(void)snprintf(s->copy_sql, sizeof s->copy_sql, ROW_COPY_SQL);
	(void)snprintf(sql, sizeof sql, LIMITS("SET"), limit_ms);
	return pg_exec(s->pg, sql, patience_begin(&s->patience), NULL, err) == 0 ? 0 : -1;
}

static int
postgres_open(struct sink *sink, struct error *err)
{
	struct sink_postgres *s = (struct sink_postgres *)sink;
	int applied;

	disconnect(s);
	s->patience.beats = false; /* in the opener's thread: the main loop says itself that it lives */
	int rc = pg_open(&s->pg, s->config->database_url, err);
	if (rc == 0)
		patience_watch(&s->patience, s->pg);
	if (rc == 0)
		rc = s->config->auto_migrate ? migrate_apply(s->pg, &applied, err) : migrate_check(s->pg, err);
	if (rc == 0)
		rc = partitions_upkeep(&s->partitions, s->pg, err);
	if (rc == 0)
		rc = set_limits(s, err);
	if (rc == 0)
		rc = probe(s, err);
	s->patience.beats = true;
	if (rc != 0)
		disconnect(s);
	return rc;
}

/* One statement for all rows, repeated where that may help. Returns as copy_rows() does. */
static int
store_at_once(struct sink_postgres *s, enum method method, const struct record *const *records, uint32_t count,
    uint64_t *stored, struct error *err)
{
	int rc = store_by(s, method, records, count, stored, err);

	for (int i = 1; i < RACE_ATTEMPTS && rc == PG_REFUSED && method == METHOD_INSERT; i++) {
		if (refusal_of(pg_sqlstate(s->pg)) != REFUSAL_RACE)
			break;
		rc = store_by(s, method, records, count, stored, err);
	}
	/* A check violation may be the default partition's, whose month was made while the row was on its way to it. */
	if (rc == PG_REFUSED && count == 1 && strcmp(pg_sqlstate(s->pg), "23514") == 0)
		rc = store_by(s, method, records, count, stored, err);
	return rc;
}

/* Tells a refused row from a refusing table, for SQLSTATEs that do not: 0 when it takes an empty COPY, else <0. */
static int
check_table(struct sink_postgres *s, struct error *err)
{
	uint64_t none;

	if (store_by(s, METHOD_COPY, NULL, 0, &none, err) != 0)
		return -1;
	s->table_works = true;
	return 0;
}

/* PostgreSQL has just refused that one record for good. 0: the letter is kept. <0: the store is away. */
static int
bury(struct sink_postgres *s, const struct record *record, struct error *err)
{
	char sqlstate[6];
	struct error message;
	struct refused refused = {.at_us = clock_wall_us(), .sqlstate = sqlstate, .message = message.text};

	s->refusal = *err;
	s->in_doubt = true; /* the letter may be all that is kept of the batch */
	(void)stpcpy(sqlstate, pg_sqlstate(s->pg));
	(void)stpcpy(message.text, pg_refusal(s->pg)->message.text);
	counter_add(s->slot, COUNTER_STATEMENTS, 1);
	int rc = dead_letter_table_add(s->pg, &refused, record, patience_begin(&s->patience), err);
	if (rc < 0)
		(void)patience_ended(&s->patience, err);
	if (rc <= 0)
		return rc;

	enum refusal refusal = refusal_of(pg_sqlstate(s->pg));
	if (refusal == REFUSAL_STORE || refusal == REFUSAL_RACE)
		return -1;
	if (!s->file_used)
		log_warning("PostgreSQL does not take dead letters: they go to the file",
		    LOG_STR("directory", s->config->data_dir), LOG_STR("error", err->text));
	s->file_used = true;
	return dead_letters_append(&s->file, &refused, record, err);
}

static size_t
bytes_of(const struct record *const *records, uint32_t count)
{
	size_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += records[i]->length;
	return sum;
}

static int store_rows(struct sink_postgres *s, enum method method, const struct record *const *records, uint32_t count,
    struct sink_result *result, struct error *err);

static int
store_halves(struct sink_postgres *s, enum method method, const struct record *const *records, uint32_t count,
    struct sink_result *result, struct error *err)
{
	uint32_t half = count / 2;

	if (store_rows(s, method, records, half, result, err) < 0)
		return -1;
	return store_rows(s, method, records + half, count - half, result, err);
}

/* Stores rows by one statement, or by halves when it must be. Adds to *result. 0, or <0: the store is away. */
static int
store_rows(struct sink_postgres *s, enum method method, const struct record *const *records, uint32_t count,
    struct sink_result *result, struct error *err)
{
	uint64_t stored;

	if (count > s->rows_most ||
	    (method == METHOD_INSERT && count > 1 && bytes_of(records, count) > INSERT_BYTES_MAX))
		return store_halves(s, method, records, count, result, err);

	int rc = store_at_once(s, method, records, count, &stored, err);
	if (rc < 0)
		return rc;
	if (rc == 0) {
		/* A trigger that drops rows makes them look like duplicates: not stored, and meant so. */
		result->stored += (uint32_t)stored;
		result->duplicates += count - (uint32_t)stored;
		return 0;
	}

	enum refusal refusal = refusal_of(pg_sqlstate(s->pg));
	if (method == METHOD_COPY && (refusal == REFUSAL_DUPLICATE || refusal == REFUSAL_RACE))
		return store_rows(s, METHOD_INSERT, records, count, result, err);
	if (refusal == REFUSAL_STORE || refusal == REFUSAL_RACE)
		return -1;
	if (refusal == REFUSAL_UNCLEAR && !s->table_works)
		return check_table(s, err) < 0 ? -1 : store_rows(s, method, records, count, result, err);
	/* What is left is about a row, also the duplicate of a key that somebody added to the event's. */
	if (count > 1)
		return store_halves(s, method, records, count, result, err);
	result->dead_lettered++;
	return bury(s, records[0], err);
}

/*
 * A commit waits for synchronous standbys only if its transaction wrote something. A batch that was there already wrote
 * nothing, and the crash of the primary that made it come again may have kept it from the standby: a message in the
 * WAL makes this commit wait for all that is before it. 0 or <0.
 */
static int
wait_for_standbys(struct sink_postgres *s, struct error *err)
{
	counter_add(s->slot, COUNTER_STATEMENTS, 1);
	int rc = pg_exec(
	    s->pg, "SELECT pg_logical_emit_message(true, 'hooksd', '')", patience_begin(&s->patience), NULL, err);
	if (rc < 0)
		(void)patience_ended(&s->patience, err);
	return rc == 0 ? 0 : -1;
}

static int
postgres_store(struct sink *sink, const struct record *const *records, uint32_t count, struct sink_result *result,
    struct error *err)
{
	struct sink_postgres *s = (struct sink_postgres *)sink;

	assert(s->pg != NULL && count > 0);
	*result = (struct sink_result){0};
	s->table_works = s->file_used = s->in_doubt = false;
	int rc = partitions_make_for(&s->partitions, s->pg, records, count, err);
	if (rc == 0)
		rc = store_rows(s, s->duplicates ? METHOD_INSERT : METHOD_COPY, records, count, result, err);
	s->duplicates = result->duplicates > 0;
	if (rc == 0 && result->stored == 0)
		rc = wait_for_standbys(s, err);
	if (rc == 0 && s->file_used)
		rc = dead_letters_sync(&s->file, err);
	if (rc < 0) {
		result->in_doubt = s->in_doubt;
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

	if (rc == 0 && partitions_due(&s->partitions, clock_wall_us()))
		rc = partitions_upkeep(&s->partitions, s->pg, err);
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
	dead_letters_close(&((struct sink_postgres *)sink)->file);
}

static void
postgres_close(struct sink *sink)
{
	struct sink_postgres *s = (struct sink_postgres *)sink;

	disconnect(s);
	dead_letters_free(&s->file);
	bytes_free(&s->chunk);
	for (unsigned column = 0; column < ROW_COLUMNS; column++)
		bytes_free(&s->arrays[column]);
	free(s);
}

struct sink *
sink_postgres_new(const struct config *config, const struct segment_header *header, struct process_slot *slot)
{
	static const struct sink_ops ops = {
	    .name = "postgres",
	    .remote = true,
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
	s->slot = slot;
	s->rows_most = UINT32_MAX;
	s->patience = (struct patience){.statement_ms = config->store_timeout_ms, .header = header, .slot = slot};
	partitions_init(&s->partitions, config->partitions_ahead, &s->patience, slot);
	dead_letters_init(&s->file, config->data_dir);
	return &s->super;
}
