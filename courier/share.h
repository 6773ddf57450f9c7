/*
 * This node's share of an endpoint's max_in_flight and rate_limit_rps, when several nodes deliver. All nodes divide a
 * limit alike, by their numbers, so the shares add up to the limit once all know the same nodes. Before that they must
 * not add up to more: a node that joins has no share until all others have seen it. A share grows only after settle_us,
 * in which attempts of the former shares end. Pure: the caller passes the time, by the steady clock.
 */
#ifndef COURIER_SHARE_H
#define COURIER_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#define SHARES_BEFORE 8u /* former views remembered; if there are more, the oldest is forgotten early */

/* A node's view of all nodes. */
struct share_view {
	uint32_t nodes; /* number of nodes with shares; 0: this node has none yet */
	uint32_t rank; /* how many of them have a lower number than this one */
};

/* All zero: no share. */
struct shares {
	struct share_view view; /* the present one */
	struct {
		struct share_view view;
		int64_t until_us; /* until then this view limits the shares too */
	} before[SHARES_BEFORE]; /* the oldest one first */
	uint32_t before_count;
	int64_t settle_us;
	int64_t seen_version; /* all other nodes act by this version of the table changes */
	bool changed; /* since shares_advance() */
};

/* The share of a limit in a view. */
uint32_t share_of(const struct share_view *view, uint32_t limit);

/*
 * Whether max_in_flight is too small to divide, or must not be divided: one node at a time makes all attempts
 * (lease.h).
 */
bool share_needs_lease(const struct share_view *view, uint32_t max_in_flight, bool exact);

/* Takes a new view of the nodes. A node that is alone has everything at once. */
void shares_change(struct shares *shares, const struct share_view *view, int64_t now_us);

/* Notes that all other nodes act by that version of the table changes. */
void shares_seen(struct shares *shares, int64_t version);

/* Takes the new time. Returns whether shares may have changed since the last call. */
bool shares_advance(struct shares *shares, int64_t now_us);

/* When shares_advance() will next return true by time alone; INT64_MAX: never. */
int64_t shares_due_us(const struct shares *shares);

/* The present share of max_in_flight, as of shares_advance(); 0 while another node may act by a former lease. */
uint32_t shares_least(const struct shares *shares, uint32_t max_in_flight);

/* Whether the limits have needed a lease long enough for attempts without one to have ended. */
bool shares_lease_settled(const struct shares *shares, uint32_t max_in_flight, bool exact);

#endif
