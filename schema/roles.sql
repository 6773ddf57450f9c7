-- Makes roles by which the service has no more rights than it needs:
--
--     hooks_owner      owns the tables: migrations, the functions of DBAs, `hooksctl deadletter retry`
--     hooks_writer     for hooksd: adds hook events and dead letters, makes months by functions; changes, removes no event
--     hooks_reader     for dashboards: reads all but secrets
--
-- and two more for webhooks, if their tables exist or with -v webhooks=1:
--
--     hooks_publisher  for publishers and couriers: events, jobs, attempts, dead letters of webhooks
--     hooks_control    for hooksd: the same by its membership, and tenants, keys, endpoints, subscriptions; removes old
--                      and deleted rows. All processes of hooksd log in as this role
--
-- Run it with psql, as a superuser or as the owner of the database, before or after the first migration, and again after
-- every migration (then the owner is enough). Running it again does no harm:
--
--     psql -f roles.sql DATABASE
--     psql -v schema=hooks -v owner=hooks_owner -v writer=hooks_writer -v reader=hooks_reader \
--          -v control=hooks_control -v publisher=hooks_publisher -f roles.sql DATABASE
--
-- Roles are made without passwords; set them with \password. Tables made by another role become the owner's.

\set ON_ERROR_STOP on
\if :{?schema} \else \set schema public \endif
\if :{?owner} \else \set owner hooks_owner \endif
\if :{?writer} \else \set writer hooks_writer \endif
\if :{?reader} \else \set reader hooks_reader \endif
\if :{?control} \else \set control hooks_control \endif
\if :{?publisher} \else \set publisher hooks_publisher \endif
\if :{?webhooks} \else \set webhooks 0 \endif

BEGIN;
-- Gives up after this wait for a lock, because waiting longer would hold up ingest: run it again then.
SET LOCAL lock_timeout = '500ms';
SET LOCAL client_min_messages = warning;

SELECT :'webhooks'::boolean OR to_regclass(format('%I.hookline_schema_migrations', :'schema')) IS NOT NULL AS webhooks \gset
SELECT ARRAY[:'owner', :'writer', :'reader'] || CASE WHEN :'webhooks' THEN ARRAY[:'control', :'publisher'] END AS roles \gset

SELECT format('CREATE ROLE %I LOGIN', role)
	FROM unnest(:'roles'::text[]) AS role
	WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec

SELECT format('GRANT %I TO %I', :'publisher', :'control')
	WHERE :'webhooks' AND NOT pg_has_role(quote_ident(:'control')::regrole, quote_ident(:'publisher')::regrole, 'USAGE') \gexec

-- Schemas. Only the owner may create objects beside the tables: the service could take others for its own.
SELECT format('CREATE SCHEMA %I AUTHORIZATION %I', name, :'owner')
	FROM unnest(ARRAY[:'schema', 'hooks_archive']) AS name WHERE to_regnamespace(quote_ident(name)) IS NULL \gexec
SELECT format('ALTER SCHEMA hooks_archive OWNER TO %I', :'owner')
	FROM pg_namespace WHERE nspname = 'hooks_archive' AND nspowner <> quote_ident(:'owner')::regrole \gexec
SELECT format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', nspname)
	FROM pg_namespace CROSS JOIN LATERAL aclexplode(nspacl) AS acl
	WHERE nspname = :'schema' AND acl.grantee = 0 AND acl.privilege_type = 'CREATE' \gexec
SELECT format('GRANT %s ON SCHEMA %I TO %I', privilege, name, role)
	FROM (VALUES (:'schema', :'owner', 'USAGE'), (:'schema', :'owner', 'CREATE'), (:'schema', :'writer', 'USAGE'),
	             (:'schema', :'reader', 'USAGE'), ('hooks_archive', :'reader', 'USAGE'),
	             (:'schema', :'control', 'USAGE'), (:'schema', :'publisher', 'USAGE')) AS wanted (name, role, privilege)
	WHERE role = ANY (:'roles'::text[]) AND NOT has_schema_privilege(role, name, privilege) \gexec

