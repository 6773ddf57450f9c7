-- Migration 4 of the webhooks' set: what upkeep looks after, and tests of endpoints.
--
-- Applied as migration 1 is: by hooksd at start, by `hooksctl migrate`, or by hand with
--
--     psql "$HL_POSTGRES_URL" -f 004_upkeep.sql
--
-- One transaction, in the schema that holds hookline_schema_migrations. Run a second time it stops at its first
-- statement and changes nothing.

\set ON_ERROR_STOP on
BEGIN;

SELECT pg_advisory_xact_lock(448546171763);

DO $$
BEGIN
	IF to_regclass('hookline_schema_migrations') IS NULL THEN
		RAISE EXCEPTION 'migration 3 is missing: apply 001_webhooks.sql, 002_delivery.sql and 003_operations.sql first, with the same search_path'
			USING ERRCODE = 'undefined_table';
	END IF;
	-- As in migration 1.
	PERFORM set_config('search_path', relnamespace::regnamespace || ', pg_temp', true)
		FROM pg_class WHERE oid = 'hookline_schema_migrations'::regclass;
	IF NOT EXISTS (SELECT FROM hookline_schema_migrations WHERE version = 3) THEN
		RAISE EXCEPTION 'migration 3 is missing: apply 003_operations.sql first'
			USING ERRCODE = 'undefined_table';
	END IF;
	IF EXISTS (SELECT FROM hookline_schema_migrations WHERE version = 4) THEN
		RAISE EXCEPTION 'migration 4 is already applied: it is in the table hookline_schema_migrations'
			USING ERRCODE = 'duplicate_object';
	END IF;
END
$$;

-- PostgreSQL puts the body of hl_ms() or hl_time() into the statement only when all of it is as immutable and strict as the
-- function: a call that stays a call costs ten times as much. Operators that depend on a session's time zone are not immutable.

CREATE OR REPLACE FUNCTION hl_ms(at timestamptz) RETURNS bigint
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
	SELECT pg_catalog.floor(EXTRACT(epoch FROM at - TIMESTAMPTZ '1970-01-01 00:00:00+00') * 1000)::bigint
$$;

CREATE OR REPLACE FUNCTION hl_time(ms bigint) RETURNS timestamptz
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
	-- Days apart: the product of a number and an interval is exact up to 2^53 microseconds.
	SELECT (TIMESTAMP '1970-01-01' + ms / 86400000 * INTERVAL '24 hours' + ms % 86400000 * INTERVAL '1 millisecond') AT TIME ZONE 'UTC'
$$;

-- Control writes down which single attempts people ask for; couriers make them, and take the rows out.
CREATE TABLE endpoint_tests (
	tenant_id text COLLATE "C" NOT NULL,
	attempt_id uuid NOT NULL,
	endpoint_id uuid NOT NULL,
	node_id int NOT NULL,
	topic text COLLATE "C" NOT NULL,
	payload text NOT NULL,
	requested_at timestamptz NOT NULL,
	expires_at timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, attempt_id)
);
COMMENT ON TABLE endpoint_tests IS 'Tests of endpoints that are under way: one attempt each, whatever state the endpoint is in.';
COMMENT ON COLUMN endpoint_tests.tenant_id IS 'Whose endpoint it is.';
COMMENT ON COLUMN endpoint_tests.attempt_id IS 'The id that the attempt has.';
COMMENT ON COLUMN endpoint_tests.endpoint_id IS 'Where it goes.';
COMMENT ON COLUMN endpoint_tests.node_id IS 'The node that was asked, whose courier makes the attempt.';
COMMENT ON COLUMN endpoint_tests.topic IS 'Of the event that is sent.';
COMMENT ON COLUMN endpoint_tests.payload IS 'Of the event that is sent: JSON.';
COMMENT ON COLUMN endpoint_tests.requested_at IS 'When somebody asked for it.';
COMMENT ON COLUMN endpoint_tests.expires_at IS 'When it may be begun no more. Upkeep removes the row six minutes later.';

-- Of endpoint_id alone: by an index with tenant_id PostgreSQL would look for the events of jobs, when it takes the table for empty.
CREATE INDEX dlq_events_endpoint_id_idx ON dlq_events (endpoint_id);
COMMENT ON INDEX dlq_events_endpoint_id_idx IS 'For upkeep, which removes those of a deleted endpoint.';

ALTER TABLE replays ADD COLUMN matched_exact boolean NOT NULL DEFAULT true;

COMMENT ON COLUMN replays.matched_exact IS 'False: the range has more events than were counted; matched is of the first ones.';

