-- Migration 3: the functions work where hook_events is a distributed table (Citus), and under any settings of a server, a
-- database, a role or a session. Tables and rows stay as they are.
--
-- Applied as migrations 1 and 2 are: by hooksd at start, by `hooksctl migrate`, or by hand with
--
--     psql "$DATABASE_URL" -f 003_distributed.sql
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
	IF NOT EXISTS (SELECT FROM hooks_schema_migrations WHERE version = 2) THEN
		RAISE EXCEPTION 'migration 2 is missing: apply 002_upkeep.sql first'
			USING ERRCODE = 'undefined_table';
	END IF;
	IF EXISTS (SELECT FROM hooks_schema_migrations WHERE version = 3) THEN
		RAISE EXCEPTION 'migration 3 is already applied: it is in the table hooks_schema_migrations'
			USING ERRCODE = 'duplicate_object';
	END IF;
END
$$;

-- No backslash stands in a function here: what it means depends on standard_conforming_strings.

-- What Citus is asked

CREATE FUNCTION hooks_on_citus() RETURNS boolean
	LANGUAGE sql STABLE
	SET search_path FROM CURRENT
AS $$
	SELECT to_regproc('pg_catalog.create_distributed_table') IS NOT NULL
$$;
COMMENT ON FUNCTION hooks_on_citus() IS 'Internal: whether this database has the extension citus.';

CREATE FUNCTION hooks_is_distributed(relation regclass) RETURNS boolean
	LANGUAGE plpgsql STABLE
	SET search_path FROM CURRENT
AS $$
DECLARE
	found boolean := false;
BEGIN
	IF hooks_on_citus() THEN
		EXECUTE 'SELECT EXISTS (SELECT FROM pg_catalog.pg_dist_partition WHERE logicalrelid = $1)' INTO found USING relation;
	END IF;
	RETURN found;
END
$$;
COMMENT ON FUNCTION hooks_is_distributed(regclass) IS 'Internal: whether Citus knows the table; its rows are then elsewhere.';

CREATE FUNCTION hooks_size(relation regclass, OUT total_bytes bigint, OUT index_bytes bigint)
	LANGUAGE plpgsql STABLE
	SET search_path FROM CURRENT
AS $$
BEGIN
	IF hooks_is_distributed(relation) THEN
		EXECUTE 'SELECT size, size - citus_table_size($1) FROM citus_total_relation_size($1) AS size'
			INTO total_bytes, index_bytes USING relation;
	ELSE
		-- A partition may have partitions.
		SELECT sum(pg_total_relation_size(relid)), sum(pg_indexes_size(relid)) INTO total_bytes, index_bytes
			FROM (SELECT relation AS relid UNION SELECT relid FROM pg_partition_tree(relation)) AS parts;
	END IF;
END
$$;
COMMENT ON FUNCTION hooks_size(regclass) IS 'Internal: bytes of a table, with and of its indexes, on all nodes.';

-- A statement_timeout that is set while a statement runs holds for the next one. So what limits a call is lock_timeout. Citus
-- tells the workers of it when it is set by a statement, and while this setting of Citus is on.
CREATE FUNCTION hooks_set_lock_timeout(wait text) RETURNS void
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
AS $$
BEGIN
	IF hooks_on_citus() THEN
		PERFORM set_config('citus.propagate_set_commands', 'local', true);
	END IF;
	EXECUTE format('SET LOCAL lock_timeout = %L', wait);
END
$$;
COMMENT ON FUNCTION hooks_set_lock_timeout(text) IS
'Internal: lock_timeout until the calling function or the transaction ends; on workers, until the transaction ends.';

-- Locks

CREATE FUNCTION hooks_lock_holders(tables regclass[], lock_mode text)
	RETURNS TABLE (holder text, who text)
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
AS $$
DECLARE
	harmless text[] := CASE lock_mode
		WHEN 'SHARE' THEN '{AccessShareLock,RowShareLock,ShareLock}'
		WHEN 'SHARE UPDATE EXCLUSIVE' THEN '{AccessShareLock,RowShareLock,RowExclusiveLock}'
		ELSE '{}'
	END;
	-- By name, because a table has another oid on each node.
	names text[] := ARRAY(SELECT format('%s.%I', relnamespace::regnamespace, relname) FROM pg_class WHERE oid = ANY (tables));
	query text := format('SELECT l.virtualtransaction, coalesce(''pid '' || l.pid, ''a prepared transaction'')'
		' || coalesce('' of '' || a.usename, '''') || coalesce('' since '' || date_trunc(''second'', a.xact_start), '''')'
		' FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)'
		' WHERE l.locktype = ''relation'' AND l.granted AND l.mode <> ALL (%L) AND l.pid IS DISTINCT FROM pg_backend_pid()'
		' AND l.relation IN (SELECT to_regclass(name) FROM unnest(%L::text[]) AS name)'
		' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())', harmless, names);
	own text;
