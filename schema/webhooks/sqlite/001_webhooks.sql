-- Migration 1 of the webhooks' set: its tables, as in PostgreSQL but without months.
--
-- hooksd runs this file at start (AUTO_MIGRATE=true) and `hooksctl migrate` runs it; by hand:
--
--     sqlite3 -bail hookline.db < 001_webhooks.sql
--
-- Everything happens in one transaction. Run a second time it stops at its first statement and changes nothing.
-- Needs SQLite 3.37 or newer. Times are ms since 1970, UUIDs text in lower case, booleans 0 and 1, lists JSON.

-- Before the first table or never: `PRAGMA incremental_vacuum` can give back the space of deleted rows.
PRAGMA auto_vacuum = INCREMENTAL;

BEGIN IMMEDIATE;

-- Which migrations of the webhooks' tables this database has: one row each, written in the transaction of the migration itself.
CREATE TABLE hookline_schema_migrations (
	version INTEGER PRIMARY KEY, -- Number of the migration; the greatest one is the version of the schema
	name TEXT NOT NULL, -- Name of its file, without number and ending
	applied_at INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)) -- When it was applied
) STRICT;

-- Whose events, endpoints and keys these are: nobody reads or changes what is another tenant's.
CREATE TABLE tenants (
	tenant_id TEXT NOT NULL PRIMARY KEY, -- Its name in every other table: 1-64 characters of [A-Za-z0-9_.-]
	name TEXT NOT NULL, -- Its name for people
	status TEXT NOT NULL DEFAULT 'active', -- 'active', or 'deleted' while upkeep removes what the tenant had
	metadata TEXT, -- A JSON object of the API's client, kept as sent
	created_at INTEGER NOT NULL, -- When it was made
	updated_at INTEGER NOT NULL, -- When it was changed last
	deleted_at INTEGER -- When DELETE marked it; upkeep then removes what belongs to it, and the row last
) STRICT;

-- API keys. The key itself is shown once and stored nowhere.
CREATE TABLE api_keys (
	key_id TEXT NOT NULL PRIMARY KEY, -- UUIDv7: the order of ids is that of creation
	tenant_id TEXT NOT NULL, -- Whose key it is
	name TEXT, -- Its name for people
	prefix TEXT NOT NULL, -- The first characters of the key, by which people recognize it
	hash TEXT NOT NULL UNIQUE, -- SHA-256 of the key, in lower-case hex
	scopes TEXT NOT NULL, -- What the key may do: a JSON array of scopes, as given
	events_per_second INTEGER, -- Limit of published events; null: none
	bytes_per_second INTEGER, -- Limit of published bytes; null: none
	created_at INTEGER NOT NULL, -- When it was made
	expires_at INTEGER, -- From when on it is refused; null: never
	replaced_by TEXT, -- The key that a rotation made in its place; null: it was not rotated
	revoked_at INTEGER, -- Since when it is refused for good
	last_used_at INTEGER, -- When a request carried it last, exact to a minute
	change_version INTEGER NOT NULL -- changes.version of the transaction that changed the row last: greater than N is what a process that read at N has not seen
) STRICT;

-- What has changed since a process read the keys.
CREATE INDEX api_keys_change_version_idx ON api_keys (change_version);

-- A tenant's keys, in the order of creation.
CREATE INDEX api_keys_tenant_id_key_id_idx ON api_keys (tenant_id, key_id);

