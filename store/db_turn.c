/* Passes a database's calls on to shm/, which the database does not know. */
#include "store/db_turn.h"

static int
take(void *context, int64_t (*until_us)(void *), void *until_context, struct error *err)
{
	const struct turn_wait wait = {.until_us = until_us, .context = until_context};

	return write_turn_take(context, &wait, err);
}

static void
give(void *context)
{
	write_turn_give(context);
}

int
db_turn_open(struct db_turn *env, const struct config *config, const struct segment *segment, struct process_slot *slot,
    struct error *err)
{
	*env = (struct db_turn){0};
	if (config->hl_store != HL_STORE_EMBEDDED)
		return 0;
	env->env = (struct db_env){
	    .context = &env->turn,
	    .take_write_turn = take,
	    .give_write_turn = give,
	    .database_seen = &env->database_seen,
	};
	env->has_turn = write_turn_open(&env->turn, segment, slot, err) == 0;
	return env->has_turn ? 0 : -1;
}

void
db_turn_close(struct db_turn *env)
{
	if (env->has_turn)
		write_turn_close(&env->turn);
}
