/* Offsets, and whether a header can be true. */
#include "shm/segment_layout.h"

#include <string.h>

#include "shm/key_table.h"
#include "shm/lane.h"
#include "shm/slots.h"

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
	l.end = l.arenas + lanes * h->arena_bytes;
	return l;
}

static bool
counts_plausible(const struct segment_header *h)
{
	for (int r = 0; r < ROLES; r++)
		if (h->counts[r] > role_table[r].most)
			return false;
	return role_lanes(h->counts) > 0;
}

bool
segment_plausible(const struct segment_header *h, uint64_t file_bytes)
{
	return memcmp(h->magic, SEGMENT_MAGIC, sizeof h->magic) == 0 && h->file_bytes == file_bytes &&
	       counts_plausible(h) && h->lane_slots >= 2 && h->lane_slots <= 65536 &&
	       (h->lane_slots & (h->lane_slots - 1)) == 0 && h->arena_bytes >= PAGE && h->arena_bytes % PAGE == 0 &&
	       h->arena_bytes <= file_bytes / role_lanes(h->counts) && segment_layout(h).end <= file_bytes;
}
