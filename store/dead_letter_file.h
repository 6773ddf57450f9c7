/*
 * DATA_DIR/dead-letters.jsonl, for dead letters that the database refuses: one letter a line
 * (store/dead_letter_text.h).
 *
 * Writers share the file. Each line is appended under a lock (flock) to the file that has the name at that moment, so
 * hooksctl may put a shorter file in its place. An event may be there twice, with the same event_id, when a writer died
 * or the store failed before its batch was stored.
 */
#ifndef STORE_DEAD_LETTER_FILE_H
#define STORE_DEAD_LETTER_FILE_H

#include "base/bytes.h"
#include "base/error.h"
#include "event/record.h"
#include "store/dead_letter_text.h"

#define DEAD_LETTER_FILE_NAME "dead-letters.jsonl"

struct dead_letter_file {
	const char *data_dir; /* borrowed */
	int fd; /* -1: not open */
	struct bytes line;
};

/* Opens nothing yet. */
void dead_letter_file_init(struct dead_letter_file *file, const char *data_dir);

/*
 * Appends one event, making directory and file if needed. 0: written, durable after dead_letter_file_sync(). <0: not.
 */
int dead_letter_file_append(
    struct dead_letter_file *file, const struct refused *refused, const struct record *record, struct error *err);

/* Makes the appended lines durable, if there are any. 0, or <0: none of them may be relied on. */
int dead_letter_file_sync(struct dead_letter_file *file, struct error *err);

/* Closes the file; the next append opens it anew. */
void dead_letter_file_close(struct dead_letter_file *file);

/* Closes and releases everything but the struct. */
void dead_letter_file_free(struct dead_letter_file *file);

#endif
