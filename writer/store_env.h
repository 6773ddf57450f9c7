/* The environment that a writer provides to its sink (store/sink_env.h), with the segment's slot, ledger and lock. */
#ifndef WRITER_STORE_ENV_H
#define WRITER_STORE_ENV_H

#include "shm/segment.h"
#include "store/sink_env.h"

struct store_env {
	struct sink_env sink_env; /* for the sink */
	const struct segment *segment; /* borrowed */
	struct writer_slot *slot; /* borrowed; of this writer */
};

/* *env must not move while the sink lives. */
void store_env_init(struct store_env *env, const struct segment *segment, struct writer_slot *slot);

/*
 * The time, by the steady clock, from which a draining service spools instead of storing; INT64_MAX unless it drains.
 */
int64_t store_env_until_us(const struct store_env *env);

/*
 * Cuts off uncommitted appends of an earlier run's writers to the JSONL file. For a writer whose own sink does not do
 * it. Returns 0 or <0.
 */
int store_env_cut_off_appends(struct store_env *env, const char *path, struct error *err);

#endif
