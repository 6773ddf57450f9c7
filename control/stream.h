/*
 * A client of GET /v1/stream or GET /events/stream: what it asked for, its place, and the text that waits for it. A
 * handler makes the stream; the thread of control/streams.h adds text and frees the stream; the loop's thread takes the
 * text and leaves the stream in the end.
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
#include "control/stream_place.h"

struct stream_feed;

/* The kinds of rows that a stream may carry. */
enum stream_kind { STREAM_EVENTS, STREAM_DELIVERIES, STREAM_HOOK_EVENTS, STREAM_KINDS };

/* Which hook events a stream carries; "": all. */
struct hook_filter {
	char types[QUERY_VALUE_BYTES]; /* with commas between */
	char session[QUERY_VALUE_BYTES];
};

/* The place of a stream in one kind. For the streams' thread. */
struct stream_reading {
	bool wanted;
	struct stream_feed *feed; /* NULL: not yet */
	bool in_step; /* it has all rows that the feed has given; false: it is at `place` */
	struct stream_place place;
};

struct stream {
	struct stream *next; /* in the list of control/streams.h */
	uint64_t number; /* the list is in descending order of it */
	char tenant_id[LIST_ID_BYTES];
	struct topic_filter topic;
	struct hook_filter hooks; /* of hook events */
	struct stream_reading readings[STREAM_KINDS];
	char after_event[OBJECT_ID_BYTES]; /* the event behind which it begins, until its place is found; "": found */
	void (*ring)(void *context); /* wakes the streams' thread */
	void *context;

	pthread_mutex_t lock; /* guards what follows */
	struct bytes text;
	size_t taken; /* bytes of memory of the last taken text, until the client has it */
	bool opened; /* the client gets all that is committed from now on; the thread reads it without the lock */
	bool wake_when_taken; /* the thread waits until text is taken */
	bool ended; /* nothing follows the text */
	bool left; /* the loop's thread has left it */
	char resume[LIST_CURSOR_BYTES]; /* the Last-Event-ID of a client that has all text; "": not known */
	int64_t moved_us; /* steady: when text was last taken, or was added to none */
};

/* Makes a stream that wants nothing yet; the caller sets ring. Never NULL. */
struct stream *stream_new(const char *tenant_id);

/* Frees a stream that is in no list. */
void stream_free(struct stream *stream);

/* ---- the loop's thread ---- */

/*
 * Takes the text into *out, whose old text the client has and which is freed; after a silence of 15 seconds the text is
 * a comment, with an id if the place is known. A stream that is not opened yet gets a comment after a second: the
 * client gets the head of the reply with the first text. Returns whether the stream ends with it; the end comes with
 * some text.
 */
bool stream_take(struct stream *stream, int64_t now_us, struct bytes *out);

/* Leaves the stream, which nobody reads any more: the streams' thread frees it. NULL is allowed. */
void stream_leave(struct stream *stream);

/* ---- the streams' thread ---- */

/* Whether there is room for another frame, however long. If not, the thread is woken when there is room. */
bool stream_has_room(struct stream *stream);

/* The bytes of memory that the stream needs until its client has everything. */
size_t stream_held(struct stream *stream);

/* Wakes the thread as soon as text is taken from this stream. */
void stream_wake_when_taken(struct stream *stream);

/* Appends frames. */
void stream_add(struct stream *stream, const struct bytes *text);

/* The same with the first bytes of the reply: the client gets all that is committed from now on. */
void stream_set_opened(struct stream *stream, const struct bytes *text);

/* Sets the id by which a client that has all text so far resumes. It is forgotten when text is added. */
void stream_set_resume(struct stream *stream, const char *resume);

/* How long the client has been taking what it has, in microseconds. 0: it has everything. */
int64_t stream_lag_us(struct stream *stream, int64_t now_us);

/* Ends the stream of a slow client behind the taken text, with a comment that says why. */
void stream_end_slow(struct stream *stream);

/* Ends the stream, so that its client reconnects. Any thread. */
void stream_end(struct stream *stream);

/* Whether the loop's thread has left the stream. Any thread. */
bool stream_is_left(struct stream *stream);

#endif