BEGIN
	RETURN QUERY EXECUTE query;
	IF hooks_on_citus() THEN
		-- A reader may have come by another node. There this transaction has sessions of its own, which carry its number.
		EXECUTE 'SELECT ''%gpid='' || citus_backend_gpid()' INTO own;
		query := format('SELECT string_agg(concat_ws('' '', holder, who), chr(10)) FROM (%s AND (a.application_name LIKE %L)'
			' IS NOT TRUE) AS held (holder, who)', query, own);
		RETURN QUERY EXECUTE 'SELECT concat_ws('' '', nodename, nodeport, split_part(line, '' '', 1)),'
			' substr(line, strpos(line, '' '') + 1) || '' on '' || nodename || '':'' || nodeport'
			' FROM run_command_on_workers($1) CROSS JOIN string_to_table(result, chr(10)) AS line WHERE success' USING query;
	END IF;
END
$$;
COMMENT ON FUNCTION hooks_lock_holders(regclass[], text) IS
'Internal: the transactions, on all nodes, whose locks on these tables are in the way of that lock: a name for each, and who it is.';

CREATE OR REPLACE FUNCTION hooks_lock(tables regclass[], lock_mode text, patience interval) RETURNS void
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
	SET lock_timeout = '150ms'
AS $$
DECLARE
	give_up timestamptz := clock_timestamp() + patience;
	-- When an automatic VACUUM has given way.
	vacuum_ends text := (SELECT setting::int + 500 FROM pg_settings WHERE name = 'deadlock_timeout') || 'ms';
	on_citus boolean := hooks_on_citus();
	holders text[];
	in_the_way text;
BEGIN
	-- VACUUM and ANALYZE are in the way, too. This weaker lock is in nobody else's; an automatic one gives way to it after
	-- deadlock_timeout, and none begins while it is held.
	IF patience > interval '0' THEN
		PERFORM hooks_set_lock_timeout(vacuum_ends);
		BEGIN
			EXECUTE format('LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE', array_to_string(tables, ', ONLY '));
		EXCEPTION
			WHEN lock_not_available OR deadlock_detected THEN
				NULL; -- the attempts below tell who is in the way
			WHEN internal_error THEN
				IF NOT on_citus THEN
					RAISE;
				END IF;
		END;
	END IF;
	PERFORM hooks_set_lock_timeout('150ms');

	LOOP
		-- Requests for a lock queue up behind one that waits: so an attempt ends after lock_timeout, and between
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
			-- What follows locks shards, on workers: only VACUUM can have them.
			IF on_citus THEN
				PERFORM hooks_set_lock_timeout(vacuum_ends);
			END IF;
			RETURN;
		EXCEPTION
			WHEN lock_not_available OR deadlock_detected THEN
				NULL;
			WHEN internal_error THEN
				-- So Citus calls a worker's lock_not_available.
				IF NOT on_citus THEN
					RAISE;
				END IF;
		END;

		-- The next attempt comes when all who are in the way now have ended: a long query costs everybody else one
		-- attempt, however long it lasts.
		holders := ARRAY(SELECT h.holder FROM hooks_lock_holders(tables, lock_mode) AS h);
		LOOP
			SELECT string_agg(DISTINCT h.who, ', ') INTO in_the_way
				FROM hooks_lock_holders(tables, lock_mode) AS h WHERE h.holder = ANY (holders);
			IF clock_timestamp() >= give_up THEN
				RAISE EXCEPTION '% is in use by a long query or an open transaction: nothing is changed; call again when it has ended',
					tables[1]
					USING ERRCODE = 'lock_not_available',
					      DETAIL = coalesce('In the way: ' || in_the_way || '.', 'What was in the way has ended meanwhile.'),
					      HINT = 'pg_stat_activity says what it does; pg_cancel_backend(pid) ends a query, pg_terminate_backend(pid) a session.';
			END IF;
			EXIT WHEN in_the_way IS NULL;
			PERFORM pg_sleep(0.2);
		END LOOP;
	END LOOP;
