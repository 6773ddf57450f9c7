/*
 * Frames: the protocol between acceptors and control for requests of the management API. A frame is one message of a
 * channel (base/channel.h). The master holds the channel, so frames wait in it while one side is dead. Each process in
 * a slot has its own start count (shm/slots.h). A frame has those of its sender and its receiver; the receiver drops
 * frames for its predecessor.
 *
 *   acceptor                                     control
 *     HELLO ──────────────────────────────────────►   the sender has started: requests open with its
 *     ◄────────────────────────────────────── HELLO   predecessor are lost
 *     REQUEST, BODY ... BODY|END ─────────────────►
 *     ◄──────────────── HEAD, BODY ... BODY|END         body bytes are limited by FRAME_CREDIT_FIRST and CREDITs
 *     CREDIT ─────────────────────────────────────►   the client has taken that many bytes
 *     CANCEL ─────────────────────────────────────►   the client is gone
 *     ◄───────────────────────────────────── CANCEL   the reply ends incomplete
 *     ◄──────────────────────────────────────── BYE   control is ending: it answers open requests, accepts no new ones
 *     BYE ────────────────────────────────────────►   the acceptor sends no further REQUEST to this control
 *
 * Pure. Numbers are in host byte order, because both sides run the same program. All frames are checked.
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

/* The most concurrent requests of an acceptor, without streams, and the most streams. */
#define FRAME_REQUESTS_MAX 256
#define FRAME_STREAMS_MAX 768
/* A request's number modulo FRAME_PLACES is its place among the concurrent ones. */
#define FRAME_PLACES (FRAME_REQUESTS_MAX + FRAME_STREAMS_MAX)

/* The most bytes of a frame, and of a BODY's payload: a channel holds two of those at once. */
#define FRAME_BYTES_MAX (64u << 10)
#define FRAME_HEAD_BYTES 16
#define FRAME_BODY_BYTES (32u << 10)

/* For channels_open(): buffer space for frames that wait for their receiver. */
#define FRAMES_BUFFER_BYTES ((size_t)1 << 20)

/* The most bytes of a request's body (see frame_body_max()), and of a reply before the first CREDIT. */
#define FRAME_REQUEST_BODY_MAX (64u << 10)
#define FRAME_CREDIT_FIRST (64u << 10)

struct frame {
	enum frame_kind kind;
	bool end; /* the last frame of a request or reply; in a REQUEST or HEAD: there is no body */
	uint32_t sender; /* start count */
	uint32_t receiver; /* start count; 0 in a HELLO to a process that has not sent its HELLO */
	uint32_t request; /* the acceptor's number for it, unique modulo FRAME_PLACES; 0 in HELLO and BYE */
	struct span payload; /* of REQUEST, HEAD, BODY and CREDIT */
};

/* The caller of a request, from its API key. */
struct frame_caller {
	struct span tenant_id, key_id, key_name;
	uint32_t scopes; /* api/scopes.h */
	bool is_start_key;
};

#define FRAME_PARAMS_MAX 2

/* The payload of a REQUEST. Each text has no NUL inside and one after its end; base is NULL if it was not given. */
struct frame_request {
	enum api_operation operation;
	struct span params[FRAME_PARAMS_MAX]; /* of the path */
	struct span query; /* unchanged, without the question mark */
	struct span if_match, idempotency_key, last_event_id;
	struct span base_url; /* prefix of URLs in the reply */
	struct frame_caller caller;
};

/* The length of a stream, which ends with the BODY that has END. */
#define FRAME_LENGTH_OPEN UINT64_MAX

/* The payload of a HEAD. */
struct frame_reply {
	uint32_t status; /* of HTTP */
	uint64_t length; /* of the body, or FRAME_LENGTH_OPEN */
	uint32_t retry_after_seconds; /* 0: none */
	struct span etag; /* with its quotes; followed by a NUL */
};

/*
 * The most bytes of a request's body, by its operation. The development receiver accepts bodies of
 * FRAME_RECEIVED_BODY_MAX and sends the headers before them.
 */
#define FRAME_RECEIVED_BODY_MAX (1u << 20)
static inline size_t
frame_body_max(enum api_operation operation)
{
	return operation == OPERATION_INBOX_RECEIVE ? FRAME_RECEIVED_BODY_MAX + (256u << 10) : FRAME_REQUEST_BODY_MAX;
}

/*
 * The extra time, in ms, for the reply of an operation: a test lasts up to the longest timeout_ms of an endpoint, plus
 * 2 s.
 */
static inline int64_t
frame_patience_ms(enum api_operation operation)
{
	return operation == OPERATION_ENDPOINT_TEST ? 302 * 1000 : 0;
}

/* Appends a frame to an empty buffer. The payload is at most FRAME_BYTES_MAX - FRAME_HEAD_BYTES. */
void frame_write(struct bytes *out, const struct frame *frame);

/* Writes the receiver into the frame at bytes. */
void frame_address(char *bytes, uint32_t receiver);

/* Reads a frame; its payload borrows from bytes. Returns whether it is valid. */
bool frame_read(struct span bytes, struct frame *frame);

/* Append a payload. frame_write_request() returns false, with *out unchanged, if it is too large for a frame. */
bool frame_write_request(struct bytes *out, const struct frame_request *request);
void frame_write_reply(struct bytes *out, const struct frame_reply *reply);
void frame_write_credit(struct bytes *out, uint32_t bytes);

/* Read a payload; the texts borrow from it. Return whether it is valid. */
bool frame_read_request(struct span payload, struct frame_request *request);
bool frame_read_reply(struct span payload, struct frame_reply *reply);
bool frame_read_credit(struct span payload, uint32_t *bytes);

#endif
