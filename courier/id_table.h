/*
 * A hash table of things by an id of 16 bytes. The link is the first member of the thing. The service makes the ids, so
 * nobody can choose colliding ones.
 */
#ifndef COURIER_ID_TABLE_H
#define COURIER_ID_TABLE_H

#include <stdint.h>

struct id_link {
	struct id_link *next;
	uint8_t id[16];
};

/* All zero is an empty table. */
struct id_table {
	struct id_link **chains;
	uint32_t count, size; /* size: of chains, a power of two, or 0 */
};

/* Things may share an id. */
void id_table_add(struct id_table *table, struct id_link *link);

/* The link must be in the table. */
void id_table_remove(struct id_table *table, struct id_link *link);

/* A thing with that id; then the next thing with the same id; NULL: there is none. Borrowed. */
struct id_link *id_table_find(const struct id_table *table, const uint8_t id[16]);
struct id_link *id_table_next(const struct id_link *link);

/* All things in no order: an array of `count`, which the caller frees. */
struct id_link **id_table_list(const struct id_table *table);

/* Releases the table's own memory. */
void id_table_free(struct id_table *table);

#endif
