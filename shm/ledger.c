/* Turning the page is the one store; everything before it is a draft, everything after it can be repeated. */
#include "shm/ledger.h"

#include "shm/segment.h"

const struct ledger_page *
ledger_page(const struct ledger *ledger)
{
	/* Masked, because a look at a damaged file must not lead out of it. */
	const struct ledger_page *page = &ledger->pages[ck_pr_load_32(&ledger->current) & 1];

	ck_pr_fence_acquire();
	return page;
}

struct ledger_page *
ledger_draft(struct ledger *ledger)
{
	struct ledger_page *draft = &ledger->pages[1 - ledger->current];

	*draft = *ledger_page(ledger);
	draft->serial++;
	return draft;
}

void
ledger_commit(struct ledger *ledger)
{
	ck_pr_fence_release();
	ck_pr_store_32(&ledger->current, 1 - ledger->current);
}

void
ledger_settle(const struct segment *segment, uint32_t writer)
{
	const struct ledger_page *page = ledger_page(&segment_writer(segment, writer)->ledger);

	for (uint32_t a = 0; a < segment->acceptors; a++) {
		struct lane lane = segment_lane(segment, a, writer);
		struct wake acceptor = segment_wake_acceptor(segment, a);

		if (page->release[a] == lane_released(&lane))
			continue;
		if (page->fate == FATE_REFUSED) {
			lane_release(&lane, lane_refuse(&lane, page->release[a]));
		} else {
			lane_mark(&lane, page->release[a], LANE_SPOOLED, page->fate == FATE_SPOOLED);
			lane_release(&lane, page->release[a]);
		}
		wake_up(&acceptor);
	}
}

void
ledger_take_over(const struct segment *segment, uint32_t writer)
{
	struct ledger *ledger = &segment_writer(segment, writer)->ledger;

	for (int file = 0; file < APPEND_FILES; file++)
		if (append_open(ledger, file))
			append_failed(ledger, file, false);
	ledger_settle(segment, writer);
}

void
ledger_noted(struct ledger *ledger)
{
	ck_pr_store_64(&ledger->replays_noted, ledger_page(ledger)->replays);
}

bool
ledger_needed(const struct ledger *ledger)
{
	for (int file = 0; file < APPEND_FILES; file++)
		if (append_open(ledger, file))
			return true;
	return ledger->replays_noted != ledger_page(ledger)->replays;
}

bool
ledger_valid(const struct segment *segment, uint32_t writer)
{
	const struct ledger *ledger = &segment_writer(segment, writer)->ledger;

	if (ledger->current > 1)
		return false;
	for (uint32_t a = 0; a < segment->acceptors; a++) {
		struct lane lane = segment_lane(segment, a, writer);

		if (ledger_page(ledger)->release[a] - lane_released(&lane) > lane_depth(&lane))
			return false;
	}
	return true;
}

void
append_begin(
    struct ledger *ledger, enum append_file file, uint64_t device, uint64_t inode, uint64_t offset, uint64_t bytes)
{
	struct append *append = &ledger->appends[file];

	ck_pr_store_32(&append->state, APPEND_NONE);
	ck_pr_fence_store();
	append->serial = ledger_page(ledger)->serial;
	append->device = device;
	append->inode = inode;
	append->offset = offset;
	append->bytes = bytes;
	ck_pr_fence_store();
	ck_pr_store_32(&append->state, APPEND_BEGUN);
}

void
append_failed(struct ledger *ledger, enum append_file file, bool cut_off)
{
	ck_pr_store_32(&ledger->appends[file].state, cut_off ? APPEND_NONE : APPEND_BROKEN);
}

bool
append_open(const struct ledger *ledger, enum append_file file)
{
	const struct append *append = &ledger->appends[file];

	switch (ck_pr_load_32(&append->state)) {
	case APPEND_BEGUN:
		return append->serial == ledger_page(ledger)->serial;
	case APPEND_BROKEN:
		return true;
	default:
		return false;
	}
}
