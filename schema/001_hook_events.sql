-- Migration 1: the table of events, partitioned by month, and the functions that keep its months.
--
-- hooksd runs this file at start (AUTO_MIGRATE=true) and `hooksctl migrate` runs it; a DBA may do the same by hand:
--
--     psql "$DATABASE_URL" -f 001_hook_events.sql
--
-- Everything happens in one transaction, in the first schema of the search_path. Run a second time it stops at its
-- first statement and changes nothing. Needs PostgreSQL 14 or newer and the right to create tables in that schema.

\set ON_ERROR_STOP on
BEGIN;

-- Replicas that start together take turns. The number is the ASCII of "hooks"; the lock ends with the transaction.
SELECT pg_advisory_xact_lock(448546171763);

DO $$
BEGIN
	IF to_regclass('hooks_schema_migrations') IS NOT NULL THEN
		RAISE EXCEPTION 'migration 1 is already applied: the table hooks_schema_migrations is there'
			USING ERRCODE = 'duplicate_object';
	END IF;
END
$$;

CREATE TABLE hooks_schema_migrations (
	version int PRIMARY KEY,
	name text NOT NULL,
	applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE hooks_schema_migrations IS 'Which migrations of hooksd this database has: one row each, written in the transaction of the migration itself.';
COMMENT ON COLUMN hooks_schema_migrations.version IS 'Number of the migration; the greatest one is the version of the schema.';
COMMENT ON COLUMN hooks_schema_migrations.name IS 'Name of its file, without number and ending.';
COMMENT ON COLUMN hooks_schema_migrations.applied_at IS 'Start of the transaction that applied it.';

-- Columns of a fixed width stand first, so that no row carries alignment padding.
CREATE TABLE hook_events (
	event_id uuid NOT NULL,
	"timestamp" timestamptz NOT NULL,
	received_at timestamptz NOT NULL DEFAULT now(),
	created_date date NOT NULL,
	tenant_id text NOT NULL DEFAULT 'default',
	client_event_id text,
	event_type text NOT NULL,
	session_id text NOT NULL,
	workflow_id text,
	phase_id text,
	milestone_id text,
	data jsonb NOT NULL DEFAULT '{}',
	-- A key of a partitioned table must contain the partition column. An event that is sent again carries the
	-- same timestamp, hence the same day, and is found out.
	PRIMARY KEY (event_id, created_date)
) PARTITION BY RANGE (created_date);
COMMENT ON TABLE hook_events IS 'Hook events of coding agents, one partition a month: hook_events_YYYY_MM, and hook_events_default for every other day.';
COMMENT ON COLUMN hook_events.event_id IS 'Id of the event: the client''s UUID, or the UUIDv5 of client_event_id, or a UUIDv7 made on arrival.';
COMMENT ON COLUMN hook_events."timestamp" IS 'When it happened, as the client says; when it arrived, if the client says nothing.';
COMMENT ON COLUMN hook_events.received_at IS 'When hooksd took it.';
COMMENT ON COLUMN hook_events.created_date IS 'The UTC day of timestamp; decides the partition. Name it in WHERE to read few partitions.';
COMMENT ON COLUMN hook_events.tenant_id IS 'Whose event it is; ''default'' while there is one tenant.';
COMMENT ON COLUMN hook_events.client_event_id IS 'The client''s own id when that is not a UUID.';
COMMENT ON COLUMN hook_events.event_type IS 'What happened: session_started, tool_execution_completed, ...';
COMMENT ON COLUMN hook_events.session_id IS 'The agent session it happened in.';
COMMENT ON COLUMN hook_events.workflow_id IS 'The workflow that session belongs to; any text.';
COMMENT ON COLUMN hook_events.phase_id IS 'The phase of that workflow.';
COMMENT ON COLUMN hook_events.milestone_id IS 'The milestone of that phase.';
COMMENT ON COLUMN hook_events.data IS 'The event''s payload. NUL and lone surrogate escapes, which jsonb cannot hold, are stored as U+FFFD.';

-- Indexes decide the speed of ingest, so there are few: the key finds duplicates, and these two serve the session
-- timeline and time ranges.
CREATE INDEX hook_events_session_id_timestamp_idx ON hook_events (session_id, "timestamp");
COMMENT ON INDEX hook_events_session_id_timestamp_idx IS 'Timeline of a session.';
CREATE INDEX hook_events_timestamp_brin ON hook_events USING brin ("timestamp");
COMMENT ON INDEX hook_events_timestamp_brin IS 'Time ranges; next to free because events arrive nearly in the order of time.';
COMMENT ON INDEX hook_events_pkey IS 'One row per event and day; what makes sending an event twice harmless.';

CREATE TABLE hook_events_default PARTITION OF hook_events DEFAULT;
COMMENT ON TABLE hook_events_default IS 'Events of days that no month''s partition covers. Normally empty: create_monthly_partition(year, month) moves them to their month.';

CREATE FUNCTION create_monthly_partition(year int, month int) RETURNS text
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
	SET lock_timeout = '2s'
AS $$
DECLARE
	first_day date;
	next_month date;
	partition text;
	qualified text;
	catch_all regclass;
	moved bigint := 0;
BEGIN
	IF year IS NULL OR year NOT BETWEEN 1 AND 9999 THEN
		RAISE EXCEPTION 'year must be between 1 and 9999, not %', coalesce(year::text, 'null')
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF month IS NULL OR month NOT BETWEEN 1 AND 12 THEN
		RAISE EXCEPTION 'month must be between 1 and 12, not %', coalesce(month::text, 'null')
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	first_day := make_date(year, month, 1);
	next_month := (first_day + interval '1 month')::date;
	partition := 'hook_events_' || to_char(first_day, 'YYYY_MM');
	-- Beside its parent, wherever the search_path would put a new table now.
	qualified := (SELECT relnamespace::regnamespace FROM pg_class WHERE oid = 'hook_events'::regclass)
		|| '.' || partition;

	-- The ordinary call finds its month there and takes no lock that anybody could notice.
	IF EXISTS (SELECT FROM pg_inherits
	           WHERE inhparent = 'hook_events'::regclass AND inhrelid = to_regclass(qualified)) THEN
		RETURN partition;
	END IF;

	-- ATTACH below needs this lock anyway; taking it first makes concurrent callers wait here for each other.
	LOCK TABLE ONLY hook_events IN SHARE UPDATE EXCLUSIVE MODE;
	IF EXISTS (SELECT FROM pg_inherits
	           WHERE inhparent = 'hook_events'::regclass AND inhrelid = to_regclass(qualified)) THEN
		RETURN partition;
	END IF;
	IF to_regclass(qualified) IS NOT NULL THEN
		RAISE EXCEPTION 'table % exists but is not a partition of hook_events: attach, rename or drop it', qualified
			USING ERRCODE = 'duplicate_table';
	END IF;

	-- Made aside and attached, because CREATE TABLE ... PARTITION OF would lock the parent against everything.
	EXECUTE format('CREATE TABLE %s (LIKE hook_events INCLUDING ALL)', qualified);
	EXECUTE format('COMMENT ON TABLE %s IS %L', qualified, 'Events of ' || to_char(first_day, 'YYYY-MM') || ' (UTC days).');

	SELECT partdefid::regclass INTO catch_all
		FROM pg_partitioned_table WHERE partrelid = 'hook_events'::regclass AND partdefid <> 0;
	IF catch_all IS NOT NULL THEN
		-- ATTACH takes this lock to look for rows of the month; nobody may add one before it does.
		EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', catch_all);
		EXECUTE format('WITH moved AS (DELETE FROM %s WHERE created_date >= %L AND created_date < %L RETURNING *) '
			'INSERT INTO %s SELECT * FROM moved', catch_all, first_day, next_month, qualified);
		GET DIAGNOSTICS moved = ROW_COUNT;
	END IF;

	EXECUTE format('ALTER TABLE hook_events ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)',
		qualified, first_day, next_month);
	IF moved > 0 THEN
		RAISE NOTICE '% events moved from % to %', moved, catch_all, partition;
	END IF;
	RETURN partition;
END
$$;
COMMENT ON FUNCTION create_monthly_partition(int, int) IS
'Makes the partition of a month and returns its name, hook_events_YYYY_MM; does nothing when it is there. Events of that month in the default partition move into it.
Locks, until the end of the transaction: SHARE UPDATE EXCLUSIVE on hook_events (events keep flowing into months that exist) and ACCESS EXCLUSIVE on the default partition (queries on hook_events, and events of days without a month, wait; a moment when the default partition is empty, else as long as reading it and moving the rows takes).
A lock that cannot be had within 2 seconds ends the call with SQLSTATE 55P03 and nothing changed: call it again. Call it in a transaction of its own.';

CREATE FUNCTION ensure_partitions(ahead int DEFAULT 3, today date DEFAULT (now() AT TIME ZONE 'UTC')::date)
	RETURNS TABLE (partition_name text, outcome text)
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
AS $$
DECLARE
	first_day date;
	existed boolean;
BEGIN
	IF ahead IS NULL OR ahead NOT BETWEEN 0 AND 120 THEN
		RAISE EXCEPTION 'ahead must be between 0 and 120 months, not %', coalesce(ahead::text, 'null')
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	FOR i IN 0 .. ahead LOOP
		first_day := (date_trunc('month', today::timestamp) + make_interval(months => i))::date;
		partition_name := 'hook_events_' || to_char(first_day, 'YYYY_MM');
		existed := EXISTS (SELECT FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
		                   WHERE inhparent = 'hook_events'::regclass AND relname = partition_name);
		BEGIN
			PERFORM create_monthly_partition(extract(year FROM first_day)::int, extract(month FROM first_day)::int);
			outcome := CASE WHEN existed THEN 'exists' ELSE 'created' END;
		EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
			outcome := 'busy';
		END;
		RETURN NEXT;
		-- What holds the lock now would hold it for the next month too, and queries queue up behind every attempt.
		EXIT WHEN outcome = 'busy';
	END LOOP;
END
$$;
COMMENT ON FUNCTION ensure_partitions(int, date) IS
'Makes the partitions of the month of today and of so many months ahead; hooksd calls it every hour. One row per month: ''exists'', ''created'', or ''busy'' when create_monthly_partition() did not get its locks, which ends the list: call it again later.';

CREATE FUNCTION get_partition_stats()
	RETURNS TABLE (partition_name text, row_count bigint, total_size text, index_size text,
	               total_bytes bigint, index_bytes bigint, range_from date, range_to date)
	LANGUAGE plpgsql STABLE
	SET search_path FROM CURRENT
AS $$
DECLARE
	part record;
BEGIN
	FOR part IN
		SELECT c.oid, c.relname, bounds[1]::date AS lower, bounds[2]::date AS upper
		FROM pg_inherits
		JOIN pg_class c ON c.oid = inhrelid
		LEFT JOIN regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''(.*)''\) TO \(''(.*)''\)') AS bounds ON true
		WHERE inhparent = 'hook_events'::regclass
		ORDER BY lower NULLS LAST, c.relname
	LOOP
		partition_name := part.relname;
		EXECUTE format('SELECT count(*) FROM %s', part.oid::regclass) INTO row_count;
		total_bytes := pg_total_relation_size(part.oid);
		index_bytes := pg_indexes_size(part.oid);
		total_size := pg_size_pretty(total_bytes);
		index_size := pg_size_pretty(index_bytes);
		range_from := part.lower;
		range_to := part.upper;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION get_partition_stats() IS
'One row per partition of hook_events, oldest first, the default partition (whose range is null) last. row_count is exact: it counts, so it reads every partition; sizes include indexes and TOAST. range_from is the first day, range_to the day after the last. Locks: ACCESS SHARE, as any query.';

INSERT INTO hooks_schema_migrations (version, name) VALUES (1, 'hook_events');

-- The table is ready for events of now and of the coming months.
SELECT partition_name, outcome FROM ensure_partitions(3);

COMMIT;
