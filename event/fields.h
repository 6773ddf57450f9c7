/*
 * The fields of a hook event, one row each. These rows define the fields that ingest accepts, the strings of a record,
 * the columns of hook_events, and the keys of JSONL lines and dead letters. tests/lint/test_fields.py compares the
 * schemas and server/openapi/events.json with them. HACKING.md describes how to add a field.
 *
 *   TEXT    a string that is checked and stored unchanged. The order of these rows is the order in the record, and
 *           records outlive a release: add a new row after the last one
 *   VALUE   sent by clients, with its own rules (ingest/envelope.c) and its own form in the record
 *   MADE    derived by ingest, not sent by clients
 *
 * The columns of this table:
 *
 *   symbol    RECORD_<symbol>, FIELD_<symbol>, ROW_<symbol>
 *   key       in a request, and in a dead letter's payload
 *   limit     the most characters (Unicode code points) of a TEXT
 *   required  whether an event without it is refused
 *   column    of the table hook_events, and the key in a line of JSONL
 *   type      the column's type in PostgreSQL; in SQLite all are TEXT
 *
 * The id has no row, because every kind of record has one. It is the first column. The client's id is the id itself if
 * it is a UUID; otherwise it is kept as CLIENT_EVENT_ID and the id is derived from it. Another kind of record gets its
 * own list.
 */
#ifndef EVENT_FIELDS_H
#define EVENT_FIELDS_H

/* clang-format off */
#define HOOK_EVENT_FIELDS(TEXT, VALUE, MADE)                                                    \
	/*    symbol           key             limit required column             type */         \
	VALUE(TIMESTAMP,       "timestamp",    0,    false,   "timestamp",       timestamptz)    \
	MADE( RECEIVED_AT,     "received_at",  0,    false,   "received_at",     timestamptz)    \
	MADE( CREATED_DATE,    "created_date", 0,    false,   "created_date",    date)           \
	TEXT( EVENT_TYPE,      "event_type",   100,  true,    "event_type",      text)           \
	TEXT( SESSION_ID,      "session_id",   255,  true,    "session_id",      text)           \
	TEXT( CLIENT_EVENT_ID, "event_id",     255,  false,   "client_event_id", text)           \
	TEXT( WORKFLOW_ID,     "workflow_id",  255,  false,   "workflow_id",     text)           \
	TEXT( PHASE_ID,        "phase_id",     100,  false,   "phase_id",        text)           \
	TEXT( MILESTONE_ID,    "milestone_id", 100,  false,   "milestone_id",    text)           \
	VALUE(DATA,            "data",         0,    false,   "data",            jsonb)
/* clang-format on */

/* Expands to nothing: for the rows that a use of the list skips. */
#define NO_FIELD(...)

#endif
