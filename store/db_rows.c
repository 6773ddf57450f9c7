/* All texts are in one buffer, one after the other; a cell holds a text's place. */
#include "store/db_rows.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/mem.h"

struct cell {
	size_t at, len;
	bool null;
};

struct db_rows {
	uint32_t columns;
	struct bytes cells; /* struct cell each */
	struct bytes texts;
};

static const struct cell *
cell_at(const struct db_rows *rows, uint32_t row, uint32_t column)
{
	assert(row < db_rows_count(rows) && column < rows->columns);
	return (const struct cell *)(const void *)rows->cells.base + (size_t)row * rows->columns + column;
}

uint32_t
db_rows_count(const struct db_rows *rows)
{
	if (rows == NULL || rows->columns == 0)
		return 0;
	return (uint32_t)(rows->cells.len / sizeof(struct cell) / rows->columns);
}

bool
db_rows_null(const struct db_rows *rows, uint32_t row, uint32_t column)
{
	return cell_at(rows, row, column)->null;
}

struct span
db_rows_text(const struct db_rows *rows, uint32_t row, uint32_t column)
{
	const struct cell *cell = cell_at(rows, row, column);

	if (cell->null)
		return (struct span){0};
	return (struct span){.base = rows->texts.base + cell->at, .len = cell->len};
}

int64_t
db_rows_int(const struct db_rows *rows, uint32_t row, uint32_t column)
{
	struct span text = db_rows_text(rows, row, column);

	return text.base != NULL ? strtoll(text.base, NULL, 10) : 0;
}

/* PostgreSQL writes t and f, SQLite 1 and 0. */
bool
db_rows_bool(const struct db_rows *rows, uint32_t row, uint32_t column)
{
	struct span text = db_rows_text(rows, row, column);

	return text.base != NULL && (text.base[0] == 't' || text.base[0] == '1');
}

void
db_rows_free(struct db_rows *rows)
{
	if (rows == NULL)
		return;
	bytes_free(&rows->cells);
	bytes_free(&rows->texts);
	free(rows);
}

struct db_rows *
db_rows_new(uint32_t columns)
{
	struct db_rows *rows = mem_new(1, sizeof *rows);

	rows->columns = columns;
	return rows;
}

void
db_rows_add(struct db_rows *rows, const char *text, size_t len)
{
	const struct cell cell = {.at = rows->texts.len, .len = len, .null = text == NULL};

	bytes_add(&rows->cells, &cell, sizeof cell);
	if (text == NULL)
		return;
	bytes_add(&rows->texts, text, len);
	bytes_add(&rows->texts, "", 1);
}
