"""schema/roles.sql: hooksd works as a role that can only add events, and dashboards as a role that can only read."""

import contextlib
import json
from types import SimpleNamespace

import psycopg
import pytest

from harness.daemon import run_program
from harness.dba import Month, apply_roles, apply_schema, fill, partitions, url_as
from harness.events import minimal, timestamp_text, now
from harness.waiting import wait_until

OWNED = """
SELECT relname FROM pg_class WHERE relnamespace IN ('public'::regnamespace, to_regnamespace('hooks_archive')) AND relkind IN ('r', 'p', 'S')
AND relowner <> 'hooks_owner'::regrole
UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proowner <> 'hooks_owner'::regrole"""
RIGHTS = """
SELECT relname, relowner::regrole::text, relacl::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT proname, proowner::regrole::text, proacl::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT nspname, nspowner::regrole::text, nspacl::text FROM pg_namespace ORDER BY 1, 2, 3"""
RESENT = {"event_id": "0198c0de-0000-4000-8000-000000000001", "timestamp": "2026-11-01T00:00:00Z"}


@pytest.fixture
def database(empty_database):
    """A database without tables: the owner role creates them."""
    return empty_database


def connect(database, role):
    return psycopg.connect(url_as(database, role), autocommit=True)


def migrate_as_owner(database):
    result = run_program("hooksctl", "migrate", options={"DATABASE_URL": url_as(database, "hooks_owner")})
    assert result.returncode == 0, result.stderr


def set_up(database):
    """The steps of docs/dba.md: roles, migrations by the owner, rights on the new objects."""
    apply_roles(database)
    migrate_as_owner(database)
    apply_roles(database)
    return database


@contextlib.contextmanager
def sessions_in(store):
    with connect(store, "hooks_owner") as owner, connect(store, "hooks_writer") as writer, connect(store, "hooks_reader") as reader:
        yield SimpleNamespace(owner=owner, writer=writer, reader=reader)


@pytest.fixture
def store(database):
    return set_up(database)


@pytest.fixture
def sessions(store):
    with sessions_in(store) as sessions:
        yield sessions


@pytest.fixture(scope="module")
def refused_sessions(postgres_server):
    """One database for all statements that must be refused."""
    postgres_server.start()
    database = set_up(postgres_server.new_database())
    with sessions_in(database) as sessions:
        yield sessions
    database.drop()


@pytest.mark.parametrize("auto_migrate", ["true", "false"])
def test_hooksd_runs_as_the_writer(store, hooksd, auto_migrate):
    daemon = hooksd(DATABASE_URL=url_as(store, "hooks_writer"), AUTO_MIGRATE=auto_migrate)
    late = Month(-5)
    events = [minimal(), minimal(**RESENT), minimal(timestamp=f"{late.text}-15T12:00:00Z"), minimal(timestamp="1999-01-01T00:00:00Z")]
    assert daemon.post_batch(events).status == 202
    assert daemon.post_event(minimal(**RESENT)).status == 202
    poisoned = json.dumps(minimal(data={})).replace("{}", '{"x":[1e200000]}')
    assert daemon.post_batch(f"[{poisoned},{json.dumps(minimal())}]").status == 202
    assert store.count() == 5
    assert store.value("SELECT sqlstate FROM hook_events_dead_letters") == "22003"
    assert partitions(store)[late.name] == 1
    assert store.query(OWNED) == []
    assert daemon.metrics()["storage_errors_total"] == 0
    assert "permission denied" not in daemon.log()


def test_hooksd_makes_missing_months_as_the_writer(store, hooksd):
    ahead = Month(3)
    store.query(f"DROP TABLE {ahead.name}")
    daemon = hooksd(DATABASE_URL=url_as(store, "hooks_writer"))
    wait_until(lambda: ahead.name in partitions(store), "the month ahead")
    assert daemon.post_event(minimal(timestamp=timestamp_text(now()))).status == 202
    assert store.value("SELECT has_table_privilege('hooks_reader', %s, 'SELECT')", ahead.name)
    assert store.query(OWNED) == []


