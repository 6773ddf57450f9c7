/*
 * Statements are assembled from move_tables.h. A page takes two of them: the first finds how many rows make up
 * PAGE_BYTES, without reading values that PostgreSQL stores outside of rows.
 */
#include "store/webhooks/move_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "store/webhooks/list_sql.h"

#define PAGE_ROWS 2000
#define PAGE_BYTES (4 << 20)

/* ---- statements ---- */

/* The texts of one statement while they are made. */
struct texts {
	struct bytes postgres, sqlite;
};

static void
add(struct texts *texts, const char *text)
{
	bytes_add_text(&texts->postgres, text);
	bytes_add_text(&texts->sqlite, text);
}

static void
add_number(struct texts *texts, const char *before, int64_t number)
{
	char text[64];

	(void)snprintf(text, sizeof text, "%s%" PRId64, before, number);
	add(texts, text);
}

static struct db_statement
statement_of(struct texts *texts)
{
	bytes_add(&texts->postgres, "", 1);
	bytes_add(&texts->sqlite, "", 1);
	return (struct db_statement){.postgres = texts->postgres.base, .sqlite = texts->sqlite.base};
}

static void
texts_free(struct texts *texts)
{
	bytes_free(&texts->postgres);
	bytes_free(&texts->sqlite);
}

static void
add_value(struct texts *texts, const struct move_column *column)
{
	if (column->is_node) {
		add(texts, "CASE WHEN ");
		add(texts, column->name);
		add_number(texts, " IS NULL THEN NULL ELSE ", MOVE_NODE_ID);
		add(texts, " END");
		return;
	}
	bool array = column->type == DB_TYPE_UUID_ARRAY;

	if (column->type == DB_TYPE_BOOL)
		add(texts, "CAST(");
	else if (column->type == DB_TYPE_TIME)
		add(texts, "hl_ms(");
	else if (array)
		bytes_add_text(&texts->postgres, "array_to_json(");
	add(texts, column->name);
	if (column->type == DB_TYPE_BOOL)
		add(texts, " AS int)");
	else if (column->type == DB_TYPE_TIME)
		add(texts, ")");
	else if (array)
		bytes_add_text(&texts->postgres, ")");
}

/* Adds the size of a row's long columns. SQLite counts characters, which is close enough. */
static void
add_size(struct texts *texts, const struct move_table *table)
{
	add(texts, "0");
	for (uint32_t i = 0; i < table->count; i++) {
		enum db_type type = table->columns[i].type;

		if (type != DB_TYPE_TEXT && type != DB_TYPE_JSON && type != DB_TYPE_UUID_ARRAY)
			continue;
		bytes_add_text(&texts->postgres, " + COALESCE(octet_length(CAST(");
		bytes_add_text(&texts->sqlite, " + COALESCE(length(");
		add(texts, table->columns[i].name);
		bytes_add_text(&texts->postgres, " AS text)), 0)");
		bytes_add_text(&texts->sqlite, "), 0)");
	}
}

static void
add_keys(struct texts *texts, const struct move_table *table, const char *behind_each)
{
	for (uint32_t i = 0; i < table->keys; i++) {
		add(texts, i > 0 ? ", " : "");
		add(texts, table->columns[i].name);
		add(texts, behind_each);
	}
}

/* Adds " FROM table WHERE ... ORDER BY key LIMIT $n". behind: starts behind the place in $1 to $(n - 1). */
static void
add_slice(struct texts *texts, const struct move_table *table, bool behind)
{
	add(texts, " FROM ");
	add(texts, table->name);
	add(texts, " WHERE ");
	add(texts, table->where);
	if (behind) {
		add(texts, " AND (");
		add_keys(texts, table, "");
		add(texts, ") > (");
		for (uint32_t i = 0; i < table->keys; i++)
			add_number(texts, i > 0 ? ", $" : "$", i + 1);
		add(texts, ")");
	}
	add(texts, " ORDER BY ");
	add_keys(texts, table, "");
	add_number(texts, " LIMIT $", behind ? table->keys + 1 : 1);
}

/* ---- places ---- */

void
move_place_free(struct move_place *place)
{
	for (int i = 0; i < MOVE_KEYS_MAX; i++)
		free(place->keys[i]);
	*place = (struct move_place){0};
}

static bool
is_behind(const struct move_place *place)
{
	return place->keys[0] != NULL;
}

static void
set_place(struct move_place *place, const struct move_table *table, const struct db_rows *rows, uint32_t row)
{
	move_place_free(place);
	for (uint32_t i = 0; i < table->keys; i++)
		place->keys[i] = mem_strdup(db_rows_text(rows, row, i).base);
}

