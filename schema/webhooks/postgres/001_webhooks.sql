-- Migration 1 of the webhooks' set: tenants, API keys, endpoints, subscriptions, events, jobs, attempts, dead letters.
--
-- This set has a table of versions of its own, hookline_schema_migrations: a database that holds hook events alone gets
-- none of it. It stands on the hook events' set, whose functions make months. hooksd applies both at start
-- (AUTO_MIGRATE=true), `hooksctl migrate` does, and a DBA may do the same by hand, after the files of schema/postgres:
--
--     psql "$HL_POSTGRES_URL" -f 001_webhooks.sql
--
-- One transaction, in the schema that holds hooks_schema_migrations. Run a second time it stops at its first statement
-- and changes nothing. Needs PostgreSQL 14 or newer and the right to create tables in that schema.

\set ON_ERROR_STOP on
BEGIN;

-- The same lock as that of the hook events' migrations and months: replicas that start together take turns.
SELECT pg_advisory_xact_lock(448546171763);

DO $$
BEGIN
	IF to_regclass('hooks_schema_migrations') IS NULL THEN
		RAISE EXCEPTION 'the hook events'' migrations are missing: apply the files of schema/postgres first, with the same search_path'
			USING ERRCODE = 'undefined_table';
	END IF;
	-- Beside the tables of the hook events, whatever else the search_path names. The functions below keep this path.
	PERFORM set_config('search_path', relnamespace::regnamespace || ', pg_temp', true)
		FROM pg_class WHERE oid = 'hooks_schema_migrations'::regclass;
	IF NOT EXISTS (SELECT FROM hooks_schema_migrations WHERE version = 4) THEN
		RAISE EXCEPTION 'the hook events'' migration 4 is missing: apply 004_months.sql first'
			USING ERRCODE = 'undefined_table';
	END IF;
	IF to_regclass('hookline_schema_migrations') IS NOT NULL THEN
		RAISE EXCEPTION 'migration 1 is already applied: the table hookline_schema_migrations is there'
			USING ERRCODE = 'duplicate_object';
	END IF;
END
$$;

