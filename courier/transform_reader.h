/* Reads transforms for the loop. For the store thread. */
#ifndef COURIER_TRANSFORM_READER_H
#define COURIER_TRANSFORM_READER_H

#include <stdint.h>

#include "base/error.h"
#include "courier/messages.h"
#include "store/db.h"

/* Sends MESSAGE_TRANSFORM. Logs a transform that does not exist or cannot be read. As db_query(). */
int transform_read(struct message_queue *queue, struct db *db, const char *tenant_id, const uint8_t transform_id[16],
    struct error *err);

#endif
