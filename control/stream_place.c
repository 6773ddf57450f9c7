/* Places are compared by time first, then by id, as the stores' indexes order rows. */
#include "control/stream_place.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
stream_place_compare(const void *a, const void *b)
{
	const struct stream_place *one = a, *other = b;

	if (one->us != other->us)
		return one->us < other->us ? -1 : 1;
	return strcmp(one->id, other->id);
}

struct stream_place
stream_place_of(int64_t us, struct span id)
{
	struct stream_place place = {.us = us};

	/* A row written by hand may have a longer id. */
	(void)snprintf(place.id, sizeof place.id, "%.*s", (int)id.len, id.base);
	return place;
}

/* The first 48 bits of an id are its time: the id is behind all others of the microsecond before. */
struct stream_place
stream_place_before(int64_t us)
{
	struct stream_place place = {.us = us - 1};
	uint64_t ms = us > 1 ? (uint64_t)(us - 1) / 1000 & 0xffffffffffff : 0;

	(void)snprintf(
	    place.id, sizeof place.id, "%08" PRIx64 "-%04" PRIx64 "-ffff-ffff-ffffffffffff", ms >> 16, ms & 0xffff);
	return place;
}

bool
stream_places_have(const struct stream_places *places, const struct stream_place *place)
{
	return places->count > 0 &&
	       bsearch(place, places->list, places->count, sizeof *place, stream_place_compare) != NULL;
}

void
stream_places_add(struct stream_places *places, const struct stream_place *place)
{
	uint32_t at = places->count;

	while (at > 0 && stream_place_compare(&places->list[at - 1], place) > 0)
		at--;
	if (at > 0 && stream_place_compare(&places->list[at - 1], place) == 0)
		return;
	memmove(&places->list[at + 1], &places->list[at], (size_t)(places->count - at) * sizeof *places->list);
	places->list[at] = *place;
	places->count++;
}
