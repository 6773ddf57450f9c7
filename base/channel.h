/*
 * Messages between processes of this service, with file descriptors beside the bytes (SCM_RIGHTS). A channel is a pair
 * of SOCK_SEQPACKET sockets: a message arrives whole and once, in order, or was never sent. Messages wait in the kernel
 * while neither side lives, as long as somebody holds the pair. Nothing here blocks.
 */
#ifndef BASE_CHANNEL_H
#define BASE_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* The most bytes of a message, and the most descriptors, which is the kernel's own limit (SCM_MAX_FD). */
#define CHANNEL_BYTES_MAX (64u << 10)
#define CHANNEL_FDS_MAX 253

/* Both arrays belong to the caller. */
struct channel_message {
	void *bytes;
	size_t len;
	int *fds;
	size_t fd_count;
};

enum channel_condition {
	CHANNEL_AGAIN = 1, /* sending: the channel is full; receiving: no message waits */
	CHANNEL_CLOSED = 2, /* every process has closed the other side */
};

/*
 * Makes a channel: what is sent on ends[0] is received on ends[1] and the other way round. Both are nonblocking and
 * close-on-exec. buffer_bytes is how much may wait in each direction; the kernel grants less if its own limit is lower.
 * Returns 0 or <0.
 */
int channel_open(int ends[2], size_t buffer_bytes, struct error *err);

/*
 * Sends a message of 1 to CHANNEL_BYTES_MAX bytes and at most CHANNEL_FDS_MAX descriptors, of which the receiver gets
 * copies: the caller's stay open. Returns 0, one of enum channel_condition, or <0.
 */
int channel_send(int end, const struct channel_message *message, struct error *err);

/*
 * Receives a message. On entry len and fd_count say how much there is room for (at most CHANNEL_FDS_MAX descriptors),
 * on success how much has come; the descriptors are close-on-exec and the caller's. A process that has no descriptor
 * left gets fewer of them than were sent, the first ones. Returns 0, one of enum channel_condition, or <0: the message
 * was larger than the room, or the call failed; a message that was too large is gone, and its descriptors are closed.
 */
int channel_receive(int end, struct channel_message *message, struct error *err);

#define CHANNELS_MAX 64

/* Channels of one kind, as a master makes and holds them: one for each process of a role. */
struct channels {
	int ends[CHANNELS_MAX][2];
	uint32_t count;
};

/* Makes count channels, at most CHANNELS_MAX, as channel_open(). Returns 0, or <0 with none open. */
int channels_open(struct channels *channels, uint32_t count, size_t buffer_bytes, struct error *err);

/* For channels_close_others(). */
#define CHANNELS_NONE UINT32_MAX
#define CHANNELS_EACH (UINT32_MAX - 1)
#define CHANNEL_BOTH_ENDS 2

/*
 * Closes this process's copies of all ends but those that it keeps: of the channel with that number, or of each, one
 * end (0, 1) or both.
 */
void channels_close_others(const struct channels *channels, uint32_t keep, int end);

#endif
