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
	IF current_schema() IS NULL THEN
		RAISE EXCEPTION 'no schema of the search_path (%) exists: create one of them', current_setting('search_path')
			USING ERRCODE = 'invalid_schema_name';
	END IF;
	-- For this transaction, and for ever in the functions below. pg_temp stands last so that nobody's temporary table
	-- is taken for one of these: some functions run with the rights of their owner.
	PERFORM set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);
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

-- Columns of a fixed width stand first, so that no row carries alignment padding. Ids and names are compared by their
-- bytes: quicker than by a language's rules, the same in every database, and an index outlives a new version of those rules.
CREATE TABLE hook_events (
	event_id uuid NOT NULL,
	"timestamp" timestamptz NOT NULL,
	received_at timestamptz NOT NULL DEFAULT now(),
	created_date date NOT NULL,
	tenant_id text COLLATE "C" NOT NULL DEFAULT 'default',
	client_event_id text COLLATE "C",
	event_type text COLLATE "C" NOT NULL,
	session_id text COLLATE "C" NOT NULL,
	workflow_id text COLLATE "C",
	phase_id text COLLATE "C",
	milestone_id text COLLATE "C",
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

-- Functions. Those named hooks_... are parts of the others and not for calling.

CREATE FUNCTION hooks_first_day(year int, month int) RETURNS date
	LANGUAGE plpgsql IMMUTABLE
	SET search_path FROM CURRENT
AS $$
BEGIN
	IF year IS NULL OR year NOT BETWEEN 1 AND 9999 THEN
		RAISE EXCEPTION 'year must be between 1 and 9999, not %', coalesce(year::text, 'null')
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF month IS NULL OR month NOT BETWEEN 1 AND 12 THEN
		RAISE EXCEPTION 'month must be between 1 and 12, not %', coalesce(month::text, 'null')
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	RETURN make_date(year, month, 1);
END
$$;
COMMENT ON FUNCTION hooks_first_day(int, int) IS 'Internal: the first day of a month.';

CREATE FUNCTION hooks_partition_name(first_day date) RETURNS text
	LANGUAGE sql STABLE
	SET search_path FROM CURRENT
AS $$
	SELECT 'hook_events_' || to_char(first_day, 'YYYY_MM')
$$;
COMMENT ON FUNCTION hooks_partition_name(date) IS 'Internal: what the partition of a month is called.';

CREATE FUNCTION hooks_partitions()
	RETURNS TABLE (partition regclass, name text, range_from date, range_to date, is_month boolean)
	LANGUAGE sql STABLE
	SET search_path FROM CURRENT
AS $$
	SELECT c.oid, c.relname::text, b.lower, b.upper,
	       c.relname = hooks_partition_name(b.lower) AND b.upper = b.lower + interval '1 month'
	FROM pg_inherits
	JOIN pg_class c ON c.oid = inhrelid
	LEFT JOIN regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''(.*)''\) TO \(''(.*)''\)') AS bounds ON true
	CROSS JOIN LATERAL (SELECT bounds[1]::date AS lower, bounds[2]::date AS upper) AS b
	WHERE inhparent = 'hook_events'::regclass
	ORDER BY b.lower NULLS LAST, c.relname
$$;
COMMENT ON FUNCTION hooks_partitions() IS
'Internal: the partitions of hook_events, oldest first; the range of the default partition is null. is_month: as create_monthly_partition() makes them.';

CREATE FUNCTION hooks_default_partition() RETURNS regclass
	LANGUAGE sql STABLE
	SET search_path FROM CURRENT
AS $$
	SELECT partdefid::regclass FROM pg_partitioned_table WHERE partrelid = 'hook_events'::regclass AND partdefid <> 0
$$;
COMMENT ON FUNCTION hooks_default_partition() IS 'Internal: the default partition; null when somebody took it away.';

CREATE FUNCTION hooks_columns() RETURNS text
	LANGUAGE sql STABLE
	SET search_path FROM CURRENT
AS $$
	SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
	WHERE attrelid = 'hook_events'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
$$;
COMMENT ON FUNCTION hooks_columns() IS 'Internal: the columns by which rows are copied from table to table.';

CREATE FUNCTION hooks_lock(tables regclass[], lock_mode text, patience interval) RETURNS void
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
	SET lock_timeout = '150ms'
AS $$
DECLARE
	give_up timestamptz := clock_timestamp() + patience;
	harmless text[] := CASE lock_mode
		WHEN 'SHARE' THEN '{AccessShareLock,RowShareLock,ShareLock}'
		WHEN 'SHARE UPDATE EXCLUSIVE' THEN '{AccessShareLock,RowShareLock,RowExclusiveLock}'
		ELSE '{}'
	END;
	holders text[];
	who text;
