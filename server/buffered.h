/*
 * Counts the bytes of connections against MAX_BUFFERED_BYTES: of arriving requests, of requests being answered, and of
 * large unread answers. The first LIBH2O_READ_BYTES of a request do not count, so that the limit never affects small
 * requests such as GET /health. Acceptors.
 */
#ifndef SERVER_BUFFERED_H
#define SERVER_BUFFERED_H

#include <stddef.h>
#include <stdint.h>

#include <h2o.h>

/* A connection's part. */
struct buffered_part {
	size_t bytes;
	h2o_linklist_t link; /* linked: the connection may be ended to free memory */
};

struct buffered {
	uint64_t bytes, kept; /* of all parts; of parts that must not be ended */
	h2o_linklist_t parts; /* parts that may be ended, oldest first */
};

void buffered_init(struct buffered *buffered);

/* Sets the bytes of the connection, which may be ended unless they are 0. */
void buffered_set(struct buffered *buffered, struct buffered_part *part, size_t bytes);

/* The connection keeps its bytes and must not be ended until buffered_set(). */
void buffered_keep(struct buffered *buffered, struct buffered_part *part);

/* The oldest part that may be ended; NULL: none. */
struct buffered_part *buffered_oldest(struct buffered *buffered);

#endif
