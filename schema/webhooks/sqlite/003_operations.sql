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

-- Tests of endpoints that are under way: one attempt each, whatever state the endpoint is in.
CREATE TABLE endpoint_tests (
	tenant_id TEXT NOT NULL, -- Whose endpoint it is
	attempt_id TEXT NOT NULL, -- The id that the attempt has
	endpoint_id TEXT NOT NULL, -- Where it goes
	node_id INTEGER NOT NULL, -- The node that was asked, whose courier makes the attempt
	topic TEXT NOT NULL, -- Of the event that is sent
	payload TEXT NOT NULL, -- Of the event that is sent: JSON
	requested_at INTEGER NOT NULL, -- When somebody asked for it
	expires_at INTEGER NOT NULL, -- When it may be begun no more. Upkeep removes the row then
	PRIMARY KEY (tenant_id, attempt_id)
) STRICT, WITHOUT ROWID;

ALTER TABLE dlq_events ADD COLUMN endpoint_id TEXT; -- The job's endpoint
CREATE INDEX dlq_events_tenant_id_endpoint_id_idx ON dlq_events (tenant_id, endpoint_id);

-- Any node goes on with a replay, a slice a transaction: how far it is stands in its row.
ALTER TABLE replays DROP COLUMN applied;
ALTER TABLE replays ADD COLUMN place TEXT; -- The last event that was looked at, in the order of ids
ALTER TABLE replays ADD COLUMN taken INTEGER NOT NULL DEFAULT 0; -- Events that count for the limit: of which jobs were made, or waited still
ALTER TABLE replays ADD COLUMN replayed INTEGER NOT NULL DEFAULT 0; -- Events of which jobs were made
ALTER TABLE replays ADD COLUMN next_at INTEGER NOT NULL DEFAULT 0; -- When it may go on
ALTER TABLE replays ADD COLUMN error TEXT; -- Why it failed
-- False: the range has more events than were counted; matched is of the first ones.
ALTER TABLE replays ADD COLUMN matched_exact INTEGER NOT NULL DEFAULT 1;

-- Those that have not ended, in the order in which they go on.
CREATE INDEX replays_next_at_idx ON replays (next_at) WHERE finished_at IS NULL;

-- changes.version of the transaction that raised version last; null where that was no change for couriers: they look at
-- the tenants that have changed, and at no others.
ALTER TABLE routing_versions ADD COLUMN change_version INTEGER DEFAULT 0;
CREATE INDEX routing_versions_change_version_tenant_id_idx ON routing_versions (change_version, tenant_id);
ALTER TABLE changes ADD COLUMN removed_version INTEGER NOT NULL DEFAULT 0; -- The version by which the last row of a tenant was removed

-- The circuit breaker: 'open' and 'half_open' send one job now and then.
ALTER TABLE endpoints ADD COLUMN breaker TEXT NOT NULL DEFAULT 'closed' CHECK (breaker IN ('closed', 'open', 'half_open'));
-- The version whose url, secret or enabled is new: the circuit breaker is closed by it, and what older attempts came to
-- does not count.
ALTER TABLE endpoints ADD COLUMN breaker_version INTEGER NOT NULL DEFAULT 1;

-- An endpoint is disabled when it has only failed for days.
ALTER TABLE endpoints ADD COLUMN last_failure_at INTEGER; -- The last failure, exact to a minute
CREATE INDEX endpoints_failing_since_idx ON endpoints (failing_since) WHERE failing_since IS NOT NULL;

-- Events of the service itself that are not published yet: the transaction that disables an endpoint adds a row, and
-- upkeep makes it an event.
CREATE TABLE notices (
	tenant_id TEXT NOT NULL, -- Whose event it will be
	notice_id TEXT NOT NULL, -- The event's id
	topic TEXT NOT NULL, -- The event's topic
	payload TEXT NOT NULL, -- The event's payload
	occurred_at INTEGER NOT NULL, -- When it happened
	next_at INTEGER NOT NULL, -- When upkeep may publish it. Upkeep removes the row then
	PRIMARY KEY (tenant_id, notice_id)
) STRICT, WITHOUT ROWID;

-- tenants.status and endpoints.state, with deleted_at, are also 'erased': upkeep has found nothing more of theirs.

-- Events that were published before are discarded: they are of an earlier tenant of this id. Null: there was none. The
-- audit log tells whether there was.
ALTER TABLE tenants ADD COLUMN events_from INTEGER;
CREATE INDEX audit_log_deleted_tenants_idx ON audit_log (object_id) WHERE action = 'tenant.delete';

INSERT INTO hookline_schema_migrations (version, name) VALUES (3, 'operations');

COMMIT;
