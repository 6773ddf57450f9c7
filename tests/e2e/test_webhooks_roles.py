"""schema/roles.sql on the webhooks' tables: control manages, publishers store, and readers see no secret."""

import psycopg
import pytest

from harness.daemon import run_program
from harness.dba import WEBHOOKS, Month, apply_roles, apply_schema, url_as
from harness.waiting import wait_until

pytestmark = pytest.mark.plain_postgres("checks the tables of one server")

RIGHTS = """
SELECT relname, relowner::regrole::text, relacl::text, (SELECT string_agg(attname || attacl::text, ' ' ORDER BY attnum)
	FROM pg_attribute WHERE attrelid = pg_class.oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT oid::regprocedure::text, proowner::regrole::text, proacl::text, '' FROM pg_proc
	WHERE pronamespace = 'public'::regnamespace ORDER BY 1, 2, 3"""
A_TENANT = "INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES ('acme', 'Acme', hl_now(), hl_now())"
AN_ENDPOINT = """
INSERT INTO endpoints (tenant_id, endpoint_id, version, url, secret, headers, enabled, paused, timeout_ms, max_in_flight,
	rate_limit_rps, exact_limits, fifo, ordering, on_dead, fail_fast, keep_response, body, legacy_headers, created_at, updated_at)
VALUES ('acme', gen_random_uuid(), 1, 'https://acme.example/?token=mine', 'whsec_mine', '{}', true, false, 30000, 10, 100, false,
	false, 'endpoint', 'continue', true, false, 'envelope', false, hl_now(), hl_now())"""
AN_EVENT = ("INSERT INTO events (event_id, created_at, occurred_at, job_count, tenant_id, topic)"
            " VALUES (gen_random_uuid(), now(), now(), 1, 'acme', 'a.b')")


@pytest.fixture
def database(empty_database):
    """A database without tables: the owner role creates them."""
    return empty_database


@pytest.fixture(scope="module")
def store(postgres_server):
    """The steps of docs/dba.md: roles, migrations by the owner, rights on the new objects."""
    postgres_server.start()
    database = postgres_server.new_database()
    apply_roles(database, webhooks="1")
    result = run_program("hooksctl", "migrate", options={"HL_POSTGRES_URL": url_as(database, "hooks_owner")})
    assert result.returncode == 0, result.stderr
    apply_roles(database)
    yield database
    postgres_server.start()
    database.drop()


def run_as(store, role, *statements):
    """Runs the statements in a transaction that is rolled back. Returns the rows of the last one."""
    with psycopg.connect(url_as(store, role)) as session:
        for statement in statements:
            cursor = session.execute(statement)
        rows = cursor.fetchall() if cursor.description else None
        session.rollback()
        return rows


def test_running_roles_sql_again_changes_nothing(store):
    before = store.query(RIGHTS)
    apply_roles(store)
    assert store.query(RIGHTS) == before
    assert {owner for _, owner, _, _ in before} == {"hooks_owner"}


def test_roles_sql_works_on_tables_of_each_older_version(empty_database):
    """The program may be newer than the last migration that a DBA has applied."""
    apply_schema(empty_database)
    for path in WEBHOOKS["postgres"]:
        result = empty_database.psql("-f", path)
        assert result.returncode == 0, result.stderr
        apply_roles(empty_database)
    assert empty_database.value("SELECT has_column_privilege('hooks_publisher', 'endpoints', 'breaker', 'UPDATE')")
    assert not empty_database.value("SELECT has_column_privilege('hooks_publisher', 'endpoints', 'url', 'UPDATE')")


def test_the_role_of_control_can_manage_all_objects(store):
    version = run_as(
        store, "hooks_control", A_TENANT, AN_ENDPOINT, "UPDATE endpoints SET url = 'https://acme.example' WHERE tenant_id = 'acme'",
        "INSERT INTO routing_versions VALUES ('acme', 1) ON CONFLICT (tenant_id) DO UPDATE SET version = routing_versions.version + 1",
        "INSERT INTO audit_log (tenant_id, audit_id, created_at, key_id, action, object_kind, object_id)"
        " VALUES ('acme', gen_random_uuid(), hl_now(), 'k', 'endpoint.update', 'endpoint', 'e')",
        "DELETE FROM jobs WHERE tenant_id = 'acme'", "DELETE FROM endpoints WHERE tenant_id = 'acme'",
        "INSERT INTO upkeep VALUES ('a task', NULL)", "UPDATE changes SET version = version + 1 RETURNING version")
    assert version == [(2,)]
    for parent in ("events", "attempts"):
        made = run_as(store, "hooks_control", f"SELECT * FROM ensure_partitions('{parent}', 5, current_date)")
        assert [outcome for _, outcome in made] == ["exists"] * 4 + ["created"] * 2