BEGIN
	-- VACUUM and ANALYZE are in the way, too. This weaker lock is in nobody else's; an automatic one gives way to it after
	-- deadlock_timeout, and none begins while it is held.
	IF patience > interval '0' THEN
		PERFORM set_config('lock_timeout', (SELECT setting::int + 500 FROM pg_settings WHERE name = 'deadlock_timeout') || 'ms', true);
		BEGIN
			EXECUTE format('LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE', array_to_string(tables, ', ONLY '));
		EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
			NULL; -- the attempts below tell who is in the way
		END;
		PERFORM set_config('lock_timeout', '150ms', true);
	END IF;

	LOOP
		-- Whoever comes after a waiting request waits behind it: so an attempt ends after lock_timeout, and between
		-- attempts there is no queue (an exception gives up the locks of its block). The first table is the one that
		-- others lock first; when it is had, a further one is free, or held by somebody who names it directly: not
		-- worth making everybody wait for.
		BEGIN
			EXECUTE format('LOCK TABLE ONLY %s IN %s MODE', tables[1], lock_mode);
			IF cardinality(tables) > 1 THEN
				EXECUTE format('LOCK TABLE ONLY %s IN %s MODE NOWAIT', array_to_string(tables[2:], ', ONLY '), lock_mode);
			END IF;
			-- A client that leaves its transaction open now would keep everybody waiting.
			IF lock_mode = 'ACCESS EXCLUSIVE' THEN
				PERFORM set_config(name, '5s', true) FROM pg_settings
					WHERE name = 'idle_in_transaction_session_timeout' AND setting::int NOT BETWEEN 1 AND 5000;
			END IF;
			RETURN;
		EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
			NULL;
		END;

		-- The next attempt comes when all who are in the way now have ended: a long query costs everybody else one
		-- attempt, however long it lasts.
		holders := ARRAY(SELECT virtualtransaction FROM pg_locks
			WHERE locktype = 'relation' AND relation = ANY (tables) AND granted AND mode <> ALL (harmless)
			  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
			  AND pid IS DISTINCT FROM pg_backend_pid());
		LOOP
			SELECT string_agg(DISTINCT coalesce('pid ' || l.pid, 'a prepared transaction') || coalesce(' of ' || a.usename, '')
			                  || coalesce(' since ' || date_trunc('second', a.xact_start), ''), ', ')
				INTO who
				FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
				WHERE l.virtualtransaction = ANY (holders) AND l.relation = ANY (tables) AND l.granted;
			IF clock_timestamp() >= give_up THEN
				RAISE EXCEPTION '% is in use by a long query or an open transaction: nothing is changed; call again when it has ended',
					tables[1]
					USING ERRCODE = 'lock_not_available',
					      DETAIL = coalesce('In the way: ' || who || '.', 'What was in the way has ended meanwhile.'),
					      HINT = 'pg_stat_activity says what it does; pg_cancel_backend(pid) ends a query, pg_terminate_backend(pid) a session.';
			END IF;
			EXIT WHEN who IS NULL;
			PERFORM pg_sleep(0.2);
		END LOOP;
	END LOOP;
END
$$;
COMMENT ON FUNCTION hooks_lock(regclass[], text, interval) IS
'Internal: locks all of these tables until the end of the transaction, or none and SQLSTATE 55P03. Attempts of 150 ms at most, for as long as patience says; 0 is one attempt.';

CREATE FUNCTION hooks_move_from_default(partition regclass, first_day date) RETURNS void
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
	SET lock_timeout = '150ms'
AS $$
BEGIN
	IF hooks_default_partition() IS NOT NULL THEN
		EXECUTE format('WITH moved AS (DELETE FROM %s WHERE created_date >= %L AND created_date < %L RETURNING *) '
			'INSERT INTO %s (%s) SELECT %5$s FROM moved ON CONFLICT DO NOTHING',
			hooks_default_partition(), first_day, (first_day + interval '1 month')::date, partition, hooks_columns());
	END IF;
END
$$;
COMMENT ON FUNCTION hooks_move_from_default(regclass, date) IS 'Internal: moves the rows of a month out of the default partition.';

CREATE FUNCTION hooks_prepare_month(partition regclass, first_day date) RETURNS void
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
	SET lock_timeout = '150ms'
AS $$
BEGIN
	-- ATTACH need not read a table when a constraint says what is in it.
	EXECUTE format('ALTER TABLE %s ADD CONSTRAINT hooks_month CHECK (created_date >= %L AND created_date < %L)',
		partition, first_day, (first_day + interval '1 month')::date);
	PERFORM hooks_move_from_default(partition, first_day);
