"""Dead letters are requeued as jobs, one by one or by filters, and delivered. Over both stores."""

import bisect
import json

import pytest

from harness.deliveries import Endpoints
from harness.recording_receiver import Answer
from harness.rows import Rows, new_id, now_ms
from harness.waiting import wait_until

HOUR = 3_600_000
GONE = "01a225bc-ea3c-7e39-9904-03d6a2f5e81e"


def count(hookline, tenant, table):
    return hookline.value(f"SELECT count(*) FROM {table} WHERE tenant_id = :id", id=tenant.id)


def counts(hookline, tenant):
    """The numbers of dead letters, jobs, and events kept for requeued jobs."""
    return tuple(count(hookline, tenant, table) for table in ("dlq", "jobs", "dlq_events"))


def requeued(tenant, body=None, query=""):
    reply = tenant.client.post(f"/v1/dlq/requeue{query}", body if body is not None else {})
    assert reply.status == 200 and reply.json["ok"] is True, reply
    return tuple(reply.json[name] for name in ("matched", "requeued", "skipped", "remaining"))


def test_a_requeued_letter_is_delivered_by_a_new_schedule(hookline, tenant, endpoints, receiver):
    receiver.answers["/in"] = [Answer(status=500)] * 3 + [Answer()]
    endpoints.add("/in", retry_schedule=["1s"])
    event = tenant.client.post("/v1/events", {"topic": "orders.made", "payload": {"n": 1.50}}).json
    job, = event["job_ids"]
    wait_until(lambda: counts(hookline, tenant) == (1, 0, 0), "the event to be a dead letter")
    dead = tenant.client.get(f"/v1/dlq/{job}").json
    assert tenant.client.post(f"/v1/dlq/{job}/requeue").json == {"ok": True, "job_id": job}
    assert counts(hookline, tenant)[0] == 0
    wait_until(lambda: counts(hookline, tenant) == (0, 0, 0), "the job and its event to be gone")
    assert [json.loads(arrival.body)["attempt"] for arrival in receiver.arrivals] == [1, 2, 3, 4]
    assert {arrival.job for arrival in receiver.arrivals} == {job}
    (told,) = tenant.client.items("/v1/admin/audit?action=dlq.requeue")
    assert (told["object_kind"], told["object_id"], told["after"]) == ("dead_letter", job, None)
    assert told["before"] == {name: dead[name] for name in ("job_id", "event_id", "endpoint_id", "topic", "reason")}


def test_a_letter_is_delivered_although_its_events_row_is_gone(hookline, tenant, endpoints, rows, receiver):
    endpoint = endpoints.add("/in")["id"]
    event = new_id(now_ms() - HOUR, last=0)
    job = rows.dead_letter(endpoint, event, payload={"kept": "beside"}, extra={"own": 1}, attempt_count=0, reason="expired")
    assert tenant.client.post(f"/v1/dlq/{job}/requeue", {}).status == 200
    arrival, = receiver.wait(1)
    body = json.loads(arrival.body)
    assert (arrival.job, body["event"]["payload"], body["event"]["own"]) == (job, {"kept": "beside"}, 1)
    wait_until(lambda: counts(hookline, tenant) == (0, 0, 0), "the job and its event to be gone")


def test_a_requeued_job_that_dies_again_is_one_letter_with_its_event(hookline, tenant, endpoints, rows, receiver):
    receiver.answers["/in"] = Answer(status=410)
    endpoint = endpoints.add("/in")["id"]
    job = rows.dead_letter(endpoint, payload={"kept": 1}, attempt_count=3)
    assert tenant.client.post(f"/v1/dlq/{job}/requeue").status == 200
    receiver.wait(1)
    wait_until(lambda: counts(hookline, tenant) == (1, 0, 0), "the letter to be back")
    dead = tenant.client.get(f"/v1/dlq/{job}").json
    assert (dead["attempt_count"], dead["reason"], dead["event"]["payload"]) == (4, "http_410", {"kept": 1})


def test_a_requeued_letter_waits_until_its_endpoint_is_enabled(hookline, tenant, endpoints, rows, receiver):
    endpoint = endpoints.add("/in", enabled=False)["id"]
    job = rows.dead_letter(endpoint)
    assert tenant.client.post(f"/v1/dlq/{job}/requeue").status == 200
    held = tenant.client.get(f"/v1/jobs/{job}").json
    assert (held["status"], held["expires_at"]) == ("held", None)
    assert tenant.client.patch(f"/v1/endpoints/{endpoint}", {"enabled": True}).status == 200
    assert receiver.wait(1)[0].job == job


def test_a_refusal_names_a_missing_letter_endpoint_or_event(hookline, tenant, endpoints, rows):
    dead = rows.dead_letter(GONE)
    reply = tenant.client.post(f"/v1/dlq/{dead}/requeue")
    assert (reply.status, reply.json["error"]) == (409, "conflict") and "endpoint" in reply.json["detail"]
    empty = rows.dead_letter(endpoints.add("/in", enabled=False)["id"], topic="", payload=None)
    reply = tenant.client.post(f"/v1/dlq/{empty}/requeue")
    assert reply.status == 409 and "event" in reply.json["detail"]
    kept = rows.dead_letter(endpoints.ids["/in"])
    assert tenant.client.post(f"/v1/dlq/{kept}/requeue", {"limit": 1}).status == 400
    assert tenant.key(["dlq.read"]).post(f"/v1/dlq/{kept}/requeue").status == 403
    assert tenant.client.post(f"/v1/dlq/{kept}/requeue").status == 200
    assert tenant.client.post(f"/v1/dlq/{kept}/requeue").status == 404, "a second click"
    for name in ("x", new_id(now_ms())):
        assert tenant.client.post(f"/v1/dlq/{name}/requeue").status == 404
    assert counts(hookline, tenant) == (2, 1, 1)


