/*
 * A process of the service as the environment of its connections to the webhooks' store: the write turn is the
 * segment's.
 */
#ifndef STORE_DB_TURN_H
#define STORE_DB_TURN_H

#include <stdbool.h>

#include "config/config.h"
#include "shm/write_turn.h"
#include "store/db.h"

struct db_turn {
	struct db_env env; /* for db_open(); of all threads of the process */
	struct write_turn turn;
	bool has_turn;
	bool database_seen;
};

/*
 * For a child, after the fork, with its slot. env stays where it is; segment and slot are borrowed until
 * db_turn_close(). PostgreSQL has no turns: nothing is opened then. 0 or <0.
 */
int db_turn_open(struct db_turn *env, const struct config *config, const struct segment *segment,
    struct process_slot *slot, struct error *err);

/* All connections are closed. */
void db_turn_close(struct db_turn *env);

#endif