END
$$;

-- Months

CREATE OR REPLACE FUNCTION hooks_partitions()
	RETURNS TABLE (partition regclass, name text, range_from date, range_to date, is_month boolean)
	LANGUAGE sql STABLE
	SET search_path FROM CURRENT
AS $$
	SELECT c.oid, c.relname::text, b.lower, b.upper,
	       c.relname = hooks_partition_name(b.lower) AND b.upper = b.lower + interval '1 month'
	FROM pg_inherits
	JOIN pg_class c ON c.oid = inhrelid
	LEFT JOIN regexp_match(pg_get_expr(c.relpartbound, c.oid),
		'FROM [(](?:MINVALUE|''(.*)'')[)] TO [(](?:MAXVALUE|''(.*)'')[)]') AS bounds ON true
	CROSS JOIN LATERAL (SELECT CASE WHEN bounds IS NOT NULL THEN coalesce(bounds[1]::date, '-infinity') END AS lower,
	                           CASE WHEN bounds IS NOT NULL THEN coalesce(bounds[2]::date, 'infinity') END AS upper) AS b
	WHERE inhparent = 'hook_events'::regclass AND NOT inhdetachpending
	ORDER BY b.lower NULLS LAST, c.relname
$$;

CREATE OR REPLACE FUNCTION hooks_make_month(first_day date, patience interval) RETURNS boolean
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
	SET lock_timeout = 0
AS $$
DECLARE
	next_month date := first_day + interval '1 month';
	name text := hooks_partition_name(first_day);
	-- Beside its parent, wherever the search_path would put a new table.
	qualified text := (SELECT relnamespace::regnamespace || '.' || name FROM pg_class WHERE oid = 'hook_events'::regclass);
	others text;
	granted record;
BEGIN
	-- The ordinary call finds its month there, by whatever name, and takes no lock that anybody could notice.
	IF EXISTS (SELECT FROM hooks_partitions() p WHERE p.range_from <= first_day AND p.range_to >= next_month) THEN
		RETURN false;
	END IF;

	-- One caller at a time; the others wait here, where they are in nobody's way, and find the month made.
	PERFORM set_config('lock_timeout', extract(epoch FROM patience + interval '1s') || 's', true);
	PERFORM pg_advisory_xact_lock(448546171763);
	IF EXISTS (SELECT FROM hooks_partitions() p WHERE p.range_from <= first_day AND p.range_to >= next_month) THEN
		RETURN false;
	END IF;
	others := (SELECT string_agg(p.partition::text, ', ') FROM hooks_partitions() p
		WHERE p.range_from < next_month AND p.range_to > first_day);
	IF others IS NOT NULL THEN
		RAISE EXCEPTION '% cannot be made: some of its days belong to %', qualified, others
			USING ERRCODE = 'invalid_object_definition';
	END IF;
	IF to_regclass(qualified) IS NOT NULL THEN
		RAISE EXCEPTION 'table % exists but is not the partition of that month: attach, rename or drop it', qualified
			USING ERRCODE = 'duplicate_table';
	END IF;

	-- Made aside and attached, because CREATE TABLE ... PARTITION OF would lock the parent against everything. Where and
	-- how the parent's pages would be kept, those of its partitions are.
	EXECUTE format('CREATE TABLE %s (LIKE hook_events INCLUDING ALL)', qualified)
		|| coalesce((SELECT format(' USING %I', amname) FROM pg_class c JOIN pg_am a ON a.oid = c.relam
			WHERE c.oid = 'hook_events'::regclass), '')
		|| coalesce((SELECT format(' TABLESPACE %I', spcname) FROM pg_class c JOIN pg_tablespace t ON t.oid = c.reltablespace
			WHERE c.oid = 'hook_events'::regclass), '');
	EXECUTE format('COMMENT ON TABLE %s IS %L', qualified, 'Events of ' || to_char(first_day, 'YYYY-MM') || ' (UTC days).');
	-- Who may read or write hook_events may do so by the name of the partition, too.
	FOR granted IN
		SELECT acl.privilege_type AS privilege, CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE acl.grantee::regrole::text END AS role
		FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) AS acl
		WHERE c.oid = 'hook_events'::regclass AND acl.grantee <> c.relowner
	LOOP
		EXECUTE format('GRANT %s ON %s TO %s', granted.privilege, qualified, granted.role);
	END LOOP;
	-- While it is empty: ATTACH would copy its rows to the workers while others wait, and leave the copies here.
	IF hooks_is_distributed('hook_events') THEN
		EXECUTE 'SELECT create_distributed_table($1, ''event_id'', colocate_with => ''hook_events'')' USING qualified::regclass;
	END IF;
	PERFORM hooks_prepare_month(qualified::regclass, first_day);
	PERFORM hooks_attach_month(qualified::regclass, first_day, patience);
	RETURN true;
