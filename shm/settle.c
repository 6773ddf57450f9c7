/* Recovery: the one place that knows both the ledgers and the segment. */
#include "shm/settle.h"

#include "shm/lane.h"
#include "shm/ledger.h"
#include "shm/wake.h"

void
settle_lanes(const struct segment *segment, uint32_t writer)
{
	const struct ledger_page *page = ledger_page(&segment_writer(segment, writer)->ledger);
	enum role producers = lane_group_table[LANES_EVENTS].from;

	for (uint32_t a = 0; a < segment->counts[producers]; a++) {
		struct lane lane = segment_lane(segment, LANES_EVENTS, a, writer);
		struct wake producer = segment_wake(segment, producers, a);

		if (page->release[a] == lane_released(&lane))
			continue;
		if (page->fate == FATE_REFUSED) {
			lane_release(&lane, lane_refuse(&lane, page->release[a]));
		} else {
			lane_set_flag(&lane, page->release[a], LANE_SPOOLED, page->fate == FATE_SPOOLED);
			lane_release(&lane, page->release[a]);
		}
		wake_up(&producer);
	}
}

void
settle_take_over(const struct segment *segment, uint32_t writer)
{
	struct ledger *ledger = &segment_writer(segment, writer)->ledger;

	for (int file = 0; file < APPEND_FILES; file++)
		if (ledger_append_open(ledger, file))
			ledger_append_failed(ledger, file, false);
	settle_lanes(segment, writer);
}

bool
settle_ledger_valid(const struct segment *segment, uint32_t writer)
{
	const struct ledger *ledger = &segment_writer(segment, writer)->ledger;
	enum role producers = lane_group_table[LANES_EVENTS].from;

	if (ledger->current > 1)
		return false;
	for (uint32_t a = 0; a < segment->counts[producers]; a++) {
		struct lane lane = segment_lane(segment, LANES_EVENTS, a, writer);

		if (ledger_page(ledger)->release[a] - lane_released(&lane) > lane_depth(&lane))
			return false;
	}
	return true;
}

bool
settle_finished(const struct segment *segment)
{
	for (uint32_t w = 0; w < segment->counts[ROLE_WRITER]; w++)
		if (ledger_needed_by_successor(&segment_writer(segment, w)->ledger))
			return false;
	return segment_events_waiting(segment) == 0;
}
