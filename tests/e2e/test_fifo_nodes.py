"""
Endpoints with fifo on several nodes with one PostgreSQL: one node sends all events of an order, whichever node stores
them. Also: another session holds the lock of an order. HL_NODE_TIMEOUT_SECS is short here.
"""

import contextlib
import json
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.deliveries import Endpoints
from harness.nodes import frozen
from harness.recording_receiver import Answer
from harness.waiting import PATIENCE, wait_until
from harness.webhooks import ApiClient

TIMEOUT = 6 * PATIENCE
pytestmark = pytest.mark.plain_postgres("nodes share a server of the test")


class Nodes:
    """Two nodes. The first becomes the sender because it stores event 0."""

    def __init__(self, make_hookline, receiver):
        options = {"STORAGE_TYPE": "jsonl", "ACCEPTORS": 1, "HL_PUBLISHERS": 1, "HL_COURIERS": 2, "HL_NODE_TIMEOUT_SECS": TIMEOUT,
                   "STORE_TIMEOUT_MS": 2000 * PATIENCE}
        self.first = make_hookline("postgres", **options).start()
        self.number(self.first)
        keys = {name: self.first.daemon.options[name] for name in ("HL_MASTER_KEY", "HL_ADMIN_KEY", "HL_API_KEY")}
        self.second = make_hookline("postgres", self.first.database, **options | keys).start()
        self.number(self.second)
        self.tenant = self.first.new_tenant()
        self.receiver = receiver
        self.here, self.there = self.tenant.client, ApiClient(self.second, self.tenant.client.key)
        wait_until(lambda: self.there.get("/v1/endpoints").status == 200, "the other node to know the key")

    @staticmethod
    def number(node):
        return int(node.daemon.wait_for_log(r"this node has a row in delivery_nodes.*\bnode_id=(\d+)").group(1))

    def add_endpoint(self, **fields):
        return Endpoints(self.tenant, self.receiver).add("/in", rate_limit_rps=10000, **fields)

    def arrived(self):
        return [json.loads(arrival.body)["event"]["payload"]["n"] for arrival in list(self.receiver.at("/in"))]

    def wait_all(self, count):
        """Waits until each event has been accepted. Returns the numbers of all requests in order."""
        wait_until(lambda: {n for n, arrival in zip(self.arrived(), self.receiver.at("/in")) if arrival.answer.delivers} == set(range(count)),
                   "every event to arrive", 60)
        wait_until(lambda: self.second.value("SELECT count(*) FROM jobs WHERE tenant_id = :id", id=self.tenant.id) == 0,
                   "no job to be left", 30)
        return self.arrived()

    def wait_adopted(self):
        wait_until(lambda: self.second.value("SELECT count(*) FROM fifo_heads WHERE tenant_id = :id AND node_id = 2", id=self.tenant.id) == 1,
                   "the other node to send", 10 * TIMEOUT)


def publish(client, *numbers):
    for n in numbers:
        reply = client.post("/v1/events", {"topic": "object.changed", "payload": {"n": n}})
        assert reply.status == 201, reply


@pytest.fixture
def nodes(make_hookline, receiver):
    return Nodes(make_hookline, receiver)


def test_the_order_is_kept_whichever_node_stores_the_events(nodes):
    nodes.add_endpoint(fifo=True)
    publish(nodes.here, 0)
    publish(nodes.there, 1)
    assert nodes.wait_all(2) == [0, 1]  # although only the other node has stored an event since
    for n in range(2, 30):
        publish(nodes.there if n % 3 else nodes.here, n)
    assert nodes.wait_all(30) == list(range(30))
    assert nodes.first.value("SELECT node_id FROM fifo_heads WHERE tenant_id = :id", id=nodes.tenant.id) == 1


