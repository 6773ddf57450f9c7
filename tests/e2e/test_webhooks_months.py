"""Months of events and attempts: created ahead of time, archived, restored, dropped, and always in UTC."""

import subprocess

import psycopg
import pytest

from harness.daemon import BUILD_DIR, clean_environment
from harness.dba import Month, apply_roles, apply_webhooks, copy_of, url_as

pytestmark = [pytest.mark.plain_postgres("checks the tables of one server"), pytest.mark.unsanitized("tests SQL only")]

ROWS = {
    "events": "INSERT INTO events (event_id, created_at, occurred_at, job_count, tenant_id, topic, payload)"
              " SELECT gen_random_uuid(), {at}, now(), 1, 'tenant-' || n % 3, 'a.b', '1' FROM generate_series(1, {rows}) AS n",
    "attempts": "INSERT INTO attempts (attempt_id, started_at, endpoint_id, duration_ms, attempt_n, status, tenant_id)"
                " SELECT gen_random_uuid(), {at}, gen_random_uuid(), n, 1, 'success', 'tenant-' || n % 3"
                " FROM generate_series(1, {rows}) AS n",
}
BOUNDS = """
SELECT relname, pg_get_expr(relpartbound, pg_class.oid) FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = %s::regclass ORDER BY 1"""


@pytest.fixture(scope="module")
def template(postgres_server):
    postgres_server.start()
    database = postgres_server.new_database()
    apply_webhooks(database)
    yield database
    postgres_server.start()
    database.drop()


@pytest.fixture
def store(template):
    with copy_of(template) as database:
        yield database


@pytest.fixture(params=sorted(ROWS))
def parent(request):
    return request.param


