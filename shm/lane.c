/*
 * The only file that uses the members of ck_ring. The library has no peek call, but a consumer must read parcels
 * without releasing them. The producer uses the library's single-producer enqueue. The consumer does the two halves of
 * its dequeue (read the slot; advance c_head) in two calls, with a COMMIT between them.
 *
 * ThreadSanitizer does not see through the library's inline assembly. HANDS_OVER() and TAKES_OVER() declare the two
 * synchronisations (publish -> peek, release -> reserve) to it, so that it can check every other access.
 */
#include "shm/lane.h"

#include <assert.h>

#if defined(__SANITIZE_THREAD__)
#define TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSAN 1
#endif
#endif
#ifdef TSAN
#include <sanitizer/tsan_interface.h>
#define HANDS_OVER(word) __tsan_release(word)
#define TAKES_OVER(word) __tsan_acquire(word)
#else
#define HANDS_OVER(word) ((void)0)
#define TAKES_OVER(word) ((void)0)
#endif

CK_RING_PROTOTYPE(descriptor, lane_descriptor)

static struct lane_descriptor *
slot(const struct lane *lane, uint32_t position)
{
	return &lane->slots[position & lane->control->ring.mask];
}

void
lane_init(struct lane *lane, uint32_t slot_count, uint32_t first_position, uint64_t first_byte)
{
	ck_ring_t *ring = &lane->control->ring;

	assert(slot_count >= 2 && (slot_count & (slot_count - 1)) == 0);
	assert(first_byte % 8 == 0);
	ck_ring_init(ring, slot_count);
	ring->c_head = ring->p_head = ring->p_tail = first_position;
	lane->control->events[0] = lane->control->events[1] = 0;
	/* The descriptor before the first parcel's holds the arena's head and tail. */
	*slot(lane, first_position - 1) = (struct lane_descriptor){.end = first_byte};
}

bool
lane_shape_valid(const struct lane *lane, uint32_t slot_count)
{
	return lane->control->ring.size == slot_count && lane->control->ring.mask == slot_count - 1;
}

bool
lane_valid(const struct lane *lane, uint32_t slot_count)
{
	const ck_ring_t *ring = &lane->control->ring;
	uint32_t depth = ring->p_tail - ring->c_head;
	uint64_t end;

	if (!lane_shape_valid(lane, slot_count) || depth >= slot_count)
		return false;

	/* Each waiting parcel must follow the one before it, and together they must fit into the arena. */
	end = slot(lane, ring->c_head - 1)->end;
	if (end % 8 != 0 || end > INT64_MAX)
		return false;
	for (uint32_t i = 0; i < depth; i++) {
		const struct lane_descriptor *d = slot(lane, ring->c_head + i);

		uint64_t bytes = d->end - end;

		if (d->events == 0 || (d->flags & ~LANE_FLAGS) != 0 || bytes == 0 || bytes % 8 != 0 ||
		    bytes > lane->arena_bytes)
			return false;
		end = d->end;
	}
	return end - slot(lane, ring->c_head - 1)->end <= lane->arena_bytes;
}

void
lane_invalidate(struct lane *lane, uint32_t slot_count)
{
	lane_init(lane, slot_count, 0, 0);
	lane->control->ring.p_tail = slot_count;
}

/* Inline, like read_parcel(), because each event calls both. */
static inline char *
reserve(const struct lane *lane, uint32_t head, size_t *available)
{
	ck_ring_t *ring = &lane->control->ring;
	uint32_t tail = ring->p_tail;
	uint64_t tail_byte, head_byte;

	*available = 0;
	if (tail - head >= ring->mask)
		return NULL;
	tail_byte = slot(lane, tail - 1)->end;
	head_byte = slot(lane, head - 1)->end;
	assert(tail_byte - head_byte <= lane->arena_bytes);
	*available = lane->arena_bytes - (tail_byte - head_byte);
	return lane->arena + tail_byte % lane->arena_bytes;
}

char *
lane_reserve(const struct lane *lane, size_t *available)
{
	return reserve(lane, lane_released(lane), available);
}

char *
lane_reserve_behind(const struct lane *lane, uint32_t answered, size_t *available)
{
	return reserve(lane, answered, available);
}

uint32_t
lane_free_descriptors(const struct lane *lane)
{
	const ck_ring_t *ring = &lane->control->ring;

	return ring->mask - (ring->p_tail - lane_released(lane));
}

uint32_t
lane_publish(const struct lane *lane, size_t bytes, uint32_t events, uint32_t flags)
{
	ck_ring_t *ring = &lane->control->ring;
	struct lane_descriptor *d = ck_ring_enqueue_reserve_spsc_descriptor(ring, lane->slots);

	assert(d != NULL); /* lane_reserve() found a free slot, and only this process fills slots */
	assert(bytes > 0 && bytes % 8 == 0 && events > 0);
	d->end = slot(lane, ring->p_tail - 1)->end + bytes;
	d->events = events;
	d->flags = flags;
	/* This entry becomes valid when p_tail advances; until then the other entry is valid. */
	ck_pr_store_64(&lane->control->events[(ring->p_tail + 1) & 1], lane_events(lane) + events);
	HANDS_OVER(&ring->p_tail);
	/* The library has a fence between these stores, with those to the records, and the one to p_tail. */
	ck_ring_enqueue_commit_spsc(ring);
	return ring->p_tail;
}

