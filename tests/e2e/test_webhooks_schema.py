"""
The webhooks' tables: created by several nodes at once, in one database or two, never in another application's file.
"""

import re
import sqlite3
import subprocess

import psycopg
import pytest

from harness.daemon import BUILD_DIR, clean_environment, run_program
from harness.dba import NEWEST, NEWEST_WEBHOOKS, WEBHOOKS, apply_webhooks
from harness.pgbouncer import PgBouncer
from harness.waiting import wait_until

pytestmark = [pytest.mark.plain_postgres("checks the tables of one server"), pytest.mark.unsanitized("tests SQL only")]

KEY = "hl_live_" + "k" * 32
LOCKS = ("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database ="
         " (SELECT oid FROM pg_database WHERE datname = current_database())")
VERSIONS = "SELECT (SELECT max(version) FROM hooks_schema_migrations), (SELECT max(version) FROM hookline_schema_migrations)"
# The node whose migration holds the lock and waits for the test's session.
IN_THE_MIDDLE = """
SELECT DISTINCT application_name FROM pg_stat_activity JOIN pg_locks USING (pid)
WHERE datname = current_database() AND locktype = 'advisory' AND granted AND %s = ANY (pg_blocking_pids(pid))"""
TENANTED = {"endpoints", "subscriptions", "transforms", "events", "jobs", "attempts", "dlq", "dlq_events", "idempotency_keys",
            "replays", "audit_log", "fifo_heads", "tenant_stats", "inbox_messages", "cancelled_jobs",
            "notices", "endpoint_tests"}
SMALL = {"tenants", "api_keys", "delivery_nodes", "routing_versions", "pauses", "changes", "upkeep", "store_identity", "inbox_keys",
         "hookline_schema_migrations"}


@pytest.fixture
def database(empty_database):
    """A database without tables, because these tests run the migrations."""
    return empty_database


def migrate(**options):
    return run_program("hooksctl", "migrate", options=options)


