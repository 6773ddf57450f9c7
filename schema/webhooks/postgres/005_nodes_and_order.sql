-- Migration 5 of the webhooks' set: nodes that take over from each other, endpoints that keep an order, and tables that may
-- be distributed (Citus).
--
-- Applied as migration 1 is: by hooksd at start, by `hooksctl migrate`, or by hand with
--
--     psql "$HL_POSTGRES_URL" -f 005_nodes_and_order.sql
--
-- One transaction, in the schema that holds hookline_schema_migrations. Run a second time it stops at its first
-- statement and changes nothing.

\set ON_ERROR_STOP on
BEGIN;

SELECT pg_advisory_xact_lock(448546171763);

DO $$
BEGIN
	IF to_regclass('hookline_schema_migrations') IS NULL THEN
		RAISE EXCEPTION 'migration 4 is missing: apply 001_webhooks.sql, 002_delivery.sql, 003_operations.sql and 004_upkeep.sql first, with the same search_path'
			USING ERRCODE = 'undefined_table';
	END IF;
	-- As in migration 1.
	PERFORM set_config('search_path', relnamespace::regnamespace || ', pg_temp', true)
		FROM pg_class WHERE oid = 'hookline_schema_migrations'::regclass;
	IF NOT EXISTS (SELECT FROM hookline_schema_migrations WHERE version = 4) THEN
		RAISE EXCEPTION 'migration 4 is missing: apply 004_upkeep.sql first'
			USING ERRCODE = 'undefined_table';
	END IF;
	IF EXISTS (SELECT FROM hookline_schema_migrations WHERE version = 5) THEN
		RAISE EXCEPTION 'migration 5 is already applied: it is in the table hookline_schema_migrations'
			USING ERRCODE = 'duplicate_object';
	END IF;
END
$$;

-- The default is that of nodes of a version before, which do not write it.
ALTER TABLE delivery_nodes ADD COLUMN timeout_ms int NOT NULL DEFAULT 30000;
COMMENT ON COLUMN delivery_nodes.timeout_ms IS 'Its HL_NODE_TIMEOUT_SECS: no other node adopts it after a shorter silence.';
COMMENT ON TABLE delivery_nodes IS 'The nodes that deliver: a row each, with a heartbeat. Jobs belong to nodes.';
COMMENT ON COLUMN delivery_nodes.left_at IS 'When its first courier stopped cleanly: soon others take its jobs over.';
COMMENT ON COLUMN delivery_nodes.adopted_by IS 'The node that takes its jobs over. The row is removed when it has no jobs any more.';
COMMENT ON COLUMN delivery_nodes.backend_pids IS 'The sessions of its publishers and couriers, where no pooler is between.';

-- One node at a time sends, where limits are not divided among nodes.
ALTER TABLE endpoints ADD COLUMN lease_epoch bigint, ADD COLUMN lease_until timestamptz;
COMMENT ON COLUMN endpoints.lease_epoch IS 'delivery_nodes.epoch of the one node that sends, where limits are not divided.';
COMMENT ON COLUMN endpoints.lease_until IS 'Until when others wait for that node.';

-- The order of endpoints with fifo. Rows of other endpoints are in neither of the first two indexes. Publishers and
-- couriers wait while they are built, as long as a scan of jobs and of dlq takes.
CREATE INDEX jobs_fifo_seq_idx ON jobs (tenant_id, endpoint_id, fifo_seq, job_id) WHERE fifo_seq IS NOT NULL;
COMMENT ON INDEX jobs_fifo_seq_idx IS 'Jobs of endpoints with fifo, in their order.';
COMMENT ON COLUMN jobs.fifo_seq IS 'Its place in the order of its endpoint; 0: before all that were published. Null: it has none.';
ALTER TABLE dlq ADD COLUMN blocks boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN dlq.blocks IS 'True: as long as it is here nothing of its order is sent (fifo with on_dead: block).';
CREATE INDEX dlq_blocks_idx ON dlq (tenant_id, endpoint_id) WHERE blocks;
COMMENT ON INDEX dlq_blocks_idx IS 'Those that stop an order.';
ALTER TABLE fifo_heads ADD COLUMN node_id int;
COMMENT ON COLUMN fifo_heads.node_id IS 'delivery_nodes.node_id of the one node that sends what the endpoint gets.';
COMMENT ON TABLE fifo_heads IS 'Endpoints with fifo: the last place that was given out, and who sends.';
COMMENT ON COLUMN fifo_heads.ordering_key IS 'Empty: an endpoint counts all its jobs together.';
COMMENT ON COLUMN fifo_heads.last_seq IS 'jobs.fifo_seq of the endpoint''s newest job.';
COMMENT ON COLUMN endpoints.pinned_node_id IS 'Not used: fifo_heads.node_id and lease_epoch say who sends.';
COMMENT ON COLUMN fifo_heads.blocked_by IS 'Not used: dlq.blocks says what stops an order.';
CREATE INDEX fifo_heads_node_id_idx ON fifo_heads (node_id);
COMMENT ON INDEX fifo_heads_node_id_idx IS 'What a node sends in order.';

