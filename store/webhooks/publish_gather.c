/* A queue holds a tenant's events. Each pass over the queues gives a tenant a larger share than the one before. */
#include "store/webhooks/publish_gather.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* A tenant's share in the first pass, by cost, and its growth with each pass. */
#define SHARE_FIRST 64u
#define SHARE_FACTOR 4

/* The event that waits longest is passed over at most this often in a row. */
#define TIMES_SKIPPED_MAX 3

struct publish_queue {
	uint32_t next, end; /* in order[] */
	uint32_t taken; /* cost of its events in the present group */
	uint32_t needs; /* cost of the next event; 0: unknown */
	bool waits; /* until this group is stored */
};

struct publish_request {
	uint32_t jobs; /* jobs of its stored events */
	uint32_t taken; /* of those in the present group */
	bool full; /* its remaining events are refused */
};

void
publish_gather_init(struct publish_gather *g, const struct config *config)
{
	*g = (struct publish_gather){.router = router_new(config), .most_cost = PUBLISH_GROUP_COST};
}

void
publish_gather_free(struct publish_gather *g)
{
	route_jobs_free(&g->jobs);
	bytes_free(&g->text);
	router_free(g->router);
	free(g->order);
	free(g->queues);
	free(g->requests);
}

/* ---- routing ---- */

bool
publication_same_tenant(const struct publication *one, const struct publication *other)
{
	struct span a = publication_tenant(one), b = publication_tenant(other);

	return a.len == b.len && memcmp(a.base, b.base, a.len) == 0;
}

/* Whether the event's tenant is gone. A spooled event may be older than a new tenant with the same id. */
static bool
is_gone(const struct publication *item, const struct tenant_routes *tenant)
{
	return tenant == NULL || publication_created_ms(item->record) < tenant->events_from_ms;
}

static void
route(struct publish_gather *g, struct publication *item, const struct tenant_routes *tenant)
{
	item->outcome =
	    (struct publish_outcome){.result = is_gone(item, tenant) ? PUBLISH_GONE : 0, .waits = item->outcome.waits};
	item->first_job = g->jobs.count;
	item->jobs = 0;
	if (item->outcome.result != 0)
		return;
	item->version = tenant->version;
	item->jobs = routes_match(tenant->routes, item->record, &g->text, &g->jobs);
}

int
publish_route(struct publish_gather *g, struct db *db, struct publication *const *items, uint32_t count,
    find_routes *find, struct error *err) /* six: which, how, and the error */
{
	const struct tenant_routes *tenant = NULL;

	for (uint32_t i = 0; i < count; i++) {
		if (i == 0 || !publication_same_tenant(items[i], items[i - 1])) {
			int rc = find(g->router, db, publication_tenant(items[i]), &tenant, err);
			if (rc != 0)
				return rc;
		}
		route(g, items[i], tenant);
	}
	return 0;
}

void
publish_route_none(struct publish_gather *g)
{
	route_jobs_cut(&g->jobs, &(struct route_jobs){0});
	g->jobs.filtered = 0;
}

/* ---- a batch ---- */

/* By tenant, then in order of arrival. */
static int
by_tenant(const void *a, const void *b)
{
	const struct publication *one = *(struct publication *const *)a, *other = *(struct publication *const *)b;
	struct span t = publication_tenant(one), u = publication_tenant(other);
	int order = memcmp(t.base, u.base, t.len < u.len ? t.len : u.len);

	if (order == 0)
		order = (t.len > u.len) - (t.len < u.len);
	return order != 0 ? order : (one->number > other->number) - (one->number < other->number);
}

static void
grow(struct publish_gather *g, uint32_t count)
{
	if (count <= g->capacity)
		return;
	g->capacity = count;
	g->order = mem_resize(g->order, count, sizeof(struct publication *));
	g->queues = mem_resize(g->queues, count, sizeof *g->queues);
	g->requests = mem_resize(g->requests, count, sizeof *g->requests);
}

