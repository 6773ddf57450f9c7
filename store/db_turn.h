/* The environment of a service process's connections to the webhooks' store. The write turn is in the segment. */
#ifndef STORE_DB_TURN_H
#define STORE_DB_TURN_H

#include <stdbool.h>

#include "config/config.h"
#include "shm/write_turn.h"
#include "store/db.h"

struct db_turn {
	struct db_env env; /* for db_open() in all threads of the process */
	struct write_turn turn;
	bool has_turn;
	bool database_seen;
};

/*
 * For a child, after the fork, with its slot. env must not move; segment and slot are borrowed until db_turn_close().
 * Over PostgreSQL, which has no turns, nothing is opened. 0 or <0.
 */
int db_turn_open(struct db_turn *env, const struct config *config, const struct segment *segment,
    struct process_slot *slot, struct error *err);

/* All connections must be closed. */
void db_turn_close(struct db_turn *env);

#endif
