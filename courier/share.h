/*
 * This node's share of the limits of an endpoint, max_in_flight and rate_limit_rps, where several nodes deliver. All
 * nodes divide a limit alike, by their numbers, so the shares make the limit as soon as all go by the same nodes. Until
 * then there must not be more: a node that joins makes no other node's share greater, and has none itself before all
 * others have seen it; a node that has gone makes no other node's share smaller. A share that grows does so only after
 * settle_us, in which attempts end that were begun by what was before. Pure: the instant comes from the caller, by the
 * steady clock.
 */
#ifndef COURIER_SHARE_H
#define COURIER_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#define SHARES_BEFORE 8u /* views that are remembered; of more the oldest ones are forgotten early */

/* What a node knows of all nodes. */
struct share_view {
	uint32_t nodes; /* that have shares; 0: this node has none yet */
	uint32_t rank; /* of this one: so many of them have a lower number */
};

/* All zero: no share. */
struct shares {
	struct share_view view; /* the present one */
	struct {
		struct share_view view;
		int64_t until_us; /* until then no share is greater than by this view */
	} before[SHARES_BEFORE]; /* the oldest one first */
	uint32_t before_count;
	int64_t settle_us;
	int64_t seen_version; /* of the table changes, by which all other nodes act */
	bool changed; /* since shares_advance() */
};

/* The share of a limit, by that view. */
uint32_t share_of(const struct share_view *view, uint32_t limit);

/* Whether so few attempts at a time cannot be divided, or must not be: one node at a time makes them all (lease.h). */
bool share_needs_lease(const struct share_view *view, uint32_t max_in_flight, bool exact);

/* The nodes are others from now on. A node that is alone has everything at once. */
void shares_change(struct shares *shares, const struct share_view *view, int64_t now_us);

/* All other nodes act by that version of the table changes. */
void shares_seen(struct shares *shares, int64_t version);

/* The clock has moved. Returns whether shares may be others than at the call before. */
bool shares_advance(struct shares *shares, int64_t now_us);

/* When shares_advance() returns true next, by time alone; INT64_MAX: never. */
int64_t shares_due_us(const struct shares *shares);

/* The share of max_in_flight as it holds now, since shares_advance(); 0 while a lease of before may be acted by. */
uint32_t shares_least(const struct shares *shares, uint32_t max_in_flight);

/* Whether the limits have needed a lease for so long that attempts have ended that were begun without one. */
bool shares_lease_settled(const struct shares *shares, uint32_t max_in_flight, bool exact);

#endif