static struct publish_request *
request_of(const struct publish_gather *g, const struct publication *item)
{
	if (g->batch->requests == NULL)
		return NULL;
	assert(g->batch->requests[item->number] < g->batch->count);
	return &g->requests[g->batch->requests[item->number]];
}

/* Counts an event's outcome for its request. */
static void
count_outcome(const struct publish_gather *g, const struct publication *item)
{
	struct publish_request *request = request_of(g, item);

	if (request == NULL)
		return;
	if (item->outcome.result == PUBLISH_STORED)
		request->jobs += item->outcome.jobs;
	request->taken = 0;
	request->full = request->full || item->outcome.result == PUBLISH_TOO_MANY;
}

void
publish_gather_begin(struct publish_gather *g, const struct batch *batch, struct publication *all)
{
	g->batch = batch;
	g->left = g->queue_count = 0;
	grow(g, batch->count);
	memset(g->requests, 0, batch->count * sizeof *g->requests);
	for (uint32_t i = 0; i < batch->count; i++) {
		if (all[i].outcome.result == 0)
			g->order[g->left++] = &all[i];
		else
			count_outcome(g, &all[i]);
	}
	qsort(g->order, g->left, sizeof(struct publication *), by_tenant);
	for (uint32_t i = 0; i < g->left; i++) {
		if (i == 0 || !publication_same_tenant(g->order[i], g->order[i - 1]))
			g->queues[g->queue_count++] = (struct publish_queue){.next = i};
		g->queues[g->queue_count - 1].end = i + 1;
	}
}

void
publish_gather_done(struct publish_gather *g, struct publication *const *items, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		count_outcome(g, items[i]);
}

void
publish_gather_pass_over(struct publish_gather *g, const struct publication *item)
{
	for (uint32_t i = 0; i < g->queue_count; i++) {
		struct publish_queue *queue = &g->queues[i];

		if (queue->next < queue->end && publication_same_tenant(g->order[queue->next], item)) {
			g->left -= queue->end - queue->next;
			queue->next = queue->end;
		}
	}
}

void
publish_gather_slow(struct publish_gather *g, uint32_t count)
{
	uint32_t cost = count + routes_cost(&g->jobs);

	cost = cost < g->most_cost ? cost : g->most_cost;
	g->most_cost = cost > 1 ? cost / 2 : 1;
}

void
publish_gather_fast(struct publish_gather *g)
{
	uint32_t more = g->most_cost + g->most_cost / 8 + 1;

	g->most_cost = more < PUBLISH_GROUP_COST ? more : PUBLISH_GROUP_COST;
}

/* ---- a group ---- */

struct group {
	struct publication **items;
	uint32_t count;
	bool mixed; /* has several tenants */
	bool ordered; /* it has jobs of endpoints with fifo */
};

/* Whether a job of the event, among the last of g->jobs, goes to an endpoint with fifo. */
static bool
is_ordered(const struct publish_gather *g, const struct publication *item)
{
	for (uint32_t k = 0; k < item->jobs; k++)
		if (g->jobs.jobs[item->first_job + k].fifo)
			return true;
	return false;
}

/* Adds the event to the group. false: one of the two has jobs with fifo, and their tenants differ. */
static bool
join(struct group *group, struct publication *item, bool ordered)
{
	bool other = group->count > 0 && !publication_same_tenant(group->items[0], item);

	if ((ordered || group->ordered) && (other || group->mixed))
		return false;
	group->items[group->count++] = item;
	group->mixed = group->mixed || other;
	group->ordered = group->ordered || ordered;
	return true;
}

static bool
has_room(const struct publish_gather *g, const struct group *group)
{
	return group->count == 0 || (group->count + routes_cost(&g->jobs) < g->most_cost &&
					router_bytes(g->router) < 2 * (size_t)ROUTER_BYTES);
}

