/* Computes offsets and checks headers. */
#include "shm/segment_layout.h"

#include <string.h>

#include "shm/courier_slot.h"
#include "shm/key_table.h"
#include "shm/lane.h"
#include "shm/slots.h"

const uint32_t slot_bytes[ROLES] = {
#define R(X, symbol, name, plural, count, most, slot) sizeof(slot),
    ROLE_LIST(R, _)
#undef R
};

static uint64_t
page_up(uint64_t n)
{
	return (n + PAGE - 1) / PAGE * PAGE;
}

struct segment_layout
segment_layout(const struct segment_header *h)
{
	uint64_t lanes = role_lanes(h->counts);
	struct segment_layout l;
	uint64_t end = PAGE;

	for (int r = 0; r < ROLES; r++) {
		l.slots[r] = end;
		end += (uint64_t)h->counts[r] * slot_bytes[r];
	}
	l.controls = page_up(end);
	l.descriptors = page_up(l.controls + lanes * sizeof(struct lane_control));
	l.keys = page_up(l.descriptors + lanes * h->lane_slots * sizeof(struct lane_descriptor));
	l.arenas = page_up(l.keys + (h->has_keys ? sizeof(struct key_table) : 0));
	l.end = l.arenas;
	for (int g = 0; g < LANE_GROUPS; g++)
		l.end += role_lanes_of(h->counts, g) * h->arena_bytes[g];
	return l;
}

enum lane_group
segment_lane_group(const struct segment_header *h, uint32_t number)
{
	enum lane_group group = 0;
	uint64_t end = role_lanes_of(h->counts, group);

	while (number >= end)
		end += role_lanes_of(h->counts, ++group);
	return group;
}

uint64_t
segment_arena_offset(const struct segment_header *h, uint32_t number)
{
	uint64_t offset = segment_layout(h).arenas;
	uint32_t first = 0;

	for (int g = 0; g < (int)segment_lane_group(h, number); g++) {
		offset += role_lanes_of(h->counts, g) * h->arena_bytes[g];
		first += (uint32_t)role_lanes_of(h->counts, g);
	}
	return offset + (number - first) * h->arena_bytes[segment_lane_group(h, number)];
}

static bool
counts_plausible(const struct segment_header *h)
{
	for (int r = 0; r < ROLES; r++)
		if (h->counts[r] > role_table[r].most)
			return false;
	return role_lanes(h->counts) > 0;
}

static bool
arenas_plausible(const struct segment_header *h)
{
	for (int g = 0; g < LANE_GROUPS; g++) {
		uint64_t lanes = role_lanes_of(h->counts, g), bytes = h->arena_bytes[g];

		if (lanes > 0 && (bytes < PAGE || bytes % PAGE != 0 || bytes > h->file_bytes / lanes))
			return false;
	}
	return true;
}

bool
segment_plausible(const struct segment_header *h, uint64_t file_bytes)
{
	return memcmp(h->magic, SEGMENT_MAGIC, sizeof h->magic) == 0 && h->file_bytes == file_bytes &&
	       counts_plausible(h) && h->lane_slots >= 2 && h->lane_slots <= 65536 &&
	       (h->lane_slots & (h->lane_slots - 1)) == 0 && arenas_plausible(h) && segment_layout(h).end <= file_bytes;
}
