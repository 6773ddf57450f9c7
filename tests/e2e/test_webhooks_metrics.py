"""The metrics that dashboards of HookLine use: the same in both forms, and right. Both stores."""

import re

from harness.deliveries import Endpoints
from harness.metrics import series, text_of
from harness.postgres import free_port
from harness.recording_receiver import Answer
from harness.waiting import wait_until

SAMPLE = re.compile(r'^(hookline_\w+)(?:{(.*)})? (\S+)$', re.MULTILINE)


def from_text(hookline):
    """{(name, values of labels...): number} of the text format."""
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


def test_published_and_delivered_events_are_counted(hookline, tenant, receiver):
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
    # Jobs of other tests may be attempted at the same time.
    wait_until(lambda: more()["hookline_deliveries_total", "success"] >= 2, "both deliveries")
    wait_until(lambda: more()["hookline_store_ops_total", "outcome", "ok"] >= 1, "their outcomes")
    found = more()
    assert found["hookline_events_published_total",] >= 1
    assert found["hookline_deliveries_total", "retried"] >= 1
    assert found["hookline_deliveries_total", "failed"] == found["hookline_dlq_total",] >= 1
    assert found["hookline_delivery_latency_ms_count",] == found["hookline_delivery_latency_ms_bucket", "+Inf"] >= 4
    assert found["hookline_store_ops_total", "publish", "ok"] >= 1
    assert found["hookline_store_ops_total", "request", "ok"] >= 1


def test_attempts_are_counted_by_outcome(hookline, tenant, receiver):
    endpoints = Endpoints(tenant, receiver)
    answers = {"/in": Answer(), "/moved": Answer(status=302), "/gone": Answer(status=404), "/broken": Answer(status=503)}
    receiver.answers.update(answers)
    for path in answers:
        endpoints.add(path, retry_schedule=["1h"])
    nobody = tenant.client.post("/v1/endpoints", {"url": f"http://127.77.0.1:{free_port()}/", "retry_schedule": ["1h"]})
    tenant.client.post("/v1/subscriptions", {"endpoint_id": nobody.json["id"], "topic_pattern": "#"})
    before = series(hookline.daemon)
    assert tenant.client.post("/v1/events", {"topic": "orders.made"}).status == 201

    def more():
        return series(hookline.daemon) - before

    for outcome in ("2xx", "3xx", "4xx", "5xx", "refused"):
        wait_until(lambda: more()[f'attempts_total{{outcome="{outcome}"}}'] >= 1, outcome)


def test_metrics_cover_the_whole_store(hookline, tenant, receiver):
    """The figures of upkeep, and the heartbeat of the only node."""
    Endpoints(tenant, receiver).add("/in")

    def told():
        numbers = series(hookline.daemon)
        return numbers['endpoints{state="enabled"}'] > 0 and numbers['delivery_nodes{state="alive"}'] == 1 and numbers

    numbers = wait_until(told, "upkeep to tell it", 90)
    assert numbers['delivery_nodes{state="silent"}'] == numbers['delivery_nodes{state="left"}'] == 0
    assert numbers["heartbeat_age_seconds"] > 0 and numbers["node_silence_seconds"] >= 0
    assert numbers["courier_memory_limit_bytes"] > 0 and numbers["webhook_months_missing"] == 0
    assert [name for name in numbers if name.startswith("processes_not_ready") and numbers[name]] == []
