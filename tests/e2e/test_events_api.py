"""
Published events in the API: shown byte for byte, listed in both orders, filtered, never skipped. Over both stores.
"""

import json

import pytest

from harness.endpoints import make
from harness.rows import Rows, new_id, now_ms

HOUR = 3_600_000


def ids(client, query=""):
    return [item["id"] for item in client.get(f"/v1/events?{query}").json["items"]]


def test_an_event_is_shown_as_it_was_published(tenant, rows):
    at = now_ms() - HOUR
    event = rows.event("order.created", at, payload={"a": 1}, occurred_at=at - 5, job_count=3, idempotency_key="k", ordering_key="o",
                       target_user_id="u", extra={"own": [1], "more": None},
                       trace={"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
    shown = tenant.client.get(f"/v1/events/{event.upper()}")
    assert shown.status == 200 and shown.json == {
        "id": event, "event_id": event, "tenant_id": tenant.id, "topic": "order.created", "payload": {"a": 1},
        "occurred_at": at - 5, "created_at": at, "idempotency_key": "k", "ordering_key": "o", "target_user_id": "u",
        "job_count": 3, "own": [1], "more": None,
        "_trace": {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}}
    assert tenant.client.get("/v1/events").json == {"items": [shown.json], "count": 1, "next_cursor": None, "cursor": None}
    plain = rows.event(payload=None)
    assert set(tenant.client.get(f"/v1/events/{plain}").json) == {
        "id", "event_id", "tenant_id", "topic", "payload", "occurred_at", "created_at", "job_count"}


def test_payloads_and_a_clients_own_members_come_back_byte_for_byte(tenant, rows):
    payload = '{"n":12345678901234567890.10,"e":1E+2,"z":-0,"z":0.0,"s":"\\u00e9/\\/"}'
    extra = '{"big":9007199254740993,"f":1.00,"a":1,"a":2}'
    event = rows.event(payload=payload, extra=extra)
    dead = rows.dead_letter(make(tenant.client)["id"], payload=payload, extra=extra)
    for path in (f"/v1/events/{event}", "/v1/events", f"/v1/dlq/{dead}"):
        text = tenant.client.get(path).body.decode()
        assert f'"payload":{payload},' in text, text
        assert f"{extra[1:]}" in text, text


def test_an_unknown_or_foreign_event_is_404(tenant, rows, hookline):
    event = rows.event()
    for name in (new_id(now_ms(), last=0), "nonsense", event[:-1], "00000000-0000-4000-8000-000000000000"):
        assert tenant.client.get(f"/v1/events/{name}").status == 404
    assert hookline.new_tenant().client.get(f"/v1/events/{event}").status == 404


def test_pages_have_fifty_events_the_oldest_stored_first(tenant, rows):
    at = now_ms() - HOUR
    events = [rows.event(at_ms=at + number // 3) for number in range(52)]
    assert ids(tenant.client) == events[:50]
    assert ids(tenant.client, "limit=1000") == events
    assert ids(tenant.client, "order=desc&limit=1000") == events[::-1]
    for limit in (1, 7, 26, 51):
        for order, wanted in (("asc", events), ("desc", events[::-1])):
            shown = tenant.client.items(f"/v1/events?limit={limit}&order={order}")
            assert [event["id"] for event in shown] == wanted, (limit, order)


def test_a_spooled_event_is_listed_by_the_time_it_was_stored(tenant, rows):
    at = now_ms() - HOUR
    first, second = rows.event(at_ms=at), rows.event(at_ms=at + 1000)
    spooled = rows.event(at_ms=at - 1000, stored_at=at + 500)
    assert ids(tenant.client) == [first, spooled, second]
    assert ids(tenant.client, "order=desc") == [second, first, spooled]


def test_a_cursor_stays_before_events_that_may_get_earlier_neighbours(tenant, rows):
    """A slow transaction commits an event with an early time. A client that follows the list must see it."""
    old, at = now_ms() - HOUR, now_ms()
    settled = [rows.event(at_ms=old + number) for number in range(2)]
    young = [rows.event(at_ms=at + number) for number in range(2)]
    page = tenant.client.get("/v1/events?limit=3").json
    assert [event["id"] for event in page["items"]] == settled + young[:1] and page["next_cursor"]
    late = rows.event(at_ms=at - 1000)
    following = tenant.client.get(f"/v1/events?limit=10&cursor={page['next_cursor']}").json
    assert [event["id"] for event in following["items"]] == [late, *young]
    assert following["next_cursor"] is None
    descending = [event["id"] for event in tenant.client.items("/v1/events?limit=1&order=desc")]
    assert descending == [*young[::-1], late, *settled[::-1]]


def test_after_id_lists_the_events_after_that_one(tenant, rows, hookline):
    at = now_ms() - HOUR
    events = [rows.event(at_ms=at + number) for number in range(4)]
    assert ids(tenant.client, f"after_id={events[1]}") == events[2:]
    assert ids(tenant.client, f"after_id={events[1]}&order=desc") == events[:1]
    assert ids(tenant.client, f"after_id={events[3]}") == []
    page = tenant.client.get(f"/v1/events?after_id={events[0]}&limit=2").json
    assert ids(tenant.client, f"cursor={page['next_cursor']}") == events[3:]
    other = hookline.new_tenant()
    assert Rows(hookline, other).event() and other.client.get(f"/v1/events?after_id={events[0]}").status == 400


PATTERNS = ["#", "*", "a", "a.*", "a.#", "#.b", "*.b", "a.*.c", "a.#.c", "#.b.#", "a.b.c", "*.*", "a.#.#", "#.a", "A.*", "a_b", "a%b"]
TOPICS = ["a", "b", "a.b", "A.b", "a.b.c", "a.x.c", "a.c", "a.b.b.c", "axb", "a_b", "a%b", "b.a", "aa.b"]


def fits(pattern, topic):
    if not pattern or not topic:
        return pattern in ([], ["#"] * len(pattern)) and not topic
    if pattern[0] == "#":
        return fits(pattern[1:], topic) or fits(pattern, topic[1:])
    return pattern[0] in ("*", topic[0]) and fits(pattern[1:], topic[1:])


def test_topic_patterns_of_lists_match_as_those_of_subscriptions(tenant, rows):
    at = now_ms() - HOUR
    for number, topic in enumerate(TOPICS):
        rows.event(topic, at + number)
        rows.dead_letter("01a225bc-ea3c-7e39-9904-03d6a2f5e81e", at_ms=at + number, topic=topic)
    for pattern in PATTERNS:
        wanted = [topic for topic in TOPICS if fits(pattern.split("."), topic.split("."))]
        query = pattern.replace("#", "%23").replace("a%b", "a%25b")
        for order in ("asc", "desc"):
            for path in ("events", "dlq"):
                shown = tenant.client.items(f"/v1/{path}?topic={query}&limit=2&order={order}")
                assert [event["topic"] for event in shown] == (wanted if order == "asc" else wanted[::-1]), (path, pattern)


def test_a_list_can_be_limited_by_time(tenant, rows):
    at = now_ms() - HOUR
    events = [rows.event(at_ms=at + 10 * number) for number in range(4)]
    assert ids(tenant.client, f"from_ms={at + 10}&to_ms={at + 30}") == events[1:3]
    assert ids(tenant.client, f"from_ms={at + 11}&order=desc") == events[:1:-1]
    assert ids(tenant.client, f"to_ms={at}") == [] and ids(tenant.client, "from_ms=&to_ms=&topic=") == events


def test_events_of_several_months_are_one_list(tenant, rows):
    month = 31 * 24 * HOUR
    events = [rows.event(at_ms=now_ms() - number * month) for number in (3, 2, 1)]
    for order, wanted in (("asc", events), ("desc", events[::-1])):
        assert [event["id"] for event in tenant.client.items(f"/v1/events?limit=1&order={order}")] == wanted
    for event in events:
        assert tenant.client.get(f"/v1/events/{event}").json["id"] == event


@pytest.mark.parametrize("query, place", [
    ("cursor=djA", "cursor"), ("cursor=%21", "cursor"), ("cursor=dmFub25zZW5zZQ", "cursor"), ("after_id=x", "after_id"),
    ("after_id=01a225bc-ea3c-7e39-9904-03d6a2f5e81e", "after_id"), ("limit=0", "limit"), ("limit=1001", "limit"),
    ("order=newest", "order"), ("topic=a..b", "topic"), ("topic=a*", "topic"), ("from_ms=yesterday", "from_ms"),
    ("to_ms=-1", "to_ms"), ("from_ms=999999999999999", "from_ms")])
def test_a_wrong_query_is_refused_with_the_parameter(tenant, query, place):
    reply = tenant.client.get(f"/v1/events?{query}")
    assert (reply.status, reply.json["error"]) == (400, "validation_error") and place in reply.json["detail"]


def test_cursors_work_only_for_their_list_and_order(tenant, rows):
    endpoint, at = make(tenant.client)["id"], now_ms() - HOUR
    for number in range(2):
        event = rows.event(at_ms=at + number)
        rows.attempt(endpoint, event, at + number)
        rows.job(endpoint, event)
        rows.dead_letter(endpoint, event, at + number, number=2)
    paths = [f"/v1/{kind}?limit=1&order=desc" for kind in ("events", "deliveries", "jobs", "dlq", "endpoints", "admin/audit")]
    cursors = {path: tenant.client.get(path).json["next_cursor"] for path in paths}
    for path in paths:
        for other, cursor in cursors.items():
            if cursor:
                assert tenant.client.get(f"{path}&cursor={cursor}").status == (200 if path == other else 400), (path, other)
                assert tenant.client.get(f"{path.replace('desc', 'asc')}&cursor={cursor}").status == 400


def test_a_cursor_together_with_after_id_is_refused(tenant, rows):
    events = [rows.event(at_ms=now_ms() - HOUR + number) for number in range(2)]
    cursor = tenant.client.get("/v1/events?limit=1").json["next_cursor"]
    reply = tenant.client.get(f"/v1/events?cursor={cursor}&after_id={events[0]}")
    assert reply.status == 400 and "after_id" in reply.json["detail"]


def test_a_page_of_large_events_is_limited_in_bytes(tenant, rows):
    at = now_ms() - HOUR
    events = [rows.event(at_ms=at + number, payload=json.dumps("x" * 1_500_000)) for number in range(4)]
    page = tenant.client.get("/v1/events").json
    assert page["count"] == 2 and page["next_cursor"]
    assert [event["id"] for event in tenant.client.items("/v1/events")] == events