static inline void
read_parcel(const struct lane *lane, uint32_t position, struct parcel *parcel)
{
	const struct lane_descriptor *d = slot(lane, position - 1);
	uint64_t begin = slot(lane, position - 2)->end;

	parcel->length = d->end - begin;
	parcel->events = d->events;
	parcel->flags = ck_pr_load_32(&d->flags);
	parcel->bytes = lane->arena + begin % lane->arena_bytes;
}

bool
lane_peek(const struct lane *lane, uint32_t position, struct parcel *parcel)
{
	ck_ring_t *ring = &lane->control->ring;

	if (position == ck_pr_load_uint(&ring->p_tail))
		return false;

	/* p_tail shows that slot and records are complete, so it must be read first. */
	ck_pr_fence_acquire();
	TAKES_OVER(&ring->p_tail);
	read_parcel(lane, position + 1, parcel);
	return true;
}

void
lane_reread(const struct lane *lane, uint32_t position, struct parcel *parcel)
{
	read_parcel(lane, position, parcel);
}

uint32_t
lane_flags(const struct lane *lane, uint32_t position)
{
	uint32_t flags = ck_pr_load_32(&slot(lane, position - 1)->flags);

	ck_pr_fence_acquire(); /* the outcomes of a finished parcel were stored before its flag */
	TAKES_OVER(&lane->control->ring.c_head);
	return flags;
}

void
lane_set_flag(const struct lane *lane, uint32_t position, uint32_t flag, bool on)
{
	for (uint32_t at = lane->control->ring.c_head; at != position; at++) {
		uint32_t *flags = &slot(lane, at)->flags;

		/* A consumer that died before it released may have set the flag already. */
		if (((*flags & flag) != 0) != on)
			ck_pr_store_32(flags, *flags ^ flag);
	}
}

void
lane_mark(const struct lane *lane, uint32_t position, uint32_t flag)
{
	uint32_t *flags = &slot(lane, position)->flags;

	HANDS_OVER(&lane->control->ring.c_head);
	ck_pr_fence_release();
	ck_pr_store_32(flags, *flags | flag);
}

uint32_t
lane_refuse(const struct lane *lane, uint32_t position)
{
	uint32_t first = lane->control->ring.c_head;

	for (uint32_t at = first; at != position; at++) {
		uint32_t *flags = &slot(lane, at)->flags;

		if (lane_client_waits(*flags))
			ck_pr_store_32(flags, *flags | ((*flags & LANE_IN_DOUBT) == 0 ? LANE_REFUSED : LANE_DISMISSED));
	}
	while (first != position && (slot(lane, first)->flags & (LANE_REFUSED | LANE_FINISHED)) != 0)
		first++;
	return first;
}

void
lane_release(const struct lane *lane, uint32_t position)
{
	ck_ring_t *ring = &lane->control->ring;

	assert(position - ring->c_head <= ring->p_tail - ring->c_head);
	/* All reads of the parcels must be over before the store to c_head, which lets the producer overwrite them. */
	HANDS_OVER(&ring->c_head);
	ck_pr_fence_release();
	ck_pr_store_uint(&ring->c_head, position);
}

uint32_t
lane_released(const struct lane *lane)
{
	uint32_t head = ck_pr_load_uint(&lane->control->ring.c_head);

	/*
	 * c_head permits overwriting: the consumer finished reading the freed space before it advanced c_head, and the
	 * producer must read c_head before it writes to that space.
	 */
	ck_pr_fence_acquire();
	TAKES_OVER(&lane->control->ring.c_head);
	return head;
}

uint64_t
lane_events(const struct lane *lane)
{
	uint32_t tail = ck_pr_load_uint(&lane->control->ring.p_tail);

	ck_pr_fence_acquire(); /* the count was stored before p_tail */
	return ck_pr_load_64(&lane->control->events[tail & 1]);
}

uint32_t
lane_depth(const struct lane *lane)
{
	uint32_t head = lane_released(lane); /* read before p_tail; otherwise head could be greater */

	return ck_pr_load_uint(&lane->control->ring.p_tail) - head;
}

uint64_t
lane_bytes_used(const struct lane *lane)
{
	uint32_t head, tail;
	uint64_t used;

	/* Once head has advanced, the producer may overwrite the slot before it: then read again. */
	do {
		head = lane_released(lane);
		tail = ck_pr_load_uint(&lane->control->ring.p_tail);
		ck_pr_fence_acquire();
		used = slot(lane, tail - 1)->end - slot(lane, head - 1)->end;
		ck_pr_fence_acquire();
	} while (head != lane_released(lane));
	return used;
}
