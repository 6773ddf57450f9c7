/*
 * A dead letter as text: an event that the store refused for good, and why. The members have the names of the table's
 * columns and of the keys in the file's lines (store/dead_letter_text.h).
 */
#ifndef STORE_DEAD_LETTER_H
#define STORE_DEAD_LETTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/format.h"

/* Borrowed text. */
struct dead_letter {
	const char *id; /* a number; NULL: the letter is in the file, not in the table */
	const char *refused_at;
	const char *sqlstate;
	const char *message;
	const char *event_id;
	const char *created_date;
	const char *event_type, *session_id; /* of a hook event; NULL: it is a published event */
	const char *topic, *tenant_id; /* of that */
	const char *payload; /* NULL when it was not read */
};

/* Which letters: all, the one with that number, or those of that event. */
struct dead_letter_selection {
	int64_t id; /* 0: any */
	char event_id[FORMAT_UUID_BYTES + 1]; /* "": any */
	bool without_payload; /* the reader does not need the payload, which may have megabytes */
};

enum dead_letter_outcome {
	DEAD_LETTER_STORED,
	DEAD_LETTER_DUPLICATE, /* the store has the event already */
	DEAD_LETTER_REFUSED, /* the event was refused again, for a reason */
	DEAD_LETTER_GONE /* the letter is gone from the table, or another retry has locked it */
};

/* Called for each letter. <0, with *err, ends the walk. */
typedef int dead_letter_fn(void *arg, const struct dead_letter *letter, struct error *err);

/* Why the store has refused an event. */
struct dead_letter_reason {
	char sqlstate[6];
	struct error message;
};

#endif