@pytest.mark.parametrize("statement", [
    "DROP TABLE hook_events",
    "DROP TABLE hook_events_default",
    "TRUNCATE hook_events",
    "DELETE FROM hook_events",
    "DELETE FROM hook_events_default",
    "UPDATE hook_events SET session_id = ''",
    "INSERT INTO hook_events SELECT * FROM hook_events ON CONFLICT (event_id, created_date) DO UPDATE SET session_id = ''",
    "ALTER TABLE hook_events ADD COLUMN mine int",
    "CREATE INDEX ON hook_events (event_type)",
    "CREATE TABLE mine (a int)",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE SCHEMA mine",
    "CREATE TRIGGER mine BEFORE INSERT ON hook_events EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "DELETE FROM hook_events_dead_letters",
    "UPDATE hook_events_dead_letters SET payload = ''",
    "INSERT INTO hooks_schema_migrations (version, name) VALUES (99, 'mine')",
    "SELECT * FROM archive_old_partitions(0)",
    "SELECT restore_archived_partition(2026, 1)",
    "SELECT * FROM drop_archived_partitions(0)",
    "SELECT * FROM build_analytics_indexes(2026, 1)",
    "SELECT * FROM drop_analytics_indexes(2026, 1)",
    "SELECT hooks_archive_months('hook_events', ARRAY['hook_events_default'::regclass])",
    "SELECT hooks_make_month('hook_events', '2030-01-01', '0s')",
    "SELECT * FROM hooks_distribute()",
    "SET ROLE hooks_owner",
])
def test_the_writer_role_is_refused(refused_sessions, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        refused_sessions.writer.execute(statement)


@pytest.mark.parametrize("statement", [
    "INSERT INTO hook_events (event_id, timestamp, created_date, event_type, session_id) VALUES (gen_random_uuid(), now(), now(), '', '')",
    "DELETE FROM hook_events",
    "DROP TABLE hook_events",
    "CREATE TABLE mine (a int)",
    "INSERT INTO hook_events_dead_letters (sqlstate) VALUES ('')",
    "SELECT create_monthly_partition(2030, 1)",
    "SELECT * FROM ensure_partitions()",
    "SELECT * FROM archive_old_partitions(0, true)",
    "SELECT * FROM hooks_distribute()",
])
def test_the_reader_role_is_refused(refused_sessions, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        refused_sessions.reader.execute(statement)


def test_the_reader_role_can_read_every_table(store, sessions):
    old, older = Month(-1), Month(-2)
    for month in (old, older):
        fill(store, month)
    assert sessions.reader.execute("SELECT count(*) FROM hook_events").fetchone() == (100,)
    assert sessions.reader.execute(f"SELECT count(*) FROM {old.name}").fetchone() == (50,)
    assert sessions.reader.execute("SELECT count(*) FROM hook_events_dead_letters").fetchone() == (0,)
    stats = sessions.reader.execute("SELECT sum(row_count) FROM get_partition_stats()").fetchone()
    assert stats == (100,)
    sessions.owner.execute("SELECT * FROM archive_old_partitions(1)")
    assert sessions.reader.execute(f"SELECT count(*) FROM hooks_archive.{older.name}").fetchone() == (50,)


def test_the_owner_needs_no_superuser(store, sessions):
    old, older = Month(-1), Month(-2)
    for month in (old, older):
        fill(store, month)
    owner = sessions.owner
    assert len(owner.execute("SELECT * FROM archive_old_partitions(0)").fetchall()) == 2
    for month in (old, older):
        owner.execute(f"SELECT restore_archived_partition({month.args})")
    owner.execute(f"SELECT * FROM build_analytics_indexes({old.args})")
    owner.execute(f"SELECT * FROM drop_analytics_indexes({old.args})")
    owner.execute("SELECT * FROM archive_old_partitions(1)")
    dropped = owner.execute(f"SELECT outcome FROM drop_archived_partitions(1, 'drop months before {old.text}')").fetchall()
    assert dropped == [("dropped",)]
    assert store.query(OWNED) == []


def test_a_temporary_table_of_the_same_name_misleads_no_function(store, sessions):
    sessions.writer.execute("CREATE TEMPORARY TABLE hook_events (LIKE public.hook_events) PARTITION BY RANGE (created_date)")
    sessions.writer.execute("CREATE TEMPORARY TABLE pg_inherits (inhparent oid, inhrelid oid)")
    month = Month(8)
    assert sessions.writer.execute(f"SELECT create_monthly_partition({month.args})").fetchone() == (month.name,)
    assert month.name in partitions(store)


def test_running_roles_sql_again_changes_nothing(store):
    before = store.query(RIGHTS)
    apply_roles(store)
    assert store.query(RIGHTS) == before
    with connect(store, "hooks_owner") as owner:
        owner_run = store.__class__(store.server, store.name)
        owner_run.url = url_as(store, owner.info.user)
        apply_roles(owner_run)
    assert store.query(RIGHTS) == before


def test_roles_sql_revokes_excess_rights(store):
    store.query("GRANT ALL ON hook_events, hooks_schema_migrations TO hooks_writer, hooks_reader")
    before = store.value("SELECT has_table_privilege('hooks_writer', 'hook_events', 'DELETE')")
    apply_roles(store)
    assert (before, store.value("SELECT has_table_privilege('hooks_writer', 'hook_events', 'DELETE')")) == (True, False)


def test_roles_sql_takes_over_objects_of_a_superuser(database):
    apply_schema(database)
    fill(database, Month(-1))
    fill(database, Month(-2))
    database.query("SELECT * FROM archive_old_partitions(1)")
    database.query("CREATE TABLE hook_events_mine (a int)")
    apply_roles(database)
    assert database.query(OWNED) == [("hook_events_mine",)]


@pytest.mark.plain_postgres("a new database has the schema already")
def test_roles_and_the_schema_can_have_other_names(database, hooksd):
    names = {"schema": "Hook store", "owner": "o'wner", "writer": 'wri"ter', "reader": "The reader"}
    database.query("DROP SCHEMA public")
    try:
        apply_roles(database, **names)
        database.url = url_as(database, "o%27wner")
        apply_schema(database)
        database.url = url_as(database, "postgres")
        apply_roles(database, **names)
        daemon = hooksd(DATABASE_URL=url_as(database, "wri%22ter"), AUTO_MIGRATE="false")
        assert daemon.post_batch([minimal()] * 3).status == 202
        daemon.stop()
        assert database.value('SELECT count(*) FROM "Hook store".hook_events') == 3
    finally:
        database.query("""DROP OWNED BY "o'wner", "wri""ter", "The reader" CASCADE; DROP ROLE "o'wner", "wri""ter", "The reader" """)


def test_public_may_not_call_functions_that_change_data(store):
    callable_by_all = store.query(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname NOT LIKE 'hooks%'"
        " AND has_function_privilege('public', oid, 'EXECUTE')")
    assert callable_by_all == [("get_partition_stats",), ("get_partition_stats",)]
    definers = store.query("SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef ORDER BY 1")
    assert definers == 2 * [("create_monthly_partition",)] + 2 * [("ensure_partitions",)]
    paths = store.query("SELECT DISTINCT proconfig[1] FROM pg_proc WHERE pronamespace = 'public'::regnamespace")
    assert paths == [("search_path=public, pg_temp",)]
