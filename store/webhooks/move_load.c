/* Refuses values that the target database would not store unchanged, and names table, column and row. */
#include "store/webhooks/move_load.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "base/mem.h"
#include "base/uuid.h"

#define UUID_BYTES 16

struct move_load {
	struct db_table table;
	enum db_type types[DB_COLUMNS_MAX];
	char names[1024];
};

struct move_load *
move_loads_new(void)
{
	struct move_load *loads = mem_new(move_table_count, sizeof *loads);

	for (size_t at = 0; at < move_table_count; at++) {
		const struct move_table *table = &move_tables[at];
		struct move_load *load = &loads[at];
		size_t len = 0;

		for (uint32_t i = 0; i < table->count; i++) {
			load->types[i] = table->columns[i].type;
			len += (size_t)snprintf(load->names + len, sizeof load->names - len, "%s%s", i > 0 ? ", " : "",
			    table->columns[i].name);
			assert(len < sizeof load->names);
		}
		load->table = (struct db_table){table->name, load->names, load->types, table->count};
	}
	return loads;
}

/* Parses an id in the form that both databases write. Puts its bytes at *arena and advances *arena. */
static bool
read_id(struct span text, char **arena)
{
	char again[FORMAT_UUID_BYTES];

	if (text.len != FORMAT_UUID_BYTES || !uuid_parse(text.base, text.len, (uint8_t *)*arena))
		return false;
	format_uuid((const uint8_t *)*arena, again);
	*arena += UUID_BYTES;
	return memcmp(text.base, again, sizeof again) == 0;
}

/* ["id","id"], without white space. */
static bool
read_ids(struct span text, char **arena)
{
	const size_t step = FORMAT_UUID_BYTES + sizeof "\"\"," - 1;

	if (text.len == 2)
		return memcmp(text.base, "[]", 2) == 0;
	if (text.len % step != 1 || text.base[0] != '[')
		return false;
	for (size_t at = 1; at < text.len; at += step) {
		const char *item = text.base + at;

		if (item[0] != '"' || item[step - 2] != '"' || item[step - 1] != (at + step < text.len ? ',' : ']') ||
		    !read_id((struct span){item + 1, FORMAT_UUID_BYTES}, arena))
			return false;
	}
	return true;
}

/* Reads one value of a row. false: the other database would not store it unchanged. */
static bool
read_value(const struct move_column *column, struct span text, char **arena, struct db_param *value)
{
	char *begin = *arena;
	int64_t number;

	*value = db_null();
	if (text.base == NULL)
		return true;
	switch (column->type) {
	case DB_TYPE_TEXT:
	case DB_TYPE_JSON:
		*value = db_text(text);
		return memchr(text.base, '\0', text.len) == NULL;
	case DB_TYPE_UUID:
		*value = db_uuid((const uint8_t *)begin);
		return read_id(text, arena);
	case DB_TYPE_UUID_ARRAY:
		if (!read_ids(text, arena))
			return false;
		*value = db_uuids((const uint8_t(*)[UUID_BYTES])begin, (size_t)(*arena - begin) / UUID_BYTES);
		return true;
	case DB_TYPE_TIME:
		*value = db_int(0);
		return !__builtin_mul_overflow(strtoll(text.base, NULL, 10), INT64_C(1000), &value->number);
	default:
		number = strtoll(text.base, NULL, 10);
		*value = db_int(number);
		return true;
	}
}

/* An upper bound: ids are shorter than their texts. */
static size_t
arena_bytes(const struct move_table *table, const struct db_rows *rows)
{
	size_t bytes = UUID_BYTES;

	for (uint32_t row = 0; row < db_rows_count(rows); row++)
		for (uint32_t i = 0; i < table->count; i++)
			if (table->columns[i].type == DB_TYPE_UUID || table->columns[i].type == DB_TYPE_UUID_ARRAY)
				bytes += db_rows_text(rows, row, i).len + UUID_BYTES;
	return bytes;
}

/* Writes the key of a row for people. */
static void
name_row(const struct move_table *table, const struct db_rows *rows, uint32_t row, char *out, size_t size)
{
	size_t len = 0;

	for (uint32_t i = 0; i < table->keys && len < size; i++)
		len +=
		    (size_t)snprintf(out + len, size - len, "%s%s", i > 0 ? ", " : "", db_rows_text(rows, row, i).base);
}

static int
read_values(
    const struct move_table *table, const struct db_rows *rows, char *arena, struct db_param *values, struct error *err)
{
	char name[200];

	for (uint32_t row = 0; row < db_rows_count(rows); row++)
		for (uint32_t i = 0; i < table->count; i++)
			if (!read_value(&table->columns[i], db_rows_text(rows, row, i), &arena, values++)) {
				name_row(table, rows, row, name, sizeof name);
				return error_set(err,
				    "the table %s: the column %s of the row (%s) has a value that "
				    "the other store does not keep as it is: change it",
				    table->name, table->columns[i].name, name);
			}
	return 0;
}

/* In a transaction. */
static int
replace_seed(struct db *db, const struct move_table *table, struct error *err)
{
	char text[64];
	const struct db_statement statement = {.postgres = text};

	(void)snprintf(text, sizeof text, "DELETE FROM %s", table->name);
	return db_query(db, &statement, NULL, 0, NULL, err);
}

static int
load(struct db *db, const struct move_table *table, const struct db_table *as, const struct db_param *values,
    uint32_t rows, struct error *err) /* six: as db_load() */
{
	struct error reason;
	int rc = db_begin(db, err);

	if (rc == 0 && table->seeded)
		rc = replace_seed(db, table, err);
	if (rc == 0 && (rc = db_load(db, as, values, rows, &reason)) != 0)
		(void)error_set(err, "the table %s: %s", table->name, reason.text);
	return db_end(db, rc, err);
}

int
move_load_add(struct db *db, const struct move_table *table, struct move_load *loads, const struct db_rows *rows,
    struct error *err)
{
	uint32_t count = db_rows_count(rows);
	struct db_param *values = mem_new((size_t)count * table->count + 1, sizeof *values);
	char *arena = mem_new(1, arena_bytes(table, rows));
	int rc = read_values(table, rows, arena, values, err);

	if (rc == 0)
		rc = load(db, table, &loads[table - move_tables].table, values, count, err);
	free(values);
	free(arena);
	return rc;
}
