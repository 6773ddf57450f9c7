-- Migration 5 of the webhooks' set: nodes that take over from each other.
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

INSERT INTO hookline_schema_migrations (version, name) VALUES (5, 'nodes_and_order');

COMMIT;
