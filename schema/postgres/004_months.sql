-- Migration 4: the functions keep the months of every table that is partitioned by month, not of hook_events alone. Those
-- without a parent in front of their parameters are calls of the new ones for hook_events. Tables and rows stay as they are.
--
-- Applied as migrations 1 to 3 are: by hooksd at start, by `hooksctl migrate`, or by hand with
--
--     psql "$DATABASE_URL" -f 004_months.sql
--
-- One transaction, in the schema that holds hook_events, without a lock that events wait for. Run a second time it stops at its
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
	IF NOT EXISTS (SELECT FROM hooks_schema_migrations WHERE version = 3) THEN
		RAISE EXCEPTION 'migration 3 is missing: apply 003_distributed.sql first'
			USING ERRCODE = 'undefined_table';
	END IF;
	IF EXISTS (SELECT FROM hooks_schema_migrations WHERE version = 4) THEN
		RAISE EXCEPTION 'migration 4 is already applied: it is in the table hooks_schema_migrations'
			USING ERRCODE = 'duplicate_object';
	END IF;
END
$$;

-- What a parent is

CREATE FUNCTION hooks_month_key(parent regclass, OUT name text, OUT schema text, OUT key text, OUT key_type regtype)
	LANGUAGE plpgsql STABLE
	SET search_path FROM CURRENT
AS $$
BEGIN
	SELECT c.relname, c.relnamespace::regnamespace, quote_ident(a.attname), a.atttypid INTO name, schema, key, key_type
		FROM pg_partitioned_table p
		JOIN pg_class c ON c.oid = p.partrelid
		JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
		WHERE p.partrelid = parent AND p.partstrat = 'r' AND p.partnatts = 1
		  AND a.atttypid IN ('date'::regtype, 'timestamptz'::regtype);
	IF NOT FOUND THEN
		RAISE EXCEPTION '% is not partitioned by the range of one column of type date or timestamptz', coalesce(parent::text, 'null')
			USING ERRCODE = 'wrong_object_type';
	END IF;
END
$$;
COMMENT ON FUNCTION hooks_month_key(regclass) IS 'Internal: name, schema and partition column of a table that is partitioned by month, or an error.';

-- A day is written as that column's type takes it: a time zone of the session would move the months of a timestamptz.
CREATE FUNCTION hooks_month_bound(key_type regtype, day date) RETURNS text
	LANGUAGE sql STABLE
	SET search_path FROM CURRENT
AS $$
	SELECT to_char(day, 'YYYY-MM-DD') || CASE WHEN key_type = 'timestamptz'::regtype THEN ' 00:00:00+00' ELSE '' END
$$;
COMMENT ON FUNCTION hooks_month_bound(regtype, date) IS 'Internal: the first instant of a UTC day, for a partition''s bound.';

CREATE FUNCTION hooks_month_condition(parent regclass, first_day date) RETURNS text
	LANGUAGE sql STABLE
	SET search_path FROM CURRENT
AS $$
	SELECT format('%1$s >= %2$L AND %1$s < %3$L', k.key, hooks_month_bound(k.key_type, first_day),
		hooks_month_bound(k.key_type, (first_day + interval '1 month')::date)) FROM hooks_month_key(parent) AS k
$$;
COMMENT ON FUNCTION hooks_month_condition(regclass, date) IS 'Internal: the condition that rows of a month meet.';

CREATE FUNCTION hooks_partition_name(parent regclass, first_day date) RETURNS text
	LANGUAGE sql STABLE
	SET search_path FROM CURRENT
AS $$
	SELECT relname || '_' || to_char(first_day, 'YYYY_MM') FROM pg_class WHERE oid = parent
$$;
COMMENT ON FUNCTION hooks_partition_name(regclass, date) IS 'Internal: what the partition of a month is called.';

-- The catalog tells the bounds of a timestamptz in the time zone and the style that are set.
CREATE FUNCTION hooks_partitions(parent regclass)
	RETURNS TABLE (partition regclass, name text, range_from timestamp, range_to timestamp, is_month boolean)
	LANGUAGE sql STABLE
	SET search_path FROM CURRENT
	SET datestyle = 'ISO, YMD'
	SET timezone = 'UTC'
