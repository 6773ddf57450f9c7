-- Migration 5 of the webhooks' set: nodes that take over from each other, and endpoints that keep an order.
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

INSERT INTO hookline_schema_migrations (version, name) VALUES (5, 'nodes_and_order');

COMMIT;