@pytest.mark.parametrize("role", ["hooks_publisher", "hooks_control"])
def test_the_roles_of_publishers_and_couriers_can_store(store, role):
    """hooksd has one URL, so all its processes log in as control."""
    assert run_as(
        store, role, AN_EVENT, "UPDATE events SET job_count = 2, stored_at = now() WHERE tenant_id = 'acme'",
        "INSERT INTO delivery_nodes (node_id, epoch, name, started_at, alive_at, seen_version)"
        " VALUES (1, 1, 'n', now(), now(), 1)",
        "UPDATE delivery_nodes SET alive_at = now() WHERE node_id = 1", "SELECT * FROM routing_versions, transforms, pauses",
        "INSERT INTO idempotency_keys VALUES ('acme', 'events', 'k', 'e', 'f', now()) ON CONFLICT (tenant_id, route, key)"
        " DO UPDATE SET object_id = excluded.object_id", "INSERT INTO fifo_heads SELECT * FROM fifo_heads",
        "INSERT INTO dlq SELECT * FROM dlq", "DELETE FROM dlq_events WHERE tenant_id = 'acme'",
        "UPDATE endpoints SET enabled = false, disabled_reason = 'gone', failing_since = now(), last_failure_at = now(),"
        " version = version + 1, lease_epoch = 1, lease_until = now()"
        " WHERE tenant_id = 'acme'", "UPDATE changes SET version = version + 1",
        "INSERT INTO notices VALUES ('acme', gen_random_uuid(), 'hookline.endpoint.disabled', '{}', now(), now())",
        "INSERT INTO audit_log (tenant_id, audit_id, created_at, key_id, action, object_kind, object_id)"
        " VALUES ('acme', gen_random_uuid(), hl_now(), 'system', 'endpoint.disable', 'endpoint', 'e')",
        "SELECT hl_check('{acme}', '{0}', 1, 1, now(), 60000)",
        "INSERT INTO jobs (tenant_id, endpoint_id, job_id, event_id, node_id, status)"
        " SELECT tenant_id, gen_random_uuid(), event_id, event_id, 1, 'pending' FROM events WHERE tenant_id = 'acme'",
        "INSERT INTO attempts (attempt_id, started_at, endpoint_id, duration_ms, attempt_n, status, tenant_id)"
        " VALUES (gen_random_uuid(), now(), gen_random_uuid(), 5, 1, 'success', 'acme')",
        "DELETE FROM jobs WHERE tenant_id = 'acme' RETURNING node_id") == [(1,)]


