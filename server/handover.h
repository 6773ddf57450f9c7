/*
 * Passes connections from an acceptor to its successor, as batches of descriptors in a channel. The master holds a
 * channel per acceptor, so connections wait there while neither process lives.
 *
 *   predecessor: add, add, ..., send  ->  [ channel: batch, batch, ... ]  ->  successor: receive until there is none
 */
#ifndef SERVER_HANDOVER_H
#define SERVER_HANDOVER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "config/config.h"

#define HANDOVER_MAX 250 /* connections in a batch; with bytes_fd they fit into one message */

/* For channels_open(): buffer space for batches that wait for a successor. */
#define HANDOVER_BUFFER_BYTES ((size_t)8 << 20)

struct handover_note {
	uint32_t number; /* of the connection; determines its lane */
	uint32_t bytes; /* bytes already read of an incomplete request */
	uint64_t key; /* the API key that it counts for (server/client_limits.h) */
};

struct handover_batch {
	uint32_t count;
	int fds[HANDOVER_MAX];
	struct handover_note notes[HANDOVER_MAX];
	int bytes_fd; /* a file with the bytes of all connections, in order; -1: none */
	off_t bytes_len; /* the length of that file while adding */
};

/* Makes the batch empty; it owns nothing. */
void handover_clear(struct handover_batch *batch);

/*
 * Adds a connection to a batch that is not full: a copy of fd, and the bytes. The caller keeps fd. The connection lives
 * as long as the batch. Returns 0, or <0 with the batch unchanged: no descriptor or memory is left.
 */
int handover_add(struct handover_batch *batch, int fd, struct handover_note note, const char *bytes, struct error *err);

/*
 * Sends the batch and empties it. Its connections live until they are received, or every process has closed the
 * channel. Returns 0, or <0 with the batch unchanged: the channel has no room. Never blocks.
 */
int handover_send(int fd, struct handover_batch *batch, struct error *err);

/*
 * Receives into an empty batch. The caller owns the descriptors; -1: this process was at its descriptor limit. Returns
 * 0, with an empty batch if nothing waits, or <0 if the message was malformed.
 */
int handover_receive(int fd, struct handover_batch *batch, struct error *err);

#endif
