-- What the schema asks of Citus, for a plain PostgreSQL: functions of those names which note that they were called, and
-- refuse what Citus refuses. A superuser puts them into one database, or into template1 for all that are made later.

SET allow_system_table_mods = on;

CREATE SCHEMA citus;
GRANT USAGE ON SCHEMA citus TO PUBLIC;
CREATE TYPE citus.distribution_type AS ENUM ('hash', 'range', 'append');
CREATE TABLE citus.calls (number serial, call text);

CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass NOT NULL, colocationid int NOT NULL);
CREATE SEQUENCE citus.colocations;
GRANT USAGE ON SEQUENCE citus.colocations TO PUBLIC;
CREATE TABLE pg_catalog.pg_dist_shard (logicalrelid regclass NOT NULL, shardid bigserial);
GRANT SELECT ON pg_catalog.pg_dist_partition, pg_catalog.pg_dist_shard TO PUBLIC;

CREATE FUNCTION citus.note(call text) RETURNS void
	LANGUAGE sql SECURITY DEFINER
AS $$
	INSERT INTO citus.calls (call) VALUES (call)
$$;

CREATE FUNCTION citus.add(relation regclass, shards int, colocation bigint DEFAULT 0) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
AS $$
DECLARE
	part regclass;
BEGIN
	FOR part IN SELECT relation UNION SELECT relid FROM pg_partition_tree(relation) LOOP
		IF EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = part) THEN
			RAISE EXCEPTION 'table "%" is already distributed', part USING ERRCODE = 'invalid_table_definition';
		END IF;
		INSERT INTO pg_dist_partition VALUES (part, colocation);
		INSERT INTO pg_dist_shard (logicalrelid) SELECT part FROM generate_series(1, shards);
	END LOOP;
END
$$;

CREATE FUNCTION pg_catalog.create_distributed_table(table_name regclass, distribution_column text,
	distribution_type citus.distribution_type DEFAULT 'hash', colocate_with text DEFAULT 'default', shard_count int DEFAULT NULL)
	RETURNS void
	LANGUAGE plpgsql
AS $$
DECLARE
	rows bigint;
	colocation bigint := nextval('citus.colocations');
BEGIN
	EXECUTE format('SELECT count(*) FROM %s', table_name) INTO rows;
	IF colocate_with NOT IN ('default', 'none') THEN
		shard_count := (SELECT count(*) FROM pg_dist_shard WHERE logicalrelid = colocate_with::regclass);
		colocation := (SELECT colocationid FROM pg_dist_partition WHERE logicalrelid = colocate_with::regclass);
	END IF;
	PERFORM citus.add(table_name, shard_count, colocation);
	PERFORM citus.note(format('create_distributed_table %s by %s with %s, %s shards, %s rows',
		table_name, distribution_column, colocate_with, shard_count, rows));
END
$$;

CREATE FUNCTION pg_catalog.create_reference_table(table_name regclass) RETURNS void
	LANGUAGE sql
AS $$
	SELECT citus.add(table_name, 1);
	SELECT citus.note(format('create_reference_table %s', table_name));
$$;

CREATE FUNCTION pg_catalog.citus_add_local_table_to_metadata(table_name regclass, cascade_via_foreign_keys boolean DEFAULT false)
	RETURNS void
	LANGUAGE sql
AS $$
	SELECT citus.add(table_name, 1);
	SELECT citus.note(format('citus_add_local_table_to_metadata %s', table_name));
$$;

CREATE FUNCTION pg_catalog.truncate_local_data_after_distributing_table(function_name regclass) RETURNS void
	LANGUAGE sql
AS $$
	SELECT citus.note(format('truncate_local_data_after_distributing_table %s', function_name))
$$;

CREATE FUNCTION pg_catalog.create_distributed_function(function_name regprocedure, distribution_arg_name text DEFAULT NULL,
	colocate_with text DEFAULT 'default', force_delegation boolean DEFAULT NULL)
	RETURNS void
	LANGUAGE plpgsql
