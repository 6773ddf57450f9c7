/*
 * Changing the table of API keys (shm/key_table.h). There is one writer at a time: the master before it forks, then
 * the process that reads keys from the store, in one thread at a time. What a writer changes is seen by readers when it
 * commits. It knows nothing that is not in the table, so a successor of one that was killed goes on where that ended.
 */
#ifndef SHM_KEY_WRITER_H
#define SHM_KEY_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/key_table.h"

struct key_writer;

/*
 * Begins to write to the table, which must outlive the writer. A table that is damaged becomes empty: *damaged, which
 * may be NULL. Takes about 3 MiB of memory until key_writer_close(), which commits nothing.
 */
struct key_writer *key_writer_open(struct key_table *table, bool *damaged);
void key_writer_close(struct key_writer *writer);

/*
 * Makes the table empty and not loaded. For a master without children, when the earlier run was before the machine's
 * last start: its buckets follow another clock.
 */
void key_table_reset(struct key_table *table);

/* Nothing is known of the store's keys in this run, until key_writer_set_loaded(). For a master without children. */
void key_table_begin_run(struct key_table *table);

/* Adds the key, or changes the one with its hash; slot is ignored. A start key is changed only by a start key. */
enum key_put { KEY_PUT = 0, KEY_TABLE_FULL = 1 };
enum key_put key_writer_put(struct key_writer *writer, const struct api_key *key);

/* Removes the key with that hash, if it is there and is no start key. */
void key_writer_remove(struct key_writer *writer, const uint8_t hash[SHA256_BYTES]);

/*
 * For reading all keys anew: key_writer_unmark(), key_writer_put() for each, then key_writer_sweep() removes those that
 * were not put: start keys, or the others.
 */
void key_writer_unmark(struct key_writer *writer);
void key_writer_sweep(struct key_writer *writer, bool start_keys);

/* Removes the keys of the store that have expired by then: wall clock, milliseconds. */
void key_writer_remove_expired(struct key_writer *writer, int64_t now_ms);

/* From now on readers see what was put and removed. Returns whether there was anything. */
bool key_writer_commit(struct key_writer *writer);

/* From now on a key that is not in the table is unknown. After a commit. */
void key_writer_set_loaded(struct key_writer *writer);

/* Keys of the store that are in the table. */
uint32_t key_writer_count(const struct key_writer *writer);

/* Copies the next key; *at is 0 at first and then what the last call left. Returns false when there is none left. */
bool key_writer_next(const struct key_writer *writer, uint32_t *at, struct api_key *out);

#endif
