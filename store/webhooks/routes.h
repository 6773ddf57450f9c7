/*
 * The routes of one tenant's events: its subscriptions, compiled once for many events. An event makes one job for each
 * pair of endpoint and transform in a matching subscription.
 *
 * Pure. Routes are for one thread.
 */
#ifndef STORE_WEBHOOKS_ROUTES_H
#define STORE_WEBHOOKS_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/span.h"
#include "event/record.h"

/* A subscription that makes jobs: it is enabled and its endpoint exists. */
struct route {
	uint8_t endpoint_id[16];
	uint8_t transform_id[16]; /* all zero: none */
	uint8_t subscription_id[16];
	bool held; /* the endpoint is disabled or paused, or its tenant is paused: jobs wait */
	bool fifo; /* the endpoint keeps an order: its jobs have places */
	int64_t lifetime_ms; /* a job of the endpoint is given up after this */
	struct span pattern;
	struct span filter; /* base NULL: none */
};

struct routes;

/*
 * Compiles routes. Sorts rows[0..count), at most 2^24, and borrows nothing. A row with an unreadable pattern or filter
 * matches nothing: *unreadable counts those. Never NULL. The caller frees it.
 */
struct routes *routes_new(struct route *rows, uint32_t count, uint32_t *unreadable);
void routes_free(struct routes *routes);

/* The memory of the routes. */
size_t routes_bytes(const struct routes *routes);

/* The ids of an event's jobs count from 1 in their last 16 bits. */
#define ROUTE_JOBS_MAX UINT16_MAX

/* A job that an event makes. Its subscriptions are ids[first..first + count) of struct route_jobs. */
struct route_job {
	uint8_t endpoint_id[16];
	uint8_t transform_id[16];
	int64_t lifetime_ms;
	bool held, fifo;
	int64_t fifo_seq, node_id; /* of fifo, once stored: its place and sender (fifo_places.h) */
	uint32_t first, count;
};

/* Jobs of any number of events. All zero: none. */
struct route_jobs {
	struct route_job *jobs;
	uint8_t (*ids)[16];
	uint32_t count, capacity;
	uint32_t id_count, id_capacity;
	uint32_t filtered; /* filters applied for them */
};

/* The cost of storing the jobs: one for each subscription of a job, and a little for each filter. */
static inline uint32_t
routes_cost(const struct route_jobs *jobs)
{
	return jobs->id_count + jobs->filtered / 64;
}

/* Removes the jobs appended since `before`, but keeps the cost of their filters. */
static inline void
route_jobs_cut(struct route_jobs *jobs, const struct route_jobs *before)
{
	jobs->count = before->count;
	jobs->id_count = before->id_count;
}

void route_jobs_free(struct route_jobs *jobs);

/*
 * Appends the jobs of a published event, ordered by endpoint and transform, at most ROUTE_JOBS_MAX; drops the others.
 * Returns their number. Filters see the event as the API shows it (event/published_json.h); text is scratch space for
 * that.
 */
uint32_t routes_match(struct routes *routes, const struct record *event, struct bytes *text, struct route_jobs *jobs);

#endif
