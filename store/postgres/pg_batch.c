/* Stores a batch by as few statements as its refusals allow. */
#include "store/postgres/pg_batch.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/postgres/dead_letter_table.h"
#include "store/postgres/pg_probe.h"
#include "store/postgres/sqlstate.h"

/* Of two transactions in a deadlock one goes on: more in a row than this have another cause. */
#define RACE_ATTEMPTS 5

/* A refused batch is stored again within seconds. */
#define CLEARED_FOR_US (INT64_C(60) * 1000000)

void
pg_batch_init(struct pg_batch *b, struct rows *rows, struct partitions *partitions, const char *data_dir)
{
	*b = (struct pg_batch){.rows = rows, .partitions = partitions};
	dead_letter_file_init(&b->file, data_dir);
}

void
pg_batch_free(struct pg_batch *b)
{
	dead_letter_file_free(&b->file);
}

static const struct pg_refusal *
last_refusal(const struct pg_batch *b)
{
	return pg_refusal(b->rows->session->pg);
}

static bool
stored_any(const struct pg_batch *b)
{
	return b->result.stored + b->result.duplicates > 0;
}

/* Stores all rows by one statement, repeated if that may help. Returns as rows_store() does. */
static int
store_in_one(
    struct pg_batch *b, enum rows_method method, const struct batch *batch, uint64_t *stored, struct error *err)
{
	int rc = rows_store(b->rows, method, batch, stored, err);

	for (int i = 1; i < RACE_ATTEMPTS && rc == PG_REFUSED && method == ROWS_INSERT; i++) {
		if (sqlstate_cause(last_refusal(b)) != CAUSE_RACE)
			break;
		rc = rows_store(b->rows, method, batch, stored, err);
	}
	/* The month's partition may have been made while the row was on its way to the default partition. */
	if (rc == PG_REFUSED && batch->count == 1 && sqlstate_cause(last_refusal(b)) == CAUSE_PARTITION)
		rc = rows_store(b->rows, method, batch, stored, err);
	return rc;
}

static void
count_stored(struct pg_batch *b, uint32_t stored, uint32_t count)
{
	/* Rows that a trigger drops count as duplicates, because they are not meant to be stored. */
	b->result.stored += stored;
	b->result.duplicates += count - stored;
	if (b->refuses_all)
		b->cleared_us = clock_steady_us();
	b->refuses_all = false;
}

static void
count_dead_letter(struct pg_batch *b, const char *sqlstate)
{
	if (b->result.dead_lettered == 0)
		(void)stpcpy(b->sqlstate, sqlstate);
	else if (strcmp(b->sqlstate, sqlstate) != 0)
		b->sqlstate[0] = '\0';
	b->result.dead_lettered++;
}

/* Keeps a record that PostgreSQL has refused for good as a dead letter. 0, or <0: the store is unavailable. */
static int
keep_dead_letter(struct pg_batch *b, const struct record *record, struct error *err)
{
	struct pg_refusal why = *last_refusal(b);
	struct refused refused = {.at_us = clock_wall_us(), .sqlstate = why.sqlstate, .message = why.message.text};

	b->last_reason = *err;
	b->rows->in_doubt = true; /* the dead letter may be stored, even if no other row is */
	count_dead_letter(b, why.sqlstate);
	sink_env_count(b->rows->env, COUNTER_STATEMENTS, 1);
	int rc = dead_letter_table_add(b->rows->session, &refused, record, err);
	if (rc < 0)
		(void)deadline_expired(b->rows->session->deadline, err);
	if (rc <= 0)
		return rc;

	enum refusal_cause cause = sqlstate_cause(last_refusal(b));
	if (cause == CAUSE_STORE || cause == CAUSE_RACE)
		return -1;
	b->file_used = true;
	uint64_t times = repeat_met(&b->table_refuses, clock_steady_us());
	if (times > 0)
		log_warning("PostgreSQL does not take dead letters: they go to the file",
		    LOG_STR("directory", b->file.data_dir), LOG_STR("error", err->text), LOG_UINT("times", times));
	return dead_letter_file_append(&b->file, &refused, record, err);
}

/* Blames the table, because no row of the batch was stored. Returns <0: the batch is tried again. */
static int
report_refuses_all(struct pg_batch *b, struct error *err)
{
	b->refuses_all = true;
	b->cleared_us = 0;
	return error_set(err, "PostgreSQL refuses every event: %s", b->suspicion.text);
}

