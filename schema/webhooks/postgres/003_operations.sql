-- Migration 3 of the webhooks' set: what people see and do when receivers fail.
--
-- Applied as migration 1 is: by hooksd at start, by `hooksctl migrate`, or by hand with
--
--     psql "$HL_POSTGRES_URL" -f 003_operations.sql
--
-- One transaction, in the schema that holds hookline_schema_migrations. Run a second time it stops at its first
-- statement and changes nothing.

\set ON_ERROR_STOP on
BEGIN;

SELECT pg_advisory_xact_lock(448546171763);

DO $$
BEGIN
	IF to_regclass('hookline_schema_migrations') IS NULL THEN
		RAISE EXCEPTION 'migration 2 is missing: apply 001_webhooks.sql and 002_delivery.sql first, with the same search_path'
			USING ERRCODE = 'undefined_table';
	END IF;
	-- As in migration 1.
	PERFORM set_config('search_path', relnamespace::regnamespace || ', pg_temp', true)
		FROM pg_class WHERE oid = 'hookline_schema_migrations'::regclass;
	IF NOT EXISTS (SELECT FROM hookline_schema_migrations WHERE version = 2) THEN
		RAISE EXCEPTION 'migration 2 is missing: apply 002_delivery.sql first'
			USING ERRCODE = 'undefined_table';
	END IF;
	IF EXISTS (SELECT FROM hookline_schema_migrations WHERE version = 3) THEN
		RAISE EXCEPTION 'migration 3 is already applied: it is in the table hookline_schema_migrations'
			USING ERRCODE = 'duplicate_object';
	END IF;
END
$$;

-- Rows that are gone tell nobody: a courier that has a cancelled job in memory reads it here.
CREATE TABLE cancelled_jobs (
	tenant_id text COLLATE "C" NOT NULL,
	version bigint NOT NULL,
	job_id uuid NOT NULL,
	cancelled_at timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, version, job_id)
);
COMMENT ON TABLE cancelled_jobs IS 'Jobs that somebody has cancelled in the last hour, for couriers that have them in memory.';
COMMENT ON COLUMN cancelled_jobs.tenant_id IS 'Whose job it was.';
COMMENT ON COLUMN cancelled_jobs.version IS 'changes.version of the transaction that has removed the job''s row.';
COMMENT ON COLUMN cancelled_jobs.job_id IS 'The job.';
COMMENT ON COLUMN cancelled_jobs.cancelled_at IS 'When. Upkeep removes the row an hour later.';

-- So that upkeep finds what a deleted endpoint leaves.
ALTER TABLE dlq_events ADD COLUMN endpoint_id uuid;
COMMENT ON COLUMN dlq_events.endpoint_id IS 'The job''s endpoint.';

-- Any node goes on with a replay, a slice a transaction: how far it is stands in its row.
ALTER TABLE replays DROP COLUMN applied;
ALTER TABLE replays ADD COLUMN place uuid;
ALTER TABLE replays ADD COLUMN taken bigint NOT NULL DEFAULT 0;
ALTER TABLE replays ADD COLUMN replayed bigint NOT NULL DEFAULT 0;
ALTER TABLE replays ADD COLUMN next_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE replays ADD COLUMN error text COLLATE "C";
COMMENT ON COLUMN replays.status IS '''pending'', ''running'', ''done'', ''cancelled'' or ''failed''.';
COMMENT ON COLUMN replays.node_id IS 'The node that worked on it last.';
COMMENT ON COLUMN replays.place IS 'The last event that was looked at, in the order of ids.';
COMMENT ON COLUMN replays.taken IS 'Events that count for the limit: of which jobs were made, or waited still.';
COMMENT ON COLUMN replays.replayed IS 'Events of which jobs were made.';
COMMENT ON COLUMN replays.next_at IS 'When it may go on.';
COMMENT ON COLUMN replays.error IS 'Why it failed.';
CREATE INDEX replays_next_at_idx ON replays (next_at) WHERE finished_at IS NULL;
COMMENT ON INDEX replays_next_at_idx IS 'Those that have not ended, in the order in which they go on.';

ALTER TABLE endpoints ADD COLUMN breaker text COLLATE "C" NOT NULL DEFAULT 'closed'
	CHECK (breaker IN ('closed', 'open', 'half_open'));
ALTER TABLE endpoints ADD COLUMN breaker_version bigint NOT NULL DEFAULT 1;
COMMENT ON COLUMN endpoints.breaker IS 'The circuit breaker, as the node says that changed it last: ''open'' and ''half_open'' send one job now and then.';
COMMENT ON COLUMN endpoints.breaker_version IS 'The version whose url, secret or enabled is new: the circuit breaker is closed by it, and what older attempts came to does not count.';

INSERT INTO hookline_schema_migrations (version, name) VALUES (3, 'operations');

COMMIT;
