/*
 * The tables of the webhooks' store, for a move of everything from one store to another (move_rows.h).
 * tests/lint/test_move.py holds them against the schema: a table or a column that is added later is moved also, or is
 * left out on purpose.
 */
#ifndef STORE_WEBHOOKS_MOVE_TABLES_H
#define STORE_WEBHOOKS_MOVE_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/db_statement.h"

/*
 * The number of the one node to which all jobs of the new store belong. It has left: the first node that starts takes
 * them over. move_target.h adds its row.
 */
#define MOVE_NODE_ID 1

#define MOVE_KEYS_MAX 3

struct move_column {
	const char *name;
	enum db_type type;
	bool is_node; /* of the old store, in whose place MOVE_NODE_ID is written; null stays null */
};

struct move_table {
	const char *name;
	const char *where; /* a condition that all rows meet which are moved */
	const struct move_column *columns;
	uint32_t count; /* of columns */
	uint32_t keys; /* so many of the first columns are unique together, in whose order rows are read */
	bool seeded; /* a new store has its only row, which is replaced */
};

extern const struct move_table move_tables[];
extern const size_t move_table_count;

/* What is not moved: a table, or a column as "table.column"; and the reason. */
struct move_left {
	const char *what;
	const char *why;
};

extern const struct move_left move_left_out[];
extern const size_t move_left_count;

#endif
