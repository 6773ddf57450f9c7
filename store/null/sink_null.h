/* The sink that stores nothing. */
#ifndef STORE_NULL_SINK_NULL_H
#define STORE_NULL_SINK_NULL_H

#include "config/config.h"
#include "store/sink.h"
#include "store/sink_env.h"

/* As store_new(). */
struct sink *sink_null_new(const struct config *config, const struct sink_env *env);

#endif