AS $$
	SELECT c.oid, c.relname::text, b.lower, b.upper,
	       b.lower = date_trunc('month', b.lower) AND b.upper = b.lower + interval '1 month'
	       AND c.relname = hooks_partition_name(parent, b.lower::date)
	FROM pg_inherits
	JOIN pg_class c ON c.oid = inhrelid
	LEFT JOIN regexp_match(pg_get_expr(c.relpartbound, c.oid),
		'FROM [(](?:MINVALUE|''(.*)'')[)] TO [(](?:MAXVALUE|''(.*)'')[)]') AS bounds ON true
	CROSS JOIN LATERAL (SELECT CASE WHEN bounds IS NOT NULL THEN coalesce(bounds[1]::timestamptz, '-infinity') AT TIME ZONE 'UTC' END AS lower,
	                           CASE WHEN bounds IS NOT NULL THEN coalesce(bounds[2]::timestamptz, 'infinity') AT TIME ZONE 'UTC' END AS upper) AS b
	WHERE inhparent = parent AND NOT inhdetachpending
	ORDER BY b.lower NULLS LAST, c.relname
$$;
COMMENT ON FUNCTION hooks_partitions(regclass) IS
'Internal: the partitions of a table, oldest first; the range (UTC) of the default partition is null. is_month: as create_monthly_partition() makes them.';

CREATE OR REPLACE FUNCTION hooks_partitions()
	RETURNS TABLE (partition regclass, name text, range_from date, range_to date, is_month boolean)
	LANGUAGE sql STABLE
	SET search_path FROM CURRENT
AS $$
	SELECT p.partition, p.name, p.range_from::date, p.range_to::date, p.is_month FROM hooks_partitions('hook_events'::regclass) AS p
$$;

CREATE FUNCTION hooks_default_partition(parent regclass) RETURNS regclass
	LANGUAGE sql STABLE
	SET search_path FROM CURRENT
AS $$
	SELECT partdefid::regclass FROM pg_partitioned_table WHERE partrelid = parent AND partdefid <> 0
$$;
COMMENT ON FUNCTION hooks_default_partition(regclass) IS 'Internal: the default partition; null when somebody took it away.';

CREATE FUNCTION hooks_columns(relation regclass) RETURNS text
	LANGUAGE sql STABLE
	SET search_path FROM CURRENT
AS $$
	SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
	WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
$$;
COMMENT ON FUNCTION hooks_columns(regclass) IS 'Internal: the columns by which rows are copied from table to table.';

-- Making months

CREATE FUNCTION hooks_move_from_default(parent regclass, partition regclass, first_day date) RETURNS void
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
	SET lock_timeout = '150ms'
AS $$
BEGIN
	IF hooks_default_partition(parent) IS NOT NULL THEN
		EXECUTE format('WITH moved AS (DELETE FROM %s WHERE %s RETURNING *) INSERT INTO %s (%s) SELECT %4$s FROM moved ON CONFLICT DO NOTHING',
			hooks_default_partition(parent), hooks_month_condition(parent, first_day), partition, hooks_columns(parent));
	END IF;
END
$$;
COMMENT ON FUNCTION hooks_move_from_default(regclass, regclass, date) IS 'Internal: moves the rows of a month out of the default partition.';

CREATE FUNCTION hooks_prepare_month(parent regclass, partition regclass, first_day date) RETURNS void
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
	SET lock_timeout = '150ms'
AS $$
BEGIN
	-- ATTACH need not read a table when a constraint says what is in it.
	EXECUTE format('ALTER TABLE %s ADD CONSTRAINT hooks_month CHECK (%s)', partition, hooks_month_condition(parent, first_day));
	PERFORM hooks_move_from_default(parent, partition, first_day);
END
$$;
COMMENT ON FUNCTION hooks_prepare_month(regclass, regclass, date) IS
'Internal: makes a table ready to be the partition of a month. What takes time is done here, under locks that nobody notices.';

CREATE FUNCTION hooks_attach_month(parent regclass, partition regclass, first_day date, patience interval) RETURNS void
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
	SET lock_timeout = '150ms'
