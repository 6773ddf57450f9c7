-- Migration 3 of the webhooks' set: what people see and do when receivers fail.
--
-- Applied as migration 1 is: by hooksd at start, by `hooksctl migrate`, or by hand with
--
--     sqlite3 -bail hookline.db < 003_operations.sql
--
-- One transaction. Run a second time it stops at its first statement and changes nothing.

BEGIN IMMEDIATE;

-- Jobs that somebody has cancelled in the last hour, for couriers that have them in memory.
CREATE TABLE cancelled_jobs (
	tenant_id TEXT NOT NULL, -- Whose job it was
	version INTEGER NOT NULL, -- changes.version of the transaction that has removed the job's row
	job_id TEXT NOT NULL, -- The job
	cancelled_at INTEGER NOT NULL, -- When. Upkeep removes the row an hour later
	PRIMARY KEY (tenant_id, version, job_id)
) STRICT, WITHOUT ROWID;

ALTER TABLE dlq_events ADD COLUMN endpoint_id TEXT; -- The job's endpoint

-- Any node goes on with a replay, a slice a transaction: how far it is stands in its row.
ALTER TABLE replays DROP COLUMN applied;
ALTER TABLE replays ADD COLUMN place TEXT; -- The last event that was looked at, in the order of ids
ALTER TABLE replays ADD COLUMN taken INTEGER NOT NULL DEFAULT 0; -- Events that count for the limit: of which jobs were made, or waited still
ALTER TABLE replays ADD COLUMN replayed INTEGER NOT NULL DEFAULT 0; -- Events of which jobs were made
ALTER TABLE replays ADD COLUMN next_at INTEGER NOT NULL DEFAULT 0; -- When it may go on
ALTER TABLE replays ADD COLUMN error TEXT; -- Why it failed

-- Those that have not ended, in the order in which they go on.
CREATE INDEX replays_next_at_idx ON replays (next_at) WHERE finished_at IS NULL;

-- The circuit breaker: 'open' and 'half_open' send one job now and then.
ALTER TABLE endpoints ADD COLUMN breaker TEXT NOT NULL DEFAULT 'closed' CHECK (breaker IN ('closed', 'open', 'half_open'));
-- The version whose url, secret or enabled is new: the circuit breaker is closed by it, and what older attempts came to
-- does not count.
ALTER TABLE endpoints ADD COLUMN breaker_version INTEGER NOT NULL DEFAULT 1;

INSERT INTO hookline_schema_migrations (version, name) VALUES (3, 'operations');

COMMIT;
