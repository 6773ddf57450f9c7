/*
 * The way of an acceptor's management requests to control and back (api/frame.h). Requests wait here until control is
 * there; at most FRAME_REQUESTS_MAX, and FRAME_STREAMS_MAX streams, are under way. A reply's body goes to its client
 * as it comes, and control sends no more of it than the client takes. Nothing here waits for control: a full channel is
 * tried again in later turns.
 *
 *   WAITING --HELLO--> OPEN --control has died--> DOWN       WAITING: requests are kept for a control that starts, or
 *      ^  \               \                         |        for the successor of one that has said BYE.
 *      |   '--too long-----'------BYE------.        |        DOWN: requests are refused.
 *      '-----------------------------------'  <-HELLO (OPEN)
 */
#ifndef SERVER_CONTROL_LINK_H
#define SERVER_CONTROL_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include <h2o.h>

#include "base/repeat.h"
#include "config/config.h"
#include "server/control_call.h"
#include "shm/segment.h"

struct exchange;
struct key_table;

enum control_link_state { CONTROL_LINK_WAITING, CONTROL_LINK_OPEN, CONTROL_LINK_DOWN };

struct control_link {
	const struct config *config;
	const struct process_slot *control; /* the slot of control; NULL: there is none */
	h2o_socket_t *socket; /* this end of the channel, watched */
	enum control_link_state state;
	int64_t waiting_since_us; /* steady, when WAITING */
	uint32_t peer; /* start count of the control that has said HELLO; 0 unless OPEN */
	struct control_calls calls;
	int64_t look_at_us; /* steady: when to look at deadlines again */
	const struct key_table *keys; /* NULL: the segment has none */
	int64_t look_at_keys_us; /* steady: when to look at the keys of streams again */
	struct repeat malformed;
};

/* Begins with the acceptor's end of its channel, for the acceptor of that number. Borrows what it points to. */
void control_link_open(
    struct control_link *link, const struct config *config, const struct segment *segment, uint32_t index, int fd);

/* From now on frames are taken in that loop. */
void control_link_watch(struct control_link *link, h2o_loop_t *loop);

/* Forwards a request whose key has been checked, and answers it now or later. */
void control_link_forward(struct control_link *link, struct exchange *exchange);

/*
 * In each turn of the loop: looks whether control lives, ends what has lasted too long. Returns in how many
 * milliseconds it is to be called again, at most most_ms.
 */
int32_t control_link_step(struct control_link *link, int64_t now_us, int32_t most_ms);

/* In each turn of a drain: ends streams, so that their clients come back to another process. */
void control_link_end_streams(struct control_link *link);

/* For the end of a drain: answers what waits by 503, and cuts off replies under way. Returns whether there was any. */
bool control_link_give_up(struct control_link *link);

#endif
