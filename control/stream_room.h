/*
 * How much memory streams may take. The bytes that wait for clients are limited for all streams of the node together. A
 * tenant's streams get more only while they hold less than is free, so that a single tenant gets half of all and later
 * ones find room. A stream that gets no more is behind, and resumes when there is room. The streams' thread.
 */
#ifndef CONTROL_STREAM_ROOM_H
#define CONTROL_STREAM_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/stream.h"
#include "control/stream_feed.h"

/* The limit of all streams; each feed may exceed it by one frame. */
#define STREAMS_BYTES_MAX ((size_t)64 << 20)

/*
 * Sets of each feed how many bytes its tenant's streams hold and whether one is behind. Returns the bytes of all
 * streams.
 */
size_t stream_room_count(struct stream_feed *feeds, struct stream *streams);

/* Sets the feed's room; held: the bytes of all streams. */
void stream_room_give(struct stream_feed *feed, size_t held);

/*
 * Call it after a turn of all feeds. If any of them lacked room, the thread is woken as soon as a client takes text. Of
 * each tenant that lacked room, the stream of the slowest client ends if the client has been taking its text for
 * seconds.
 */
void stream_room_look(struct stream_feed *feeds, struct stream *streams, int64_t now_us);

#endif