END
$$;

CREATE OR REPLACE FUNCTION create_monthly_partition(year int, month int) RETURNS text
	LANGUAGE plpgsql
	SECURITY DEFINER
	SET search_path FROM CURRENT
AS $$
DECLARE
	first_day date := hooks_first_day(year, month);
BEGIN
	PERFORM hooks_make_month(first_day, interval '10s');
	RETURN (SELECT p.name FROM hooks_partitions() p
		WHERE p.range_from <= first_day AND p.range_to >= first_day + interval '1 month');
END
$$;

COMMENT ON FUNCTION create_monthly_partition(int, int) IS
'Makes the partition of a month, hook_events_YYYY_MM, and returns its name; does nothing when one covers that month, whatever its name, which is returned then. Events of that month in the default partition move into it.
Locks, until the end of the transaction: SHARE UPDATE EXCLUSIVE on hook_events (events keep flowing into months that exist) and ACCESS EXCLUSIVE on the default partition (queries on hook_events, and events of days without a month, wait): for a moment when the default partition is small, else for as long as reading it takes. The rows are moved before that lock is taken.
The lock is asked for in attempts of 150 ms, for up to 10 seconds; then the call ends with SQLSTATE 55P03, says who is in the way, and nothing is changed: call it again. Call it in a transaction of its own.';

CREATE OR REPLACE FUNCTION ensure_partitions(ahead int DEFAULT 3, today date DEFAULT (now() AT TIME ZONE 'UTC')::date)
	RETURNS TABLE (partition_name text, outcome text)
	LANGUAGE plpgsql
	SECURITY DEFINER
	SET search_path FROM CURRENT
AS $$
DECLARE
	at_once CONSTANT int := 100000;
	first_day date;
	next_month date;
	waiting int;
BEGIN
	IF ahead IS NULL OR ahead NOT BETWEEN 0 AND 120 THEN
		RAISE EXCEPTION 'ahead must be between 0 and 120 months, not %', coalesce(ahead::text, 'null')
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	FOR i IN 0 .. ahead LOOP
		first_day := date_trunc('month', today::timestamp) + make_interval(months => i);
		next_month := first_day + interval '1 month';
		partition_name := hooks_partition_name(first_day);
		outcome := 'exists';
		-- A partition that somebody else made, of a part of the month or of several, leaves no room for ours.
		IF NOT EXISTS (SELECT FROM hooks_partitions() p WHERE p.range_from < next_month AND p.range_to > first_day) THEN
			waiting := 0;
			IF hooks_default_partition() IS NOT NULL THEN
				EXECUTE format('SELECT count(*) FROM (SELECT 1 FROM %s WHERE created_date >= %L AND created_date < %L LIMIT %s) AS few',
					hooks_default_partition(), first_day, next_month, at_once + 1)
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
''exists'', also when days of the month belong to a partition of another name or range;
''created'';
''busy'': a lock was not to be had within 150 ms, which ends the list: call it again later;
''crowded'': more than 100,000 events of the month are in the default partition, and moving them takes its time: leave it to create_monthly_partition().
Locks: as create_monthly_partition(), and none when all months are there.';

CREATE OR REPLACE FUNCTION get_partition_stats(exact boolean DEFAULT true)
	RETURNS TABLE (partition_name text, row_count bigint, total_size text, index_size text,
	               total_bytes bigint, index_bytes bigint, range_from date, range_to date)
	LANGUAGE plpgsql STABLE
	SET search_path FROM CURRENT
