/* Reads cancelled jobs from the store. */
#include "courier/cancels.h"

#include "base/uuid.h"
#include "store/webhooks/cancelled_jobs.h"

static void
send_cancelled(struct message_queue *messages, struct db_rows *rows)
{
	uint8_t id[16];

	for (uint32_t row = 0; row < db_rows_count(rows); row++) {
		struct span text = db_rows_text(rows, row, CANCELLED_COLUMN_JOB_ID);

		if (uuid_parse(text.base, text.len, id))
			message_queue_put(messages, message_new(MESSAGE_CANCELLED,
							db_rows_text(rows, row, CANCELLED_COLUMN_TENANT_ID).base, id));
	}
	db_rows_free(rows);
}

int
cancels_send_since(
    struct message_queue *messages, struct db *db, const char *tenant_id, int64_t version, struct error *err)
{
	struct db_rows *rows;
	int rc = cancelled_jobs_since(db, tenant_id, version, &rows, err);

	if (rc == 0)
		send_cancelled(messages, rows);
	return rc;
}

int
cancels_send_recent(struct message_queue *messages, struct db *db, int64_t ms, struct error *err)
{
	struct db_rows *rows;
	int rc = cancelled_jobs_recent(db, ms, &rows, err);

	if (rc == 0)
		send_cancelled(messages, rows);
	return rc;
}
