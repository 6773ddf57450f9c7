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
	uint32_t courier; /* finds this courier's endpoints */
	void (*found)(void *context, const char *tenant_id, const uint8_t endpoint_id[16]);
	void *context;

	bool of_tenant; /* the walk ends with the tenant at which it begins */
	/*
	 * The walk finds all endpoints, whether they have rows or not. A walk over jobs switches to it when a step
	 * takes too long: an old snapshot may keep millions of dead rows.
	 */
	bool of_endpoints;
	/* The place: the last endpoint looked at. The caller sets it, and frees tenant_id. */
	char *tenant_id; /* "" with an id of zeros: before the first one */
	uint8_t endpoint_id[16];
};

/*
 * Walks the next slice: calls found() for each endpoint of this courier. *more: the walk has not ended. The caller has
 * no transaction open. As db_query(); after a failure the place is unchanged.
 */
int row_walk_step(struct row_walk *walk, struct db *db, bool *more, struct error *err);

/* Whether that courier serves the endpoint. */
bool row_walk_is_mine(const struct segment *segment, uint32_t courier, const uint8_t endpoint_id[16]);

#endif
