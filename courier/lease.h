/*
 * Where the limits of an endpoint are not divided among nodes (courier/share.h), one node at a time sends to it, with
 * the whole limits: the one that has the endpoint's lease in the store (store/webhooks/lease_rows.h). A courier asks
 * for it when a job is due, begins attempts for LEASE_BEGIN_US, and gives it back when these have ended, or when there
 * was nothing to do for a while. Others then have time to get it. The lease that a node cannot give back ends by
 * itself, after the last attempt has ended that was begun under it. courier/leases.h does it; this is pure.
 */
#ifndef COURIER_LEASE_H
#define COURIER_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#define LEASE_BEGIN_US (5 * INT64_C(1000000))
#define LEASE_IDLE_US (1 * INT64_C(1000000)) /* it is kept so long for a job that comes */
#define LEASE_AGAIN_US (500 * INT64_C(1000)) /* it is asked for again when another node has it */
#define LEASE_PAUSE_US (1500 * INT64_C(1000)) /* the same when this node has had it for its whole time */

enum lease_state { LEASE_NONE, LEASE_ASKED, LEASE_HELD };

/* All zero: none. */
struct lease {
	enum lease_state state;
	int64_t from_us; /* of NONE: it is not asked for before; of HELD: it lasts from then on */
	int64_t idle_us; /* of HELD: without a job it is given back then */
	uint32_t timeout_ms; /* of ASKED and HELD: so long may attempts take that are begun under it */
};

/* What matters besides the lease itself. */
struct lease_facts {
	bool needed, settled; /* share_needs_lease(), shares_lease_settled() */
	bool busy; /* attempts are under way */
	uint32_t timeout_ms; /* of the endpoint */
	int64_t job_us; /* when the endpoint is to get a job but for its limits; INT64_MAX: not by time alone */
	int64_t now_us;
};

/* Whether attempts may be begun that take so long. */
bool lease_allows(const struct lease *lease, uint32_t timeout_ms, int64_t now_us);

/* When it is to be asked for or given back; INT64_MAX: not before something changes. */
int64_t lease_due_us(const struct lease *lease, const struct lease_facts *facts);

#endif