AS $$
DECLARE
	key_type regtype := (hooks_month_key(parent)).key_type;
BEGIN
	PERFORM hooks_lock(ARRAY[parent], 'SHARE UPDATE EXCLUSIVE', patience);
	IF hooks_default_partition(parent) IS NOT NULL THEN
		-- ATTACH takes this lock to look for rows of the month; few have come since hooks_prepare_month().
		PERFORM hooks_lock(ARRAY[hooks_default_partition(parent)], 'ACCESS EXCLUSIVE', patience);
		PERFORM hooks_move_from_default(parent, partition, first_day);
	END IF;
	EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)', parent, partition,
		hooks_month_bound(key_type, first_day), hooks_month_bound(key_type, (first_day + interval '1 month')::date));
	EXECUTE format('ALTER TABLE %s DROP CONSTRAINT hooks_month', partition);
END
$$;
COMMENT ON FUNCTION hooks_attach_month(regclass, regclass, date, interval) IS
'Internal: makes a table the partition of a month, after hooks_prepare_month().';

CREATE FUNCTION hooks_make_month(parent regclass, first_day date, patience interval) RETURNS boolean
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
	SET lock_timeout = 0
AS $$
DECLARE
	next_month date := first_day + interval '1 month';
	named record := hooks_month_key(parent);
	-- Beside its parent, wherever the search_path would put a new table.
	qualified text := format('%s.%I', named.schema, hooks_partition_name(parent, first_day));
	others text;
	granted record;
	distributed_by name;
BEGIN
	-- The ordinary call finds its month there, by whatever name, and takes no lock that anybody could notice.
	IF EXISTS (SELECT FROM hooks_partitions(parent) p WHERE p.range_from <= first_day AND p.range_to >= next_month) THEN
		RETURN false;
	END IF;

	-- One caller at a time; the others wait here, where they are in nobody's way, and find the month made.
	PERFORM set_config('lock_timeout', extract(epoch FROM patience + interval '1s') || 's', true);
	PERFORM pg_advisory_xact_lock(448546171763);
	IF EXISTS (SELECT FROM hooks_partitions(parent) p WHERE p.range_from <= first_day AND p.range_to >= next_month) THEN
		RETURN false;
	END IF;
	others := (SELECT string_agg(p.partition::text, ', ') FROM hooks_partitions(parent) p
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
	EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL)', qualified, parent)
		|| coalesce((SELECT format(' USING %I', amname) FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE c.oid = parent), '')
		|| coalesce((SELECT format(' TABLESPACE %I', spcname) FROM pg_class c JOIN pg_tablespace t ON t.oid = c.reltablespace
			WHERE c.oid = parent), '');
	EXECUTE format('COMMENT ON TABLE %s IS %L', qualified,
		format('%s of %s (UTC days).', initcap(replace(named.name, 'hook_', '')), to_char(first_day, 'YYYY-MM')));
	-- Who may read or write the parent may do so by the name of the partition, too, and as far: some may read few columns.
	FOR granted IN
		SELECT acl.privilege_type AS privilege, acl.columns,
		       CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE acl.grantee::regrole::text END AS role
		FROM (SELECT '' AS columns, relowner AS owner, a.* FROM pg_class CROSS JOIN LATERAL aclexplode(relacl) AS a WHERE oid = parent
		      UNION ALL
		      SELECT format('(%I)', attname), relowner, a.* FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
		      CROSS JOIN LATERAL aclexplode(attacl) AS a WHERE pg_class.oid = parent) AS acl
		WHERE acl.grantee <> acl.owner
	LOOP
		EXECUTE format('GRANT %s %s ON %s TO %s', granted.privilege, granted.columns, qualified, granted.role);
	END LOOP;
	-- While it is empty: ATTACH would copy its rows to the workers while others wait, and leave the copies here. A
	-- distributed table is distributed by the first column of its key.
	IF hooks_is_distributed(parent) THEN
		SELECT attname INTO distributed_by FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
			WHERE indrelid = parent AND indisprimary;
		EXECUTE 'SELECT create_distributed_table($1, $2, colocate_with => $3)' USING qualified::regclass, distributed_by::text, parent::text;
	END IF;
	PERFORM hooks_prepare_month(parent, qualified::regclass, first_day);
	PERFORM hooks_attach_month(parent, qualified::regclass, first_day, patience);
	RETURN true;
