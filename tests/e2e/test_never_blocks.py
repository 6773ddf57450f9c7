"""Upkeep of months under load and beside a long query: no request fails, and no event is lost."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from harness.events import now
from harness.steady import SteadyLoad
from harness.waiting import wait_until

# Seconds after which a writer gives up on a statement and counts a storage error.
STORE_TIMEOUT = 10


@pytest.fixture
def daemon(database, hooksd):
    return hooksd(database, WRITERS=2)


@pytest.fixture
def background():
    with ThreadPoolExecutor(1) as executor:
        yield executor


def month_from_now(count):
    """A time in the middle of the month so many months from now."""
    year, month = divmod(now().year * 12 + now().month - 1 + count, 12)
    return now().replace(year=year, month=month + 1, day=15)


def partition_of(moment):
    return f"hook_events_{moment:%Y_%m}"


def create_month(database, moment):
    return database.value("SELECT create_monthly_partition(%s, %s)", moment.year, moment.month)


def months(database):
    """The names of the partitions, read from the catalogue without a lock on them."""
    return {row[0] for row in database.query("SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
                                             " WHERE inhparent = 'hook_events'::regclass")}


def in_default_partition(database):
    return database.value("SELECT count(*) FROM hook_events_default")


@contextlib.contextmanager
def long_query(database):
    """A query of all months in an open transaction during the block, as a dashboard's."""
    with database.server.connect(database.name) as connection, connection.transaction():
        connection.execute("SELECT count(*) FROM hook_events")
        yield


@contextlib.contextmanager
def steady_load(title, daemon, database):
    with SteadyLoad(daemon) as load:
        load.flow()
        yield load
        load.flow()
    load.report(title)
    assert load.longest_wait < STORE_TIMEOUT
    assert daemon.metrics()["storage_errors_total"] == 0
    archived = database.query("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'hooks_archive'")
    tables = ["hook_events", *(row[0] for row in archived)]
    stored = [row[0] for table in tables for row in database.query(f"SELECT event_id::text FROM {table}")]
    assert len(stored) == len(set(stored))
    assert set(stored) == load.acknowledged


def test_creating_months_under_load_fails_no_request(daemon, database, background):
    ahead = [month_from_now(n) for n in (6, 7, 8)]
    with steady_load("creating months", daemon, database) as load:
        load.moments = [now(), *ahead]  # too far ahead: these events go to the default partition
        load.flow()
        assert in_default_partition(database) > 0
        for moment in ahead[:2]:
            assert create_month(database, moment) == partition_of(moment)
            load.flow()
        with long_query(database):
            creation = background.submit(create_month, database, ahead[2])
            load.flow(5000)
            assert not creation.done()
        assert creation.result() == partition_of(ahead[2])
    assert in_default_partition(database) == 0


def test_events_of_other_months_under_load_fail_no_request(daemon, database):
    late = [month_from_now(-n) for n in (5, 6, 7, 8)]
    with steady_load("rolling over", daemon, database) as load:
        load.moments = [month_from_now(1)]  # created ahead of time
        load.flow()
        load.moments = [now(), *late[:2]]  # created on demand
        load.flow()
        wait_until(lambda: months(database) >= {partition_of(moment) for moment in late[:2]}, "months made on demand")
        with long_query(database):
            load.moments = [now(), *late]  # cannot be created
            load.flow(5000)
            assert in_default_partition(database) > 0
            assert not months(database) & {partition_of(moment) for moment in late[2:]}
        for moment in late[2:]:
            assert create_month(database, moment) == partition_of(moment)
    assert in_default_partition(database) == 0


@pytest.mark.wanted_by("SLOW_TESTS")
def test_archiving_and_restoring_months_under_load_fails_no_request(daemon, database):
    late = [month_from_now(-n) for n in (5, 6, 7)]
    over = {partition_of(moment) for moment in late}
    with steady_load("archiving and restoring months", daemon, database) as load:
        for moment in late:
            create_month(database, moment)
        load.moments = [now(), *late]  # late events also come for months that are being archived
        load.flow()
        with long_query(database), pytest.raises(psycopg.errors.LockNotAvailable, match="in use by a long query") as refusal:
            database.query("SELECT * FROM archive_old_partitions(3)")
        assert "In the way: " in refusal.value.diag.message_detail
        assert months(database) >= over
        archived = database.query("SELECT partition_name, outcome, row_count FROM archive_old_partitions(3)")
        assert {row[:2] for row in archived} == {(name, "archived") for name in over}
        assert all(row[2] > 0 for row in archived)
        load.flow(3000)
        for moment in late:  # late events have created their month again, and the next call archives them
            create_month(database, moment)
        again = database.query("SELECT partition_name, outcome FROM archive_old_partitions(3)")
        assert set(again) == {(name, "added to the archive") for name in over}
        load.flow()
        for moment in late:
            assert database.value("SELECT restore_archived_partition(%s, %s)", moment.year, moment.month) == partition_of(moment)
            load.flow()
    assert months(database) >= over
    assert in_default_partition(database) == 0
