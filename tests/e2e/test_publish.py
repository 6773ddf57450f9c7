"""
Publishing: valid events, replies, refusals, idempotency keys and batches. Over both stores.
"""

import json
import time
import uuid

import pytest

from harness.endpoints import make, run_at_once
from harness.waiting import wait_until
from harness.webhooks import one_store

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def client(hookline):
    client = hookline.new_tenant().client
    wait_until(lambda: client.post("/v1/events", {}).status == 400, "a publisher that takes events", 20)
    return client


def publish(client, topic="order.created", **members):
    return client.post("/v1/events", {"topic": topic} | members)


def time_of(event_id):
    return uuid.UUID(event_id).int >> 80


def job_id(event_id, number):
    return str(uuid.UUID(int=uuid.UUID(event_id).int + number))


def subscribe(client, pattern="#"):
    endpoint = make(client, enabled=False)
    reply = client.post("/v1/subscriptions", {"endpoint_id": endpoint["id"], "topic_pattern": pattern})
    assert reply.status == 201, reply
    return endpoint


# ---- one event ----


def test_the_reply_has_the_event_with_its_id_and_times(client):
    before = int(time.time() * 1000)
    sent = {"topic": "order.created", "payload": {"n": [1, None]}, "idempotency_key": "k", "ordering_key": "o",
            "target_user_id": "u", "occurred_at": 1700000000123, "source": {"shop": 7}}
    reply = client.post("/v1/events", sent)
    event = reply.json
    assert reply.status == 201 and reply.headers["X-Tenant-Id"] == event["tenant_id"]
    assert {name: event[name] for name in sent} == sent
    assert set(event) - set(sent) == {"id", "event_id", "tenant_id", "created_at", "job_ids", "deduped"}
    assert event["id"] == event["event_id"] and event["id"].endswith("0000") and uuid.UUID(event["id"]).version == 7
    assert event["created_at"] == time_of(event["id"]) and abs(event["created_at"] - before) < 60000
    assert event["job_ids"] == [] and event["deduped"] is False
    assert publish(client).json["id"] > event["id"]


def test_an_event_with_only_a_topic_has_a_null_payload_and_the_current_time(client):
    event = publish(client).json
    assert event["payload"] is None and event["occurred_at"] == event["created_at"]
    assert not set(event) & {"idempotency_key", "ordering_key", "target_user_id", "_trace"}


def test_job_ids_count_up_from_the_event_id(client):
    for _ in range(2):
        subscribe(client, "order.*")
    subscribe(client, "other")
    event = publish(client).json
    assert sorted(event["job_ids"]) == [job_id(event["id"], 1), job_id(event["id"], 2)]


def test_the_payload_comes_back_byte_for_byte(client):
    texts = ["-0", "1.10", "1e400", "12345678901234567890123", '"\\u001B\\u001b\\u2028\\/"', '{"b":1,"a":2}',
             '{"role":"a","role":"b"}', '"\\u0000"', '"\\ud800"', '"\U0001f600"', "[[],{}]", '""']
    for text in texts:
        reply = client.post("/v1/events", '{"topic":"t", "payload" : %s }' % text)
        assert reply.status == 201 and f'"payload":{text},'.encode() in reply.body, (text, reply)
    reply = client.post("/v1/events", '{"topic":"t","payload":{ "a" : [ 1 , 2 ] , "b c" : " d " }}')
    assert b'"payload":{"a":[1,2],"b c":" d "},' in reply.body


def test_members_that_the_service_adds_are_ignored_from_clients(client):
    made = {"id": "x", "event_id": "x", "tenant_id": "other", "created_at": 1, "job_ids": ["x"], "deduped": True, "_trace": {}}
    event = client.post("/v1/events", {"topic": "t"} | made).json
    assert event["tenant_id"] != "other" and event["job_ids"] == [] and "_trace" not in event
    # An event that was read can be published again as a new event.
    again = client.post("/v1/events", event)
    assert again.status == 201 and again.json["id"] != event["id"]