-- If the tables are in another schema than public, these roles search it.
SELECT format('ALTER ROLE %I IN DATABASE %I SET search_path = %I', role, current_database(), :'schema')
	FROM unnest(:'roles'::text[]) AS role
	WHERE :'schema' <> 'public' AND NOT EXISTS (
		SELECT FROM pg_db_role_setting
		WHERE setrole = quote_ident(role)::regrole AND setconfig @> ARRAY['search_path=' || quote_ident(:'schema')]
		  AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())) \gexec

-- Tables belong to the owner, whoever made them; the other roles get exactly these rights. A new partition gets the
-- rights of hook_events when it is made.
SELECT CASE WHEN c.relowner <> quote_ident(:'owner')::regrole
            THEN format('ALTER TABLE %s OWNER TO %I', c.oid::regclass, :'owner') END,
       format('REVOKE ALL ON %s FROM %I, %I', c.oid::regclass, :'writer', :'reader'),
       format('GRANT SELECT ON %s TO %I', c.oid::regclass, :'reader'),
       CASE WHEN c.relname = 'hooks_schema_migrations' THEN format('GRANT SELECT ON %s TO %I', c.oid::regclass, :'writer')
            WHEN c.relname = 'hook_event_log' THEN format('GRANT SELECT, INSERT, DELETE ON %s TO %I', c.oid::regclass, :'writer')
            WHEN c.relnamespace <> 'hooks_archive'::regnamespace THEN format('GRANT SELECT, INSERT ON %s TO %I', c.oid::regclass, :'writer') END
	FROM pg_class c
	WHERE c.relnamespace = quote_ident(:'schema')::regnamespace
	      AND c.relname IN ('hook_events', 'hook_event_log', 'hook_events_dead_letters', 'hooks_schema_migrations')
	   OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass(format('%I.hook_events', :'schema')))
	   OR c.relnamespace = 'hooks_archive'::regnamespace AND c.relkind = 'r' AND c.relname ~ '^hook_events_\d{4}_\d\d$' \gexec

