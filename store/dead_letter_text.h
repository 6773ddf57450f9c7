/*
 * A dead letter: why an event was refused, and the event. The table hook_events_dead_letters, the lines of
 * DATA_DIR/dead-letters.jsonl and what hooksctl exports have the same names.
 */
#ifndef STORE_DEAD_LETTER_TEXT_H
#define STORE_DEAD_LETTER_TEXT_H

#include <stdint.h>

#include "event/record.h"
#include "base/bytes.h"

/* Why and when. Borrowed. */
struct refused {
	int64_t at_us; /* wall clock */
	const char *sqlstate;
	const char *message;
};

/*
 * Appends the event as one line of JSON without newline. A hook event is written as POST /events would accept it:
 * without null fields, data byte for byte; with received_at, which POST ignores. A published event is written as POST
 * /v1/events would accept it, with the members that the service adds (event/published_json.h), which POST ignores.
 */
void dead_letter_payload(struct bytes *out, const struct record *record);

/* 2026-11-22: the day that decides the event's partition. */
#define DEAD_LETTER_DAY_BYTES 10
void dead_letter_day(const struct record *record, char out[DEAD_LETTER_DAY_BYTES]);

/* Appends the whole letter as one line of JSON, newline included; the payload is a string in it. */
void dead_letter_line(struct bytes *out, const struct refused *refused, const struct record *record);

#endif
