/*
 * Messages between processes of this service: bytes and file descriptors (SCM_RIGHTS). A channel is a pair of
 * SOCK_SEQPACKET sockets. Messages arrive whole, once and in order. The kernel keeps unread messages as long as any
 * process holds the pair, even while both peers are dead. No function here blocks.
 */
#ifndef BASE_CHANNEL_H
#define BASE_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Limits of one message. CHANNEL_FDS_MAX is the kernel's own limit (SCM_MAX_FD). */
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
 * Makes a channel: each end receives the messages sent on the other. Both ends are nonblocking and close-on-exec.
 * buffer_bytes limits the bytes waiting in each direction; the kernel's own limit may be lower. Returns 0 or <0.
 */
int channel_open(int ends[2], size_t buffer_bytes, struct error *err);

/*
 * Sends a message of 1 to CHANNEL_BYTES_MAX bytes and at most CHANNEL_FDS_MAX descriptors. The receiver gets copies of
 * the descriptors; the caller's stay open. Returns 0, one of enum channel_condition, or <0.
 */
int channel_send(int end, const struct channel_message *message, struct error *err);

/*
 * Receives a message. On entry len and fd_count are the caller's room (at most CHANNEL_FDS_MAX descriptors); on success
 * they are the message's size. The descriptors are close-on-exec and belong to the caller. A process at its descriptor
 * limit gets only the first ones. Returns 0, one of enum channel_condition, or <0: the call failed, or the message
 * exceeded the room. A message that is too large is dropped and its descriptors are closed.
 */
int channel_receive(int end, struct channel_message *message, struct error *err);

#define CHANNELS_MAX 64

/* The master's channels of one kind: one for each process of a role. */
struct channels {
	int ends[CHANNELS_MAX][2];
	uint32_t count;
};

/* Makes count channels, at most CHANNELS_MAX, each by channel_open(). Returns 0, or <0 with none open. */
int channels_open(struct channels *channels, uint32_t count, size_t buffer_bytes, struct error *err);

/* For channels_close_others(). */
#define CHANNELS_NONE UINT32_MAX
#define CHANNELS_EACH (UINT32_MAX - 1)
#define CHANNEL_BOTH_ENDS 2

/*
 * Closes this process's copies of all ends except one end (0, 1) or both of channel number keep. CHANNELS_EACH keeps
 * that end of every channel, CHANNELS_NONE keeps nothing.
 */
void channels_close_others(const struct channels *channels, uint32_t keep, int end);

#endif
