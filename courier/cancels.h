/* Sends MESSAGE_CANCELLED to the loop for each job that was cancelled. For the store thread. */
#ifndef COURIER_CANCELS_H
#define COURIER_CANCELS_H

#include <stdint.h>

#include "base/error.h"
#include "courier/messages.h"
#include "store/db.h"

/* The tenant's jobs cancelled after that version of changes. As db_query(). */
int cancels_send_since(
    struct message_queue *messages, struct db *db, const char *tenant_id, int64_t version, struct error *err);

/*
 * All tenants' jobs cancelled within the last ms milliseconds. A new courier calls it before its first attempt: parcels
 * for its predecessor may still bring these jobs. As db_query().
 */
int cancels_send_recent(struct message_queue *messages, struct db *db, int64_t ms, struct error *err);

#endif