@pytest.mark.wanted_by("SLOW_TESTS")
def test_another_node_continues_the_order_of_a_killed_sender(nodes):
    works = threading.Event()
    nodes.receiver.answers["/in"] = lambda _arrival: Answer(200 if works.is_set() else 503)
    nodes.add_endpoint(fifo=True, retry_schedule=["1s"] * 15)
    publish(nodes.here, 0)
    wait_until(nodes.arrived, "the first attempt")
    for n in range(1, 40):
        publish(nodes.there if n % 2 else nodes.here, n)
    nodes.first.daemon.kill()
    publish(nodes.there, *range(40, 45))
    nodes.wait_adopted()
    publish(nodes.there, *range(45, 50))
    works.set()
    arrived = nodes.wait_all(50)
    assert arrived == sorted(arrived)
    assert arrived[arrived.index(1):] == list(range(1, 50))


@pytest.mark.wanted_by("SLOW_TESTS")
def test_a_sender_that_hung_sends_nothing_after_another_node_continues(nodes):
    """The sender's courier hangs in the middle of an attempt."""
    answers = iter([Answer(200), Answer(hang=True)])
    nodes.receiver.answers["/in"] = lambda _arrival: next(answers, Answer(200))
    nodes.add_endpoint(fifo=True, timeout_ms=300000)
    publish(nodes.here, *range(20))
    wait_until(lambda: len(nodes.arrived()) == 2, "the second one to be under way")
    with frozen(nodes.first.daemon):
        nodes.wait_adopted()
        publish(nodes.there, *range(20, 30))
        wait_until(lambda: len(nodes.arrived()) >= 10, "the other node to go on", 30)
    publish(nodes.there, *range(30, 40))
    nodes.first.daemon.wait_for_log("another node has taken this node's row in delivery_nodes")
    publish(nodes.there, *range(40, 45))
    arrived = nodes.wait_all(45)
    assert arrived == sorted(arrived)


def test_events_waiting_on_both_nodes_when_fifo_is_switched_on_are_sent_once(nodes):
    endpoint = nodes.add_endpoint(paused=True)
    publish(nodes.here, *range(10))
    publish(nodes.there, *range(10, 20))
    assert nodes.here.patch(f"/v1/endpoints/{endpoint['id']}", {"fifo": True, "paused": False}).status == 200
    publish(nodes.there, *range(20, 30))
    arrived = nodes.wait_all(30)
    assert sorted(arrived) == list(range(30))
    assert [n for n in arrived if n >= 20] == list(range(20, 30))
    assert nodes.here.patch(f"/v1/endpoints/{endpoint['id']}", {"fifo": False}).status == 200
    publish(nodes.here, *range(30, 35))
    publish(nodes.there, *range(35, 40))
    assert sorted(nodes.wait_all(40)) == list(range(40))


def test_a_locked_order_stops_no_other_tenant(make_hookline, receiver):
    node = make_hookline("postgres", STORAGE_TYPE="jsonl", ACCEPTORS=1, HL_PUBLISHERS=1, HL_COURIERS=1, STORE_TIMEOUT_MS=20000,
                         SPOOL_AFTER_MS=20000).start()
    tenant, other = node.new_tenant(), node.new_tenant()
    Endpoints(tenant, receiver).add("/in", fifo=True)
    Endpoints(other, receiver).add("/other", fifo=True)
    publish(tenant.client, 0)
    receiver.wait(1, "/in")
    waiting = [threading.Thread(target=publish, args=(ApiClient(node, tenant.client.key), n)) for n in range(1, 4)]
    with node.database.server.connect(node.database.name) as session:
        session.autocommit = False
        session.execute("SELECT 1 FROM fifo_heads WHERE tenant_id = %s FOR UPDATE", (tenant.id,))
        waiting[0].start()
        node.daemon.wait_for_log("another session has the order of an endpoint locked: events of its tenant wait")
        publish(other.client, 0, 1)
        receiver.wait(2, "/other")
        assert waiting[0].is_alive()
        session.rollback()
    waiting[0].join()
    for thread in waiting[1:]:
        thread.start()
        thread.join()
    assert [json.loads(arrival.body)["event"]["payload"]["n"] for arrival in receiver.wait(4, "/in")] == list(range(4))