-- Where webhooks are sent. url, secret, old_secret and headers are credentials.
CREATE TABLE endpoints (
	tenant_id TEXT NOT NULL, -- Whose endpoint it is
	endpoint_id TEXT NOT NULL, -- UUIDv7: the order of ids is that of creation
	version INTEGER NOT NULL, -- Raised by each change through the API; the ETag of replies
	url TEXT NOT NULL, -- What is posted to
	secret TEXT NOT NULL, -- Signs the requests; encrypted when there is an HL_MASTER_KEY
	old_secret TEXT, -- The secret before the last rotation, stored alike
	old_secret_until INTEGER, -- Until when requests are signed with old_secret also
	headers TEXT NOT NULL, -- Headers of its own: a JSON object, encrypted when there is an HL_MASTER_KEY
	enabled INTEGER NOT NULL, -- False: jobs are held
	paused INTEGER NOT NULL, -- True: jobs are held
	name TEXT, -- Its name for people
	description TEXT, -- What people should know of it
	metadata TEXT, -- A JSON object of the API's client, kept as sent
	extra TEXT, -- Members of the client's document that the API does not define, kept as sent
	timeout_ms INTEGER NOT NULL, -- Deadline of an attempt
	max_in_flight INTEGER NOT NULL, -- Attempts at the same time, over all nodes
	rate_limit_rps INTEGER NOT NULL, -- Attempts per second, over all nodes
	exact_limits INTEGER NOT NULL, -- True: one node sends, so that the limits hold exactly
	fifo INTEGER NOT NULL, -- True: in the order of commits, one after the other
	ordering TEXT NOT NULL, -- With fifo: 'endpoint' is one order, 'key' one for each ordering_key of events
	on_dead TEXT NOT NULL, -- With fifo: after a dead letter 'continue', or 'block' what follows it
	fail_fast INTEGER NOT NULL, -- True: 400, 405, 413, 415 and 422 are final
	retry_schedule TEXT, -- Waits after failed attempts; null: HL_RETRY_SCHEDULE
	max_attempts INTEGER, -- Cuts the schedule; null: it is not cut
	keep_response INTEGER NOT NULL, -- True: attempts keep an excerpt of the reply
	body TEXT NOT NULL, -- What is posted: 'envelope', 'event' or 'payload'
	legacy_headers INTEGER NOT NULL, -- True: x-gp-signature and x-gp-timestamp also
	state TEXT NOT NULL DEFAULT 'active', -- 'active' or 'disabled'
	disabled_reason TEXT, -- Why the service disabled it
	failing_since INTEGER, -- The first failure of a run that has not ended
	last_success_at INTEGER, -- The last success, exact to a minute
	pinned_node_id INTEGER, -- The one node that sends, where limits or order ask for one
	created_at INTEGER NOT NULL, -- When it was made
	updated_at INTEGER NOT NULL, -- When it was changed last
	deleted_at INTEGER, -- When DELETE marked it; upkeep then removes its subscriptions, jobs and secrets, and the row last
	PRIMARY KEY (tenant_id, endpoint_id)
) STRICT;

-- What upkeep is to remove.
CREATE INDEX endpoints_deleted_at_idx ON endpoints (deleted_at) WHERE deleted_at IS NOT NULL;

-- What is done to an event before it is posted. A row never changes: a job names the one it was made with.
CREATE TABLE transforms (
	tenant_id TEXT NOT NULL, -- Whose transform it is
	transform_id TEXT NOT NULL, -- UUIDv8 of the tenant and the steps: the same steps are one row
	steps TEXT NOT NULL, -- The steps, as sent but for white space between tokens
	created_at INTEGER NOT NULL, -- When it was made
	PRIMARY KEY (tenant_id, transform_id)
) STRICT;

-- Which topics go to which endpoint.
CREATE TABLE subscriptions (
	tenant_id TEXT NOT NULL, -- Whose subscription it is
	subscription_id TEXT NOT NULL, -- UUIDv7: the order of ids is that of creation
	endpoint_id TEXT NOT NULL, -- Where matching events go
	version INTEGER NOT NULL, -- Raised by each change; the ETag of replies
	topic_pattern TEXT NOT NULL, -- Segments between dots; * is one segment, # zero or more
	filter TEXT, -- A condition on the event, as sent; null: every event matches
	transform_id TEXT, -- transforms.transform_id; null: the event is sent as it is
	enabled INTEGER NOT NULL, -- False: makes no jobs
	name TEXT, -- Its name for people
	description TEXT, -- What people should know of it
	metadata TEXT, -- A JSON object of the API's client, kept as sent
	extra TEXT, -- Members of the client's document that the API does not define, kept as sent
	created_at INTEGER NOT NULL, -- When it was made
	updated_at INTEGER NOT NULL, -- When it was changed last
	deleted_at INTEGER, -- When DELETE marked it; upkeep removes the row
	PRIMARY KEY (tenant_id, subscription_id)
) STRICT;

-- The subscriptions of an endpoint.
CREATE INDEX subscriptions_tenant_id_endpoint_id_idx ON subscriptions (tenant_id, endpoint_id);

-- Published events.
CREATE TABLE events (
	event_id TEXT NOT NULL, -- UUIDv7 whose last 16 bits are zero: job k of the event has the id + k
	created_at INTEGER NOT NULL, -- The time in event_id
	stored_at INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)), -- Start of the transaction that stored it
	occurred_at INTEGER NOT NULL, -- When it happened, as the client says; created_at, if the client says nothing
	job_count INTEGER NOT NULL, -- How many jobs were made of it, those of replays included
	tenant_id TEXT NOT NULL, -- Whose event it is
	topic TEXT NOT NULL, -- What subscriptions match: segments between dots
	payload TEXT, -- Any JSON, as sent but for white space between tokens
	idempotency_key TEXT, -- The client's key against doubles
	ordering_key TEXT, -- The order it belongs to, at endpoints that keep one for each key
	target_user_id TEXT, -- The user it is about, as the client says
	extra TEXT, -- Members of the client's document that the API does not define, kept as sent
	trace TEXT, -- traceparent and tracestate of the publishing request
	PRIMARY KEY (tenant_id, event_id, created_at)
) STRICT;

