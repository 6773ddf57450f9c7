/* A mailbox between two threads. */
#include "control/stream.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

/* Proxies end silent connections after a minute, rarely after half a minute. */
#define SILENCE_US (15 * 1000 * 1000)
/* A client learns within this time that it is connected. */
#define FIRST_SILENCE_US (1000 * 1000)
/* A stream with this much waiting text gets more only after its client has read. */
#define ROOM_BYTES ((size_t)64 << 10)

/* Lines that server-sent events ignore. The first one means that the stream is opened. */
static const char comment[] = ":\n\n";
static const char waiting[] = ": waiting for the store\n\n";
static const char too_slow[] = ": this client reads too slowly: connect again with the last id\n\n";

struct stream *
stream_new(const char *tenant_id)
{
	struct stream *stream = mem_new(1, sizeof *stream);

	(void)snprintf(stream->tenant_id, sizeof stream->tenant_id, "%s", tenant_id);
	stream->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	stream->moved_us = clock_steady_us() - SILENCE_US + FIRST_SILENCE_US;
	return stream;
}

void
stream_free(struct stream *stream)
{
	bytes_free(&stream->text);
	free(stream);
}

/* With the lock. */
static void
add_comment(struct stream *stream)
{
	if (stream->resume[0] != '\0') {
		bytes_add_text(&stream->text, ":\nid: ");
		bytes_add_text(&stream->text, stream->resume);
		bytes_add_text(&stream->text, "\n\n");
	} else {
		bytes_add_text(&stream->text, stream->opened ? comment : waiting);
	}
}

bool
stream_take(struct stream *stream, int64_t now_us, struct bytes *out)
{
	bool wake_when_taken, ended;

	bytes_free(out);
	pthread_mutex_lock(&stream->lock);
	if (stream->text.len == 0 && now_us - stream->moved_us >= SILENCE_US)
		add_comment(stream);
	if (stream->text.len > 0) {
		*out = stream->text;
		stream->text = (struct bytes){0};
		stream->moved_us = now_us;
	}
	stream->taken = out->capacity;
	wake_when_taken = stream->wake_when_taken;
	stream->wake_when_taken = false;
	ended = stream->ended;
	pthread_mutex_unlock(&stream->lock);
	if (wake_when_taken)
		stream->ring(stream->context);
	return ended;
}

void
stream_leave(struct stream *stream)
{
	void (*ring)(void *context);
	void *context;

	if (stream == NULL)
		return;
	ring = stream->ring;
	context = stream->context;
	pthread_mutex_lock(&stream->lock);
	stream->left = true;
	pthread_mutex_unlock(&stream->lock);
	ring(context);
}

bool
stream_has_room(struct stream *stream)
{
	bool room;

	pthread_mutex_lock(&stream->lock);
	room = stream->text.len < ROOM_BYTES;
	if (!room)
		stream->wake_when_taken = true;
	pthread_mutex_unlock(&stream->lock);
	return room;
}

static size_t
held(const struct stream *stream)
{
	return stream->text.capacity + stream->taken;
}

size_t
stream_held(struct stream *stream)
{
	size_t bytes;

	pthread_mutex_lock(&stream->lock);
	bytes = held(stream);
	pthread_mutex_unlock(&stream->lock);
	return bytes;
}

void
stream_wake_when_taken(struct stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	stream->wake_when_taken = true;
	pthread_mutex_unlock(&stream->lock);
}

/* With the lock. */
static void
add(struct stream *stream, const struct bytes *text)
{
	if (stream->ended)
		return;
	if (held(stream) == 0)
		stream->moved_us = clock_steady_us();
	bytes_add(&stream->text, text->base, text->len);
	stream->resume[0] = '\0';
}

void
stream_add(struct stream *stream, const struct bytes *text)
{
	pthread_mutex_lock(&stream->lock);
	add(stream, text);
	pthread_mutex_unlock(&stream->lock);
}

void
stream_set_opened(struct stream *stream, const struct bytes *text)
{
	pthread_mutex_lock(&stream->lock);
	stream->opened = true;
	add(stream, text);
	pthread_mutex_unlock(&stream->lock);
}

void
stream_set_resume(struct stream *stream, const char *resume)
{
	pthread_mutex_lock(&stream->lock);
	(void)snprintf(stream->resume, sizeof stream->resume, "%s", resume);
	pthread_mutex_unlock(&stream->lock);
}

int64_t
stream_lag_us(struct stream *stream, int64_t now_us)
{
	int64_t lag_us;

	pthread_mutex_lock(&stream->lock);
	lag_us = held(stream) > 0 && !stream->ended ? now_us - stream->moved_us : 0;
	pthread_mutex_unlock(&stream->lock);
	return lag_us;
}

void
stream_end_slow(struct stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	if (!stream->ended) {
		bytes_free(&stream->text);
		bytes_add_text(&stream->text, too_slow);
	}
	stream->ended = true;
	pthread_mutex_unlock(&stream->lock);
}

void
stream_end(struct stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	if (!stream->ended)
		bytes_add_text(&stream->text, comment);
	stream->ended = true;
	pthread_mutex_unlock(&stream->lock);
}

bool
stream_is_left(struct stream *stream)
{
	bool left;

	pthread_mutex_lock(&stream->lock);
	left = stream->left;
	pthread_mutex_unlock(&stream->lock);
	return left;
}