AS $$
DECLARE
	part record;
	size record;
BEGIN
	FOR part IN
		SELECT p.*, c.reltuples, c.relpages, c.relkind <> 'r' OR hooks_is_distributed(p.partition) AS elsewhere
		FROM hooks_partitions() p JOIN pg_class c ON c.oid = p.partition
	LOOP
		size := hooks_size(part.partition);
		partition_name := part.name;
		total_bytes := size.total_bytes;
		index_bytes := size.index_bytes;
		total_size := pg_size_pretty(total_bytes);
		index_size := pg_size_pretty(index_bytes);
		range_from := part.range_from;
		range_to := part.range_to;
		-- Of rows that are kept elsewhere, on other nodes or in partitions of the partition, there is no estimate here.
		IF exact OR part.elsewhere THEN
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
'One row per partition of hook_events, oldest first, the default partition (whose range is null) last. row_count is exact: it counts, so it reads every partition (where VACUUM has been, only its key). get_partition_stats(false) reads nothing: row_count is then what the planner would guess, rows per page at the last VACUUM or ANALYZE times the pages of now, and null before the first; where hook_events is a distributed table it counts all the same. Sizes include indexes and TOAST, on all nodes. range_from is the first day, range_to the day after the last.
Locks: ACCESS SHARE, as any query.';

-- The archive

CREATE OR REPLACE FUNCTION hooks_one_at_a_time() RETURNS void
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
AS $$
DECLARE
	schemas text[] := ARRAY(SELECT relnamespace::regnamespace::text FROM pg_class
		WHERE relname = 'hooks_schema_migrations' AND relpersistence <> 't' ORDER BY 1);
BEGIN
	IF cardinality(schemas) > 1 THEN
		RAISE EXCEPTION 'the schemas % have tables of events each, and one archive: their months would mingle',
			array_to_string(schemas, ', ')
			USING ERRCODE = 'object_not_in_prerequisite_state',
			      HINT = 'Drop what is not needed, or move it to a database of its own.';
	END IF;
	IF NOT pg_try_advisory_xact_lock(448546171765) THEN
		RAISE EXCEPTION 'another call that archives, restores or drops months is under way: call again when it has ended'
			USING ERRCODE = 'lock_not_available';
	END IF;
	-- Else rows that have come since the transaction's snapshot would not be copied, and would be dropped with their table.
	IF current_setting('transaction_isolation') <> 'read committed' THEN
		RAISE EXCEPTION 'months are moved by a transaction that is READ COMMITTED: this one is %',
			upper(current_setting('transaction_isolation'))
			USING ERRCODE = 'invalid_transaction_state',
			      HINT = 'SET default_transaction_isolation = ''read committed'', and call again.';
	END IF;
END
$$;
COMMENT ON FUNCTION hooks_one_at_a_time() IS 'Internal: until the end of the transaction nobody else gets past this, and nobody at all to whom it could do harm.';

CREATE OR REPLACE FUNCTION archive_old_partitions(months_to_keep int DEFAULT 3, dry_run boolean DEFAULT false)
	RETURNS TABLE (partition_name text, row_count bigint, total_size text, total_bytes bigint,
	               range_from date, range_to date, outcome text)
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
AS $$
DECLARE
	keep_from date := hooks_keep_from(months_to_keep);
	months regclass[];
	sizes bigint[];
	counts bigint[];
	month regclass;
	part record;
BEGIN
	IF NOT dry_run THEN
		PERFORM hooks_one_at_a_time();
	END IF;
	SELECT array_agg(p.partition), array_agg(s.total_bytes) INTO months, sizes
		FROM hooks_partitions() p CROSS JOIN LATERAL hooks_size(p.partition) AS s
		WHERE p.is_month AND p.range_to <= keep_from;
	IF months IS NULL THEN
		RETURN;
	END IF;
	-- Citus tells no sizes after a schema is made, and makes no schema after a query that ran on several workers.
	IF NOT dry_run AND to_regnamespace('hooks_archive') IS NULL THEN
		EXECUTE format('CREATE SCHEMA hooks_archive AUTHORIZATION %s',
			(SELECT relowner::regrole FROM pg_class WHERE oid = 'hook_events'::regclass));
		COMMENT ON SCHEMA hooks_archive IS 'Months that archive_old_partitions() took out of hook_events.';
	END IF;
	FOREACH month IN ARRAY months LOOP
		EXECUTE format('SELECT $1 || count(*) FROM %s', month) INTO counts USING counts;
	END LOOP;

	-- What is told of a month is read before it moves.
	FOR part IN
		SELECT p.*, m.rows, m.bytes, to_regclass('hooks_archive.' || p.name) IS NOT NULL AS archived
		FROM hooks_partitions() p JOIN unnest(months, counts, sizes) AS m (partition, rows, bytes) USING (partition)
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

