-- Migration 2: what a table that lives for years needs: a place for events that were refused, an archive for months that
-- are over, and indexes for those who analyse them.
--
-- Applied as migration 1 is: by hooksd at start, by `hooksctl migrate`, or by hand with
--
--     psql "$DATABASE_URL" -f 002_upkeep.sql
--
-- One transaction, in the schema that holds hook_events. It adds tables and functions and takes no lock on events. Run
-- a second time it stops at its first statement and changes nothing.

\set ON_ERROR_STOP on
BEGIN;

SELECT pg_advisory_xact_lock(448546171763);

DO $$
BEGIN
	IF to_regclass('hooks_schema_migrations') IS NULL THEN
		RAISE EXCEPTION 'migration 1 is missing: apply 001_hook_events.sql first, with the same search_path'
			USING ERRCODE = 'undefined_table';
	END IF;
	-- Beside the tables of migration 1, whatever else the search_path names; pg_temp stands last so that nobody's
	-- temporary table is taken for one of these. The functions below keep this path.
	PERFORM set_config('search_path', relnamespace::regnamespace || ', pg_temp', true)
		FROM pg_class WHERE oid = 'hooks_schema_migrations'::regclass;
	IF EXISTS (SELECT FROM hooks_schema_migrations WHERE version = 2) THEN
		RAISE EXCEPTION 'migration 2 is already applied: it is in the table hooks_schema_migrations'
			USING ERRCODE = 'duplicate_object';
	END IF;
END
$$;

CREATE TABLE hook_events_dead_letters (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	refused_at timestamptz NOT NULL DEFAULT now(),
	sqlstate text NOT NULL,
	message text NOT NULL,
	event_id uuid NOT NULL,
	created_date date NOT NULL,
	event_type text NOT NULL,
	session_id text NOT NULL,
	payload text NOT NULL,
	-- A batch that is stored a second time keeps one letter: INSERT ... ON CONFLICT DO NOTHING.
	UNIQUE (event_id, created_date)
);
COMMENT ON TABLE hook_events_dead_letters IS 'Events that PostgreSQL refused for good, one row each, with the reason. `hooksctl deadletter` lists them and tries them again.';
COMMENT ON COLUMN hook_events_dead_letters.id IS 'The number that `hooksctl deadletter` knows it by.';
COMMENT ON COLUMN hook_events_dead_letters.refused_at IS 'When it was refused.';
COMMENT ON COLUMN hook_events_dead_letters.sqlstate IS 'SQLSTATE of the refusal: 22003 for a number out of range, 23514 for a CHECK, ...';
COMMENT ON COLUMN hook_events_dead_letters.message IS 'What PostgreSQL said.';
COMMENT ON COLUMN hook_events_dead_letters.event_id IS 'hook_events.event_id, had it been stored.';
COMMENT ON COLUMN hook_events_dead_letters.created_date IS 'hook_events.created_date, had it been stored.';
COMMENT ON COLUMN hook_events_dead_letters.event_type IS 'The event''s type.';
COMMENT ON COLUMN hook_events_dead_letters.session_id IS 'The event''s session.';
COMMENT ON COLUMN hook_events_dead_letters.payload IS 'The whole event as JSON, as POST /events takes it, with data byte for byte, and received_at.';

-- Functions, for DBAs: they act with the rights of the caller, who must be the owner of the tables (or a member of that
-- role, or a superuser). Those named hooks_... are parts of the others and not for calling.

CREATE FUNCTION hooks_keep_from(months_to_keep int) RETURNS date
	LANGUAGE plpgsql STABLE
	SET search_path FROM CURRENT
AS $$
BEGIN
	IF months_to_keep IS NULL OR months_to_keep NOT BETWEEN 0 AND 1200 THEN
		RAISE EXCEPTION 'months_to_keep must be between 0 and 1200, not %', coalesce(months_to_keep::text, 'null')
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	RETURN date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => months_to_keep);
END
$$;
COMMENT ON FUNCTION hooks_keep_from(int) IS 'Internal: the first day of the oldest month to keep, so many before the month of today (UTC).';

CREATE FUNCTION hooks_one_at_a_time() RETURNS void
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
AS $$
BEGIN
	IF NOT pg_try_advisory_xact_lock(448546171765) THEN
		RAISE EXCEPTION 'another call that archives, restores or drops months is under way: call again when it has ended'
			USING ERRCODE = 'lock_not_available';
	END IF;
