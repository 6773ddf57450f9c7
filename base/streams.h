/* The standard descriptors: none of them is closed, and nobody waits for stderr. */
#ifndef BASE_STREAMS_H
#define BASE_STREAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/*
 * First in main(), before anything is opened: /dev/null takes the place of each of the descriptors 0 to 2 that is
 * closed, so that none of them becomes a file of ours. Writing there fails, as it does on a closed descriptor. 0, or
 * <0.
 */
int streams_hold(struct error *err);

/*
 * Once in a process that must not wait for its stderr, before it forks: descriptor 2 becomes a description of our own
 * that does not block, where it is a pipe or a terminal that can be opened again. Processes that share the old one see
 * no change.
 */
void streams_own_stderr(void);

/*
 * Writes the bytes, at most PIPE_BUF, to stderr, all in one call. After streams_own_stderr() this never waits for a
 * reader. False: they did not go out, or not all of them; what goes out next, from any process that was forked since
 * streams_own_stderr(), begins on a new line. errno is changed. For any thread.
 */
bool streams_write_stderr(const char *bytes, size_t len);

#endif