CREATE OR REPLACE FUNCTION hooks_archive_months(partitions regclass[]) RETURNS void
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
	SET lock_timeout = '150ms'
AS $$
DECLARE
	part record;
BEGIN
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

CREATE OR REPLACE FUNCTION drop_archived_partitions(months_to_keep int, confirm text DEFAULT NULL)
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
		       s.total_bytes AS bytes
		FROM pg_class c
		CROSS JOIN LATERAL (SELECT CASE WHEN c.relname ~ '^hook_events_[0-9]{4}_(0[1-9]|1[0-2])$'
		                           THEN to_date(right(c.relname, 7), 'YYYY_MM') END AS first_day) AS m
		CROSS JOIN LATERAL hooks_size(c.oid) AS s
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

-- Indexes

CREATE FUNCTION hooks_index_size(index regclass) RETURNS bigint
	LANGUAGE sql STABLE
	SET search_path FROM CURRENT
AS $$
	SELECT pg_relation_size(indexrelid) FROM pg_index WHERE indexrelid = index AND NOT hooks_is_distributed(indrelid)
$$;
COMMENT ON FUNCTION hooks_index_size(regclass) IS 'Internal: bytes of an index; null for one that is in pieces on other nodes.';

CREATE OR REPLACE FUNCTION build_analytics_indexes(year int, month int, force boolean DEFAULT false, dry_run boolean DEFAULT false)
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
			      HINT = format(E'To build them while events flow, in psql: SELECT statement FROM build_analytics_indexes(%s, %s, dry_run => true) \\gexec -- or, to let events wait, say force => true.', year, month);
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
		total_bytes := hooks_index_size(found_index);
		total_size := pg_size_pretty(total_bytes);
		RETURN NEXT;
	END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION drop_analytics_indexes(year int, month int)
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
		total_bytes := hooks_index_size(index);
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

-- Distributing

CREATE FUNCTION hooks_distribute(shards int DEFAULT NULL)
	RETURNS TABLE (object text, outcome text)
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
AS $$
DECLARE
	db text := current_database();
	nodes int;
	function regprocedure;
	known int := 0;