END
$$;
COMMENT ON FUNCTION hooks_prepare_month(regclass, date) IS
'Internal: makes a table ready to be the partition of a month. What takes time is done here, under locks that nobody notices.';

CREATE FUNCTION hooks_attach_month(partition regclass, first_day date, patience interval) RETURNS void
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
	SET lock_timeout = '150ms'
AS $$
BEGIN
	PERFORM hooks_lock(ARRAY['hook_events'::regclass], 'SHARE UPDATE EXCLUSIVE', patience);
	IF hooks_default_partition() IS NOT NULL THEN
		-- ATTACH takes this lock to look for rows of the month; few have come since hooks_prepare_month().
		PERFORM hooks_lock(ARRAY[hooks_default_partition()], 'ACCESS EXCLUSIVE', patience);
		PERFORM hooks_move_from_default(partition, first_day);
	END IF;
	EXECUTE format('ALTER TABLE hook_events ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)',
		partition, first_day, (first_day + interval '1 month')::date);
	EXECUTE format('ALTER TABLE %s DROP CONSTRAINT hooks_month', partition);
END
$$;
COMMENT ON FUNCTION hooks_attach_month(regclass, date, interval) IS
'Internal: makes a table the partition of a month, after hooks_prepare_month().';

CREATE FUNCTION hooks_make_month(first_day date, patience interval) RETURNS boolean
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
	SET lock_timeout = 0
AS $$
DECLARE
	name text := hooks_partition_name(first_day);
	-- Beside its parent, wherever the search_path would put a new table.
	qualified text := (SELECT relnamespace::regnamespace || '.' || name FROM pg_class WHERE oid = 'hook_events'::regclass);
	granted record;
BEGIN
	-- The ordinary call finds its month there and takes no lock that anybody could notice.
	IF EXISTS (SELECT FROM hooks_partitions() p WHERE p.partition = to_regclass(qualified)) THEN
		RETURN false;
	END IF;

	-- One caller at a time; the others wait here, where they are in nobody's way, and find the month made.
	PERFORM set_config('lock_timeout', extract(epoch FROM patience + interval '1s') || 's', true);
	PERFORM pg_advisory_xact_lock(448546171763);
	IF EXISTS (SELECT FROM hooks_partitions() p WHERE p.partition = to_regclass(qualified)) THEN
		RETURN false;
	END IF;
	IF to_regclass(qualified) IS NOT NULL THEN
		RAISE EXCEPTION 'table % exists but is not a partition of hook_events: attach, rename or drop it', qualified
			USING ERRCODE = 'duplicate_table';
	END IF;

	-- Made aside and attached, because CREATE TABLE ... PARTITION OF would lock the parent against everything.
	EXECUTE format('CREATE TABLE %s (LIKE hook_events INCLUDING ALL)', qualified);
	EXECUTE format('COMMENT ON TABLE %s IS %L', qualified, 'Events of ' || to_char(first_day, 'YYYY-MM') || ' (UTC days).');
	-- Who may read or write hook_events may do so by the name of the partition, too.
	FOR granted IN
		SELECT acl.privilege_type AS privilege, CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE acl.grantee::regrole::text END AS role
		FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) AS acl
		WHERE c.oid = 'hook_events'::regclass AND acl.grantee <> c.relowner
	LOOP
		EXECUTE format('GRANT %s ON %s TO %s', granted.privilege, qualified, granted.role);
	END LOOP;
	PERFORM hooks_prepare_month(qualified::regclass, first_day);
	PERFORM hooks_attach_month(qualified::regclass, first_day, patience);
	RETURN true;
END
$$;
COMMENT ON FUNCTION hooks_make_month(date, interval) IS
'Internal: makes the partition of a month; false: it was there. SQLSTATE 55P03 when a lock was not to be had within patience.';

CREATE FUNCTION create_monthly_partition(year int, month int) RETURNS text
	LANGUAGE plpgsql
	SECURITY DEFINER
	SET search_path FROM CURRENT
AS $$
DECLARE
	first_day date := hooks_first_day(year, month);
BEGIN
	PERFORM hooks_make_month(first_day, interval '10s');
	RETURN hooks_partition_name(first_day);
END
$$;
COMMENT ON FUNCTION create_monthly_partition(int, int) IS
'Makes the partition of a month and returns its name, hook_events_YYYY_MM; does nothing when it is there. Events of that month in the default partition move into it.
Locks, until the end of the transaction: SHARE UPDATE EXCLUSIVE on hook_events (events keep flowing into months that exist) and ACCESS EXCLUSIVE on the default partition (queries on hook_events, and events of days without a month, wait): for a moment when the default partition is small, else for as long as reading it takes. The rows are moved before that lock is taken.
The lock is asked for in attempts of 150 ms, for up to 10 seconds; then the call ends with SQLSTATE 55P03, says who is in the way, and nothing is changed: call it again. Call it in a transaction of its own.';