/* Returns the number of parameters. */
static size_t
bind_place(const struct move_place *place, const struct move_table *table, struct db_param params[MOVE_KEYS_MAX])
{
	if (!is_behind(place))
		return 0;
	for (uint32_t i = 0; i < table->keys; i++) {
		enum db_type type = table->columns[i].type;
		bool text = type == DB_TYPE_TEXT || type == DB_TYPE_UUID;

		params[i] = text ? db_string(place->keys[i]) : db_int(strtoll(place->keys[i], NULL, 10));
	}
	return table->keys;
}

/* ---- reading ---- */

/* Runs a statement that returns one number. */
static int
ask(struct db *db, struct texts *texts, const struct db_param *params, size_t count, uint64_t *number,
    struct error *err) /* six: as db_query() */
{
	const struct db_statement statement = statement_of(texts);
	struct db_rows *rows;
	int rc = list_query(db, &statement, params, count, &rows, err);

	texts_free(texts);
	if (rc != 0)
		return rc;
	*number = (uint64_t)db_rows_int(rows, 0, 0);
	db_rows_free(rows);
	return 0;
}

int
move_rows_count(struct db *db, const struct move_table *table, uint64_t *rows, struct error *err)
{
	struct texts texts = {0};

	add(&texts, "SELECT count(*) FROM ");
	add(&texts, table->name);
	add(&texts, " WHERE ");
	add(&texts, table->where);
	return ask(db, &texts, NULL, 0, rows, err);
}

int
move_rows_end(struct db *db, const struct move_table *table, struct move_place *place, struct error *err)
{
	struct texts texts = {0};
	struct db_rows *rows;

	add(&texts, "SELECT ");
	add_keys(&texts, table, "");
	add(&texts, " FROM ");
	add(&texts, table->name);
	add(&texts, " WHERE ");
	add(&texts, table->where);
	add(&texts, " ORDER BY ");
	add_keys(&texts, table, " DESC");
	add(&texts, " LIMIT 1");
	const struct db_statement statement = statement_of(&texts);
	int rc = list_query(db, &statement, NULL, 0, &rows, err);
	texts_free(&texts);
	if (rc != 0)
		return rc;
	if (db_rows_count(rows) > 0)
		set_place(place, table, rows, 0);
	db_rows_free(rows);
	return 0;
}

/* Finds how many rows behind the place make up PAGE_BYTES; at least one. */
static int
fit_page(
    struct db *db, const struct move_table *table, const struct move_place *place, uint64_t *limit, struct error *err)
{
	struct db_param params[MOVE_KEYS_MAX + 1];
	struct texts texts = {0};
	size_t count = bind_place(place, table, params);

	params[count++] = db_int(PAGE_ROWS);
	add(&texts, "SELECT count(*) FROM (SELECT sum(size) OVER (ORDER BY ");
	add_keys(&texts, table, "");
	add(&texts, ") AS total FROM (SELECT ");
	add_keys(&texts, table, "");
	add(&texts, ", ");
	add_size(&texts, table);
	add(&texts, " AS size");
	add_slice(&texts, table, is_behind(place));
	add_number(&texts, ") AS sizes) AS sums WHERE total <= ", PAGE_BYTES);
	int rc = ask(db, &texts, params, count, limit, err);
	if (rc == 0 && *limit == 0)
		*limit = 1;
	return rc;
}

int
move_rows_read(
    struct db *db, const struct move_table *table, struct move_place *place, struct db_rows **rows, struct error *err)
{
	struct db_param params[MOVE_KEYS_MAX + 1];
	struct texts texts = {0};
	size_t count = bind_place(place, table, params);
	uint64_t limit;
	int rc = fit_page(db, table, place, &limit, err);

	if (rc != 0)
		return rc;
	params[count++] = db_int((int64_t)limit);
	add(&texts, "SELECT ");
	for (uint32_t i = 0; i < table->count; i++) {
		add(&texts, i > 0 ? ", " : "");
		add_value(&texts, &table->columns[i]);
	}
	add_slice(&texts, table, is_behind(place));
	const struct db_statement statement = statement_of(&texts);
	rc = list_query(db, &statement, params, count, rows, err);
	texts_free(&texts);
	if (rc == 0 && db_rows_count(*rows) > 0)
		set_place(place, table, *rows, db_rows_count(*rows) - 1);
	return rc;
}

void
move_rows_digest(const struct move_table *table, const struct db_rows *rows, uint8_t digest[SHA256_BYTES])
{
	struct bytes text = {0};

	for (uint32_t row = 0; row < db_rows_count(rows); row++) {
		text.len = 0;
		bytes_add(&text, digest, SHA256_BYTES);
		for (uint32_t i = 0; i < table->count; i++) {
			struct span value = db_rows_text(rows, row, i);

			/* The length separates values, and distinguishes null from an empty text. */
			bytes_add_be32(&text, value.base != NULL ? (uint32_t)value.len : UINT32_MAX);
			bytes_add(&text, value.base, value.len);
		}
		crypto_sha256((struct span){text.base, text.len}, digest);
	}
	bytes_free(&text);
}
