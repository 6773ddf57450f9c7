"""Partitions of months: created ahead of time and for late events. Events are kept while one cannot be created."""

import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.clock import WallClock
from harness.events import minimal, now
from harness.metrics import metrics
from harness.postgres import PARTITION
from harness.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.unsanitized("tests SQL only")

DEFAULT = "hook_events_default"


def month(offset):
    """(year, month) of the month so many months from the current one."""
    number = now().year * 12 + now().month - 1 + offset
    return number // 12, number % 12 + 1


def name(offset):
    return "hook_events_%04d_%02d" % month(offset)


def event_of(offset, **fields):
    """An event in that month with a new id."""
    return minimal(event_id=str(uuid.uuid4()), timestamp="%04d-%02d-15T12:00:00Z" % month(offset), **fields)


def partitions(database):
    """The names of the months' partitions in order."""
    return [row[0] for row in database.query(
        "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
        f" WHERE inhparent = 'hook_events'::regclass AND relname <> '{DEFAULT}' ORDER BY 1")]


def places(database):
    """{partition: number of events}."""
    return dict(database.query(f"SELECT {PARTITION}, count(*) FROM hook_events GROUP BY 1"))


def post(daemon, events):
    reply = daemon.post_batch(events)
    assert reply.status == 202, reply


# Ahead of time


@pytest.mark.parametrize("ahead", [0, 5])
def test_as_many_months_as_configured_are_created_ahead(database, hooksd, ahead):
    daemon = hooksd(database, PARTITIONS_AHEAD=ahead)
    made = max(ahead, 3)  # the migration creates three
    assert partitions(database) == [name(offset) for offset in range(made + 1)]
    assert metrics(daemon)["partitions_ahead"] == made
    assert metrics(daemon)["default_partition_rows"] == 0


def test_missing_months_are_created_at_start(database, hooksd):
    daemon = hooksd(database)
    daemon.stop()
    for offset in (0, 1, 3):
        database.query(f"DROP TABLE {name(offset)}")
    daemon.start()
    assert partitions(database) == [name(offset) for offset in range(4)]


def test_many_processes_can_create_months_at_once(database, make_hooksd):
    """Each month is created once, without an error, and no start is delayed."""
    daemons = [make_hooksd(database, WRITERS=3, ACCEPTORS=1, PARTITIONS_AHEAD=20) for _ in range(3)]
    for daemon in daemons:
        daemon.spawn()
    for daemon in daemons:
        daemon.port = int(daemon.wait_for_log(daemon.ready_pattern).group(1))
        daemon.wait_store_ready()
    wait_until(lambda: len(partitions(database)) == 21, "all months")
    for daemon in daemons:
        assert metrics(daemon)["storage_errors_total"] == 0
        assert "cannot" not in daemon.log()


def test_a_partition_with_another_name_counts_as_the_month(database, hooksd):
    """A DBA may use other ranges than months."""
    daemon = hooksd(database)
    daemon.stop()
    database.query(f"DROP TABLE {name(2)}, {name(3)}")
    database.query(
        "CREATE TABLE quarter PARTITION OF hook_events FOR VALUES FROM ('%d-%02d-01') TO ('%d-%02d-01')"
        % (*month(2), *month(5))
    )
    daemon.start()
    assert partitions(database) == [name(0), name(1), "quarter"]
    assert metrics(daemon)["partitions_ahead"] == 4
    assert "cannot" not in daemon.log()


# On demand


def test_a_month_is_created_for_late_events(database, hooksd):
    daemon = hooksd(database, PARTITIONS_AHEAD=0)
    post(daemon, [event_of(offset) for offset in (-24, -7, 0, -1, -7)])
    assert places(database) == {name(-24): 1, name(-7): 2, name(-1): 1, name(0): 1}
    assert metrics(daemon)["storage_errors_total"] == 0