def fill(store, parent, month, rows=50):
    """Adds rows of the month's first and last millisecond in UTC."""
    store.query(f"SELECT create_monthly_partition('{parent}', {month.args})")
    first = f"'{month.day} 00:00:00+00'::timestamptz"
    last = f"'{month.day} 00:00:00'::timestamp + interval '1 month - 1 millisecond'"
    for at in (first, f"({last}) AT TIME ZONE 'UTC'"):
        store.query(ROWS[parent].format(at=at, rows=rows // 2))


def name_of(parent, month):
    return f"{parent}_{month.year:04}_{month.month:02}"


def stats(store, parent):
    return dict(store.query(f"SELECT partition_name, row_count FROM get_partition_stats('{parent}', true)"))


def test_months_of_webhooks_are_created_ahead(store, parent):
    assert set(stats(store, parent)) == {name_of(parent, Month(ahead)) for ahead in range(4)} | {f"{parent}_default"}
    made = store.query(f"SELECT * FROM ensure_partitions('{parent}', 5, current_date)")
    assert made == [(name_of(parent, Month(ahead)), "exists" if ahead < 4 else "created") for ahead in range(6)]
    assert store.query("SELECT * FROM ensure_partitions(5)")[-1] == (Month(5).name, "created"), "hook events' own"


def test_old_months_are_archived_restored_and_dropped(store, parent):
    for back in (2, 3, 4):
        fill(store, parent, Month(-back))
    old, older, oldest = (name_of(parent, Month(-back)) for back in (2, 3, 4))
    preview = store.query(f"SELECT partition_name, outcome FROM archive_old_partitions('{parent}', 2, true)")
    assert preview == [(oldest, "would be archived"), (older, "would be archived")]
    moved = store.query(f"SELECT partition_name, row_count, outcome FROM archive_old_partitions('{parent}', 2, false)")
    assert moved == [(oldest, 50, "archived"), (older, 50, "archived")]
    assert store.value(f"SELECT count(*) FROM {parent}") == 50

    assert store.value(f"SELECT restore_archived_partition('{parent}', {Month(-3).args})") == older
    assert stats(store, parent)[older] == 50

    with pytest.raises(psycopg.errors.InvalidParameterValue):
        store.query(f"SELECT * FROM drop_archived_partitions('{parent}', 2, 'drop months before {Month(-2).text}')")
    shown = store.query(f"SELECT partition_name, outcome FROM drop_archived_partitions('{parent}', 2, NULL)")
    assert shown == [(oldest, "would be dropped")]
    dropped = store.query(f"SELECT partition_name, row_count, outcome FROM drop_archived_partitions('{parent}', 2,"
                          f" 'drop months of {parent} before {Month(-2).text}')")
    assert dropped == [(oldest, 50, "dropped")]
    assert set(stats(store, parent)) >= {old, older}


def test_archiving_one_tables_months_leaves_the_other_tables(store):
    for table in ROWS:
        fill(store, table, Month(-3))
    store.query(f"SELECT create_monthly_partition({Month(-3).args})")
    store.query("SELECT * FROM archive_old_partitions('events', 1, false)")
    assert stats(store, "attempts")[name_of("attempts", Month(-3))] == 50
    assert store.value(f"SELECT count(*) FROM get_partition_stats() WHERE partition_name = '{Month(-3).name}'") == 1
    assert store.query(f"SELECT * FROM drop_archived_partitions(1, 'drop months before {Month(-1).text}')") == []
    assert store.value(f"SELECT count(*) FROM hooks_archive.{name_of('events', Month(-3))}") == 50


def test_rows_in_the_default_partition_move_into_a_new_month(store, parent):
    month = Month(9)
    store.query(ROWS[parent].format(at=f"'{month.text}-15'::timestamptz", rows=30))
    assert stats(store, parent)[f"{parent}_default"] == 30
    assert store.value(f"SELECT create_monthly_partition('{parent}', {month.args})") == name_of(parent, month)
    assert stats(store, parent)[name_of(parent, month)] == 30
    assert stats(store, parent)[f"{parent}_default"] == 0


def test_late_rows_join_their_archived_month(store, parent):
    fill(store, parent, Month(-3))
    store.query(f"SELECT * FROM archive_old_partitions('{parent}', 1, false)")
    fill(store, parent, Month(-3), 20)
    moved = store.query(f"SELECT row_count, outcome FROM archive_old_partitions('{parent}', 1, false)")
    assert moved == [(20, "added to the archive")]
    store.query(f"SELECT restore_archived_partition('{parent}', {Month(-3).args})")
    assert stats(store, parent)[name_of(parent, Month(-3))] == 70


@pytest.mark.parametrize("zone,style", [
    ("America/New_York", "German"), ("Asia/Kathmandu", "SQL,DMY"), ("Pacific/Kiritimati", "Postgres,MDY")])
def test_bounds_are_utc_whatever_the_time_zone_of_session_or_database(store, parent, zone, style):
    """The time zone changes between sessions that create months."""
    store.query(f"ALTER DATABASE {store.name} SET timezone = '{zone}'")
    with psycopg.connect(store.url, autocommit=True, options=f"-c datestyle={style}") as session:
        session.execute(f"SELECT create_monthly_partition('{parent}', {Month(-3).args})")
        assert session.execute(f"SELECT * FROM ensure_partitions('{parent}', 4, current_date - 1)").fetchall()
        session.execute(ROWS[parent].format(at=f"'{Month(-3).day} 00:00:00+00'::timestamptz", rows=10))
        session.execute(ROWS[parent].format(at=f"'{Month(-3).day} 00:00:00+00'::timestamptz - interval '1 ms'", rows=10))
        counts = dict(session.execute(f"SELECT partition_name, row_count FROM get_partition_stats('{parent}', true)").fetchall())
        assert (counts[name_of(parent, Month(-3))], counts[f"{parent}_default"]) == (10, 10)
        archived = session.execute(f"SELECT partition_name FROM archive_old_partitions('{parent}', 1, false)").fetchall()
        assert archived == [(name_of(parent, Month(-3)),)]
        session.execute(f"SELECT restore_archived_partition('{parent}', {Month(-3).args})")
    with psycopg.connect(store.url, autocommit=True, options="-c timezone=UTC") as session:
        bounds = [bound for _, bound in session.execute(BOUNDS, [parent]).fetchall() if bound != "DEFAULT"]
        assert len(bounds) >= 5
        assert all(bound.count("-01 00:00:00+00") == 2 for bound in bounds), bounds


def upkeep(*commands, **where):
    """Runs the calls of control's upkeep by tests/unit/db_driver. Returns the answers and the log."""
    run = subprocess.run([BUILD_DIR / "tests/unit/db_driver"], input="\n".join(["open", *commands, ""]), capture_output=True,
                         text=True, timeout=60, env=clean_environment({f"HOOKS_TEST_{name}": value for name, value in where.items()}))
    return run.stdout.splitlines()[1:], run.stderr


def test_upkeep_creates_months_ahead_with_the_role_of_control(store):
    apply_roles(store)
    answers, log = upkeep("months 5", "months 5", POSTGRES_URL=url_as(store, "hooks_control"))
    assert answers == ["0 - ", "0 - "]
    for table in ROWS:
        assert {name_of(table, Month(4)), name_of(table, Month(5))} < stats(store, table).keys()
        assert log.count(f"month={name_of(table, Month(5))} outcome=created") == 1


def test_upkeep_does_not_wait_for_a_locked_table(store):
    with store.server.connect(store.name) as other:
        other.execute("BEGIN; LOCK TABLE events IN SHARE UPDATE EXCLUSIVE MODE")
        answers, log = upkeep("months 4", POSTGRES_URL=store.url)
        assert answers == ["0 - "]
        assert "the partition of a month cannot be made now" in log and "in use by a long query" in log
        other.execute("ROLLBACK")
    assert name_of("attempts", Month(4)) in stats(store, "attempts"), "the other table has its month"
    assert name_of("events", Month(4)) not in stats(store, "events")
    assert upkeep("months 4", POSTGRES_URL=store.url)[0] == ["0 - "]
    assert name_of("events", Month(4)) in stats(store, "events")


def test_upkeep_creates_no_months_in_sqlite(tmp_path):
    answers, log = upkeep("months 5", DATA_PATH=str(tmp_path / "hookline.db"))
    assert answers == ["0 - "] and "month=" not in log


# Months beyond the retention

OLD_EVENT = """INSERT INTO events (event_id, created_at, occurred_at, job_count, tenant_id, topic)
VALUES ((lpad(to_hex(hl_ms({at})), 12, '0') || '70008000000000000000')::uuid, {at}, now(), 0, 'acme', 'a.b') RETURNING event_id"""
AN_ENDPOINT = """
INSERT INTO endpoints (tenant_id, endpoint_id, version, url, secret, headers, enabled, paused, timeout_ms, max_in_flight,
	rate_limit_rps, exact_limits, fifo, ordering, on_dead, fail_fast, keep_response, body, legacy_headers, created_at, updated_at)
VALUES ('acme', '11111111-1111-1111-1111-111111111111', 1, 'https://acme.example/', 's', '{}', true, false, 30000, 10, 100, false,
	false, 'endpoint', 'continue', true, false, 'envelope', false, hl_now(), hl_now())"""


def drop_month(store, parent="events", before="now() - interval '30 days'", role="hooks_control"):
    """Drops a month as upkeep does. Returns {month: outcome}."""
    with psycopg.connect(url_as(store, role), autocommit=True) as session:
        return dict(session.execute(f"SELECT * FROM hl_drop_month('{parent}', {before})").fetchall())


def test_the_role_of_control_can_drop_old_months_and_no_younger_ones(store, parent):
    apply_roles(store)
    for back in (5, 3, 2):
        fill(store, parent, Month(-back))
    assert drop_month(store, parent) == {name_of(parent, Month(-5)): "dropped"}, "one at a time, the oldest first"
    assert drop_month(store, parent) == {name_of(parent, Month(-3)): "dropped"}
    before = f"'{Month(-2).day} 00:00:00+00'::timestamptz + interval '1 month"
    assert drop_month(store, parent, f"{before} - 1 ms'") == {}
    assert drop_month(store, parent, f"{before}'") == {name_of(parent, Month(-2)): "dropped"}
    assert store.value(f"SELECT count(*) FROM {parent}") == 0 and len(stats(store, parent)) == 5


def test_a_month_stays_while_a_job_or_a_replay_needs_its_events(store):
    apply_roles(store)
    month = Month(-4)
    store.query(f"SELECT create_monthly_partition('events', {month.args})")
    event = store.value(OLD_EVENT.format(at=f"'{month.text}-15 00:00:00+00'::timestamptz"))
    fill(store, "events", Month(-3))
    store.query(AN_ENDPOINT)
    store.query("INSERT INTO jobs (tenant_id, endpoint_id, job_id, event_id, node_id, status)"
                " SELECT tenant_id, endpoint_id, %s, %s, 1, 'held' FROM endpoints", event, event)
    assert drop_month(store) == {name_of("events", month): "needed", name_of("events", Month(-3)): "dropped"}
    store.query("INSERT INTO dlq_events (tenant_id, event_id, job_id, topic, occurred_at) VALUES ('acme', %s, %s, '', now())", event, event)
    store.query("INSERT INTO replays (tenant_id, replay_id, status, request, created_at, updated_at)"
                " VALUES ('acme', gen_random_uuid(), 'pending', '{}', now(), now())")
    assert drop_month(store) == {name_of("events", month): "needed"}, "the replay needs it"
    store.query("UPDATE replays SET place = %s", event)
    assert drop_month(store) == {name_of("events", month): "needed"}, "a replay of other events may follow"
    store.query("UPDATE replays SET finished_at = now()")
    assert drop_month(store) == {name_of("events", month): "dropped"}


def test_a_month_in_use_is_kept_until_the_next_run_without_blocking_others(store, parent):
    fill(store, parent, Month(-4))
    with store.server.connect(store.name) as other:
        other.execute(f"BEGIN; SELECT count(*) FROM {parent}")
        assert drop_month(store, parent, role="postgres") == {name_of(parent, Month(-4)): "busy"}
        store.query(ROWS[parent].format(at="now()", rows=1))
        other.execute("ROLLBACK")
    store.query(f"CREATE VIEW theirs AS SELECT 1 FROM {name_of(parent, Month(-4))}")
    fill(store, parent, Month(-3))
    assert drop_month(store, parent, role="postgres") == {
        name_of(parent, Month(-4)): "depended_on", name_of(parent, Month(-3)): "dropped"}
    assert stats(store, parent)[name_of(parent, Month(-4))] == 50, "the month is still attached"


@pytest.mark.parametrize("zone,style", [("America/New_York", "German"), ("Pacific/Kiritimati", "SQL,DMY")])
def test_the_right_month_is_dropped_whatever_the_time_zone(store, parent, zone, style):
    """The time zone changes between the creation of a month and its end."""
    fill(store, parent, Month(-4))
    fill(store, parent, Month(-3))
    store.query(f"ALTER DATABASE {store.name} SET timezone = '{zone}'")
    store.query(f"ALTER DATABASE {store.name} SET datestyle = '{style}'")
    ends = f"timestamptz '{Month(-3).day} 00:00:00+00'"
    assert drop_month(store, parent, f"{ends} - interval '1 ms'", "postgres") == {}
    assert drop_month(store, parent, ends, "postgres") == {name_of(parent, Month(-4)): "dropped"}
    assert stats(store, parent)[name_of(parent, Month(-3))] == 50


def test_only_control_can_drop_months_and_only_of_these_tables(store):
    apply_roles(store)
    store.query(f"SELECT create_monthly_partition({Month(-4).args})")
    for parent in ("hook_events", "jobs"):
        with pytest.raises(psycopg.errors.WrongObjectType):
            drop_month(store, parent)
    for role in ("hooks_publisher", "hooks_writer", "hooks_reader"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            drop_month(store, role=role)
    with psycopg.connect(store.url) as session:
        session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with pytest.raises(psycopg.errors.InvalidTransactionState):
            session.execute("SELECT * FROM hl_drop_month('events', now())")


@pytest.mark.parametrize("table,named", [("jobs", "jobs"), ("events_default", "events_default"), ("NULL", "null")])
def test_a_table_without_months_is_refused(store, table, named):
    argument = table if table == "NULL" else f"'{table}'"
    for call in (f"create_monthly_partition({argument}, 2026, 11)", f"ensure_partitions({argument}, 1, current_date)",
                 f"get_partition_stats({argument}, true)", f"archive_old_partitions({argument}, 1, true)",
                 f"restore_archived_partition({argument}, 2026, 11)", f"drop_archived_partitions({argument}, 1, NULL)"):
        with pytest.raises(psycopg.errors.WrongObjectType, match=f"{named} is not partitioned by the range of one column"):
            store.query(f"SELECT * FROM {call}")
