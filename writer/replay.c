/* The spool gives the same records again until they are committed, and perhaps more of them. */
#include "writer/replay.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static bool
is_known(const struct replay *replay, const struct spool *spool)
{
	return replay->count > 0 && spool_id_compare(replay->part, spool->parts[0].id) == 0 &&
	       replay->from == spool->reader.from && replay->count <= spool->reader.count;
}

void
replay_begin(struct replay *replay, const struct spool *spool, struct batch *batch)
{
	if (!is_known(replay, spool)) {
		replay->part = spool->parts[0].id;
		replay->from = spool->reader.from;
		replay->count = 0;
		replay->sum = (struct sink_result){0};
	}
	if (batch->count > replay->capacity) {
		replay->capacity = batch->count;
		replay->outcomes = mem_resize(replay->outcomes, replay->capacity, sizeof *replay->outcomes);
		replay->places = mem_resize(replay->places, replay->capacity, sizeof(struct publish_outcome *));
	}
	memset(&replay->outcomes[replay->count], 0, (batch->count - replay->count) * sizeof *replay->outcomes);
	replay->count = batch->count;
	for (uint32_t i = 0; i < replay->count; i++)
		replay->places[i] = &replay->outcomes[i];
	batch->outcomes = replay->places;
}

bool
replay_add(struct replay *replay, const struct sink_result *result)
{
	replay->sum.stored += result->stored;
	replay->sum.duplicates += result->duplicates;
	replay->sum.dead_lettered += result->dead_lettered;
	replay->sum.discarded += result->discarded;
	for (uint32_t i = 0; i < replay->count; i++)
		if (replay->outcomes[i].result == 0)
			return false;
	replay->count = 0;
	return true;
}

void
replay_free(struct replay *replay)
{
	free(replay->outcomes);
	free(replay->places);
}
