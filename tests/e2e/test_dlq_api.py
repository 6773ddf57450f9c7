"""Dead letters in the API: shown with their events, and removed. Over both stores."""

import pytest

from harness.recording_receiver import Answer
from harness.rows import new_id, now_ms
from harness.waiting import wait_until

HOUR = 3_600_000
ENDPOINT, OTHER = "01a225bc-ea3c-7e39-9904-03d6a2f5e81e", "01a225bc-ea3c-7e39-9904-03d6a2f5e81f"


def ids(client, query=""):
    return [item["id"] for item in client.get(f"/v1/dlq?{query}").json["items"]]


def test_a_dead_letter_shows_its_reason_and_its_event(tenant, rows):
    at = now_ms() - HOUR
    event = new_id(at, last=0)
    dead = rows.dead_letter(ENDPOINT, event, at + 7, reason="max_attempts_exceeded", attempt_count=11, last_http_status=503,
                            last_error="the reply has the status 503", payload={"amount": 1200}, extra={"own": 1}, occurred_at=at - 1)
    listed = {
        "id": dead, "dlq_id": dead, "job_id": dead, "event_id": event, "endpoint_id": ENDPOINT, "tenant_id": tenant.id,
        "topic": "order.created", "reason": "max_attempts_exceeded", "attempt_count": 11, "last_http_status": 503,
        "last_error": "the reply has the status 503", "transform_id": None, "replay_id": None, "created_at": at + 7}
    assert tenant.client.get("/v1/dlq").json == {"items": [listed], "count": 1, "next_cursor": None, "cursor": None}
    assert tenant.client.get(f"/v1/dlq/{dead}").json == listed | {"event": {
        "id": event, "event_id": event, "tenant_id": tenant.id, "topic": "order.created", "payload": {"amount": 1200},
        "occurred_at": at - 1, "created_at": at, "own": 1}}


def test_the_newest_dead_letters_come_first_also_with_equal_times(tenant, rows):
    at = now_ms() - HOUR
    dead = [rows.dead_letter(ENDPOINT, at_ms=at + number // 4) for number in range(10)]
    assert ids(tenant.client) == dead[::-1]
    for limit in (1, 3, 9):
        assert [one["id"] for one in tenant.client.items(f"/v1/dlq?limit={limit}")] == dead[::-1]
        assert [one["id"] for one in tenant.client.items(f"/v1/dlq?limit={limit}&order=asc")] == dead


def test_filters_name_endpoint_reason_topic_and_time(tenant, rows):
    at = now_ms() - HOUR
    dead = [rows.dead_letter(ENDPOINT, at_ms=at), rows.dead_letter(OTHER, at_ms=at + 10, reason="expired", topic="order.paid"),
            rows.dead_letter(ENDPOINT, at_ms=at + 20, reason="guard", topic="invoice.paid")]
    for query, wanted in ((f"endpoint_id={ENDPOINT}", [2, 0]), ("reason=expired", [1]), ("reason=none", []),
                          ("topic=order.*", [1, 0]), ("topic=%23.paid&order=asc", [1, 2]), (f"from_ms={at + 10}", [2, 1]),
                          (f"to_ms={at + 10}", [0]), (f"endpoint_id={ENDPOINT}&topic=*.paid", [2])):
        assert ids(tenant.client, query) == [dead[number] for number in wanted], query


def test_a_dead_letter_is_removed_once_and_audited(tenant, rows, hookline):
    dead, kept = rows.dead_letter(ENDPOINT), rows.dead_letter(ENDPOINT)
    assert hookline.new_tenant().client.delete(f"/v1/dlq/{dead}").status == 404
    assert tenant.key(["dlq.read"]).delete(f"/v1/dlq/{dead}").status == 403
    shown = tenant.client.get("/v1/dlq?order=asc").json["items"][0]
    assert tenant.client.delete(f"/v1/dlq/{dead}").status == 204
    assert tenant.client.delete(f"/v1/dlq/{dead}").status == 404 and tenant.client.get(f"/v1/dlq/{dead}").status == 404
    assert ids(tenant.client) == [kept]
    (told,) = tenant.client.items("/v1/admin/audit?action=dlq.delete")
    assert told["object_kind"] == "dead_letter" and told["object_id"] == dead and told["before"] == shown and told["after"] is None


def test_each_given_up_delivery_is_a_dead_letter_with_its_reason(hookline, tenant, endpoints, receiver):
    """Operators count dead letters. Late and waiting deliveries are not among them."""
    receiver.answers.update({"/gone": Answer(status=410), "/wrong": Answer(status=422), "/down": Answer(status=500),
                             "/late": [Answer(status=500), Answer()]})
    for path in ("/gone", "/wrong", "/down", "/late", "/fine"):
        endpoints.add(path, retry_schedule=["1s"], fail_fast=True)
    waits = endpoints.add("/waits", enabled=False)["id"]
    assert tenant.client.post("/v1/events", {"topic": "orders.made", "payload": 1}).status == 201
    left = "SELECT endpoint_id FROM jobs WHERE tenant_id = :id"
    wait_until(lambda: [str(row["endpoint_id"]) for row in hookline.query(left, id=tenant.id)] == [waits], "the others to end")
    reasons = {one["endpoint_id"]: one["reason"] for one in tenant.client.items("/v1/dlq")}
    assert reasons == {endpoints.ids["/gone"]: "http_410", endpoints.ids["/wrong"]: "http_422",
                       endpoints.ids["/down"]: "max_attempts_exceeded"}
    assert hookline.value("SELECT count(*) FROM dlq WHERE tenant_id = :id", id=tenant.id) == 3


def test_an_unknown_or_foreign_dead_letter_is_404(tenant, rows, hookline):
    dead = rows.dead_letter(ENDPOINT)
    assert hookline.new_tenant().client.get(f"/v1/dlq/{dead}").status == 404
    for name in ("x", new_id(now_ms())):
        assert tenant.client.get(f"/v1/dlq/{name}").status == tenant.client.delete(f"/v1/dlq/{name}").status == 404


@pytest.mark.parametrize("query, place", [
    ("endpoint_id=1", "endpoint_id"), ("topic=", ""), ("topic=.", "topic"), ("cursor=x", "cursor"), ("from_ms=-1", "from_ms")])
def test_a_wrong_query_is_refused_with_the_parameter(tenant, query, place):
    reply = tenant.client.get(f"/v1/dlq?{query}")
    if place:
        assert (reply.status, reply.json["error"]) == (400, "validation_error") and place in reply.json["detail"]
    else:
        assert reply.status == 200, "an empty value counts as absent"
