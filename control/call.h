/*
 * A call: a request of an acceptor from its first frame to the last of its reply. The loop's thread makes and frees it,
 * and lends it to a worker in between.
 */
#ifndef CONTROL_CALL_H
#define CONTROL_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "api/frame.h"
#include "base/bytes.h"
#include "control/request.h"
#include "control/stream.h"

struct peer;

/*
 *   RECEIVING --> WORKING --> REPLYING --> CUT OFF
 *                     \
 *                      '--> LEFT              nobody waits for it any more, but a worker still has it
 *
 * A call ends when its reply has been sent, or when nobody waits for it. Only the loop's thread uses the state.
 */
enum call_state {
	CALL_RECEIVING,
	CALL_WORKING, /* in the queue, or with a worker */
	CALL_REPLYING,
	CALL_CUT_OFF, /* the acceptor must be informed */
	CALL_LEFT
};

struct call {
	struct call *next; /* in the queue that it is in */
	struct peer *peer; /* the acceptor; NULL when LEFT */
	enum call_state state;
	uint32_t number; /* the acceptor's number of the request */
	struct bytes head; /* the payload of its REQUEST; request points into it */
	struct frame_request request;
	struct bytes body;
	int64_t deadline_us; /* steady */
	struct reply reply;
	bool head_sent;
	size_t sent; /* bytes sent of the body, or of the stream's last text */
	bool is_last; /* the stream ends with that text */
	uint64_t credit; /* bytes that may be sent now */
	int64_t moved_us; /* steady: when the acceptor last took bytes or gave credit */
};

static inline void
call_free(struct call *call)
{
	bytes_free(&call->head);
	bytes_free(&call->body);
	stream_leave(call->reply.stream);
	bytes_free(&call->reply.body);
	free(call);
}

#endif
