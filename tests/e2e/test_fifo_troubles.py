"""
The order of an endpoint with fifo on several nodes: while a publisher hangs in its transaction, over an outage of
PostgreSQL, and under random blows to nodes, processes and sessions.
"""

import contextlib
import json
import os
import random
import signal
import threading
import time
from collections import Counter

import pytest

from harness.daemon import stopped
from harness.deliveries import Endpoints, Publisher, Publishing
from harness.killpoint import AFTER, Killpoint
from harness.nodes import NODE_TIMEOUT as TIMEOUT, client_of, frozen
from harness.recording_receiver import Answer
from harness.waiting import wait_until

pytestmark = pytest.mark.plain_postgres("nodes share a server of the test")

TROUBLES = int(os.environ.get("FIFO_TROUBLES", 0))
KEYS = 3
COPIES_JOBS = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND left(query, 9) = 'COPY jobs'
    AND state = 'active' AND wait_event = 'ClientRead'"""


def publish(client, n):
    return client.post("/v1/events", {"topic": "object.changed", "payload": {"n": n}})


def places(node, tenant):
    """The ids of the waiting jobs in order. Their positions must be consecutive."""
    rows = node.query("SELECT job_id, fifo_seq FROM jobs WHERE tenant_id = :id ORDER BY fifo_seq", id=tenant.id)
    assert [row["fifo_seq"] for row in rows] == list(range(rows[0]["fifo_seq"], rows[0]["fifo_seq"] + len(rows)))
    return [str(row["job_id"]) for row in rows]


def resume(node, tenant, endpoint, receiver):
    """Enables the deliveries. The waiting jobs are delivered once, in order. Returns their number."""
    node.daemon.wait_spool_empty()
    jobs, before = places(node, tenant), len(receiver.at("/in"))
    reply = client_of(node, tenant).patch(f"/v1/endpoints/{endpoint['id']}", {"paused": False})
    assert reply.status in (200, 202), reply
    wait_until(lambda: node.value("SELECT count(*) FROM jobs WHERE tenant_id = :id", id=tenant.id) == 0, "every job to be delivered", 90)
    assert [arrival.job for arrival in receiver.at("/in")[before:]] == jobs
    return len(jobs)


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.unsanitized("a sanitizer's library must be loaded first")
def test_an_order_continues_although_a_publisher_hangs_with_it(start_nodes, receiver, tmp_path):
    killpoint = Killpoint(tmp_path / "killpoint", process="publisher", stops=True)
    [one] = start_nodes(1, **killpoint.environment())
    others = start_nodes(2)
    tenant, neighbour = one.new_tenant(), one.new_tenant()
    endpoint = Endpoints(tenant, receiver).add("/in", fifo=True)
    Endpoints(neighbour, receiver).add("/neighbour")
    clients, neighbours = ([client_of(node, each) for node in others] for each in (tenant, neighbour))
    assert publish(tenant.client, "first").status == 201  # makes this node the sender
    receiver.wait(1, "/in")
    assert tenant.client.patch(f"/v1/endpoints/{endpoint['id']}", {"paused": True}).status == 200
    replies = []
    killpoint.arm(5, AFTER)
    asking = threading.Thread(target=lambda: replies.append(publish(tenant.client, "stands still")))
    asking.start()
    wait_until(lambda: others[0].value(COPIES_JOBS) == 1, "the publisher to stand still in its COPY")
    with frozen(one.daemon):
        threads = [threading.Thread(target=lambda client=client: replies.extend(publish(client, n) for n in range(5))) for client in clients]
        for thread in threads:
            thread.start()
        for client in neighbours:
            assert publish(client, "beside").status == 201
        receiver.wait(2, "/neighbour")
        for thread in threads:
            thread.join()
        wait_until(lambda: others[0].value("SELECT count(*) FROM delivery_nodes WHERE node_id = 1 AND adopted_by IS NULL") == 0,
                   "the node to be adopted", 20 * TIMEOUT)
        assert publish(clients[0], "behind").status in (201, 202)
    asking.join()
    assert {reply.status for reply in replies} <= {201, 202}, replies
    for node in (one, *others):
        node.daemon.wait_spool_empty()
    wait_until(lambda: others[0].value("SELECT count(*) FROM jobs WHERE tenant_id = :id", id=tenant.id) == 12, "all events to be stored")
    assert resume(others[0], tenant, endpoint, receiver) == 12


@pytest.mark.wanted_by("SLOW_TESTS")
def test_spooled_events_keep_their_place_in_the_order(make_hookline, receiver):
    node = make_hookline("postgres", STORAGE_TYPE="jsonl", HL_PUBLISHERS=2).start()
    tenant = node.new_tenant()
    endpoint = Endpoints(tenant, receiver).add("/in", fifo=True, paused=True, rate_limit_rps=10000)
    publishers = [Publisher(node, tenant, number, pause=0.02) for number in range(4)]
    with Publishing(publishers) as publishing:
        publishing.wait_more(20)
        node.database.server.stop()
        wait_until(lambda: sum(publisher.acks["spooled"] for publisher in publishers) >= 40, "events to be spooled")
        node.database.server.start()
        stored = sum(publisher.acks["stored"] for publisher in publishers)
        wait_until(lambda: sum(publisher.acks["stored"] for publisher in publishers) >= stored + 40, "events to be stored again")
    acknowledged = sum(len(publisher.acknowledged) for publisher in publishers)
    assert resume(node, tenant, endpoint, receiver) == acknowledged
    assert len({json.loads(arrival.body)["event"]["payload"]["n"] for arrival in receiver.at("/in")}) == acknowledged


# ---- at random ----

# Records the jobs of orders when they are stored, because a delivery removes a job's row.
REMEMBER = """
CREATE TABLE remembered (job_id uuid PRIMARY KEY, place bigint);
CREATE FUNCTION remember() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN INSERT INTO remembered VALUES (NEW.job_id, NEW.fifo_seq) ON CONFLICT DO NOTHING; RETURN NULL; END$$;
CREATE TRIGGER remember AFTER INSERT ON jobs FOR EACH ROW WHEN (NEW.fifo_seq IS NOT NULL) EXECUTE FUNCTION remember()"""


class KeyedPublisher(Publisher):
    def event(self):
        return super().event() | {"ordering_key": f"key {self.random.randrange(KEYS)}"}


class Troubles:
    def __init__(self, nodes, rng):
        self.nodes = nodes
        self.rng = rng
        self.counts = Counter()

    def make(self, count):
        kinds = [self.kill_tree, self.stop_tree, self.freeze_tree, self.freeze_process, self.kill_process, self.end_sessions,
                 self.restart_postgres]
        for number in range(count):
            if number % len(kinds) == 0:
                self.rng.shuffle(kinds)
            trouble, node = kinds[number % len(kinds)], self.rng.choice(self.nodes)
            for each in self.nodes:
                with open(each.daemon.log_path, "ab") as log:
                    log.write(f"--- {trouble.__name__} node {self.nodes.index(node)}\n".encode())
            trouble(node)
            self.counts[trouble.__name__] += 1
            time.sleep(self.rng.uniform(0, 2))

    def process(self, node):
        return wait_until(lambda: node.daemon.pids(self.rng.choice(["publisher", "courier"])), "its processes")[0]

    def kill_tree(self, node):
        node.daemon.kill()
        time.sleep(self.rng.uniform(0, 2 * TIMEOUT))
        node.daemon.start(store_ready=False)

    def stop_tree(self, node):
        node.daemon.stop()
        time.sleep(self.rng.uniform(0, TIMEOUT))
        node.daemon.start(store_ready=False)

    def freeze_tree(self, node):
        with frozen(node.daemon):
            time.sleep(self.rng.uniform(0, 2.5 * TIMEOUT))

    def freeze_process(self, node):
        with contextlib.suppress(ProcessLookupError), stopped(self.process(node)):
            time.sleep(self.rng.uniform(0, TIMEOUT))

    def kill_process(self, node):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process(node), signal.SIGKILL)

    def end_sessions(self, node):
        node.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                   " AND pid != pg_backend_pid() AND backend_type = 'client backend' ORDER BY random() LIMIT 4")

    def restart_postgres(self, node):
        node.database.server.stop()
        time.sleep(self.rng.uniform(0, 1.5 * TIMEOUT))
        node.database.server.start()


def goings_back(arrivals, places, key):
    """
    The number of times an order went back to jobs that had arrived already. A new sender repeats jobs whose outcomes
    were not committed. A job never arrives for the first time after a later one.
    """
    arrived, highest, last, count = set(), {}, {}, 0
    for arrival in arrivals:
        place, of = places[arrival.job], key(arrival)
        assert arrival.job in arrived or place > highest.get(of, -1), f"{place} of {of} behind {highest[of]}, at {arrival.at}"
        arrived.add(arrival.job)
        highest[of] = max(place, highest.get(of, place))
        count += place < last.get(of, place)
        last[of] = place
    return count


def key_of(arrival):
    return json.loads(arrival.body)["event"]["ordering_key"]


@pytest.mark.wanted_by("FIFO_TROUBLES")
@pytest.mark.timeout(240 + 40 * TROUBLES)
def test_the_order_holds_on_nodes_under_random_blows(start_nodes, receiver):
    seed = int(os.environ.get("FIFO_SEED", random.SystemRandom().randrange(10**6)))
    print(f"FIFO_SEED={seed}")
    nodes = start_nodes(3)
    nodes[0].query(REMEMBER)
    tenant = nodes[0].new_tenant()
    for node in nodes:
        client_of(node, tenant)
    failing = random.Random(seed)
    endpoints = Endpoints(tenant, receiver)
    for path, fields in (("/in", {}), ("/by-key", {"ordering": "key"})):
        receiver.answers[path] = lambda _arrival: Answer(500 if failing.random() < 0.03 else 200, delay=0.002)
        endpoints.add(path, fifo=True, rate_limit_rps=10000, retry_schedule=["1s"] * 20, timeout_ms=3000, **fields)
    publishers = [KeyedPublisher(node, tenant, number, pause=0.05) for number, node in enumerate(nodes)]
    troubles = Troubles(nodes, random.Random(seed))
    with Publishing(publishers):
        troubles.make(TROUBLES)
    for node in nodes:
        node.daemon.wait_spool_empty()
    acknowledged = sum(len(publisher.acknowledged) for publisher in publishers)
    left = "SELECT count(*) FROM jobs WHERE tenant_id = :id"
    wait_until(lambda: nodes[0].value(left, id=tenant.id) == 0, "every job to be delivered", 120 + 10 * TROUBLES)
    places = {str(row["job_id"]): row["place"] for row in nodes[0].query("SELECT job_id, place FROM remembered")}
    arrivals = {path: receiver.at(path) for path in ("/in", "/by-key")}
    delivered = [Counter(arrival.job for arrival in those if arrival.answer.delivers) for those in arrivals.values()]
    back = goings_back(arrivals["/in"], places, lambda _arrival: None), goings_back(arrivals["/by-key"], places, key_of)
    print(dict(troubles.counts), f"{acknowledged} events acknowledged, {len(places)} jobs, {sum(sum(d.values()) for d in delivered)} delivered,"
          f" {back} times back to what had arrived")
    assert sum(len(d) for d in delivered) == len(places) >= 2 * acknowledged
    assert back[0] <= TROUBLES and back[1] <= KEYS * TROUBLES
