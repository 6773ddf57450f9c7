/*
 * What a client's event_id is: a UUID, a text from which one is made, or a placeholder for none. And the id and the time
 * that an event without them gets from the Idempotency-Key of its request.
 */
#ifndef INGEST_EVENT_ID_H
#define INGEST_EVENT_ID_H

#include <stddef.h>
#include <stdint.h>

#include "event/record.h"

enum event_id_kind {
	EVENT_ID_NONE, /* the event needs a new one; id is garbage */
	EVENT_ID_UUID, /* the text is a UUID, now in id */
	EVENT_ID_TEXT /* the text is the client's own; id is the version 5 UUID made from it */
};

/*
 * Reads an event_id (UTF-8, up to UUID_V5_TEXT_MAX bytes). None are: nothing, white space, the nil and the max UUID of
 * RFC 9562 in every form that uuid_parse() takes, 16 or more zeros, and what languages print for a value that is not there
 * ("undefined", "null", "None", ...): all events of a day with the same one of these would be stored as one.
 */
enum event_id_kind event_id_read(const char *text, size_t len, uint8_t id[16]);

/*
 * The id of the event of that index in a request with that Idempotency-Key: the version 5 UUID, in uuid_request_events, of
 * the key, a slash and the index as a decimal number. The last slash ends the key, so no two pairs make the same text.
 */
void event_id_of_key(struct span key, uint32_t index, uint8_t id[16]);

/*
 * When events without a timestamp happened whose request has that key: the time in the key if it is a version 7 UUID of the
 * last 31 days (or, for clocks that differ, of the next one), else now. A request that is repeated on another day then
 * makes the same events, day and all.
 */
int64_t event_time_of_key(struct span key, int64_t now_us);

#endif
