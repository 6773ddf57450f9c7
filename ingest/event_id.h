/* What a client's event_id is worth: the id itself, a text to make one from, or a placeholder for none. */
#ifndef INGEST_EVENT_ID_H
#define INGEST_EVENT_ID_H

#include <stddef.h>
#include <stdint.h>

enum event_id_kind {
	EVENT_ID_NONE, /* id is untouched: the event needs a new one */
	EVENT_ID_UUID, /* the text is a UUID, now in id */
	EVENT_ID_TEXT /* the text is the client's own; id is the version 5 UUID made from it */
};

/*
 * Reads an event_id (UTF-8, up to UUID_V5_TEXT_MAX bytes). None are: nothing, white space, the nil and the max UUID of
 * RFC 9562 in every form that uuid_parse() takes, and what languages print for a value that is not there ("undefined",
 * "null", "None", ...): all events of a day with the same one of these would be stored as one.
 */
enum event_id_kind event_id_read(const char *text, size_t len, uint8_t id[16]);

#endif
