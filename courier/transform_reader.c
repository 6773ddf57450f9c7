/* A transform's row is a text, which is parsed at each reading. */
#include "courier/transform_reader.h"

#include <stdlib.h>

#include "base/format.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/webhooks/subscriptions.h"

int
transform_read(struct message_queue *queue, struct db *db, const char *tenant_id, const uint8_t transform_id[16],
    struct error *err)
{
	char id[FORMAT_UUID_BYTES + 1] = "";
	struct db_rows *rows;
	struct error why = {"there is no such row"};
	struct message *message;
	int rc = transforms_get(db, tenant_id, transform_id, &rows, err);

	if (rc != 0)
		return rc;
	message = message_new(MESSAGE_TRANSFORM, tenant_id, transform_id);
	if (db_rows_count(rows) > 0) {
		message->transform = mem_new(1, sizeof *message->transform);
		if (transform_parse(db_rows_text(rows, 0, 0), message->transform, &why) != 0) {
			free(message->transform);
			message->transform = NULL;
		}
	}
	db_rows_free(rows);
	format_uuid(transform_id, id);
	if (message->transform == NULL)
		log_warning("a transform cannot be read: its jobs are dead letters", LOG_STR("transform_id", id),
		    LOG_STR("error", why.text));
	message_queue_put(queue, message);
	return 0;
}