-- A tenant's events in the order in which they became readable: streams and ascending lists.
CREATE INDEX events_tenant_id_stored_at_idx ON events (tenant_id, stored_at);

-- Deleting what is old. Cheap, because rows arrive nearly in the order of time.
CREATE INDEX events_created_at_idx ON events (created_at);

-- Deliveries that wait or are under way. A finished job has no row: its attempts tell what became of it.
CREATE TABLE jobs (
	tenant_id TEXT NOT NULL, -- Whose job it is
	endpoint_id TEXT NOT NULL, -- Where it goes
	job_id TEXT NOT NULL, -- event_id + k; the webhook-id of its requests
	event_id TEXT NOT NULL, -- What is delivered
	node_id INTEGER NOT NULL, -- delivery_nodes.node_id of the node that delivers it
	status TEXT NOT NULL, -- 'pending', or 'held' while the endpoint is disabled or paused
	attempt_count INTEGER NOT NULL DEFAULT 0, -- Attempts so far; never goes down
	attempt_base INTEGER NOT NULL DEFAULT 0, -- attempt_count when the job was requeued last: the schedule counts from there
	next_attempt_at INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)), -- When it is due
	fifo_seq INTEGER, -- Its place in the order of its endpoint or ordering key
	transform_id TEXT, -- transforms.transform_id; null: the event is sent as it is
	expires_at INTEGER, -- Past it the job is dead; null while it is held
	replay_id TEXT, -- The replay that made it
	subscription_ids TEXT, -- The subscriptions that made it
	last_error TEXT, -- Why the last attempt failed
	PRIMARY KEY (tenant_id, endpoint_id, job_id)
) STRICT, WITHOUT ROWID;

-- The last number given out in each order.
CREATE TABLE fifo_heads (
	tenant_id TEXT NOT NULL, -- Whose order it is
	endpoint_id TEXT NOT NULL, -- The endpoint that keeps the order
	ordering_key TEXT NOT NULL, -- events.ordering_key; empty where the endpoint has one order
	last_seq INTEGER NOT NULL, -- jobs.fifo_seq of the newest job
	blocked_by TEXT, -- The dead job that stops this order (on_dead: block)
	PRIMARY KEY (tenant_id, endpoint_id, ordering_key)
) STRICT, WITHOUT ROWID;

-- Attempts at delivery.
CREATE TABLE attempts (
	attempt_id TEXT NOT NULL, -- UUIDv7; the x-hl-delivery-id of the request
	started_at INTEGER NOT NULL, -- When it began
	job_id TEXT, -- Which job; null for a test
	event_id TEXT, -- Which event; null for a test
	endpoint_id TEXT NOT NULL, -- Where it went
	duration_ms INTEGER NOT NULL, -- From its start to the end of the reply, or to giving up
	dns_ms INTEGER, -- Until the name was resolved
	connect_ms INTEGER, -- Until the connection stood
	tls_ms INTEGER, -- Until TLS stood
	first_byte_ms INTEGER, -- Until the first byte of the reply
	attempt_n INTEGER NOT NULL, -- The how-many-th of its job, from 1
	http_status INTEGER, -- Status of the reply; null when there was none
	test INTEGER NOT NULL DEFAULT 0, -- True: a test that somebody asked for
	status TEXT NOT NULL, -- 'success' (2xx) or 'failure'
	tenant_id TEXT NOT NULL, -- Whose attempt it is
	peer_address TEXT, -- Address and port that were connected to
	error TEXT, -- Why it failed; names the endpoint's id and host at most
	certificate_error TEXT, -- What was wrong with the certificate
	response_body TEXT, -- An excerpt of the reply, where the endpoint keeps it
	PRIMARY KEY (tenant_id, attempt_id, started_at)
) STRICT;

-- The attempts of an event, hence also of a job, whose id is the event's but for the last 16 bits.
CREATE INDEX attempts_tenant_id_event_id_idx ON attempts (tenant_id, event_id);

-- Time ranges, and deleting what is old. Cheap, because rows arrive nearly in the order of time.
CREATE INDEX attempts_started_at_idx ON attempts (started_at);

