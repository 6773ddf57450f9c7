/* Moving a JSONL file aside, so that a new one begins. */
#ifndef STORE_JSONL_JSONL_ROTATE_H
#define STORE_JSONL_JSONL_ROTATE_H

#include "base/error.h"

/*
 * Renames the file at path, or the one that a link there leads to, to its own name and the time, which sorts by time:
 * events.jsonl.20261122T035440.123456Z. Returns 0, or <0 and the file is where it was.
 */
int jsonl_rotate(const char *path, struct error *err);

/* Looks for what will make that fail: 0, or <0 with the reason. */
int jsonl_rotate_check(const char *path, struct error *err);

#endif
