/* The sources of streams: a tenant's published events, its attempts, and hook events. For the streams' threads. */
#ifndef CONTROL_STREAM_SOURCES_H
#define CONTROL_STREAM_SOURCES_H

#include "config/config.h"
#include "control/stream_feed.h"

/* The topic and type of frames of attempts. */
#define STREAM_DELIVERIES_TOPIC "deliveries.status"

/* Sets the place behind which a stream with after_event begins. Returns as db_query(). */
int stream_find_event(struct db *db, const struct config *config, struct stream *stream, struct error *err);

const struct stream_source *stream_source_of(const struct config *config, enum stream_kind kind);

/* How old, by the source's clock, the place of a newly appearing row may be. */
int64_t stream_window_us(const struct config *config, enum stream_kind kind);

/*
 * How far back, in seconds, a place may be behind which the log of PostgreSQL still has everything: the place of a
 * frame may be a window older than its event.
 */
uint64_t stream_log_seconds(const struct config *config);

/* The most rows that a feed reads at a time. Events may be large, and those that were read are in memory together. */
#define STREAM_READ_ROWS 100u
#define STREAM_READ_BYTES (UINT64_C(256) << 20)

uint32_t stream_read_rows(const struct config *config, enum stream_kind kind);

#endif
