"""
The webhooks' API while PostgreSQL restarts or fails over: each change that was answered with 2xx is stored, a change
that was answered with 503 is stored whole or not at all, and the service recovers by itself.
"""

import signal

import pytest

from harness.crud import CrudLoad
from harness.pgbouncer import PgBouncer
from harness.waiting import wait_until


@pytest.fixture
def bouncer(postgres):
    bouncer = PgBouncer(postgres, default_pool_size=2)
    try:
        yield bouncer.start()
    finally:
        bouncer.remove()


def processes(hookline):
    return hookline.daemon.pids("acceptor"), hookline.daemon.pids("control")


def test_a_crash_of_the_server_costs_only_503s(postgres, make_hookline):
    hookline = make_hookline("postgres").start()
    before = processes(hookline)
    load = CrudLoad(hookline)
    with load:
        load.wait_changes(10)
        for how in (signal.SIGQUIT, signal.SIGINT):
            refused = load.answered(503)
            postgres.stop(how)
            wait_until(lambda: load.answered(503) >= refused + 10, "refusals")
            postgres.start()
            load.wait_changes(10)
    load.check(hookline)
    assert processes(hookline) == before


def test_a_promoted_standby_has_every_acknowledged_change(pair, make_hookline):
    hookline = make_hookline("postgres", pair.before, HL_POSTGRES_URL=pair.url).start()
    before = processes(hookline)
    load = CrudLoad(hookline)
    with load:
        load.wait_changes(10)
        pair.primary.kill()
        wait_until(lambda: load.answered(503) >= 10, "refusals")
        pair.standby.promote()
        load.wait_changes(10)
    hookline.database = pair.after
    load.check(hookline)
    assert processes(hookline) == before


def test_the_service_leaves_an_old_primary_that_has_become_read_only(pair, make_hookline):
    """A switch-over: connections to the old server stay open, and the old server refuses every change."""
    hookline = make_hookline("postgres", pair.before, HL_POSTGRES_URL=pair.url).start()
    before = processes(hookline)
    load = CrudLoad(hookline)
    with load:
        load.wait_changes(10)
        with pair.primary.connect("postgres") as connection:
            connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            connection.execute("SELECT pg_reload_conf()")
        wait_until(lambda: load.answered(503) >= 10, "refusals")
        position = pair.before.value("SELECT pg_current_wal_lsn()")
        wait_until(
            lambda: pair.after.value("SELECT pg_last_wal_replay_lsn() >= %s", position), "the standby to have all of it")
        pair.standby.promote()
        load.wait_changes(10)
    hookline.database = pair.after
    load.check(hookline)
    assert processes(hookline) == before


@pytest.mark.wanted_by("SLOW_TESTS")
def test_a_crash_behind_a_pgbouncer_with_two_connections_loses_no_change(bouncer, postgres, make_hookline, database):
    hookline = make_hookline("postgres", database, HL_POSTGRES_URL=bouncer.url(database)).start()
    before = processes(hookline)
    load = CrudLoad(hookline)
    with load:
        load.wait_changes(20)
        assert load.answered(503) == 0
        postgres.stop(signal.SIGQUIT)
        wait_until(lambda: load.answered(503) >= 10, "refusals")
        postgres.start()
        load.wait_changes(10)
        bouncer.stop()
        wait_until(lambda: load.answered(503) >= 20, "more refusals")
        bouncer.start()
        load.wait_changes(10)
        servers = [row for row in bouncer.console("SHOW SERVERS") if row["database"] == database.name]
        assert len(servers) <= 2
    load.check(hookline)
    assert processes(hookline) == before
