/*
 * Numbers names: byte strings become small numbers, so that later comparisons are of numbers. Add all names, then seal
 * the table; a sealed table is read-only.
 *
 * Lookup is a binary search, so hostile names cannot make it slow, as they could with a hash table. Pure. Any number of
 * threads may read a sealed table.
 */
#ifndef EVENT_NAME_TABLE_H
#define EVENT_NAME_TABLE_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/span.h"

#define NAME_NONE UINT32_MAX

struct name {
	uint64_t head; /* its first 8 bytes as a number, padded with zeros */
	uint32_t at, len; /* its place in `text` */
};

/* All zero is an empty table. */
struct name_table {
	struct name *names; /* when sealed: unique, sorted by length, then by bytes */
	uint32_t count, room;
	struct bytes text;
};

/* Adds a copy of a name, before the table is sealed. At most 4 GiB in all. */
void name_table_add(struct name_table *table, struct span name);

/* Sorts the names and numbers them 0 to table->count - 1. */
void name_table_seal(struct name_table *table);

/* The number of that name in a sealed table, or NAME_NONE. */
uint32_t name_table_find(const struct name_table *table, struct span name);

/* Its memory in bytes. */
size_t name_table_bytes(const struct name_table *table);

void name_table_free(struct name_table *table);

#endif
