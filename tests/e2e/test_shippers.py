"""
Bodies as log shippers and clients in several languages write them. Additional members are kept, and unset members count
as absent.
"""

import json

import pytest

from harness.client import JSON, NDJSON
from harness.events import minimal

# Fluent Bit adds a float as the first member of each record.
RECORDS = [{"date": 1764000000.123456 + n, **minimal(), "log": f"line {n}", "kubernetes": {"pod_name": "p"}} for n in range(3)]
KEPT = [{name: record[name] for name in ("date", "log", "kubernetes")} for record in RECORDS]


@pytest.fixture
def daemon(shared_hooksd):
    return shared_hooksd()


@pytest.mark.parametrize("body,content_type", [
    (RECORDS, JSON),
    ("".join(json.dumps(record) + "\n" for record in RECORDS), NDJSON),
], ids=["json", "json_lines"])
def test_batches_of_fluent_bit_are_stored(daemon, body, content_type):
    reply = daemon.post_batch(body, content_type=content_type, prefer="handling=lenient")
    assert reply.status == 202 and reply.json()["accepted"] == 3
    assert [event["data"] for event in daemon.jsonl_events()] == KEPT


@pytest.mark.parametrize("path", ["/events", "/events/batch"])
@pytest.mark.parametrize("between", ["", "\n"], ids=["json_stream", "lines"])
def test_several_json_values_in_one_body_get_advice(daemon, path, between):
    with daemon.client() as client:
        reply = client.post(path, between.join(map(json.dumps, RECORDS)))
    assert reply.status == 422
    error, = reply.json()["detail"]
    assert "application/x-ndjson" in error["ctx"]["error"] and "/events/batch" in error["ctx"]["error"]
    assert daemon.jsonl_events() == []


def test_events_of_vector_are_stored(daemon):
    event = minimal(host="h", message="{}", source_type="file", file="/x", timestamp="2026-11-22T10:00:00.123456789Z")
    assert daemon.post_batch([event]).status == 202
    stored, = daemon.jsonl_events()
    assert stored["timestamp"] == "2026-11-22T10:00:00.123456Z"
    assert stored["data"] == {"host": "h", "message": "{}", "source_type": "file", "file": "/x"}


def test_members_beyond_the_envelope_become_data(daemon):
    beyond = {"context": {"a": [1, {"b": None}]}, "metadata": {}, "provider": "p"}
    for data in ({}, {"data": None}, {"data": {}}):
        assert daemon.post_event({**minimal(), **data, **beyond}).status == 202
    assert [event["data"] for event in daemon.jsonl_events()] == [beyond] * 3


def test_zero_values_of_go_count_as_absent(daemon):
    unset = {"event_id": "", "timestamp": "0001-01-01T00:00:00Z", "data": None, "workflow_id": ""}
    for event_id in ("", "00000000-0000-0000-0000-000000000000", "0" * 26, "<nil>"):
        assert daemon.post_event({**minimal(), **unset, "event_id": event_id}).status == 202
    events = daemon.jsonl_events()
    assert len({event["event_id"] for event in events}) == 4
    assert all(event["timestamp"] > "2020" for event in events)
