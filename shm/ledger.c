/* The store to current is the commit. Everything before it is a draft; everything after it can be repeated. */
#include "shm/ledger.h"

#include <ck_pr.h>

const struct ledger_page *
ledger_page(const struct ledger *ledger)
{
	/* Masked, so that reading a damaged file stays inside the array. */
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
ledger_replays_recorded(struct ledger *ledger)
{
	ck_pr_store_64(&ledger->replays_recorded, ledger_page(ledger)->replays);
}

bool
ledger_needed_by_successor(const struct ledger *ledger)
{
	for (int file = 0; file < APPEND_FILES; file++)
		if (ledger_append_open(ledger, file))
			return true;
	return ledger->replays_recorded != ledger_page(ledger)->replays;
}

void
ledger_append_begin(
    struct ledger *ledger, enum append_file file, const struct stat *st, uint64_t offset, uint64_t bytes)
{
	struct unfinished_append *append = &ledger->appends[file];

	ck_pr_store_32(&append->state, APPEND_NONE);
	ck_pr_fence_store();
	append->serial = ledger_page(ledger)->serial;
	append->device = st->st_dev;
	append->inode = st->st_ino;
	append->offset = offset;
	append->bytes = bytes;
	ck_pr_fence_store();
	ck_pr_store_32(&append->state, APPEND_BEGUN);
}

void
ledger_append_failed(struct ledger *ledger, enum append_file file, bool cut_off)
{
	ck_pr_store_32(&ledger->appends[file].state, cut_off ? APPEND_NONE : APPEND_BROKEN);
}

bool
ledger_append_open(const struct ledger *ledger, enum append_file file)
{
	const struct unfinished_append *append = &ledger->appends[file];

	switch (ck_pr_load_32(&append->state)) {
	case APPEND_BEGUN:
		return append->serial == ledger_page(ledger)->serial;
	case APPEND_BROKEN:
		return true;
	default:
		return false;
	}
}