-- The same for the webhooks' tables, if they are here: elsewhere another application may use their names. The reader
-- sees no column with a credential. UPDATE of one column of dlq is needed to lock its rows. Columns of a newer version
-- of the tables are left out.
SELECT CASE WHEN c.relowner <> quote_ident(:'owner')::regrole
            THEN format('ALTER TABLE %s OWNER TO %I', c.oid::regclass, :'owner') END,
       format('REVOKE ALL ON %s FROM %I, %I, %I', c.oid::regclass, :'control', :'publisher', :'reader'),
       format('GRANT SELECT %s ON %s TO %I', CASE WHEN hidden <> '{}' THEN
               (SELECT '(' || string_agg(quote_ident(attname), ', ') || ')' FROM pg_attribute
                WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attname <> ALL (hidden)) END, c.oid::regclass, :'reader'),
       CASE WHEN control IS NOT NULL AND NOT archived THEN format('GRANT %s ON %s TO %I', control, c.oid::regclass, :'control') END,
       CASE WHEN publisher IS NOT NULL AND NOT archived THEN format('GRANT %s ON %s TO %I', publisher, c.oid::regclass, :'publisher') END
	FROM (VALUES
		('hookline_schema_migrations', 'SELECT', 'SELECT', '{}'::text[]),
		('tenants', 'SELECT, INSERT, UPDATE, DELETE', 'SELECT', '{}'),
		('api_keys', 'SELECT, INSERT, UPDATE, DELETE', NULL, '{hash}'),
		('endpoints', 'SELECT, INSERT, UPDATE, DELETE', 'SELECT, UPDATE (' || (
			SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
			WHERE attrelid = to_regclass(format('%I.endpoints', :'schema')) AND NOT attisdropped
			  AND attname = ANY ('{version,enabled,state,disabled_reason,failing_since,last_failure_at,last_success_at,breaker,pinned_node_id,lease_epoch,lease_until,updated_at}')
			) || ')', '{url,secret,old_secret,headers}'),
		('subscriptions', 'SELECT, INSERT, UPDATE, DELETE', 'SELECT', '{}'),
		('transforms', 'SELECT, INSERT, DELETE', 'SELECT', '{}'),
		('events', 'SELECT, DELETE', 'SELECT, INSERT, UPDATE (job_count, stored_at)', '{}'),
		('jobs', 'SELECT, UPDATE, DELETE', 'SELECT, INSERT, UPDATE, DELETE', '{}'),
		('attempts', 'SELECT, DELETE', 'SELECT, INSERT', '{}'),
		('dlq', 'SELECT, UPDATE (last_error), DELETE', 'SELECT, INSERT, DELETE', '{}'),
		('dlq_events', 'SELECT, DELETE', 'SELECT, INSERT, DELETE', '{}'),
		('cancelled_jobs', 'SELECT, INSERT, DELETE', 'SELECT', '{}'),
		('notices', 'SELECT, UPDATE, DELETE', 'INSERT', '{}'),
		('endpoint_tests', 'SELECT, INSERT, DELETE', 'SELECT, DELETE', '{}'),
		('fifo_heads', 'SELECT, DELETE', 'SELECT, INSERT, UPDATE', '{}'),
		('idempotency_keys', 'SELECT, INSERT, UPDATE, DELETE', 'SELECT, INSERT, UPDATE', '{}'),
		('replays', 'SELECT, INSERT, UPDATE, DELETE', 'SELECT, UPDATE', '{}'),
		('audit_log', 'SELECT, INSERT, DELETE', 'INSERT', '{}'),
		('tenant_stats', 'SELECT, INSERT, UPDATE, DELETE', NULL, '{}'),
		('inbox_messages', 'SELECT, INSERT, DELETE', NULL, '{token}'),
		('inbox_keys', 'SELECT, INSERT', NULL, '{key}'),
		('routing_versions', 'SELECT, INSERT, UPDATE, DELETE', 'SELECT, INSERT, UPDATE', '{}'),
		('changes', 'SELECT, UPDATE', 'SELECT, UPDATE', '{}'),
		('pauses', 'SELECT, INSERT, UPDATE, DELETE', 'SELECT, INSERT, UPDATE', '{}'),
		('upkeep', 'SELECT, INSERT, UPDATE', NULL, '{}'),
		('delivery_nodes', 'SELECT, DELETE', 'SELECT, INSERT, UPDATE, DELETE', '{}'),
		('store_identity', 'SELECT, INSERT, UPDATE', 'SELECT, INSERT, UPDATE', '{}')
	) AS rights (name, control, publisher, hidden)
	JOIN pg_class c
	  ON c.relnamespace = quote_ident(:'schema')::regnamespace AND c.relname = name
	  OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass(format('%I.%I', :'schema', name)))
	  OR c.relnamespace = 'hooks_archive'::regnamespace AND left(c.relname, -8) = name AND right(c.relname, 8) ~ '^_\d{4}_\d\d$'
	CROSS JOIN LATERAL (SELECT c.relnamespace = 'hooks_archive'::regnamespace AS archived) AS place
	WHERE c.relkind IN ('r', 'p') AND to_regclass(format('%I.hookline_schema_migrations', :'schema')) IS NOT NULL \gexec
SELECT format('%s ON %I.hooks_schema_migrations %s %I, %I', action, :'schema', direction, :'control', :'publisher')
	FROM (VALUES ('REVOKE ALL', 'FROM'), ('GRANT SELECT', 'TO')) AS said (action, direction)
	WHERE :'webhooks' AND to_regclass(format('%I.hooks_schema_migrations', :'schema')) IS NOT NULL \gexec

-- The same for functions.
SELECT CASE WHEN p.proowner <> quote_ident(:'owner')::regrole
            THEN format('ALTER FUNCTION %s OWNER TO %I', p.oid::regprocedure, :'owner') END,
       CASE WHEN p.proname IN ('create_monthly_partition', 'ensure_partitions') AND p.pronargs = 2
            THEN format('GRANT EXECUTE ON FUNCTION %s TO %I', p.oid::regprocedure, :'writer')
            WHEN p.proname IN ('create_monthly_partition', 'ensure_partitions', 'hl_drop_month') AND :'webhooks'
            THEN format('GRANT EXECUTE ON FUNCTION %s TO %I', p.oid::regprocedure, :'control') END
	FROM pg_proc p
	WHERE p.pronamespace = quote_ident(:'schema')::regnamespace
	  AND (p.proname ~ '^(hooks|hl)_'
	       OR p.proname IN ('create_monthly_partition', 'ensure_partitions', 'get_partition_stats', 'archive_old_partitions',
	                        'restore_archived_partition', 'drop_archived_partitions', 'build_analytics_indexes',
	                        'drop_analytics_indexes')) \gexec

COMMIT;
