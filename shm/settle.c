/* Applies ledgers to lanes: the only file that uses both. */
#include "shm/settle.h"

#include "base/probes.h"
#include "shm/lane.h"
#include "shm/ledger.h"
#include "shm/wake.h"

const enum role ledger_roles[LEDGER_ROLES] = {ROLE_WRITER, ROLE_PUBLISHER};

enum lane_group
ledger_lanes(enum role role)
{
	return role == ROLE_WRITER ? LANES_EVENTS : LANES_PUBLISH;
}

void
settle_lanes(const struct segment *segment, enum role role, uint32_t index)
{
	const struct ledger_page *page = ledger_page(&segment_writer(segment, role, index)->ledger);
	enum lane_group lanes = ledger_lanes(role);
	enum role producers = lane_group_table[lanes].from;

	for (uint32_t a = 0; a < segment->counts[producers]; a++) {
		struct lane lane = segment_lane(segment, lanes, a, index);
		struct wake producer = segment_wake(segment, producers, a);

		if (page->release[a] == lane_released(&lane))
			continue;
		PROBE_SETTLE(lane.control, page->release[a], page->settled_as);
		if (page->settled_as == SETTLED_REFUSED) {
			lane_release(&lane, lane_refuse(&lane, page->release[a]));
		} else {
			lane_set_flag(&lane, page->release[a], LANE_SPOOLED, page->settled_as == SETTLED_SPOOLED);
			lane_release(&lane, page->release[a]);
		}
		wake_up(&producer);
	}
}

void
settle_take_over(const struct segment *segment, enum role role, uint32_t index)
{
	struct ledger *ledger = &segment_writer(segment, role, index)->ledger;

	for (int file = 0; file < APPEND_FILES; file++)
		if (ledger_append_open(ledger, file))
			ledger_append_failed(ledger, file, false);
	settle_lanes(segment, role, index);
}

bool
settle_ledger_valid(const struct segment *segment, enum role role, uint32_t index)
{
	const struct ledger *ledger = &segment_writer(segment, role, index)->ledger;
	enum lane_group lanes = ledger_lanes(role);
	enum role producers = lane_group_table[lanes].from;

	if (ledger->current > 1)
		return false;
	for (uint32_t a = 0; a < segment->counts[producers]; a++) {
		struct lane lane = segment_lane(segment, lanes, a, index);

		if (ledger_page(ledger)->release[a] - lane_released(&lane) > lane_depth(&lane))
			return false;
	}
	return true;
}

bool
settle_finished(const struct segment *segment)
{
	for (int r = 0; r < LEDGER_ROLES; r++)
		for (uint32_t i = 0; i < segment->counts[ledger_roles[r]]; i++)
			if (ledger_needed_by_successor(&segment_writer(segment, ledger_roles[r], i)->ledger))
				return false;
	for (uint32_t n = 0; n < segment_lane_count(segment); n++) {
		struct lane lane = segment_lane_at(segment, n);

		if (segment_lane_group(segment->header, n) == LANES_OUTCOMES && lane_depth(&lane) > 0)
			return false;
	}
	return segment_waiting(segment, BOOKS_EVENTS) == 0 && segment_waiting(segment, BOOKS_MESSAGES) == 0;
}
