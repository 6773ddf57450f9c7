"""The functions for DBAs: they create, archive, restore, drop and index months while events arrive."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from harness.dba import Month, add_event, apply_schema, copy_of, fill, partitions
from harness.events import differences, expected, random_events
from harness.load import Load
from harness.waiting import wait_until

pytestmark = pytest.mark.unsanitized("tests SQL only")

EVERYTHING = "SELECT md5(string_agg(row::text, ' ' ORDER BY event_id)) FROM {} AS row"
LOCKED = "SELECT count(*) FROM pg_locks WHERE relation = 'hook_events'::regclass AND mode = 'AccessExclusiveLock'"


@pytest.fixture(scope="module")
def template(postgres_server):
    postgres_server.start()
    database = postgres_server.new_database()
    apply_schema(database)
    yield database
    postgres_server.start()
    database.drop()


@pytest.fixture(scope="module")
def months():
    return {back: Month(-back) for back in range(1, 7)}


@pytest.fixture(scope="module")
def past_template(template, months):
    with copy_of(template) as database:
        for month in months.values():
            fill(database, month)
        yield database


@pytest.fixture
def store(template, request):
    """A database with the schema, and with the events of the fixture `past` if a test uses that too."""
    if "past" in request.fixturenames:
        template = request.getfixturevalue("past_template")
    with copy_of(template) as database:
        yield database


@pytest.fixture
def past(months):
    """The six months before the current one, with 50 events each."""
    return months


@pytest.fixture
def session(store):
    """A second session with an open transaction."""
    with store.server.connect(store.name) as connection:
        connection.autocommit = False
        yield connection
        connection.rollback()


def refusal(database, sql):
    """Runs a statement that must fail, and returns its error."""
    with pytest.raises(psycopg.Error) as caught:
        database.query(sql)
    return caught.value.diag


def archived_tables(database):
    return {row[0] for row in database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'hooks_archive'")}


# create_monthly_partition, ensure_partitions


@pytest.mark.parametrize("args,told", [
    ("2027, 0", "month must be between 1 and 12, not 0"),
    ("2027, 13", "month must be between 1 and 12, not 13"),
    ("2027, NULL", "month must be between 1 and 12, not null"),
    ("0, 1", "year must be between 1 and 9999, not 0"),
    ("10000, 1", "year must be between 1 and 9999, not 10000"),
])
def test_an_impossible_month_is_refused(store, args, told):
    diag = refusal(store, f"SELECT create_monthly_partition({args})")
    assert (diag.sqlstate, diag.message_primary) == ("22023", told)


def test_many_sessions_can_create_the_same_month_at_once(store):
    month = Month(7)
    results = []

    def call():
        results.append(store.value(f"SELECT create_monthly_partition({month.args})"))

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == [month.name] * 8


def test_a_month_gets_its_events_indexes_and_privileges(store):
    store.query("ALTER TABLE hook_events ADD COLUMN tool text GENERATED ALWAYS AS (data->>'tool_name') STORED")
    store.query("GRANT SELECT ON hook_events TO PUBLIC")
    month, other = Month(-40), Month(-41)
    for event_month in (month, month, other):
        add_event(store, event_month)
    assert partitions(store)["hook_events_default"] == 3
    assert store.value(f"SELECT create_monthly_partition({month.args})") == month.name
    counts = partitions(store)
    assert (counts[month.name], counts["hook_events_default"]) == (2, 1)
    assert store.value("SELECT count(*) FROM pg_indexes WHERE tablename = %s", month.name) == 3
    assert store.value("SELECT has_table_privilege('public', %s, 'SELECT')", month.name)
    assert store.value("SELECT count(*) FROM pg_constraint WHERE conname = 'hooks_month'") == 0


def test_a_table_of_that_name_is_left_alone(store):
    month = Month(9)
    store.query(f"CREATE TABLE {month.name} (mine int)")
    diag = refusal(store, f"SELECT create_monthly_partition({month.args})")
    assert diag.sqlstate == "42P07"
    assert "attach, rename or drop it" in diag.message_primary


def test_ensure_partitions_reports_the_outcome_for_each_month(store, session):
    day = f"'{Month(20).day}'"
    assert [row[1] for row in store.query(f"SELECT * FROM ensure_partitions(1, {day})")] == ["created", "created"]
    assert [row[1] for row in store.query(f"SELECT * FROM ensure_partitions(1, {day})")] == ["exists", "exists"]
    session.execute("SELECT count(*) FROM hook_events")
    assert [row[1] for row in store.query(f"SELECT * FROM ensure_partitions(3, {day})")] == ["exists", "exists", "busy"]
    session.rollback()
    month = Month(30)
    store.query(
        "INSERT INTO hook_events_default (event_id, timestamp, created_date, event_type, session_id)"
        " SELECT gen_random_uuid(), now(), %s, 'a', 's' FROM generate_series(0, 100000)", month.day)
    assert store.query(f"SELECT * FROM ensure_partitions(0, '{month.day}')") == [(month.name, "crowded")]
    assert partitions(store)["hook_events_default"] == 100001
    store.query(f"SELECT create_monthly_partition({month.args})")
    assert partitions(store)[month.name] == 100001


# get_partition_stats


def test_partition_stats_are_right_just_after_a_load(past, store):
    rows = store.query("SELECT * FROM get_partition_stats()")
    columns = store.value("SELECT array(SELECT json_object_keys(row_to_json(stats))) FROM get_partition_stats() AS stats LIMIT 1")
    assert columns[:4] == ["partition_name", "row_count", "total_size", "index_size"]
    assert columns[6:] == ["range_from", "range_to"]
    assert [row[0] for row in rows[:6]] == [past[back].name for back in range(6, 0, -1)]
    assert rows[-1][0] == "hook_events_default"
    assert rows[-1][6:] == (None, None)
    name, count, total, index, total_bytes, index_bytes, first, last = rows[5]
    assert (count, str(first), str(last)) == (50, past[1].day, Month(0).day)
    assert 0 < index_bytes < total_bytes
    assert total.endswith("kB") and index.endswith("kB")


@pytest.mark.plain_postgres("rows on other nodes are counted")
def test_estimated_partition_stats_read_no_rows(past, store):
    def estimates():
        return dict(store.query("SELECT partition_name, row_count FROM get_partition_stats(false)"))

    assert estimates()[past[1].name] is None
    assert estimates()["hook_events_default"] == 0
    store.query("ANALYZE hook_events")
    assert estimates()[past[1].name] == 50


# archive_old_partitions


def test_a_dry_run_of_the_archive_changes_nothing(past, store):
    before = partitions(store)
    rows = store.query("SELECT partition_name, row_count, total_bytes > 0, outcome FROM archive_old_partitions(2, true)")
    assert rows == [(past[back].name, 50, True, "would be archived") for back in range(6, 2, -1)]
    assert partitions(store) == before


def test_the_archive_keeps_the_last_months(past, store):
    rows = store.query("SELECT partition_name, row_count, range_from::text, outcome FROM archive_old_partitions()")
    assert rows == [(past[back].name, 50, past[back].day, "archived") for back in range(6, 3, -1)]
    assert archived_tables(store) == {past[back].name for back in (4, 5, 6)}
    assert {past[back].name for back in (1, 2, 3)} <= partitions(store).keys()
    assert past[4].name not in partitions(store)
    assert store.count() == 150
    assert store.value(f"SELECT count(*) FROM hooks_archive.{past[6].name}") == 50
    assert store.query("SELECT * FROM archive_old_partitions()") == []


@pytest.mark.parametrize("call", [
    "archive_old_partitions(-1)", "archive_old_partitions(NULL)", "archive_old_partitions(1201)", "drop_archived_partitions(-1)",
    "drop_archived_partitions(NULL)"])
def test_months_to_keep_is_checked(past, store, call):
    diag = refusal(store, f"SELECT * FROM {call}")
    assert diag.sqlstate == "22023"
    assert "months_to_keep must be between 0 and 1200" in diag.message_primary
    assert store.count() == 300


def test_the_archive_leaves_partitions_of_other_shapes_alone(store):
    store.query("CREATE TABLE hook_events_2019_q1 PARTITION OF hook_events FOR VALUES FROM ('2019-01-01') TO ('2019-04-01')")
    store.query("CREATE TABLE hook_events_2018_01 PARTITION OF hook_events FOR VALUES FROM ('2018-01-01') TO ('2018-01-15')")
    assert store.query("SELECT * FROM archive_old_partitions(1)") == []


def test_late_events_join_the_archived_month(past, store):
    resent = store.value(f"SELECT event_id FROM {past[6].name} WHERE created_date = '{past[6].text}-15' LIMIT 1")
    store.query("SELECT * FROM archive_old_partitions(5)")
    store.query(f"SELECT create_monthly_partition({past[6].args})")
    add_event(store, past[6])
    add_event(store, past[6], resent)
    assert store.query("SELECT partition_name, row_count, outcome FROM archive_old_partitions(5)") == [
        (past[6].name, 2, "added to the archive")]
    assert store.value(f"SELECT count(*) FROM hooks_archive.{past[6].name}") == 51
    assert past[6].name not in partitions(store)


def test_a_second_archive_at_the_same_time_is_refused(past, store, session):
    session.execute("SELECT * FROM archive_old_partitions(5)")
    diag = refusal(store, "SELECT * FROM archive_old_partitions(5)")
    assert diag.sqlstate == "55P03"
    assert "under way" in diag.message_primary


def test_a_transaction_left_open_is_ended_by_the_server(past, store, session):
    session.execute("SELECT * FROM archive_old_partitions(5)")
    assert session.execute("SHOW idle_in_transaction_session_timeout").fetchone()[0] == "5s"
    session.commit()
    assert session.execute("SHOW idle_in_transaction_session_timeout").fetchone()[0] == "0"


def test_a_killed_archive_has_changed_nothing(past, store, session):
    session.execute("SELECT count(*) FROM hook_events")
    before = partitions(store)
    with store.server.connect(store.name) as victim:
        caller = threading.Thread(target=lambda: pytest.raises(psycopg.Error, victim.execute, "SELECT * FROM archive_old_partitions(5)"))
        caller.start()
        wait_until(lambda: store.value(LOCKED), "the archive to ask for its lock")
        store.query("SELECT pg_terminate_backend(%s::int)", victim.info.backend_pid)
        caller.join(30)
    session.rollback()
    assert partitions(store) == before
    assert archived_tables(store) == set()
    assert len(store.query("SELECT * FROM archive_old_partitions(5)")) == 1


class Stopwatch:
    """A writer that inserts events one by one, and the longest time of one insert."""

    def __init__(self, database):
        self.database = database
        self.longest = 0
        self.count = 0
        self.stop = False
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.stop = True
        self.thread.join(30)

    def _run(self):
        with self.database.server.connect(self.database.name) as connection:
            while not self.stop:
                begin = time.monotonic()
                connection.execute(
                    "INSERT INTO hook_events (event_id, timestamp, created_date, event_type, session_id)"
                    " VALUES (gen_random_uuid(), now(), now()::date, 'a', 's')")
                self.longest = max(self.longest, time.monotonic() - begin)
                self.count += 1


def test_the_archive_delays_others_by_one_lock_attempt_during_a_long_query(past, store, session):
    session.execute("SELECT count(*) FROM hook_events")
    with Stopwatch(store) as writer:
        assert store.query(f"SELECT * FROM ensure_partitions(0, '{Month(9).day}')") == [(Month(9).name, "busy")]
        # The lock of archive_old_partitions(), with one attempt.
        diag = refusal(store, "SELECT hooks_lock(ARRAY['hook_events', 'hook_events_default']::regclass[], 'ACCESS EXCLUSIVE', '2s')")
    assert (diag.sqlstate, diag.message_primary.split()[0]) == ("55P03", "hook_events")
    assert "nothing is changed; call again" in diag.message_primary
    assert f"In the way: pid {session.info.backend_pid} of postgres since" in diag.message_detail
    assert "pg_cancel_backend" in diag.message_hint
    assert writer.count > 50
    assert writer.longest < 1  # an attempt lasts 0.15 s; the rest is for a busy machine
    session.rollback()
    assert len(store.query("SELECT * FROM archive_old_partitions(5)")) == 1


def test_the_archive_waits_for_a_query_to_end(past, store, session):
    session.execute("SELECT count(*) FROM hook_events")
    with ThreadPoolExecutor(1) as executor:
        archive = executor.submit(store.query, "SELECT * FROM archive_old_partitions(5)")
        wait_until(lambda: store.value(LOCKED), "the archive to ask for its lock")
        wait_until(lambda: not store.value(LOCKED), "the archive to step back")
        assert not any(store.value(LOCKED) for _ in range(150)), "the archive does not ask again while the query runs"
        session.rollback()
        assert len(archive.result(30)) == 1


@pytest.mark.plain_postgres("an automatic VACUUM runs on the workers")
def test_an_automatic_vacuum_gives_way(past, store):
    """A VACUUM that would take hours holds a lock. The server cancels it after deadlock_timeout."""
    running = f"SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'autovacuum: %{past[6].name}%' AND pid <> pg_backend_pid()"
    store.query(f"ALTER TABLE {past[6].name} SET (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1,"
                " autovacuum_vacuum_insert_threshold = 40, autovacuum_vacuum_insert_scale_factor = 0)")
    fill(store, past[6], 2000)
    store.query("ALTER SYSTEM SET autovacuum_naptime = '1s'")
    try:
        store.query("SELECT pg_reload_conf()")
        wait_until(lambda: store.value(running), "an automatic VACUUM", 30)
        assert len(store.query("SELECT * FROM archive_old_partitions(5)")) == 1
    finally:
        store.query("ALTER SYSTEM RESET autovacuum_naptime")
        store.query("SELECT pg_reload_conf()")


def test_upkeep_under_load_loses_nothing_and_fails_no_request(past, store, hooksd):
    daemon = hooksd(store, WRITERS=2)
    load = Load(daemon, random_events(12000, sessions=4, seed=20), batch=25)
    with load:
        load.wait_acknowledged(500)
        store.query("SELECT * FROM archive_old_partitions(3)")
        assert load.acknowledged < 12000, "the load ended before the upkeep"
        store.query(f"SELECT create_monthly_partition({Month(12).args})")
        store.query(f"SELECT restore_archived_partition({past[5].args})")
        store.query(f"SELECT * FROM build_analytics_indexes({past[5].args})")
        store.query(f"SELECT * FROM drop_analytics_indexes({past[5].args})")
    assert (load.unavailable, load.repeated) == (0, set())
    stored = [event for event in store.events() if event["data"].get("position") is not None]
    assert differences([expected(event) for event in load.events()], stored) == []


# restore_archived_partition


def test_restore_brings_back_every_row(past, store):
    before = store.value(EVERYTHING.format("hook_events"))
    store.query("SELECT * FROM archive_old_partitions(0)")
    assert store.count() == 0
    for month in past.values():
        assert store.value(f"SELECT restore_archived_partition({month.args})") == month.name
        assert store.value(f"SELECT restore_archived_partition({month.args})") == month.name
    assert store.value(EVERYTHING.format("hook_events")) == before
    assert archived_tables(store) == set()
    assert len(store.query("SELECT * FROM archive_old_partitions(0)")) == 6


def test_restore_keeps_events_that_came_since(past, store):
    resent = store.value(f"SELECT event_id FROM {past[6].name} WHERE created_date = '{past[6].text}-15' LIMIT 1")
    store.query("SELECT * FROM archive_old_partitions(4)")
    add_event(store, past[5])
    store.query(f"SELECT create_monthly_partition({past[6].args})")
    add_event(store, past[6])
    add_event(store, past[6], resent)
    for back in (5, 6):
        store.query(f"SELECT restore_archived_partition({past[back].args})")
    counts = partitions(store)
    assert (counts[past[5].name], counts[past[6].name], counts["hook_events_default"]) == (51, 51, 0)
    assert store.count() == 302


def test_restoring_an_unarchived_month_is_an_error(past, store):
    store.query("SELECT * FROM archive_old_partitions(5)")
    diag = refusal(store, "SELECT restore_archived_partition(1999, 7)")
    assert diag.sqlstate == "42P01"
    assert f"the archive holds {past[6].name}" in diag.message_primary


# drop_archived_partitions


def test_drop_previews_first_and_needs_a_confirmation(past, store):
    store.query("SELECT * FROM archive_old_partitions(2)")
    store.query("CREATE TABLE hooks_archive.notes (mine int)")
    store.query("CREATE TABLE hooks_archive.hook_events_0000_13 (mine int)")
    preview = store.query("SELECT partition_name, row_count, outcome FROM drop_archived_partitions(4)")
    assert preview == [(past[back].name, 50, "would be dropped") for back in (6, 5)]
    phrase = f"drop months before {past[4].text}"
    for wrong in ("yes", "", phrase.upper(), f"drop months before {past[3].text}"):
        diag = refusal(store, f"SELECT * FROM drop_archived_partitions(4, '{wrong}')")
        assert diag.sqlstate == "22023"
        assert phrase in diag.message_primary
    assert len(archived_tables(store)) == 6
    dropped = store.query(f"SELECT partition_name, row_count, outcome FROM drop_archived_partitions(4, '{phrase}')")
    assert dropped == [(past[back].name, 50, "dropped") for back in (6, 5)]
    assert archived_tables(store) == {past[4].name, past[3].name, "notes", "hook_events_0000_13"}
    assert store.query(f"SELECT * FROM drop_archived_partitions(4, '{phrase}')") == []
    assert store.count() == 100


def test_drop_never_touches_attached_months(past, store):
    assert store.query(f"SELECT * FROM drop_archived_partitions(0, 'drop months before {Month(0).text}')") == []
    assert store.count() == 300


def test_the_preview_shows_the_phrase_that_confirms(past, store):
    store.query("SELECT * FROM archive_old_partitions(5)")
    result = store.psql("-c", "SELECT * FROM drop_archived_partitions(5)")
    assert f"drop_archived_partitions(5, 'drop months before {past[5].text}')" in result.stderr


# build_analytics_indexes, drop_analytics_indexes


def outcomes(database, call):
    return [row[0] for row in database.query(f"SELECT outcome FROM {call}")]


def test_analytics_indexes_stay_with_their_month(past, store):
    args = past[2].args
    assert outcomes(store, f"build_analytics_indexes({args})") == ["built"] * 3
    assert outcomes(store, f"build_analytics_indexes({args})") == ["exists"] * 3
    store.query("SELECT * FROM archive_old_partitions(1)")
    store.query(f"SELECT restore_archived_partition({args})")
    assert outcomes(store, f"drop_analytics_indexes({args})") == ["dropped"] * 3
    assert outcomes(store, f"drop_analytics_indexes({args})") == ["was not there"] * 3
    assert store.value("SELECT count(*) FROM pg_indexes WHERE tablename = %s", past[2].name) == 3


def test_the_month_of_today_is_refused_unless_forced(store):
    diag = refusal(store, f"SELECT * FROM build_analytics_indexes({Month(0).args})")
    assert diag.sqlstate == "55000"
    assert "dry_run => true) \\gexec" in diag.message_hint
    assert outcomes(store, f"build_analytics_indexes({Month(0).args}, force => true)") == ["built"] * 3


def test_a_dry_run_gives_psql_what_builds_concurrently(store, tmp_path):
    month = Month(0)
    assert outcomes(store, f"build_analytics_indexes({month.args}, dry_run => true)") == ["would be built"] * 3
    script = tmp_path / "indexes.sql"
    script.write_text(f"SELECT statement FROM build_analytics_indexes({month.args}, dry_run => true) \\gexec\n")
    assert store.psql("-f", script).returncode == 0
    assert outcomes(store, f"build_analytics_indexes({month.args}, dry_run => true)") == ["exists"] * 3


def test_an_index_whose_build_was_interrupted_is_reported(store):
    month = Month(0)
    assert outcomes(store, f"build_analytics_indexes({month.args}, force => true)") == ["built"] * 3
    store.query("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", f"{month.name}_analytics_type")
    first, *others = outcomes(store, f"build_analytics_indexes({month.args}, force => true)")
    assert "drop_analytics_indexes()" in first
    assert others == ["exists"] * 2


@pytest.mark.parametrize("call", ["build_analytics_indexes(1999, 7)", "drop_analytics_indexes(1999, 7)"])
def test_a_month_without_a_partition_is_an_error(store, call):
    diag = refusal(store, f"SELECT * FROM {call}")
    assert diag.sqlstate == "42P01"
    assert "hook_events_1999_07" in diag.message_primary
    assert "get_partition_stats()" in diag.message_hint


# All functions


@pytest.mark.plain_postgres("the table of dead letters loses its comments when Citus copies it to all nodes")
def test_every_object_has_a_comment(store):
    functions = dict(store.query("SELECT proname, obj_description(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace"))
    for name, comment in functions.items():
        assert comment, name
        internal = name.startswith("hooks_") and name != "hooks_distribute"
        assert comment.startswith("Internal: ") if internal else "Locks" in comment, name
    uncommented = store.query(
        "SELECT attrelid::regclass, attname FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid WHERE attnum > 0"
        " AND relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace AND col_description(attrelid, attnum) IS NULL")
    assert uncommented == []