@pytest.mark.parametrize("role,statement", [
    ("hooks_control", "UPDATE events SET payload = '1'"), ("hooks_control", "UPDATE dlq SET topic = ''"),
    ("hooks_control", "UPDATE attempts SET status = 'success'"), ("hooks_control", "UPDATE audit_log SET action = ''"),
    ("hooks_control", "UPDATE transforms SET steps = '[]'"), ("hooks_control", "TRUNCATE jobs"),
    ("hooks_control", "DROP TABLE upkeep"), ("hooks_control", "SELECT * FROM archive_old_partitions('events', 1, false)"),
    ("hooks_control", "INSERT INTO hookline_schema_migrations VALUES (9, 'mine')"), ("hooks_control", "SELECT 1 FROM hook_events"),
    ("hooks_publisher", "SELECT hash FROM api_keys"), ("hooks_publisher", A_TENANT),
    ("hooks_publisher", "UPDATE endpoints SET secret = 'mine'"), ("hooks_publisher", "DELETE FROM events"),
    ("hooks_publisher", "UPDATE events SET payload = '1'"), ("hooks_publisher", "SELECT 1 FROM audit_log"),
    ("hooks_publisher", "SELECT * FROM ensure_partitions('events', 5, current_date)"),
    ("hooks_writer", "SELECT 1 FROM tenants"), ("hooks_writer", "SELECT * FROM ensure_partitions('events', 5, current_date)"),
    ("hooks_reader", A_TENANT), ("hooks_reader", "DELETE FROM jobs"), ("hooks_reader", "UPDATE changes SET version = 1"),
])
def test_each_role_is_refused_what_it_must_not_do(store, role, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run_as(store, role, statement)


@pytest.mark.parametrize("statement", [
    "SELECT secret FROM endpoints", "SELECT old_secret FROM endpoints", "SELECT headers FROM endpoints", "SELECT url FROM endpoints",
    "SELECT * FROM endpoints", "SELECT e FROM endpoints e", "SELECT count(hash) FROM api_keys", "SELECT * FROM api_keys",
    "SELECT token FROM inbox_messages", "TABLE inbox_keys", "SELECT 1 FROM endpoints WHERE secret LIKE 'whsec_%'", "COPY endpoints TO STDOUT",
    "TABLE api_keys",
])
def test_the_reader_role_cannot_read_secrets(store, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run_as(store, "hooks_reader", statement)


def test_the_reader_role_can_read_all_other_columns(store):
    hidden = {("api_keys", "hash"), ("inbox_messages", "token"), ("inbox_keys", "key")} | {
        ("endpoints", column) for column in ("url", "secret", "old_secret", "headers")}
    columns = {(table, column) for table, column in store.query("""
        SELECT relname, attname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped""")}
    readable = {(table, column) for table, column in columns
                if store.value("SELECT has_column_privilege('hooks_reader', %s, %s, 'SELECT')", f"public.{table}", column)}
    assert columns - readable == hidden
    assert run_as(store, "hooks_reader", "SELECT count(*) FROM endpoints") == [(0,)]


def test_months_keep_the_rights_of_their_table(store):
    """This includes months that were created after roles.sql, and archived ones."""
    month = Month(-5)
    store.query(f"SELECT create_monthly_partition('events', {month.args})")
    store.query(f"SELECT create_monthly_partition('attempts', {month.args})")
    name = f"events_{month.year:04}_{month.month:02}"
    assert store.value(f"SELECT has_column_privilege('hooks_publisher', '{name}', 'job_count', 'UPDATE')")
    assert not store.value(f"SELECT has_column_privilege('hooks_publisher', '{name}', 'payload', 'UPDATE')")
    store.query("SELECT * FROM archive_old_partitions('events', 3, false)")
    apply_roles(store)
    assert run_as(store, "hooks_reader", f"SELECT count(*) FROM hooks_archive.{name}") == [(0,)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run_as(store, "hooks_control", f"SELECT count(*) FROM hooks_archive.{name}")


def test_another_applications_table_of_the_same_name_keeps_its_owner(database):
    """The database has only hook events' tables of this project."""
    database.query("CREATE TABLE events (theirs int)")
    result = run_program("hooksctl", "migrate", options={"DATABASE_URL": database.url})
    assert result.returncode == 0, result.stderr
    apply_roles(database)
    assert database.value("SELECT relowner::regrole::text FROM pg_class WHERE oid = 'events'::regclass") == "postgres"
    assert not database.value("SELECT has_table_privilege('hooks_reader', 'events', 'SELECT')")


def test_hooksd_works_with_the_role_of_control(store, hooksd):
    """hooksd works and creates missing months without the right to change the tables' definitions."""
    store.query(f"DROP TABLE events_{Month(3).text.replace('-', '_')}")
    daemon = hooksd(HL_API_KEY="hl_live_" + "k" * 32, HL_POSTGRES_URL=url_as(store, "hooks_control"))
    wait_until(lambda: store.value("SELECT count(*) FROM get_partition_stats('events', false) WHERE partition_name = %s",
                                   f"events_{Month(3).text.replace('-', '_')}"), "upkeep to make the month")
    wait_until(lambda: store.value("SELECT count(ran_at) FROM upkeep"), "another task to be done")
    assert "permission denied" not in daemon.log()