/* Whether the event exceeds its request's limit. *waits: that depends on the outcomes of the present group. */
static bool
is_too_many(struct publish_request *request, const struct publication *item, bool *waits)
{
	*waits = false;
	if (request == NULL || request->full || request->jobs + request->taken == 0 ||
	    request->jobs + request->taken + item->jobs <= PUBLISH_JOBS_MAX)
		return request != NULL && request->full;
	*waits = request->taken > 0;
	request->full = !*waits;
	return true;
}

/*
 * Handles the queue's next event. 1: it is in the group, or has an outcome; 0: it was left, because it costs more than
 * the rest of the share; or <0.
 */
static int
take(struct publish_gather *g, struct db *db, struct publish_queue *queue, uint32_t share, struct group *group,
    struct error *err) /* six: whose, how much, and into what */
{
	struct publication *item = g->order[queue->next];
	struct publish_request *request = request_of(g, item);
	const struct route_jobs before = g->jobs;
	bool full = request != NULL && request->full;

	if (queue->waits || (!full && (uint64_t)queue->taken + queue->needs > share))
		return 0;
	if (!full && publish_route(g, db, &item, 1, router_find, err) != 0)
		return -1;

	uint32_t cost = 1 + routes_cost(&g->jobs) - routes_cost(&before);

	if ((uint64_t)queue->taken + cost > share) {
		route_jobs_cut(&g->jobs, &before);
		queue->needs = cost;
		return 0;
	}
	if (item->outcome.result == 0 && is_too_many(request, item, &queue->waits)) {
		route_jobs_cut(&g->jobs, &before);
		if (queue->waits)
			return 0;
		item->outcome.result = PUBLISH_TOO_MANY;
	}
	if (item->outcome.result == 0 && !join(group, item, is_ordered(g, item))) {
		route_jobs_cut(&g->jobs, &before);
		queue->waits = true;
		return 0;
	}
	queue->next++;
	g->left--;
	queue->needs = 0;
	if (item->outcome.result != 0)
		return 1;
	queue->taken += cost;
	if (request != NULL)
		request->taken += item->jobs;
	return 1;
}

/* The queue whose next event has waited longest. There must be one. */
static struct publish_queue *
oldest(const struct publish_gather *g)
{
	struct publish_queue *first = NULL;

	for (uint32_t i = 0; i < g->queue_count; i++) {
		struct publish_queue *queue = &g->queues[i];

		if (queue->next < queue->end &&
		    (first == NULL || g->order[queue->next]->number < g->order[first->next]->number))
			first = queue;
	}
	return first;
}

/* Gives each tenant its share. 0 or <0. */
static int
pass(struct publish_gather *g, struct db *db, uint32_t share, struct group *group, struct error *err)
{
	for (uint32_t i = 0; i < g->queue_count; i++) {
		struct publish_queue *queue = &g->queues[i];

		while (queue->next < queue->end && has_room(g, group)) {
			int rc = take(g, db, queue, share, group, err);

			if (rc < 0)
				return rc;
			if (rc == 0)
				break;
		}
	}
	return 0;
}

int64_t
publish_gather_next(struct publish_gather *g, struct db *db, struct publication **items, struct error *err)
{
	struct group group = {.items = items};
	struct publish_queue *longest = oldest(g);
	uint32_t first = longest->next;
	uint64_t share = SHARE_FIRST;

	publish_route_none(g);
	for (uint32_t i = 0; i < g->queue_count; i++) {
		g->queues[i].taken = 0;
		g->queues[i].waits = false;
	}
	if (g->times_skipped == TIMES_SKIPPED_MAX && take(g, db, longest, UINT32_MAX, &group, err) < 0)
		return -1;
	for (bool more = true; more; share *= SHARE_FACTOR) {
		if (pass(g, db, share < UINT32_MAX ? (uint32_t)share : UINT32_MAX, &group, err) != 0)
			return -1;
		more = share < UINT32_MAX && g->left > 0 && has_room(g, &group);
	}
	g->times_skipped = longest->next == first ? g->times_skipped + 1 : 0;
	qsort(group.items, group.count, sizeof(struct publication *), by_tenant);
	return group.count;
}
