/*
 * The tables of the webhooks' store, for a move from one store to another (move_rows.h). tests/lint/test_move.py
 * compares them with the schema: a new table or column must be listed, or left out on purpose.
 */
#ifndef STORE_WEBHOOKS_MOVE_TABLES_H
#define STORE_WEBHOOKS_MOVE_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/db_statement.h"

/*
 * The number of the node that owns all jobs of the new store. It counts as left, so the first node that starts takes
 * the jobs over. move_target.h adds its row.
 */
#define MOVE_NODE_ID 1

#define MOVE_KEYS_MAX 3

struct move_column {
	const char *name;
	enum db_type type;
	bool is_node; /* a node id of the old store: becomes MOVE_NODE_ID; null stays null */
};

struct move_table {
	const char *name;
	const char *where; /* condition for rows to be moved */
	const struct move_column *columns;
	uint32_t count; /* of columns */
	uint32_t keys; /* the first columns that make the key, in whose order rows are read */
	bool seeded; /* its only row exists in a new store and is replaced */
};

extern const struct move_table move_tables[];
extern const size_t move_table_count;

/* A table, or a column as "table.column", that is not moved; and the reason. */
struct move_left {
	const char *what;
	const char *why;
};

extern const struct move_left move_left_out[];
extern const size_t move_left_count;

#endif
