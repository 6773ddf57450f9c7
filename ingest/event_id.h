/*
 * Ids of events. Reads a client's event_id: a UUID, a text from which a UUID is made, or a placeholder. Derives the id
 * and time of events without them from the request's Idempotency-Key.
 */
#ifndef INGEST_EVENT_ID_H
#define INGEST_EVENT_ID_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "base/uuid.h"

enum event_id_kind {
	EVENT_ID_NONE, /* the event needs a new id; id is undefined */
	EVENT_ID_UUID, /* the text is a UUID, now in id */
	EVENT_ID_TEXT /* the text is another id; id is the version 5 UUID made from it */
};

/*
 * Reads an event_id (UTF-8). Placeholders give EVENT_ID_NONE: an empty text, white space, the nil and max UUIDs of RFC
 * 9562 in every form of uuid_parse(), 16 or more zeros, and common words for a missing value ("undefined", "null",
 * "None", ...). Otherwise all events of a day with the same placeholder would be stored as one.
 */
enum event_id_kind event_id_read(const char *text, size_t len, uint8_t id[16]);

/*
 * The id of an event from its index and its request's Idempotency-Key: the version 5 UUID, in uuid_request_events, of
 * key, slash and decimal index. The last slash ends the key, so different pairs make different texts.
 */
void event_id_of_key(struct span key, uint32_t index, uint8_t id[16]);

/*
 * Makes an id derived from a text or key specific to the tenant: the version 5 UUID of the tenant's name, with the old
 * id as namespace. So tenants may use the same texts. Not called for the default tenant, whose ids stay as in 0.1.0.
 */
void event_id_of_tenant(struct span tenant, uint8_t id[16]);

/*
 * Makes the id of a published event: a version 7 UUID whose last 16 bits are zero, so that its jobs' ids, which count
 * up from it, belong to no other event. Ids of one source ascend, together with those of uuid_v7(). Returns the time in
 * the id, in microseconds, whole milliseconds.
 */
int64_t event_id_published(struct uuid_source *source, int64_t now_us, uint8_t id[16]);

/* The time in a version 7 id, in microseconds, whole milliseconds. */
int64_t event_id_time(const uint8_t id[16]);

/*
 * The time of events without a timestamp in a request with that key: the time in the key if it is a version 7 UUID of
 * the last 31 days or, since clocks differ, of the next day; else now. So a request that is repeated on another day
 * makes the same events on the same day.
 */
int64_t event_time_of_key(struct span key, int64_t now_us);

#endif
