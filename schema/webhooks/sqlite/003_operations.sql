-- Migration 3 of the webhooks' set: what people do when receivers fail.
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

INSERT INTO hookline_schema_migrations (version, name) VALUES (3, 'operations');

COMMIT;