END
$$;
COMMENT ON FUNCTION hooks_make_month(regclass, date, interval) IS
'Internal: makes the partition of a month; false: it was there. SQLSTATE 55P03 when a lock was not to be had within patience.';

CREATE FUNCTION create_monthly_partition(parent regclass, year int, month int) RETURNS text
	LANGUAGE plpgsql
	SECURITY DEFINER
	SET search_path FROM CURRENT
	SET datestyle = 'ISO, YMD'
	SET row_security = off
AS $$
DECLARE
	first_day date := hooks_first_day(year, month);
BEGIN
	PERFORM hooks_make_month(parent, first_day, interval '10s');
	RETURN (SELECT p.name FROM hooks_partitions(parent) p
		WHERE p.range_from <= first_day AND p.range_to >= first_day + interval '1 month');
END
$$;
COMMENT ON FUNCTION create_monthly_partition(regclass, int, int) IS
'Makes the partition of a month (UTC, whatever the time zone) of any table that is partitioned by month, PARENT_YYYY_MM, and returns its name; does nothing when one covers that month, whatever its name, which is returned then. Rows of that month in the default partition move into it. Locks as create_monthly_partition(year, month), on that table.';

CREATE OR REPLACE FUNCTION create_monthly_partition(year int, month int) RETURNS text
	LANGUAGE sql
	SECURITY DEFINER
	SET search_path FROM CURRENT
AS $$
	SELECT create_monthly_partition('hook_events'::regclass, year, month)
$$;

CREATE FUNCTION ensure_partitions(parent regclass, ahead int, today date)
	RETURNS TABLE (partition_name text, outcome text)
	LANGUAGE plpgsql
	SECURITY DEFINER
	SET search_path FROM CURRENT
	SET datestyle = 'ISO, YMD'
	SET row_security = off
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
	PERFORM hooks_month_key(parent);
	FOR i IN 0 .. ahead LOOP
		first_day := date_trunc('month', today::timestamp) + make_interval(months => i);
		next_month := first_day + interval '1 month';
		partition_name := hooks_partition_name(parent, first_day);
		outcome := 'exists';
		-- A partition that somebody else made, of a part of the month or of several, leaves no room for ours.
		IF NOT EXISTS (SELECT FROM hooks_partitions(parent) p WHERE p.range_from < next_month AND p.range_to > first_day) THEN
			waiting := 0;
			IF hooks_default_partition(parent) IS NOT NULL THEN
				EXECUTE format('SELECT count(*) FROM (SELECT 1 FROM %s WHERE %s LIMIT %s) AS few',
					hooks_default_partition(parent), hooks_month_condition(parent, first_day), at_once + 1)
					INTO waiting;
			END IF;
			IF waiting > at_once THEN
				outcome := 'crowded';
			ELSE
				BEGIN
					IF hooks_make_month(parent, first_day, interval '0') THEN
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
COMMENT ON FUNCTION ensure_partitions(regclass, int, date) IS
'As ensure_partitions(ahead, today), for any table that is partitioned by month: the month (UTC) of today and so many ahead. hooksd calls it for events and attempts. Locks as there, on that table.';

CREATE OR REPLACE FUNCTION ensure_partitions(ahead int DEFAULT 3, today date DEFAULT (now() AT TIME ZONE 'UTC')::date)
	RETURNS TABLE (partition_name text, outcome text)
	LANGUAGE sql
	SECURITY DEFINER
	SET search_path FROM CURRENT
AS $$
	SELECT * FROM ensure_partitions('hook_events'::regclass, ahead, today)
$$;

CREATE FUNCTION get_partition_stats(parent regclass, exact boolean)
	RETURNS TABLE (partition_name text, row_count bigint, total_size text, index_size text,
	               total_bytes bigint, index_bytes bigint, range_from date, range_to date)
	LANGUAGE plpgsql STABLE
	SET search_path FROM CURRENT
