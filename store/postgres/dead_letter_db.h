/*
 * Reads the dead letters of a database and stores their events again, for hooksctl deadletter, by a connection of its
 * own. Each statement may take a minute. Including this header needs no libpq.
 */
#ifndef STORE_POSTGRES_DEAD_LETTER_DB_H
#define STORE_POSTGRES_DEAD_LETTER_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "event/record.h"
#include "store/dead_letter.h"

struct dead_letter_db;

/* Connects, as pg_open(). 0 with *db, to be released by dead_letter_db_close(), or <0. */
int dead_letter_db_open(struct dead_letter_db **db, const char *url, struct error *err);

/* NULL is allowed. */
void dead_letter_db_close(struct dead_letter_db *db);

/*
 * Calls fn for the selected letters of the table in the order of their numbers, but not for letters added during the
 * walk. fn may use db. A database without the table has no letters. 0, or <0: fn's error, or the database's.
 */
int dead_letter_db_walk(struct dead_letter_db *db, const struct dead_letter_selection *which, dead_letter_fn *fn,
    void *arg, struct error *err);

/*
 * Stores the event of a dead letter. id: the letter's number in the table; 0: it is not in the table. The transaction
 * that stores the event deletes the letter. If the event is refused again, the letter gets the new reason. Returns an
 * enum dead_letter_outcome after the commit, or <0: the store is at fault, and nothing has changed.
 */
int dead_letter_db_retry(struct dead_letter_db *db, int64_t id, const struct record *record,
    struct dead_letter_reason *reason, struct error *err);

#endif
