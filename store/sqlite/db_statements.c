/* A kept statement is reset after its use; otherwise the transaction could not end. */
#include "store/sqlite/db_statements.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/format.h"
#include "base/mem.h"
#include "store/db.h"

/* Bytes of a UUID in a JSON array, with quotes and comma. */
#define ARRAY_ITEM_BYTES (FORMAT_UUID_BYTES + 3)

/* hl_ms(ms) and hl_time(ms) change nothing: times are stored as milliseconds. */
static void
same_value(sqlite3_context *context, int count, sqlite3_value **values)
{
	(void)count;
	sqlite3_result_value(context, values[0]);
}

static void
now(sqlite3_context *context, int count, sqlite3_value **values)
{
	const int64_t *now_ms = sqlite3_user_data(context);

	(void)count, (void)values;
	sqlite3_result_int64(context, *now_ms);
}

int
db_statements_add_functions(sqlite3 *db, const int64_t *now_ms)
{
	const int pure = SQLITE_UTF8 | SQLITE_DETERMINISTIC;
	int code = sqlite3_create_function(db, "hl_ms", 1, pure, NULL, same_value, NULL, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_create_function(db, "hl_time", 1, pure, NULL, same_value, NULL, NULL);
	if (code == SQLITE_OK)
		code =
		    sqlite3_create_function(db, "hl_now", 0, SQLITE_UTF8, (void *)(uintptr_t)now_ms, now, NULL, NULL);
	return code;
}

static int
bind_uuids(sqlite3_stmt *statement, int place, struct span ids)
{
	char *text = mem_new(ids.len / 16 * ARRAY_ITEM_BYTES + sizeof "[]", 1), *end = text;

	*end++ = '[';
	for (size_t at = 0; at < ids.len; at += 16) {
		if (at > 0)
			*end++ = ',';
		*end++ = '"';
		format_uuid((const uint8_t *)ids.base + at, end);
		end += FORMAT_UUID_BYTES;
		*end++ = '"';
	}
	*end++ = ']';
	return sqlite3_bind_text64(statement, place, text, (sqlite3_uint64)(end - text), free, SQLITE_UTF8);
}

static int
bind(sqlite3_stmt *statement, int place, const struct db_param *param)
{
	char id[FORMAT_UUID_BYTES];

	switch (param->kind) {
	case DB_INT:
		return sqlite3_bind_int64(statement, place, param->number);
	case DB_UUID:
		format_uuid((const uint8_t *)param->text.base, id);
		return sqlite3_bind_text(statement, place, id, sizeof id, SQLITE_TRANSIENT);
	case DB_UUIDS:
		return bind_uuids(statement, place, param->text);
	case DB_TEXT:
		return sqlite3_bind_text64(
		    statement, place, param->text.base, param->text.len, SQLITE_STATIC, SQLITE_UTF8);
	case DB_NULL:
		break;
	}
	return sqlite3_bind_null(statement, place);
}

/* The place of $number, by name: SQLite numbers parameters by their first occurrence in the text. */
static int
place_of(sqlite3_stmt *statement, size_t number)
{
	char name[24];

	(void)snprintf(name, sizeof name, "$%zu", number);
	int place = sqlite3_bind_parameter_index(statement, name);
	assert(place > 0);
	return place;
}

static int
bind_all(sqlite3_stmt *statement, const struct db_call *call)
{
	int code = SQLITE_OK;

	for (size_t i = 0; i < call->count && code == SQLITE_OK; i++)
		code = bind(statement, place_of(statement, i + 1), &call->params[i]);
	assert(code != SQLITE_OK || sqlite3_bind_parameter_count(statement) == (int)call->count);
	return code;
}

static void
add_row(struct db_rows *rows, sqlite3_stmt *statement)
{
	for (int column = 0; column < sqlite3_column_count(statement); column++) {
		const char *text = (const char *)sqlite3_column_text(statement, column);

		if (text == NULL && sqlite3_column_type(statement, column) != SQLITE_NULL)
			mem_none(0);
		db_rows_add(rows, text, (size_t)sqlite3_column_bytes(statement, column));
	}
}

/* Returns SQLITE_DONE when all went well. */
static int
step_all(sqlite3_stmt *statement, struct db_rows *rows)
{
	int code;

	while ((code = sqlite3_step(statement)) == SQLITE_ROW)
		if (rows != NULL)
			add_row(rows, statement);
	return code;
}

static const char *
text_of(const struct db_statement *statement)
{
	return statement->sqlite != NULL ? statement->sqlite : statement->postgres;
}

int
db_statements_run(sqlite3 *db, const struct db_call *call, bool writes, struct db_rows **rows)
{
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(db, text_of(call->statement), -1, &statement, NULL);

	*rows = NULL;
	assert(code != SQLITE_OK || writes || sqlite3_stmt_readonly(statement));
	if (code == SQLITE_OK)
		code = bind_all(statement, call);
	if (code == SQLITE_OK) {
		*rows = db_rows_new((uint32_t)sqlite3_column_count(statement));
		code = step_all(statement, *rows);
	}
	int end = sqlite3_finalize(statement);
	return code == SQLITE_DONE ? end : code;
}

void
db_kept_finalize(struct db_kept *kept)
{
	for (uint32_t i = 0; i < DB_KEPT_STATEMENTS; i++)
		(void)sqlite3_finalize(kept->at[i].statement);
	*kept = (struct db_kept){0};
}

static sqlite3_stmt *
find(const struct db_kept *kept, const void *key)
{
	for (uint32_t i = 0; i < DB_KEPT_STATEMENTS; i++)
		if (kept->at[i].key == key)
			return kept->at[i].statement;
	return NULL;
}

static int
keep(sqlite3 *db, struct db_kept *kept, const void *key, const char *sql)
{
	uint32_t at = kept->next;
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);

	if (code != SQLITE_OK)
		return code;
	(void)sqlite3_finalize(kept->at[at].statement);
	kept->at[at].key = key;
	kept->at[at].statement = statement;
	kept->next = (at + 1) % DB_KEPT_STATEMENTS;
	return SQLITE_OK;
}