AS $$
DECLARE
	part record;
	size record;
BEGIN
	PERFORM hooks_month_key(parent);
	FOR part IN
		SELECT p.*, c.reltuples, c.relpages, c.relkind <> 'r' OR hooks_is_distributed(p.partition) AS elsewhere
		FROM hooks_partitions(parent) p JOIN pg_class c ON c.oid = p.partition
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
COMMENT ON FUNCTION get_partition_stats(regclass, boolean) IS
'As get_partition_stats(exact), for any table that is partitioned by month: one row per partition, oldest first, the default partition (whose range is null) last. Locks: ACCESS SHARE, as any query.';

CREATE OR REPLACE FUNCTION get_partition_stats(exact boolean DEFAULT true)
	RETURNS TABLE (partition_name text, row_count bigint, total_size text, index_size text,
	               total_bytes bigint, index_bytes bigint, range_from date, range_to date)
	LANGUAGE sql STABLE
	SET search_path FROM CURRENT
AS $$
	SELECT * FROM get_partition_stats('hook_events'::regclass, exact)
$$;

-- The archive

CREATE OR REPLACE FUNCTION hooks_add_to_archive(partition regclass, archived regclass) RETURNS void
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
AS $$
BEGIN
	EXECUTE format('INSERT INTO %s (%s) SELECT %2$s FROM %s ON CONFLICT DO NOTHING', archived, hooks_columns(partition), partition);
END
$$;

CREATE FUNCTION hooks_archived(name text) RETURNS regclass
	LANGUAGE sql STABLE
	SET search_path FROM CURRENT
AS $$
	SELECT to_regclass(format('hooks_archive.%I', name))
$$;
COMMENT ON FUNCTION hooks_archived(text) IS 'Internal: the archived table of that name; null when there is none.';

CREATE FUNCTION hooks_archive_months(parent regclass, partitions regclass[]) RETURNS void
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
	SET lock_timeout = '150ms'
AS $$
DECLARE
	part record;
BEGIN
	-- Late rows may have made a month anew that is archived already: they join it. Most of that work is done here,
	-- before anybody has to wait.
	FOR part IN
		SELECT c.oid::regclass AS partition, hooks_archived(c.relname) AS archived FROM pg_class c WHERE c.oid = ANY (partitions)
	LOOP
		IF part.archived IS NOT NULL THEN
			PERFORM hooks_add_to_archive(part.partition, part.archived);
		END IF;
	END LOOP;

	PERFORM set_config('lock_timeout', '11s', true);
	PERFORM pg_advisory_xact_lock(448546171763); -- no month is made meanwhile
	PERFORM set_config('lock_timeout', '150ms', true);
	PERFORM hooks_lock(array_remove(ARRAY[parent, hooks_default_partition(parent)] || partitions, NULL),
		'ACCESS EXCLUSIVE', interval '10s');

	-- From here to the end of the transaction everybody waits.
	FOR part IN
		SELECT c.oid::regclass AS partition, hooks_archived(c.relname) AS archived FROM pg_class c WHERE c.oid = ANY (partitions)
	LOOP
		EXECUTE format('ALTER TABLE %s DETACH PARTITION %s', parent, part.partition);
		IF part.archived IS NULL THEN
			EXECUTE format('ALTER TABLE %s SET SCHEMA hooks_archive', part.partition);
		ELSE
			PERFORM hooks_add_to_archive(part.partition, part.archived);
			EXECUTE format('DROP TABLE %s', part.partition);
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION hooks_archive_months(regclass, regclass[]) IS 'Internal: detaches months and moves them to the schema hooks_archive, all or none.';

CREATE FUNCTION archive_old_partitions(parent regclass, months_to_keep int, dry_run boolean)
	RETURNS TABLE (partition_name text, row_count bigint, total_size text, total_bytes bigint,
	               range_from date, range_to date, outcome text)
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
	SET datestyle = 'ISO, YMD'
	SET row_security = off
