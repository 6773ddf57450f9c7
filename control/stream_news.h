/*
 * Which feeds have something to read: one statement for all of a kind, so that a tenant without events costs the store
 * only a search in an index. The streams' thread.
 */
#ifndef CONTROL_STREAM_NEWS_H
#define CONTROL_STREAM_NEWS_H

#include "base/error.h"
#include "control/stream_feed.h"
#include "store/db.h"

/*
 * Asks for the feeds of that source which have begun: sets has_news, has_window and now_us. blindly: does not ask, so
 * that each of them reads. Returns as db_query().
 */
int stream_news_ask(
    struct stream_feed *feeds, const struct stream_source *source, bool blindly, struct db *db, struct error *err);

#endif
