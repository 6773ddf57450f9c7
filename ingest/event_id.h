/*
 * What a client's event_id is: a UUID, a text from which a UUID is made, or a placeholder for none. And the id and the
 * time that an event without them gets from its request's Idempotency-Key.
 */
#ifndef INGEST_EVENT_ID_H
#define INGEST_EVENT_ID_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "base/uuid.h"

enum event_id_kind {
	EVENT_ID_NONE, /* the event needs a new id; id is garbage */
	EVENT_ID_UUID, /* the text is a UUID, now in id */
	EVENT_ID_TEXT /* the text is the client's own; id is the version 5 UUID made from it */
};

/*
 * Reads an event_id (UTF-8). Placeholders give EVENT_ID_NONE: an empty text, white space, the nil and the max UUID of
 * RFC 9562 in every form that uuid_parse() takes, 16 or more zeros, and what languages print for a missing value
 * ("undefined", "null", "None", ...). Otherwise all events of a day with the same placeholder would be stored as one.
 */
enum event_id_kind event_id_read(const char *text, size_t len, uint8_t id[16]);

/*
 * The id of the event of that index in a request with that Idempotency-Key: the version 5 UUID, in uuid_request_events,
 * of the key, a slash and the index as a decimal number. The last slash ends the key, so different pairs make different
 * texts.
 */
void event_id_of_key(struct span key, uint32_t index, uint8_t id[16]);

/*
 * Changes an id that was made from a text or from a key into that of the tenant's own event: the version 5 UUID of the
 * tenant's name in the namespace that the id is. So tenants may use the same texts, and the default tenant's ids are
 * what they always were.
 */
void event_id_of_tenant(struct span tenant, uint8_t id[16]);

/*
 * A new id for a published event: a version 7 UUID whose last 16 bits are zero, so that the ids of its jobs, which
 * count on from it, belong to no other event. Ids of one source ascend, also among those of uuid_v7(). Returns the time
 * in the id, in microseconds of whole milliseconds.
 */
int64_t event_id_published(struct uuid_source *source, int64_t now_us, uint8_t id[16]);

/* The time in a version 7 id, in microseconds of whole milliseconds. */
int64_t event_id_time(const uint8_t id[16]);

/*
 * The time of events that have no timestamp, in a request with that key: the time in the key if it is a version 7 UUID
 * of the last 31 days (or, since clocks differ, of the next day), else now. A request that is repeated on another day
 * then makes the same events on the same day.
 */
int64_t event_time_of_key(struct span key, int64_t now_us);

#endif
