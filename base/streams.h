/* The standard descriptors: keeps all three open, and writes to stderr without blocking. */
#ifndef BASE_STREAMS_H
#define BASE_STREAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/*
 * Opens /dev/null read-only on each of the descriptors 0 to 2 that is closed, so that no file of ours gets that number.
 * Call it first in main(). Writing there fails, as on a closed descriptor. Returns 0, or <0.
 */
int streams_hold(struct error *err);

/*
 * Reopens descriptor 2 as a nonblocking description of our own, if it is a pipe or terminal that can be reopened.
 * Processes that share the old description see no change. Call it once, before forking.
 */
void streams_own_stderr(void);

/*
 * Writes at most PIPE_BUF bytes to stderr in one call. After streams_own_stderr() it never waits for a reader. False:
 * the bytes went out in part or not at all; the next write, by this process or any process forked since
 * streams_own_stderr(), begins on a new line. Changes errno. Any thread.
 */
bool streams_write_stderr(const char *bytes, size_t len);

#endif
