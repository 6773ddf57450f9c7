"""A node's commits wait for a synchronous standby that stands still; those of another node, whose sessions do not ask for it, do not."""

import contextlib
import http.client
import threading

import pytest

from harness.deliveries import Endpoints
from harness.waiting import PATIENCE, wait_until
from harness.webhooks import ApiClient

pytestmark = [pytest.mark.plain_postgres("servers of its own"), pytest.mark.wanted_by("SLOW_TESTS")]

TIMEOUT = 6 * PATIENCE
SMALL = {"STORAGE_TYPE": "jsonl", "ACCEPTORS": 1, "HL_PUBLISHERS": 1, "HL_COURIERS": 1, "HL_NODE_TIMEOUT_SECS": TIMEOUT,
         "STORE_TIMEOUT_MS": 2000 * PATIENCE}


# Of jobs; it holds its locks.
COMMITS = """SELECT count(*) FROM pg_stat_activity AS session JOIN pg_locks AS lock ON lock.pid = session.pid
    WHERE wait_event = 'SyncRep' AND relation = 'jobs'::regclass AND mode = 'RowExclusiveLock'"""


def publish_unheard(client, replies):
    with contextlib.suppress(OSError, http.client.HTTPException):
        replies.append(client.post("/v1/events", {"topic": "orders.made"}))


def test_an_event_whose_commit_was_held_up_when_its_node_died_arrives_once(pair, make_hookline, receiver):
    one = make_hookline("postgres", pair.before, **SMALL).start()
    tenant = one.new_tenant()
    Endpoints(tenant, receiver).add("/in")
    other = make_hookline("postgres", pair.before, HL_POSTGRES_URL=f"{pair.before.url}?options=-c%20synchronous_commit%3Dlocal",
                          HL_MASTER_KEY=one.daemon.options["HL_MASTER_KEY"], **SMALL).start()
    there = ApiClient(other, tenant.client.key)
    wait_until(lambda: there.get("/v1/events").status == 200, "the node to know the key")
    replies = []
    publishing = threading.Thread(target=publish_unheard, args=(tenant.client, replies))
    pair.standby.freeze()
    try:
        publishing.start()
        wait_until(lambda: other.value(COMMITS) == 1, "the commit to wait")
        one.daemon.kill()
        publishing.join()
        assert other.value("SELECT count(*) FROM events") == 0
        wait_until(lambda: other.value("SELECT count(*) FROM delivery_nodes WHERE node_id = 1 AND adopted_by IS NULL") == 0,
                   "the node to be adopted", 20 * TIMEOUT)
        receiver.wait(1, timeout=20 * TIMEOUT)
    finally:
        pair.standby.thaw()
    one.start()
    beside = ApiClient(one, tenant.client.key).post("/v1/events", {"topic": "orders.made"})
    assert beside.status == 201, beside
    receiver.wait(2)
    wait_until(lambda: other.value("SELECT count(*) FROM jobs") == 0, "every outcome to be committed", 60)
    assert len(receiver.arrivals) == other.value("SELECT count(*) FROM events") == 2
    assert all(reply.status == 202 for reply in replies), "it was not stored as far as anybody knew"
