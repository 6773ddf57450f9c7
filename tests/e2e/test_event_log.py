"""A client that follows the list of events by its cursors gets every event, whatever the order of commits."""

import pytest

from harness.rows import Rows, new_id, now_ms

HOUR = 3_600_000
ENDPOINT = "01a225bc-ea3c-7e39-9904-03d6a2f5e81e"


def ids(page):
    return [item["id"] for item in page["items"]]


def publish(client):
    reply = client.post("/v1/events", {"topic": "order.created", "payload": 1})
    assert reply.status == 201, reply
    return reply.json["id"]


def walk_beside_a_publisher(client, order):
    """Reads all pages and publishes an event after each. Returns the listed ids and the published ids."""
    listed, published, cursor = [], [], ""
    while True:
        page = client.get(f"/v1/events?limit=50&order={order}&cursor={cursor}").json
        listed += ids(page)
        cursor = page["next_cursor"]
        if cursor is None:
            return listed, published
        published.append(publish(client))


def test_thousands_of_events_with_one_time_are_listed_in_both_orders_during_publishing(tenant, rows):
    """Events of the last seconds are listed too, and may be listed twice."""
    old, young = (rows.events_at_once(at_ms, 1000) for at_ms in (now_ms() - HOUR, now_ms()))
    listed, _ = walk_beside_a_publisher(tenant.client, "desc")
    assert listed == (old + young)[::-1]
    listed, published = walk_beside_a_publisher(tenant.client, "asc")
    assert listed[:len(old)] == old and not set(old) & set(listed[len(old):])
    assert set(young + published) <= set(listed)


@pytest.mark.parametrize("hookline", ["postgres"], indirect=True)  # SQLite has one writer at a time
def test_an_event_that_commits_late_is_listed(hookline, tenant, rows):
    settled, late = rows.event(at_ms=now_ms() - HOUR), new_id(now_ms(), last=0)
    with hookline.reader() as other_node:
        other_node("BEGIN")
        other_node("INSERT INTO events (tenant_id, event_id, created_at, occurred_at, job_count, topic)"
                   " VALUES (:tenant, :id, now(), now(), 0, 'order.created')", tenant=tenant.id, id=late)
        published = [publish(tenant.client) for _ in range(3)]
        first = tenant.client.get("/v1/events?limit=3").json
        following = f"/v1/events?cursor={first['next_cursor']}"
        assert ids(first) == [settled, *published[:2]] and ids(tenant.client.get(following).json) == published
        other_node("COMMIT")
    assert ids(tenant.client.get(following).json) == [late, *published]


def test_a_cursor_works_after_its_rows_are_deleted(hookline, tenant, rows):
    at = now_ms() - HOUR
    events = [rows.event(at_ms=at + number) for number in range(6)]
    paths = [f"/v1/events?limit=2&order={order}" for order in ("asc", "desc")]
    cursors = [tenant.client.get(path).json["next_cursor"] for path in paths]
    for event in events[:2] + events[4:]:
        hookline.query("DELETE FROM events WHERE tenant_id = :tenant AND event_id = :id", tenant=tenant.id, id=event)
    for path, cursor, left in zip(paths, cursors, (events[2:4], events[3:1:-1])):
        page = tenant.client.get(f"{path}&cursor={cursor}").json
        assert ids(page) == left and page["next_cursor"] is None


def test_a_cursor_of_another_tenant_lists_only_own_events(hookline, tenant, rows):
    at = now_ms() - HOUR
    other = hookline.new_tenant()
    for number in range(3):
        rows.event(at_ms=at + number)
    own = [Rows(hookline, other).event(at_ms=at + number) for number in (-5, 0, 7, 9)]
    cursor = tenant.client.get("/v1/events?limit=2").json["next_cursor"]
    assert ids(other.client.get(f"/v1/events?cursor={cursor}").json) == own[2:]


def test_filters_by_time_include_events_that_were_stored_late(tenant, rows):
    at = now_ms() - 100 * HOUR
    rows.event(at_ms=at - 1)
    spooled = rows.event(at_ms=at, stored_at=at + 99 * HOUR)
    event = rows.event(at_ms=at + 1)
    assert ids(tenant.client.get(f"/v1/events?from_ms={at}").json) == [event, spooled]
    assert ids(tenant.client.get(f"/v1/events?from_ms={at}&to_ms={at + 1}").json) == [spooled]


def test_dead_letters_can_be_followed_in_the_same_way(tenant, rows):
    old, at = rows.dead_letter(ENDPOINT, at_ms=now_ms() - HOUR), now_ms()
    young = [rows.dead_letter(ENDPOINT, at_ms=at + number) for number in range(3)]
    page = tenant.client.get("/v1/dlq?order=asc&limit=2").json
    assert ids(page) == [old, young[0]]
    late = rows.dead_letter(ENDPOINT, at_ms=at - 1000)
    assert ids(tenant.client.get(f"/v1/dlq?order=asc&cursor={page['next_cursor']}").json) == [late, *young]
    assert ids(tenant.client.get("/v1/dlq").json) == [*young[::-1], late, old]
