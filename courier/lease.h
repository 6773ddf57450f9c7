/*
 * If the limits of an endpoint are not divided among nodes (courier/share.h), one node at a time sends to it, with the
 * whole limits: the node that has the endpoint's lease in the store (store/webhooks/lease_rows.h). A courier asks for
 * the lease when a job is due, begins attempts for LEASE_BEGIN_US, and gives it back when they have ended, or after it
 * was idle for a while. It then pauses, so that another node can get it. A lease that a node cannot give back ends by
 * itself, after the last attempt begun under it. courier/leases.h acts; this file is pure.
 */
#ifndef COURIER_LEASE_H
#define COURIER_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#define LEASE_BEGIN_US (5 * INT64_C(1000000))
#define LEASE_IDLE_US (1 * INT64_C(1000000)) /* an idle lease is kept this long for another job */
#define LEASE_AGAIN_US (500 * INT64_C(1000)) /* asked for again after this, if another node has it */
#define LEASE_PAUSE_US (1500 * INT64_C(1000)) /* the same after this node has used it for its whole time */

enum lease_state { LEASE_NONE, LEASE_ASKED, LEASE_HELD };

/* All zero: none. */
struct lease {
	enum lease_state state;
	int64_t from_us; /* of NONE: do not ask for it before; of HELD: when it began */
	int64_t idle_us; /* of HELD: give it back then if there is no job */
	uint32_t timeout_ms; /* of ASKED and HELD: the longest attempt that it covers */
};

/* The facts that matter besides the lease itself. */
struct lease_facts {
	bool needed, settled; /* share_needs_lease(), shares_lease_settled() */
	bool busy; /* attempts of the endpoint are under way */
	uint32_t timeout_ms; /* of the endpoint */
	int64_t job_us; /* when the endpoint would get a job without its limits; INT64_MAX: not by time alone */
	int64_t now_us;
};

/* Whether an attempt of up to timeout_ms may begin. */
bool lease_allows(const struct lease *lease, uint32_t timeout_ms, int64_t now_us);

/* When to ask for it or give it back; INT64_MAX: not before something changes. */
int64_t lease_due_us(const struct lease *lease, const struct lease_facts *facts);

#endif
