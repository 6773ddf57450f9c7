/*
 * The environment that a publisher provides to its sink: a writer's (writer/store_env.h), the write turn and the lanes
 * to couriers.
 */
#ifndef WRITER_PUBLISH_ENV_H
#define WRITER_PUBLISH_ENV_H

#include <pthread.h>

#include "config/config.h"
#include "store/db_turn.h"
#include "writer/job_lanes.h"
#include "writer/store_env.h"

struct publish_env {
	struct store_env store; /* the first member: its sink_env's context is this struct */
	struct db_turn turn;
	struct job_lanes lanes;
	pthread_t loop; /* the thread that sends heartbeats; the sink opens in another thread */
};

/* env->store is initialized. *env must not move while the sink lives. Borrows config. Returns 0 or <0. */
int publish_env_open(struct publish_env *env, const struct config *config, uint32_t publisher, struct error *err);

/* Call it after closing the sink. */
void publish_env_close(struct publish_env *env);

#endif