END
$$;
COMMENT ON FUNCTION hooks_one_at_a_time() IS 'Internal: until the end of the transaction nobody else gets past this.';

CREATE FUNCTION hooks_add_to_archive(partition regclass, archived regclass) RETURNS void
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
AS $$
BEGIN
	EXECUTE format('INSERT INTO %s (%s) SELECT %2$s FROM %s ON CONFLICT DO NOTHING', archived, hooks_columns(), partition);
END
$$;
COMMENT ON FUNCTION hooks_add_to_archive(regclass, regclass) IS 'Internal: copies the rows that an archived month lacks.';

CREATE FUNCTION hooks_archive_months(partitions regclass[]) RETURNS void
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
	SET lock_timeout = '150ms'
AS $$
DECLARE
	part record;
BEGIN
	IF to_regnamespace('hooks_archive') IS NULL THEN
		EXECUTE format('CREATE SCHEMA hooks_archive AUTHORIZATION %s',
			(SELECT relowner::regrole FROM pg_class WHERE oid = 'hook_events'::regclass));
		COMMENT ON SCHEMA hooks_archive IS 'Months that archive_old_partitions() took out of hook_events.';
	END IF;

	-- Late events may have made a month anew that is archived already: they join it. Most of that work is done here,
	-- before anybody has to wait.
	FOR part IN
		SELECT c.oid::regclass AS partition, to_regclass('hooks_archive.' || c.relname) AS archived
		FROM pg_class c WHERE c.oid = ANY (partitions)
	LOOP
		IF part.archived IS NOT NULL THEN
			PERFORM hooks_add_to_archive(part.partition, part.archived);
		END IF;
	END LOOP;

	PERFORM set_config('lock_timeout', '11s', true);
	PERFORM pg_advisory_xact_lock(448546171763); -- no month is made meanwhile
	PERFORM set_config('lock_timeout', '150ms', true);
	PERFORM hooks_lock(array_remove(ARRAY['hook_events'::regclass, hooks_default_partition()] || partitions, NULL),
		'ACCESS EXCLUSIVE', interval '10s');

	-- From here to the end of the transaction everybody waits.
	FOR part IN
		SELECT c.oid::regclass AS partition, to_regclass('hooks_archive.' || c.relname) AS archived
		FROM pg_class c WHERE c.oid = ANY (partitions)
	LOOP
		EXECUTE format('ALTER TABLE hook_events DETACH PARTITION %s', part.partition);
		IF part.archived IS NULL THEN
			EXECUTE format('ALTER TABLE %s SET SCHEMA hooks_archive', part.partition);
		ELSE
			PERFORM hooks_add_to_archive(part.partition, part.archived);
			EXECUTE format('DROP TABLE %s', part.partition);
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION hooks_archive_months(regclass[]) IS 'Internal: detaches months and moves them to the schema hooks_archive, all or none.';

CREATE FUNCTION archive_old_partitions(months_to_keep int DEFAULT 3, dry_run boolean DEFAULT false)
	RETURNS TABLE (partition_name text, row_count bigint, total_size text, total_bytes bigint,
	               range_from date, range_to date, outcome text)
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
AS $$
DECLARE
	keep_from date := hooks_keep_from(months_to_keep);
	months regclass[];
	counts bigint[];
	part record;
BEGIN
	IF NOT dry_run THEN
		PERFORM hooks_one_at_a_time();
	END IF;
	FOR part IN
		SELECT p.partition FROM hooks_partitions() p WHERE p.is_month AND p.range_to <= keep_from ORDER BY p.range_from
	LOOP
		months := months || part.partition;
		EXECUTE format('SELECT $1 || count(*) FROM %s', part.partition) INTO counts USING counts;
	END LOOP;
	IF months IS NULL THEN
		RETURN;
	END IF;

	-- What is told of a month is read before it moves.
	FOR part IN
		SELECT p.*, m.rows, pg_total_relation_size(p.partition) AS bytes,
		       to_regclass('hooks_archive.' || p.name) IS NOT NULL AS archived
		FROM hooks_partitions() p JOIN unnest(months, counts) AS m (partition, rows) USING (partition)
	LOOP
		partition_name := part.name;
		row_count := part.rows;
		total_size := pg_size_pretty(part.bytes);
		total_bytes := part.bytes;
		range_from := part.range_from;
		range_to := part.range_to;
		outcome := CASE WHEN dry_run THEN 'would be ' ELSE '' END
			|| CASE WHEN part.archived THEN 'added to the archive' ELSE 'archived' END;
		RETURN NEXT;
	END LOOP;
	IF NOT dry_run THEN
		PERFORM hooks_archive_months(months);
	END IF;
