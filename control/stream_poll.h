/*
 * Finds which feeds have new rows, by one statement for all of a kind, so that a tenant without events costs the store
 * only a search in an index. For the streams' thread.
 */
#ifndef CONTROL_STREAM_POLL_H
#define CONTROL_STREAM_POLL_H

#include "base/error.h"
#include "control/stream_feed.h"
#include "store/db.h"

/*
 * Sets has_new_rows, has_window_rows and now_us of the feeds of that source that have begun. assume_rows: it does not
 * ask the store for rows, and each of these feeds reads. Returns as db_query().
 */
int stream_poll(
    struct stream_feed *feeds, const struct stream_source *source, bool assume_rows, struct db *db, struct error *err);

#endif
