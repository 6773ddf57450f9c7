/* Times are written as 2026-11-22T03:54:40.123456Z, days as their first ten characters; data is text, byte for byte. */
#include "store/sqlite/sqlite_row.h"

#include "base/format.h"
#include "event/fields.h"

#define DAY_BYTES 10

#define COMMA_NAME(symbol, key, limit, required, column, type) ", " column
#define COMMA_PLACE(...) ", ?"
#define NAMES "event_id" HOOK_EVENT_FIELDS(COMMA_NAME, COMMA_NAME, COMMA_NAME) ", tenant_id"
#define PLACES "?" HOOK_EVENT_FIELDS(COMMA_PLACE, COMMA_PLACE, COMMA_PLACE) ", ?"

const char sqlite_row_sql[] =
    "INSERT INTO hook_events (" NAMES ") VALUES (" PLACES ") ON CONFLICT (event_id, created_date) DO NOTHING";

/* The numbers of the statement's parameters. */
#define PLACE(symbol, ...) PLACE_##symbol,
enum { PLACE_EVENT_ID = 1, HOOK_EVENT_FIELDS(PLACE, PLACE, PLACE) PLACE_TENANT_ID };

static int
bind_time(sqlite3_stmt *insert, int place, int64_t us, size_t len)
{
	char text[FORMAT_TIME_BYTES];

	format_time(us, text);
	return sqlite3_bind_text(insert, place, text, (int)len, SQLITE_TRANSIENT);
}

/* A null span binds NULL. */
static int
bind_span(sqlite3_stmt *insert, int place, struct span text)
{
	return sqlite3_bind_text64(insert, place, text.base, text.len, SQLITE_STATIC, SQLITE_UTF8);
}

int
sqlite_row_bind(sqlite3_stmt *insert, const struct record *record)
{
	char id[FORMAT_UUID_BYTES];
	int rc;

	format_uuid(record->event_id, id);
	rc = sqlite3_bind_text(insert, PLACE_EVENT_ID, id, sizeof id, SQLITE_TRANSIENT);
	if (rc == SQLITE_OK)
		rc = bind_time(insert, PLACE_TIMESTAMP, record->timestamp_us, FORMAT_TIME_BYTES);
	if (rc == SQLITE_OK)
		rc = bind_time(insert, PLACE_RECEIVED_AT, record->received_us, FORMAT_TIME_BYTES);
	if (rc == SQLITE_OK)
		rc = bind_time(insert, PLACE_CREATED_DATE, record->timestamp_us, DAY_BYTES);
#define BIND_TEXT(symbol, ...)                                                                                         \
	if (rc == SQLITE_OK)                                                                                           \
		rc = bind_span(insert, PLACE_##symbol, record_string(record, RECORD_##symbol));
	HOOK_EVENT_FIELDS(BIND_TEXT, NO_FIELD, NO_FIELD)
	if (rc == SQLITE_OK)
		rc = bind_span(insert, PLACE_DATA, record_data(record));
	return rc == SQLITE_OK ? bind_span(insert, PLACE_TENANT_ID, record_tenant_name(record)) : rc;
}
