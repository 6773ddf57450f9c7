"""Upgrades from every version of the schema to the newest, with existing events; and refusals with the fix."""

import pytest

from harness.daemon import run_program
from harness.dba import NEWEST, SCHEMA, VERSIONS, Month, apply_roles, apply_schema, fill, partitions, url_as
from harness.events import differences, expected, minimal, random_events

pytestmark = pytest.mark.plain_postgres("begins with older versions of the schema")

OLDER = range(1, NEWEST)
EVERYTHING = "SELECT md5(string_agg(row::text, ' ' ORDER BY event_id)) FROM hook_events AS row"
VERSION = "SELECT max(version) FROM hooks_schema_migrations"
# The schema in a comparable form. An upgraded database must have the schema of a new one.
SHAPE = """
SELECT format('%s.%s %s %s %s', attrelid::regclass, attname, atttypid::regtype, attnotnull, pg_get_expr(adbin, adrelid))
FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT relispartition AND relkind IN ('r', 'p')
UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename !~ '_[0-9]{4}_'
UNION ALL SELECT pg_get_functiondef(oid) || coalesce(proacl::text, '') FROM pg_proc WHERE pronamespace = 'public'::regnamespace
ORDER BY 1"""


@pytest.fixture
def database(empty_database):
    """A database without tables, because these tests run the migrations."""
    return empty_database


def migrate(database, role="postgres"):
    return run_program("hooksctl", "migrate", options={"DATABASE_URL": url_as(database, role)})


@pytest.fixture(params=OLDER)
def old_store(database, request):
    """A database at an older version, with events in two months and in the default partition."""
    apply_schema(database, upto=request.param)
    fill(database, Month(0), 200)
    fill(database, Month(-2), 200)
    database.query("INSERT INTO hook_events (event_id, timestamp, created_date, event_type, session_id)"
                   " VALUES (gen_random_uuid(), '1999-06-15', '1999-06-15', 'a', 's')")
    database.old_version = request.param
    return database


def test_hooksctl_upgrades_a_database_with_events(old_store):
    before = old_store.value(EVERYTHING)
    result = migrate(old_store)
    assert result.returncode == 0, result.stderr
    missing = NEWEST - old_store.old_version
    assert f"applied {missing} migration" in result.stdout
    assert old_store.value(VERSION) == NEWEST
    assert old_store.value(EVERYTHING) == before
    assert "nothing to do" in migrate(old_store).stdout
    assert len(old_store.query("SELECT * FROM archive_old_partitions(1)")) == 1
    old_store.query(f"SELECT restore_archived_partition({Month(-2).args})")
    assert old_store.value(EVERYTHING) == before


def test_hooksd_upgrades_the_database_at_start_also_on_many_nodes_at_once(old_store, make_hooksd):
    before = old_store.value(EVERYTHING)
    replicas = [make_hooksd(old_store, WRITERS=2) for _ in range(3)]
    for replica in replicas:
        replica.spawn()
    for number, replica in enumerate(replicas):
        replica.port = int(replica.wait_for_log(replica.ready_pattern).group(1))
        replica.wait_store_ready()
        assert replica.metrics()["storage_errors_total"] == 0
    assert old_store.value(VERSION) == NEWEST
    assert old_store.value(EVERYTHING) == before
    events = random_events(60, sessions=3, seed=30)
    for replica, stream in zip(replicas, events):
        assert replica.post_batch(stream).status == 202
    stored = [event for event in old_store.events() if "position" in event["data"]]
    assert differences([expected(event) for stream in events for event in stream], stored) == []
    assert old_store.count() == 401 + 60


def test_an_upgraded_schema_equals_a_new_one(old_store, postgres):
    assert migrate(old_store).returncode == 0
    fresh = postgres.new_database()
    try:
        assert migrate(fresh).returncode == 0
        assert old_store.query(SHAPE) == fresh.query(SHAPE)
    finally:
        fresh.drop()


def test_hooksd_waits_for_an_upgrade_that_it_may_not_make(old_store, hooksd):
    apply_roles(old_store)
    waiting = [hooksd(DATABASE_URL=url_as(old_store, "hooks_writer"), store_ready=False, AUTO_MIGRATE=auto) for auto in ("false", "true")]
    for daemon in waiting:
        daemon.wait_for_log("hooksctl migrate")
        assert daemon.get("/readyz").status == 503
        assert daemon.post_event(minimal()).status == 503
    result = migrate(old_store, "hooks_owner")
    assert result.returncode == 0, result.stderr
    apply_roles(old_store)
    for daemon in waiting:
        daemon.wait_store_ready()
        assert daemon.post_event(minimal()).status == 202
    assert old_store.count() == 403


