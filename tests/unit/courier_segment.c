/* Opens a segment as segment_open() does, with counts of processes that no configuration can have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/courier_segment.h"

#define LANE_SLOTS 1024u
#define ARENA_BYTES (256u * 1024)

static struct lane mapped[16];
static size_t mapped_count;

struct segment
courier_segment_open(uint32_t couriers)
{
	struct segment_header planned = {.lane_slots = LANE_SLOTS};
	struct segment segment = {.fd = -1};
	struct error err;
	int fd = memfd_create("segment", MFD_CLOEXEC);

	assert_true(fd >= 0);
	planned.counts[ROLE_PUBLISHER] = 1;
	planned.counts[ROLE_COURIER] = couriers;
	for (int group = 0; group < LANE_GROUPS; group++)
		planned.arena_bytes[group] = ARENA_BYTES;
	const struct segment_layout layout = segment_layout(&planned);
	planned.file_bytes = layout.end;
	assert_int_equal(ftruncate(fd, (off_t)layout.end), 0);
	assert_int_equal(pwrite(fd, &planned, sizeof planned, 0), sizeof planned);
	if (segment_map(&segment, fd, layout.arenas, PROT_READ | PROT_WRITE, &err) != 0)
		fail_msg("%s", err.text);
	for (uint32_t n = 0; n < segment_lane_count(&segment); n++) {
		struct lane lane = segment_lane_at(&segment, n);

		lane_init(&lane, LANE_SLOTS, 0, 0);
	}
	for (uint32_t i = 0; i < segment_slot_count(&segment); i++)
		segment.wake_fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	for (uint32_t i = 0; i < couriers; i++) {
		slot_begin(&segment_courier(&segment, i)->process, 100 + (int32_t)i, 1);
		slot_set_state(&segment_courier(&segment, i)->process, PROCESS_READY);
	}
	return segment;
}

void
courier_segment_close(struct segment *segment)
{
	while (mapped_count > 0) {
		mapped_count--;
		assert_int_equal(munmap(mapped[mapped_count].arena, 2 * mapped[mapped_count].arena_bytes), 0);
	}
	for (uint32_t i = 0; i < segment_slot_count(segment); i++)
		close(segment->wake_fds[i]);
	segment_close(segment);
}

struct lane
courier_segment_outcomes(const struct segment *segment, uint32_t courier)
{
	struct lane lane = segment_lane(segment, LANES_OUTCOMES, courier, courier);
	struct error err;

	if (segment_map_arena(segment, &lane, &err) != 0)
		fail_msg("%s", err.text);
	mapped[mapped_count++] = lane;
	return lane;
}