-- Dead letters: jobs that were given up, with their event, so that they can be requeued when the event's month is gone.
CREATE TABLE dlq (
	tenant_id TEXT NOT NULL, -- Whose dead letter it is
	job_id TEXT NOT NULL, -- The job that died; a requeue brings it back by this id
	event_id TEXT NOT NULL, -- What was not delivered
	endpoint_id TEXT NOT NULL, -- Where it should have gone
	created_at INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)), -- When it was given up
	reason TEXT NOT NULL, -- http_<code>, max_attempts_exceeded, aborted, expired, guard or transform_error
	attempt_count INTEGER NOT NULL, -- Attempts that were made
	last_http_status INTEGER, -- Status of the last reply; null when there was none
	last_error TEXT, -- Why the last attempt failed
	transform_id TEXT, -- As in jobs
	replay_id TEXT, -- As in jobs
	subscription_ids TEXT, -- As in jobs
	topic TEXT NOT NULL, -- As in events
	occurred_at INTEGER NOT NULL, -- As in events
	payload TEXT, -- As in events
	idempotency_key TEXT, -- As in events
	ordering_key TEXT, -- As in events
	target_user_id TEXT, -- As in events
	extra TEXT, -- As in events
	trace TEXT, -- As in events
	PRIMARY KEY (tenant_id, job_id)
) STRICT;

-- A tenant's dead letters, in the order in which they died.
CREATE INDEX dlq_tenant_id_created_at_job_id_idx ON dlq (tenant_id, created_at, job_id);

-- The events of requeued jobs, until the job ends: their month may be gone.
CREATE TABLE dlq_events (
	tenant_id TEXT NOT NULL, -- Whose event it is
	event_id TEXT NOT NULL, -- The event
	job_id TEXT NOT NULL, -- The requeued job
	topic TEXT NOT NULL, -- As in events
	occurred_at INTEGER NOT NULL, -- As in events
	payload TEXT, -- As in events
	idempotency_key TEXT, -- As in events
	ordering_key TEXT, -- As in events
	target_user_id TEXT, -- As in events
	extra TEXT, -- As in events
	trace TEXT, -- As in events
	PRIMARY KEY (tenant_id, event_id, job_id)
) STRICT;

-- Replays that somebody asked for, and how far they are.
CREATE TABLE replays (
	tenant_id TEXT NOT NULL, -- Whose replay it is
	replay_id TEXT NOT NULL, -- UUIDv7: the order of ids is that of creation
	status TEXT NOT NULL, -- 'running', 'done', 'cancelled' or 'failed'
	request TEXT NOT NULL, -- What was asked for, as sent
	node_id INTEGER, -- The node that works on it
	applied TEXT, -- For each publisher of that node, from 0, the highest number of a record that it has stored
	matched INTEGER NOT NULL DEFAULT 0, -- Events that the request names
	scheduled INTEGER NOT NULL DEFAULT 0, -- Jobs made
	skipped INTEGER NOT NULL DEFAULT 0, -- Jobs not made, because they still waited or were under way
	results TEXT, -- What became of the first 100 events
	created_at INTEGER NOT NULL, -- When it was asked for
	updated_at INTEGER NOT NULL, -- When it went on last
	finished_at INTEGER, -- When it ended
	PRIMARY KEY (tenant_id, replay_id)
) STRICT;

-- What was made by a request with a key against doubles, for 24 hours.
CREATE TABLE idempotency_keys (
	tenant_id TEXT NOT NULL, -- Whose request it was
	route TEXT NOT NULL, -- What was asked for: events, tenants, replay
	key TEXT NOT NULL, -- The client's key
	object_id TEXT NOT NULL, -- Id of what the first request made
	fingerprint TEXT NOT NULL, -- SHA-256 of what was asked for, in hex: another request with the same key is a conflict
	created_at INTEGER NOT NULL, -- When the first request came; the key is free again 24 hours later
	PRIMARY KEY (tenant_id, route, key)
) STRICT, WITHOUT ROWID;

-- Removing those that are free again.
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);

-- Who changed what, written in the transaction of the change. Holds no secret.
CREATE TABLE audit_log (
	tenant_id TEXT NOT NULL, -- Whose object was changed
	audit_id TEXT NOT NULL, -- UUIDv7: the order of ids is that of time
	created_at INTEGER NOT NULL, -- When it was changed
	key_id TEXT NOT NULL, -- api_keys.key_id of the key that asked for it, or the name of a start key
	key_name TEXT, -- Name of that key at that time
	action TEXT NOT NULL, -- What was done: endpoint.update, 
	object_kind TEXT NOT NULL, -- To what kind of object
	object_id TEXT NOT NULL, -- To which one
	before TEXT, -- The object before; null when it was made
	after TEXT, -- The object after; null when it was deleted
	PRIMARY KEY (tenant_id, audit_id)
) STRICT;

