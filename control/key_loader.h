/*
 * Loads the API keys of the webhooks' store into the key table (shm/key_table.h), and writes the times of their use
 * back to the store. One per process; any of its threads may call these functions, which lock each other out.
 */
#ifndef CONTROL_KEY_LOADER_H
#define CONTROL_KEY_LOADER_H

#include <stdint.h>

#include "base/error.h"

struct db;
struct key_table;
struct key_loader;

/*
 * Becomes the writer of the table; its keys stay valid until the store has been read. table NULL: a segment of an
 * earlier run has none, and there is nothing to load. Never NULL.
 */
struct key_loader *key_loader_new(struct key_table *table);
void key_loader_free(struct key_loader *loader);

/*
 * Brings the table up to date: reads all keys the first time and after a failure, otherwise only changed ones. Call it
 * after the commit of a change of keys and before the reply: then this node's next request already refuses a revoked
 * key, and accepts a new one. Returns as db_query(); after a failure the upkeep thread tries again.
 */
int key_loader_refresh(struct key_loader *loader, struct db *db, struct error *err);

/* The same, but only if changes.version has changed since the last time, or something failed. */
int key_loader_follow(struct key_loader *loader, struct db *db, struct error *err);

/* Writes to the store which keys have been used since the last time. Returns as db_query(). */
int key_loader_write_uses(struct key_loader *loader, struct db *db, struct error *err);

#endif
