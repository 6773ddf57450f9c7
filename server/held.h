/*
 * Counts the bytes of connections against MAX_BUFFERED_BYTES: of arriving requests, of requests being answered, and of
 * large unread answers. The first LIBH2O_READ_BYTES of a request do not count, so that the limit never affects small
 * requests such as GET /health. Acceptors.
 */
#ifndef SERVER_HELD_H
#define SERVER_HELD_H

#include <stddef.h>
#include <stdint.h>

#include <h2o.h>

/* A connection's part. */
struct holder {
	size_t bytes;
	h2o_linklist_t link; /* linked: the connection may be ended to free memory */
};

struct held {
	uint64_t bytes, kept; /* of all holders; of holders that must not be ended */
	h2o_linklist_t holders; /* holders that may be ended, oldest first */
};

void held_init(struct held *held);

/* Sets the bytes of the connection, which may be ended unless they are 0. */
void held_set(struct held *held, struct holder *holder, size_t bytes);

/* The connection keeps its bytes and must not be ended until held_set(). */
void held_keep(struct held *held, struct holder *holder);

/* The oldest holder that may be ended; NULL: none. */
struct holder *held_oldest(struct held *held);

#endif
