/* A hook event as text, of a dead letter, a line of JSONL or a row, made the record that it was. */
#ifndef CLI_EVENT_TEXT_H
#define CLI_EVENT_TEXT_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/span.h"
#include "base/uuid.h"
#include "event/record.h"
#include "store/event_reader.h"

/* In the place of a time: an event whose text does not tell it is none. */
#define EVENT_TEXT_TELLS INT64_MIN

/*
 * Reads a JSON object with the keys of requests, and tenant_id and received_at beside them, through the decoder like a
 * request's body. received_us: when it was received, if the text does not say. Returns a sealed record, to be released
 * with free(), or NULL: the text is no event.
 */
struct record *event_text_read(struct uuid_source *ids, struct span text, int64_t received_us);

/*
 * The same of a line of JSONL, as the store writes it; its event_id stays what it is, and without one it is no event.
 * The line's text is changed.
 */
struct record *event_text_of_line(struct uuid_source *ids, char *line, size_t len, int64_t received_us);

/* The same of a row. text: scratch memory. */
struct record *event_text_of_row(struct uuid_source *ids, const struct event_row *row, struct bytes *text);

#endif
