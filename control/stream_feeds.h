/* The list of feeds of control/streams.c: one for each kind and tenant that a stream wants. For the streams' thread. */
#ifndef CONTROL_STREAM_FEEDS_H
#define CONTROL_STREAM_FEEDS_H

#include "config/config.h"
#include "control/stream_feed.h"

/* Gives each stream of the list the feeds that it wants, and makes those that are not there. */
void stream_feeds_find(struct stream_feed **feeds, const struct config *config, struct stream *streams);

/* Frees the feeds that no stream of the list has. */
void stream_feeds_tidy(struct stream_feed **feeds, const struct stream *streams);

/* Moves the feed to the end, so that a failing feed does not block the others in the next turn. */
void stream_feeds_put_last(struct stream_feed **feeds, struct stream_feed *feed);

#endif
