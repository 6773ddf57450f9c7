/*
 * Where dead letters go that the table does not take: DATA_DIR/dead-letters.jsonl, one letter a line (store/dead_letter_text.h).
 *
 * Writers share the file: each line is appended under a lock (flock), and to the file that has the name then, so that
 * hooksctl may put a shorter one in its place. An event may stand there twice when a writer died, or the store went
 * away, before its batch was done; event_id tells.
 */
#ifndef STORE_DEAD_LETTER_H
#define STORE_DEAD_LETTER_H

#include "base/error.h"
#include "event/record.h"
#include "base/bytes.h"
#include "store/dead_letter_text.h"

#define DEAD_LETTERS_NAME "dead-letters.jsonl"

struct dead_letters {
	const char *data_dir; /* borrowed */
	int fd; /* -1: not open */
	struct bytes line;
};

/* Opens nothing yet. */
void dead_letters_init(struct dead_letters *letters, const char *data_dir);

/* Appends one event, making directory and file if needed. 0: written, durable after dead_letters_sync(). <0: not. */
int dead_letters_append(
    struct dead_letters *letters, const struct refused *refused, const struct record *record, struct error *err);

/* Makes durable what was appended, if anything. 0, or <0: none of it may be counted on. */
int dead_letters_sync(struct dead_letters *letters, struct error *err);

/* Closes the file; the next append opens it anew. */
void dead_letters_close(struct dead_letters *letters);

/* Closes and releases everything but the struct. */
void dead_letters_free(struct dead_letters *letters);

#endif
