"""The metrics that dashboards of HookLine know: in both forms, and equal to what was done. Both stores."""

import re

from harness.deliveries import Endpoints
from harness.metrics import text_of
from harness.recording_receiver import Answer
from harness.waiting import wait_until

SAMPLE = re.compile(r'^(hookline_\w+)(?:{(.*)})? (\S+)$', re.MULTILINE)


def from_text(hookline):
    """{(name, values of labels...): number}"""
    return {(name, *re.findall(r'"([^"]*)"', labels)): float(value)
            for name, labels, value in SAMPLE.findall(text_of(hookline.daemon))}


def flat(tree, path=()):
    for name, value in tree.items():
        yield from flat(value, (*path, name)) if isinstance(value, dict) else [((*path, name), value)]


def from_json(hookline):
    with hookline.daemon.client() as client:
        tree = client.get("/metrics").json()
    return {path: value for path, value in flat(tree) if path[0].startswith("hookline_")}


def test_both_forms_have_the_same_numbers(hookline, tenant, receiver):
    Endpoints(tenant, receiver).add("/in")
    assert tenant.client.post("/v1/events", {"topic": "orders.made"}).status == 201
    receiver.wait(1, "/in")
    text = from_text(hookline)
    assert {name for name, *_ in text} == {
        "hookline_events_published_total", "hookline_deliveries_total", "hookline_dlq_total", "hookline_queue_depth",
        "hookline_inflight", "hookline_rate_limited_total", "hookline_overload_drops_total", "hookline_store_ops_total",
        "hookline_delivery_latency_ms_bucket", "hookline_delivery_latency_ms_sum", "hookline_delivery_latency_ms_count",
        "hookline_stream_clients", "hookline_stream_events_total"}
    assert set(from_json(hookline)) == set(text)
    wait_until(lambda: from_text(hookline) == from_json(hookline), "a moment in which nothing happens")


def test_what_is_published_and_delivered_is_counted(hookline, tenant, receiver):
    endpoints = Endpoints(tenant, receiver)
    receiver.answers["/late"] = [Answer(status=500), Answer()]
    receiver.answers["/never"] = Answer(status=400)
    for path in ("/in", "/late", "/never"):
        endpoints.add(path, retry_schedule=["1s"])
    before = from_text(hookline)

    def more():
        return {path: number - before[path] for path, number in from_text(hookline).items()}

    assert tenant.client.get("/v1/jobs").status == 200
    assert tenant.client.post("/v1/events", {"topic": "orders.made"}).status == 201
    # Other tests may have left jobs that are attempted meanwhile.
    wait_until(lambda: more()["hookline_deliveries_total", "success"] >= 2, "both deliveries")
    wait_until(lambda: more()["hookline_store_ops_total", "outcome", "ok"] >= 1, "their outcomes")
    found = more()
    assert found["hookline_events_published_total",] >= 1
    assert found["hookline_deliveries_total", "retried"] >= 1
    assert found["hookline_deliveries_total", "failed"] == found["hookline_dlq_total",] >= 1
    assert found["hookline_delivery_latency_ms_count",] == found["hookline_delivery_latency_ms_bucket", "+Inf"] >= 4
    assert found["hookline_store_ops_total", "publish", "ok"] >= 1
    assert found["hookline_store_ops_total", "request", "ok"] >= 1
