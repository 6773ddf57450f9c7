/*
 * An acceptor as control sees it: its calls, and the frames from it and to it (api/frame.h). Nothing here waits: frames
 * that do not fit into the channel are sent later. The loop's thread.
 */
#ifndef CONTROL_PEER_H
#define CONTROL_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "control/call.h"
#include "control/workers.h"

/* The most requests of one acceptor under way; the low bits of a request's number are its place among them. */
#define PEER_CALLS FRAME_PLACES

/*
 * The most bytes of replies that wait for their readers, all together. Beyond that a reply becomes a 503, unless it is
 * small enough to be sent without waiting.
 */
#define REPLIES_BYTES_MAX ((size_t)64 << 20)

/* A reply is cut off if its acceptor has taken nothing of it for this long: the client does not read. */
#define READER_PATIENCE_US (10 * 1000 * 1000)

/* Shared by all peers. */
struct peers {
	struct workers *workers;
	uint32_t start; /* start count of this process */
	uint32_t open; /* calls for which an acceptor waits */
	bool leaving; /* this process is ending: it takes no new acceptor */
	int64_t timeout_us; /* most time from the arrival of a request to the end of its last statement */
	size_t reply_bytes; /* of unsent replies, without streams */
	struct repeat malformed;
};

struct peer {
	struct peers *all;
	const struct process_slot *slot; /* the acceptor's */
	int fd;
	uint32_t start; /* start count of the acceptor; 0: it has not said HELLO */
	bool owes_hello, owes_bye; /* to be sent */
	bool said_bye; /* the acceptor sends no more requests */
	bool blocked; /* the channel was full */
	struct call *calls[PEER_CALLS];
};

/* Initialises a peer for the acceptor that is, or will be, at the other end. */
void peer_init(struct peer *peer, struct peers *all, int fd, const struct process_slot *slot);

/* Takes the frames that have arrived. */
void peer_receive(struct peer *peer);

/* Whether the reply would have to wait for its reader but all waiting replies leave no room for it. */
bool peers_have_no_room(const struct peers *peers, const struct reply *reply);

/* Takes a call back from a worker. */
void peer_finished(struct call *call);

/* Sends frames as far as the channel takes them. */
void peer_send(struct peer *peer);

/* Cuts off replies whose readers have taken nothing for too long. */
void peer_cut_off_stalled(struct peer *peer, int64_t now_us);

/* Cuts off the reply that has waited longest for its reader, if it has waited for waited_us. Returns whether it did. */
bool peer_cut_off_longest(struct peer *peers, uint32_t count, int64_t waited_us, int64_t now_us);

/* peer_say_bye(): informs the acceptor that control ends. peer_may_leave(): whether nothing is left to do for it. */
void peer_say_bye(struct peer *peer);
bool peer_may_leave(const struct peer *peer);

#endif
