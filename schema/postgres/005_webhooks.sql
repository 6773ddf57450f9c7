-- Migration 5: hooks_distribute() also distributes the tables of webhooks, where they are. Tables and rows stay as they are.
--
-- Applied as migrations 1 to 4 are: by hooksd at start, by `hooksctl migrate`, or by hand with
--
--     psql "$DATABASE_URL" -f 005_webhooks.sql
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
	IF NOT EXISTS (SELECT FROM hooks_schema_migrations WHERE version = 4) THEN
		RAISE EXCEPTION 'migration 4 is missing: apply 004_months.sql first'
			USING ERRCODE = 'undefined_table';
	END IF;
	IF EXISTS (SELECT FROM hooks_schema_migrations WHERE version = 5) THEN
		RAISE EXCEPTION 'migration 5 is already applied: it is in the table hooks_schema_migrations'
			USING ERRCODE = 'duplicate_object';
	END IF;
END
$$;

ALTER FUNCTION hooks_distribute(int) RENAME TO hooks_distribute_events;
COMMENT ON FUNCTION hooks_distribute_events(int) IS 'Internal: what hooks_distribute() does for hook events.';

CREATE FUNCTION hooks_distribute(shards int DEFAULT NULL) RETURNS TABLE (object text, outcome text)
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
	SET datestyle = 'ISO, YMD'
	SET client_min_messages = warning -- Citus says much
AS $$
DECLARE
	-- The webhooks' migrations have made it.
	with_webhooks boolean := hooks_on_citus() AND to_regproc('hl_distribute') IS NOT NULL;
BEGIN
	IF with_webhooks THEN
		PERFORM pg_advisory_xact_lock(448546171763); -- no month is made meanwhile
		PERFORM hl_lock_to_distribute(); -- what cannot be is found out before hours of copying
	END IF;
	RETURN QUERY SELECT * FROM hooks_distribute_events(shards);
	IF with_webhooks THEN
		RETURN QUERY SELECT * FROM hl_distribute();
	END IF;
END
$$;
COMMENT ON FUNCTION hooks_distribute(int) IS
'For calling, on the coordinator, once, where Citus is: distributes hook_events by event_id, and the tables of webhooks, where they are, by tenant_id, over so many shards (null: two for each worker), makes reference tables of the small ones, and prepares what else hooksd needs on all nodes. One row per object; what is done already ''exists'', so it may be called again, after workers were added or the schema was upgraded. Rows that the tables have already are copied to the workers, then removed from the coordinator. Where webhooks are, stop hooksd before: it keeps their tables in use all the time.
Locks: ACCESS EXCLUSIVE on all of these tables until all is copied: everything waits, and hooksd spools. Asked for in attempts of 150 ms, for up to 10 seconds; then SQLSTATE 55P03, nothing is changed: call it again.
Refuses, with SQLSTATE 0A000 and the name of what is in the way, to distribute webhooks with unique indexes without tenant_id, triggers, or foreign keys to other tables.';
REVOKE ALL ON FUNCTION hooks_distribute(int) FROM PUBLIC;

INSERT INTO hooks_schema_migrations (version, name) VALUES (5, 'webhooks');

COMMIT;
