/* Reads hook events back from a database, for hooksctl export. Call it by store_read(). */
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
	const char *since, *until; /* bounds of the event's time, as above: included; excluded */
};

/* Takes an event, borrowed for the call. 0, or <0 with *err: ends the walk. */
typedef int event_fn(void *arg, const struct event_row *row, struct error *err);

#endif
