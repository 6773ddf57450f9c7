/* Each slice is a read-only transaction: a scan blocks no writer. */
#include "courier/row_scan.h"

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
row_scan_is_mine(const struct segment *segment, uint32_t courier, const uint8_t endpoint_id[16])
{
	return handover_courier(endpoint_id, segment->counts[ROLE_COURIER]) == courier;
}

/* false: the id was edited into something else and cannot be a place to go on from. */
static bool
take(struct row_scan *scan, const char *tenant_id, struct span id)
{
	uint8_t endpoint_id[16];

	if (!uuid_parse(id.base, id.len, endpoint_id))
		return false;
	memcpy(scan->endpoint_id, endpoint_id, sizeof endpoint_id);
	if (strcmp(tenant_id, scan->tenant_id) != 0) {
		free(scan->tenant_id);
		scan->tenant_id = mem_strdup(tenant_id);
	}
	if (row_scan_is_mine(scan->segment, scan->courier, endpoint_id))
		scan->found(scan->context, scan->tenant_id, endpoint_id);
	return true;
}

/* Returns whether the scan goes on. */
static bool
take_slice(struct row_scan *scan, const struct db_rows *rows, uint32_t limit)
{
	bool moved = false;

	for (uint32_t row = 0; row < db_rows_count(rows); row++) {
		const char *tenant_id = db_rows_text(rows, row, 0).base;

		if (scan->of_tenant && strcmp(tenant_id, scan->tenant_id) != 0)
			return false;
		moved = take(scan, tenant_id, db_rows_text(rows, row, 1)) || moved;
	}
	return moved && db_rows_count(rows) == limit;
}

int
row_scan_step(struct row_scan *scan, struct db *db, bool *more, struct error *err)
{
	uint32_t limit = scan->of_tenant ? TENANT_ENDPOINTS : SLICE_ENDPOINTS;
	const struct job_place place = {scan->tenant_id, scan->endpoint_id, limit};
	struct db_rows *rows = NULL;
	int rc = db_begin_to_read(db, err);

	if (rc == 0)
		rc = jobs_by_indexes(db, err);
	if (rc == 0)
		rc = (scan->of_endpoints ? job_rows_scan_endpoints
		      : scan->of_tenant  ? job_rows_scan_tenant
					 : job_rows_scan)(db, &place, &rows, err);
	if (rc < 0 && !scan->of_endpoints && db_timed_out(db)) {
		scan->of_endpoints = *more = true;
		rc = 0;
	} else if (rc == 0) {
		*more = take_slice(scan, rows, limit);
	}
	db_rollback(db);
	db_rows_free(rows);
	return rc;
}
