/*
 * The target of hook events for `hooksctl import` and `export`: a database, a new file of JSONL, or the standard
 * output.
 */
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
	const struct config *config; /* its storage is a database or a file */
	bool dry_run; /* write nothing */
	uint64_t stored; /* events stored, or written to the file */
	uint64_t duplicates, dead_lettered;
	/* Private: */
	struct sink *sink; /* for a database */
	FILE *file; /* otherwise */
	char *part; /* its name until it is complete; NULL: the standard output */
	struct bytes line;
	struct record *records[TARGET_BATCH];
	uint32_t count;
	size_t bytes; /* of the records */
};

/*
 * Opens a target whose config and dry_run are set: connects, or begins a file, which must not exist yet. 0 or <0. Call
 * event_target_close() in any case.
 */
int event_target_open(struct event_target *target, struct error *err);

/* Takes ownership of the record, in any case. 0 or <0. */
int event_target_add(struct event_target *target, struct record *record, struct error *err);

/* Makes all added events durable, and gives the file its name. 0 or <0. */
int event_target_finish(struct event_target *target, struct error *err);

/* Without event_target_finish() the file is removed; a database keeps the events that it has stored. */
void event_target_close(struct event_target *target);

#endif