def test_a_valid_trace_is_kept(client):
    def trace(*headers):
        reply = client.request("POST", "/v1/events", {"topic": "t"}, headers=headers)
        assert reply.status == 201
        return reply.json.get("_trace")

    assert trace(("traceparent", TRACEPARENT)) == {"traceparent": TRACEPARENT}
    assert trace(("traceparent", TRACEPARENT), ("tracestate", "a=1"), ("tracestate", "b=2")) == {
        "traceparent": TRACEPARENT, "tracestate": "a=1,b=2"}
    for wrong in ("", "x", TRACEPARENT.upper(), TRACEPARENT + "-1", "00-" + "0" * 32 + TRACEPARENT[35:], "ff" + TRACEPARENT[2:]):
        assert trace(("traceparent", wrong), ("tracestate", "a=1")) is None, wrong
    assert trace(("tracestate", "a=1")) is None
    assert trace(("traceparent", TRACEPARENT), ("tracestate", "x" * 513)) == {"traceparent": TRACEPARENT}


def test_any_content_type_is_accepted(client):
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "application/cloudevents+json", "nonsense"):
        reply = client.request("POST", "/v1/events", '{"topic":"t"}', headers={"Content-Type": content_type})
        assert reply.status == 201, content_type


# ---- refusals ----

WRONG = [
    ("", "invalid_json", "at byte 0"),
    ("{", "invalid_json", "at byte 1"),
    ('{"topic":"a"} x', "invalid_json", "at byte 14"),
    ('{"topic":"a","payload":NaN}', "invalid_json", "at byte 23"),
    ("[]", "validation_error", "object"),
    ("{}", "validation_error", "topic: Field required"),
    ('{"topic":null}', "validation_error", "topic: "),
    ('{"topic":7}', "validation_error", "topic: "),
    ('{"topic":""}', "validation_error", "topic: "),
    ('{"topic":"a..b"}', "validation_error", "topic: "),
    ('{"topic":"a.*"}', "validation_error", "topic: "),
    ('{"topic":"a\\u0000"}', "validation_error", "topic: "),
    ('{"topic":"%s"}' % ("x" * 256), "validation_error", "topic: "),
    ('{"topic":"hookline.endpoint.disabled"}', "validation_error", "topic: "),
    ('{"topic":"deliveries.status"}', "validation_error", "topic: "),
    ('{"topic":"hooks.x"}', "validation_error", "topic: "),
    ('{"topic":"a","occurred_at":1.5}', "validation_error", "occurred_at: "),
    ('{"topic":"a","occurred_at":"yesterday"}', "validation_error", "occurred_at: "),
    ('{"topic":"a","idempotency_key":7}', "validation_error", "idempotency_key: "),
    ('{"topic":"a","idempotency_key":"null"}', "validation_error", "idempotency_key: "),
    ('{"topic":"a","ordering_key":"\\ud800"}', "validation_error", "ordering_key: "),
    ('{"topic":"a","target_user_id":"%s"}' % ("x" * 256), "validation_error", "target_user_id: "),
    ('{"topic":"a","x":"%s"}' % ("x" * 65535), "validation_error", "too large"),
]


@one_store
def test_an_invalid_event_is_refused_with_the_member(client):
    for body, code, place in WRONG:
        reply = client.post("/v1/events", body)
        assert reply.status == 400 and reply.json["error"] == code and place in reply.json["detail"], (body[:80], reply)
        assert reply.json["message"] == reply.json["detail"] and reply.json["errors"]
    # Other topics than the service's own are allowed.
    assert publish(client, "hookline.x").status == publish(client, "hooksx").status == 201


@one_store
def test_an_event_over_the_size_limit_is_refused(client):
    room = 524288 - len('{"topic":"t","payload":""}')
    assert publish(client, "t", payload="x" * room).status == 201
    reply = publish(client, "t", payload="x" * (room + 1))
    assert reply.status == 413 and reply.json["error"] == "payload_too_large" and "HL_MAX_PAYLOAD_BYTES" in reply.json["detail"]


@one_store
def test_publishing_needs_the_scope_events_publish(hookline, client):
    tenant = hookline.new_tenant()
    reply = publish(tenant.key(["events.read"]))
    assert reply.status == 403 and reply.json["required_scope"] == "events.publish"
    assert publish(tenant.key(["events.publish"])).status == 201
    assert publish(hookline.keyless).status == 401
    for path in ("/v1/events", "/v1/events/batch"):
        assert hookline.keyless.post(path, b"[]").status == 401


