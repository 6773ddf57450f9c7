/* Hands the calls of store/ on to shm/, which store/ may not know. */
#include "control/db_env.h"

static int
take(void *context, int64_t until_us, struct error *err)
{
	return write_turn_take(context, until_us, err);
}

static void
give(void *context)
{
	write_turn_give(context);
}

int
control_db_env_open(struct control_db_env *env, const struct config *config, const struct segment *segment,
    struct process_slot *slot, struct error *err)
{
	*env = (struct control_db_env){0};
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
control_db_env_close(struct control_db_env *env)
{
	if (env->has_turn)
		write_turn_close(&env->turn);
}