def test_letters_can_be_requeued_by_endpoint_topic_reason_and_time(hookline, tenant, endpoints, rows, receiver):
    first, second = (endpoints.add(path, enabled=False)["id"] for path in ("/first", "/second"))
    at = now_ms() - HOUR
    wanted = {rows.dead_letter(first, at_ms=at + number, topic="order.paid", reason="http_403") for number in range(3)}
    others = {rows.dead_letter(second, at_ms=at), rows.dead_letter(first, at_ms=at, topic="invoice.paid"),
              rows.dead_letter(first, at_ms=at, topic="order.paid.late", reason="http_403")}
    body = {"endpoint_id": first, "topic": "order.*", "reason": "http_403", "from_ms": at, "to_ms": at + 3}
    assert requeued(tenant, body | {"dry_run": True}) == (3, 0, 0, 3)
    assert requeued(tenant, {}, f"?endpoint_id={first}&topic=order.*&dry_run=true") == (3, 0, 0, 3)
    assert counts(hookline, tenant) == (6, 0, 0)
    assert requeued(tenant, body) == (3, 3, 0, 0)
    assert {one["id"] for one in tenant.client.items("/v1/jobs")} == wanted
    assert {one["id"] for one in tenant.client.items("/v1/dlq")} == others
    assert requeued(tenant, body) == (0, 0, 0, 0)
    for path in endpoints.ids.values():
        assert tenant.client.patch(f"/v1/endpoints/{path}", {"enabled": True}).status == 200
    assert {arrival.job for arrival in receiver.wait(3)} == wanted


def test_a_requeue_without_a_filter_takes_all_letters_that_can_be_delivered(hookline, tenant, endpoints, rows):
    other = hookline.new_tenant()
    Rows(hookline, other).dead_letter(GONE)
    endpoint = endpoints.add("/in", enabled=False)["id"]
    at = now_ms() - HOUR
    dead = [rows.dead_letter(endpoint, at_ms=at) for _ in range(5)]
    lost = rows.dead_letter(GONE, at_ms=at - 1)
    assert requeued(tenant, {"limit": 3}) == (6, 2, 1, 3), "the oldest come first"
    assert requeued(tenant) == (4, 3, 1, 0)
    assert [one["id"] for one in tenant.client.items("/v1/jobs?order=asc")] == dead
    assert [one["id"] for one in tenant.client.items("/v1/dlq")] == [lost]
    assert counts(hookline, other) == (1, 0, 0)
    told = tenant.client.items("/v1/admin/audit?action=dlq.requeue")
    assert sum(one["after"]["requeued"] for one in told) == 5


def test_more_letters_than_a_slice_are_requeued(hookline, tenant, endpoints, rows):
    endpoint = endpoints.add("/in", enabled=False)["id"]
    rows.dead_letters(endpoint, 2100)
    assert requeued(tenant, {"topic": "order.#"}) == (2100, 2100, 0, 0)
    assert counts(hookline, tenant) == (0, 2100, 2100)


@pytest.mark.wanted_by("SLOW_TESTS")
def test_many_requeued_letters_keep_the_limits_and_delay_no_other(hookline, tenant, endpoints, rows, receiver):
    letters, live, rate, most = 2000, 20, 500, 0

    def count_parallel(_arrival):
        nonlocal most
        most = max(most, receiver.in_flight() + 1)
        return Answer()

    receiver.answers["/in"] = count_parallel
    endpoint = endpoints.add("/in", "live.#", max_in_flight=5, rate_limit_rps=rate)["id"]
    other = hookline.new_tenant()
    Endpoints(other, receiver).add("/other")
    rows.dead_letters(endpoint, letters)
    assert requeued(tenant) == (letters, letters, 0, 0)
    receiver.wait(1, "/in")
    for number in range(live):
        for client in (tenant.client, other.client):
            assert client.post("/v1/events", {"topic": "live.event", "payload": number}).status == 201
    receiver.wait(live, "/other")
    assert len(receiver.at("/in")) < letters, "other endpoints are served at the same time"
    arrivals = receiver.wait(letters + live, "/in", 30)
    assert len({arrival.job for arrival in arrivals}) == letters + live and most <= 5
    times = [arrival.at for arrival in arrivals]
    within = max(bisect.bisect(times, begin + 1) - number for number, begin in enumerate(times))
    assert within <= rate * 1.1 + 5, "a burst of a tenth of a second, and attempts under way"
    wait_until(lambda: counts(hookline, tenant) == (0, 0, 0), "all to be done")


@pytest.mark.parametrize("body, query, place", [
    ({"endpoint": "x"}, "", "endpoint_id"), ({"endpoint_id": "x"}, "", "endpoint_id"), ({"topic": "a..b"}, "", "topic"),
    ({"limit": -1}, "", "limit"), ({"dry_run": "yes"}, "", "dry_run"), ({"from_ms": 1.5}, "", "from_ms"),
    ({"reason": 403}, "", "reason"), ([], "", ""), ({}, "?endpoint=x", "query"), ({}, "?topic=.", "topic"),
    ({}, "?dry_run=2", "dry_run")])
def test_a_wrong_filter_requeues_nothing(hookline, tenant, rows, body, query, place):
    rows.dead_letter(GONE)
    reply = tenant.client.post(f"/v1/dlq/requeue{query}", body)
    assert reply.status == 400 and place in reply.json["detail"], reply
    assert counts(hookline, tenant) == (1, 0, 0)
