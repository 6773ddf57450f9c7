/* What streams are made of: a tenant's published events, and its attempts at delivery. The streams' thread. */
#ifndef CONTROL_STREAM_SOURCES_H
#define CONTROL_STREAM_SOURCES_H

#include "config/config.h"
#include "control/stream_feed.h"

/* The topic, and the type, of the frames that tell of attempts. */
#define STREAM_DELIVERIES_TOPIC "deliveries.status"

/* By kind. */
extern const struct stream_source *const stream_sources[STREAM_KINDS];

/* How long ago a row that appears may have got its place. */
int64_t stream_window_us(const struct config *config, enum stream_kind kind);

#endif