-- The log of all tenants, in the order of time.
CREATE INDEX audit_log_audit_id_idx ON audit_log (audit_id);

-- Figures of each tenant, added up by upkeep once a minute.
CREATE TABLE tenant_stats (
	tenant_id TEXT NOT NULL PRIMARY KEY, -- Whose figures these are
	queue_depth INTEGER NOT NULL, -- Jobs that wait
	in_flight INTEGER NOT NULL, -- Attempts under way
	dlq_count INTEGER NOT NULL, -- Dead letters
	api_keys INTEGER NOT NULL, -- Keys that are valid
	event_count INTEGER NOT NULL, -- Events that are stored
	endpoint_count INTEGER NOT NULL, -- Endpoints
	subscription_count INTEGER NOT NULL, -- Subscriptions
	delivery_count INTEGER NOT NULL, -- Attempts that are stored
	counted_at INTEGER NOT NULL -- When they were added up
) STRICT, WITHOUT ROWID;

-- What the development receiver received: the newest 1,000 of a token, for a day.
CREATE TABLE inbox_messages (
	tenant_id TEXT NOT NULL, -- Whose receiver it is
	token TEXT NOT NULL, -- The receiver: the last segment of its URL
	message_id TEXT NOT NULL, -- UUIDv7: the order of ids is that of arrival
	received_at INTEGER NOT NULL, -- When it arrived
	headers TEXT NOT NULL, -- Its headers, names in lower case
	body TEXT NOT NULL, -- Its body
	PRIMARY KEY (tenant_id, token, message_id)
) STRICT;

-- Raised by every change of a tenant's endpoints or subscriptions: publishers then read them again.
CREATE TABLE routing_versions (
	tenant_id TEXT NOT NULL PRIMARY KEY, -- The tenant
	version INTEGER NOT NULL -- Goes up
) STRICT, WITHOUT ROWID;

-- One row, raised by every change that must hold at once. Its lock makes versions follow commits.
CREATE TABLE changes (
	id INTEGER PRIMARY KEY DEFAULT 1 CHECK (id = 1), -- There is one row
	version INTEGER NOT NULL -- Goes up
) STRICT;

INSERT INTO changes (version) VALUES (1);

-- Whose deliveries are paused.
CREATE TABLE pauses (
	tenant_id TEXT NOT NULL PRIMARY KEY, -- The tenant; * for all of them
	reason TEXT, -- Why, where the service paused itself
	paused_by TEXT, -- The key that asked for it
	paused_at INTEGER NOT NULL -- Since when
) STRICT, WITHOUT ROWID;

-- Tasks that one node does for all: the node whose UPDATE of ran_at finds the row due.
CREATE TABLE upkeep (
	task TEXT NOT NULL PRIMARY KEY, -- Name of the task
	ran_at INTEGER -- When a node began it last; null: never
) STRICT, WITHOUT ROWID;

-- The nodes that deliver: a row each, a heartbeat every five seconds. Jobs belong to nodes.
CREATE TABLE delivery_nodes (
	node_id INTEGER PRIMARY KEY, -- What DATA_DIR keeps as the node's number
	epoch INTEGER NOT NULL, -- Another one at each start: a copy of DATA_DIR is found out
	name TEXT NOT NULL, -- Its host's name
	started_at INTEGER NOT NULL, -- When it started
	alive_at INTEGER NOT NULL, -- Its last heartbeat
	left_at INTEGER, -- When it stopped cleanly: others take its jobs over
	adopted_by INTEGER, -- The node that has taken its jobs over
	adopted_at INTEGER, -- When that was
	seen_version INTEGER NOT NULL, -- changes.version that it acts by
	backend_pids TEXT, -- Its publishers' sessions
	queue_depths TEXT -- Waiting jobs of each tenant on this node
) STRICT;

-- Which installation this is, one row: a copy of the database must not send to customers.
CREATE TABLE store_identity (
	id INTEGER PRIMARY KEY DEFAULT 1 CHECK (id = 1), -- There is one row
	store_id TEXT NOT NULL, -- The system_identifier of the server that the tables were made on
	deployment TEXT, -- HL_DEPLOYMENT
	created_at INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)) -- When it was written
) STRICT;

INSERT INTO hookline_schema_migrations (version, name) VALUES (1, 'webhooks');

-- Which file this is, for file(1) and for hooksd: "HLdb".
PRAGMA application_id = 0x484c6462;

COMMIT;
