/* A published event as the record that a courier holds, from a row of job_rows_events(). */
#ifndef STORE_WEBHOOKS_STORED_EVENT_H
#define STORE_WEBHOOKS_STORED_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/span.h"
#include "store/db_rows.h"

/*
 * Appends a sealed record of the row, whose event has that id, to out, at a multiple of 8 bytes; out has nothing but
 * such records. false: the row cannot be delivered, because somebody has edited it: a payload that is no JSON, a topic
 * that is too long; out is as it was. A member other than these that cannot be used is left out. Any thread.
 */
bool stored_event_add(
    struct bytes *out, struct span tenant_id, const uint8_t event_id[16], const struct db_rows *rows, uint32_t row);

#endif
