"""
A full disk of the embedded store, or another program's open transaction: no event is lost and no restart is needed.
"""

import pytest

from harness.deliveries import Endpoints
from harness.metrics import metrics
from harness.recording_receiver import Answer
from harness.waiting import wait_until

LARGE = 64 << 20  # the size of the log in bytes above which hooksd warns


def publish(tenant, **members):
    return tenant.client.post("/v1/events", {"topic": "orders.made"} | members)


def no_job_waits(hookline):
    return not hookline.query("SELECT 1 FROM jobs LIMIT 1")


@pytest.mark.wanted_by("SLOW_TESTS")
def test_events_are_refused_while_the_disk_is_full_and_acknowledged_ones_arrive_once(disk, make_hookline, receiver):
    hookline = make_hookline("embedded", STORAGE_TYPE="jsonl", ACCEPTORS=1, DATA_DIR=disk.path / "data", SPOOL_AFTER_MS=0,
                             STORE_TIMEOUT_MS=1000).start()
    tenant = hookline.new_tenant()
    receiver.answers["/slow"] = Answer(delay=1)
    endpoints = Endpoints(tenant, receiver)
    for path in ("/in", "/slow"):
        endpoints.add(path, rate_limit_rps=1000)
    acknowledged = []

    def answer():
        reply = publish(tenant, payload="x" * 20000)
        if reply.status in (201, 202):
            acknowledged.append(reply.json["id"])
        return reply

    assert answer().status == 201
    receiver.wait(1, "/slow")
    disk.fill(hookline.daemon)  # while the request to /slow waits for its answer
    refused = wait_until(lambda: (reply := answer()).status == 503 and reply, "a refusal")
    assert int(refused.headers["Retry-After"]) > 0 and refused.json["error"] and refused.json["detail"], refused
    wait_until(lambda: all(arrival.done for arrival in receiver.arrivals), "the answers")
    disk.free()
    wait_until(lambda: answer().status == 201, "an event to be stored", 30)
    wait_until(lambda: no_job_waits(hookline), "all jobs to end", 40)
    stored = {row["event_id"] for row in hookline.query("SELECT event_id FROM events WHERE tenant_id = :id", id=tenant.id)}
    assert set(acknowledged) <= stored, "no acknowledged event is lost"
    for path in ("/in", "/slow"):
        assert sorted(arrival.event for arrival in receiver.at(path)) == sorted(stored), "each event arrives once"


@pytest.mark.wanted_by("SLOW_TESTS")
def test_a_metric_shows_the_stores_log_which_shrinks_after_a_readers_transaction(make_hookline):
    hookline = make_hookline("embedded", STORAGE_TYPE="jsonl", ACCEPTORS=1).start()
    tenant = hookline.new_tenant()
    log = hookline.data_path.with_name(hookline.data_path.name + "-wal")

    def told():
        return metrics(hookline.daemon)["embedded_log_bytes"]

    wait_until(lambda: 0 < told() < LARGE, "the metric")
    with hookline.reader() as run:
        run("BEGIN")
        assert run("SELECT count(*) AS n FROM events")[0]["n"] == 0
        while log.stat().st_size <= LARGE + (8 << 20):
            assert publish(tenant, payload="x" * 500_000).status == 201
        wait_until(lambda: told() > LARGE, "the metric to tell")
        hookline.daemon.wait_for_log("the write-ahead log of the embedded store grows.*bytes=[67]")
        run("ROLLBACK")
    wait_until(lambda: told() <= LARGE, "the log to be small again", 20)
    assert log.stat().st_size <= LARGE and publish(tenant).status == 201
