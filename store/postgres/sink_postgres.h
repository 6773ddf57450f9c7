/* The PostgreSQL sink. */
#ifndef STORE_POSTGRES_SINK_POSTGRES_H
#define STORE_POSTGRES_SINK_POSTGRES_H

#include "config/config.h"
#include "store/sink.h"
#include "store/sink_env.h"

/* As store_new(). */
struct sink *sink_postgres_new(const struct config *config, const struct sink_env *env);

#endif