static int64_t
floor_ms(int64_t us)
{
	return us / 1000 - (us % 1000 < 0);
}

/* Runs the statement for each row. places: of the columns. */
static int
run_rows(sqlite3_stmt *statement, const int *places, const struct db_values *values, struct db_rows *rows)
{
	const struct db_param *value = values->first;
	int code = SQLITE_DONE;

	for (uint32_t row = 0; row < values->rows && code == SQLITE_DONE; row++) {
		code = SQLITE_OK;
		for (uint32_t column = 0; column < values->columns && code == SQLITE_OK; column++, value++)
			code = values->types[column] == DB_TYPE_TIME && value->kind == DB_INT
				   ? sqlite3_bind_int64(statement, places[column], floor_ms(value->number))
				   : bind(statement, places[column], value);
		if (code == SQLITE_OK)
			code = step_all(statement, rows);
		int end = sqlite3_reset(statement);
		if (code == SQLITE_DONE && end != SQLITE_OK)
			code = end;
	}
	(void)sqlite3_clear_bindings(statement);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* "INSERT INTO name (columns) VALUES (?, ...)" */
static int
keep_insert(sqlite3 *db, struct db_kept *kept, const struct db_table *table)
{
	struct bytes sql = {0};

	bytes_add_text(&sql, "INSERT INTO ");
	bytes_add_text(&sql, table->name);
	bytes_add_text(&sql, " (");
	bytes_add_text(&sql, table->columns);
	bytes_add_text(&sql, ") VALUES (?");
	for (uint32_t column = 1; column < table->count; column++)
		bytes_add_text(&sql, ", ?");
	bytes_add(&sql, ")", sizeof ")");
	int code = keep(db, kept, table, sql.base);
	bytes_free(&sql);
	return code;
}

int
db_statements_load(sqlite3 *db, struct db_kept *kept, const struct db_table *table, const struct db_values *values)
{
	int places[DB_COLUMNS_MAX], code = find(kept, table) == NULL ? keep_insert(db, kept, table) : SQLITE_OK;

	for (uint32_t column = 0; column < values->columns; column++)
		places[column] = (int)column + 1;
	return code == SQLITE_OK ? run_rows(find(kept, table), places, values, NULL) : code;
}

int
db_statements_each(sqlite3 *db, struct db_kept *kept, const struct db_each *each, const struct db_values *values,
    struct db_rows **rows)
{
	int code = find(kept, each) == NULL ? keep(db, kept, each, text_of(&each->statement)) : SQLITE_OK;
	int places[DB_COLUMNS_MAX];

	*rows = NULL;
	if (code != SQLITE_OK)
		return code;
	sqlite3_stmt *statement = find(kept, each);
	for (uint32_t column = 0; column < values->columns; column++)
		places[column] = place_of(statement, column + 1);
	assert(sqlite3_bind_parameter_count(statement) == (int)values->columns);
	*rows = db_rows_new((uint32_t)sqlite3_column_count(statement));
	return run_rows(statement, places, values, *rows);
}