static void
set_suspicion(struct pg_batch *b, const struct error *err)
{
	bool policy =
	    sqlstate_is(last_refusal(b)->sqlstate, SQLSTATE_INSUFFICIENT_PRIVILEGE) && b->method == ROWS_INSERT;

	(void)error_set(&b->suspicion, "%s%s", err->text,
	    policy ? ": its policies must take every row of this role, or the role needs BYPASSRLS" : "");
}

/*
 * Takes a record that was refused, perhaps for its contents. If the table takes other rows the record becomes a dead
 * letter at once; otherwise it waits until the rest of the batch has been tried. 0, or <0: the store is unavailable.
 */
static int
add_suspect(struct pg_batch *b, const struct record *record, struct error *err)
{
	if (stored_any(b) || (b->cleared_us != 0 && clock_steady_us() < b->cleared_us + CLEARED_FOR_US))
		return keep_dead_letter(b, record, err);
	set_suspicion(b, err);
	if (b->suspect_count == SUSPECTS_MAX)
		return report_refuses_all(b, err);
	b->suspects[b->suspect_count++] = record;
	return 0;
}

static int store_rows(struct pg_batch *b, enum rows_method method, const struct batch *batch, struct error *err);

static int
store_halves(struct pg_batch *b, enum rows_method method, const struct batch *batch, struct error *err)
{
	uint32_t half = batch->count / 2;
	const struct batch first = {batch->records, half};
	const struct batch second = {batch->records + half, batch->count - half};

	return store_rows(b, method, &first, err) < 0 ? -1 : store_rows(b, method, &second, err);
}

/* Stores rows after PostgreSQL reported that it has no partition for one of them. */
static int
store_in_months(struct pg_batch *b, enum rows_method method, const struct batch *batch, struct error *err)
{
	struct error missing;

	if (!b->months_read) {
		b->months_read = true;
		if (partitions_reread(b->partitions, batch, err) < 0)
			return -1;
		return store_rows(b, method, batch, err);
	}
	if (batch->count > 1)
		return store_halves(b, method, batch, err);

	int partition = partitions_find(b->partitions, batch->records[0], &missing);
	if (partition < 0) {
		*err = missing;
		return partition;
	}
	/*
	 * The partition exists. If a DBA has divided it further the refusal names it; a CHECK by way of Citus names
	 * nothing.
	 */
	if (partition == PARTITION_EXISTS && last_refusal(b)->table[0] != '\0')
		return add_suspect(b, batch->records[0], err);
	return keep_dead_letter(b, batch->records[0], err);
}

/* Stores rows in another way after PostgreSQL has refused the statement. 0, or <0: the store is unavailable. */
static int
handle_refusal(struct pg_batch *b, enum rows_method method, const struct batch *batch, struct error *err)
{
	enum refusal_cause why = sqlstate_cause(last_refusal(b));
	bool by_citus = sqlstate_is(last_refusal(b)->sqlstate, SQLSTATE_INTERNAL_ERROR);

	if (method == ROWS_COPY && (why == CAUSE_DUPLICATE || why == CAUSE_RACE || by_citus))
		return store_rows(b, ROWS_INSERT, batch, err);
	if (why == CAUSE_STORE || why == CAUSE_RACE)
		return -1;
	if (why == CAUSE_PARTITION)
		return store_in_months(b, method, batch, err);
	if (why == CAUSE_UNCLEAR && !b->probed) {
		b->probed = true;
		if (pg_probe(b->rows, &b->method, err) < 0)
			return -1;
		return store_rows(b, b->method, batch, err);
	}
	if (method == ROWS_COPY && b->method == ROWS_INSERT)
		return store_rows(b, ROWS_INSERT, batch, err);
	/* A row is at fault, perhaps because it violates a unique key that is not hooksd's. */
	if (batch->count > 1)
		return store_halves(b, method, batch, err);
	return why == CAUSE_UNCLEAR ? add_suspect(b, batch->records[0], err)
				    : keep_dead_letter(b, batch->records[0], err);
}

/*
 * Stores rows by one statement, or by halves if that is refused. Adds to the result. 0, or <0: the store is
 * unavailable.
 */
static int
store_rows(struct pg_batch *b, enum rows_method method, const struct batch *batch, struct error *err)
{
	uint64_t stored;

	if (!rows_fit(b->rows, method, batch))
		return store_halves(b, method, batch, err);
	int rc = store_in_one(b, method, batch, &stored, err);
	if (rc == PG_REFUSED)
		return handle_refusal(b, method, batch, err);
	if (rc == 0)
		count_stored(b, (uint32_t)stored, batch->count);
	return rc;
}

