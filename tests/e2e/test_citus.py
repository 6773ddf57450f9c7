"""The schema on Citus: functions with Citus' names record the schema's calls (citus_stand_in.sql)."""

import psycopg
import pytest

from harness.citus import STAND_IN
from harness.dba import Month, add_event, apply_roles, apply_schema, copy_of, fill, partitions, url_as

pytestmark = [pytest.mark.plain_postgres("brings a stand-in for Citus"), pytest.mark.unsanitized("tests SQL only")]

CACHED = "citus.max_cached_conns_per_worker"


@pytest.fixture
def database(empty_database):
    """A database without tables, for tests that install the schema and the stand-in themselves."""
    return empty_database


def distribute(database, args=""):
    return database.query(f"SELECT * FROM hooks_distribute({args})")


def calls(database):
    """The calls of Citus' functions since the last call of calls()."""
    return [row[0] for row in database.query("WITH seen AS (DELETE FROM citus.calls RETURNING *) SELECT call FROM seen ORDER BY number")]


@pytest.fixture(scope="module")
def template(postgres_server):
    """Three past months with 50 events each, all distributed."""
    postgres_server.start()
    database = postgres_server.new_database()
    apply_schema(database)
    for back in (1, 2, 3):
        fill(database, Month(-back))
    assert database.psql("-f", STAND_IN).returncode == 0
    distribute(database, "4")
    calls(database)
    yield database
    postgres_server.start()
    database.drop()


@pytest.fixture
def store(template):
    with copy_of(template) as database:
        yield database


@pytest.fixture
def empty_store(database):
    """A database with the schema and the stand-in, without distributed tables."""
    apply_schema(database)
    assert database.psql("-f", STAND_IN).returncode == 0
    return database


# hooks_distribute


def test_hooks_distribute_without_citus_says_what_is_missing(database):
    apply_schema(database)
    with pytest.raises(psycopg.Error) as caught:
        distribute(database)
    assert caught.value.diag.sqlstate == "0A000"
    assert f"Citus is not installed in the database {database.name}" in caught.value.diag.message_primary
    assert "CREATE EXTENSION citus" in caught.value.diag.message_hint


def test_hooks_distribute_prepares_all_that_hooksd_uses(empty_store):
    setting = f"ALTER DATABASE {empty_store.name} SET {CACHED} = 2"
    told = distribute(empty_store)
    functions = empty_store.value(
        "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname !~ 'archive|analytics_indexes'"
        " OR proname IN ('hooks_add_to_archive', 'hooks_archive_months', 'hooks_archived', 'hooks_analytics_indexes')")
    assert told == [
        ("hooks_schema_migrations", "a reference table now"),
        ("hook_events_dead_letters", "known to all nodes now"),
        ("hook_events", "distributed now, 4 shards on 2 nodes"),
        ("functions", f"{functions} on all nodes"),
        (CACHED, setting)]
    asked = calls(empty_store)
    assert asked[:4] == [
        "create_reference_table hooks_schema_migrations",
        "citus_add_local_table_to_metadata hook_events_dead_letters",
        "create_distributed_table hook_events by event_id with default, 4 shards, 0 rows",
        "truncate_local_data_after_distributing_table hook_events"]
    made = asked[4:]
    assert sum(call.startswith("create_distributed_function ") for call in made) == functions
    for name in ("ensure_partitions(integer,date)", "create_monthly_partition(integer,integer)", "hooks_distribute(integer)",
                 "hooks_distribute_events(integer)", "ensure_partitions(regclass,integer,date)",
                 "create_monthly_partition(regclass,integer,integer)"):
        # Citus creates a distributed function on the workers with EXECUTE for everybody.
        assert made[made.index(f"create_distributed_function {name}") + 1] == "REVOKE"
    assert len(made) == functions + 6
    empty_store.hang_up()
    assert empty_store.value(f"SHOW {CACHED}") == "2"

    again = distribute(empty_store, "32")
    assert again == [
        ("hooks_schema_migrations", "exists"), ("hook_events_dead_letters", "exists"),
        ("hook_events", "exists, 4 shards on 2 nodes"), ("functions", f"{functions} on all nodes"), (CACHED, "exists")]
    assert {call.split()[0] for call in calls(empty_store)} == {"create_distributed_function", "REVOKE"}


def test_hooks_distribute_keeps_earlier_settings_and_distributed_tables(empty_store):
    empty_store.query(f"ALTER DATABASE {empty_store.name} SET {CACHED} = 7")
    empty_store.query("SELECT create_reference_table('hooks_schema_migrations')")
    told = dict(distribute(empty_store, "6"))
    assert (told["hooks_schema_migrations"], told[CACHED]) == ("exists", "exists")
    assert told["hook_events"] == "distributed now, 6 shards on 2 nodes"
    assert empty_store.value(f"SHOW {CACHED}") == "7"


def test_hooks_distribute_locks_out_writers_while_it_copies_events(empty_store):
    with empty_store.server.connect(empty_store.name) as session, session.transaction():
        session.execute("SELECT hooks_distribute()")
        unlocked = session.execute(
            "SELECT relid FROM pg_partition_tree('hook_events') WHERE NOT EXISTS (SELECT FROM pg_locks"
            " WHERE relation = relid AND mode = 'AccessExclusiveLock' AND pid = pg_backend_pid())").fetchall()
    assert unlocked == []


@pytest.mark.parametrize("shards", [0, -1, 32001])
def test_an_impossible_number_of_shards_is_refused(empty_store, shards):
    with pytest.raises(psycopg.Error, match=f"shards must be between 1 and 32000, not {shards}") as caught:
        distribute(empty_store, shards)
    assert caught.value.diag.sqlstate == "22023"
    assert calls(empty_store) == []


