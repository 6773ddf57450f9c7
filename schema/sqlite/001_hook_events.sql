-- Migration 1: the table of events, as in PostgreSQL but without months.
--
-- hooksd runs this file at start (AUTO_MIGRATE=true) and `hooksctl migrate` runs it; by hand:
--
--     sqlite3 -bail events.db < 001_hook_events.sql
--
-- Everything happens in one transaction. Run a second time it stops at its first statement and changes nothing.
-- Needs SQLite 3.37 or newer.

-- Before the first table or never: `PRAGMA incremental_vacuum` can give back the space of deleted events.
PRAGMA auto_vacuum = INCREMENTAL;

BEGIN IMMEDIATE;

-- Which migrations of hooksd this database has: one row each, written in the transaction of the migration itself.
CREATE TABLE hooks_schema_migrations (
	version INTEGER PRIMARY KEY,
	name TEXT NOT NULL,
	applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ'))
) STRICT;

-- Hook events of coding agents, in the order in which they were stored (rowid). Times are text that sorts by time and that
-- SQLite's date functions take: 2026-11-22T03:54:40.123456Z.
CREATE TABLE hook_events (
	event_id TEXT NOT NULL,        -- the client's UUID, or the UUIDv5 of client_event_id, or a UUIDv7 made on arrival
	"timestamp" TEXT NOT NULL,     -- when it happened, as the client says; when it arrived, if the client says nothing
	received_at TEXT NOT NULL,     -- when hooksd took it
	created_date TEXT NOT NULL,    -- the UTC day of timestamp
	tenant_id TEXT NOT NULL DEFAULT 'default', -- whose event it is; 'default' while there is one tenant
	client_event_id TEXT,          -- the client's own id when that is not a UUID
	event_type TEXT NOT NULL,      -- what happened: session_started, tool_execution_completed, ...
	session_id TEXT NOT NULL,      -- the agent session it happened in
	workflow_id TEXT,              -- the workflow that session belongs to; any text
	phase_id TEXT,                 -- the phase of that workflow
	milestone_id TEXT,             -- the milestone of that phase
	data TEXT NOT NULL DEFAULT '{}', -- the event's payload: JSON, byte for byte but for white space between tokens
	-- An event that is sent again carries the same timestamp, hence the same day, and is found to be there.
	PRIMARY KEY (event_id, created_date)
) STRICT;

-- Timeline of a session.
CREATE INDEX hook_events_session_id_timestamp_idx ON hook_events (session_id, "timestamp");
-- Time ranges, and deleting what is old. Cheap, because events arrive nearly in the order of time.
CREATE INDEX hook_events_timestamp_idx ON hook_events ("timestamp");

INSERT INTO hooks_schema_migrations (version, name) VALUES (1, 'hook_events');

COMMIT;
