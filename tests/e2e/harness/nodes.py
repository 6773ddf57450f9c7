"""Several nodes on one PostgreSQL. HL_NODE_TIMEOUT_SECS is short unless a test sets it."""

import contextlib
import os
import signal

from harness.daemon import session_members
from harness.waiting import PATIENCE, wait_until
from harness.webhooks import ApiClient

NODE_TIMEOUT = 6 * PATIENCE
SMALL = {"STORAGE_TYPE": "jsonl", "ACCEPTORS": 1, "HL_PUBLISHERS": 1, "HL_COURIERS": 1, "HL_NODE_TIMEOUT_SECS": NODE_TIMEOUT,
         "STORE_TIMEOUT_MS": 2000 * PATIENCE}


class Nodes:
    """nodes(count) starts so many more nodes, with the same database and master key, and returns them."""

    def __init__(self, make_hookline):
        self.make_hookline = make_hookline
        self.nodes = []

    def __call__(self, count, database=None, **options):
        """database: the first node's database. None: a new one."""
        for _ in range(count):
            first = self.nodes[0] if self.nodes else None
            shared = {"HL_MASTER_KEY": first.daemon.options["HL_MASTER_KEY"]} if first else {}
            node = self.make_hookline("postgres", first.database if first else database, **SMALL | options | shared)
            self.nodes.append(node.start())
            assert own_number(node) == len(self.nodes)
        return self.nodes[-count:]


@contextlib.contextmanager
def frozen(daemon):
    """Stops the whole tree with SIGSTOP during the block."""
    pids = session_members(daemon.pid)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def own_number(node):
    return int(node.daemon.wait_for_log(r"this node has a row in delivery_nodes.*\bnode_id=(\d+)").group(1))


def client_of(node, tenant):
    there = ApiClient(node, tenant.client.key)
    wait_until(lambda: there.get("/v1/events").status == 200, "the node to know the key")
    return there


def publish(client, count, topic="orders.made"):
    """Publishes so many events in one batch. Returns the ids of the jobs."""
    reply = client.post("/v1/events/batch", [{"topic": topic, "payload": {"n": number}} for number in range(count)])
    assert reply.status == 201, reply
    return [job for item in reply.json["items"] for job in item["job_ids"]]


def delivered(receiver, jobs):
    """The number of delivered requests of each job."""
    arrivals = [arrival.job for arrival in list(receiver.arrivals) if arrival.answer.delivers]
    return [arrivals.count(job) for job in jobs]
