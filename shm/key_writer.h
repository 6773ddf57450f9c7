/*
 * Changes the table of API keys (shm/key_table.h). There is one writer at a time: the master before it forks, then one
 * thread of the process that reads keys from the store. Readers see changes after the commit. All state is in the
 * table, so the successor of a killed writer continues from its last commit.
 */
#ifndef SHM_KEY_WRITER_H
#define SHM_KEY_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/key_table.h"

struct key_writer;

/*
 * Begins to write to the table, which must outlive the writer. A damaged table becomes empty and sets *damaged, which
 * may be NULL. Takes about 3 MiB of memory until key_writer_close(), which commits nothing.
 */
struct key_writer *key_writer_open(struct key_table *table, bool *damaged);
void key_writer_close(struct key_writer *writer);

/*
 * Makes the table empty and not loaded. For a master without children after a reboot: the old buckets belong to another
 * clock.
 */
void key_table_reset(struct key_table *table);

/* Marks the store's keys as not loaded, until key_writer_set_loaded(). For a master without children. */
void key_table_begin_run(struct key_table *table);

/* Adds the key, or replaces the key with its hash; ignores its slot. Only a start key replaces a start key. */
enum key_put { KEY_PUT = 0, KEY_TABLE_FULL = 1 };
enum key_put key_writer_put(struct key_writer *writer, const struct api_key *key);

/* Removes the key with that hash, unless it is a start key. */
void key_writer_remove(struct key_writer *writer, const uint8_t hash[SHA256_BYTES]);

/*
 * For reading all keys again: call key_writer_unmark(), then key_writer_put() for each key; key_writer_sweep() then
 * removes all other start keys, or all other keys of the store.
 */
void key_writer_unmark(struct key_writer *writer);
void key_writer_sweep(struct key_writer *writer, bool start_keys);

/* Removes the keys of the store that have expired by then: wall clock, milliseconds. */
void key_writer_remove_expired(struct key_writer *writer, int64_t now_ms);

/* Makes all changes visible to readers. Returns whether there were any. */
bool key_writer_commit(struct key_writer *writer);

/* From now on a key that is not in the table is unknown. Call it after a commit. */
void key_writer_set_loaded(struct key_writer *writer);

/* The number of the store's keys in the table. */
uint32_t key_writer_count(const struct key_writer *writer);

/* Copies the next key. *at is 0 at first; the function advances it. Returns false after the last key. */
bool key_writer_next(const struct key_writer *writer, uint32_t *at, struct api_key *out);

#endif
