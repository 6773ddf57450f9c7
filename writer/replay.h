/*
 * Published events that are replayed from the spool: a sink stores them in parts, between which live events have their
 * turn, so what became of each is kept until all are done. A publisher.
 */
#ifndef WRITER_REPLAY_H
#define WRITER_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "event/publish_outcome.h"
#include "store/sink.h"
#include "writer/spool_parts.h"

/* All zero at first. */
struct replay {
	struct spool_id part; /* the records that the outcomes are of */
	uint64_t from;
	struct publish_outcome *outcomes; /* capacity of each, count in use */
	struct publish_outcome **places;
	uint32_t count, capacity;
	struct sink_result sum; /* of all calls for these records */
};

/* Gives *batch, which is what spool_next() has given, the outcomes of the calls before, or none yet. */
void replay_begin(struct replay *replay, const struct spool *spool, struct batch *batch);

/* Adds what a sink has done with that batch. Returns whether that was the rest of it: replay->sum counts all of it. */
bool replay_add(struct replay *replay, const struct sink_result *result);

void replay_free(struct replay *replay);

#endif
