/* Times are 2026-11-22T03:54:40.123456Z, days their first ten characters; data is text, byte for byte. */
#include "store/sqlite/sqlite_row.h"

#include "base/format.h"

#define DAY_BYTES 10

/* tenant_id is left to its default. */
const char sqlite_row_sql[] =
    "INSERT INTO hook_events (event_id, timestamp, received_at, created_date, client_event_id, event_type, session_id, "
    "workflow_id, phase_id, milestone_id, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (event_id, created_date) DO NOTHING";

/* After the columns of fixed width, in the statement's order. */
static const enum record_string strings[] = {RECORD_CLIENT_EVENT_ID, RECORD_EVENT_TYPE, RECORD_SESSION_ID,
    RECORD_WORKFLOW_ID, RECORD_PHASE_ID, RECORD_MILESTONE_ID};

static int
bind_time(sqlite3_stmt *insert, int column, int64_t us, size_t len)
{
	char text[FORMAT_TIME_BYTES];

	format_time(us, text);
	return sqlite3_bind_text(insert, column, text, (int)len, SQLITE_TRANSIENT);
}

/* A null span binds NULL. */
static int
bind_span(sqlite3_stmt *insert, int column, struct span text)
{
	return sqlite3_bind_text64(insert, column, text.base, text.len, SQLITE_STATIC, SQLITE_UTF8);
}

int
sqlite_row_bind(sqlite3_stmt *insert, const struct record *record)
{
	char id[FORMAT_UUID_BYTES];
	int column = 1;

	format_uuid(record->event_id, id);
	int rc = sqlite3_bind_text(insert, column++, id, sizeof id, SQLITE_TRANSIENT);
	if (rc == SQLITE_OK)
		rc = bind_time(insert, column++, record->timestamp_us, FORMAT_TIME_BYTES);
	if (rc == SQLITE_OK)
		rc = bind_time(insert, column++, record->received_us, FORMAT_TIME_BYTES);
	if (rc == SQLITE_OK)
		rc = bind_time(insert, column++, record->timestamp_us, DAY_BYTES);
	for (size_t i = 0; rc == SQLITE_OK && i < sizeof strings / sizeof *strings; i++)
		rc = bind_span(insert, column++, record_string(record, strings[i]));
	return rc == SQLITE_OK ? bind_span(insert, column, record_data(record)) : rc;
}
