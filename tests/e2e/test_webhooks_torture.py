"""
Torture of published events: calls of a publisher or a courier into the C library fail in turn, as in test_torture.py.
Each acknowledged event is stored once with its job, and arrives. When the fault is over, events are published and
delivered.
"""

import http.client
import threading
from collections import Counter

import pytest

from harness.deliveries import DONE, Endpoints
from harness.endpoints import make
from harness.faults import MEMORY, Faults
from harness.waiting import wait_until
from test_torture import ALL, ALL_CALLS, CALLS, every_call, in_processes

pytestmark = [
    pytest.mark.unsanitized("a sanitizer's library must be loaded first"),
    pytest.mark.timeout(1200),
]
OPTIONS = {"STORAGE_TYPE": "jsonl", "ACCEPTORS": 1, "HL_PUBLISHERS": 1, "HL_COURIERS": 1, "SPOOL_AFTER_MS": 0,
           "MAX_BODY_BYTES": "64KiB", "STORE_TIMEOUT_MS": 1000}


class Published:
    """The events that a tenant with one disabled endpoint publishes. No request is sent twice."""

    def __init__(self, hookline):
        self.hookline = hookline
        self.tenant = hookline.new_tenant()
        endpoint = make(self.tenant.client, enabled=False)
        made = self.tenant.client.post("/v1/subscriptions", {"endpoint_id": endpoint["id"], "topic_pattern": "#"})
        assert made.status == 201, made
        self.sent = 0
        self.acknowledged = set()

    def post(self):
        """Publishes a batch. Returns whether the store has it."""
        self.sent += 3
        try:
            reply = self.tenant.client.post("/v1/events/batch", [{"topic": "torture", "payload": "x" * 200}] * 3)
        except (OSError, http.client.HTTPException):
            return False
        assert reply.status in (*DONE, 503), reply
        if reply.status in DONE:
            self.acknowledged.update(item["id"] for item in reply.json["items"])
        return reply.status == 201

    def wait_well(self):
        wait_until(self.post, "an event that is stored", 30)

    def require(self, what):
        rows = {table: [str(row["event_id"]) for row in self.hookline.query(
            f"SELECT event_id FROM {table} WHERE tenant_id = :id", id=self.tenant.id)] for table in ("events", "jobs")}
        assert self.acknowledged - set(rows["events"]) == set(), f"lost: {what}"
        assert len(set(rows["events"])) == len(rows["events"]) <= self.sent, f"doubled: {what}"
        assert sorted(rows["jobs"]) == sorted(rows["events"]), f"an event makes one job: {what}"


@in_processes(publisher=[*CALLS, "memory-once", "memory-from-then-on"] if ALL_CALLS else ["a-call"])
def test_publishing_into_postgresql_survives_failing_calls(make_hookline, tmp_path, process, mode):
    torture(make_hookline, tmp_path, "postgres", process, mode)


@in_processes(publisher=ALL if ALL_CALLS else ["a-call"])
def test_publishing_into_sqlite_survives_failing_calls(make_hookline, tmp_path, process, mode):
    torture(make_hookline, tmp_path, "embedded", process, mode)


def torture(make_hookline, tmp_path, store, process, mode):
    faults = Faults(tmp_path / "faults", process)
    hookline = make_hookline(store, **OPTIONS | faults.environment())
    if store == "postgres":
        hookline.daemon.options["HL_POSTGRES_URL"] += "?gssencmode=disable"  # avoids a thousand calls of Kerberos
    published = Published(hookline.start())
    published.wait_well()

    def scenario(arm):
        posting = threading.Thread(target=published.post)
        arm()
        posting.start()
        # Faults must not last longer than a client waits.
        wait_until(lambda: not posting.is_alive() or faults.failed >= 5, "an answer, or failures")
        faults.disarm()
        posting.join()
        if mode[0] == MEMORY:
            hookline.daemon.restart()  # the publisher has died; many deaths in a second would end the service
            hookline.wait_ready()
        published.wait_well()
        published.require(faults.last_what)

    every_call(faults, mode, scenario)


class Delivered:
    """The events that a tenant publishes, and their deliveries to its only endpoint."""

    IN_FLIGHT = 5

    def __init__(self, hookline, receiver):
        self.hookline = hookline
        self.receiver = receiver
        self.tenant = hookline.new_tenant()
        Endpoints(self.tenant, receiver).add(
            "/in", max_in_flight=self.IN_FLIGHT, rate_limit_rps=10000, timeout_ms=5000, retry_schedule=["1s"] * 20)
        self.jobs = []

    def publish(self):
        reply = self.tenant.client.post("/v1/events/batch", [{"topic": "torture", "payload": "x" * 200}] * 3)
        assert reply.status == 201, reply
        self.jobs = [job for item in reply.json["items"] for job in item["job_ids"]]

    def done(self):
        return not self.hookline.query("SELECT 1 FROM jobs WHERE tenant_id = :id", id=self.tenant.id)

    def wait_done(self, what):
        wait_until(self.done, f"all jobs to end: {what()}", 40)

    def require(self, what, deaths=1):
        """
        Each job of the last publish has at least one 2xx. Only attempts under way at so many deaths came again.
        """
        times = Counter(arrival.job for arrival in self.receiver.arrivals)
        assert set(self.jobs) - set(times) == set(), f"lost: {what}"
        assert sum(times[job] - 1 for job in self.jobs) <= self.IN_FLIGHT * deaths, f"doubled: {what}"
        succeeded = {str(row["job_id"]) for row in self.hookline.query(
            "SELECT job_id FROM attempts WHERE tenant_id = :id AND status = 'success'", id=self.tenant.id)}
        assert set(self.jobs) - succeeded == set(), f"without an attempt: {what}"
        assert self.tenant.client.get("/v1/dlq").json["count"] == 0, f"dead: {what}"


@in_processes(courier=[*CALLS, "memory-once", "memory-from-then-on"] if ALL_CALLS else ["a-call"])
def test_delivering_from_postgresql_survives_failing_calls(make_hookline, tmp_path, receiver, process, mode):
    torture_courier(make_hookline, tmp_path, receiver, "postgres", process, mode)


@in_processes(courier=ALL if ALL_CALLS else ["a-call"])
def test_delivering_from_sqlite_survives_failing_calls(make_hookline, tmp_path, receiver, process, mode):
    torture_courier(make_hookline, tmp_path, receiver, "embedded", process, mode)


def torture_courier(make_hookline, tmp_path, receiver, store, process, mode):
    faults = Faults(tmp_path / "faults", process)
    hookline = make_hookline(store, **OPTIONS | faults.environment())
    if store == "postgres":
        hookline.daemon.options["HL_POSTGRES_URL"] += "?gssencmode=disable"
    delivered = Delivered(hookline.start(), receiver)
    delivered.publish()
    delivered.wait_done(lambda: "nothing has failed")

    def scenario(arm):
        arm()
        delivered.publish()
        # Faults must not last for ever.
        wait_until(lambda: delivered.done() or faults.failed >= 5, "the jobs to end, or failures", 40)
        faults.disarm()
        if mode[0] == MEMORY:
            hookline.daemon.restart()  # as above
            hookline.wait_ready()
        delivered.wait_done(lambda: faults.last_what)
        delivered.require(faults.last_what, deaths=2 if mode[1] else 1)

    every_call(faults, mode, scenario)