AS $$
BEGIN
	IF current_setting('citus.multi_shard_modify_mode') <> 'sequential' THEN
		RAISE EXCEPTION 'cannot run function command because there was a parallel operation on a distributed table in the transaction';
	END IF;
	PERFORM citus.note(format('create_distributed_function %s', function_name));
END
$$;

CREATE FUNCTION citus.note_revoke() RETURNS event_trigger
	LANGUAGE plpgsql
AS $$
BEGIN
	PERFORM citus.note('REVOKE');
END
$$;
CREATE EVENT TRIGGER citus_note_revoke ON ddl_command_end WHEN TAG IN ('REVOKE') EXECUTE FUNCTION citus.note_revoke();

-- Sizes that nobody takes for the local ones.
CREATE FUNCTION citus.size(relation regclass, local bigint) RETURNS bigint
	LANGUAGE plpgsql
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = relation) THEN
		RAISE EXCEPTION 'cannot calculate the size because relation % is not distributed', relation;
	END IF;
	IF EXISTS (SELECT FROM pg_namespace WHERE nspname = 'hooks_archive' AND xmin = pg_current_xact_id_if_assigned()::xid) THEN
		RAISE EXCEPTION 'citus size functions cannot be called in transaction blocks which contain multi-shard data modifications';
	END IF;
	RETURN 1000000 + local;
END
$$;

CREATE FUNCTION pg_catalog.citus_total_relation_size(logicalrelid regclass, fail_on_error boolean DEFAULT true) RETURNS bigint
	LANGUAGE sql
AS $$
	SELECT citus.size(logicalrelid, pg_total_relation_size(logicalrelid))
$$;

CREATE FUNCTION pg_catalog.citus_table_size(logicalrelid regclass) RETURNS bigint
	LANGUAGE sql
AS $$
	SELECT citus.size(logicalrelid, pg_table_size(logicalrelid))
$$;

-- Nodes

CREATE FUNCTION pg_catalog.citus_get_active_worker_nodes(OUT node_name text, OUT node_port bigint) RETURNS SETOF record
	LANGUAGE sql
AS $$
	VALUES ('worker-1', 5432::bigint), ('worker-2', 5432)
$$;

CREATE FUNCTION pg_catalog.citus_backend_gpid() RETURNS bigint
	LANGUAGE sql
AS $$
	SELECT 10000000000 + pg_backend_pid()
$$;

-- The first worker is this server, the second is away.
CREATE FUNCTION pg_catalog.run_command_on_workers(command text, parallel boolean DEFAULT true,
	OUT nodename text, OUT nodeport int, OUT success boolean, OUT result text) RETURNS SETOF record
	LANGUAGE plpgsql
AS $$
BEGIN
	nodename := 'worker-1';
	nodeport := 5432;
	success := true;
	EXECUTE command INTO result;
	RETURN NEXT;
	nodename := 'worker-2';
	success := false;
	result := 'failed to connect';
	RETURN NEXT;
END
$$;

CREATE FUNCTION pg_catalog.run_command_on_coordinator(command text, give_warning_for_connection_errors boolean DEFAULT false,
	OUT nodeid int, OUT success boolean, OUT result text) RETURNS SETOF record
	LANGUAGE plpgsql
AS $$
BEGIN
	nodeid := 1;
	success := true;
	EXECUTE command INTO result;
	RETURN NEXT;
END
$$;

CREATE FUNCTION citus.refuse_schema() RETURNS event_trigger
	LANGUAGE plpgsql
AS $$
BEGIN
	-- A table that this transaction has read.
	IF EXISTS (SELECT FROM pg_locks JOIN pg_dist_partition ON logicalrelid = relation
	           WHERE locktype = 'relation' AND mode = 'AccessShareLock' AND pid = pg_backend_pid()) THEN
		RAISE EXCEPTION 'cannot run schema command because there was a parallel operation on a distributed table in the transaction';
	END IF;
END
$$;
CREATE EVENT TRIGGER citus_refuse_schema ON ddl_command_start WHEN TAG IN ('CREATE SCHEMA')
	EXECUTE FUNCTION citus.refuse_schema();
