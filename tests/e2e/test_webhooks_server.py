"""
What becomes of published events and their deliveries when the server of the webhooks' tables takes no writes, or no
more connections.
"""

import pytest

from harness.dba import url_as
from harness.deliveries import Endpoints, Ledger, Publisher, Publishing
from harness.waiting import wait_until

pytestmark = [pytest.mark.plain_postgres("starts its own servers"), pytest.mark.wanted_by("SLOW_TESTS")]
SMALL = {"STORAGE_TYPE": "jsonl", "ACCEPTORS": 1, "HL_PUBLISHERS": 1, "HL_COURIERS": 1}
CONNECTIONS = 1 + 1 + 7  # the number in docs/scaling.md


def processes(hookline):
    return [hookline.daemon.pids(role) for role in ("publisher", "courier", "control")]


def deliver(tenant, receiver, count):
    """Publishes so many events, each after the delivery of the one before."""
    for _ in range(count):
        before = len(receiver.arrivals)
        assert tenant.client.post("/v1/events", {"topic": "orders.made"}).status == 201
        receiver.wait(before + 1)


def test_events_published_during_a_switch_over_are_spooled_and_delivered_once(pair, make_hookline, receiver):
    """The old primary keeps running with its connections, and refuses writes."""
    hookline = make_hookline("postgres", pair.before, HL_POSTGRES_URL=pair.url, **SMALL).start()
    before, tenant = processes(hookline), hookline.new_tenant()
    endpoints = Endpoints(tenant, receiver)
    endpoints.add("/in")
    publishers = [Publisher(hookline, tenant, number, pause=0.01) for number in range(4)]
    with Publishing(publishers) as publishing:
        publishing.wait_more(50)
        with pair.primary.connect("postgres") as connection:
            connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            connection.execute("SELECT pg_reload_conf()")
        wait_until(lambda: sum(publisher.acks["spooled"] for publisher in publishers) >= 50, "events to be spooled")
        assert hookline.daemon.get("/health").json()["webhooks"]["state"] != "ready"
        position = pair.before.value("SELECT pg_current_wal_lsn()")
        wait_until(lambda: pair.after.value("SELECT pg_last_wal_replay_lsn() >= %s", position), "the standby to have all of it")
        pair.standby.promote()
        stored = sum(publisher.acks["stored"] for publisher in publishers)
        wait_until(lambda: sum(publisher.acks["stored"] for publisher in publishers) >= stored + 50, "events to be stored again")
    hookline.database = pair.after
    ledger = Ledger(hookline, endpoints, publishers)
    ledger.wait_delivered()
    ledger.check(duplicates_most=0)
    assert ledger.dead() == set() and hookline.daemon.hooksctl("deadletter", "list").stdout == "no dead letters\n"
    assert processes(hookline) == before


def test_a_node_without_free_connections_logs_it_and_others_go_on(empty_database, make_hookline, receiver):
    empty_database.query("CREATE ROLE few_connections LOGIN")
    try:
        empty_database.query(f"ALTER DATABASE {empty_database.name} OWNER TO few_connections")
        empty_database.query("GRANT ALL ON SCHEMA public TO few_connections")
        url = url_as(empty_database, "few_connections")
        one = make_hookline("postgres", empty_database, HL_POSTGRES_URL=url, **SMALL).start()
        tenant = one.new_tenant()
        Endpoints(tenant, receiver).add("/in")
        deliver(tenant, receiver, 1)
        taken = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'few_connections'"
        empty_database.query(f"ALTER ROLE few_connections CONNECTION LIMIT {empty_database.value(taken)}")
        other = make_hookline("postgres", empty_database, HL_POSTGRES_URL=url, **SMALL)
        other.daemon.start(store_ready=False)
        other.daemon.wait_for_log("too many connections for role")
        assert other.daemon.get("/readyz").status == 503
        deliver(tenant, receiver, 10)
        assert empty_database.value(taken) <= CONNECTIONS
        assert other.daemon.get("/readyz").status == 503
        empty_database.query("ALTER ROLE few_connections CONNECTION LIMIT -1")
        wait_until(lambda: other.daemon.get("/readyz").status == 200, "the other node to be ready")
    finally:
        empty_database.query(f"ALTER DATABASE {empty_database.name} OWNER TO postgres")
