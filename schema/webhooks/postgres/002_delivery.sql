-- Migration 2 of the webhooks' set: the check with which a publisher's transaction ends, the key of the development
-- receiver.
--
-- Applied as migration 1 is: by hooksd at start, by `hooksctl migrate`, or by hand with
--
--     psql "$HL_POSTGRES_URL" -f 002_delivery.sql
--
-- One transaction, in the schema that holds hookline_schema_migrations. Run a second time it stops at its first
-- statement and changes nothing.

\set ON_ERROR_STOP on
BEGIN;

SELECT pg_advisory_xact_lock(448546171763);

DO $$
BEGIN
	IF to_regclass('hookline_schema_migrations') IS NULL THEN
		RAISE EXCEPTION 'migration 1 is missing: apply 001_webhooks.sql first, with the same search_path'
			USING ERRCODE = 'undefined_table';
	END IF;
	-- As in migration 1.
	PERFORM set_config('search_path', relnamespace::regnamespace || ', pg_temp', true)
		FROM pg_class WHERE oid = 'hookline_schema_migrations'::regclass;
	IF EXISTS (SELECT FROM hookline_schema_migrations WHERE version = 2) THEN
		RAISE EXCEPTION 'migration 2 is already applied: it is in the table hookline_schema_migrations'
			USING ERRCODE = 'duplicate_object';
	END IF;
END
$$;

-- Called in one message with COMMIT, so that a process that is stopped between two statements commits nothing later. In
-- an isolation level other than READ COMMITTED it would not see what others have changed since the transaction began.
CREATE FUNCTION hl_check(tenants text[], versions bigint[], node int, epoch bigint, begun timestamptz, timeout_ms int)
	RETURNS void
	LANGUAGE plpgsql STABLE
	SET search_path FROM CURRENT
AS $$
DECLARE
	changed text;
BEGIN
	IF clock_timestamp() > begun + timeout_ms * INTERVAL '1 millisecond' THEN
		RAISE EXCEPTION 'the transaction has lasted longer than % ms', timeout_ms USING ERRCODE = 'HL003';
	END IF;
	IF NOT EXISTS (SELECT FROM delivery_nodes AS row
	               WHERE row.node_id = node AND row.epoch = hl_check.epoch AND row.adopted_by IS NULL) THEN
		RAISE EXCEPTION 'the row of node % in delivery_nodes is another''s now', node USING ERRCODE = 'HL002';
	END IF;
	-- A subquery: one lookup for each tenant, whatever the planner believes of the table.
	SELECT tenant_id INTO changed FROM unnest(tenants, versions) AS given (tenant_id, version)
		WHERE given.version IS DISTINCT FROM
		      coalesce((SELECT row.version FROM routing_versions AS row WHERE row.tenant_id = given.tenant_id), 0)
		LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'the endpoints or subscriptions of the tenant % have changed', changed USING ERRCODE = 'HL001';
	END IF;
END
$$;
COMMENT ON FUNCTION hl_check(text[], bigint[], int, bigint, timestamptz, int) IS 'Internal: fails where a publisher must not commit, by SQLSTATE: HL001, a tenant''s routing_versions.version is not the one given (0: there is no row); HL002, the node''s row has another epoch or was adopted; HL003, the time is over.';

CREATE TABLE inbox_keys (
	id int PRIMARY KEY DEFAULT 1 CHECK (id = 1),
	key text COLLATE "C" NOT NULL
);
COMMENT ON TABLE inbox_keys IS 'The key that authenticates the tokens of the development receiver. One row, made with the first token.';
COMMENT ON COLUMN inbox_keys.id IS 'There is one row.';
COMMENT ON COLUMN inbox_keys.key IS '32 random bytes in lower-case hex. Without the row tokens that were given out are unknown.';

INSERT INTO hookline_schema_migrations (version, name) VALUES (2, 'delivery');

COMMIT;
