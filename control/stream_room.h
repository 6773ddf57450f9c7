/*
 * How much memory streams may take. What clients have not got yet is bounded for all streams of the node together, and
 * a tenant's streams get more only while they hold less than is free: a tenant alone gets half of all, and whoever
 * comes later finds room. A stream that gets no more is behind, and reads on when there is room. The streams' thread.
 */
#ifndef CONTROL_STREAM_ROOM_H
#define CONTROL_STREAM_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/stream.h"
#include "control/stream_feed.h"

/* Of all streams; beyond it one frame of each feed at most. */
#define STREAMS_BYTES_MAX ((size_t)64 << 20)

/* Looks at each stream: what it holds, and whether it is behind. Returns what all of them hold. */
size_t stream_room_count(struct stream_feed *feeds, struct stream *streams);

/* Gives the feed its room, where all streams hold so much. */
void stream_room_give(struct stream_feed *feed, size_t held);

/*
 * After a turn of all feeds. Where room was lacking the thread is to be woken as soon as any text is taken, and of each
 * tenant that lacked it the client that has been taking its text for longest, if that is seconds, is ended.
 */
void stream_room_look(struct stream_feed *feeds, struct stream *streams, int64_t now_us);

#endif
