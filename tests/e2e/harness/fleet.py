"""
Several nodes on one PostgreSQL, each with its own network to it, its own disk and its own clock; and clients of all
nodes.
"""

import os
import signal
import threading
from contextlib import contextmanager, suppress
from datetime import datetime, timezone

import psycopg

from harness.daemon import session_members
from harness.deliveries import Publisher
from harness.waiting import PATIENCE, wait_until
from harness.webhooks import ApiClient

ROWS = "SELECT node_id, epoch, adopted_by, left_at, alive_at > now() - :s * interval '1 s' AS alive FROM delivery_nodes"


class Node:
    """
    A daemon. network: its connection to PostgreSQL. disk: holds its DATA_DIR. clock: None if no library is preloaded.
    patient: its STUCK_AFTER_SECONDS is longer than any blow.
    """

    def __init__(self, hookline, network, disk, clock, patient):
        self.hookline = hookline
        self.daemon = hookline.daemon
        self.network = network
        self.disk = disk
        self.clock = clock
        self.patient = patient
        self.whole = threading.Lock()  # a thread takes it before it ends, starts or stops the whole tree

    def epochs(self):
        """The number of its row and the possible epochs of the row, from the file in DATA_DIR."""
        words = (self.disk.path / "data/hl-node").read_text().split()
        return int(words[2]), {int(words[3]), int(words[4])}

    def is_adopted(self):
        """Whether another node has taken its row. False also while PostgreSQL does not answer."""
        number, epochs = self.epochs()
        with suppress(psycopg.Error):
            rows = self.hookline.query("SELECT epoch, adopted_by FROM delivery_nodes WHERE node_id = :id", id=number)
            return all(row["adopted_by"] is not None or row["epoch"] not in epochs for row in rows)
        return False

    @contextmanager
    def frozen(self):
        """Stops the whole tree with SIGSTOP during the block."""
        os.kill(self.daemon.pid, signal.SIGSTOP)  # the master goes first, so it starts no new children
        pids = session_members(self.daemon.pid)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in reversed(pids):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)


class Fleet:
    def __init__(self, nodes, timeout):
        """timeout: the value of HL_NODE_TIMEOUT_SECS."""
        self.all = nodes
        self.timeout = timeout
        self.database = nodes[0].hookline.database

    @contextmanager
    def one(self, rng):
        """A node that no other thread ends or stops during the block."""
        free = next(node for node in rng.sample(self.all, len(self.all)) if node.whole.acquire(blocking=False))
        try:
            yield free
        finally:
            free.whole.release()

    def patient(self):
        return next(node for node in self.all if node.patient)

    def client(self, rng, key):
        """A client of a random node."""
        return ApiClient(rng.choice(self.all).hookline, key)

    def log(self, text):
        line = f"--- {datetime.now(timezone.utc):%H:%M:%S.%f} {text}\n"
        for node in self.all:
            with open(node.daemon.log_path, "ab") as log:
                log.write(line.encode())

    def rows(self):
        return self.all[0].hookline.query(ROWS, s=self.timeout)

    def wait_well(self):
        """Waits until all nodes have a store and delivery_nodes holds exactly them."""
        for node in self.all:
            node.daemon.wait_store_ready()
            node.hookline.wait_ready()
        try:
            wait_until(self._all_alive, "delivery_nodes to hold the living", 10 * self.timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.rows()}, {[node.epochs() for node in self.all]}") from None

    def _all_alive(self):
        alive = {(row["node_id"], row["epoch"]) for row in self.rows()
                 if row["alive"] and row["adopted_by"] is None and row["left_at"] is None}
        named = [node.epochs() for node in self.all]
        return len(self.rows()) == len(alive) == len(named) and alive == {
            (number, epoch) for number, epochs in named for epoch in epochs}


class FleetPublisher(Publisher):
    """Uses a random node, and a new one after a lost connection or a refusal, as behind a load balancer."""

    timeout = 5

    def __init__(self, nodes, *given, **named):
        super().__init__(nodes.all[0].hookline, *given, **named)
        self.nodes = nodes.all

    def ask(self, body):
        if self.client is None:
            self.hookline = self.random.choice(self.nodes).hookline
        reply = super().ask(body)
        if reply is not None and reply.status == 503:
            self.client.close()
            self.client = None
        return reply


class UnkeyedPublisher(FleetPublisher):
    """Publishes without idempotency keys, so it never sends an event again."""

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        self.refused = {}

    def event(self):
        event = super().event()
        del event["idempotency_key"]
        return event

    def publish_until_acknowledged(self):
        events = [self.event() for _ in range(self.batch)]
        topics = {event["payload"]["n"]: event["topic"] for event in events}
        reply = self.ask(events if self.batch > 1 else events[0])
        if reply is None:
            self.perhaps |= topics
        elif reply.status == 503:
            kept = "nothing of" not in reply.json()["detail"]
            (self.perhaps if kept else self.refused).update(topics)
        else:
            for (name, topic), item in zip(topics.items(), self.count(reply)):
                (self.refused if "error" in item else self.acknowledged)[name] = topic
        if reply is None or reply.status == 503:
            self.ending.wait(0.05 * PATIENCE)


class OrderedPublisher(FleetPublisher):
    """
    Waits for each answer before the next event. in_order: the names of its events, without spooled ones, which may be
    stored later.
    """

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        self.in_order = []

    def publish_until_acknowledged(self):
        spooled = self.acks["spooled"]
        super().publish_until_acknowledged()
        if self.acks["spooled"] == spooled:
            self.in_order.append(f"{self.number}-{self.made}")
