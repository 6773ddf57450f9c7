"""
Power cuts of a machine with webhooks in SQLite (as in test_power_cut.py), in the middle of publishing, of storing
outcomes, or of the node's claim of its row. Acknowledged events are stored and delivered by the same node.
"""

import http.client
import os
import sqlite3
import time
from contextlib import closing

import pytest

from harness.client import Client
from harness.deliveries import Endpoints
from harness.recording_receiver import Receiver
from harness.waiting import wait_until
from test_node_killed import Node
from test_power_cut import ROUNDS, Cuts, in_spans, missing


class PublishCuts(Cuts):
    """acknowledged holds ids of jobs."""

    def set_up(self, hookline, receiver):
        """A new disk with a tenant and an endpoint, and without a claimed node's row."""
        self.new_disk()
        hookline.start()
        tenant = hookline.new_tenant()
        self.key = tenant.client.key
        Endpoints(tenant, receiver).add("/", max_in_flight=50, rate_limit_rps=10000)
        hookline.daemon.stop()
        hookline.query("DELETE FROM delivery_nodes")
        Node(hookline).path.unlink()

    def post(self, port, seed, sessions):
        """Publishes until the power is cut. Never repeats a request."""
        with Client(port, timeout=20) as client:
            while True:
                try:
                    reply = client.post("/v1/events/batch", [{"topic": "cut", "payload": "x" * 400}] * (1 + seed % 5),
                                        Authorization=f"Bearer {self.key}")
                except (OSError, http.client.HTTPException):
                    return
                if reply.status == 201:
                    self.acknowledged += [job for item in reply.json()["items"] for job in item["job_ids"]]
                    self.acks["stored"] += 1 + seed % 5
                else:
                    assert reply.status == 503, reply
                    time.sleep(0.005)


def whole(hookline):
    with closing(sqlite3.connect(hookline.data_path)) as db:
        return db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.wanted_by("POWERCUT_ROUNDS")
@pytest.mark.timeout(120 + 4 * ROUNDS)
def test_acknowledged_events_are_delivered_after_power_cuts(make_hookline):
    hookline = make_hookline("embedded", STORAGE_TYPE="jsonl", ACCEPTORS=1, HL_ALLOW_NETWORKS="loopback")
    cuts = PublishCuts(hookline.daemon, "webhooks")
    with Receiver() as receiver:
        for span in in_spans(cuts):
            cuts.set_up(hookline, receiver)
            for _ in span:
                cuts.round()
            hookline.start()
            wait_until(Node(hookline).claimed, "the node's one row")
            wait_until(lambda: not hookline.query("SELECT 1 FROM jobs LIMIT 1"), "all jobs to end", 60)
            assert missing(cuts.acknowledged, [arrival.job for arrival in receiver.arrivals if arrival.answer.delivers]) == []
            hookline.daemon.stop()
            assert whole(hookline)
            receiver.arrivals.clear()


def test_without_syncs_published_events_would_be_lost(make_hookline):
    """Checks that the test above can fail."""
    hookline = make_hookline("embedded", STORAGE_TYPE="jsonl", ACCEPTORS=1, HL_ALLOW_NETWORKS="loopback")
    cuts = PublishCuts(hookline.daemon, "webhooks without syncs")
    with Receiver() as receiver:
        receiver.refuse()
        cuts.set_up(hookline, receiver)
        cuts.round(keep="nothing", at=0, ignore="files", meanwhile=cuts.wait_acknowledged)
        stored = [row["job_id"] for row in hookline.query("SELECT job_id FROM jobs")]
        assert missing(cuts.acknowledged, stored) == cuts.acknowledged != []
