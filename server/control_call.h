/*
 * Calls: requests that wait for control, or whose replies are being sent, from their arrival to the end of the reply,
 * which of a stream (OPERATION_STREAM) is far away.
 * libh2o does not read from a connection meanwhile, and tells only by a failing write that its client has gone.
 * Acceptors.
 */
#ifndef SERVER_CONTROL_CALL_H
#define SERVER_CONTROL_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include <h2o.h>

#include "api/frame.h"
#include "server/control_outbox.h"
#include "shm/slots.h"

struct exchange;
struct key_table;

/*
 *   KEPT --> ASKED --> ANSWERED --> SENDING --> BROKEN
 */
enum control_call_state {
	CONTROL_CALL_KEPT, /* no control has it */
	CONTROL_CALL_ASKED,
	CONTROL_CALL_ANSWERED, /* its HEAD has come, and no byte of the body */
	CONTROL_CALL_SENDING, /* the client gets the reply as it comes */
	CONTROL_CALL_BROKEN /* the reply ends too early: its connection is being closed */
};

struct control_call {
	h2o_generator_t generator; /* the first member */
	struct control_calls *all;
	struct exchange *exchange;
	uint32_t number;
	enum control_call_state state;
	uint32_t peer; /* start count of the control that has it; 0 when KEPT */
	h2o_linklist_t link; /* in waiting, until ANSWERED */
	struct bytes frames; /* when KEPT: a list */
	uint64_t length, received; /* of the reply's body; length: FRAME_LENGTH_OPEN of a stream */
	bool whole; /* all of the body has come */
	bool ends; /* it is a stream, which ends as soon as libh2o has written what it has */
	bool within_frame; /* what libh2o has got of the stream does not end with a frame of server-sent events */
	int status; /* when ANSWERED */
	size_t headers; /* of the answer without those of the reply, when ANSWERED */
	struct bytes buffers[2]; /* of the body: what libh2o writes, and what has come since */
	int written; /* the number of the former */
	bool writing; /* libh2o has it */
	int64_t moved_us; /* steady: when libh2o last took some */
};

struct control_calls {
	struct process_slot *slot; /* this acceptor's, for its numbers */
	struct control_outbox outbox;
	uint32_t start; /* start count of this process */
	uint32_t made; /* calls, since the start */
	uint32_t open; /* calls */
	uint32_t streams; /* of these */
	struct control_call *places[FRAME_PLACES]; /* by number; NULL: free */
	h2o_linklist_t waiting; /* calls without an answer yet, in the order of their arrival */
};

/* Before the first call, with slot, outbox and start set. */
void control_calls_init(struct control_calls *calls);

/* The number of a call, or of a stream, that can be made now. Returns whether there is one. */
bool control_call_number(struct control_calls *calls, bool of_stream, uint32_t *number);

/* Makes a call that is KEPT, with its frames, which it takes. */
struct control_call *control_call_new(
    struct control_calls *calls, struct exchange *exchange, uint32_t number, struct bytes frames);

/* The call of a frame that control with that start count has sent; NULL: it is over. */
struct control_call *control_call_of(struct control_calls *calls, const struct frame *frame);

/* Sends a call that is KEPT to the control with that start count. */
void control_call_ask(struct control_call *call, uint32_t peer);

/* A frame of its reply has come. The call may be over then. */
void control_call_on_frame(struct control_call *call, const struct frame *frame);

/*
 * The reply does not come, or not to its end: answers by 503 with that text, or closes the connection of a reply that
 * has begun. The call is over, now or soon.
 */
void control_call_break_off(struct control_call *call, const char *text);

/*
 * Tells control that nobody waits for a call any more which has waited since that time, and for as long as it may take
 * beyond that (frame_patience_ms()), and answers it by 503.
 */
void control_calls_end_late(struct control_calls *calls, int64_t before_us);

/* Closes the connections of clients that have taken nothing of their replies since that time. */
void control_calls_end_stalled(struct control_calls *calls, int64_t before_us);

/* Ends the streams, now or soon, in a way that lets their clients come back. */
void control_calls_end_streams(struct control_calls *calls);

/* Does so for streams whose keys are revoked, have expired, or lack the scope meanwhile. */
void control_calls_end_revoked(struct control_calls *calls, const struct key_table *keys);

/* 503 with Retry-After. */
void control_refuse(struct exchange *exchange, const char *code, const char *text);

#endif
