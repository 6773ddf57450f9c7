"""DELETE /v1/events removes the named events for good, with their waiting jobs, and nothing else. Over both stores."""

import time

import pytest

from harness.recording_receiver import Answer
from harness.rows import now_ms
from harness.waiting import wait_until
from harness.webhooks import STORES

HOUR = 3_600_000


def delete(hookline, tenant, query, status=200):
    reply = hookline.admin.delete(f"/v1/events?tenant_id={tenant.id}&confirm={tenant.id}&{query}")
    assert reply.status == status, reply
    return reply.json


def done(deleted, jobs):
    return {"ok": True, "deleted": deleted, "jobs_cancelled": jobs, "more": False}


def events_of(tenant):
    return [event["id"] for event in tenant.client.items("/v1/events?order=desc&limit=1000")][::-1]


def test_events_of_a_time_range_and_of_topics_are_deleted_and_no_others(hookline, tenant, rows):
    at = now_ms() - HOUR
    events = [rows.event(at_ms=at + number) for number in range(6)]
    invoice, other = rows.event(at_ms=at + 3, topic="invoice.made"), rows.event(at_ms=at + 3, topic="order")
    others = hookline.new_tenant()
    others.client.post("/v1/events", {"topic": "order.created"})
    kept = hookline.rows_of(others.id)
    assert delete(hookline, tenant, f"from_ms={at + 2}&to_ms={at + 5}&topic=order.*") == done(3, 0)
    assert set(events_of(tenant)) == {*events[:2], events[5], invoice, other}
    assert delete(hookline, tenant, f"from_ms={at + 2}&to_ms={at + 5}&topic=order.*") == done(0, 0)
    told, = tenant.client.items("/v1/admin/audit?action=events.delete")
    assert (told["object_kind"], told["object_id"], told["before"]) == ("events", events[2], None)
    assert told["after"] == {"last_event_id": events[4], "deleted": 3, "jobs_cancelled": 0, "topic": "order.*",
                             "from_ms": at + 2, "to_ms": at + 5}
    assert delete(hookline, tenant, f"to_ms={at + 1}") == done(1, 0)
    assert delete(hookline, tenant, f"from_ms={at + 5}") == done(1, 0)
    assert delete(hookline, tenant, "topic=%23") == done(3, 0)
    assert events_of(tenant) == [] and hookline.rows_of(others.id) == kept


def test_no_attempt_of_a_deleted_event_begins_and_its_dead_letters_keep_it(hookline, tenant, endpoints, rows, receiver):
    receiver.answers["/in"] = receiver.answers["/late"] = Answer(status=500)
    endpoint = endpoints.add("/in", pattern="order.*", retry_schedule=["1s"] * 9)["id"]
    endpoints.add("/late", pattern="order.*", retry_schedule=["10m"])
    held = endpoints.add("/held", pattern="order.*", enabled=False)["id"]
    other = endpoints.add("/other", pattern="invoice.*")["id"]
    event = tenant.client.post("/v1/events", {"topic": "order.made", "payload": {"n": 1}}).json
    kept = tenant.client.post("/v1/events", {"topic": "invoice.made"}).json
    dead = rows.dead_letter(endpoint, event["id"], number=9, payload={"n": 1}, topic="order.made")
    requeued = rows.dead_letter(held, event["id"], number=8)
    assert tenant.client.post(f"/v1/dlq/{requeued}/requeue").status == 200
    wait_until(lambda: len(receiver.at("/in")) >= 2 and receiver.at("/late"), "attempts to fail")
    assert delete(hookline, tenant, "topic=order.%23") == done(1, 4)
    moment = int(time.time() * 1000)
    assert tenant.client.get(f"/v1/events/{event['id']}").status == 404
    assert [job for job in tenant.client.get("/v1/jobs").json["items"] if job["event_id"] == event["id"]] == []
    assert hookline.counts_of(tenant.id).get("dlq_events") is None
    assert tenant.client.get(f"/v1/events/{kept['id']}").status == 200
    wait_until(lambda: receiver.at("/other"), "the other event to arrive")
    # Another endpoint's schedule takes two seconds, in which the deleted event's job would have been due twice.
    receiver.answers["/clock"] = [Answer(status=500), Answer(status=500), Answer()]
    endpoints.add("/clock", pattern="clock", retry_schedule=["1s", "1s"])
    tenant.client.post("/v1/events", {"topic": "clock"})
    wait_until(lambda: len(receiver.at("/clock")) == 3, "two seconds to pass")
    sent = [int(arrival.header("x-hl-timestamp")) for path in ("/in", "/late", "/held") for arrival in receiver.at(path)]
    assert max(sent) <= moment
    assert tenant.client.get(f"/v1/dlq/{dead}").json["event"]["payload"] == {"n": 1}
    assert tenant.client.get(f"/v1/deliveries?event_id={event['id']}").json["items"], "attempts are kept"
    assert tenant.client.get(f"/v1/jobs?endpoint_id={other}").json["items"] == []