CREATE FUNCTION ensure_partitions(ahead int DEFAULT 3, today date DEFAULT (now() AT TIME ZONE 'UTC')::date)
	RETURNS TABLE (partition_name text, outcome text)
	LANGUAGE plpgsql
	SECURITY DEFINER
	SET search_path FROM CURRENT
AS $$
DECLARE
	at_once CONSTANT int := 100000;
	first_day date;
	waiting int;
BEGIN
	IF ahead IS NULL OR ahead NOT BETWEEN 0 AND 120 THEN
		RAISE EXCEPTION 'ahead must be between 0 and 120 months, not %', coalesce(ahead::text, 'null')
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	FOR i IN 0 .. ahead LOOP
		first_day := (date_trunc('month', today::timestamp) + make_interval(months => i))::date;
		partition_name := hooks_partition_name(first_day);
		outcome := 'exists';
		IF NOT EXISTS (SELECT FROM hooks_partitions() p WHERE p.name = partition_name) THEN
			waiting := 0;
			IF hooks_default_partition() IS NOT NULL THEN
				EXECUTE format('SELECT count(*) FROM (SELECT FROM %s WHERE created_date >= %L AND created_date < %L LIMIT %s) AS few',
					hooks_default_partition(), first_day, (first_day + interval '1 month')::date, at_once + 1)
					INTO waiting;
			END IF;
			IF waiting > at_once THEN
				outcome := 'crowded';
			ELSE
				BEGIN
					IF hooks_make_month(first_day, interval '0') THEN
						outcome := 'created';
					END IF;
				EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
					outcome := 'busy';
				END;
			END IF;
		END IF;
		RETURN NEXT;
		-- What holds the lock now would hold it for the next month too.
		EXIT WHEN outcome = 'busy';
	END LOOP;
END
$$;
COMMENT ON FUNCTION ensure_partitions(int, date) IS
'Makes the partitions of the month of today and of so many months ahead; hooksd calls it every hour, and ensure_partitions(0, day) when an event needs the month of that day. Does not wait: one row per month,
''exists'';
''created'';
''busy'': a lock was not to be had within 150 ms, which ends the list: call it again later;
''crowded'': more than 100,000 events of the month are in the default partition, and moving them takes its time: leave it to create_monthly_partition().
Locks: as create_monthly_partition(), and none when all months are there.';

CREATE FUNCTION get_partition_stats(exact boolean DEFAULT true)
	RETURNS TABLE (partition_name text, row_count bigint, total_size text, index_size text,
	               total_bytes bigint, index_bytes bigint, range_from date, range_to date)
	LANGUAGE plpgsql STABLE
	SET search_path FROM CURRENT
AS $$
DECLARE
	part record;
BEGIN
	FOR part IN
		SELECT p.*, c.reltuples, c.relpages FROM hooks_partitions() p JOIN pg_class c ON c.oid = p.partition
	LOOP
		partition_name := part.name;
		total_bytes := pg_total_relation_size(part.partition);
		index_bytes := pg_indexes_size(part.partition);
		total_size := pg_size_pretty(total_bytes);
		index_size := pg_size_pretty(index_bytes);
		range_from := part.range_from;
		range_to := part.range_to;
		IF exact THEN
			EXECUTE format('SELECT count(*) FROM %s', part.partition) INTO row_count;
		ELSIF pg_relation_size(part.partition) = 0 THEN
			row_count := 0;
		ELSE
			-- Null when neither VACUUM nor ANALYZE has seen the table yet.
			row_count := CASE WHEN part.relpages > 0 THEN
				part.reltuples / part.relpages * (pg_relation_size(part.partition) / current_setting('block_size')::int) END;
		END IF;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION get_partition_stats(boolean) IS
'One row per partition of hook_events, oldest first, the default partition (whose range is null) last. row_count is exact: it counts, so it reads every partition (where VACUUM has been, only its key). get_partition_stats(false) reads nothing: row_count is then what the planner would guess, rows per page at the last VACUUM or ANALYZE times the pages of now, and null before the first. Sizes include indexes and TOAST. range_from is the first day, range_to the day after the last.
Locks: ACCESS SHARE, as any query.';

-- These two act with the rights of the tables' owner, so that hooksd need not be it: for those whom the owner lets.
REVOKE ALL ON FUNCTION create_monthly_partition(int, int), ensure_partitions(int, date) FROM PUBLIC;

INSERT INTO hooks_schema_migrations (version, name) VALUES (1, 'hook_events');

-- The table is ready for events of now and of the coming months.
SELECT partition_name, outcome FROM ensure_partitions(3);

COMMIT;