-- Distributed tables

-- A worker plans by its own settings, and takes jobs for empty after a quiet night. Citus tells workers of a setting that a
-- statement sets, while this setting of its own is on. Both hold until the transaction ends.
CREATE FUNCTION hl_by_indexes() RETURNS void
	LANGUAGE plpgsql
AS $$
BEGIN
	IF pg_catalog.to_regproc('pg_catalog.create_distributed_table') IS NOT NULL THEN
		PERFORM pg_catalog.set_config('citus.propagate_set_commands', 'local', true);
	END IF;
	EXECUTE 'SET LOCAL enable_seqscan = off';
	EXECUTE 'SET LOCAL enable_bitmapscan = off';
END
$$;
COMMENT ON FUNCTION hl_by_indexes() IS 'Internal: until the transaction ends tables are read by their indexes, on all nodes.';

-- As before; and what Citus runs by itself selects a column, and workers also read jobs by their key.
CREATE OR REPLACE FUNCTION hl_drop_month(parent regclass, before timestamptz)
	RETURNS TABLE (partition_name text, outcome text)
	LANGUAGE plpgsql
	SECURITY DEFINER
	SET search_path FROM CURRENT
	SET row_security = off
	-- jobs are few rows on many pages when a queue was emptied: they are read by their key.
	SET enable_seqscan = off
	SET enable_bitmapscan = off
AS $$
DECLARE
	month record;
	first_id uuid;
	next_id uuid;
BEGIN
	IF parent IS NULL OR parent NOT IN ('events'::regclass, 'attempts'::regclass) THEN
		RAISE EXCEPTION 'months are dropped of events and of attempts, not of %', coalesce(parent::text, 'null')
			USING ERRCODE = 'wrong_object_type';
	END IF;
	-- Else what others have committed since the transaction began would not be seen.
	IF current_setting('transaction_isolation') <> 'read committed' THEN
		RAISE EXCEPTION 'months are dropped by a transaction that is READ COMMITTED: this one is %',
			upper(current_setting('transaction_isolation'))
			USING ERRCODE = 'invalid_transaction_state';
	END IF;
	PERFORM hl_by_indexes();
	FOR month IN
		SELECT p.partition, p.name, p.range_from AT TIME ZONE 'UTC' AS lower, p.range_to AT TIME ZONE 'UTC' AS upper
		FROM hooks_partitions(parent) AS p
		WHERE p.is_month AND p.range_to <= before AT TIME ZONE 'UTC' ORDER BY p.range_from
	LOOP
		partition_name := month.name;
		first_id := (lpad(to_hex(hl_ms(month.lower)), 12, '0') || repeat('0', 20))::uuid;
		next_id := (lpad(to_hex(hl_ms(month.upper)), 12, '0') || repeat('0', 20))::uuid;
		outcome := 'dropped';
		BEGIN
			-- Once before anybody is kept waiting, and again when nobody can add an event or its jobs any more.
			FOR look IN 1..2 LOOP
				IF look = 2 THEN
					PERFORM hooks_lock(array_remove(ARRAY[parent, hooks_default_partition(parent), month.partition], NULL),
						'ACCESS EXCLUSIVE', interval '0');
				END IF;
				-- A replay has a day: it goes on behind the month then.
				IF parent = 'events'::regclass AND (
				   EXISTS (SELECT 1 FROM replays WHERE finished_at IS NULL AND created_at > now() - interval '1 day'
					AND (place IS NULL OR place < next_id))
				   OR EXISTS (SELECT 1 FROM endpoints AS e CROSS JOIN LATERAL (
					SELECT 1 FROM jobs AS j WHERE j.tenant_id = e.tenant_id AND j.endpoint_id = e.endpoint_id
						AND j.job_id >= first_id AND j.job_id < next_id
						-- The event of a requeued job is beside it.
						AND (SELECT true FROM dlq_events AS d WHERE d.tenant_id = j.tenant_id
							AND d.event_id = j.event_id AND d.job_id = j.job_id) IS NULL
					LIMIT 1) AS waiting))
				THEN
					outcome := 'needed';
					EXIT;
				END IF;
			END LOOP;
			IF outcome = 'dropped' THEN
				EXECUTE format('ALTER TABLE %s DETACH PARTITION %s', parent, month.partition);
				EXECUTE format('DROP TABLE %s', month.partition);
			END IF;
		EXCEPTION
			WHEN lock_not_available OR deadlock_detected THEN
				outcome := 'busy';
			WHEN dependent_objects_still_exist THEN
				outcome := 'depended_on';
		END;
		RETURN NEXT;
		EXIT WHEN outcome IN ('dropped', 'busy');
	END LOOP;
