"""
Courier 0 is killed at a statement of its claim of the node's row, before the statement goes to the database or after it
has taken effect. Then the node has one row with a new epoch, the file in DATA_DIR names it, and waiting jobs are
delivered. KILL_ALL=1 tries every statement instead of a sample.
"""

import os
import random

import pytest

from harness.deliveries import Endpoints
from harness.killpoint import AFTER, BEFORE, Killpoint
from harness.recording_receiver import Answer, Receiver
from harness.waiting import wait_until
from harness.webhooks import STORES

ALL = os.environ.get("KILL_ALL") == "1"
SAMPLE = 2
# {state of the file: statements of the claim}. SQLite steps twice for a statement with a row.
FOUND = {
    "postgres": {"nothing": 3, "a claim that ended": 3, "a claim that never reached the row": 6, "a claim that reached the row": 6},
    "embedded": {"nothing": 4, "a claim that ended": 4, "a claim that never reached the row": 7, "a claim that reached the row": 8},
}


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


class Node:
    """The node's row and its file in DATA_DIR."""

    def __init__(self, hookline):
        self.hookline = hookline
        self.path = hookline.daemon.directory / ".agentic/hooksd/hl-node"

    def rows(self):
        return [(row["node_id"], row["epoch"]) for row in self.hookline.query("SELECT node_id, epoch FROM delivery_nodes")]

    def named(self):
        """Node, epoch and next epoch, or None while the file is incomplete."""
        words = self.path.read_text().split() if self.path.exists() else []
        return tuple(map(int, words[2:5])) or None

    def claimed(self):
        """The only row, if the file names its epoch and no other."""
        rows = self.rows()
        return len(rows) == 1 and self.named() == (*rows[0], rows[0][1]) and rows[0]

    def leave(self, found):
        """Puts the row and the file into that state."""
        node, epoch = self.rows()[0]
        named = {"a claim that never reached the row": (epoch, epoch + 1), "a claim that reached the row": (epoch + 1, epoch)}
        if found == "nothing":
            self.hookline.query("DELETE FROM delivery_nodes")
            self.path.unlink()
        elif found in named:
            line = "hl-node 1 {} {} {}".format(node, *named[found])
            self.path.write_text(f"{line} {crc32c(line.encode()):08x}\n")


@pytest.mark.unsanitized("a sanitizer's library must be loaded first")
@pytest.mark.timeout(600 if ALL else 60)
@pytest.mark.parametrize("store", STORES)
def test_a_node_has_one_row_and_delivers_although_courier_0_dies_in_its_claim(make_hookline, tmp_path, store):
    killpoint = Killpoint(tmp_path / "killpoint", process="courier-0")
    hookline = make_hookline(store, STORAGE_TYPE="jsonl", ACCEPTORS=1, HL_COURIERS=1, HL_PUBLISHERS=1,
                             HL_ALLOW_NETWORKS="loopback", **killpoint.environment()).start()
    node = Node(hookline)
    points = [(found, statement, side) for found, statements in FOUND[store].items()
              for statement in range(1, statements + 1) for side in (BEFORE, AFTER)]
    points = points if ALL else random.sample(points, SAMPLE)
    print(points)
    with Receiver() as receiver:
        endpoints = Endpoints(hookline.new_tenant(), receiver)
        endpoints.add("/", retry_schedule="1s,1s,1s,1s,1s,1s")
        for found, statement, side in points:
            told = f"found {found}, statement {statement}, {('before', 'after')[side]}"
            before = wait_until(node.claimed, f"the row before: {told}")
            receiver.answers["/"] = Answer(503)
            made = endpoints.tenant.client.post("/v1/events", {"topic": "waits"})
            assert made.status == 201, made
            job, = made.json["job_ids"]
            wait_until(lambda: any(arrival.job == job for arrival in receiver.arrivals), "the first attempt")
            hookline.daemon.stop()
            del receiver.answers["/"]
            node.leave(found)
            killpoint.arm(statement, side)
            hookline.start()
            wait_until(lambda: killpoint.left() == 0, f"the death: {told}")
            after = wait_until(node.claimed, f"one row: {told}; {node.rows()}, {node.named()}")
            assert after[0] == before[0] and after[1] != before[1], told
            wait_until(lambda: any(arrival.job == job and arrival.answer.delivers for arrival in receiver.arrivals),
                       f"what waited: {told}")