def test_publishing_is_off_without_the_api(make_hooksd):
    with make_hooksd(STORAGE_TYPE="jsonl").start().client() as client:
        assert client.request("POST", "/v1/events", body=b'{"topic":"t"}').status == 404


# ---- idempotency ----


def test_a_known_key_returns_the_first_event(client):
    first = publish(client, payload={"a": 1}, idempotency_key="k", extra=1)
    again = client.post(
        "/v1/events", '{ "topic" : "order.created" , "payload" : { "a" : 1 } , "idempotency_key" : "k", "extra": 1 }')
    assert (first.status, again.status) == (201, 200)
    assert again.json == {name: value for name, value in first.json.items() if name != "job_ids"} | {"deduped": True}
    by_header = client.request(
        "POST", "/v1/events", {"topic": "order.created", "payload": {"a": 1}}, headers={"Idempotency-Key": "k"})
    assert by_header.status == 200 and by_header.json["id"] == first.json["id"]


def test_the_same_key_with_another_event_is_a_conflict(client):
    assert client.post("/v1/events", '{"topic":"a","payload":{"x":1,"y":2},"idempotency_key":"k"}').status == 201
    others = ['{"topic":"b","payload":{"x":1,"y":2},"idempotency_key":"k"}', '{"topic":"a","idempotency_key":"k"}',
              '{"topic":"a","payload":{"y":2,"x":1},"idempotency_key":"k"}',
              '{"topic":"a","payload":{"x":1.0,"y":2},"idempotency_key":"k"}']
    for body in others:
        reply = client.post("/v1/events", body)
        assert reply.status == 409 and reply.json["error"] == "idempotency_conflict", body


def test_sixteen_requests_at_once_with_one_key_make_one_event(client):
    replies = []
    run_at_once([lambda: replies.append(publish(client, idempotency_key="k")) for _ in range(16)])
    assert sorted(reply.status for reply in replies) == [200] * 15 + [201]
    assert len({reply.json["id"] for reply in replies}) == 1


def test_one_of_two_events_with_one_key_at_once_is_a_conflict(client):
    """The second request gets its conflict even before the first event is committed."""
    replies = []
    run_at_once([lambda n=n: replies.append((n % 2, publish(client, payload=n % 2, idempotency_key="k"))) for n in range(16)])
    [(winner, first)] = [(payload, reply) for payload, reply in replies if reply.status == 201]
    assert sorted(reply.status for payload, reply in replies if payload == winner) == [200] * 7 + [201]
    assert {reply.json["id"] for payload, reply in replies if payload == winner} == {first.json["id"]}
    others = [reply for payload, reply in replies if payload != winner]
    assert {(reply.status, reply.json["error"]) for reply in others} == {(409, "idempotency_conflict")}
    assert [event["id"] for event in client.items("/v1/events")] == [first.json["id"]]


def test_a_refused_event_does_not_use_up_its_key(client):
    assert client.post("/v1/events", {"topic": "", "idempotency_key": "k"}).status == 400
    assert publish(client, payload="x" * 600000, idempotency_key="k").status == 413
    assert publish(client, idempotency_key="k").status == 201


def test_a_key_belongs_to_its_tenant(hookline, client):
    other = hookline.new_tenant().client
    ids = {publish(who, idempotency_key="k").json["id"] for who in (client, other)}
    assert len(ids) == 2


def test_the_same_key_in_body_and_header_counts_once(client):
    def status(header, key):
        body = {"topic": "t", "idempotency_key": key}
        return client.request("POST", "/v1/events", body, headers={"Idempotency-Key": header}).status

    assert (status("k", "k"), status('"k"', "k"), status("k", "other"), status("k", "")) == (201, 200, 400, 200)
    assert client.request("POST", "/v1/events", {"topic": "t"}, headers={"Idempotency-Key": "null"}).status == 400


# ---- batches ----


def batch(client, body, **headers):
    return client.request("POST", "/v1/events/batch", body, headers=headers)


