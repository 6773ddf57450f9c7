/* Where `hooksctl import` and `export` write hook events: a database, a new file of JSONL, the standard output. */
#ifndef CLI_EVENT_TARGET_H
#define CLI_EVENT_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/error.h"
#include "config/config.h"
#include "event/record.h"
#include "store/sink.h"

#define TARGET_BATCH 1000

struct event_target {
	const struct config *config; /* its storage, which is a database or a file */
	bool dry_run; /* nothing is written */
	uint64_t stored; /* or written into the file */
	uint64_t duplicates, dead_lettered;
	/* Private: */
	struct sink *sink; /* of a database */
	FILE *file; /* else */
	char *part; /* its name until it is whole; NULL: the standard output */
	struct bytes line;
	struct record *records[TARGET_BATCH];
	uint32_t count;
	size_t bytes; /* of the records */
};

/*
 * Opens a target whose config and dry_run are set: connects, or begins a file, which must not be there yet. 0 or <0.
 * event_target_close() is due in any case.
 */
int event_target_open(struct event_target *target, struct error *err);

/* Takes the record, in any case. 0 or <0. */
int event_target_add(struct event_target *target, struct record *record, struct error *err);

/* Everything that was added is there, durably, and the file has its name. 0 or <0. */
int event_target_finish(struct event_target *target, struct error *err);

/* Without event_target_finish() nothing is left of a file; a database keeps what it has stored. */
void event_target_close(struct event_target *target);

#endif
