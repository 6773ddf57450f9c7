/*
 * Frames: what an acceptor and control say to each other about requests of the management API. A frame is one message
 * of a channel (base/channel.h) that the master holds, so frames wait in it while one side is dead. Each process that
 * has had a slot has a start count of its own (shm/slots.h), and a frame names both: who sent it, and to whom. What is
 * for a predecessor of its receiver is dropped.
 *
 *   acceptor                                     control
 *     HELLO ──────────────────────────────────────►   a process says that it is there: what was open with its
 *     ◄────────────────────────────────────── HELLO   predecessor is over
 *     REQUEST, BODY ... BODY|END ─────────────────►
 *     ◄──────────────── HEAD, BODY ... BODY|END         as many bytes of bodies as FRAME_CREDIT_FIRST and CREDITs allow
 *     CREDIT ─────────────────────────────────────►   the client has taken so many bytes
 *     CANCEL ─────────────────────────────────────►   nobody waits for the reply any more
 *     ◄───────────────────────────────────── CANCEL   the reply is cut off
 *     ◄──────────────────────────────────────── BYE   control ends: it answers what has come and takes nothing new
 *     BYE ────────────────────────────────────────►   no REQUEST follows for this control
 *
 * Pure. Both sides are processes of one program, so numbers are in the machine's order; all else is checked.
 */
#ifndef API_FRAME_H
#define API_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/operations.h"
#include "base/bytes.h"
#include "base/span.h"

#define FRAME_KIND_LIST(X)                                                                                             \
	X(HELLO)                                                                                                       \
	X(BYE)                                                                                                         \
	X(REQUEST)                                                                                                     \
	X(HEAD)                                                                                                        \
	X(BODY)                                                                                                        \
	X(CREDIT)                                                                                                      \
	X(CANCEL)

#define X(symbol) FRAME_##symbol,
enum frame_kind { FRAME_KIND_LIST(X) FRAME_KINDS };
#undef X

/* How many requests of an acceptor may be under way, streams not counted, and how many streams. */
#define FRAME_REQUESTS_MAX 256
#define FRAME_STREAMS_MAX 768
/* A request's number mod this many is its place among those that are under way. */
#define FRAME_PLACES (FRAME_REQUESTS_MAX + FRAME_STREAMS_MAX)

/* The most bytes of a frame, and of what a BODY carries: a channel takes two of them at once. */
#define FRAME_BYTES_MAX (64u << 10)
#define FRAME_HEAD_BYTES 16
#define FRAME_BODY_BYTES (32u << 10)

/* For channels_open(): frames that wait for their receiver take buffer space. */
#define FRAMES_BUFFER_BYTES ((size_t)1 << 20)

/* The most bytes of a request's body but for frame_body_max(), and how many of a reply's are sent before a CREDIT. */
#define FRAME_REQUEST_BODY_MAX (64u << 10)
#define FRAME_CREDIT_FIRST (64u << 10)

struct frame {
	enum frame_kind kind;
	bool end; /* the last frame of a request or of a reply; of a REQUEST or HEAD: there is no body */
	uint32_t sender; /* start count */
	uint32_t receiver; /* start count; 0 in a HELLO to a process that has not said HELLO yet */
	uint32_t request; /* its number, by the acceptor, which differs mod FRAME_PLACES; 0 in HELLO and BYE */
	struct span payload; /* of REQUEST, HEAD, BODY and CREDIT */
};

/* The caller of a request, as its API key says. */
struct frame_caller {
	struct span tenant_id, key_id, key_name;
	uint32_t scopes; /* api/scopes.h */
	bool is_start_key;
};

#define FRAME_PARAMS_MAX 2

/* The payload of a REQUEST. Texts hold no NUL and are followed by one; base is NULL for what was not given. */
struct frame_request {
	enum api_operation operation;
	struct span params[FRAME_PARAMS_MAX]; /* of the path */
	struct span query; /* as it was sent, without the question mark */
	struct span if_match, idempotency_key, last_event_id;
	struct span base_url; /* what URLs in the reply begin with */
	struct frame_caller caller;
};

/* The length of a body that is a stream: it has come whole with the BODY that says END. */
#define FRAME_LENGTH_OPEN UINT64_MAX

/* The payload of a HEAD. */
struct frame_reply {
	uint32_t status; /* of HTTP */
	uint64_t length; /* of the body; FRAME_LENGTH_OPEN */
	uint32_t retry_after_seconds; /* 0: none */
	struct span etag; /* with its quotes; followed by a NUL */
};

/*
 * The most bytes of a request's body, by its operation. What the development receiver gets may be as long as
 * FRAME_RECEIVED_BODY_MAX, and its headers stand before it.
 */
#define FRAME_RECEIVED_BODY_MAX (1u << 20)
static inline size_t
frame_body_max(enum api_operation operation)
{
	return operation == OPERATION_INBOX_RECEIVE ? FRAME_RECEIVED_BODY_MAX + (256u << 10) : FRAME_REQUEST_BODY_MAX;
}

/*
 * How much longer than others the reply to a request may take, in ms: a test lasts as long as the longest timeout_ms of
 * an endpoint, and 2 seconds.
 */
static inline int64_t
frame_patience_ms(enum api_operation operation)
{
	return operation == OPERATION_ENDPOINT_TEST ? 302 * 1000 : 0;
}

/* Appends a frame to an empty buffer. The payload is at most FRAME_BYTES_MAX - FRAME_HEAD_BYTES. */
void frame_write(struct bytes *out, const struct frame *frame);

/* Writes the receiver into a frame that stands at bytes. */
void frame_address(char *bytes, uint32_t receiver);

/* Reads a frame, whose payload is then part of bytes. Returns whether it is one. */
bool frame_read(struct span bytes, struct frame *frame);

/* Appends the payload. The first returns false, with *out unchanged, when it is too large for a frame. */
bool frame_write_request(struct bytes *out, const struct frame_request *request);
void frame_write_reply(struct bytes *out, const struct frame_reply *reply);
void frame_write_credit(struct bytes *out, uint32_t bytes);

/* Read a payload; the texts are then parts of it. Return whether it is one. */
bool frame_read_request(struct span payload, struct frame_request *request);
bool frame_read_reply(struct span payload, struct frame_reply *reply);
bool frame_read_credit(struct span payload, uint32_t *bytes);

#endif
