/* A statement takes as many rows as the server has shown it can store in time. */
#include "store/postgres/pg_rows.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "store/postgres/sqlstate.h"

/* COPY data goes out in pieces of about this size: large enough for few system calls, small beside the batch. */
#define COPY_CHUNK_BYTES ((size_t)256 << 10)

/* libpq and the server hold all parameters of an INSERT in memory: larger batches go in several statements. */
#define INSERT_BYTES_MAX ((size_t)16 << 20)

void
rows_init(struct rows *rows, struct session *session, const struct sink_env *env)
{
	*rows = (struct rows){.session = session, .env = env, .most = UINT32_MAX};
	for (int tenants = 0; tenants < 2; tenants++)
		for (int logged = 0; logged < 2; logged++) {
			struct bytes *sql = &rows->insert_sql[tenants][logged];

			row_add_insert_sql(sql, tenants ? ROW_COLUMNS : ROW_COLUMNS_OF_DEFAULT_TENANT, logged);
			bytes_add(sql, "", 1);
		}
}

void
rows_free(struct rows *rows)
{
	for (int i = 0; i < 4; i++)
		bytes_free(&rows->insert_sql[i / 2][i % 2]);
	bytes_free(&rows->copy_sql);
	bytes_free(&rows->chunk);
	for (unsigned column = 0; column < ROW_COLUMNS; column++)
		bytes_free(&rows->arrays[column]);
}

/* Statements of one message are one transaction. COPY stands last: its result counts. */
static int
begin_copy(struct rows *rows, const struct batch *batch, uint32_t columns, int64_t deadline, struct error *err)
{
	const struct session *session = rows->session;
	struct bytes *sql = &rows->copy_sql;

	sql->len = 0;
	if (session->pooled) {
		bytes_add_text(sql, PG_DURABLE_SQL);
		bytes_add_text(sql, session->settings);
	}
	if (session->logs && batch->count > 0)
		row_add_log_sql(sql, batch->records, batch->count);
	bytes_add_text(sql, row_copy_sql(columns));
	bytes_add(sql, "", 1);
	return pg_copy_begin(session->pg, sql->base, deadline, err);
}

static int
copy(struct rows *rows, const struct batch *batch, uint64_t *stored, struct error *err)
{
	struct pg *pg = rows->session->pg;
	int64_t deadline = deadline_begin(rows->session->deadline);
	uint32_t columns = row_columns(batch->records, batch->count);
	int rc = begin_copy(rows, batch, columns, deadline, err);

	rows->chunk.len = 0;
	row_copy_begin(&rows->chunk);
	for (uint32_t i = 0; rc == 0 && i < batch->count; i++) {
		row_copy(&rows->chunk, batch->records[i], columns);
		if (rows->chunk.len >= COPY_CHUNK_BYTES) {
			rc = pg_copy_send(pg, rows->chunk.base, rows->chunk.len, deadline, err);
			rows->chunk.len = 0;
		}
	}
	row_copy_end(&rows->chunk);
	if (rc == 0)
		rc = pg_copy_send(pg, rows->chunk.base, rows->chunk.len, deadline, err);
	if (rc != 0)
		return rc;
	rows->sent = true;
	return pg_copy_end(pg, deadline, stored, err);
}

static int
insert(struct rows *rows, const struct batch *batch, uint64_t *stored, struct error *err)
{
	struct pg_param params[ROW_COLUMNS];
	uint32_t columns = row_columns(batch->records, batch->count);
	const struct bytes *sql = &rows->insert_sql[columns == ROW_COLUMNS][rows->session->logs && batch->count > 0];
	const struct pg_statement statement = {sql->base, params, columns};
	PGresult *result;

	for (uint32_t column = 0; column < columns; column++) {
		row_array(&rows->arrays[column], column, batch->records, batch->count);
		params[column] = (struct pg_param){rows->arrays[column].base, rows->arrays[column].len};
	}
	rows->sent = true;
	int rc = session_exec_params(rows->session, &statement, &result, err);
	if (rc != 0)
		return rc;
	*stored = pg_rows_affected(result);
	PQclear(result);
	return 0;
}

/* The statement ran out of time: the next ones take fewer rows. */
static void
fewer(struct rows *rows, uint32_t count)
{
	if (count > 1)
		rows->most = count / 2;
}

/* The statement took less than a quarter of its time: the next ones may take more rows. */
static void
more(struct rows *rows, uint32_t count)
{
	if (count > rows->most / 2)
		rows->most = rows->most > UINT32_MAX / 2 ? UINT32_MAX : rows->most * 2;
}

static size_t
bytes_of(const struct batch *batch)
{
	size_t sum = 0;

	for (uint32_t i = 0; i < batch->count; i++)
		sum += batch->records[i]->length;
	return sum;
}

bool
rows_fit(const struct rows *rows, enum rows_method method, const struct batch *batch)
{
	return batch->count <= rows->most &&
	       (method == ROWS_COPY || batch->count <= 1 || bytes_of(batch) <= INSERT_BYTES_MAX);
}

int
rows_store(struct rows *rows, enum rows_method method, const struct batch *batch, uint64_t *stored, struct error *err)
{
	struct session *session = rows->session;
	int rc;

	sink_env_count(rows->env, COUNTER_STATEMENTS, 1);
	rows->sent = false;
	if (method == ROWS_COPY)
		rc = copy(rows, batch, stored, err);
	else
		rc = insert(rows, batch, stored, err);

	/* The server has received the rows, so they may be stored unless it refuses them. */
	if (batch->count > 0 && rows->sent && rc != PG_REFUSED)
		rows->in_doubt = true;
	if (rc < 0 || (rc == PG_REFUSED && sqlstate_is(pg_sqlstate(session->pg), SQLSTATE_QUERY_CANCELED))) {
		if (deadline_expired(session->deadline, err))
			fewer(rows, batch->count);
	} else if (rc == 0 && deadline_used_us(session->deadline) / 1000 < session->deadline->statement_ms / 4) {
		more(rows, batch->count);
	}
	return rc;
}
