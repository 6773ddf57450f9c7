/*
 * Chooses and routes the events of a batch that the next transaction stores. The cost of a transaction is bounded, so
 * that new arrivals wait for one transaction at most. Tenants take turns with growing shares, so that events of a
 * tenant with few jobs do not wait for another's many jobs. The events of one tenant stay in order. The event that
 * waits longest is passed over a few times at most. A group with jobs of endpoints with fifo has only one tenant: it
 * may have to wait for a lock, and other tenants must not wait with it.
 *
 * If the events of a request make more than PUBLISH_JOBS_MAX jobs, its later events get the outcome PUBLISH_TOO_MANY.
 * Events with a known idempotency key do not count, so a request that is sent again gets further each time.
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
 * The most that a transaction may cost, except for its last event: one for each event, and routes_cost(). It takes
 * about 50 to 150 ms.
 */
#define PUBLISH_GROUP_COST 4096u

struct publish_queue;
struct publish_request;

struct publish_gather {
	struct router *router;
	struct bytes text; /* room for an event as JSON */
	struct route_jobs jobs; /* of the present group */
	uint32_t most_cost; /* most cost of a group; less than PUBLISH_GROUP_COST after a slow one */
	uint32_t times_skipped; /* how often in a row the event that waits longest was */

	/* Of the current batch. */
	const struct batch *batch;
	struct publication **order; /* events without an outcome at the start, by tenant, then by arrival */
	struct publish_queue *queues; /* one for each tenant: its part of order[] */
	struct publish_request *requests;
	uint32_t capacity, queue_count, left; /* left: events not yet in a group */
};

/* config is borrowed until publish_gather_free(), which releases everything but the struct. */
void publish_gather_init(struct publish_gather *g, const struct config *config);
void publish_gather_free(struct publish_gather *g);

/* Begins a batch; both are borrowed until the next one. all: one for each record, with an outcome or zero. */
void publish_gather_begin(struct publish_gather *g, const struct batch *batch, struct publication *all);

/*
 * Routes the events of the next group by router_find(), and writes them to items, sorted by tenant; items has room for
 * the batch. Returns their number, or <0. Events that are not to be stored get their outcome. g->left is 0 once all
 * events have been in a group.
 */
int64_t publish_gather_next(struct publish_gather *g, struct db *db, struct publication **items, struct error *err);

/* Takes the outcomes of the group's events: jobs of stored ones count for their requests. */
void publish_gather_done(struct publish_gather *g, struct publication *const *items, uint32_t count);

/* Keeps the events of that item's tenant out of later groups of the batch, because they wait. */
void publish_gather_pass_over(struct publish_gather *g, const struct publication *item);

/*
 * slow(): a transaction with `count` events of the group took too long, so later groups are smaller. fast(): lets them
 * grow again.
 */
void publish_gather_slow(struct publish_gather *g, uint32_t count);
void publish_gather_fast(struct publish_gather *g);

typedef int find_routes(
    struct router *router, struct db *db, struct span tenant_id, const struct tenant_routes **found, struct error *err);

/* Routes events, sorted by tenant, again, by one of the functions of router.h. Returns as db_query(). */
int publish_route(struct publish_gather *g, struct db *db, struct publication *const *items, uint32_t count,
    find_routes *find, struct error *err);

/* Forgets the jobs of a group before routing it again. */
void publish_route_none(struct publish_gather *g);

bool publication_same_tenant(const struct publication *one, const struct publication *other);

#endif
