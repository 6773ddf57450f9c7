/* Counts rows of all nodes: delivered, cancelled and erased jobs have none. */
#include "control/queue_depth.h"

#include "shm/attempts.h"
#include "shm/full_queues.h"
#include "shm/key_table.h"
#include "store/webhooks/queue_depth.h"

int
queue_depth_limit(struct db *db, const struct config *config, const struct segment *segment, struct error *err)
{
	bool postgres = config->hl_store == HL_STORE_POSTGRES;
	uint64_t tenants[FULL_QUEUES_MOST];
	struct db_rows *rows;
	int rc;

	if (config->hl_max_queue_depth == 0)
		return 0;
	rc = queue_depth_above(db, postgres, config->hl_max_queue_depth, FULL_QUEUES_MOST, &rows, err);
	/* After a failure nobody is refused because of old counts. */
	if (rc != 0) {
		full_queues_set(&segment->keys->full_queues, tenants, 0);
		return rc;
	}
	for (uint32_t row = 0; row < db_rows_count(rows); row++)
		tenants[row] = tenant_hash(db_rows_text(rows, row, 0));
	full_queues_set(&segment->keys->full_queues, tenants, db_rows_count(rows));
	db_rows_free(rows);
	return 0;
}
