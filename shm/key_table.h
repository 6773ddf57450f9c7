/*
 * The accepted API keys, in an area of the segment: acceptors look a key up by its SHA-256 without a lock or a
 * database. One writer at a time changes the table (shm/key_writer.h).
 *
 *   | turn, loaded | page 0 | page 1 |            keys in their places            | uses, by slot | full queues |
 *                     cell --- number of a place --->| hash, tenant, scopes, slot |--> buckets, last use
 *
 * A page is a hash table of the numbers of places. Readers use page turn % 2. The writer puts new and changed keys into
 * places that this page does not name, writes the other page, and turns with one store. A changed key moves to another
 * place and keeps its slot. A reader that finds the turn unchanged after reading has read a consistent page; a writer
 * killed at any instruction leaves a consistent page.
 */
#ifndef SHM_KEY_TABLE_H
#define SHM_KEY_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/crypto.h"
#include "shm/full_queues.h"

/* The most keys of the store. Start keys are those of the configuration. A test may define a smaller table. */
#ifndef KEY_TABLE_STORED
#define KEY_TABLE_STORED 100000u
#define KEY_TABLE_CELLS 262144u /* a power of two, well above the number of keys */
#endif
#define KEY_TABLE_START_KEYS 2u
/* Twice the start keys: those of the previous run are removed only after those of this run were added. */
#define KEY_TABLE_KEYS (KEY_TABLE_STORED + 2 * KEY_TABLE_START_KEYS)
#define KEY_TABLE_PLACES (KEY_TABLE_KEYS + KEY_TABLE_KEYS / 100 + 2) /* with spare places for changed keys */

#define KEY_NEVER INT64_MAX

/* One key. Its texts end with a NUL; a longer name than fits is cut. */
struct api_key {
	uint8_t hash[SHA256_BYTES];
	int64_t expires_ms; /* wall clock, or KEY_NEVER */
	uint64_t bytes_per_second; /* 0: no limit */
	uint32_t events_per_second; /* 0: no limit */
	uint32_t scopes; /* api/scopes.h */
	uint32_t slot; /* managed by key_writer.c */
	uint32_t is_start_key; /* 1: of the configuration, not of the store */
	char key_id[40];
	char tenant_id[72];
	char name[80]; /* "": none */
};

/* The use of a key. It is outside the pages, so that it survives changes of the key. */
struct key_use {
	uint64_t events, bytes; /* token buckets */
	uint64_t used_ms; /* wall clock; 0: not used since it is in the table */
	uint64_t reserved;
};

/* Only key_table.c and key_writer.c use the members. */
struct key_table {
	_Alignas(128) uint32_t turn;
	uint32_t loaded; /* 1: the store's keys have been read once in this run */
	_Alignas(128) uint32_t pages[2][KEY_TABLE_CELLS]; /* 0: empty; else a place's number plus 1 */
	struct api_key keys[KEY_TABLE_PLACES];
	struct key_use uses[KEY_TABLE_KEYS];
	struct full_queues full_queues; /* of the tenants whose keys these are: shm/full_queues.h */
};

_Static_assert(sizeof(struct api_key) == 256, "a key takes four cache lines");
_Static_assert(sizeof(struct key_table) < 32u << 20, "the table takes less than 32 MiB");

/* UNKNOWN: there is no such key. NOT_LOADED: it is not in the table, but the store's keys have not been read yet. */
enum key_condition { KEY_UNKNOWN = 1, KEY_NOT_LOADED = 2 };

/* Copies the key with that hash, expired or not, to *out. Returns 0 or one of enum key_condition. Any process. */
int key_table_find(const struct key_table *table, const uint8_t hash[SHA256_BYTES], struct api_key *out);

/* Whether the store's keys have been read in this run. */
bool key_table_loaded(const struct key_table *table);

/*
 * Takes a request's events and bytes from the key's buckets, which all processes share. Returns 0, or the microseconds
 * until the key may be used again, with nothing taken. now_us: steady clock. Any process.
 */
int64_t key_table_charge(
    struct key_table *table, const struct api_key *key, uint64_t events, uint64_t bytes, int64_t now_us);

/* The result that key_table_charge() would have now. */
int64_t key_table_wait_us(const struct key_table *table, const struct api_key *key, int64_t now_us);

/* Records that the key was used, to the second; and returns its last use, 0: never. Wall clock, milliseconds. */
void key_table_note_use(struct key_table *table, const struct api_key *key, int64_t now_ms);
int64_t key_table_used_ms(const struct key_table *table, const struct api_key *key);

/* A number for the key, never 0. Its bits are from the hash, so clients cannot choose them. */
static inline uint64_t
key_table_number(const struct api_key *key)
{
	uint64_t number;

	memcpy(&number, key->hash, sizeof number);
	return number | 1;
}

/* The first cell to look at for a hash. */
static inline uint32_t
key_table_cell(const uint8_t hash[SHA256_BYTES])
{
	return (hash[0] | (uint32_t)hash[1] << 8 | (uint32_t)hash[2] << 16) % KEY_TABLE_CELLS;
}

#endif