@pytest.fixture
def order(make_hookline, receiver):
    """make(**options) returns two tenants and a lock of the first tenant's order, which the test takes later."""

    def make(**options):
        node = make_hookline("postgres", STORAGE_TYPE="jsonl", ACCEPTORS=1, HL_PUBLISHERS=1, HL_COURIERS=1, **options).start()
        tenant, other = node.new_tenant(), node.new_tenant()
        Endpoints(tenant, receiver).add("/in", fifo=True)
        publish(tenant.client, 0)

        @contextlib.contextmanager
        def locked():
            with node.database.server.connect(node.database.name) as session:
                session.autocommit = False
                session.execute("SELECT 1 FROM fifo_heads WHERE tenant_id = %s FOR UPDATE", (tenant.id,))
                yield
                session.rollback()

        return tenant.client, other.client, locked

    return make


def test_events_of_a_locked_order_do_not_fill_the_ring(order, receiver):
    """There are more of these events than the ring holds. Another tenant publishes without a pause."""
    client, other, locked = order(HL_RING_BYTES=12 << 20, HL_MAX_PAYLOAD_BYTES=1 << 20, MAX_BODY_BYTES=1 << 20, SPOOL_AFTER_MS=100)
    stop = threading.Event()

    def load():
        while not stop.is_set():
            publish(other, 0)

    with locked(), ThreadPoolExecutor() as pool:
        loads = pool.submit(load)
        try:
            for n in range(1, 14):
                reply = client.post("/v1/events", {"topic": "object.changed", "payload": {"n": n, "padding": "x" * 1_000_000}})
                assert reply.status == 202 and reply.headers["x-hooks-ack"] == "spooled", reply
        finally:
            stop.set()
        loads.result()
    assert [json.loads(arrival.body)["event"]["payload"]["n"] for arrival in receiver.wait(14, "/in", 30)] == list(range(14))


@pytest.mark.wanted_by("SLOW_TESTS")
def test_without_a_spool_events_of_a_locked_order_are_refused(order):
    client, other, locked = order(SPOOL_MAX_BYTES=0, STORE_TIMEOUT_MS=3000)
    with locked():
        reply = client.post("/v1/events", {"topic": "object.changed", "payload": {}})
        assert reply.status == 503 and "in time" in reply.json["detail"], reply
        publish(other, 0)
    publish(client, 1)


def test_spooled_events_of_other_orders_pass_a_locked_order_which_stays_in_order(postgres, make_hookline, receiver):
    """There are more spooled events than a publisher reads at a time."""
    node = make_hookline("postgres", STORAGE_TYPE="jsonl", ACCEPTORS=1, HL_PUBLISHERS=1, HL_COURIERS=1).start()
    tenant, other = node.new_tenant(), node.new_tenant()
    Endpoints(tenant, receiver).add("/in", fifo=True)
    Endpoints(other, receiver).add("/other", fifo=True)
    publish(tenant.client, 0)
    publish(other.client, 0)
    receiver.wait(1, "/in")
    receiver.wait(1, "/other")
    publisher, = node.daemon.pids("publisher")

    def spool(client, n):
        payload = {"n": n, "padding": "x" * 500_000}
        return client.post("/v1/events", {"topic": "object.changed", "payload": payload}).status == 202

    postgres.stop(signal.SIGQUIT)
    wait_until(lambda: spool(tenant.client, 1), "the spool")
    assert all(spool(tenant.client, n) for n in range(2, 20)) and spool(other.client, 1)
    os.kill(publisher, signal.SIGSTOP)
    postgres.start()
    with node.database.server.connect(node.database.name) as session:
        session.autocommit = False
        session.execute("SELECT 1 FROM fifo_heads WHERE tenant_id = %s FOR UPDATE", (tenant.id,))
        os.kill(publisher, signal.SIGCONT)
        receiver.wait(2, "/other", 30)
        assert len(receiver.at("/in")) == 1
        session.rollback()
    assert [json.loads(arrival.body)["event"]["payload"]["n"] for arrival in receiver.wait(20, "/in", 30)] == list(range(20))