END
$$;
COMMENT ON FUNCTION archive_old_partitions(int, boolean) IS
'Takes the months before the last months_to_keep ones (the month of today, UTC, is kept besides) out of hook_events: all of them move, as they are, to the schema hooks_archive, or none. One row per month; with dry_run nothing else happens. Call it again whenever: with nothing to do it returns no row. row_count was counted, and the sizes taken, just before. A month that is in the archive already, because late events made it anew, is ''added to the archive''. Partitions with other names or ranges than create_monthly_partition() gives are left alone.
Locks: ACCESS SHARE on these months while counting; then, for the few milliseconds that detaching takes, ACCESS EXCLUSIVE on hook_events, the default partition and these months: everything waits. They are asked for in attempts of 150 ms, for up to 10 seconds; then the call ends with SQLSTATE 55P03, says who is in the way, and nothing is changed: call it again. Call it in a transaction of its own: one left open for 5 seconds is ended by the server.';

CREATE FUNCTION restore_archived_partition(year int, month int) RETURNS text
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
	SET lock_timeout = '11s'
AS $$
DECLARE
	first_day date := hooks_first_day(year, month);
	partition_name text := hooks_partition_name(first_day);
	archived regclass := to_regclass('hooks_archive.' || partition_name);
	attached regclass := (SELECT p.partition FROM hooks_partitions() p WHERE p.name = partition_name);
