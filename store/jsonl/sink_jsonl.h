/* The JSONL sink. */
#ifndef STORE_JSONL_SINK_JSONL_H
#define STORE_JSONL_SINK_JSONL_H

#include "config/config.h"
#include "store/sink.h"
#include "store/sink_env.h"

/* As store_new(). open() needs env->journal: without it no process could find the lines that a dead one has left. */
struct sink *sink_jsonl_new(const struct config *config, const struct sink_env *env);

#endif
