/* One record as one line of JSONL. */
#ifndef STORE_JSONL_JSONL_LINE_H
#define STORE_JSONL_JSONL_LINE_H

#include <stddef.h>

#include "event/record.h"

/* The most bytes the record's line can take, newline included. */
size_t jsonl_line_max(const struct record *record);

/*
 * Writes the line, with the keys of the original service: event_id, the text fields, data, timestamp (event/fields.h);
 * client_event_id after event_id when the client's id was no UUID; and tenant_id before data when the event is not the
 * default tenant's. data holds no raw newline: the decoder removed insignificant white space. Returns the end of what
 * was written.
 */
char *jsonl_line(char *out, const struct record *record);

#endif