BEGIN
	PERFORM hooks_one_at_a_time();
	IF archived IS NULL AND attached IS NOT NULL THEN
		RAISE NOTICE '% is a partition of hook_events: nothing to restore', partition_name;
		RETURN partition_name;
	END IF;
	IF archived IS NULL THEN
		RAISE EXCEPTION 'there is no table %: the archive holds %', 'hooks_archive.' || partition_name,
			coalesce((SELECT string_agg(tablename, ', ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'hooks_archive'), 'nothing')
			USING ERRCODE = 'undefined_table';
	END IF;

	PERFORM hooks_lock(ARRAY[archived], 'ACCESS EXCLUSIVE', interval '10s');
	PERFORM hooks_prepare_month(archived, first_day);
	IF attached IS NOT NULL THEN
		PERFORM hooks_archive_months(ARRAY[attached]);
	END IF;
	PERFORM pg_advisory_xact_lock(448546171763);
	EXECUTE format('ALTER TABLE %s SET SCHEMA %s', archived,
		(SELECT relnamespace::regnamespace FROM pg_class WHERE oid = 'hook_events'::regclass));
	PERFORM hooks_attach_month(archived, first_day, interval '10s');
	RETURN partition_name;
END
$$;
COMMENT ON FUNCTION restore_archived_partition(int, int) IS
'Makes an archived month a partition of hook_events again and returns its name; does nothing when it is one. Events of that month that came since, in the default partition or in a partition made anew, join it.
Locks: ACCESS EXCLUSIVE on the archived table while it is read once; then, for a moment, SHARE UPDATE EXCLUSIVE on hook_events (events keep flowing) and ACCESS EXCLUSIVE on the default partition (queries wait, and events of days without a month), as create_monthly_partition(); and when the month was made anew, ACCESS EXCLUSIVE on hook_events, as archive_old_partitions(). SQLSTATE 55P03: nothing is changed, call it again. Call it in a transaction of its own.';

CREATE FUNCTION drop_archived_partitions(months_to_keep int, confirm text DEFAULT NULL)
	RETURNS TABLE (partition_name text, row_count bigint, total_size text, total_bytes bigint,
	               range_from date, range_to date, outcome text)
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
AS $$
DECLARE
	keep_from date := hooks_keep_from(months_to_keep);
	phrase text := 'drop months before ' || to_char(keep_from, 'YYYY-MM');
	part record;
BEGIN
	IF confirm <> phrase THEN
		RAISE EXCEPTION 'nothing is dropped: with months_to_keep = % the confirmation is ''%'', not ''%''',
			months_to_keep, phrase, confirm
			USING ERRCODE = 'invalid_parameter_value',
			      HINT = format('SELECT * FROM drop_archived_partitions(%s) shows what would be dropped.', months_to_keep);
	END IF;
	PERFORM hooks_one_at_a_time();
	FOR part IN
		SELECT c.oid::regclass AS archived, c.relname, m.first_day, (m.first_day + interval '1 month')::date AS next_month,
		       pg_total_relation_size(c.oid) AS bytes
		FROM pg_class c
		CROSS JOIN LATERAL (SELECT CASE WHEN c.relname ~ '^hook_events_\d{4}_(0[1-9]|1[0-2])$'
		                           THEN to_date(right(c.relname, 7), 'YYYY_MM') END AS first_day) AS m
		WHERE c.relnamespace = to_regnamespace('hooks_archive') AND c.relkind = 'r' AND m.first_day < keep_from
		ORDER BY m.first_day
	LOOP
		partition_name := part.relname;
		EXECUTE format('SELECT count(*) FROM %s', part.archived) INTO row_count;
		total_size := pg_size_pretty(part.bytes);
		total_bytes := part.bytes;
		range_from := part.first_day;
		range_to := part.next_month;
		outcome := 'would be dropped';
		IF confirm IS NOT NULL THEN
			PERFORM hooks_lock(ARRAY[part.archived], 'ACCESS EXCLUSIVE', interval '10s');
			EXECUTE format('DROP TABLE %s', part.archived);
			outcome := 'dropped';
		END IF;
		RETURN NEXT;
	END LOOP;
	IF FOUND AND confirm IS NULL THEN
		RAISE NOTICE 'to drop these for ever: SELECT * FROM drop_archived_partitions(%, ''%'')', months_to_keep, phrase;
	END IF;
END
$$;
COMMENT ON FUNCTION drop_archived_partitions(int, text) IS
'Drops the archived months before the last months_to_keep ones (counted as archive_old_partitions() counts), all of them or none: there is no way back. Without confirm it shows what it would drop and drops nothing; confirm must say ''drop months before YYYY-MM'' with the first month to keep, which that preview tells. Never touches hook_events.
Locks: ACCESS SHARE on these tables while counting, ACCESS EXCLUSIVE to drop them. Nobody who stores or queries events notices.';

CREATE FUNCTION hooks_month_of(year int, month int, OUT partition regclass, OUT schema text, OUT name text, OUT is_over boolean)
	LANGUAGE plpgsql STABLE
	SET search_path FROM CURRENT
AS $$
DECLARE
	wanted text := hooks_partition_name(hooks_first_day(year, month));
BEGIN
	SELECT p.partition, c.relnamespace::regnamespace, p.name, p.range_to <= (now() AT TIME ZONE 'UTC')::date
		INTO partition, schema, name, is_over
		FROM hooks_partitions() p JOIN pg_class c ON c.oid = p.partition
		WHERE p.name = wanted;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'hook_events has no partition %', wanted
			USING ERRCODE = 'undefined_table',
			      HINT = 'SELECT * FROM get_partition_stats() lists the partitions; restore_archived_partition(year, month) brings an archived month back.';
	END IF;
END
$$;
COMMENT ON FUNCTION hooks_month_of(int, int) IS 'Internal: the partition of a month, or an error.';

CREATE FUNCTION hooks_analytics_indexes(OUT suffix text, OUT definition text, OUT purpose text)
	RETURNS SETOF record
	LANGUAGE sql IMMUTABLE
	SET search_path FROM CURRENT
AS $$
	VALUES ('analytics_type', '(event_type, "timestamp")', 'Events of a type in a time range.'),
	       ('analytics_workflow', '(workflow_id, "timestamp") WHERE workflow_id IS NOT NULL', 'Events of a workflow.'),
	       ('analytics_data', 'USING gin (data jsonb_path_ops)', 'Events whose data contains something: data @> ''{"tool_name": "Bash"}''.')
$$;
COMMENT ON FUNCTION hooks_analytics_indexes() IS 'Internal: the indexes that build_analytics_indexes() builds.';

CREATE FUNCTION build_analytics_indexes(year int, month int, force boolean DEFAULT false, dry_run boolean DEFAULT false)
	RETURNS TABLE (index_name text, statement text, total_size text, total_bytes bigint, outcome text)
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
	SET lock_timeout = '150ms'
AS $$
DECLARE
	part record := hooks_month_of(year, month);
	index record;
	found_index regclass;
BEGIN
	IF NOT (part.is_over OR force OR dry_run) THEN
		RAISE EXCEPTION '% is not over: its events would wait while the indexes are built', part.name
			USING ERRCODE = 'object_not_in_prerequisite_state',
			      HINT = format('To build them while events flow, in psql: SELECT statement FROM build_analytics_indexes(%s, %s, dry_run => true) \gexec -- or, to let events wait, say force => true.', year, month);
	END IF;
	FOR index IN SELECT * FROM hooks_analytics_indexes() LOOP
		index_name := part.name || '_' || index.suffix;
		statement := format('CREATE INDEX CONCURRENTLY IF NOT EXISTS %I ON %s %s', index_name, part.partition, index.definition);
		found_index := to_regclass(part.schema || '.' || index_name);
		IF found_index IS NOT NULL THEN
			outcome := 'exists';
			IF NOT (SELECT indisvalid FROM pg_index WHERE indexrelid = found_index) THEN
				outcome := 'unusable, its building was interrupted: call drop_analytics_indexes() first';
			END IF;
		ELSIF dry_run THEN
			outcome := 'would be built';
		ELSE
			PERFORM hooks_lock(ARRAY[part.partition], 'SHARE', interval '10s');
			EXECUTE replace(statement, ' CONCURRENTLY IF NOT EXISTS', '');
			found_index := to_regclass(part.schema || '.' || index_name);
			EXECUTE format('COMMENT ON INDEX %s IS %L', found_index, index.purpose);
			outcome := 'built';
		END IF;
		total_bytes := pg_relation_size(found_index);
		total_size := pg_size_pretty(total_bytes);
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION build_analytics_indexes(int, int, boolean, boolean) IS
'Builds on the partition of one month the indexes that queries by type, by workflow and by content want and that ingest should not pay for; one row per index, those that exist are left as they are. Refuses a month that is not over unless force is true. With dry_run it builds nothing; its column statement is then for psql''s \gexec, and builds CONCURRENTLY, which no function can: no event waits, but it takes longer.
Locks: SHARE on that partition until all are built: queries go on, events of that month wait (and hooksd gives such a batch up after STORE_TIMEOUT_MS, spools it and tries again). Asked for in attempts of 150 ms, for up to 10 seconds; then SQLSTATE 55P03, nothing is changed: call it again.';

CREATE FUNCTION drop_analytics_indexes(year int, month int)
	RETURNS TABLE (index_name text, total_size text, total_bytes bigint, outcome text)
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
	SET lock_timeout = '150ms'
AS $$
DECLARE
	part record := hooks_month_of(year, month);
	index regclass;
BEGIN
	FOR index_name, index IN
		SELECT n.name, to_regclass(part.schema || '.' || n.name)
		FROM hooks_analytics_indexes() a CROSS JOIN LATERAL (SELECT part.name || '_' || a.suffix AS name) AS n
	LOOP
		total_bytes := pg_relation_size(index);
		total_size := pg_size_pretty(total_bytes);
		outcome := 'was not there';
		IF index IS NOT NULL THEN
			PERFORM hooks_lock(ARRAY[part.partition], 'ACCESS EXCLUSIVE', interval '10s');
			EXECUTE format('DROP INDEX %s', index);
			outcome := 'dropped';
		END IF;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION drop_analytics_indexes(int, int) IS
'Drops what build_analytics_indexes() built on the partition of a month; one row per index.
Locks: ACCESS EXCLUSIVE on that partition for a moment: queries that may read it, and events of that month, wait. Asked for in attempts of 150 ms, for up to 10 seconds; then SQLSTATE 55P03, nothing is changed: call it again. Call it in a transaction of its own.';

-- Only the owner of the tables could do anything with these; so nobody else gets as far as their queries and locks.
REVOKE ALL ON FUNCTION archive_old_partitions(int, boolean), restore_archived_partition(int, int),
	drop_archived_partitions(int, text), build_analytics_indexes(int, int, boolean, boolean),
	drop_analytics_indexes(int, int) FROM PUBLIC;

INSERT INTO hooks_schema_migrations (version, name) VALUES (2, 'upkeep');

COMMIT;