def test_the_owner_role_can_distribute_and_gets_the_statement_for_the_databases_owner(empty_store):
    apply_roles(empty_store)
    with psycopg.connect(url_as(empty_store, "hooks_owner"), autocommit=True) as owner:
        told = dict(owner.execute("SELECT * FROM hooks_distribute()").fetchall())
    assert told["hook_events"] == "distributed now, 4 shards on 2 nodes"
    assert told[CACHED] == f"ALTER DATABASE {empty_store.name} SET {CACHED} = 2; -- for the owner of the database to say"
    with psycopg.connect(url_as(empty_store, "hooks_writer"), autocommit=True) as writer:
        month = Month(-7)
        assert writer.execute(f"SELECT * FROM ensure_partitions(0, '{month.day}')").fetchall() == [(month.name, "created")]
    with psycopg.connect(url_as(empty_store, "hooks_reader"), autocommit=True) as reader:
        assert reader.execute("SELECT bool_and(total_bytes > 1000000) FROM get_partition_stats()").fetchone() == (True,)


# Months


@pytest.mark.parametrize("make", ["SELECT create_monthly_partition({0.args})", "SELECT * FROM ensure_partitions(0, '{0.day}')"])
def test_a_month_is_distributed_before_it_gets_events(store, make):
    """Then no copy of the events stays on the coordinator, and none is made while others wait."""
    month = Month(-9)
    for _ in range(5):
        add_event(store, month)
    store.query(make.format(month))
    assert calls(store) == [f"create_distributed_table {month.name} by event_id with hook_events, 4 shards, 0 rows"]
    counts = partitions(store)
    assert (counts[month.name], counts["hook_events_default"]) == (5, 0)


def test_sizes_and_counts_cover_all_nodes(store):
    for exact in ("true", "false"):
        rows = store.query(
            "SELECT partition_name, row_count, total_bytes - 1000000 = pg_total_relation_size(partition_name::regclass),"
            f" index_bytes = pg_indexes_size(partition_name::regclass) FROM get_partition_stats({exact})")
        assert rows[:3] == [(Month(-back).name, 50, True, True) for back in (3, 2, 1)]
        assert all(row[2:] == (True, True) for row in rows)
    assert store.value("SELECT min(total_bytes) > 1000000 FROM archive_old_partitions(0, true)")


def test_archived_months_stay_distributed(store):
    """The first time, when the archive's schema does not exist yet, and later with late events."""
    old = Month(-3)
    assert len(store.query("SELECT * FROM archive_old_partitions(1)")) == 2
    store.query(f"SELECT create_monthly_partition({old.args})")
    add_event(store, old)
    rows = store.query("SELECT partition_name, row_count, total_bytes > 1000000, outcome FROM archive_old_partitions(1)")
    assert rows == [(old.name, 1, True, "added to the archive")]
    assert store.value(f"SELECT restore_archived_partition({old.args})") == old.name
    assert partitions(store)[old.name] == 51
    store.query("SELECT * FROM archive_old_partitions(2)")
    phrase = f"drop months before {Month(-2).text}"
    dropped = store.query(f"SELECT partition_name, row_count, total_bytes > 1000000 FROM drop_archived_partitions(2, '{phrase}')")
    assert dropped == [(old.name, 51, True)]


def test_indexes_of_distributed_months_have_no_size_on_the_coordinator(store):
    args = Month(-2).args
    for call, outcome in (("build", "built"), ("build", "exists"), ("drop", "dropped")):
        rows = store.query(f"SELECT outcome, total_size, total_bytes FROM {call}_analytics_indexes({args})")
        assert rows == [(outcome, None, None)] * 3


# Locks


def test_lock_timeouts_hold_on_workers_too(store):
    """With citus.propagate_set_commands = local Citus sends SET LOCAL to workers: for this transaction alone."""
    with store.server.connect(store.name) as session:
        with session.transaction():
            session.execute(f"SELECT create_monthly_partition({Month(-9).args})")
            assert session.execute("SHOW citus.propagate_set_commands").fetchone() == ("local",)
            assert session.execute("SHOW lock_timeout").fetchone() == ("0",)
        assert session.execute("SHOW citus.propagate_set_commands").fetchone() != ("local",)


def test_a_lock_timeout_names_a_reader_on_another_node(store):
    with store.server.connect(store.name) as reader, reader.transaction():
        reader.execute("SELECT count(*) FROM hook_events")
        with pytest.raises(psycopg.errors.LockNotAvailable) as caught:
            store.query("SELECT hooks_lock(ARRAY['hook_events', 'hook_events_default']::regclass[], 'ACCESS EXCLUSIVE', '1s')")
        who = f"pid {reader.info.backend_pid} of postgres since"
        assert caught.value.diag.message_detail.count(who) == 2
        assert " on worker-1:5432" in caught.value.diag.message_detail


def test_sessions_on_workers_of_the_own_session_are_no_lock_holders(store):
    with store.server.connect(store.name) as reader, reader.transaction(), store.server.connect(store.name) as session:
        own = session.execute("SELECT citus_backend_gpid()").fetchone()[0]
        reader.execute(f"SET LOCAL application_name = 'citus_internal gpid={own}'")
        reader.execute("SELECT count(*) FROM hook_events")
        holders = session.execute("SELECT who FROM hooks_lock_holders(ARRAY['hook_events'::regclass], 'ACCESS EXCLUSIVE')").fetchall()
    assert len(holders) == 1 and "worker-1" not in holders[0][0]
