/*
 * A client of GET /v1/stream as control has it: what it asked for, how far it is, and the text that it has still to
 * get. A handler makes it; the thread of control/streams.h adds to the text and frees it; the loop's thread takes the
 * text and leaves in the end.
 */
#ifndef CONTROL_STREAM_H
#define CONTROL_STREAM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "control/filters.h"
#include "control/list_cursor.h"
#include "control/object_id.h"

struct stream_feed;

/* What a stream may carry. */
enum stream_kind { STREAM_EVENTS, STREAM_DELIVERIES, STREAM_KINDS };

/* The place of a row among those of its kind and its tenant: in the order of times, then of ids. */
struct stream_place {
	int64_t us; /* since 1970, by the store's clock */
	char id[OBJECT_ID_BYTES];
};

/* How far a stream is with one kind. Of the streams' thread. */
struct stream_reading {
	bool wanted;
	struct stream_feed *feed; /* NULL: not yet */
	bool in_step; /* it has had all that the feed has given; else it is behind, at `place` */
	struct stream_place place;
};

struct stream {
	struct stream *next; /* in the list of control/streams.h */
	char tenant_id[LIST_ID_BYTES];
	struct topic_filter topic;
	struct stream_reading readings[STREAM_KINDS];
	bool opened; /* its first bytes are in the text */
	void (*ring)(void *context); /* wakes the streams' thread */
	void *context;

	pthread_mutex_t lock; /* of what follows */
	struct bytes text;
	bool starved; /* the thread waits until text is taken */
	bool ended; /* nothing comes behind the text */
	bool left; /* the loop's thread does not know it any more */
	int64_t moved_us; /* steady: when text was last taken */
};

/* A stream that wants nothing yet, with its ring to be set. Never NULL. */
struct stream *stream_new(const char *tenant_id);

/* When nothing is in the list any more. */
void stream_free(struct stream *stream);

/* ---- the loop's thread ---- */

/*
 * Takes the text into *out, which is freed before; after a silence of 15 seconds that is a comment. Returns whether the
 * stream ends with it; some text comes with the end.
 */
bool stream_take(struct stream *stream, int64_t now_us, struct bytes *out);

/* Nobody reads it any more: the thread frees it. NULL is allowed. */
void stream_leave(struct stream *stream);

/* ---- the streams' thread ---- */

/* Whether there is room for another frame, however long. If not, the thread is woken when there is. */
bool stream_has_room(struct stream *stream);

/* Appends frames. */
void stream_add(struct stream *stream, const struct bytes *text);

/* Ends it, so that its client comes back. Any thread. */
void stream_end(struct stream *stream);

/* Whether the loop's thread has left it. Any thread. */
bool stream_is_left(struct stream *stream);

#endif
