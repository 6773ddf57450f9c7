/*
 * A walk over the endpoints that have rows of jobs, in the order of tenants and endpoints, a slice at a time. For the
 * store thread.
 */
#ifndef COURIER_ROW_WALK_H
#define COURIER_ROW_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "shm/segment.h"
#include "store/db.h"

struct row_walk {
	/* Borrowed. */
	const struct segment *segment;
	uint32_t courier; /* whose endpoints are found */
	void (*found)(void *context, const char *tenant_id, const uint8_t endpoint_id[16]);
	void *context;

	bool of_tenant; /* the walk ends with the tenant at which it begins */
	/*
	 * The walk finds all endpoints, whether they have rows or not. One over jobs goes on so by itself when a step
	 * takes too long: a snapshot that somebody holds keeps millions of rows that are gone.
	 */
	bool of_endpoints;
	/* The place: the endpoint that was looked at last. The caller sets it, and frees tenant_id. */
	char *tenant_id; /* "" with an id of zeros: before the first one */
	uint8_t endpoint_id[16];
};

/*
 * Goes on with the next slice: calls found() for those that are this courier's. *more: the walk has not ended. In no
 * transaction of the caller. As db_query(); the place is the same then.
 */
int row_walk_step(struct row_walk *walk, struct db *db, bool *more, struct error *err);

/* Whether the endpoint is that courier's. */
bool row_walk_is_mine(const struct segment *segment, uint32_t courier, const uint8_t endpoint_id[16]);

#endif
