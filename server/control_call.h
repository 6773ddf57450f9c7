/*
 * Calls: requests to control, from their arrival to the end of the reply, which for a stream (operation_is_stream())
 * may take hours. During a call libh2o does not read from the connection; only a failing write shows that the client
 * has gone. Acceptors.
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
	CONTROL_CALL_KEPT, /* not sent to control */
	CONTROL_CALL_ASKED,
	CONTROL_CALL_ANSWERED, /* its HEAD has come, but no byte of the body */
	CONTROL_CALL_SENDING, /* the reply is passed to the client as it comes */
	CONTROL_CALL_BROKEN /* the reply ended too early; the connection is being closed */
};

struct control_call {
	h2o_generator_t generator; /* the first member */
	struct control_calls *all;
	struct exchange *exchange;
	uint32_t number;
	enum control_call_state state;
	uint32_t peer; /* start count of its control; 0 if KEPT */
	h2o_linklist_t link; /* in waiting, until ANSWERED */
	struct bytes frames; /* if KEPT: a list of frames */
	uint64_t length, received; /* of the reply's body; a stream's length is FRAME_LENGTH_OPEN */
	bool whole; /* the whole body has come */
	bool ends; /* a stream that ends after libh2o's current write */
	bool within_frame; /* the bytes passed to libh2o end within a frame of server-sent events */
	int status; /* if ANSWERED */
	size_t headers; /* if ANSWERED: number of the answer's headers before those of the reply */
	struct bytes buffers[2]; /* of the body: one that libh2o writes, one that fills */
	int written; /* index of the buffer that libh2o writes */
	bool writing; /* libh2o is writing it */
	int64_t moved_us; /* steady: last time that libh2o took bytes */
};

struct control_calls {
	struct process_slot *slot; /* this acceptor's, for counters */
	struct control_outbox outbox;
	uint32_t start; /* start count of this process */
	uint32_t made; /* calls since the start */
	uint32_t open; /* calls */
	uint32_t streams; /* open streams */
	struct control_call *places[FRAME_PLACES]; /* by number; NULL: free */
	h2o_linklist_t waiting; /* calls without an answer, in the order of arrival */
};

/* Call it before the first call, with slot, outbox and start set. */
void control_calls_init(struct control_calls *calls);

/* Finds a free number for a call or stream. Returns false if there are too many. */
bool control_call_number(struct control_calls *calls, bool of_stream, uint32_t *number);

/* Makes a call in state KEPT. Takes ownership of frames. */
struct control_call *control_call_new(
    struct control_calls *calls, struct exchange *exchange, uint32_t number, struct bytes frames);

/* The call of a frame from control; NULL: it is over. */
struct control_call *control_call_of(struct control_calls *calls, const struct frame *frame);

/* Sends a KEPT call to the control with that start count. */
void control_call_ask(struct control_call *call, uint32_t peer);

/* Handles a frame of the reply. It may end the call. */
void control_call_on_frame(struct control_call *call, const struct frame *frame);

/*
 * Ends a call without its complete reply: answers 503 with that text, or closes the connection if the reply has begun.
 * The call ends now or soon.
 */
void control_call_break_off(struct control_call *call, const char *text);

/* Cancels calls that have waited since before_us and for their extra time (frame_patience_ms()), and answers 503. */
void control_calls_end_late(struct control_calls *calls, int64_t before_us);

/* Closes the connections of clients that have read nothing of their replies since that time. */
void control_calls_end_stalled(struct control_calls *calls, int64_t before_us);

/* Ends all streams, now or soon, such that clients can resume them. */
void control_calls_end_streams(struct control_calls *calls);

/* Ends streams whose keys have been revoked, have expired, or have lost the scope. */
void control_calls_end_revoked(struct control_calls *calls, const struct key_table *keys);

/* Answers 503 with Retry-After. */
void control_refuse(struct exchange *exchange, const char *code, const char *text);

#endif
