/* The source of hook events for `hooksctl import` and `export`: a database, a file of JSONL, or the standard input. */
#ifndef CLI_EVENT_SOURCE_H
#define CLI_EVENT_SOURCE_H

#include <stdint.h>

#include "base/error.h"
#include "base/uuid.h"
#include "config/config.h"
#include "event/record.h"

/* A filter of events. */
struct event_choice {
	const char *session_id, *event_type; /* NULL: all */
	int64_t since_us, until_us; /* since_us <= timestamp < until_us */
};

/* Takes ownership of a record, in any case; it is to be released with free(). 0, or <0 with *err: ends the reading. */
typedef int event_take(void *arg, struct record *record, struct error *err);

struct event_source {
	const struct config *config; /* its storage is a database or a file */
	const struct event_choice *choice;
	event_take *take;
	void *arg; /* of take */
	struct uuid_source ids; /* made by uuid_source_init() */
	uint64_t unreadable; /* lines and rows that are no event; each is reported on stderr */
};

/* Reads all events. 0, or <0: take()'s error, or the source's. */
int event_source_read(struct event_source *source, struct error *err);

#endif
