/*
 * Looking at a JSONL file without changing it: whether it is one, and what its last append has left.
 *
 * Of an append that was not synced a disk may keep any sectors when the power is cut; the others read as zeros, which no
 * line holds. Such zeros fill whole sectors, but for those that begin where the append began or end where the file ends.
 * Everything around them is lines of ours. What looks otherwise comes from somebody else and is left alone.
 */
#ifndef STORE_JSONL_JSONL_LOOK_H
#define STORE_JSONL_JSONL_LOOK_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/* An append is a batch: some 8 MiB of events, their keys, and at most one request's body more. */
#define JSONL_APPEND_MOST ((off_t)64 << 20)

struct jsonl_look {
	off_t size; /* the file's */
	off_t torn; /* from here to the end of the file stand torn lines, and whole ones of ours; size: none are torn */
	bool unended; /* only the newline is missing of the last line */
};

/*
 * Reads the file, which is open for reading; path is for messages. Returns 0, or <0 when it cannot be read, is no regular
 * file, or begins with anything but a JSON object on its line. An empty file is one of events.
 */
int jsonl_look(int fd, const char *path, struct jsonl_look *found, struct error *err);

/* Whether the file of that size begins as above and ends with a newline, or is empty: there is nothing to repair. */
bool jsonl_sound(int fd, off_t size);

/*
 * For --check-config: looks at what stands at path. Returns 0 also when nothing does, or it cannot be opened by who asks;
 * <0 as above.
 */
int jsonl_check(const char *path, struct error *err);

#endif
