/* Implements the sink's environment by functions of the segment and the lanes. */
#include "writer/publish_env.h"

#include "shm/heartbeat.h"

static void
add(void *context, const struct record *event, const struct handover_job *jobs, uint32_t count, int64_t begun_us)
{
	struct publish_env *env = context;

	job_lanes_add(&env->lanes, event, jobs, count, begun_us);
}

static void
end(void *context)
{
	struct publish_env *env = context;

	job_lanes_end(&env->lanes);
}

static void
missed(void *context)
{
	struct publish_env *env = context;

	job_lanes_missed(&env->lanes);
}

static bool
node(void *context, struct node_row *row)
{
	const struct publish_env *env = context;

	return node_read(&env->store.segment->header->node, row);
}

static void
beat(void *context)
{
	struct publish_env *env = context;

	if (pthread_equal(pthread_self(), env->loop))
		heartbeat(&env->store.slot->process, 0);
}

static void
session(void *context, int32_t pid)
{
	slot_set_session(context, pid);
}

static int64_t
until_us(void *context)
{
	const struct publish_env *env = context;

	return store_env_until_us(&env->store);
}

int
publish_env_open(struct publish_env *env, const struct config *config, uint32_t publisher, struct error *err)
{
	static const struct handing_over handing_over = {.add = add, .end = end, .missed = missed, .node = node};
	const struct segment *segment = env->store.segment;

	if (db_turn_open(&env->turn, config, segment, &env->store.slot->process, err) != 0 ||
	    job_lanes_open(&env->lanes, segment, publisher, err) != 0)
		return -1;
	env->loop = pthread_self();
	env->turn.env.heartbeat_context = env;
	env->turn.env.heartbeat = beat;
	env->turn.env.until_us = until_us;
	env->turn.env.session_context = &env->store.slot->process;
	env->turn.env.session = session;
	env->store.sink_env.handing_over = &handing_over;
	env->store.sink_env.database = &env->turn.env;
	return 0;
}

void
publish_env_close(struct publish_env *env)
{
	job_lanes_close(&env->lanes);
	db_turn_close(&env->turn);
}