AS $$
DECLARE
	keep_from date := hooks_keep_from(months_to_keep);
	months regclass[];
	sizes bigint[];
	counts bigint[];
	month regclass;
	part record;
BEGIN
	PERFORM hooks_month_key(parent);
	IF NOT dry_run THEN
		PERFORM hooks_one_at_a_time();
	END IF;
	SELECT array_agg(p.partition), array_agg(s.total_bytes) INTO months, sizes
		FROM hooks_partitions(parent) p CROSS JOIN LATERAL hooks_size(p.partition) AS s
		WHERE p.is_month AND p.range_to <= keep_from;
	IF months IS NULL THEN
		RETURN;
	END IF;
	-- Citus tells no sizes after a schema is made, and makes no schema after a query that ran on several workers.
	IF NOT dry_run AND to_regnamespace('hooks_archive') IS NULL THEN
		EXECUTE format('CREATE SCHEMA hooks_archive AUTHORIZATION %s', (SELECT relowner::regrole FROM pg_class WHERE oid = parent));
		COMMENT ON SCHEMA hooks_archive IS 'Months that archive_old_partitions() took out of their tables.';
	END IF;
	FOREACH month IN ARRAY months LOOP
		EXECUTE format('SELECT $1 || count(*) FROM %s', month) INTO counts USING counts;
	END LOOP;

	-- What is told of a month is read before it moves.
	FOR part IN
		SELECT p.*, m.rows, m.bytes, hooks_archived(p.name) IS NOT NULL AS archived
		FROM hooks_partitions(parent) p JOIN unnest(months, counts, sizes) AS m (partition, rows, bytes) USING (partition)
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
		PERFORM hooks_archive_months(parent, months);
	END IF;
END
$$;
COMMENT ON FUNCTION archive_old_partitions(regclass, int, boolean) IS
'As archive_old_partitions(months_to_keep, dry_run), for any table that is partitioned by month: takes the months before the last months_to_keep ones out of it, to the schema hooks_archive. Locks as there, on that table.';

CREATE OR REPLACE FUNCTION archive_old_partitions(months_to_keep int DEFAULT 3, dry_run boolean DEFAULT false)
	RETURNS TABLE (partition_name text, row_count bigint, total_size text, total_bytes bigint,
	               range_from date, range_to date, outcome text)
	LANGUAGE sql
	SET search_path FROM CURRENT
AS $$
	SELECT * FROM archive_old_partitions('hook_events'::regclass, months_to_keep, dry_run)
$$;

CREATE FUNCTION restore_archived_partition(parent regclass, year int, month int) RETURNS text
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
	SET lock_timeout = '11s'
	SET datestyle = 'ISO, YMD'
	SET row_security = off
AS $$
DECLARE
	first_day date := hooks_first_day(year, month);
	named record := hooks_month_key(parent);
	partition_name text := hooks_partition_name(parent, first_day);
	archived regclass := hooks_archived(partition_name);
	attached regclass := (SELECT p.partition FROM hooks_partitions(parent) p WHERE p.name = partition_name);
