/*
 * Connections on their way from an acceptor to its successor: batches of descriptors in a channel that the master
 * holds, one channel per acceptor, so that the connections wait there while neither process lives.
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

#define HANDOVER_MAX 250 /* connections in a batch; with the descriptor of the bytes they fit into one message */

/* For channels_open(): batches that wait for a successor take buffer space. */
#define HANDOVER_BUFFER_BYTES ((size_t)8 << 20)

struct handover_note {
	uint32_t number; /* of the connection; it chooses the lane */
	uint32_t bytes; /* how many bytes have been read of a request that has not come whole yet */
	uint64_t key; /* whose connection it is (server/client_limits.h) */
};

struct handover_batch {
	uint32_t count;
	int fds[HANDOVER_MAX];
	struct handover_note notes[HANDOVER_MAX];
	int bytes_fd; /* a file with the bytes of all connections, in their order; -1: there are none */
	off_t bytes_len; /* while connections are added: the length of that file */
};

/* Makes the batch empty; it owns nothing. */
void handover_clear(struct handover_batch *batch);

/*
 * Adds a connection to a batch that is not full: a copy of fd, which stays the caller's, and the bytes. The connection
 * lives as long as the batch. Returns 0, or <0 when there is no descriptor or memory left: the batch is as it was.
 */
int handover_add(struct handover_batch *batch, int fd, struct handover_note note, const char *bytes, struct error *err);

/*
 * Sends the batch, which is empty afterwards. Its connections live until they are received, or every process has closed
 * the channel. Returns 0, or <0 when there is no room: the batch is as it was. Never waits.
 */
int handover_send(int fd, struct handover_batch *batch, struct error *err);

/*
 * Receives into a batch that is empty. Its descriptors are then the caller's; a connection for which this process had
 * no descriptor left is -1. Returns 0 with the batch empty when nothing waits, or <0 when something else came.
 */
int handover_receive(int fd, struct handover_batch *batch, struct error *err);

#endif
