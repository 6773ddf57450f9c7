/* Calls the environment's function if there is one. */
#include "store/sink_env.h"

#include <stddef.h>

int64_t
sink_env_store_until_us(const struct sink_env *env)
{
	return env->store_until_us != NULL ? env->store_until_us(env->context) : INT64_MAX;
}

void
sink_env_heartbeat(const struct sink_env *env)
{
	if (env->heartbeat != NULL)
		env->heartbeat(env->context);
}

void
sink_env_count(const struct sink_env *env, enum counter counter, uint64_t n)
{
	if (env->count != NULL)
		env->count(env->context, counter, n);
}

void
sink_env_set_gauges(const struct sink_env *env, const uint64_t values[GAUGES])
{
	if (env->set_gauges != NULL)
		env->set_gauges(env->context, values);
}

void
sink_env_sync_failed(const struct sink_env *env)
{
	if (env->sync_failed != NULL)
		env->sync_failed(env->context);
}
