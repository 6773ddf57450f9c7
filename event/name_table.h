/*
 * A table that numbers names: byte strings become small numbers, so that what is looked up often is compared once. It
 * is filled first and then sealed; from then on it only answers.
 *
 * Finding a name takes at most one comparison for each bit of the table's size, whatever names somebody chose: there
 * are no hashes that could collide. Pure. A sealed table may be read by any number of threads.
 */
#ifndef EVENT_NAME_TABLE_H
#define EVENT_NAME_TABLE_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/span.h"

#define NAME_NONE UINT32_MAX

struct name {
	uint64_t head; /* its first 8 bytes as a number, zeros behind a shorter one */
	uint32_t at, len; /* where in `text` it stands */
};

/* All zero is an empty table. */
struct name_table {
	struct name *names; /* when sealed: each once, by length, then by bytes */
	uint32_t count, room;
	struct bytes text;
};

/* Adds a name, which is copied. Before the table is sealed; at most 4 GiB of them. */
void name_table_add(struct name_table *table, struct span name);

/* Numbers the names: 0 to table->count - 1. */
void name_table_seal(struct name_table *table);

/* The number of that name in a sealed table, or NAME_NONE. */
uint32_t name_table_find(const struct name_table *table, struct span name);

/* The bytes of memory that it takes. */
size_t name_table_bytes(const struct name_table *table);

void name_table_free(struct name_table *table);

#endif