/* Tries the suspects once more after the rest of the batch is stored. Those refused again become dead letters. */
static int
retry_suspects(struct pg_batch *b, struct error *err)
{
	uint32_t count = b->suspect_count;

	if (count > 0 && !stored_any(b))
		return report_refuses_all(b, err);
	for (uint32_t i = 0; i < count; i++)
		if (store_rows(b, b->method, &(struct batch){&b->suspects[i], 1}, err) < 0)
			return -1;
	return 0;
}

/* Whether commits wait for standbys here. 0 with *some, PG_REFUSED or <0. */
static int
has_standbys(struct session *session, bool *some, struct error *err)
{
	const struct pg_statement statement = {"SELECT current_setting('synchronous_standby_names') <> ''"};
	PGresult *result;
	int rc = session_exec_params(session, &statement, &result, err);

	if (rc != 0)
		return rc;
	*some = PQgetvalue(result, 0, 0)[0] == 't';
	PQclear(result);
	return 0;
}

/*
 * A commit waits for synchronous standbys only if its transaction wrote something. A batch of duplicates writes
 * nothing, and its rows may not have reached the standby, for instance when the primary crashed after storing them. A
 * message in the WAL makes this commit wait for everything before it. Some servers have no such messages, or do not
 * let this role write them: that is an error only if there is a standby to wait for. 0 or <0.
 */
static int
wait_for_standbys(struct pg_batch *b, struct error *err)
{
	const struct pg_statement statement = {"SELECT pg_logical_emit_message(true, 'hooksd', '')"};
	struct session *session = b->rows->session;
	struct error refused;
	bool some = false;

	sink_env_count(b->rows->env, COUNTER_STATEMENTS, 1);
	int rc = session_exec_params(session, &statement, NULL, err);
	if (rc == PG_REFUSED && sqlstate_cause(last_refusal(b)) != CAUSE_STORE) {
		refused = *err;
		rc = has_standbys(session, &some, err);
	}
	if (rc < 0)
		(void)deadline_expired(session->deadline, err);
	if (some)
		return error_set(err, "cannot make sure that the standbys have the resent events: %s", refused.text);
	return rc == 0 ? 0 : -1;
}

/* Every batch may have a refused event, so one line counts all dead letters since the last line. */
static void
log_dead_letters(struct pg_batch *b, bool all)
{
	if (all)
		log_error("PostgreSQL refused every event of a batch for the same reason: they are in the dead letters",
		    LOG_UINT("events", b->unlogged), LOG_STR("last_refusal", b->last_reason.text));
	else
		log_warning("PostgreSQL refused events: they are in the dead letters", LOG_UINT("events", b->unlogged),
		    LOG_STR("last_refusal", b->last_reason.text));
	b->unlogged = 0;
}

static void
report_dead_letters(struct pg_batch *b, uint32_t count)
{
	if (b->result.dead_lettered == 0)
		return;
	bool all = b->result.dead_lettered == count && count > 1 && b->sqlstate[0] != '\0';

	b->unlogged += b->result.dead_lettered;
	if (repeat_met(all ? &b->all_refused : &b->some_refused, clock_steady_us()) > 0)
		log_dead_letters(b, all);
}

void
pg_batch_upkeep(struct pg_batch *b)
{
	if (b->unlogged > 0)
		log_dead_letters(b, false);
}

int
pg_batch_store(struct pg_batch *b, const struct batch *batch, struct sink_result *result, struct error *err)
{
	assert(batch->count > 0);
	b->result = (struct sink_result){0};
	b->suspect_count = 0;
	b->probed = b->months_read = b->file_used = b->rows->in_doubt = false;
	int rc = partitions_make_for(b->partitions, batch, err);
	if (rc == 0)
		rc = store_rows(b, b->duplicates ? ROWS_INSERT : b->method, batch, err);
	if (rc == 0)
		rc = retry_suspects(b, err);
	b->duplicates = b->result.duplicates > 0;
	if (rc == 0 && b->result.stored == 0)
		rc = wait_for_standbys(b, err);
	if (rc == 0 && b->file_used)
		rc = dead_letter_file_sync(&b->file, err);
	*result = b->result;
	if (rc < 0) {
		result->in_doubt = b->rows->in_doubt;
		return rc;
	}
	report_dead_letters(b, batch->count);
	/* An earlier batch had shown that the table takes rows. That counts for one batch only. */
	if (b->result.dead_lettered > 0 && !stored_any(b))
		b->cleared_us = 0;
	return 0;
}
