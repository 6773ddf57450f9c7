/* Moves a JSONL file aside, so that a new one begins. */
#ifndef STORE_JSONL_JSONL_ROTATE_H
#define STORE_JSONL_JSONL_ROTATE_H

#include "base/error.h"

/*
 * Appends the time to the name of the file at path, or of the file that a link there leads to:
 * events.jsonl.20261122T035440.123456Z. Such names sort by time. Returns 0, or <0 and the file keeps its name.
 */
int jsonl_rotate(const char *path, struct error *err);

/* Whether that can work: 0, or <0 with the reason why it cannot. */
int jsonl_rotate_check(const char *path, struct error *err);

#endif