CREATE TABLE hookline_schema_migrations (
	version int PRIMARY KEY,
	name text NOT NULL,
	applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE hookline_schema_migrations IS 'Which migrations of the webhooks'' tables this database has: one row each, written in the transaction of the migration itself.';
COMMENT ON COLUMN hookline_schema_migrations.version IS 'Number of the migration; the greatest one is the version of the schema.';
COMMENT ON COLUMN hookline_schema_migrations.name IS 'Name of its file, without number and ending.';
COMMENT ON COLUMN hookline_schema_migrations.applied_at IS 'Start of the transaction that applied it.';

-- Three functions that SQLite has also, registered by hooksd: a statement that uses them has one text for both.

CREATE FUNCTION hl_ms(at timestamptz) RETURNS bigint
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
	SELECT pg_catalog.floor(EXTRACT(epoch FROM at) * 1000)::bigint
$$;
COMMENT ON FUNCTION hl_ms(timestamptz) IS 'The time in ms since 1970, as the API tells it.';

CREATE FUNCTION hl_time(ms bigint) RETURNS timestamptz
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
	-- Days apart: the product of a number and an interval is exact up to 2^53 microseconds.
	SELECT TIMESTAMPTZ '1970-01-01 00:00:00+00' + ms / 86400000 * INTERVAL '24 hours' + ms % 86400000 * INTERVAL '1 millisecond'
$$;
COMMENT ON FUNCTION hl_time(bigint) IS 'The time of so many ms since 1970.';

CREATE FUNCTION hl_now() RETURNS timestamptz
	LANGUAGE sql STABLE PARALLEL SAFE
AS $$
	SELECT pg_catalog.date_trunc('milliseconds', pg_catalog.now())
$$;
COMMENT ON FUNCTION hl_now() IS 'The start of the transaction, in whole ms: what is stored is what the API tells.';

-- Tenants and their keys

CREATE TABLE tenants (
	tenant_id text COLLATE "C" PRIMARY KEY,
	name text NOT NULL,
	status text COLLATE "C" NOT NULL DEFAULT 'active',
	metadata json,
	created_at timestamptz NOT NULL,
	updated_at timestamptz NOT NULL,
	deleted_at timestamptz
);
COMMENT ON TABLE tenants IS 'Whose events, endpoints and keys these are: nobody reads or changes what is another tenant''s.';
COMMENT ON COLUMN tenants.tenant_id IS 'Its name in every other table: 1-64 characters of [A-Za-z0-9_.-].';
COMMENT ON COLUMN tenants.name IS 'Its name for people.';
COMMENT ON COLUMN tenants.status IS '''active'', or ''deleted'' while upkeep removes what the tenant had.';
COMMENT ON COLUMN tenants.metadata IS 'A JSON object of the API''s client, kept as sent.';
COMMENT ON COLUMN tenants.created_at IS 'When it was made.';
COMMENT ON COLUMN tenants.updated_at IS 'When it was changed last.';
COMMENT ON COLUMN tenants.deleted_at IS 'When DELETE marked it; upkeep then removes what belongs to it, and the row last.';

CREATE TABLE api_keys (
	key_id uuid PRIMARY KEY,
	tenant_id text COLLATE "C" NOT NULL,
	name text,
	prefix text COLLATE "C" NOT NULL,
	hash text COLLATE "C" NOT NULL UNIQUE,
	scopes json NOT NULL,
	events_per_second int,
	bytes_per_second bigint,
	created_at timestamptz NOT NULL,
	expires_at timestamptz,
	replaced_by uuid,
	revoked_at timestamptz,
	last_used_at timestamptz,
	change_version bigint NOT NULL
);
COMMENT ON TABLE api_keys IS 'API keys. The key itself is shown once and stored nowhere.';
COMMENT ON COLUMN api_keys.key_id IS 'UUIDv7: the order of ids is that of creation.';
COMMENT ON COLUMN api_keys.tenant_id IS 'Whose key it is.';
COMMENT ON COLUMN api_keys.name IS 'Its name for people.';
COMMENT ON COLUMN api_keys.prefix IS 'The first characters of the key, by which people recognize it.';
COMMENT ON COLUMN api_keys.hash IS 'SHA-256 of the key, in lower-case hex.';
COMMENT ON COLUMN api_keys.scopes IS 'What the key may do: a JSON array of scopes, as given.';
COMMENT ON COLUMN api_keys.events_per_second IS 'Limit of published events; null: none.';
COMMENT ON COLUMN api_keys.bytes_per_second IS 'Limit of published bytes; null: none.';
COMMENT ON COLUMN api_keys.created_at IS 'When it was made.';
COMMENT ON COLUMN api_keys.expires_at IS 'From when on it is refused; null: never.';
COMMENT ON COLUMN api_keys.replaced_by IS 'The key that a rotation made in its place; null: it was not rotated.';
COMMENT ON COLUMN api_keys.revoked_at IS 'Since when it is refused for good.';
COMMENT ON COLUMN api_keys.last_used_at IS 'When a request carried it last, exact to a minute.';
COMMENT ON COLUMN api_keys.change_version IS 'changes.version of the transaction that changed the row last: greater than N is what a process that read at N has not seen.';
CREATE INDEX api_keys_change_version_idx ON api_keys (change_version);
COMMENT ON INDEX api_keys_change_version_idx IS 'What has changed since a process read the keys.';
CREATE INDEX api_keys_tenant_id_key_id_idx ON api_keys (tenant_id, key_id);
COMMENT ON INDEX api_keys_tenant_id_key_id_idx IS 'A tenant''s keys, in the order of creation.';

-- Where to, and what

CREATE TABLE endpoints (
	tenant_id text COLLATE "C" NOT NULL,
	endpoint_id uuid NOT NULL,
	version bigint NOT NULL,
	url text NOT NULL,
	secret text NOT NULL,
	old_secret text,
	old_secret_until timestamptz,
	headers text NOT NULL,
	enabled boolean NOT NULL,
	paused boolean NOT NULL,
	name text,
	description text,
	metadata json,
	extra json,
	timeout_ms int NOT NULL,
	max_in_flight int NOT NULL,
	rate_limit_rps int NOT NULL,
	exact_limits boolean NOT NULL,
	fifo boolean NOT NULL,
	ordering text COLLATE "C" NOT NULL,
	on_dead text COLLATE "C" NOT NULL,
	fail_fast boolean NOT NULL,
	retry_schedule json,
	max_attempts int,
	keep_response boolean NOT NULL,
	body text COLLATE "C" NOT NULL,
	legacy_headers boolean NOT NULL,
	state text COLLATE "C" NOT NULL DEFAULT 'active',
	disabled_reason text,
	failing_since timestamptz,
	last_success_at timestamptz,
	pinned_node_id int,
	created_at timestamptz NOT NULL,
	updated_at timestamptz NOT NULL,
	deleted_at timestamptz,
	PRIMARY KEY (tenant_id, endpoint_id)
);
COMMENT ON TABLE endpoints IS 'Where webhooks are sent. url, secret, old_secret and headers are credentials.';
COMMENT ON COLUMN endpoints.tenant_id IS 'Whose endpoint it is.';
COMMENT ON COLUMN endpoints.endpoint_id IS 'UUIDv7: the order of ids is that of creation.';
COMMENT ON COLUMN endpoints.version IS 'Raised by each change through the API; the ETag of replies.';
COMMENT ON COLUMN endpoints.url IS 'What is posted to.';
COMMENT ON COLUMN endpoints.secret IS 'Signs the requests; encrypted when there is an HL_MASTER_KEY.';
COMMENT ON COLUMN endpoints.old_secret IS 'The secret before the last rotation, stored alike.';
COMMENT ON COLUMN endpoints.old_secret_until IS 'Until when requests are signed with old_secret also.';
COMMENT ON COLUMN endpoints.headers IS 'Headers of its own: a JSON object, encrypted when there is an HL_MASTER_KEY.';
COMMENT ON COLUMN endpoints.enabled IS 'False: jobs are held.';
COMMENT ON COLUMN endpoints.paused IS 'True: jobs are held.';
COMMENT ON COLUMN endpoints.name IS 'Its name for people.';
COMMENT ON COLUMN endpoints.description IS 'What people should know of it.';
COMMENT ON COLUMN endpoints.metadata IS 'A JSON object of the API''s client, kept as sent.';
COMMENT ON COLUMN endpoints.extra IS 'Members of the client''s document that the API does not define, kept as sent.';
COMMENT ON COLUMN endpoints.timeout_ms IS 'Deadline of an attempt.';
COMMENT ON COLUMN endpoints.max_in_flight IS 'Attempts at the same time, over all nodes.';
COMMENT ON COLUMN endpoints.rate_limit_rps IS 'Attempts per second, over all nodes.';
COMMENT ON COLUMN endpoints.exact_limits IS 'True: one node sends, so that the limits hold exactly.';
COMMENT ON COLUMN endpoints.fifo IS 'True: in the order of commits, one after the other.';
COMMENT ON COLUMN endpoints.ordering IS 'With fifo: ''endpoint'' is one order, ''key'' one for each ordering_key of events.';
COMMENT ON COLUMN endpoints.on_dead IS 'With fifo: after a dead letter ''continue'', or ''block'' what follows it.';
COMMENT ON COLUMN endpoints.fail_fast IS 'True: 400, 405, 413, 415 and 422 are final.';
COMMENT ON COLUMN endpoints.retry_schedule IS 'Waits after failed attempts; null: HL_RETRY_SCHEDULE.';
COMMENT ON COLUMN endpoints.max_attempts IS 'Cuts the schedule; null: it is not cut.';
COMMENT ON COLUMN endpoints.keep_response IS 'True: attempts keep an excerpt of the reply.';
COMMENT ON COLUMN endpoints.body IS 'What is posted: ''envelope'', ''event'' or ''payload''.';
COMMENT ON COLUMN endpoints.legacy_headers IS 'True: x-gp-signature and x-gp-timestamp also.';
COMMENT ON COLUMN endpoints.state IS '''active'' or ''disabled''.';
COMMENT ON COLUMN endpoints.disabled_reason IS 'Why the service disabled it.';
COMMENT ON COLUMN endpoints.failing_since IS 'The first failure of a run that has not ended.';
COMMENT ON COLUMN endpoints.last_success_at IS 'The last success, exact to a minute.';
COMMENT ON COLUMN endpoints.pinned_node_id IS 'The one node that sends, where limits or order ask for one.';
COMMENT ON COLUMN endpoints.created_at IS 'When it was made.';
COMMENT ON COLUMN endpoints.updated_at IS 'When it was changed last.';
COMMENT ON COLUMN endpoints.deleted_at IS 'When DELETE marked it; upkeep then removes its subscriptions, jobs and secrets, and the row last.';

CREATE INDEX endpoints_deleted_at_idx ON endpoints (deleted_at) WHERE deleted_at IS NOT NULL;
COMMENT ON INDEX endpoints_deleted_at_idx IS 'What upkeep is to remove.';

CREATE TABLE transforms (
	tenant_id text COLLATE "C" NOT NULL,
	transform_id uuid NOT NULL,
	steps json NOT NULL,
	created_at timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, transform_id)
);
COMMENT ON TABLE transforms IS 'What is done to an event before it is posted. A row never changes: a job names the one it was made with.';
COMMENT ON COLUMN transforms.tenant_id IS 'Whose transform it is.';
COMMENT ON COLUMN transforms.transform_id IS 'UUIDv8 of the tenant and the steps: the same steps are one row.';
COMMENT ON COLUMN transforms.steps IS 'The steps, as sent but for white space between tokens.';
COMMENT ON COLUMN transforms.created_at IS 'When it was made.';