def test_events_outside_the_window_create_no_month(database, hooksd):
    daemon = hooksd(database, PARTITIONS_AHEAD=0)
    daemon.stop()
    database.query(f"DROP TABLE {name(1)}, {name(2)}, {name(3)}")
    daemon.start()
    post(daemon, [event_of(offset) for offset in (-25, 1, 2, -400)])
    assert places(database) == {name(1): 1, DEFAULT: 3}
    assert partitions(database) == [name(0), name(1)]


def test_writers_can_create_the_same_month_at_once(database, hooksd):
    replicas = [hooksd(database, WRITERS=3, ACCEPTORS=3) for _ in range(2)]

    def client(number):
        return replicas[number % 2].post_batch([event_of(-3 - number // 12) for _ in range(5)]).status

    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(client, range(36))) == {202}
    if DEFAULT in places(database):  # on a busy machine the lock may come too late; the next check moves the events
        replicas[0].restart()
    assert places(database) == {name(-3): 60, name(-4): 60, name(-5): 60}
    for replica in replicas:
        numbers = metrics(replica)
        assert (numbers["events_dead_lettered_total"], numbers["storage_errors_total"]) == (0, 0)


# While a month cannot be created


def test_a_long_query_delays_the_month_but_no_event(database, hooksd):
    daemon = hooksd(database, WRITERS=1)
    with database.server.connect(database.name) as dashboard:
        with dashboard.transaction():
            dashboard.execute("SELECT count(*) FROM hook_events")
            started = time.monotonic()
            post(daemon, [event_of(-2), event_of(-3), event_of(0)])
            post(daemon, [event_of(-4)])
            assert time.monotonic() - started < 3 * PATIENCE
            assert places(database) == {name(0): 1, DEFAULT: 3}
            assert len(re.findall("cannot be made now", daemon.log())) == 1
    daemon.restart()
    assert places(database) == {name(0): 1, name(-2): 1, name(-3): 1, name(-4): 1}
    assert metrics(daemon)["default_partition_rows"] == 0


def test_rows_in_the_default_partition_are_logged_with_the_fix(database, hooksd):
    daemon = hooksd(database)
    post(daemon, [event_of(-300, session_id="old") for _ in range(3)] + [event_of(-301)])
    daemon.restart()
    assert metrics(daemon)["default_partition_rows"] == 4
    fix = "SELECT create_monthly_partition(%d, %d)" % month(-300)
    assert f'events=4 fix="{fix}"' in daemon.wait_for_log("events are in the default partition.*").group(0)
    database.query(fix)
    daemon.restart()
    assert metrics(daemon)["default_partition_rows"] == 1
    assert places(database) == {name(-300): 3, DEFAULT: 1}


def test_events_outside_the_window_are_dead_letters_without_a_default_partition(database, hooksd):
    """Without a default partition events outside the window become dead letters, which wait for their month."""
    daemon = hooksd(database)
    database.query(f"DROP TABLE {DEFAULT}")
    daemon.restart()
    post(daemon, [event_of(-300), event_of(0), event_of(-2)])
    assert places(database) == {name(0): 1, name(-2): 1}
    assert metrics(daemon)["default_partition_rows"] == 0
    assert "cannot look" not in daemon.log()
    database.query("SELECT create_monthly_partition(%d, %d)" % month(-300))
    assert daemon.hooksctl("deadletter", "retry").returncode == 0
    assert places(database) == {name(0): 1, name(-2): 1, name(-300): 1}


def test_events_are_stored_without_the_right_to_create_months(database, hooksd):
    daemon = hooksd(database, WRITERS=1)
    database.query("ALTER FUNCTION ensure_partitions(int, date) RENAME TO somebody_elses")
    post(daemon, [event_of(-2)])
    post(daemon, [event_of(-3)])
    assert places(database) == {DEFAULT: 2}
    assert len(re.findall("cannot be made now.*ensure_partitions", daemon.log())) == 1
    assert metrics(daemon)["storage_errors_total"] == 0


# Partitions of a DBA


def make_own(database, bounds, name="own"):
    database.query(f"CREATE TABLE {name} PARTITION OF hook_events FOR VALUES {bounds}")


def first_day(offset):
    return "%d-%02d-01" % month(offset)


def test_a_dbas_partition_of_the_past_blocks_no_other_month(database, hooksd):
    daemon = hooksd(database, WRITERS=1)
    daemon.stop()
    make_own(database, f"FROM (MINVALUE) TO ('{first_day(-4)}')")
    daemon.start()
    post(daemon, [event_of(-5)])
    post(daemon, [event_of(-2), event_of(-24), event_of(-3)])
    assert places(database) == {"own": 2, name(-2): 1, name(-3): 1}
    assert "cannot be made" not in daemon.log()


def test_a_dbas_partition_of_the_future_counts_for_all_its_months(database, hooksd):
    daemon = hooksd(database)
    daemon.stop()
    database.query(f"DROP TABLE {name(1)}, {name(2)}, {name(3)}")
    make_own(database, f"FROM ('{first_day(1)}') TO (MAXVALUE)")
    daemon.start()
    post(daemon, [event_of(0), event_of(1), event_of(400)])
    assert places(database) == {name(0): 1, "own": 2}
    assert metrics(daemon)["partitions_ahead"] > 3
    assert "cannot be made" not in daemon.log()


def test_a_partition_that_ends_within_a_month_counts_for_it(database, hooksd):
    daemon = hooksd(database)
    daemon.stop()
    make_own(database, "FROM ('%d-%02d-20') TO ('%d-%02d-10')" % (*month(-4), *month(-2)))
    daemon.start()
    post(daemon, [event_of(-3), event_of(-2), event_of(-5)])
    assert places(database) == {"own": 1, DEFAULT: 1, name(-5): 1}
    assert "cannot be made" not in daemon.log()


def test_a_partition_that_a_dba_adds_at_run_time_counts(database, hooksd):
    daemon = hooksd(database, WRITERS=1)
    make_own(database, f"FROM ('{first_day(-6)}') TO ('{first_day(-3)}')")
    post(daemon, [event_of(-4), event_of(-7)])
    assert places(database) == {"own": 1, name(-7): 1}
    assert "cannot be made" not in daemon.log()


def test_a_month_that_cannot_be_created_stops_no_other(database, hooksd):
    daemon = hooksd(database, WRITERS=1)
    database.query(f"CREATE TABLE {name(-2)} ()")
    post(daemon, [event_of(-2), event_of(-3)])
    post(daemon, [event_of(-2), event_of(-4)])
    assert places(database) == {DEFAULT: 2, name(-3): 1, name(-4): 1}
    daemon.wait_for_log(f'cannot be made now month={name(-2)[-7:].replace("_", "-")} .*exists but is not the partition')
    assert len(re.findall("cannot be made", daemon.log())) == 1


# Partitions that were removed


def letters(database):
    return database.query("SELECT sqlstate FROM hook_events_dead_letters")


def test_a_dropped_month_is_created_again(database, hooksd):
    daemon = hooksd(database)
    post(daemon, [event_of(0), event_of(-2)])
    database.query(f"DROP TABLE {DEFAULT}, {name(0)}, {name(-2)}")
    for _ in range(2):
        post(daemon, [event_of(-2), event_of(0)])
    post(daemon, [event_of(1), event_of(0)])
    assert places(database) == {name(0): 3, name(-2): 2, name(1): 1}
    numbers = metrics(daemon)
    assert (letters(database), numbers["storage_errors_total"]) == ([], 0)


def test_a_month_that_another_replica_has_just_archived_is_created_again(database, hooksd):
    daemon = hooksd(database)
    post(daemon, [event_of(-4)])
    database.query(f"DROP TABLE {DEFAULT}")
    assert database.value("SELECT outcome FROM archive_old_partitions(3)") == "archived"
    post(daemon, [event_of(-4), event_of(0)])
    assert places(database) == {name(-4): 1, name(0): 1}
    assert letters(database) == []


def test_late_events_become_dead_letters_when_the_default_partition_is_dropped(database, hooksd):
    daemon = hooksd(database)
    post(daemon, [event_of(-300)])
    database.query(f"DROP TABLE {DEFAULT}")
    post(daemon, [event_of(0), event_of(-300), event_of(-2)])
    assert places(database) == {name(0): 1, name(-2): 1}
    assert letters(database) == [("23514",)]


def without_months(database):
    """hooksd may not create months here, and the current month was dropped."""
    database.query("ALTER FUNCTION ensure_partitions(int, date) RENAME TO somebody_elses")
    database.query(f"DROP TABLE {DEFAULT}, {name(0)}")


def test_events_wait_in_the_spool_while_their_month_cannot_be_created_again(database, hooksd):
    """All current events would fail alike, so they become no dead letters, which would count as stored."""
    daemon = hooksd(database, WRITERS=1, SPOOL_AFTER_MS=0)
    post(daemon, [event_of(0)])
    without_months(database)
    assert daemon.post_batch([event_of(0), event_of(0)]).headers["X-Hooks-Ack"] == "spooled"
    daemon.wait_for_log(r"the store is unavailable .*no partition for \d{4}-\d\d, and none can be made: .*ensure_partitions")
    assert daemon.get("/health").json()["status"] == "degraded"
    database.query("ALTER FUNCTION somebody_elses(int, date) RENAME TO ensure_partitions")
    daemon.wait_spool_empty()
    assert places(database) == {name(0): 2}
    assert letters(database) == []


def test_the_service_is_not_ready_without_a_partition_for_current_events(database, hooksd):
    daemon = hooksd(database)
    daemon.stop()
    without_months(database)
    daemon.start(store_ready=False)
    daemon.wait_for_log("the store is unavailable .*none can be made")
    assert daemon.get("/readyz").status == 503
    database.query("ALTER FUNCTION somebody_elses(int, date) RENAME TO ensure_partitions")
    daemon.wait_store_ready()
    post(daemon, [event_of(0)])


@pytest.mark.parametrize("offset", [0, -2])
def test_events_of_a_detached_month_are_kept(database, hooksd, offset):
    """
    The detached table blocks a new partition of its name. Late events of the month become dead letters. For current
    events the DBA must act.
    """
    daemon = hooksd(database, WRITERS=1, SPOOL_AFTER_MS=0)
    post(daemon, [event_of(offset), event_of(-3)])
    database.query(f"DROP TABLE {DEFAULT}")
    database.query(f"ALTER TABLE hook_events DETACH PARTITION {name(offset)}")
    reply = daemon.post_batch([event_of(offset), event_of(-3)])
    if offset == 0:
        assert reply.headers["X-Hooks-Ack"] == "spooled"
        daemon.wait_for_log("the store is unavailable .*exists but is not the partition")
        database.query(f"DROP TABLE {name(offset)}")
        daemon.wait_spool_empty()
        assert places(database) == {name(0): 1, name(-3): 2}
        assert letters(database) == []
    else:
        assert reply.headers["X-Hooks-Ack"] == "stored"
        assert places(database) == {name(-3): 2}
        assert letters(database) == [("23514",)]


@pytest.mark.unsanitized("a sanitizer's library must be loaded first")
def test_a_clock_before_this_release_creates_no_months(database, make_hooksd, tmp_path):
    """A machine that has just started may have a clock in 1970."""
    hooksd = make_hooksd(database)
    hooksd.start().stop()
    database.query(f"DROP TABLE {name(0)}, {name(3)}")
    made = partitions(database)
    clock = WallClock(tmp_path / "clock")
    clock.set(-20 * 365 * 86400)
    hooksd.options |= clock.environment()
    hooksd.start()
    hooksd.wait_for_log("cannot be made now .*the clock of this machine is behind the day of this release")
    post(hooksd, [minimal(), event_of(0)])
    assert partitions(database) == made
    assert places(database) == {DEFAULT: 2}
    clock.set(0)
    hooksd.restart()
    assert partitions(database) == [name(offset) for offset in range(4)]


def test_metrics_of_months_exist_only_with_postgresql(hooksd):
    assert "default_partition_rows" not in metrics(hooksd())
