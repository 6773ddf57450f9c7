/* Reads transforms for the loop. For the store thread. */
#ifndef COURIER_TRANSFORM_READER_H
#define COURIER_TRANSFORM_READER_H

#include <stdint.h>

#include "base/error.h"
#include "courier/news.h"
#include "store/db.h"

/* Sends NEWS_TRANSFORM. Logs a transform that does not exist or cannot be read. As db_query(). */
int transform_read(
    struct news_queue *queue, struct db *db, const char *tenant_id, const uint8_t transform_id[16], struct error *err);

#endif
