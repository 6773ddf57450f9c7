/*
 * The bytes of connections that count against MAX_BUFFERED_BYTES: requests that arrive or are being answered, and large
 * answers that clients have not taken. The first bytes of a request do not count, so that a small request, such as one
 * for health, is never in the way of this limit. Acceptors.
 */
#ifndef SERVER_HELD_H
#define SERVER_HELD_H

#include <stddef.h>
#include <stdint.h>

#include <h2o.h>

/* A connection's part. */
struct holder {
	size_t bytes;
	h2o_linklist_t link; /* linked: the connection may be ended to make room */
};

struct held {
	uint64_t bytes, kept; /* of all; of those that must not be ended */
	h2o_linklist_t holders; /* those that may be ended, in the order in which they began to hold bytes */
};

void held_init(struct held *held);

/* The connection holds so many bytes from now on, and may be ended if these are any. */
void held_set(struct held *held, struct holder *holder, size_t bytes);

/* The connection keeps its bytes and must not be ended, until held_set(). */
void held_keep(struct held *held, struct holder *holder);

/* The connection that has held bytes for longest of those that may be ended; NULL: there is none. */
struct holder *held_oldest(struct held *held);

#endif
