/*
 * Bringing the API keys of the webhooks' store into the key table (shm/key_table.h), and what the table knows of their
 * use back into the store. One a process; any of its threads may call these functions, which wait for each other.
 */
#ifndef CONTROL_KEY_LOADER_H
#define CONTROL_KEY_LOADER_H

#include <stdint.h>

#include "base/error.h"

struct db;
struct key_table;
struct key_loader;

/*
 * Takes over the writing of the table; the keys that are in it stay valid until the store has been read. table NULL:
 * the segment has none (it is one of an earlier run), and there is nothing to load. Never NULL.
 */
struct key_loader *key_loader_new(struct key_table *table);
void key_loader_free(struct key_loader *loader);

/*
 * Brings what has been committed into the table: all keys the first time, and after a failure, then those that have
 * changed. Called after the commit of a change of keys and before its reply: a revoked key is refused by the next
 * request to this node, and a new one is valid. Returns as db_query(); after a failure the upkeep thread tries again.
 */
int key_loader_refresh(struct key_loader *loader, struct db *db, struct error *err);

/* The same when changes.version has moved since the last time, as other nodes do, or when something failed. */
int key_loader_follow(struct key_loader *loader, struct db *db, struct error *err);

/* Writes to the store which keys have been used since the last time. Returns as db_query(). */
int key_loader_write_uses(struct key_loader *loader, struct db *db, struct error *err);

#endif
