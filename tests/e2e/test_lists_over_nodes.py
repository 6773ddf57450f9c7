"""
Clients follow lists on two nodes with one PostgreSQL as docs/webhooks-reference.md describes, and change the node for
each page. In the meantime transactions commit late, hang, are ended and repeated. Each client sees each row.
"""

import contextlib
import http.client
import itertools
import os
import random
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from harness.background import Background
from harness.daemon import stopped
from harness.deliveries import Endpoints, Publisher, Publishing
from harness.nodes import client_of
from harness.recording_receiver import OK, Answer
from harness.rows import new_id, now_ms
from harness.waiting import PATIENCE, wait_until

TIMEOUT = 2 * PATIENCE  # STORE_TIMEOUT_MS in seconds
TROUBLES = int(os.environ.get("LISTS_TROUBLES", 12))
pytestmark = [pytest.mark.plain_postgres("stops the server"), pytest.mark.wanted_by("SLOW_TESTS"),
              pytest.mark.timeout(240 + 10 * TROUBLES)]


@pytest.fixture
def nodes(start_nodes):
    """Two nodes with one database and one master key."""
    return start_nodes(2, HL_NODE_TIMEOUT_SECS=60 * PATIENCE, STORE_TIMEOUT_MS=TIMEOUT * 1000)


@pytest.fixture
def tenant(nodes):
    return nodes[0].new_tenant()


@pytest.fixture
def clients(nodes, tenant):
    return [client_of(node, tenant) for node in nodes]


class Follower(Background):
    def __init__(self, clients, path, limit):
        super().__init__()
        self.clients = itertools.cycle(clients)
        self.path = path
        self.limit = limit
        self.cursor = ""
        self.handled = {}  # {id: how often it was shown}, in the order of the first appearance

    def work(self):
        while not self.ending.is_set():
            if not self.read():
                self.ending.wait(0.02)

    def read(self):
        """Reads one page. Returns whether another one follows."""
        try:
            reply = next(self.clients).get(f"{self.path}?order=asc&limit={self.limit}&cursor={self.cursor}")
        except (OSError, http.client.HTTPException):
            return False
        if reply.status == 503:
            return False
        assert reply.status == 200, reply
        for item in reply.json["items"]:
            self.handled[item["id"]] = self.handled.get(item["id"], 0) + 1
        following = reply.json["next_cursor"]
        self.cursor = following or self.cursor
        return following is not None

    def came_late(self, places):
        """The number of rows that came after a row with a later position."""
        highest, late = None, 0
        for place in (places[id] for id in self.handled):
            late += highest is not None and place < highest
            highest = max(place, highest or place)
        return late


def places(node, tenant, column, time_column, table):
    """The positions of all rows in a list's order, by id."""
    rows = node.query(f"SELECT {column} AS id, {time_column} AS at FROM {table} WHERE tenant_id = :id", id=tenant.id)
    return {str(row["id"]): (row["at"], str(row["id"])) for row in rows}


def event_places(node, tenant):
    return places(node, tenant, "event_id", "stored_at", "events")


def letter_places(node, tenant):
    return places(node, tenant, "job_id", "created_at", "dlq")


@contextlib.contextmanager
def locked(node, table):
    """Locks the table during the block, so that transactions that change it wait."""
    with node.reader() as session:
        session("BEGIN")
        session("SET LOCAL lock_timeout = '1s'")
        session(f"LOCK TABLE {table} IN SHARE MODE")
        yield


def wait_for_waiting(node, table):
    wait_until(lambda: node.value(f"SELECT count(*) FROM pg_locks WHERE relation = '{table}'::regclass AND NOT granted"),
               f"a transaction that waits for {table}")


def publish(client, topic):
    reply = client.post("/v1/events", {"topic": topic, "payload": 1})
    assert reply.status in (201, 202), reply
    return reply.json["id"]


def follow(follower):
    while follower.read():
        pass