END
$$;

CREATE FUNCTION hl_check_distributable(tables regclass[]) RETURNS void
	LANGUAGE plpgsql STABLE
	SET search_path FROM CURRENT
AS $$
DECLARE
	relations regclass[] := ARRAY(SELECT relid FROM unnest(tables) AS parent, pg_partition_tree(parent)) || tables;
	broken record;
BEGIN
	SELECT i.indexrelid::regclass AS name, i.indrelid::regclass AS relation INTO broken
		FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = 'tenant_id'
		WHERE i.indrelid = ANY (relations) AND (i.indisunique OR i.indisexclusion)
		  AND a.attnum <> ALL ((i.indkey::smallint[])[0:i.indnkeyatts - 1])
		LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'the unique index % of % lacks tenant_id, by which rows are distributed', broken.name, broken.relation
			USING ERRCODE = 'feature_not_supported',
			      HINT = 'Citus keeps no key unique over several nodes: add tenant_id to the index, make it not unique, or drop it.';
	END IF;
	SELECT tgname AS name, tgrelid::regclass AS relation INTO broken
		FROM pg_trigger WHERE tgrelid = ANY (relations) AND NOT tgisinternal LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'the table % has the trigger %', broken.relation, broken.name
			USING ERRCODE = 'feature_not_supported', HINT = 'Citus refuses triggers on distributed tables: drop it.';
	END IF;
	SELECT conname AS name, conrelid::regclass AS relation INTO broken
		FROM pg_constraint WHERE contype = 'f' AND (conrelid = ANY (relations)) <> (confrelid = ANY (relations)) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'the foreign key % of % joins a table of the webhooks with one that is none', broken.name, broken.relation
			USING ERRCODE = 'feature_not_supported', HINT = 'Rows of the two would be on different nodes: drop it.';
	END IF;
END
$$;
COMMENT ON FUNCTION hl_check_distributable(regclass[]) IS 'Internal: an error where a rule of Citus forbids to distribute tables by tenant_id.';

-- These have no tenant, or are small and read with nearly every event.
CREATE FUNCTION hl_tables_on_all_nodes() RETURNS text[]
	LANGUAGE sql IMMUTABLE
AS $$
	SELECT '{hookline_schema_migrations,tenants,api_keys,routing_versions,changes,pauses,upkeep,delivery_nodes,store_identity,
		inbox_keys}'::text[]
$$;
COMMENT ON FUNCTION hl_tables_on_all_nodes() IS 'Internal: what hooks_distribute() makes reference tables of.';

CREATE FUNCTION hl_tables_by_tenant() RETURNS text[]
	LANGUAGE sql IMMUTABLE
AS $$
	SELECT '{jobs,events,endpoints,transforms,subscriptions,fifo_heads,attempts,dlq,dlq_events,replays,idempotency_keys,audit_log,
		tenant_stats,inbox_messages,cancelled_jobs,endpoint_tests,notices}'::text[]
$$;
COMMENT ON FUNCTION hl_tables_by_tenant() IS 'Internal: what hooks_distribute() distributes by tenant_id.';

CREATE FUNCTION hl_lock_to_distribute() RETURNS regclass[]
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
AS $$
DECLARE
	missing regclass[];
