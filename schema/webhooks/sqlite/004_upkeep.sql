-- Migration 4 of the webhooks' set: what upkeep looks after, and tests of endpoints.
--
-- Applied as migration 1 is: by hooksd at start, by `hooksctl migrate`, or by hand with
--
--     sqlite3 -bail hookline.db < 004_upkeep.sql
--
-- One transaction. Run a second time it stops at its first statement and changes nothing.

BEGIN IMMEDIATE;

-- Tests of endpoints that are under way: one attempt each, whatever state the endpoint is in.
CREATE TABLE endpoint_tests (
	tenant_id TEXT NOT NULL, -- Whose endpoint it is
	attempt_id TEXT NOT NULL, -- The id that the attempt has
	endpoint_id TEXT NOT NULL, -- Where it goes
	node_id INTEGER NOT NULL, -- The node that was asked, whose courier makes the attempt
	topic TEXT NOT NULL, -- Of the event that is sent
	payload TEXT NOT NULL, -- Of the event that is sent: JSON
	requested_at INTEGER NOT NULL, -- When somebody asked for it
	expires_at INTEGER NOT NULL, -- When it may be begun no more. Upkeep removes the row six minutes later
	PRIMARY KEY (tenant_id, attempt_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX dlq_events_endpoint_id_idx ON dlq_events (endpoint_id);

-- False: the range has more events than were counted; matched is of the first ones.
ALTER TABLE replays ADD COLUMN matched_exact INTEGER NOT NULL DEFAULT 1;

-- changes.version of the transaction that raised version last; null where that was no change for couriers: they look at
-- the tenants that have changed, and at no others.
ALTER TABLE routing_versions ADD COLUMN change_version INTEGER DEFAULT 0;
CREATE INDEX routing_versions_change_version_tenant_id_idx ON routing_versions (change_version, tenant_id);
ALTER TABLE changes ADD COLUMN removed_version INTEGER NOT NULL DEFAULT 0; -- The version by which the last row of a tenant was removed

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

INSERT INTO hookline_schema_migrations (version, name) VALUES (4, 'upkeep');

COMMIT;
