-- Three roles, so that the service runs with no more rights than it needs:
--
--     hooks_owner   owns the tables: migrations, the functions of DBAs, `hooksctl deadletter retry`
--     hooks_writer  for hooksd: adds events and dead letters, has months made; changes and removes nothing
--     hooks_reader  for dashboards: reads
--
-- Run it with psql, as a superuser or as the owner of the database, before or after the first migration, and again after
-- every migration (then the owner will do); it ends in the same state however often it runs:
--
--     psql -f roles.sql DATABASE
--     psql -v schema=hooks -v owner=hooks_owner -v writer=hooks_writer -v reader=hooks_reader -f roles.sql DATABASE
--
-- Roles are made without passwords; set them with \password. Tables that another role made become the owner's.

\set ON_ERROR_STOP on
\if :{?schema} \else \set schema public \endif
\if :{?owner} \else \set owner hooks_owner \endif
\if :{?writer} \else \set writer hooks_writer \endif
\if :{?reader} \else \set reader hooks_reader \endif

BEGIN;
-- What waits longer for a lock than this had better be tried again than hold up ingest.
SET LOCAL lock_timeout = '500ms';
SET LOCAL client_min_messages = warning;

SELECT format('CREATE ROLE %I LOGIN', role)
	FROM unnest(ARRAY[:'owner', :'writer', :'reader']) AS role
	WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec

-- Schemas. Whoever may create things beside the tables could have them taken for the service's own.
SELECT format('CREATE SCHEMA %I AUTHORIZATION %I', name, :'owner')
	FROM unnest(ARRAY[:'schema', 'hooks_archive']) AS name WHERE to_regnamespace(quote_ident(name)) IS NULL \gexec
SELECT format('ALTER SCHEMA hooks_archive OWNER TO %I', :'owner')
	FROM pg_namespace WHERE nspname = 'hooks_archive' AND nspowner <> quote_ident(:'owner')::regrole \gexec
SELECT format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', nspname)
	FROM pg_namespace CROSS JOIN LATERAL aclexplode(nspacl) AS acl
	WHERE nspname = :'schema' AND acl.grantee = 0 AND acl.privilege_type = 'CREATE' \gexec
SELECT format('GRANT %s ON SCHEMA %I TO %I', privilege, name, role)
	FROM (VALUES (:'schema', :'owner', 'USAGE'), (:'schema', :'owner', 'CREATE'), (:'schema', :'writer', 'USAGE'),
	             (:'schema', :'reader', 'USAGE'), ('hooks_archive', :'reader', 'USAGE')) AS wanted (name, role, privilege)
	WHERE NOT has_schema_privilege(role, name, privilege) \gexec

-- Where the tables are not in the usual schema, these roles look there.
SELECT format('ALTER ROLE %I IN DATABASE %I SET search_path = %I', role, current_database(), :'schema')
	FROM unnest(ARRAY[:'owner', :'writer', :'reader']) AS role
	WHERE :'schema' <> 'public' AND NOT EXISTS (
		SELECT FROM pg_db_role_setting
		WHERE setrole = quote_ident(role)::regrole AND setconfig @> ARRAY['search_path=' || quote_ident(:'schema')]
		  AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())) \gexec

-- Tables: the owner's, whoever made them, with exactly these rights for the others. A new partition gets those of
-- hook_events when it is made.
SELECT CASE WHEN c.relowner <> quote_ident(:'owner')::regrole
            THEN format('ALTER TABLE %s OWNER TO %I', c.oid::regclass, :'owner') END,
       format('REVOKE ALL ON %s FROM %I, %I', c.oid::regclass, :'writer', :'reader'),
       format('GRANT SELECT ON %s TO %I', c.oid::regclass, :'reader'),
       CASE WHEN c.relname = 'hooks_schema_migrations' THEN format('GRANT SELECT ON %s TO %I', c.oid::regclass, :'writer')
            WHEN c.relnamespace <> 'hooks_archive'::regnamespace THEN format('GRANT SELECT, INSERT ON %s TO %I', c.oid::regclass, :'writer') END
	FROM pg_class c
	WHERE c.relnamespace = quote_ident(:'schema')::regnamespace
	      AND c.relname IN ('hook_events', 'hook_events_dead_letters', 'hooks_schema_migrations')
	   OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass(format('%I.hook_events', :'schema')))
	   OR c.relnamespace = 'hooks_archive'::regnamespace AND c.relkind = 'r' AND c.relname ~ '^hook_events_\d{4}_\d\d$' \gexec

-- Functions likewise.
SELECT CASE WHEN p.proowner <> quote_ident(:'owner')::regrole
            THEN format('ALTER FUNCTION %s OWNER TO %I', p.oid::regprocedure, :'owner') END,
       CASE WHEN p.proname IN ('create_monthly_partition', 'ensure_partitions')
            THEN format('GRANT EXECUTE ON FUNCTION %s TO %I', p.oid::regprocedure, :'writer') END
	FROM pg_proc p
	WHERE p.pronamespace = quote_ident(:'schema')::regnamespace
	  AND (p.proname ~ '^hooks_'
	       OR p.proname IN ('create_monthly_partition', 'ensure_partitions', 'get_partition_stats', 'archive_old_partitions',
	                        'restore_archived_partition', 'drop_archived_partitions', 'build_analytics_indexes',
	                        'drop_analytics_indexes')) \gexec

COMMIT;