CREATE TABLE subscriptions (
	tenant_id text COLLATE "C" NOT NULL,
	subscription_id uuid NOT NULL,
	endpoint_id uuid NOT NULL,
	version bigint NOT NULL,
	topic_pattern text COLLATE "C" NOT NULL,
	filter json,
	transform_id uuid,
	enabled boolean NOT NULL,
	name text,
	description text,
	metadata json,
	extra json,
	created_at timestamptz NOT NULL,
	updated_at timestamptz NOT NULL,
	deleted_at timestamptz,
	PRIMARY KEY (tenant_id, subscription_id)
);
COMMENT ON TABLE subscriptions IS 'Which topics go to which endpoint.';
COMMENT ON COLUMN subscriptions.tenant_id IS 'Whose subscription it is.';
COMMENT ON COLUMN subscriptions.subscription_id IS 'UUIDv7: the order of ids is that of creation.';
COMMENT ON COLUMN subscriptions.endpoint_id IS 'Where matching events go.';
COMMENT ON COLUMN subscriptions.version IS 'Raised by each change; the ETag of replies.';
COMMENT ON COLUMN subscriptions.topic_pattern IS 'Segments between dots; * is one segment, # zero or more.';
COMMENT ON COLUMN subscriptions.filter IS 'A condition on the event, as sent; null: every event matches.';
COMMENT ON COLUMN subscriptions.transform_id IS 'transforms.transform_id; null: the event is sent as it is.';
COMMENT ON COLUMN subscriptions.enabled IS 'False: makes no jobs.';
COMMENT ON COLUMN subscriptions.name IS 'Its name for people.';
COMMENT ON COLUMN subscriptions.description IS 'What people should know of it.';
COMMENT ON COLUMN subscriptions.metadata IS 'A JSON object of the API''s client, kept as sent.';
COMMENT ON COLUMN subscriptions.extra IS 'Members of the client''s document that the API does not define, kept as sent.';
COMMENT ON COLUMN subscriptions.created_at IS 'When it was made.';
COMMENT ON COLUMN subscriptions.updated_at IS 'When it was changed last.';
COMMENT ON COLUMN subscriptions.deleted_at IS 'When DELETE marked it; upkeep removes the row.';
CREATE INDEX subscriptions_tenant_id_endpoint_id_idx ON subscriptions (tenant_id, endpoint_id);
COMMENT ON INDEX subscriptions_tenant_id_endpoint_id_idx IS 'The subscriptions of an endpoint.';

