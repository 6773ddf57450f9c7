/* A stream has a feed of each kind: both know what the streams of their tenant hold. */
#include "control/stream_room.h"

/* A client that takes its text for longer is slow: its stream may end if others of its tenant lack room. */
#define SLOW_US (2 * 1000 * 1000)

size_t
stream_room_count(struct stream_feed *feeds, struct stream *streams)
{
	size_t all = 0;

	for (struct stream_feed *feed = feeds; feed != NULL; feed = feed->next) {
		feed->held = feed->given_bytes = 0;
		feed->is_behind = feed->lacks_room = false;
	}
	for (struct stream *stream = streams; stream != NULL; stream = stream->next) {
		const size_t held = stream_held(stream);

		all += held;
		for (int kind = 0; kind < STREAM_KINDS; kind++) {
			const struct stream_reading *reading = &stream->readings[kind];

			if (reading->feed == NULL)
				continue;
			reading->feed->held += held;
			reading->feed->is_behind = reading->feed->is_behind || !reading->in_step;
		}
	}
	return all;
}

void
stream_room_give(struct stream_feed *feed, size_t held)
{
	const size_t free = held < STREAMS_BYTES_MAX ? STREAMS_BYTES_MAX - held : 0;

	feed->room = free > feed->held ? (free - feed->held) / 2 : 0;
}

static void
end_slowest(const struct stream_feed *feed, struct stream *streams, int64_t now_us)
{
	struct stream *slowest = NULL;
	int64_t longest_us = SLOW_US;

	for (struct stream *stream = streams; stream != NULL; stream = stream->next) {
		const int64_t lag_us =
		    stream->readings[feed->source->kind].feed == feed ? stream_lag_us(stream, now_us) : 0;

		if (lag_us < longest_us)
			continue;
		slowest = stream;
		longest_us = lag_us;
	}
	if (slowest != NULL)
		stream_end_slow(slowest);
}

void
stream_room_look(struct stream_feed *feeds, struct stream *streams, int64_t now_us)
{
	bool any = false;

	for (struct stream_feed *feed = feeds; feed != NULL; feed = feed->next)
		if (feed->lacks_room) {
			end_slowest(feed, streams, now_us);
			any = true;
		}
	for (struct stream *stream = streams; any && stream != NULL; stream = stream->next)
		stream_wake_when_taken(stream);
}