def test_the_first_slice_of_a_deletion_is_short_when_others_wait(hookline, tenant):
    assert tenant.client.post("/v1/events/batch", [{"topic": "a"}] * 150).status == 201
    assert delete(hookline, tenant, "topic=a") == done(150, 0)
    slices = [row["after"]["deleted"] for row in tenant.client.items("/v1/admin/audit?action=events.delete")]
    assert sorted(slices) == ([150] if hookline.store == "postgres" else [50, 100])


@pytest.mark.parametrize("query, place", [
    ("topic=a", "confirm"), ("topic=a&confirm=", "confirm"), ("topic=a&confirm=yes", "confirm"), ("confirm={id}", "required"),
    ("confirm={id}&from_ms=", "required"), ("confirm={id}&topic=a..b", "topic"), ("confirm={id}&from_ms=-1", "from_ms"),
    ("confirm={id}&topic=a&tenant=x", "parameter 3")], ids=str)
def test_an_ambiguous_request_deletes_nothing(hookline, tenant, rows, query, place):
    rows.event(topic="a")
    key = tenant.key(["admin"])
    before = hookline.rows_of(tenant.id)
    reply = key.delete(f"/v1/events?{query.format(id=tenant.id)}")
    assert (reply.status, reply.json["error"]) == (400, "validation_error") and place in reply.json["detail"]
    assert place != "confirm" or tenant.id in reply.json["detail"]
    assert hookline.rows_of(tenant.id) == before


def test_a_key_deletes_its_own_tenants_events_unless_an_administrator_names_another(hookline, tenant, rows):
    rows.event(topic="a")
    assert tenant.client.delete(f"/v1/events?topic=a&confirm={tenant.id}").status == 403
    assert hookline.admin.delete(f"/v1/events?topic=a&confirm={tenant.id}").status == 400, "confirm is another tenant"
    reply = hookline.admin.delete("/v1/events?topic=a&tenant_id=nobody&confirm=nobody")
    assert (reply.status, reply.json["error"]) == (404, "not_found")
    assert tenant.key(["admin"]).delete(f"/v1/events?topic=a&confirm={tenant.id}").json == done(1, 0)


@pytest.mark.parametrize("store", STORES)
def test_a_request_that_runs_out_of_time_says_where_to_continue(make_hookline, store):
    hookline = make_hookline(store, STORE_TIMEOUT_MS=1000).start()
    tenant = hookline.new_tenant()
    for topics in (["a"] * 100, ["b"] * 1000, ["a"] * 700):
        assert tenant.client.post("/v1/events/batch", [{"topic": topic} for topic in topics]).status == 201
    after, told, deleted = "", {"more": True}, 0
    for _ in range(20):
        told = delete(hookline, tenant, f"topic=a{after}")
        deleted += told["deleted"]
        if not told["more"]:
            break
        after = f"&after_id={told['next_after_id']}" if "next_after_id" in told else after
    assert deleted == 800 and not told["more"] and after, "the deletion took several requests"
    assert {event["topic"] for event in tenant.client.items("/v1/events?limit=1000")} == {"b"}
