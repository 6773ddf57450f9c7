/*
 * The dead letters of a database for a program of people's (hooksctl deadletter): reading them, and storing their
 * events again. The connection is the program's own, and each statement may take a minute. Needs no libpq to be
 * included.
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
 * Calls fn for the selected letters of the table in the order of their numbers, but not for letters that are added
 * meanwhile. fn may use db. A database without the table has no letters. 0, or <0: fn's, or the database's.
 */
int dead_letter_db_walk(struct dead_letter_db *db, const struct dead_letter_selection *which, dead_letter_fn *fn,
    void *arg, struct error *err);

/*
 * Stores the event of a dead letter. id is the letter's number in the table: together with the event it is deleted, or,
 * when the event is refused again, given the new reason. 0: the letter is not in the table. Returns an enum
 * dead_letter_outcome when that is committed, or <0: the store is to blame, and nothing has changed.
 */
int dead_letter_db_retry(struct dead_letter_db *db, int64_t id, const struct record *record,
    struct dead_letter_reason *reason, struct error *err);

#endif
