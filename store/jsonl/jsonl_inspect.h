/*
 * Inspects a JSONL file without changing it: whether it is one, and whether its last append is whole.
 *
 * When the power is cut a disk may keep any sectors of an append that was not synced. The other sectors read as zeros,
 * which no line contains. A run of zeros fills whole sectors, unless it begins where the append began or ends where the
 * file ends. Everything around it is lines of hooksd. A file whose end is different comes from another program, and is
 * left alone.
 */
#ifndef STORE_JSONL_JSONL_INSPECT_H
#define STORE_JSONL_JSONL_INSPECT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/* The longest append, a batch: some 8 MiB of events, their keys, and at most one more request's body. */
#define JSONL_APPEND_MOST ((off_t)64 << 20)

struct jsonl_end {
	off_t size; /* the file's */
	off_t torn; /* from here on there are torn lines and whole ones of hooksd; size: no line is torn */
	bool unended; /* the last line is whole but for its newline */
};

/*
 * Inspects the file, which is open for reading; path is for messages. Returns 0 with *found, or <0 when it cannot be
 * read, is no regular file, or does not begin with a JSON object on one line. An empty file is good.
 */
int jsonl_inspect(int fd, const char *path, struct jsonl_end *found, struct error *err);

/* Whether the file of that size needs no repair: it is empty, or begins as above and ends with a newline. */
bool jsonl_is_sound(int fd, off_t size);

/*
 * For --check-config: inspects the file at path. Returns 0, also for one that does not exist or cannot be opened, or
 * <0.
 */
int jsonl_check(const char *path, struct error *err);

#endif
