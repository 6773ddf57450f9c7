/* Control as the environment of its connections to the webhooks' store: the write turn is the segment's. */
#ifndef CONTROL_DB_ENV_H
#define CONTROL_DB_ENV_H

#include <stdbool.h>

#include "config/config.h"
#include "shm/write_turn.h"
#include "store/db.h"

struct control_db_env {
	struct db_env env; /* for db_open(); of all threads of the process */
	struct write_turn turn;
	bool has_turn;
	bool database_seen;
};

/*
 * For the control process, after the fork, with its slot. env stays where it is; segment and slot are borrowed until
 * control_db_env_close(). PostgreSQL has no turns: nothing is opened then. 0 or <0.
 */
int control_db_env_open(struct control_db_env *env, const struct config *config, const struct segment *segment,
    struct process_slot *slot, struct error *err);

/* All connections are closed. */
void control_db_env_close(struct control_db_env *env);

#endif