def test_an_event_committed_after_younger_ones_of_another_node_is_listed(nodes, tenant, clients, receiver):
    Endpoints(tenant, receiver).add("/in", "orders.*")
    whole, by_two = (Follower(clients, "/v1/events", limit) for limit in (1000, 2))
    with ThreadPoolExecutor(1) as pool:
        with locked(nodes[0], "jobs"):
            first = pool.submit(publish, clients[0], "orders.made")
            wait_for_waiting(nodes[0], "jobs")
            others = [publish(clients[1], "bills.made") for _ in range(5)]
            for follower in (whole, by_two):
                follow(follower)
                assert list(follower.handled) == others
        first = first.result()
    for follower in (whole, by_two):
        wait_until(lambda: follower.read() or first in follower.handled, "the event that was committed late")
    stored = event_places(nodes[0], tenant)
    assert set(whole.handled) == set(by_two.handled) == set(stored) == {first, *others}


def test_an_event_whose_publisher_hangs_longer_than_lists_wait_is_listed(nodes, tenant, clients, receiver):
    Endpoints(tenant, receiver).add("/in", "orders.*")
    whole, by_two = (Follower(clients, "/v1/events", limit) for limit in (1000, 2))
    with ThreadPoolExecutor(1) as pool:
        [publisher] = nodes[0].daemon.pids("publisher")
        with contextlib.ExitStack() as frozen:
            with locked(nodes[0], "jobs"):
                first = pool.submit(publish, clients[0], "orders.made")
                wait_for_waiting(nodes[0], "jobs")
                frozen.enter_context(stopped(publisher))
            others = [publish(clients[1], "bills.made") for _ in range(5)]
            wait_until(lambda: nodes[1].value("SELECT max(stored_at) < clock_timestamp() - :s * interval '1 s' FROM events",
                                              s=2.6 * TIMEOUT), "the events to be old")
            for follower in (whole, by_two):
                follow(follower)
                assert list(follower.handled) == others
        first = first.result()
    for follower in (whole, by_two):
        wait_until(lambda: follower.read() or first in follower.handled, "the event that was committed late")
    assert event_places(nodes[0], tenant).keys() == set(whole.handled) == set(by_two.handled)


class LateCommits(Background):
    """Transactions as of another node, most of which take nearly as long as permitted."""

    def __init__(self, node, tenant, rng):
        super().__init__()
        self.node = node
        self.tenant = tenant
        self.rng = rng
        self.count = 0
        self.excused = set()  # ids of transactions that did, or perhaps did, take longer

    def work(self):
        while not self.ending.is_set():
            event = new_id(now_ms(), last=0)
            letter = event[:-1] + "1"
            self.excused |= {event, letter}
            with contextlib.suppress(psycopg.Error):
                began = time.monotonic()
                with self.node.reader() as session:
                    session("BEGIN")
                    session("INSERT INTO events (tenant_id, event_id, created_at, occurred_at, job_count, topic)"
                            " VALUES (:tenant, :id, now(), now(), 0, 'late')", tenant=self.tenant.id, id=event)
                    session("INSERT INTO dlq (tenant_id, endpoint_id, job_id, event_id, created_at, occurred_at, reason, attempt_count, topic,"
                            " payload) VALUES (:tenant, :event, :id, :event, hl_now(), hl_now(), 'http_400', 1, 'late', 'null')",
                            tenant=self.tenant.id, event=event, id=letter)
                    self.ending.wait(self.rng.uniform(0, 1.9 * TIMEOUT))
                    session("COMMIT")
                if time.monotonic() - began < 2 * TIMEOUT:
                    self.excused -= {event, letter}
                    self.count += 1


