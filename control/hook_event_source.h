/* Hook events as streams have them. The streams' thread. */
#ifndef CONTROL_HOOK_EVENT_SOURCE_H
#define CONTROL_HOOK_EVENT_SOURCE_H

#include "control/stream_feed.h"
#include "store/event_log.h"

/* Of the log of PostgreSQL, and of the rows of SQLite (store/event_log.h). */
extern const struct stream_source stream_hook_log, stream_hook_rows;

/* The last rows that a look finds again, twice their number. */
#define STREAM_HOOK_ROWS_WINDOW (2 * EVENT_LOG_ROWS_AGAIN)

/* Whether a list of types, with commas between, has that one; an empty list has all. Pure. */
bool hook_types_have(const char *types, struct span type);

#endif
