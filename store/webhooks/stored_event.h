/* Makes the record of a published event, for couriers, from a row of job_rows_events(). */
#ifndef STORE_WEBHOOKS_STORED_EVENT_H
#define STORE_WEBHOOKS_STORED_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/span.h"
#include "store/db_rows.h"

/*
 * Appends a sealed record of the row's event to out, which has only such records, each at a multiple of 8 bytes. false:
 * the row was edited and cannot be delivered: the payload is no JSON, or the topic is too long; out is unchanged.
 * Leaves out other members that cannot be used. Any thread.
 */
bool stored_event_add(
    struct bytes *out, struct span tenant_id, const uint8_t event_id[16], const struct db_rows *rows, uint32_t row);

#endif