class Troubles:
    """Runs in the test's thread, because PostgreSQL ends with the thread that has started it."""

    def __init__(self, nodes, rng):
        self.nodes = nodes
        self.rng = rng
        self.counts = Counter()

    def make(self, count):
        kinds = [self.lock, self.freeze, self.freeze_in_transaction, self.kill, self.end_session, self.restart_postgres]
        for number in range(count):
            if number % len(kinds) == 0:
                self.rng.shuffle(kinds)
            trouble = kinds[number % len(kinds)]
            with contextlib.suppress(psycopg.Error):
                trouble()
                self.counts[trouble.__name__] += 1
            self.last(0.2)

    def last(self, most):
        time.sleep(self.rng.uniform(0, most * TIMEOUT))

    def process(self):
        node = self.rng.choice(self.nodes)
        return wait_until(lambda: node.daemon.pids(self.rng.choice(["publisher", "courier"])), "its processes")[0]

    def lock(self):
        with locked(self.nodes[0], self.rng.choice(["jobs", "dlq", "attempts"])):
            self.last(0.9)

    def freeze(self):
        with contextlib.suppress(ProcessLookupError), stopped(self.process()):
            self.last(1.5)

    def freeze_in_transaction(self):
        with contextlib.suppress(ProcessLookupError), contextlib.ExitStack() as frozen:
            with locked(self.nodes[0], self.rng.choice(["jobs", "dlq"])):
                self.last(0.2)
                frozen.enter_context(stopped(self.process()))
            self.last(2.5)

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process(), signal.SIGKILL)

    def end_session(self):
        self.nodes[0].query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                            " AND pid != pg_backend_pid() AND backend_type = 'client backend' ORDER BY random() LIMIT 3")

    def restart_postgres(self):
        self.nodes[0].database.server.stop()
        self.nodes[0].database.server.start()


def missing(follower, stored, excused):
    return stored.keys() - excused - follower.handled.keys()


def explain(follower, stored, excused):
    left = sorted((stored[id] for id in missing(follower, stored, excused)))
    return f"{follower.path}, {follower.limit} a page: {len(left)} of {len(stored)} rows were not shown, as {left[:3]}"


def test_each_client_sees_every_row_whatever_happens_to_transactions(nodes, tenant, clients, receiver):
    seed = int(os.environ.get("LISTS_SEED", random.SystemRandom().randrange(10**6)))
    print(f"LISTS_SEED={seed}")
    # Never ten failures in a row, so the breaker stays closed.
    receiver.answers["/in"] = lambda arrival: OK if len(receiver.arrivals) % 2 else Answer(status=400)
    Endpoints(tenant, receiver).add("/in", "orders.*")
    publishers = [Publisher(node, tenant, number, ("orders.made", "bills.made"), pause=0.1)
                  for number, node in enumerate(nodes * 2)]
    followers = [Follower(clients, path, limit) for path in ("/v1/events", "/v1/dlq") for limit in (2, 7, 1000)]
    late, troubles = LateCommits(nodes[0], tenant, random.Random(seed)), Troubles(nodes, random.Random(seed + 1))
    with contextlib.ExitStack() as following:
        for follower in followers:
            following.enter_context(follower)
        with late, Publishing(publishers):
            troubles.make(TROUBLES)
        for node in nodes:
            node.daemon.wait_store_ready()
            node.daemon.wait_spool_empty()
        wait_until(lambda: nodes[0].value("SELECT count(*) FROM jobs") == 0, "every event to be delivered, or dead", 60)
        events, letters = event_places(nodes[0], tenant), letter_places(nodes[0], tenant)
        for follower in followers:
            stored = events if follower.path == "/v1/events" else letters
            try:
                wait_until(lambda: not missing(follower, stored, late.excused), "all rows to be shown", 10 * TIMEOUT)
            except AssertionError:
                raise AssertionError(explain(follower, stored, late.excused)) from None
    acknowledged = sum(len(publisher.acknowledged) for publisher in publishers)
    print(dict(troubles.counts), f"{late.count} late commits, {acknowledged} events acknowledged, {len(events)} events, {len(letters)} letters")
    for follower in followers:
        stored = events if follower.path == "/v1/events" else letters
        print(f"{follower.path} by {follower.limit}: {sum(follower.handled.values())} rows shown, {follower.came_late(stored)} came late")
    assert len(events) >= acknowledged + late.count
    assert all(any(follower.came_late(stored) for follower in followers if follower.path == path)
               for path, stored in (("/v1/events", events), ("/v1/dlq", letters))), "no row came late: the test shows nothing"