def start_migrating(url, name):
    return subprocess.Popen([BUILD_DIR / "hooksctl", "migrate"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=clean_environment({"HL_POSTGRES_URL": f"{url}?application_name={name}"}))


@pytest.fixture
def bouncer(postgres):
    bouncer = PgBouncer(postgres, default_pool_size=3)
    try:
        yield bouncer.start()
    finally:
        bouncer.remove()


def test_three_nodes_create_the_tables_at_once_although_one_is_killed(bouncer, database):
    """One node is killed while its migration holds the lock, behind PgBouncer, which reuses its session."""
    with database.server.connect(database.name) as session:
        session.autocommit = False
        session.execute("CREATE TABLE tenants (of_somebody_else int)")
        nodes = {f"node-{number}": start_migrating(bouncer.url(database), f"node-{number}") for number in range(3)}
        [(victim,)] = wait_until(lambda: database.query(IN_THE_MIDDLE, session.info.backend_pid), "a migration is in its middle")
        nodes[victim].kill()
        nodes.pop(victim).communicate()
        session.rollback()
    for node in nodes.values():
        out, err = node.communicate(timeout=60)
        assert node.returncode == 0, err
        assert "webhooks (HL_POSTGRES_URL): " in out
    wait_until(lambda: database.value(LOCKS) == 0, "no lock stays behind")
    assert database.query(VERSIONS) == [(NEWEST, NEWEST_WEBHOOKS)]
    again = migrate(HL_POSTGRES_URL=bouncer.url(database))
    assert (again.returncode, again.stdout) == (
        0, f"webhooks (HL_POSTGRES_URL): the schema is at version {NEWEST_WEBHOOKS} already: nothing to do\n")


def test_a_service_with_hook_events_alone_gets_no_webhooks_tables(database):
    assert migrate(DATABASE_URL=database.url).stdout == (
        f"hook events (DATABASE_URL): applied {NEWEST} migrations: the schema is at version {NEWEST}\n")
    assert database.value("SELECT to_regclass('tenants')") is None


def test_one_database_can_hold_hook_events_and_webhooks(database):
    result = migrate(DATABASE_URL=database.url, HL_API_KEY=KEY)
    assert result.stdout.splitlines() == [
        f"hook events (DATABASE_URL): applied {NEWEST} migrations: the schema is at version {NEWEST}",
        f"webhooks (HL_POSTGRES_URL): applied {NEWEST_WEBHOOKS} migrations: the schema is at version {NEWEST_WEBHOOKS}"]
    assert database.query(VERSIONS) == [(NEWEST, NEWEST_WEBHOOKS)]


def test_two_databases_are_both_migrated(database, postgres):
    other = postgres.new_database()
    result = migrate(DATABASE_URL=database.url, HL_POSTGRES_URL=other.url)
    assert result.stdout.splitlines() == [
        f"hook events (DATABASE_URL): applied {NEWEST} migrations: the schema is at version {NEWEST}",
        f"webhooks (HL_POSTGRES_URL): applied {NEWEST + NEWEST_WEBHOOKS} migrations: the schema is at version {NEWEST_WEBHOOKS}"]
    assert database.value("SELECT to_regclass('tenants')") is None
    assert other.query(VERSIONS) == [(NEWEST, NEWEST_WEBHOOKS)]
    other.drop()


def test_a_newer_schema_is_not_changed(database):
    apply_webhooks(database)
    database.query("INSERT INTO hookline_schema_migrations (version, name) VALUES (9, 'of_the_future')")
    result = migrate(HL_POSTGRES_URL=database.url)
    assert result.returncode == 1
    assert f"is at version 9, this program knows versions up to {NEWEST_WEBHOOKS}: install the newer one" in result.stderr


def test_the_files_of_hook_events_and_webhooks_are_not_confused(tmp_path):
    events, webhooks = tmp_path / "events.db", tmp_path / "hookline.db"
    files = {"STORAGE_TYPE": "sqlite", "DATA_DIR": tmp_path, "HL_API_KEY": KEY, "HL_STORE_BACKEND": "embedded"}
    result = migrate(**files, SQLITE_PATH=events, HL_DATA_PATH=webhooks)
    assert result.stdout.splitlines() == [
        "hook events (SQLITE_PATH): applied 1 migration: the schema is at version 1",
        f"webhooks (HL_DATA_PATH): applied {NEWEST_WEBHOOKS} migrations: the schema is at version {NEWEST_WEBHOOKS}"]
    with sqlite3.connect(webhooks) as database:
        assert database.execute("PRAGMA application_id").fetchone() == (0x484C6462,)
        assert database.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    before = events.read_bytes(), webhooks.read_bytes()
    result = migrate(**files, SQLITE_PATH=webhooks, HL_DATA_PATH=tmp_path / "new.db")
    assert result.returncode == 1
    assert f"SQLITE_PATH={webhooks} is the database of another application" in result.stderr
    result = migrate(**files, SQLITE_PATH=tmp_path / "new.db", HL_DATA_PATH=events)
    assert result.returncode == 1
    assert f"HL_DATA_PATH={events} is the database of another application" in result.stderr
    result = migrate(**files, SQLITE_PATH=events, HL_DATA_PATH=events)
    assert result.returncode == 64
    assert "HL_DATA_PATH and SQLITE_PATH are the same file" in result.stderr
    assert (events.read_bytes(), webhooks.read_bytes()) == before


def columns_in_postgres(database):
    rows = database.query("""
        SELECT relname, attname, format_type(atttypid, NULL), attnotnull, col_description(attrelid, attnum) FROM pg_class
        JOIN pg_attribute ON attrelid = pg_class.oid
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND attnum > 0 AND NOT attisdropped
          AND relname !~ '^hook_event|^hooks_'""")
    assert [row[:2] for row in rows if not row[4]] == [], "every column has a comment"
    return {(table, column): (of_type, not_null) for table, column, of_type, not_null, _ in rows}


def test_both_databases_have_the_same_columns(database):
    apply_webhooks(database)
    postgres = columns_in_postgres(database)
    assert {table for table, _ in postgres} == TENANTED | SMALL
    script = "".join(path.read_text() for path in WEBHOOKS["sqlite"])
    with sqlite3.connect(":memory:") as connection:
        connection.executescript(script)
        tables = [name for name, in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        embedded = {(table, column): (of_type, bool(not_null or key)) for table in tables
                    for _, column, of_type, not_null, _, key in connection.execute(f"PRAGMA table_info({table})")}
    same = {"text": "TEXT", "uuid": "TEXT", "json": "TEXT", "bigint": "INTEGER", "integer": "INTEGER", "smallint": "INTEGER",
            "boolean": "INTEGER", "timestamp with time zone": "INTEGER"}
    assert embedded == {key: (same.get(of_type, "TEXT"), not_null) for key, (of_type, not_null) in postgres.items()}
    assert len(re.findall(r"\) STRICT", script)) == len(tables)


def test_every_key_of_a_tenants_table_begins_with_the_tenant(database):
    """A distributed database shards by the tenant and refuses unique indexes without it."""
    apply_webhooks(database)
    unique = dict(database.query("""
        SELECT indexrelid::regclass::text, attname FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
        JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
        WHERE indisunique AND relname = ANY (%s)""", sorted(TENANTED)))
    assert len(unique) == len(TENANTED)
    assert set(unique.values()) == {"tenant_id"}
    assert database.query("SELECT tgname FROM pg_trigger") == []
    assert database.query("SELECT conname FROM pg_constraint WHERE contype = 'f'") == []
    indexes = database.query("""
        SELECT indexrelid::regclass::text, pg_get_expr(indpred, indrelid) FROM pg_index WHERE indrelid = 'jobs'::regclass ORDER BY 1""")
    assert indexes == [("jobs_fifo_seq_idx", "(fifo_seq IS NOT NULL)"), ("jobs_pkey", None)], "one entry a job"


def test_times_survive_the_conversion_to_milliseconds_and_back(database):
    apply_webhooks(database)
    for zone in ("UTC", "America/New_York", "Asia/Kathmandu"):
        database.query(f"ALTER DATABASE {database.name} SET timezone = '{zone}'")
        moments = [0, 1, -1, 1795923417755, 253402300799999]
        assert database.query("SELECT hl_ms(hl_time(ms)) FROM unnest(%s::bigint[]) AS ms", moments) == [(ms,) for ms in moments]
        assert database.value("SELECT hl_time(951782400000) = '2000-02-29 00:00:00+00'")
        assert database.value("SELECT hl_time(hl_ms(hl_now())) = hl_now()")


CHECK = "SELECT hl_check(%s, %s, %s, %s, now() - %s * interval '1 ms', 1000)"


@pytest.mark.parametrize("sqlstate,tenants,versions,node,epoch,age_ms", [
    (None, ["acme", "without_a_row"], [3, 0], 7, 70, 0), (None, [], [], 7, 70, 900),
    ("HL001", ["acme"], [2], 7, 70, 0), ("HL001", ["acme"], [4], 7, 70, 0), ("HL001", ["acme", "without_a_row"], [3, 1], 7, 70, 0),
    ("HL001", ["acme", "globex"], [3], 7, 70, 0), ("HL002", [], [], 7, 71, 0), ("HL002", [], [], 6, 70, 0),
    ("HL002", [], [], 8, 80, 0), ("HL003", [], [], 7, 70, 1001),
])
def test_a_publishers_check_fails_after_changes(checked, sqlstate, tenants, versions, node, epoch, age_ms):
    params = tenants, versions, node, epoch, age_ms
    if sqlstate is None:
        checked.query(CHECK, *params)
        return
    with pytest.raises(psycopg.Error) as refused:
        checked.query(CHECK, *params)
    assert refused.value.sqlstate == sqlstate


@pytest.fixture(scope="module")
def checked(postgres_server):
    postgres_server.start()
    database = postgres_server.new_database()
    apply_webhooks(database)
    database.query("INSERT INTO routing_versions VALUES ('acme', 3), ('globex', 1)")
    database.query("INSERT INTO delivery_nodes (node_id, epoch, name, started_at, alive_at, seen_version, adopted_by)"
                   " VALUES (7, 70, 'here', now(), now(), 1, NULL), (8, 80, 'there', now(), now(), 1, 7)")
    yield database
    postgres_server.start()
    database.drop()
