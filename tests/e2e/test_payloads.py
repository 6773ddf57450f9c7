"""Payloads keep their spelling on the way to receivers, in the API, and in replays. Over both stores."""

import itertools

import pytest

from harness.waiting import wait_until

# {name: the published text, or (the published text, the text that receivers get)}. Only white space between tokens is
# removed.
PAYLOADS = {
    "numbers": '{"id":9007199254740993,"large":1234567890123456789,"far":1e400,"zero":-0,"price":1.10,"e":1E+2}',
    "order": '{"b":1,"a":2,"":3,"10":4,"9":5}',
    "twice": '{"role":"a","role":"b"}',
    "escapes": r'{"a\u0041":"\u001B\u001b\u2028\/","\ud83d\ude80":"\u00e9"}',
    "nul": r'{"k\u0000":"\u0000"}',
    "half a pair": r'["\ud800","\udc00\ud800"]',
    "emoji": '{"a":"gr\u00fc\u00dfe \U0001f680\u2028\u2029"}',
    "blanks": ('{ "a" : [ 1 ,\t2 ] ,\r\n "b c" : " d " }\n', '{"a":[1,2],"b c":" d "}'),
    "text": '"x"',
    "nothing": "null",
    "deep": "[" * 60 + "]" * 60,
}


def texts_of(name):
    found = PAYLOADS[name]
    return found if isinstance(found, tuple) else (found, found)


def publish(tenant, payload, **members):
    more = "".join(f',"{name}":{text}' for name, text in members.items())
    reply = tenant.client.post("/v1/events", f'{{"topic":"orders.made","payload":{payload}{more}}}')
    assert reply.status == 201, reply
    return reply


def test_a_payload_is_the_same_text_in_requests_the_api_and_replays(hookline, tenant, endpoints, receiver):
    endpoints.add("/payload", body="payload")
    endpoints.add("/event", body="event")
    endpoints.add("/envelope")
    ids = {}
    for name in PAYLOADS:
        sent, kept = texts_of(name)
        reply = publish(tenant, sent, own='{"n":1.50}')
        assert f'"payload":{kept},'.encode() in reply.body, name
        ids[name] = reply.json["id"]
    for rounds in 1, 2:
        receiver.wait(rounds * 3 * len(ids))
        for name, event in ids.items():
            text = texts_of(name)[1].encode()
            bodies = {path: [arrival.body for arrival in receiver.at(path) if arrival.event == event]
                      for path in ("/payload", "/event", "/envelope")}
            assert bodies.pop("/payload") == [text] * rounds, name
            for found in itertools.chain(*bodies.values()):
                assert b'"payload":' + text in found and b'"own":{"n":1.50}' in found, (name, found)
            assert b'"payload":' + text in tenant.client.get(f"/v1/events/{event}").body, name
        wait_until(lambda: tenant.client.get("/v1/jobs").json["count"] == 0, "all jobs to end")
        if rounds == 1:
            replayed = tenant.client.post("/v1/replay", {"event_ids": list(ids.values())})
            assert (replayed.status, replayed.json["replayed"]) == (200, len(ids)), replayed
    listed = tenant.client.get("/v1/events").body
    assert all(b'"payload":' + texts_of(name)[1].encode() in listed for name in PAYLOADS)
    assert tenant.client.get("/v1/dlq").json["count"] == 0
    # An odd payload does not stop a query from reading the others.
    value = hookline.value("SELECT payload ->> 'b' AS b FROM events WHERE tenant_id = :id AND event_id = :event", id=tenant.id,
                           event=ids["order"])
    assert str(value) == "1"


def test_a_transform_changes_only_the_named_fields(tenant, endpoints, receiver):
    """This includes missing fields, repeated fields, and paths through a value that is no object."""
    made = endpoints.add("/in", pattern="nothing", body="payload")
    transform = [{"set_field": {"field": "payload.added", "value": 1.50}}, {"remove_field": {"field": "payload.role"}},
                 {"rename_field": {"from": "payload.gone", "to": "payload.there"}}, {"remove_field": {"field": "payload.price.deep"}},
                 {"set_field": {"field": "payload.list.0", "value": 7}}]
    reply = tenant.client.post("/v1/subscriptions", {"endpoint_id": made["id"], "topic_pattern": "#", "transform": transform})
    assert reply.status == 201, reply
    pairs = [
        ('{"id":9007199254740993,"price":1.10,"z":-0,"a":1e400}', '{"id":9007199254740993,"price":1.10,"z":-0,"a":1e400,"added":1.5,"list":{"0":7}}'),
        (r'{"role":"a","k":"\u001B","role":"b"}', r'{"k":"\u001B","added":1.5,"list":{"0":7}}'),
        ('{"list":[3,1.0],"added":2}', '{"list":[3,1.0],"added":1.5}'),
    ]
    for number, (sent, expected) in enumerate(pairs, 1):
        publish(tenant, sent)
        assert receiver.wait(number, "/in")[-1].body.decode() == expected


@pytest.mark.parametrize("value, reached", [("a", False), ("b", True)])
def test_a_filter_uses_the_last_of_repeated_members(tenant, endpoints, receiver, value, reached):
    made = endpoints.add("/in", pattern="nothing")
    body = {"endpoint_id": made["id"], "topic_pattern": "#", "filter": {"eq": "payload.role", "value": value}}
    assert tenant.client.post("/v1/subscriptions", body).status == 201
    assert len(publish(tenant, '{"role":"a","role":"b"}').json["job_ids"]) == reached


def test_an_endpoint_gets_an_event_once_for_each_transform(tenant, endpoints, receiver):
    made = endpoints.add("/in", body="payload")
    for value in (1, 1, 2):
        body = {"endpoint_id": made["id"], "topic_pattern": "orders.#", "transform": [{"set_field": {"field": "payload.x", "value": value}}]}
        assert tenant.client.post("/v1/subscriptions", body).status == 201
    assert tenant.client.post("/v1/subscriptions", {"endpoint_id": made["id"], "topic_pattern": "*.made"}).status == 201
    event = publish(tenant, '{"x":0}').json
    receiver.wait(3)
    wait_until(lambda: tenant.client.get("/v1/jobs").json["count"] == 0, "all jobs to end")
    arrivals = receiver.at("/in")
    assert sorted(arrival.body for arrival in arrivals) == [b'{"x":0}', b'{"x":1}', b'{"x":2}']
    assert sorted(arrival.job for arrival in arrivals) == sorted(event["job_ids"])