-- Events, one partition a month by the time in their id

CREATE TABLE events (
	event_id uuid NOT NULL,
	created_at timestamptz NOT NULL,
	stored_at timestamptz NOT NULL DEFAULT now(),
	occurred_at timestamptz NOT NULL,
	job_count int NOT NULL,
	tenant_id text COLLATE "C" NOT NULL,
	topic text COLLATE "C" NOT NULL,
	payload json,
	idempotency_key text COLLATE "C",
	ordering_key text COLLATE "C",
	target_user_id text COLLATE "C",
	extra json,
	trace json,
	PRIMARY KEY (tenant_id, event_id, created_at)
) PARTITION BY RANGE (created_at);
COMMENT ON TABLE events IS 'Published events, one partition a month: events_YYYY_MM, and events_default for every other time.';
COMMENT ON COLUMN events.event_id IS 'UUIDv7 whose last 16 bits are zero: job k of the event has the id + k.';
COMMENT ON COLUMN events.created_at IS 'The time in event_id; decides the partition (UTC). Name it in WHERE to read few partitions.';
COMMENT ON COLUMN events.stored_at IS 'Start of the transaction that stored it.';
COMMENT ON COLUMN events.occurred_at IS 'When it happened, as the client says; created_at, if the client says nothing.';
COMMENT ON COLUMN events.job_count IS 'How many jobs were made of it, those of replays included.';
COMMENT ON COLUMN events.tenant_id IS 'Whose event it is.';
COMMENT ON COLUMN events.topic IS 'What subscriptions match: segments between dots.';
COMMENT ON COLUMN events.payload IS 'Any JSON, as sent but for white space between tokens.';
COMMENT ON COLUMN events.idempotency_key IS 'The client''s key against doubles.';
COMMENT ON COLUMN events.ordering_key IS 'The order it belongs to, at endpoints that keep one for each key.';
COMMENT ON COLUMN events.target_user_id IS 'The user it is about, as the client says.';
COMMENT ON COLUMN events.extra IS 'Members of the client''s document that the API does not define, kept as sent.';
COMMENT ON COLUMN events.trace IS 'traceparent and tracestate of the publishing request.';
COMMENT ON INDEX events_pkey IS 'One row per event: what makes storing an event twice harmless.';
CREATE INDEX events_tenant_id_stored_at_idx ON events (tenant_id, stored_at);
COMMENT ON INDEX events_tenant_id_stored_at_idx IS 'A tenant''s events in the order in which they became readable: streams and ascending lists.';

CREATE TABLE events_default PARTITION OF events DEFAULT;
COMMENT ON TABLE events_default IS 'Events of times that no month''s partition covers. Normally empty: create_monthly_partition(''events'', year, month) moves them to their month.';

