/*
 * Passes management requests to control and replies to clients (api/frame.h). At most FRAME_REQUESTS_MAX requests and
 * FRAME_STREAMS_MAX streams are open. Requests wait here while control is starting. A reply's body is passed on as it
 * comes; control sends only as much as the client reads. Nothing blocks: a full channel is tried again in later turns.
 *
 *   WAITING --HELLO--> OPEN --control has died--> DOWN       WAITING: requests are kept for a starting control or for
 *      ^  \               \                         |        the successor of one that has sent BYE.
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
	const struct process_slot *control; /* control's slot; NULL: there is no control */
	h2o_socket_t *socket; /* this end of the channel */
	enum control_link_state state;
	int64_t waiting_since_us; /* steady, if WAITING */
	uint32_t peer; /* start count of the control whose HELLO came; 0 unless OPEN */
	struct control_calls calls;
	int64_t look_at_us; /* steady: next look at deadlines */
	const struct key_table *keys; /* NULL: the segment has none */
	int64_t look_at_keys_us; /* steady: next look at the keys of streams */
	struct repeat malformed;
};

/* Opens the link of acceptor `index` with its end of the channel. Borrows its arguments. */
void control_link_open(
    struct control_link *link, const struct config *config, const struct segment *segment, uint32_t index, int fd);

/* Receives frames in that loop from now on. */
void control_link_watch(struct control_link *link, h2o_loop_t *loop);

/* Forwards an authorized request, and answers it now or later. */
void control_link_forward(struct control_link *link, struct exchange *exchange);

/*
 * Called in each turn of the loop: notices a dead control and ends late calls. Returns the milliseconds until its next
 * call, at most most_ms.
 */
int32_t control_link_step(struct control_link *link, int64_t now_us, int32_t most_ms);

/* Called in each turn of a drain: ends streams, so that their clients reconnect to another process. */
void control_link_end_streams(struct control_link *link);

/* For the end of a drain: answers waiting requests with 503 and cuts off replies. Returns whether there were any. */
bool control_link_give_up(struct control_link *link);

#endif