BEGIN
	IF NOT hooks_on_citus() THEN
		RAISE EXCEPTION 'Citus is not installed in the database %: there is nothing to distribute hook_events to', db
			USING ERRCODE = 'feature_not_supported',
			      HINT = 'On each node: shared_preload_libraries = ''citus'', and CREATE EXTENSION citus in this database.';
	END IF;
	EXECUTE 'SELECT greatest(1, count(*)) FROM citus_get_active_worker_nodes()' INTO nodes;
	shards := coalesce(shards, 2 * nodes);
	IF shards NOT BETWEEN 1 AND 32000 THEN
		RAISE EXCEPTION 'shards must be between 1 and 32000, not %', shards
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	PERFORM pg_advisory_xact_lock(448546171763); -- no month is made meanwhile
	-- Functions follow tables, because some name them: Citus wants one connection to a worker for that.
	PERFORM set_config('citus.multi_shard_modify_mode', 'sequential', true);

	-- What hooksd reads and writes besides the events, so that it may run beside any node.
	object := 'hooks_schema_migrations';
	outcome := 'exists';
	IF NOT hooks_is_distributed(object::regclass) THEN
		EXECUTE 'SELECT create_reference_table($1)' USING object::regclass;
		outcome := 'a reference table now';
	END IF;
	RETURN NEXT;
	object := 'hook_events_dead_letters';
	outcome := 'exists';
	IF NOT hooks_is_distributed(object::regclass) THEN
		EXECUTE 'SELECT citus_add_local_table_to_metadata($1)' USING object::regclass;
		outcome := 'known to all nodes now';
	END IF;
	RETURN NEXT;

	object := 'hook_events';
	outcome := 'exists';
	IF NOT hooks_is_distributed(object::regclass) THEN
		PERFORM hooks_lock(ARRAY[object::regclass] || ARRAY(SELECT p.partition FROM hooks_partitions() p), 'ACCESS EXCLUSIVE', interval '10s');
		EXECUTE 'SELECT create_distributed_table($1, ''event_id'', shard_count => $2)' USING object::regclass, shards;
		EXECUTE 'SELECT truncate_local_data_after_distributing_table($1)' USING object::regclass; -- copied by now
		outcome := 'distributed now';
	END IF;
	EXECUTE 'SELECT count(*) FROM pg_catalog.pg_dist_shard WHERE logicalrelid = $1' INTO shards USING object::regclass;
	outcome := format('%s, %s shards on %s nodes', outcome, shards, nodes);
	RETURN NEXT;

	-- Those that were made before the extension are not on the workers.
	FOR function IN
		SELECT oid::regprocedure FROM pg_proc
		WHERE pronamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'hook_events'::regclass)
		  AND (proname ~ '^hooks_' OR proname IN ('create_monthly_partition', 'ensure_partitions', 'get_partition_stats'))
	LOOP
		EXECUTE 'SELECT create_distributed_function($1)' USING function;
		IF NOT has_function_privilege('public', function, 'EXECUTE') THEN -- Citus passes on what is granted
			EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', function);
		END IF;
		known := known + 1;
	END LOOP;
	object := 'functions';
	outcome := format('%s on all nodes', known);
	RETURN NEXT;

	-- COPY opens a connection to each shard, and one of them a worker is kept unless this says more.
	object := 'citus.max_cached_conns_per_worker';
	outcome := 'exists';
	IF NOT EXISTS (SELECT FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase, unnest(setconfig) AS setting
	               WHERE datname = db AND setrole = 0 AND setting LIKE object || '=%') THEN
		outcome := format('ALTER DATABASE %I SET %s = %s', db, object, ceil(shards / nodes::numeric));
		IF (SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = db) THEN
			EXECUTE outcome;
		ELSE
			outcome := outcome || '; -- for the owner of the database to say';
		END IF;
	END IF;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION hooks_distribute(int) IS
'For calling, on the coordinator, once, where Citus is: distributes hook_events by event_id, over so many shards (null: two for each worker), and prepares what else hooksd needs on all nodes. One row per object; what is done already ''exists'', so it may be called again, after workers were added or functions were upgraded. Rows that the table has already are copied to the workers, then removed from the coordinator.
Locks: ACCESS EXCLUSIVE on hook_events and its partitions until all is copied: everything waits, and hooksd spools. Asked for in attempts of 150 ms, for up to 10 seconds; then SQLSTATE 55P03, nothing is changed: call it again.';

-- The functions write days into statements: each node must read the same day there, under any datestyle. And a row that a
-- policy hides must not be left behind.
ALTER FUNCTION create_monthly_partition(int, int) SET datestyle = 'ISO, YMD';
ALTER FUNCTION create_monthly_partition(int, int) SET row_security = off;
ALTER FUNCTION ensure_partitions(int, date) SET datestyle = 'ISO, YMD';
ALTER FUNCTION ensure_partitions(int, date) SET row_security = off;
ALTER FUNCTION archive_old_partitions(int, boolean) SET datestyle = 'ISO, YMD';
ALTER FUNCTION archive_old_partitions(int, boolean) SET row_security = off;
ALTER FUNCTION restore_archived_partition(int, int) SET datestyle = 'ISO, YMD';
ALTER FUNCTION restore_archived_partition(int, int) SET row_security = off;
ALTER FUNCTION drop_archived_partitions(int, text) SET datestyle = 'ISO, YMD';
ALTER FUNCTION drop_archived_partitions(int, text) SET row_security = off;
ALTER FUNCTION hooks_distribute(int) SET datestyle = 'ISO, YMD';
ALTER FUNCTION hooks_distribute(int) SET client_min_messages = warning; -- Citus says much

REVOKE ALL ON FUNCTION hooks_distribute(int) FROM PUBLIC;

INSERT INTO hooks_schema_migrations (version, name) VALUES (3, 'distributed');

COMMIT;