-- What waits. Delivered at the first attempt a job costs one INSERT and one DELETE; a rescheduled one stays on its page
-- (fillfactor) and changes no index, which is why there is none but the key. Dead rows are many and short-lived: VACUUM
-- comes often, does not pause, and does not ask for the lock that truncating would take.
CREATE TABLE jobs (
	tenant_id text COLLATE "C" NOT NULL,
	endpoint_id uuid NOT NULL,
	job_id uuid NOT NULL,
	event_id uuid NOT NULL,
	node_id int NOT NULL,
	status text COLLATE "C" NOT NULL,
	attempt_count smallint NOT NULL DEFAULT 0,
	attempt_base smallint NOT NULL DEFAULT 0,
	next_attempt_at timestamptz NOT NULL DEFAULT now(),
	fifo_seq bigint,
	transform_id uuid,
	expires_at timestamptz,
	replay_id uuid,
	subscription_ids uuid[],
	last_error text,
	PRIMARY KEY (tenant_id, endpoint_id, job_id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
COMMENT ON TABLE jobs IS 'Deliveries that wait or are under way. A finished job has no row: its attempts tell what became of it.';
COMMENT ON COLUMN jobs.tenant_id IS 'Whose job it is.';
COMMENT ON COLUMN jobs.endpoint_id IS 'Where it goes.';
COMMENT ON COLUMN jobs.job_id IS 'event_id + k; the webhook-id of its requests.';
COMMENT ON COLUMN jobs.event_id IS 'What is delivered.';
COMMENT ON COLUMN jobs.node_id IS 'delivery_nodes.node_id of the node that delivers it.';
COMMENT ON COLUMN jobs.status IS '''pending'', or ''held'' while the endpoint is disabled or paused.';
COMMENT ON COLUMN jobs.attempt_count IS 'Attempts so far; never goes down.';
COMMENT ON COLUMN jobs.attempt_base IS 'attempt_count when the job was requeued last: the schedule counts from there.';
COMMENT ON COLUMN jobs.next_attempt_at IS 'When it is due.';
COMMENT ON COLUMN jobs.fifo_seq IS 'Its place in the order of its endpoint or ordering key.';
COMMENT ON COLUMN jobs.transform_id IS 'transforms.transform_id; null: the event is sent as it is.';
COMMENT ON COLUMN jobs.expires_at IS 'Past it the job is dead; null while it is held.';
COMMENT ON COLUMN jobs.replay_id IS 'The replay that made it.';
COMMENT ON COLUMN jobs.subscription_ids IS 'The subscriptions that made it.';
COMMENT ON COLUMN jobs.last_error IS 'Why the last attempt failed.';

CREATE TABLE fifo_heads (
	tenant_id text COLLATE "C" NOT NULL,
	endpoint_id uuid NOT NULL,
	ordering_key text COLLATE "C" NOT NULL,
	last_seq bigint NOT NULL,
	blocked_by uuid,
	PRIMARY KEY (tenant_id, endpoint_id, ordering_key)
) WITH (fillfactor = 50);
COMMENT ON TABLE fifo_heads IS 'The last number given out in each order.';
COMMENT ON COLUMN fifo_heads.tenant_id IS 'Whose order it is.';
COMMENT ON COLUMN fifo_heads.endpoint_id IS 'The endpoint that keeps the order.';
COMMENT ON COLUMN fifo_heads.ordering_key IS 'events.ordering_key; empty where the endpoint has one order.';
COMMENT ON COLUMN fifo_heads.last_seq IS 'jobs.fifo_seq of the newest job.';
COMMENT ON COLUMN fifo_heads.blocked_by IS 'The dead job that stops this order (on_dead: block).';

-- What happened, one partition a month by the start of the attempt

CREATE TABLE attempts (
	attempt_id uuid NOT NULL,
	started_at timestamptz NOT NULL,
	job_id uuid,
	event_id uuid,
	endpoint_id uuid NOT NULL,
	duration_ms int NOT NULL,
	dns_ms int,
	connect_ms int,
	tls_ms int,
	first_byte_ms int,
	attempt_n smallint NOT NULL,
	http_status smallint,
	test boolean NOT NULL DEFAULT false,
	status text COLLATE "C" NOT NULL,
	tenant_id text COLLATE "C" NOT NULL,
	peer_address text COLLATE "C",
	error text,
	certificate_error text,
	response_body text,
	PRIMARY KEY (tenant_id, attempt_id, started_at)
) PARTITION BY RANGE (started_at);
COMMENT ON TABLE attempts IS 'Attempts at delivery, one partition a month: attempts_YYYY_MM, and attempts_default for every other time.';
COMMENT ON COLUMN attempts.attempt_id IS 'UUIDv7; the x-hl-delivery-id of the request.';
COMMENT ON COLUMN attempts.started_at IS 'When it began; decides the partition (UTC). Name it in WHERE to read few partitions.';
COMMENT ON COLUMN attempts.job_id IS 'Which job; null for a test.';
COMMENT ON COLUMN attempts.event_id IS 'Which event; null for a test.';
COMMENT ON COLUMN attempts.endpoint_id IS 'Where it went.';
COMMENT ON COLUMN attempts.duration_ms IS 'From its start to the end of the reply, or to giving up.';
COMMENT ON COLUMN attempts.dns_ms IS 'Until the name was resolved.';
COMMENT ON COLUMN attempts.connect_ms IS 'Until the connection stood.';
COMMENT ON COLUMN attempts.tls_ms IS 'Until TLS stood.';
COMMENT ON COLUMN attempts.first_byte_ms IS 'Until the first byte of the reply.';
COMMENT ON COLUMN attempts.attempt_n IS 'The how-many-th of its job, from 1.';
COMMENT ON COLUMN attempts.http_status IS 'Status of the reply; null when there was none.';
COMMENT ON COLUMN attempts.test IS 'True: a test that somebody asked for.';
COMMENT ON COLUMN attempts.status IS '''success'' (2xx) or ''failure''.';
COMMENT ON COLUMN attempts.tenant_id IS 'Whose attempt it is.';
COMMENT ON COLUMN attempts.peer_address IS 'Address and port that were connected to.';
COMMENT ON COLUMN attempts.error IS 'Why it failed; names the endpoint''s id and host at most.';
COMMENT ON COLUMN attempts.certificate_error IS 'What was wrong with the certificate.';
COMMENT ON COLUMN attempts.response_body IS 'An excerpt of the reply, where the endpoint keeps it.';
COMMENT ON INDEX attempts_pkey IS 'One row per attempt; a tenant''s attempts in the order of time.';
CREATE INDEX attempts_tenant_id_event_id_idx ON attempts (tenant_id, event_id);
COMMENT ON INDEX attempts_tenant_id_event_id_idx IS 'The attempts of an event, hence also of a job, whose id is the event''s but for the last 16 bits.';
CREATE INDEX attempts_started_at_brin ON attempts USING brin (started_at) WITH (pages_per_range = 16, autosummarize = on);
COMMENT ON INDEX attempts_started_at_brin IS 'Time ranges; next to free because attempts are stored nearly in the order of time.';

CREATE TABLE attempts_default PARTITION OF attempts DEFAULT;
COMMENT ON TABLE attempts_default IS 'Attempts of times that no month''s partition covers. Normally empty: create_monthly_partition(''attempts'', year, month) moves them to their month.';

-- Dead letters: jobs that are given up

CREATE TABLE dlq (
	tenant_id text COLLATE "C" NOT NULL,
	job_id uuid NOT NULL,
	event_id uuid NOT NULL,
	endpoint_id uuid NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	reason text COLLATE "C" NOT NULL,
	attempt_count smallint NOT NULL,
	last_http_status smallint,
	last_error text,
	transform_id uuid,
	replay_id uuid,
	subscription_ids uuid[],
	topic text COLLATE "C" NOT NULL,
	occurred_at timestamptz NOT NULL,
	payload json,
	idempotency_key text COLLATE "C",
	ordering_key text COLLATE "C",
	target_user_id text COLLATE "C",
	extra json,
	trace json,
	PRIMARY KEY (tenant_id, job_id)
);
COMMENT ON TABLE dlq IS 'Dead letters: jobs that were given up, with their event, so that they can be requeued when the event''s month is gone.';
COMMENT ON COLUMN dlq.tenant_id IS 'Whose dead letter it is.';
COMMENT ON COLUMN dlq.job_id IS 'The job that died; a requeue brings it back by this id.';
COMMENT ON COLUMN dlq.event_id IS 'What was not delivered.';
COMMENT ON COLUMN dlq.endpoint_id IS 'Where it should have gone.';
COMMENT ON COLUMN dlq.created_at IS 'When it was given up.';
COMMENT ON COLUMN dlq.reason IS 'http_<code>, max_attempts_exceeded, aborted, expired, guard or transform_error.';
COMMENT ON COLUMN dlq.attempt_count IS 'Attempts that were made.';
COMMENT ON COLUMN dlq.last_http_status IS 'Status of the last reply; null when there was none.';
COMMENT ON COLUMN dlq.last_error IS 'Why the last attempt failed.';
COMMENT ON COLUMN dlq.transform_id IS 'As in jobs.';
COMMENT ON COLUMN dlq.replay_id IS 'As in jobs.';
COMMENT ON COLUMN dlq.subscription_ids IS 'As in jobs.';
COMMENT ON COLUMN dlq.topic IS 'As in events.';
COMMENT ON COLUMN dlq.occurred_at IS 'As in events.';
COMMENT ON COLUMN dlq.payload IS 'As in events.';
COMMENT ON COLUMN dlq.idempotency_key IS 'As in events.';
COMMENT ON COLUMN dlq.ordering_key IS 'As in events.';
COMMENT ON COLUMN dlq.target_user_id IS 'As in events.';
COMMENT ON COLUMN dlq.extra IS 'As in events.';
COMMENT ON COLUMN dlq.trace IS 'As in events.';
CREATE INDEX dlq_tenant_id_created_at_job_id_idx ON dlq (tenant_id, created_at, job_id);
COMMENT ON INDEX dlq_tenant_id_created_at_job_id_idx IS 'A tenant''s dead letters, in the order in which they died.';

CREATE TABLE dlq_events (
	tenant_id text COLLATE "C" NOT NULL,
	event_id uuid NOT NULL,
	job_id uuid NOT NULL,
	topic text COLLATE "C" NOT NULL,
	occurred_at timestamptz NOT NULL,
	payload json,
	idempotency_key text COLLATE "C",
	ordering_key text COLLATE "C",
	target_user_id text COLLATE "C",
	extra json,
	trace json,
	PRIMARY KEY (tenant_id, event_id, job_id)
);
COMMENT ON TABLE dlq_events IS 'The events of requeued jobs, until the job ends: their month may be gone.';
COMMENT ON COLUMN dlq_events.tenant_id IS 'Whose event it is.';
COMMENT ON COLUMN dlq_events.event_id IS 'The event.';
COMMENT ON COLUMN dlq_events.job_id IS 'The requeued job.';
COMMENT ON COLUMN dlq_events.topic IS 'As in events.';
COMMENT ON COLUMN dlq_events.occurred_at IS 'As in events.';
COMMENT ON COLUMN dlq_events.payload IS 'As in events.';
COMMENT ON COLUMN dlq_events.idempotency_key IS 'As in events.';
COMMENT ON COLUMN dlq_events.ordering_key IS 'As in events.';
COMMENT ON COLUMN dlq_events.target_user_id IS 'As in events.';
COMMENT ON COLUMN dlq_events.extra IS 'As in events.';
COMMENT ON COLUMN dlq_events.trace IS 'As in events.';

CREATE TABLE replays (
	tenant_id text COLLATE "C" NOT NULL,
	replay_id uuid NOT NULL,
	status text COLLATE "C" NOT NULL,
	request json NOT NULL,
	node_id int,
	applied bigint[],
	matched bigint NOT NULL DEFAULT 0,
	scheduled bigint NOT NULL DEFAULT 0,
	skipped bigint NOT NULL DEFAULT 0,
	results json,
	created_at timestamptz NOT NULL,
	updated_at timestamptz NOT NULL,
	finished_at timestamptz,
	PRIMARY KEY (tenant_id, replay_id)
);
COMMENT ON TABLE replays IS 'Replays that somebody asked for, and how far they are.';
COMMENT ON COLUMN replays.tenant_id IS 'Whose replay it is.';
COMMENT ON COLUMN replays.replay_id IS 'UUIDv7: the order of ids is that of creation.';
COMMENT ON COLUMN replays.status IS '''running'', ''done'', ''cancelled'' or ''failed''.';
COMMENT ON COLUMN replays.request IS 'What was asked for, as sent.';
COMMENT ON COLUMN replays.node_id IS 'The node that works on it.';
COMMENT ON COLUMN replays.applied IS 'For each publisher of that node, from 0, the highest number of a record that it has stored.';
COMMENT ON COLUMN replays.matched IS 'Events that the request names.';
COMMENT ON COLUMN replays.scheduled IS 'Jobs made.';
COMMENT ON COLUMN replays.skipped IS 'Jobs not made, because they still waited or were under way.';
COMMENT ON COLUMN replays.results IS 'What became of the first 100 events.';
COMMENT ON COLUMN replays.created_at IS 'When it was asked for.';
COMMENT ON COLUMN replays.updated_at IS 'When it went on last.';
COMMENT ON COLUMN replays.finished_at IS 'When it ended.';

CREATE TABLE idempotency_keys (
	tenant_id text COLLATE "C" NOT NULL,
	route text COLLATE "C" NOT NULL,
	key text COLLATE "C" NOT NULL,
	object_id text COLLATE "C" NOT NULL,
	fingerprint text COLLATE "C" NOT NULL,
	created_at timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, route, key)
);
COMMENT ON TABLE idempotency_keys IS 'What was made by a request with a key against doubles, for 24 hours.';
COMMENT ON COLUMN idempotency_keys.tenant_id IS 'Whose request it was.';
COMMENT ON COLUMN idempotency_keys.route IS 'What was asked for: events, tenants, replay.';
COMMENT ON COLUMN idempotency_keys.key IS 'The client''s key.';
COMMENT ON COLUMN idempotency_keys.object_id IS 'Id of what the first request made.';
COMMENT ON COLUMN idempotency_keys.fingerprint IS 'SHA-256 of what was asked for, in hex: another request with the same key is a conflict.';
COMMENT ON COLUMN idempotency_keys.created_at IS 'When the first request came; the key is free again 24 hours later.';
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);
COMMENT ON INDEX idempotency_keys_created_at_idx IS 'Removing those that are free again.';

CREATE TABLE audit_log (
	tenant_id text COLLATE "C" NOT NULL,
	audit_id uuid NOT NULL,
	created_at timestamptz NOT NULL,
	key_id text COLLATE "C" NOT NULL,
	key_name text,
	action text COLLATE "C" NOT NULL,
	object_kind text COLLATE "C" NOT NULL,
	object_id text COLLATE "C" NOT NULL,
	before json,
	after json,
	PRIMARY KEY (tenant_id, audit_id)
);
COMMENT ON TABLE audit_log IS 'Who changed what, written in the transaction of the change. Holds no secret.';
COMMENT ON COLUMN audit_log.tenant_id IS 'Whose object was changed.';
COMMENT ON COLUMN audit_log.audit_id IS 'UUIDv7: the order of ids is that of time.';
COMMENT ON COLUMN audit_log.created_at IS 'When it was changed.';
COMMENT ON COLUMN audit_log.key_id IS 'api_keys.key_id of the key that asked for it, or the name of a start key.';
COMMENT ON COLUMN audit_log.key_name IS 'Name of that key at that time.';
COMMENT ON COLUMN audit_log.action IS 'What was done: endpoint.update, ...';
COMMENT ON COLUMN audit_log.object_kind IS 'To what kind of object.';
COMMENT ON COLUMN audit_log.object_id IS 'To which one.';
COMMENT ON COLUMN audit_log.before IS 'The object before; null when it was made.';
COMMENT ON COLUMN audit_log.after IS 'The object after; null when it was deleted.';

CREATE INDEX audit_log_audit_id_idx ON audit_log (audit_id);
COMMENT ON INDEX audit_log_audit_id_idx IS 'The log of all tenants, in the order of time.';

CREATE TABLE tenant_stats (
	tenant_id text COLLATE "C" PRIMARY KEY,
	queue_depth bigint NOT NULL,
	in_flight bigint NOT NULL,
	dlq_count bigint NOT NULL,
	api_keys bigint NOT NULL,
	event_count bigint NOT NULL,
	endpoint_count bigint NOT NULL,
	subscription_count bigint NOT NULL,
	delivery_count bigint NOT NULL,
	counted_at timestamptz NOT NULL
);
COMMENT ON TABLE tenant_stats IS 'Figures of each tenant, added up by upkeep once a minute.';
COMMENT ON COLUMN tenant_stats.tenant_id IS 'Whose figures these are.';
COMMENT ON COLUMN tenant_stats.queue_depth IS 'Jobs that wait.';
COMMENT ON COLUMN tenant_stats.in_flight IS 'Attempts under way.';
COMMENT ON COLUMN tenant_stats.dlq_count IS 'Dead letters.';
COMMENT ON COLUMN tenant_stats.api_keys IS 'Keys that are valid.';
COMMENT ON COLUMN tenant_stats.event_count IS 'Events that are stored.';
COMMENT ON COLUMN tenant_stats.endpoint_count IS 'Endpoints.';
COMMENT ON COLUMN tenant_stats.subscription_count IS 'Subscriptions.';
COMMENT ON COLUMN tenant_stats.delivery_count IS 'Attempts that are stored.';
COMMENT ON COLUMN tenant_stats.counted_at IS 'When they were added up.';

CREATE TABLE inbox_messages (
	tenant_id text COLLATE "C" NOT NULL,
	token text COLLATE "C" NOT NULL,
	message_id uuid NOT NULL,
	received_at timestamptz NOT NULL,
	headers json NOT NULL,
	body text NOT NULL,
	PRIMARY KEY (tenant_id, token, message_id)
);
COMMENT ON TABLE inbox_messages IS 'What the development receiver received: the newest 1,000 of a token, for a day.';
COMMENT ON COLUMN inbox_messages.tenant_id IS 'Whose receiver it is.';
COMMENT ON COLUMN inbox_messages.token IS 'The receiver: the last segment of its URL.';
COMMENT ON COLUMN inbox_messages.message_id IS 'UUIDv7: the order of ids is that of arrival.';
COMMENT ON COLUMN inbox_messages.received_at IS 'When it arrived.';
COMMENT ON COLUMN inbox_messages.headers IS 'Its headers, names in lower case.';
COMMENT ON COLUMN inbox_messages.body IS 'Its body.';

-- Small tables that all nodes read. They have no tenant, or one row a tenant.

CREATE TABLE routing_versions (
	tenant_id text COLLATE "C" PRIMARY KEY,
	version bigint NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE routing_versions IS 'Raised by every change of a tenant''s endpoints or subscriptions: publishers then read them again.';
COMMENT ON COLUMN routing_versions.tenant_id IS 'The tenant.';
COMMENT ON COLUMN routing_versions.version IS 'Goes up.';

CREATE TABLE changes (
	id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
	version bigint NOT NULL
) WITH (fillfactor = 10);
COMMENT ON TABLE changes IS 'One row, raised by every change that must hold at once. Its lock makes versions follow commits.';
COMMENT ON COLUMN changes.id IS 'There is one row.';
COMMENT ON COLUMN changes.version IS 'Goes up.';
INSERT INTO changes (version) VALUES (1);

CREATE TABLE pauses (
	tenant_id text COLLATE "C" PRIMARY KEY,
	reason text,
	paused_by text COLLATE "C",
	paused_at timestamptz NOT NULL
);
COMMENT ON TABLE pauses IS 'Whose deliveries are paused.';
COMMENT ON COLUMN pauses.tenant_id IS 'The tenant; * for all of them.';
COMMENT ON COLUMN pauses.reason IS 'Why, where the service paused itself.';
COMMENT ON COLUMN pauses.paused_by IS 'The key that asked for it.';
COMMENT ON COLUMN pauses.paused_at IS 'Since when.';

CREATE TABLE upkeep (
	task text COLLATE "C" PRIMARY KEY,
	ran_at timestamptz
);
COMMENT ON TABLE upkeep IS 'Tasks that one node does for all: the node whose UPDATE of ran_at finds the row due.';
COMMENT ON COLUMN upkeep.task IS 'Name of the task.';
COMMENT ON COLUMN upkeep.ran_at IS 'When a node began it last; null: never.';

CREATE TABLE delivery_nodes (
	node_id int PRIMARY KEY,
	epoch bigint NOT NULL,
	name text NOT NULL,
	started_at timestamptz NOT NULL,
	alive_at timestamptz NOT NULL,
	left_at timestamptz,
	adopted_by int,
	adopted_at timestamptz,
	seen_version bigint NOT NULL,
	backend_pids int[],
	queue_depths json
) WITH (fillfactor = 10);
COMMENT ON TABLE delivery_nodes IS 'The nodes that deliver: a row each, a heartbeat every five seconds. Jobs belong to nodes.';
COMMENT ON COLUMN delivery_nodes.node_id IS 'What DATA_DIR keeps as the node''s number.';
COMMENT ON COLUMN delivery_nodes.epoch IS 'Another one at each start: a copy of DATA_DIR is found out.';
COMMENT ON COLUMN delivery_nodes.name IS 'Its host''s name.';
COMMENT ON COLUMN delivery_nodes.started_at IS 'When it started.';
COMMENT ON COLUMN delivery_nodes.alive_at IS 'Its last heartbeat.';
COMMENT ON COLUMN delivery_nodes.left_at IS 'When it stopped cleanly: others take its jobs over.';
COMMENT ON COLUMN delivery_nodes.adopted_by IS 'The node that has taken its jobs over.';
COMMENT ON COLUMN delivery_nodes.adopted_at IS 'When that was.';
COMMENT ON COLUMN delivery_nodes.seen_version IS 'changes.version that it acts by.';
COMMENT ON COLUMN delivery_nodes.backend_pids IS 'Its publishers'' sessions.';
COMMENT ON COLUMN delivery_nodes.queue_depths IS 'Waiting jobs of each tenant on this node.';

CREATE TABLE store_identity (
	id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
	store_id text COLLATE "C" NOT NULL,
	deployment text,
	created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE store_identity IS 'Which installation this is, one row: a copy of the database must not send to customers.';
COMMENT ON COLUMN store_identity.id IS 'There is one row.';
COMMENT ON COLUMN store_identity.store_id IS 'The system_identifier of the server that the tables were made on.';
COMMENT ON COLUMN store_identity.deployment IS 'HL_DEPLOYMENT.';
COMMENT ON COLUMN store_identity.created_at IS 'When it was written.';

INSERT INTO hookline_schema_migrations (version, name) VALUES (1, 'webhooks');

-- The tables are ready for rows of now and of the coming months.
SELECT made.* FROM unnest('{events,attempts}'::regclass[]) AS parent,
	ensure_partitions(parent, 3, (now() AT TIME ZONE 'UTC')::date) AS made;

COMMIT;
