/* Reading hook events back from a database, for a program of people's (hooksctl export). store_read() is the door. */
#ifndef STORE_EVENT_READER_H
#define STORE_EVENT_READER_H

#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "event/fields.h"

/* The columns of hook_events. */
#define HOOK_COLUMN(symbol, ...) HOOK_COLUMN_##symbol,
enum hook_column {
	HOOK_COLUMN_EVENT_ID,
	HOOK_EVENT_FIELDS(HOOK_COLUMN, HOOK_COLUMN, HOOK_COLUMN) HOOK_COLUMN_TENANT_ID,
	HOOK_COLUMNS
};
#undef HOOK_COLUMN

/* One event as texts, as SQLite has them: times are 2026-11-22T03:54:40.123456Z. base NULL: null. */
struct event_row {
	struct span columns[HOOK_COLUMNS];
};

/* Which events. NULL: all. */
struct event_wish {
	const char *session_id;
	const char *event_type;
	const char *since, *until; /* the time of the event, as above: from that one on; before that one */
};

/* Takes an event, which is borrowed for the call. 0, or <0 with *err: it is the last one. */
typedef int event_fn(void *arg, const struct event_row *row, struct error *err);

#endif
