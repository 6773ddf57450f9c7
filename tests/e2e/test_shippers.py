"""Bodies as shippers and clients of several languages write them: what they add is kept, what they leave unset is none."""

import json

import pytest

from harness.client import JSON, NDJSON
from harness.events import minimal

# Fluent Bit puts a float before the members of each record.
RECORDS = [{"date": 1764000000.123456 + n, **minimal(), "log": f"line {n}", "kubernetes": {"pod_name": "p"}} for n in range(3)]
KEPT = [{name: record[name] for name in ("date", "log", "kubernetes")} for record in RECORDS]


@pytest.fixture
def daemon(shared_hooksd):
    return shared_hooksd()


@pytest.mark.parametrize("body,content_type", [
    (RECORDS, JSON),
    ("".join(json.dumps(record) + "\n" for record in RECORDS), NDJSON),
], ids=["json", "json_lines"])
def test_fluent_bit(daemon, body, content_type):
    reply = daemon.post_batch(body, content_type=content_type, prefer="handling=lenient")
    assert reply.status == 202 and reply.json()["accepted"] == 3
    assert [event["data"] for event in daemon.jsonl_events()] == KEPT


@pytest.mark.parametrize("path", ["/events", "/events/batch"])
@pytest.mark.parametrize("between", ["", "\n"], ids=["json_stream", "lines"])
def test_several_values_as_one_are_told_what_to_send(daemon, path, between):
    with daemon.client() as client:
        reply = client.post(path, between.join(map(json.dumps, RECORDS)))
    assert reply.status == 422
    error, = reply.json()["detail"]
    assert "application/x-ndjson" in error["ctx"]["error"] and "/events/batch" in error["ctx"]["error"]
    assert daemon.jsonl_events() == []


def test_vector(daemon):
    event = minimal(host="h", message="{}", source_type="file", file="/x", timestamp="2026-11-22T10:00:00.123456789Z")
    assert daemon.post_batch([event]).status == 202
    stored, = daemon.jsonl_events()
    assert stored["timestamp"] == "2026-11-22T10:00:00.123456Z"
    assert stored["data"] == {"host": "h", "message": "{}", "source_type": "file", "file": "/x"}


def test_content_beyond_the_envelope_without_data(daemon):
    beyond = {"context": {"a": [1, {"b": None}]}, "metadata": {}, "provider": "p"}
    for data in ({}, {"data": None}, {"data": {}}):
        assert daemon.post_event({**minimal(), **data, **beyond}).status == 202
    assert [event["data"] for event in daemon.jsonl_events()] == [beyond] * 3


def test_go_writes_what_is_not_set(daemon):
    unset = {"event_id": "", "timestamp": "0001-01-01T00:00:00Z", "data": None, "workflow_id": ""}
    for event_id in ("", "00000000-0000-0000-0000-000000000000", "0" * 26, "<nil>"):
        assert daemon.post_event({**minimal(), **unset, "event_id": event_id}).status == 202
    events = daemon.jsonl_events()
    assert len({event["event_id"] for event in events}) == 4
    assert all(event["timestamp"] > "2020" for event in events)
