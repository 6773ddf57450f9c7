"""
A synchronous standby hangs, so one node's commits wait for it. The sessions of another node have
synchronous_commit=local, so its commits do not wait.
"""

import contextlib
import http.client
import threading

import pytest

from harness.deliveries import Endpoints
from harness.nodes import NODE_TIMEOUT as TIMEOUT, client_of
from harness.waiting import wait_until

pytestmark = [pytest.mark.plain_postgres("starts its own servers"), pytest.mark.wanted_by("SLOW_TESTS")]

# Sessions whose commit of jobs waits for the standby and still holds its locks.
COMMITS = """SELECT count(*) FROM pg_stat_activity AS session JOIN pg_locks AS lock ON lock.pid = session.pid
    WHERE wait_event = 'SyncRep' AND relation = 'jobs'::regclass AND mode = 'RowExclusiveLock'"""


def publish_unheard(client, replies):
    with contextlib.suppress(OSError, http.client.HTTPException):
        replies.append(client.post("/v1/events", {"topic": "orders.made"}))


def test_an_event_whose_commit_was_held_up_when_its_node_died_arrives_once(pair, start_nodes, receiver):
    [one] = start_nodes(1, pair.before)
    tenant = one.new_tenant()
    Endpoints(tenant, receiver).add("/in")
    [other] = start_nodes(1, HL_POSTGRES_URL=f"{pair.before.url}?options=-c%20synchronous_commit%3Dlocal")
    client_of(other, tenant)
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
    beside = client_of(one, tenant).post("/v1/events", {"topic": "orders.made"})
    assert beside.status == 201, beside
    receiver.wait(2)
    wait_until(lambda: other.value("SELECT count(*) FROM jobs") == 0, "every outcome to be committed", 60)
    assert len(receiver.arrivals) == other.value("SELECT count(*) FROM events") == 2
    assert all(reply.status == 202 for reply in replies), "the commit was not confirmed"
