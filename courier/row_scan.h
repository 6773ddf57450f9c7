/*
 * A scan for the endpoints that have rows of jobs, in the order of tenants and endpoints, a slice at a time. For the
 * store thread.
 */
#ifndef COURIER_ROW_SCAN_H
#define COURIER_ROW_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "shm/segment.h"
#include "store/db.h"

struct row_scan {
	/* Borrowed. */
	const struct segment *segment;
	uint32_t courier; /* finds this courier's endpoints */
	void (*found)(void *context, const char *tenant_id, const uint8_t endpoint_id[16]);
	void *context;

	bool of_tenant; /* the scan ends with the tenant at which it begins */
	/*
	 * The scan finds all endpoints, whether they have rows or not. A scan over jobs switches to it when a step
	 * takes too long: an old snapshot may keep millions of dead rows.
	 */
	bool of_endpoints;
	/* The place: the last endpoint looked at. The caller sets it, and frees tenant_id. */
	char *tenant_id; /* "" with an id of zeros: before the first one */
	uint8_t endpoint_id[16];
};

/*
 * Scans the next slice: calls found() for each endpoint of this courier. *more: the scan has not ended. The caller has
 * no transaction open. As db_query(); after a failure the place is unchanged.
 */
int row_scan_step(struct row_scan *scan, struct db *db, bool *more, struct error *err);

/* Whether that courier serves the endpoint. */
bool row_scan_is_mine(const struct segment *segment, uint32_t courier, const uint8_t endpoint_id[16]);

#endif