def test_a_batch_can_be_an_array_or_lines(client):
    subscribe(client, "a")
    events = [{"topic": "a"}, {"topic": "b", "idempotency_key": "k"}]
    array = batch(client, events)
    assert array.status == 201 and (array.json["count"], array.json["failed"]) == (2, 0)
    one, two = array.json["items"]
    assert one == {"id": one["id"], "job_ids": [job_id(one["id"], 1)], "deduped": False}
    assert two == {"id": two["id"], "job_ids": [], "deduped": False} and one["id"] < two["id"]
    lines = batch(client, "\n" + "\n\n".join(json.dumps(event) for event in events) + "\n")
    assert lines.status == 201 and lines.json["items"][1] == {"id": two["id"], "job_ids": None, "deduped": True}


def test_an_empty_batch_is_accepted(client):
    assert batch(client, "[]").json == {"items": [], "count": 0, "failed": 0}
    assert batch(client, "\ufeff [ ] ").json["count"] == 0
    assert batch(client, "").json["error"] == "invalid_json"


def test_one_wrong_event_refuses_the_batch(client):
    reply = batch(client, [{"topic": "a", "idempotency_key": "k"}, {"topic": ""}, {"topic": "c", "occurred_at": "x"}])
    assert reply.status == 400 and reply.json["detail"].startswith("event 1: topic: ")
    assert [error["loc"] for error in reply.json["errors"]] == [["body", 1, "topic"], ["body", 2, "occurred_at"]]
    assert publish(client, "a", idempotency_key="k").status == 201


def test_a_lenient_batch_publishes_the_valid_events(client):
    reply = batch(client, '{"topic":"a"}\n{"topic":""}\nnonsense\n{"topic":"b"}\n', Prefer="handling=lenient")
    assert reply.status == 201 and reply.headers["Preference-Applied"] == "handling=lenient"
    assert reply.json["count"] == len(reply.json["items"]) == 2
    assert reply.json["rejected"] == 2 and [error["loc"][1] for error in reply.json["errors"]] == [1, 2]
    none = batch(client, [{"topic": ""}], Prefer="handling=lenient")
    assert none.status == 400 and none.headers["Preference-Applied"] == "handling=lenient"


def test_a_conflict_in_a_batch_fails_its_event_alone(client):
    assert publish(client, "a", idempotency_key="k").status == 201
    reply = batch(client, [{"topic": "b"}, {"topic": "other", "idempotency_key": "k"}, {"topic": "a", "idempotency_key": "k"}])
    assert reply.status == 201 and (reply.json["count"], reply.json["failed"]) == (3, 1)
    new, conflict, known = reply.json["items"]
    assert new["job_ids"] == [] and known["deduped"]
    assert conflict == {"id": None, "job_ids": None, "deduped": False, "error": "idempotency_conflict"}


def test_a_batch_with_a_key_can_be_repeated(client):
    events = [{"topic": "a"}, {"topic": "b", "idempotency_key": "own"}, {"topic": "a"}]
    first = batch(client, events, **{"Idempotency-Key": "chunk-7"}).json
    again = batch(client, events, **{"Idempotency-Key": "chunk-7"}).json
    assert [item["deduped"] for item in first["items"]] == [False] * 3
    assert again["items"] == [item | {"deduped": True, "job_ids": None} for item in first["items"]]
    assert publish(client, "a", idempotency_key="chunk-7/2").json["id"] == first["items"][2]["id"]


def test_a_batch_that_is_too_large_with_its_headers_is_refused(make_hookline):
    """Headers are stored with each event, so they count."""
    hookline = make_hookline("embedded", ACCEPTORS=1, HL_RING_BYTES="8MiB", MAX_BODY_BYTES="256KiB", MAX_EVENT_BYTES="64KiB",
                             HL_MAX_PAYLOAD_BYTES="64KiB").start()
    client = hookline.new_tenant().client
    headers = {"Idempotency-Key": "k" * 255, "traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "tracestate": f"a={'v' * 250}"}
    events = [{"topic": "t"}] * 10000
    reply = batch(client, events, **headers)
    assert reply.status == 413 and all(name in reply.json["detail"] for name in headers), reply
    assert batch(client, events[:2500], **headers).status == 201
    assert batch(client, events).status == 201


@one_store
def test_a_batch_with_too_many_events_is_refused(client):
    reply = batch(client, [{"topic": "t"}] * 10001)
    assert reply.status == 413 and reply.json["error"] == "payload_too_large" and "MAX_BATCH_EVENTS" in reply.json["detail"]
