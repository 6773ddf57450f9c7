/* Each slice is a read-only transaction: a walk blocks no writer. */
#include "courier/row_walk.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "event/handover.h"
#include "store/db_refusal.h"
#include "store/webhooks/job_outcomes.h"
#include "store/webhooks/job_rows.h"

#define SLICE_ENDPOINTS 200
#define TENANT_ENDPOINTS 50 /* fewer for one tenant: the slice may reach into others */

bool
row_walk_is_mine(const struct segment *segment, uint32_t courier, const uint8_t endpoint_id[16])
{
	return handover_courier(endpoint_id, segment->counts[ROLE_COURIER]) == courier;
}

/* false: the id was edited into something else and cannot be a place to go on from. */
static bool
take(struct row_walk *walk, const char *tenant_id, struct span id)
{
	uint8_t endpoint_id[16];

	if (!uuid_parse(id.base, id.len, endpoint_id))
		return false;
	memcpy(walk->endpoint_id, endpoint_id, sizeof endpoint_id);
	if (strcmp(tenant_id, walk->tenant_id) != 0) {
		free(walk->tenant_id);
		walk->tenant_id = mem_strdup(tenant_id);
	}
	if (row_walk_is_mine(walk->segment, walk->courier, endpoint_id))
		walk->found(walk->context, walk->tenant_id, endpoint_id);
	return true;
}

/* Returns whether the walk goes on. */
static bool
take_slice(struct row_walk *walk, const struct db_rows *rows, uint32_t limit)
{
	bool moved = false;

	for (uint32_t row = 0; row < db_rows_count(rows); row++) {
		const char *tenant_id = db_rows_text(rows, row, 0).base;

		if (walk->of_tenant && strcmp(tenant_id, walk->tenant_id) != 0)
			return false;
		moved = take(walk, tenant_id, db_rows_text(rows, row, 1)) || moved;
	}
	return moved && db_rows_count(rows) == limit;
}

int
row_walk_step(struct row_walk *walk, struct db *db, bool *more, struct error *err)
{
	uint32_t limit = walk->of_tenant ? TENANT_ENDPOINTS : SLICE_ENDPOINTS;
	const struct job_place place = {walk->tenant_id, walk->endpoint_id, limit};
	struct db_rows *rows = NULL;
	int rc = db_begin_to_read(db, err);

	if (rc == 0)
		rc = jobs_by_indexes(db, err);
	if (rc == 0)
		rc = (walk->of_endpoints ? job_rows_walk_endpoints
		      : walk->of_tenant  ? job_rows_walk_tenant
					 : job_rows_walk)(db, &place, &rows, err);
	if (rc < 0 && !walk->of_endpoints && db_timed_out(db)) {
		walk->of_endpoints = *more = true;
		rc = 0;
	} else if (rc == 0) {
		*more = take_slice(walk, rows, limit);
	}
	db_rollback(db);
	db_rows_free(rows);
	return rc;
}
