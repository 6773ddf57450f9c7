/*
 * One statement a second for all endpoints; none if the node is alone, and very few if it sends to no endpoint with
 * fifo.
 */
#include "courier/place_watch.h"

#include "base/clock.h"
#include "base/uuid.h"
#include "courier/row_scan.h"
#include "shm/node.h"
#include "store/webhooks/fifo_heads.h"
#include "store/webhooks/job_outcomes.h"

#define GAP_US (1000 * INT64_C(1000))
#define REST_US (60 * INT64_C(1000000))

int64_t
place_watch_due_us(const struct place_watch *watch, int64_t node_id, bool knows_fifo)
{
	bool alone = node_attempts_until_us(&watch->segment->header->node) == INT64_MAX;

	if (node_id == 0 || alone)
		return INT64_MAX;
	return watch->looked_us + (watch->sends || knows_fifo ? GAP_US : REST_US);
}

void
place_watch_look_anew(struct place_watch *watch)
{
	watch->sends = true;
}

static void
send_place(const struct place_watch *watch, const struct db_rows *rows, uint32_t row)
{
	struct span id = db_rows_text(rows, row, FIFO_WAITING_ENDPOINT);
	uint8_t endpoint_id[16];
	struct message *message;

	if (id.base == NULL || !uuid_parse(id.base, id.len, endpoint_id) ||
	    !row_scan_is_mine(watch->segment, watch->courier, endpoint_id))
		return;
	message = message_new(MESSAGE_HAS_PLACE, db_rows_text(rows, row, FIFO_WAITING_TENANT).base, endpoint_id);
	message->seq = db_rows_int(rows, row, FIFO_WAITING_SEQ);
	message_queue_put(watch->messages, message);
}

int
place_watch_look(struct place_watch *watch, struct db *db, int64_t node_id, struct error *err)
{
	struct db_rows *rows = NULL;
	bool sends = true;
	int rc = db_begin_to_read(db, err);

	if (rc == 0)
		rc = jobs_by_indexes(db, err);
	if (rc == 0)
		rc = fifo_heads_waiting(db, node_id, &rows, err);
	if (rc == 0 && db_rows_count(rows) == 0)
		rc = fifo_heads_any(db, node_id, &sends, err);
	db_rollback(db);
	for (uint32_t row = 0; rc == 0 && row < db_rows_count(rows); row++)
		send_place(watch, rows, row);
	db_rows_free(rows);
	if (rc == 0) {
		watch->looked_us = clock_steady_us();
		watch->sends = sends;
	}
	return rc;
}
