/*
 * The API keys that this service accepts, as an area of the segment: acceptors look a key up by its SHA-256 without a
 * lock and without a database. One writer at a time changes the table (shm/key_writer.h).
 *
 *   | turn, loaded | page 0 | page 1 |            keys in their places            | uses, by slot | full queues |
 *                     cell --- number of a place --->| hash, tenant, scopes, slot |--> buckets, last use
 *
 * A page is a hash table of the numbers of places. Readers use page turn % 2. The writer puts new and changed keys into
 * places that this page does not name, writes the other page, and turns: one store. A key that changes moves to another
 * place and keeps its slot. A reader that finds the turn unchanged after reading has read what was whole; a writer that
 * is killed at any instruction leaves a page that is whole.
 */
#ifndef SHM_KEY_TABLE_H
#define SHM_KEY_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/crypto.h"
#include "shm/full_queues.h"

/* Keys of the store, at most; start keys are those of the configuration. A test may bring a smaller table. */
#ifndef KEY_TABLE_STORED
#define KEY_TABLE_STORED 100000u
#define KEY_TABLE_CELLS 262144u /* a power of two, far more than there are keys */
#endif
#define KEY_TABLE_START_KEYS 2u
/* With the start keys of the run before, which go after those of this run have come. */
#define KEY_TABLE_KEYS (KEY_TABLE_STORED + 2 * KEY_TABLE_START_KEYS)
#define KEY_TABLE_PLACES (KEY_TABLE_KEYS + KEY_TABLE_KEYS / 100 + 2) /* some are free for what changes */

#define KEY_NEVER INT64_MAX

/* One key. Its texts end with a NUL; a longer name than fits is cut. */
struct api_key {
	uint8_t hash[SHA256_BYTES];
	int64_t expires_ms; /* wall clock; KEY_NEVER */
	uint64_t bytes_per_second; /* 0: no limit */
	uint32_t events_per_second; /* 0: no limit */
	uint32_t scopes; /* api/scopes.h */
	uint32_t slot; /* the table's affair */
	uint32_t is_start_key; /* 1: of the configuration, not of the store */
	char key_id[40];
	char tenant_id[72];
	char name[80]; /* "": none */
};

/* What is known of a key's use: beside the pages, so that it survives every change. */
struct key_use {
	uint64_t events, bytes; /* token buckets */
	uint64_t used_ms; /* wall clock; 0: not since it is in the table */
	uint64_t reserved;
};

/* Members are used by key_table.c and key_writer.c only. */
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

/* UNKNOWN: there is no such key. NOT_LOADED: that is not known, because the store has not been read yet. */
enum key_condition { KEY_UNKNOWN = 1, KEY_NOT_LOADED = 2 };

/* Copies the key with that hash, expired or not, to *out. Returns 0 or one of enum key_condition. Any process. */
int key_table_find(const struct key_table *table, const uint8_t hash[SHA256_BYTES], struct api_key *out);

/* Whether the store's keys have been read in this run. */
bool key_table_loaded(const struct key_table *table);

/*
 * Takes a request's events and bytes out of the key's buckets, in all processes together. Returns 0, or in how many
 * microseconds the key may be used again: nothing was taken then. now_us: steady clock. Any process.
 */
int64_t key_table_charge(
    struct key_table *table, const struct api_key *key, uint64_t events, uint64_t bytes, int64_t now_us);

/* What key_table_charge() would return now. */
int64_t key_table_wait_us(const struct key_table *table, const struct api_key *key, int64_t now_us);

/* Notes that the key was used, to the second; and when it was last. Wall clock, milliseconds; 0: not in this table. */
void key_table_note_use(struct key_table *table, const struct api_key *key, int64_t now_ms);
int64_t key_table_used_ms(const struct key_table *table, const struct api_key *key);

/* The key as a number that is not 0, whose bits nobody can choose. */
static inline uint64_t
key_table_number(const struct api_key *key)
{
	uint64_t number;

	memcpy(&number, key->hash, sizeof number);
	return number | 1;
}

/* Which cell is the first to look at for a hash. */
static inline uint32_t
key_table_cell(const uint8_t hash[SHA256_BYTES])
{
	return (hash[0] | (uint32_t)hash[1] << 8 | (uint32_t)hash[2] << 16) % KEY_TABLE_CELLS;
}

#endif