BEGIN
	PERFORM hl_check_distributable(hl_tables_by_tenant()::regclass[]);
	missing := ARRAY(SELECT name::regclass FROM unnest(hl_tables_by_tenant() || hl_tables_on_all_nodes()) AS name
		WHERE NOT hooks_is_distributed(name::regclass));
	IF cardinality(missing) > 0 THEN
		PERFORM hooks_lock(missing || ARRAY(SELECT relid FROM unnest(missing) AS parent, pg_partition_tree(parent) WHERE relid <> parent),
			'ACCESS EXCLUSIVE', interval '10s');
	END IF;
	RETURN missing;
END
$$;
COMMENT ON FUNCTION hl_lock_to_distribute() IS
'Internal: finds out whether the webhooks'' tables can be distributed, and locks those that are not yet: it returns them.';

CREATE FUNCTION hl_distribute() RETURNS TABLE (object text, outcome text)
	LANGUAGE plpgsql
	SET search_path FROM CURRENT
AS $$
DECLARE
	on_all_nodes CONSTANT text[] := hl_tables_on_all_nodes();
	by_tenant CONSTANT text[] := hl_tables_by_tenant();
	missing regclass[] := hl_lock_to_distribute();
	shards int;
	colocated boolean;
	function regprocedure;
	known int := 0;
BEGIN
	FOREACH object IN ARRAY on_all_nodes LOOP
		outcome := 'exists';
		IF object::regclass = ANY (missing) THEN
			EXECUTE 'SELECT create_reference_table($1)' USING object::regclass;
			EXECUTE 'SELECT truncate_local_data_after_distributing_table($1)' USING object::regclass; -- copied by now
			outcome := 'a reference table now';
		END IF;
		RETURN NEXT;
	END LOOP;
	-- As many shards as hook events have: COPY opens a connection to each.
	EXECUTE 'SELECT count(*) FROM pg_catalog.pg_dist_shard WHERE logicalrelid = $1' INTO shards USING 'hook_events'::regclass;
	FOREACH object IN ARRAY by_tenant LOOP
		outcome := 'exists';
		IF object::regclass = ANY (missing) THEN
			IF object = by_tenant[1] THEN
				EXECUTE 'SELECT create_distributed_table($1, ''tenant_id'', colocate_with => ''none'', shard_count => $2)'
					USING object::regclass, shards;
			ELSE
				EXECUTE 'SELECT create_distributed_table($1, ''tenant_id'', colocate_with => $2)' USING object::regclass, by_tenant[1];
			END IF;
			EXECUTE 'SELECT truncate_local_data_after_distributing_table($1)' USING object::regclass;
			outcome := 'distributed now';
		ELSE
			EXECUTE 'SELECT count(DISTINCT colocationid) = 1 FROM pg_catalog.pg_dist_partition WHERE logicalrelid IN ($1, $2)'
				INTO colocated USING object::regclass, by_tenant[1]::regclass;
			IF NOT colocated THEN
				RAISE EXCEPTION 'the table % is distributed in another way than %', object, by_tenant[1]
					USING ERRCODE = 'invalid_table_definition',
					      HINT = format('Rows of a tenant must be on one node: SELECT undistribute_table(%L), then call this again.', object);
			END IF;
		END IF;
		RETURN NEXT;
	END LOOP;

	-- Those that were made before the extension are not on the workers.
	FOR function IN
		SELECT oid::regprocedure FROM pg_proc
		WHERE pronamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'jobs'::regclass) AND proname ~ '^hl_'
	LOOP
		EXECUTE 'SELECT create_distributed_function($1)' USING function;
		IF NOT has_function_privilege('public', function, 'EXECUTE') THEN -- Citus passes on what is granted
			EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', function);
		END IF;
		known := known + 1;
	END LOOP;
	object := 'functions of the webhooks';
	outcome := format('%s on all nodes', known);
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION hl_distribute() IS 'Internal: what hooks_distribute() does for the webhooks, after hook_events.';

REVOKE ALL ON FUNCTION hl_distribute(), hl_lock_to_distribute(), hl_check_distributable(regclass[]) FROM PUBLIC;

INSERT INTO hookline_schema_migrations (version, name) VALUES (5, 'nodes_and_order');

COMMIT;
