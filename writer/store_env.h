/* A writer as the environment of its sink (store/sink_env.h): slot, ledger and lock are the segment's. */
#ifndef WRITER_STORE_ENV_H
#define WRITER_STORE_ENV_H

#include "shm/segment.h"
#include "store/sink_env.h"

struct store_env {
	struct sink_env sink_env; /* for the sink */
	const struct segment *segment; /* borrowed */
	struct writer_slot *slot; /* borrowed; the writer's own */
};

/* *env stays where it is as long as the sink lives. */
void store_env_init(struct store_env *env, const struct segment *segment, struct writer_slot *slot);

/*
 * The instant, by the steady clock, from which nothing is stored any more and the rest goes to the spool; INT64_MAX
 * until the service drains.
 */
int64_t store_env_until_us(const struct store_env *env);

/*
 * Cuts off what the writers of an earlier run, whose store was a file, have appended there and not committed. For a
 * writer whose own sink does not. Returns 0 or <0.
 */
int store_env_cut_off_appends(struct store_env *env, const char *path, struct error *err);

#endif
