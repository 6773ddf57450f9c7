/*
 * An acceptor, as control sees it: the frames that come from it and go to it (api/frame.h), and its calls. Nothing here
 * waits: what the channel does not take goes when it takes more. The loop's thread.
 */
#ifndef CONTROL_PEER_H
#define CONTROL_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "control/call.h"
#include "control/workers.h"

/* Requests of one acceptor that may be under way; the low bits of a request's number are its place among them. */
#define PEER_CALLS FRAME_PLACES

/*
 * Bytes of replies that wait for their readers, all together. A reply beyond them is answered with 503 instead, unless
 * it is small enough to go without waiting.
 */
#define REPLIES_BYTES_MAX ((size_t)64 << 20)

/* An acceptor that takes nothing of a reply for so long gets no more of it: its client does not read. */
#define READER_PATIENCE_US (10 * 1000 * 1000)

/* What all peers share. */
struct peers {
	struct workers *workers;
	uint32_t start; /* start count of this process */
	uint32_t open; /* calls that an acceptor waits for */
	bool leaving; /* this process ends: it takes no new acceptor */
	int64_t timeout_us; /* from the arrival of a request to the end of its last statement */
	size_t reply_bytes; /* of replies that are not sent yet, but for streams */
	struct repeat malformed;
};

struct peer {
	struct peers *all;
	const struct process_slot *slot; /* the acceptor's */
	int fd;
	uint32_t start; /* start count of the acceptor; 0: it has not said HELLO */
	bool owes_hello, owes_bye; /* to be sent */
	bool said_bye; /* the acceptor sends no request any more */
	bool blocked; /* the channel was full */
	struct call *calls[PEER_CALLS];
};

/* Begins with an acceptor that is, or will be, at the other end. */
void peer_init(struct peer *peer, struct peers *all, int fd, const struct process_slot *slot);

/* Takes the frames that have come. */
void peer_receive(struct peer *peer);

/* Whether that reply must wait for its reader, and there is no room for it with all the others that do. */
bool peers_have_no_room(const struct peers *peers, const struct reply *reply);

/* A worker has given back that call. */
void peer_finished(struct call *call);

/* Sends what there is to send and the channel takes. */
void peer_send(struct peer *peer);

/* Cuts off the replies that their readers have not taken for too long. */
void peer_cut_off_stalled(struct peer *peer, int64_t now_us);

/* Cuts off the reply that has waited longest for its reader, if one has for that long. Returns whether it did. */
bool peer_cut_off_longest(struct peer *peers, uint32_t count, int64_t waited_us, int64_t now_us);

/* Control ends: says so. peer_may_leave() tells when nothing is left to be done for this acceptor. */
void peer_say_bye(struct peer *peer);
bool peer_may_leave(const struct peer *peer);

#endif
