/*
 * Reads a reply: its status, the three headers that the service uses, and the beginning of the body. Replies are
 * hostile. Pure; any thread.
 */
#ifndef COURIER_RESPONSE_H
#define COURIER_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/span.h"
#include "courier/attempt.h"

#define REPLY_HEAD_MAX (64 * 1024)
#define REPLY_BODY_MAX (64 * 1024)
#define REPLY_ORIGIN_MAX 280 /* scheme and host of a redirect's target */

/* All zero: nothing has been received. */
struct response {
	bool complete; /* the head is complete: the status decides */
	bool keep; /* keep the beginning of the body */
	int32_t status; /* 0: no status line yet */
	enum reply_directive directive;
	int64_t retry_after_ms; /* -1: none, or not readable */
	char redirect[REPLY_ORIGIN_MAX]; /* "https://example.com" of the header Location; "": none, or not readable */
	size_t head_bytes, body_bytes;
	struct bytes body; /* kept: at most ATTEMPT_RESPONSE_MAX */
};

void response_begin(struct response *reply, bool keep);

/*
 * Takes a line of the head with its line break: the status line, a header, or the empty line at the end. Skips
 * informational replies (1xx) and trailers. now_us is the wall clock. false: the head is too large.
 */
bool response_head(struct response *reply, struct span line, int64_t now_us);

/* Takes bytes of the body. false: enough has been read. */
bool response_body(struct response *reply, struct span bytes);

/* Writes the kept bytes as UTF-8, cut between characters. NUL and invalid bytes become U+FFFD. */
void response_text(const struct response *reply, char out[ATTEMPT_RESPONSE_MAX + 1]);

void response_free(struct response *reply);

#endif
