/* A limit is divided evenly; the remainder goes to the nodes with the lowest numbers, one each. */
#include "courier/share.h"

#include <string.h>

uint32_t
share_of(const struct share_view *view, uint32_t limit)
{
	if (view->nodes == 0)
		return 0;
	return limit / view->nodes + (view->rank < limit % view->nodes);
}

bool
share_needs_lease(const struct share_view *view, uint32_t max_in_flight, bool exact)
{
	return view->nodes > 1 && (exact || max_in_flight < view->nodes);
}

static void
forget_oldest(struct shares *shares)
{
	shares->before_count--;
	memmove(&shares->before[0], &shares->before[1], shares->before_count * sizeof shares->before[0]);
}

void
shares_change(struct shares *shares, const struct share_view *view, int64_t now_us)
{
	if (shares->before_count == SHARES_BEFORE)
		forget_oldest(shares);
	shares->before[shares->before_count].view = shares->view;
	shares->before[shares->before_count].until_us = now_us + shares->settle_us;
	shares->before_count++;
	if (view->nodes == 1)
		shares->before_count = 0;
	shares->view = *view;
	shares->changed = true;
}

void
shares_seen(struct shares *shares, int64_t version)
{
	shares->seen_version = version;
	shares->changed = true;
}

bool
shares_advance(struct shares *shares, int64_t now_us)
{
	bool changed = shares->changed;

	shares->changed = false;
	while (shares->before_count > 0 && shares->before[0].until_us <= now_us) {
		forget_oldest(shares);
		changed = true;
	}
	return changed;
}

int64_t
shares_due_us(const struct shares *shares)
{
	return shares->before_count > 0 ? shares->before[0].until_us : INT64_MAX;
}

/* A former view with leases counts as 0: another node may have begun all the attempts allowed. */
uint32_t
shares_least(const struct shares *shares, uint32_t max_in_flight)
{
	uint32_t least = share_of(&shares->view, max_in_flight);

	for (uint32_t i = 0; i < shares->before_count; i++) {
		const struct share_view *before = &shares->before[i].view;
		uint32_t share = share_needs_lease(before, max_in_flight, false) ? 0 : share_of(before, max_in_flight);

		if (share < least)
			least = share;
	}
	return least;
}

bool
shares_lease_settled(const struct shares *shares, uint32_t max_in_flight, bool exact)
{
	bool settled = share_needs_lease(&shares->view, max_in_flight, exact);

	for (uint32_t i = 0; i < shares->before_count; i++)
		settled = settled && share_needs_lease(&shares->before[i].view, max_in_flight, exact);
	return settled;
}
