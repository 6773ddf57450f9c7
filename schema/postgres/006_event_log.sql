-- Migration 6: a table of which events were stored when, for GET /events/stream. Tables and rows of events stay as they are, and
-- nothing waits: the table is new and empty. hooksd writes there only while EVENT_STREAM_SECONDS is set.
--
-- Applied as migrations 1 to 5 are: by hooksd at start, by `hooksctl migrate`, or by hand with
--
--     psql "$DATABASE_URL" -f 006_event_log.sql
--
-- One transaction, in the schema that holds hook_events, without a lock on events. Run a second time it stops at its
-- first statement and changes nothing.

\set ON_ERROR_STOP on
BEGIN;

SELECT pg_advisory_xact_lock(448546171763);

DO $$
BEGIN
	IF to_regclass('hooks_schema_migrations') IS NULL THEN
		RAISE EXCEPTION 'migration 1 is missing: apply 001_hook_events.sql first, with the same search_path'
			USING ERRCODE = 'undefined_table';
	END IF;
	-- As in migration 2.
	PERFORM set_config('search_path', relnamespace::regnamespace || ', pg_temp', true)
		FROM pg_class WHERE oid = 'hooks_schema_migrations'::regclass;
	IF NOT EXISTS (SELECT FROM hooks_schema_migrations WHERE version = 5) THEN
		RAISE EXCEPTION 'migration 5 is missing: apply 005_webhooks.sql first'
			USING ERRCODE = 'undefined_table';
	END IF;
	IF EXISTS (SELECT FROM hooks_schema_migrations WHERE version = 6) THEN
		RAISE EXCEPTION 'migration 6 is already applied: it is in the table hooks_schema_migrations'
			USING ERRCODE = 'duplicate_object';
	END IF;
END
$$;

-- An index of hook_events by the time of storing would cost each event more than a part of a row here, and to build it would
-- take long where there are many events.
CREATE TABLE hook_event_log (
	stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	batch_id uuid NOT NULL DEFAULT gen_random_uuid(),
	first_day date NOT NULL,
	last_day date NOT NULL,
	event_ids uuid[] NOT NULL,
	PRIMARY KEY (stored_at, batch_id)
);
-- Random ids do not become smaller.
ALTER TABLE hook_event_log ALTER COLUMN event_ids SET STORAGE EXTERNAL;
COMMENT ON TABLE hook_event_log IS 'Which hook events were stored when: a row for each batch, written in its transaction, for GET /events/stream. hooksd removes rows that are older than EVENT_STREAM_SECONDS; anybody may empty the table.';
COMMENT ON COLUMN hook_event_log.stored_at IS 'When the batch was on its way into the table; its transaction was committed at most two STORE_TIMEOUT_MS later.';
COMMENT ON COLUMN hook_event_log.batch_id IS 'Tells batches of the same microsecond apart.';
COMMENT ON COLUMN hook_event_log.first_day IS 'The smallest created_date of these events.';
COMMENT ON COLUMN hook_event_log.last_day IS 'The greatest created_date of these events.';
COMMENT ON COLUMN hook_event_log.event_ids IS 'The ids of these events.';
COMMENT ON INDEX hook_event_log_pkey IS 'What was stored last.';

INSERT INTO hooks_schema_migrations (version, name) VALUES (6, 'event_log');

COMMIT;