@pytest.fixture
def newer_store(database):
    apply_schema(database)
    database.query("INSERT INTO hooks_schema_migrations (version, name) VALUES (%s, 'of_the_future')", NEWEST + 7)
    return database


@pytest.mark.parametrize("auto_migrate", ["true", "false"])
def test_hooksd_refuses_a_newer_database(newer_store, hooksd, auto_migrate):
    daemon = hooksd(newer_store, store_ready=False, AUTO_MIGRATE=auto_migrate)
    daemon.wait_for_log(rf"database schema is at version {NEWEST + 7}, this program knows versions up to {NEWEST}: install the newer one")
    assert daemon.get("/readyz").status == 503
    reply = daemon.post_event(minimal())
    assert reply.status == 503
    assert int(reply.headers["Retry-After"]) > 0
    assert daemon.get("/health").json()["status"] == "degraded"
    assert newer_store.count() == 0
    newer_store.query("DELETE FROM hooks_schema_migrations WHERE name = 'of_the_future'")
    daemon.wait_store_ready()
    assert daemon.post_event(minimal()).status == 202


def test_hooksctl_refuses_a_newer_database(newer_store):
    result = migrate(newer_store)
    assert result.returncode == 1
    assert f"version {NEWEST + 7}" in result.stderr
    assert "install the newer one" in result.stderr
    assert newer_store.value(VERSION) == NEWEST + 7


@pytest.mark.parametrize("version", range(2, NEWEST + 1))
def test_psql_refuses_an_upgrade_of_an_empty_database(database, version):
    result = database.psql("-f", VERSIONS[version])
    assert result.returncode != 0
    assert "apply 001_hook_events.sql first" in result.stderr
    assert database.query("SELECT relname FROM pg_class WHERE relname LIKE 'hook%'") == []


def test_psql_refuses_to_skip_a_version(database):
    apply_schema(database, upto=NEWEST - 2)
    result = database.psql("-f", VERSIONS[NEWEST])
    assert result.returncode != 0
    assert f"migration {NEWEST - 1} is missing: apply {VERSIONS[NEWEST - 1].name} first" in result.stderr
    assert database.value(VERSION) == NEWEST - 2


def test_an_upgrade_stays_in_its_schema(database):
    """This includes a search_path that now begins with another schema."""
    database.query("CREATE SCHEMA events")
    apply_schema(database, upto=1, schema="events")
    database.query("CREATE SCHEMA in_front")
    for version in OLDER:
        result = database.psql("-c", "SET search_path = in_front, events", "-f", VERSIONS[version + 1])
        assert result.returncode == 0, result.stderr
    places = database.query("SELECT DISTINCT relnamespace::regnamespace::text FROM pg_class WHERE relname LIKE 'hook%'"
                            " UNION SELECT DISTINCT pronamespace::regnamespace::text FROM pg_proc WHERE proname LIKE 'hooks%'")
    assert places == [("events",)]
    database.query(f"SELECT events.create_monthly_partition({Month(9).args})")
    assert database.query("SELECT * FROM events.archive_old_partitions(0)") == []


LAST_OBJECT = {2: "FUNCTION drop_analytics_indexes(year int, month int)", 3: "FUNCTION hooks_distribute(shards int)",
               4: "FUNCTION drop_archived_partitions(parent regclass, months_to_keep int, confirm text)",
               5: "FUNCTION hooks_distribute_events(shards int)", 6: "TABLE hook_event_log"}


def test_a_migration_that_fails_leaves_the_old_version(old_store):
    """The upgrade's last object cannot be created. Then no object of it stays, and the next attempt works."""
    last = LAST_OBJECT[old_store.old_version + 1]
    objects = ("SELECT (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace)"
               " + (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace)")
    old_store.query(f"CREATE {last} {'()' if last.startswith('TABLE') else 'RETURNS int LANGUAGE sql AS $$SELECT 1$$'}")
    before = old_store.value(objects)
    result = migrate(old_store)
    assert result.returncode == 1
    assert last.split()[1].partition("(")[0] in result.stderr
    assert old_store.value(VERSION) == old_store.old_version
    assert old_store.value(objects) == before
    old_store.query(f"DROP {last}")
    assert migrate(old_store).returncode == 0
    assert sum(partitions(old_store).values()) == 401


def test_every_migration_is_built_in():
    assert (SCHEMA / "meson.build").read_text().count("'postgres/") == NEWEST
