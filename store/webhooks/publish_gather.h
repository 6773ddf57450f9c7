/*
 * Which events of a batch the next transaction stores, and their routes. A transaction is bounded by what it costs, so
 * that what arrives meanwhile waits for one of them at most. Tenants take turns by shares that grow: the events of a
 * tenant with few jobs are not behind the many jobs of another. The events of one tenant stay in order. The event that
 * waits longest is passed over a few times at most. A group that has jobs of endpoints with fifo is of one tenant: it
 * may have to wait for a lock, and others do not wait with it.
 *
 * A request whose events make more than PUBLISH_JOBS_MAX jobs is cut off there: its later events get the outcome
 * PUBLISH_TOO_MANY. Events whose idempotency key turns out to be known do not count, so that a request that is sent
 * again gets further each time.
 *
 * For one thread.
 */
#ifndef STORE_WEBHOOKS_PUBLISH_GATHER_H
#define STORE_WEBHOOKS_PUBLISH_GATHER_H

#include "base/bytes.h"
#include "base/error.h"
#include "config/config.h"
#include "store/db.h"
#include "store/sink.h"
#include "store/webhooks/publication.h"
#include "store/webhooks/router.h"

/*
 * What a transaction may cost at most, unless its last event makes it more: one for each event, and routes_cost(). It
 * takes about 50 to 150 ms.
 */
#define PUBLISH_GROUP_COST 4096u

struct publish_queue;
struct publish_request;

struct publish_gather {
	struct router *router;
	struct bytes text; /* room for an event as JSON */
	struct route_jobs jobs; /* of the present group */
	uint32_t most_cost; /* of a group; less than PUBLISH_GROUP_COST after one was slow */
	uint32_t passed_over; /* so many times the event that waits longest, in a row */

	/* Of the current batch. */
	const struct batch *batch;
	struct publication **order; /* by tenant, then as they came; those that had no outcome when the batch began */
	struct publish_queue *queues; /* a tenant's part of order[] each */
	struct publish_request *requests;
	uint32_t capacity, queue_count, left; /* events that no group has had */
};

/* config is borrowed until publish_gather_free(), which releases everything but the struct. */
void publish_gather_init(struct publish_gather *g, const struct config *config);
void publish_gather_free(struct publish_gather *g);

/* Begins a batch; both are borrowed until the next one. all: one for each record, whose outcomes are known or zero. */
void publish_gather_begin(struct publish_gather *g, const struct batch *batch, struct publication *all);

/*
 * Routes the events of the next group, by router_find(), and writes them to items, which has room for the batch, sorted
 * by tenant. Returns how many there are, or <0. Those that are not to be stored get their outcome. g->left is 0 once
 * all events have been in a group.
 */
int64_t publish_gather_next(struct publish_gather *g, struct db *db, struct publication **items, struct error *err);

/* What became of the group's events stands in their outcomes: jobs of stored ones count for their requests. */
void publish_gather_done(struct publish_gather *g, struct publication *const *items, uint32_t count);

/* Events of that one's tenant wait: no later group of the batch has any. */
void publish_gather_pass_over(struct publish_gather *g, const struct publication *item);

/* A transaction of so many events of the group took more than its time: later groups are smaller, and grow again. */
void publish_gather_slow(struct publish_gather *g, uint32_t count);
void publish_gather_fast(struct publish_gather *g);

typedef int find_routes(
    struct router *router, struct db *db, struct span tenant_id, const struct tenant_routes **found, struct error *err);

/* Routes events, which are sorted by tenant, anew, by one of the functions of router.h. Returns as db_query(). */
int publish_route(struct publish_gather *g, struct db *db, struct publication *const *items, uint32_t count,
    find_routes *find, struct error *err);

/* Forgets the jobs of a group: routing begins with none. */
void publish_route_none(struct publish_gather *g);

bool publication_same_tenant(const struct publication *one, const struct publication *other);

#endif