-- Couriers look at the tenants that have changed, and at no others.
ALTER TABLE routing_versions ADD COLUMN change_version bigint DEFAULT 0;
COMMENT ON COLUMN routing_versions.change_version IS 'changes.version of the last transaction that has changed something for couriers; null within such a transaction.';
CREATE INDEX routing_versions_change_version_tenant_id_idx ON routing_versions (change_version, tenant_id);
COMMENT ON INDEX routing_versions_change_version_tenant_id_idx IS 'What has changed since a courier looked.';
ALTER TABLE changes ADD COLUMN removed_version bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN changes.removed_version IS 'The version by which the last row of a tenant was removed.';

-- Retention: upkeep calls this as a role that does not own the tables. One month a transaction, so that the lock that DETACH
-- asks for is had for no longer than that takes.
CREATE FUNCTION hl_drop_month(parent regclass, before timestamptz)
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
				   EXISTS (SELECT FROM replays WHERE finished_at IS NULL AND created_at > now() - interval '1 day'
					AND (place IS NULL OR place < next_id))
				   OR EXISTS (SELECT FROM endpoints AS e CROSS JOIN LATERAL (
					SELECT FROM jobs AS j WHERE j.tenant_id = e.tenant_id AND j.endpoint_id = e.endpoint_id
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
COMMENT ON FUNCTION hl_drop_month(regclass, timestamptz) IS
'Drops the oldest month of events or attempts that ended by that time and that no waiting job and no unfinished replay of the last day needs. hooksd calls it by HL_RETENTION_SECS and HL_ATTEMPT_RETENTION_SECS. Outcome: dropped, needed, busy (a lock was not to be had within 150 ms), depended_on. Locks: ACCESS EXCLUSIVE on the table, its default partition and the month, for the moment that detaching takes.';
REVOKE ALL ON FUNCTION hl_drop_month(regclass, timestamptz) FROM PUBLIC;

-- An endpoint is disabled when it has only failed for days.
ALTER TABLE endpoints ADD COLUMN last_failure_at timestamptz;
COMMENT ON COLUMN endpoints.last_failure_at IS 'The last failure, exact to a minute.';
COMMENT ON COLUMN endpoints.disabled_reason IS 'Why the service disabled it: ''http_410'', ''asked_for_by_reply'' or ''failed_for_5_days''.';
CREATE INDEX endpoints_failing_since_idx ON endpoints (failing_since) WHERE failing_since IS NOT NULL;
COMMENT ON INDEX endpoints_failing_since_idx IS 'Those that fail, for upkeep, which disables them after 5 days.';

-- What the service itself publishes: the transaction that disables an endpoint adds a row, and upkeep makes it an event.
CREATE TABLE notices (
	tenant_id text COLLATE "C" NOT NULL,
	notice_id uuid NOT NULL,
	topic text COLLATE "C" NOT NULL,
	payload json NOT NULL,
	occurred_at timestamptz NOT NULL,
	next_at timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, notice_id)
);
COMMENT ON TABLE notices IS 'Events of the service itself that are not published yet: for less than a second each.';
COMMENT ON COLUMN notices.tenant_id IS 'Whose event it will be.';
COMMENT ON COLUMN notices.notice_id IS 'The event''s id.';
COMMENT ON COLUMN notices.topic IS 'The event''s topic.';
COMMENT ON COLUMN notices.payload IS 'The event''s payload.';
COMMENT ON COLUMN notices.occurred_at IS 'When it happened.';
COMMENT ON COLUMN notices.next_at IS 'When upkeep may publish it. Upkeep removes the row then.';

-- The audit log tells whether an id was another tenant's.
ALTER TABLE tenants ADD COLUMN events_from timestamptz;
COMMENT ON COLUMN tenants.events_from IS 'Events that were published before are discarded: they are of an earlier tenant of this id. Null: there was none.';
CREATE INDEX audit_log_deleted_tenants_idx ON audit_log (object_id) WHERE action = 'tenant.delete';
COMMENT ON INDEX audit_log_deleted_tenants_idx IS 'The ids of tenants that were deleted.';

COMMENT ON COLUMN tenants.status IS '''active''; with deleted_at ''deleted'', and ''erased'' when upkeep has found nothing more that the tenant had.';
COMMENT ON COLUMN endpoints.state IS '''active'' or ''disabled''; with deleted_at also ''erased'', when upkeep has found nothing more that the endpoint had.';

INSERT INTO hookline_schema_migrations (version, name) VALUES (4, 'upkeep');

COMMIT;
