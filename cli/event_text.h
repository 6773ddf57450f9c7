/* Restores the record of a hook event from text: a dead letter, a line of JSONL or a row. */
#ifndef CLI_EVENT_TEXT_H
#define CLI_EVENT_TEXT_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/span.h"
#include "base/uuid.h"
#include "event/record.h"
#include "store/event_reader.h"

/* As received_us: the text must have received_at, or it is no event. */
#define EVENT_TEXT_TELLS INT64_MIN

/*
 * Reads a JSON object with the keys of requests, and with tenant_id and received_at, through the decoder like a
 * request's body. received_us: the time of reception if the text has none. Returns a sealed record, to be released with
 * free(), or NULL: the text is no event.
 */
struct record *event_text_read(struct uuid_source *ids, struct span text, int64_t received_us);

/*
 * The same for a line of JSONL, as the store writes it. Keeps its event_id; without one it is no event. Changes the
 * line's text.
 */
struct record *event_text_of_line(struct uuid_source *ids, char *line, size_t len, int64_t received_us);

/* The same for a row. text: scratch memory. */
struct record *event_text_of_row(struct uuid_source *ids, const struct event_row *row, struct bytes *text);

#endif