BEGIN
	PERFORM hooks_one_at_a_time();
	IF archived IS NULL AND attached IS NOT NULL THEN
		RAISE NOTICE '% is a partition of %: nothing to restore', partition_name, named.name;
		RETURN partition_name;
	END IF;
	IF archived IS NULL THEN
		RAISE EXCEPTION 'there is no table %: the archive holds %', 'hooks_archive.' || partition_name,
			coalesce((SELECT string_agg(tablename, ', ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'hooks_archive'), 'nothing')
			USING ERRCODE = 'undefined_table';
	END IF;

	PERFORM hooks_lock(ARRAY[archived], 'ACCESS EXCLUSIVE', interval '10s');
	PERFORM hooks_prepare_month(parent, archived, first_day);
	IF attached IS NOT NULL THEN
		PERFORM hooks_archive_months(parent, ARRAY[attached]);
	END IF;
	PERFORM pg_advisory_xact_lock(448546171763);
	EXECUTE format('ALTER TABLE %s SET SCHEMA %s', archived, named.schema);
	PERFORM hooks_attach_month(parent, archived, first_day, interval '10s');
	RETURN partition_name;
END
$$;
COMMENT ON FUNCTION restore_archived_partition(regclass, int, int) IS
'As restore_archived_partition(year, month), for any table that is partitioned by month: makes an archived month a partition of it again and returns its name. Locks as there, on that table.';

CREATE OR REPLACE FUNCTION restore_archived_partition(year int, month int) RETURNS text
	LANGUAGE sql
	SET search_path FROM CURRENT
AS $$
	SELECT restore_archived_partition('hook_events'::regclass, year, month)
$$;

CREATE FUNCTION drop_archived_partitions(parent regclass, months_to_keep int, confirm text)
	RETURNS TABLE (partition_name text, row_count bigint, total_size text, total_bytes bigint,
	               range_from date, range_to date, outcome text)
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
	SET datestyle = 'ISO, YMD'
	SET row_security = off
AS $$
DECLARE
	keep_from date := hooks_keep_from(months_to_keep);
	named record := hooks_month_key(parent);
	is_hook_events boolean := parent = 'hook_events'::regclass;
	phrase text := 'drop months ' || CASE WHEN is_hook_events THEN '' ELSE 'of ' || named.name || ' ' END
		|| 'before ' || to_char(keep_from, 'YYYY-MM');
	call text := format('SELECT * FROM drop_archived_partitions(%s%s',
		CASE WHEN is_hook_events THEN '' ELSE quote_literal(parent::text) || ', ' END, months_to_keep);
	part record;
BEGIN
	IF confirm <> phrase THEN
		RAISE EXCEPTION 'nothing is dropped: with months_to_keep = % the confirmation is ''%'', not ''%''',
			months_to_keep, phrase, confirm
			USING ERRCODE = 'invalid_parameter_value',
			      HINT = call || CASE WHEN is_hook_events THEN ')' ELSE ', NULL)' END || ' shows what would be dropped.';
	END IF;
	PERFORM hooks_one_at_a_time();
	FOR part IN
		SELECT c.oid::regclass AS archived, c.relname, m.first_day, (m.first_day + interval '1 month')::date AS next_month,
		       s.total_bytes AS bytes
		FROM pg_class c
		CROSS JOIN LATERAL (SELECT CASE WHEN left(c.relname, -7) = named.name || '_' AND right(c.relname, 7) ~ '^[0-9]{4}_(0[1-9]|1[0-2])$'
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
		RAISE NOTICE 'to drop these for ever: %, %)', call, quote_literal(phrase);
	END IF;
END
$$;
COMMENT ON FUNCTION drop_archived_partitions(regclass, int, text) IS
'As drop_archived_partitions(months_to_keep, confirm), for any table that is partitioned by month; confirm must say ''drop months of PARENT before YYYY-MM'', and null shows what would be dropped. Never touches the table itself. Locks as there.';

CREATE OR REPLACE FUNCTION drop_archived_partitions(months_to_keep int, confirm text DEFAULT NULL)
	RETURNS TABLE (partition_name text, row_count bigint, total_size text, total_bytes bigint,
	               range_from date, range_to date, outcome text)
	LANGUAGE sql
	SET search_path FROM CURRENT
AS $$
	SELECT * FROM drop_archived_partitions('hook_events'::regclass, months_to_keep, confirm)
$$;

-- What nothing calls any more.
DROP FUNCTION hooks_default_partition(), hooks_columns(), hooks_move_from_default(regclass, date),
	hooks_prepare_month(regclass, date), hooks_attach_month(regclass, date, interval), hooks_make_month(date, interval),
	hooks_archive_months(regclass[]);

REVOKE ALL ON FUNCTION create_monthly_partition(regclass, int, int), ensure_partitions(regclass, int, date),
	archive_old_partitions(regclass, int, boolean), restore_archived_partition(regclass, int, int),
	drop_archived_partitions(regclass, int, text) FROM PUBLIC;

COMMENT ON COLUMN hook_events.tenant_id IS 'Whose event it is: the tenant of the API key that it came with; ''default'' without one.';

INSERT INTO hooks_schema_migrations (version, name) VALUES (4, 'months');

COMMIT;
