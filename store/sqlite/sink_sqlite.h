/* The SQLite sink. */
#ifndef STORE_SQLITE_SINK_SQLITE_H
#define STORE_SQLITE_SINK_SQLITE_H

#include "config/config.h"
#include "store/sink.h"
#include "store/sink_env.h"

/* As store_new(). */
struct sink *sink_sqlite_new(const struct config *config, const struct sink_env *env);

#endif
