"""Replays: of one event, a list or a range, within limit and rate, and once although processes die. Over both stores."""

import os
import signal
import time

import pytest

from harness.rows import job_of, new_id, now_ms
from harness.waiting import wait_until
from harness.webhooks import STORES

HOUR = 3_600_000
UNKNOWN = "01a225bc-ea3c-7e39-9904-03d6a2f50000"


def replay(tenant, status=200, headers=(), **members):
    reply = tenant.client.post("/v1/replay", members, headers=headers)
    assert reply.status == status, reply
    return reply.json


def figures(told):
    return [told[name] for name in ("status", "matched", "replayed", "scheduled", "skipped")]


def jobs_of(hookline, tenant):
    found = hookline.query("SELECT event_id, job_id FROM jobs WHERE tenant_id = :id ORDER BY job_id", id=tenant.id)
    return [(str(row["event_id"]), str(row["job_id"])) for row in found]


def paused(tenant, **fields):
    """An endpoint whose jobs stay where they are."""
    made = tenant.client.post("/v1/endpoints", {"url": "https://hooks.example.com/in", "paused": True} | fields).json
    tenant.client.post("/v1/subscriptions", {"endpoint_id": made["id"], "topic_pattern": "#"})
    return made["id"]


def test_an_event_is_sent_again_at_once_under_a_new_webhook_id(hookline, tenant, endpoints, receiver):
    endpoints.add("/in")
    event = tenant.client.post("/v1/events", {"topic": "orders.made", "payload": {"n": 1.10}}).json
    first, = receiver.wait(1)
    wait_until(lambda: jobs_of(hookline, tenant) == [], "the outcome to be committed")
    began = time.monotonic()
    told = replay(tenant, event_id=event["id"].upper())
    assert figures(told) == ["done", 1, 1, 1, 0]
    assert told["results"] == [{"event_id": event["id"], "job_ids": [job_of(event["id"], 2)], "skipped": 0}]
    second = receiver.wait(2)[1]
    assert second.at - began < 4, "it does not wait as rows wait whose parcel may still come"
    assert second.job == job_of(event["id"], 2) != first.job and second.event == event["id"]
    assert tenant.client.get(f"/v1/events/{event['id']}").json["job_count"] == 2
    shown = tenant.client.get(f"/v1/replay/{told['id']}").json
    assert shown == told and shown["request"] == {"event_id": event["id"].upper()}
    assert tenant.client.get("/v1/replay").json["items"] == [shown]
    entry, = tenant.client.items("/v1/admin/audit?action=replay.create")
    assert entry["object_id"] == told["id"] and entry["after"]["scheduled"] == 1


def test_what_still_waits_is_skipped_and_not_touched(hookline, tenant, rows):
    endpoint, other = paused(tenant), paused(tenant)
    event = rows.event(job_count=1)
    rows.job(endpoint, event, attempt_count=3, last_error="refused")
    before = hookline.query("SELECT * FROM jobs WHERE tenant_id = :id", id=tenant.id)
    told = replay(tenant, event_id=event)
    assert figures(told) == ["done", 1, 1, 1, 1]
    assert figures(replay(tenant, event_id=event)) == ["done", 1, 0, 0, 2]
    after = hookline.query("SELECT * FROM jobs WHERE tenant_id = :id ORDER BY job_id", id=tenant.id)
    assert after[:1] == before and len(after) == 2
    assert (str(after[1]["endpoint_id"]), after[1]["status"], after[1]["expires_at"]) == (other, "held", None)
    assert str(after[1]["replay_id"]) == told["id"]


def test_each_transform_of_an_endpoint_has_a_job_of_its_own(tenant, rows, hookline):
    made = tenant.client.post("/v1/subscriptions", {
        "endpoint_id": paused(tenant), "topic_pattern": "#", "transform": [{"op": "remove_field", "field": "payload.x"}]})
    assert made.status == 201, made
    event = rows.event(payload={"x": 1})
    assert figures(replay(tenant, event_id=event)) == ["done", 1, 1, 2, 0]
    assert jobs_of(hookline, tenant) == [(event, job_of(event, 1)), (event, job_of(event, 2))]
    assert figures(replay(tenant, event_id=event)) == ["done", 1, 0, 0, 2]


def test_a_range_is_replayed_oldest_first_up_to_the_limit_and_repeated_makes_no_more(hookline, tenant, rows):
    paused(tenant)
    at = now_ms() - HOUR
    events = [rows.event(at_ms=at + number) for number in range(7)]
    rows.event(at_ms=at + 1, topic="invoice.made")
    for _ in range(2):
        told = replay(tenant, from_ms=at, to_ms=at + 6, topic="order.*", limit=4)
        assert told["matched"] == 6
        assert [event for event, _ in jobs_of(hookline, tenant)] == events[:4]
    assert figures(told) == ["done", 6, 0, 0, 4]


def test_a_known_idempotency_key_shows_the_first_replay(hookline, tenant, rows):
    paused(tenant)
    event, key = rows.event(), {"Idempotency-Key": "again"}
    told = replay(tenant, headers=key, event_id=event)
    hookline.query("DELETE FROM jobs WHERE tenant_id = :id", id=tenant.id)
    assert replay(tenant, headers=key, event_id=event) == told
    assert jobs_of(hookline, tenant) == []
    assert replay(tenant, 409, headers=key, event_id=rows.event())["error"] == "idempotency_conflict"


def test_what_is_gone_is_410_alone_and_an_error_in_a_list(tenant, rows, hookline):
    paused(tenant)
    event = rows.event()
    assert replay(tenant, 410, event_id=UNKNOWN)["error"] == "gone"
    assert tenant.client.get("/v1/replay").json["items"] == []
    told = replay(tenant, event_ids=[event, UNKNOWN, event])
    assert figures(told) == ["done", 1, 1, 1, 0]
    assert {"event_id": UNKNOWN, "error": "gone"} in told["results"] and len(told["results"]) == 2
    assert replay(hookline.new_tenant(), 410, event_id=event)["error"] == "gone"


def test_failed_only_sends_what_is_dead_or_never_arrived(tenant, rows, hookline):
    endpoint = paused(tenant)
    arrived, dead, never = (rows.event(job_count=1) for _ in range(3))
    rows.attempt(endpoint, arrived)
    rows.attempt(endpoint, dead, status="failure", http_status=410)
    rows.dead_letter(endpoint, dead)
    rows.attempt(endpoint, never, status="failure", http_status=500)
    assert figures(replay(tenant, topic="#", mode="failed_only")) == ["done", 3, 2, 2, 0]
    assert [event for event, _ in jobs_of(hookline, tenant)] == sorted([dead, never])


def test_an_endpoint_that_is_named_gets_them_alone(tenant, rows, hookline):
    endpoint, _ = paused(tenant), paused(tenant)
    rows.event()
    assert replay(tenant, endpoint_id=endpoint)["scheduled"] == 1
    jobs = tenant.client.items("/v1/jobs")
    assert [job["endpoint_id"] for job in jobs] == [endpoint]
    assert replay(hookline.new_tenant(), 404, endpoint_id=endpoint)["error"] == "not_found"


def test_by_an_endpoint_alone_all_events_match_and_those_that_go_there_are_replayed(tenant, rows, hookline):
    paused(tenant)
    made = tenant.client.post("/v1/endpoints", {"url": "https://hooks.example.com/in", "paused": True}).json
    tenant.client.post("/v1/subscriptions", {"endpoint_id": made["id"], "topic_pattern": "invoice.*"})
    for topic in ("order.made", "invoice.made", "order.paid"):
        rows.event(topic=topic)
    for dry_run in (True, False):
        assert figures(replay(tenant, endpoint_id=made["id"], dry_run=dry_run))[1:] == [3, 1, 1, 0]


def test_a_dry_run_tells_the_same_figures_and_makes_nothing(hookline, tenant, rows):
    endpoint = paused(tenant)
    events = [rows.event() for _ in range(3)]
    rows.job(endpoint, events[0])
    before = hookline.rows_of(tenant.id)
    told = replay(tenant, topic="order.#", dry_run=True)
    assert figures(told) == ["dry_run", 3, 2, 2, 1] and told["complete"] and told["id"] is None
    assert hookline.rows_of(tenant.id) == before
    assert figures(replay(tenant, topic="order.#"))[1:] == [3, 2, 2, 1]


def test_a_large_one_goes_on_afterwards_and_ends_with_exactly_its_limit(hookline, tenant, rows):
    paused(tenant)
    at = now_ms() - HOUR
    events = [rows.event(at_ms=at + number) for number in range(450)]
    told = replay(tenant, from_ms=at, to_ms=at + HOUR // 2, limit=430)
    assert told["status"] == "pending" and told["matched"] == 450
    path = f"/v1/replay/{told['id']}"
    wait_until(lambda: tenant.client.get(path).json["status"] == "done", "the replay to end")
    shown = tenant.client.get(path).json
    assert figures(shown) == ["done", 450, 430, 430, 0] and len(shown["results"]) == 100
    assert [event for event, _ in jobs_of(hookline, tenant)] == events[:430]


def test_a_rate_holds_and_cancel_ends_it(hookline, tenant, rows):
    paused(tenant)
    for _ in range(40):
        rows.event()
    began = time.time()
    told = replay(tenant, topic="#", rate=8)
    path = f"/v1/replay/{told['id']}"
    wait_until(lambda: tenant.client.get(path).json["replayed"] >= 9, "more than a second's events")
    shown = tenant.client.get(path).json
    assert shown["status"] == "running" and shown["replayed"] <= 1 + 8 * (time.time() - began + 0.1)
    assert tenant.client.delete(path).status == 204
    cancelled = tenant.client.get(path).json
    made = len(jobs_of(hookline, tenant))
    assert cancelled["status"] == "cancelled" and cancelled["finished_at"] and cancelled["scheduled"] == made < 40
    assert tenant.client.delete(path).status == 409
    later = replay(tenant, topic="#", rate=1000)
    wait_until(lambda: tenant.client.get(f"/v1/replay/{later['id']}").json["status"] == "done", "another replay to end")
    assert tenant.client.get(path).json == cancelled


@pytest.mark.parametrize("store", STORES)
def test_control_that_is_killed_between_slices_makes_no_job_twice_and_forgets_none(make_hookline, store):
    hookline = make_hookline(store)
    hookline.start()
    tenant = hookline.new_tenant()
    for _ in range(3):
        reply = tenant.client.post("/v1/events/batch", [{"topic": "order.made", "payload": None}] * 1000)
        assert reply.status == 201, reply
    paused(tenant)
    told = replay(tenant, topic="#", limit=2500)
    path, killed = f"/v1/replay/{told['id']}", []

    def progress():
        row, = hookline.query("SELECT status, replayed FROM replays WHERE tenant_id = :id", id=tenant.id)
        return row["replayed"], row["status"]

    for part in (1, 1000, 2000):
        wait_until(lambda: progress()[0] >= part, "a part of the replay", 60)
        killed.append(progress()[1])
        for pid in hookline.daemon.pids("control"):
            os.kill(pid, signal.SIGKILL)
    assert killed[0] == "running"
    wait_until(lambda: progress()[1] == "done", "the replay to end", 60)
    hookline.wait_ready()
    assert figures(tenant.client.get(path).json) == ["done", 3000, 2500, 2500, 0]
    jobs = jobs_of(hookline, tenant)
    assert len(jobs) == len({event for event, _ in jobs}) == 2500
    listed = [event["id"] for event in tenant.client.items("/v1/events?order=desc&limit=1000")][::-1]
    assert [event for event, _ in jobs] == listed[:2500]


@pytest.mark.parametrize("body, place", [
    ({}, "required"), ({"limit": 5}, "required"), ({"event_id": "", "from_ms": 0, "event_ids": []}, "required"),
    ({"event_id": "x"}, "event_id"), ({"event_ids": ["x"]}, "event_ids"), ({"event_ids": [UNKNOWN] * 1001}, "event_ids"),
    ({"event_id": UNKNOWN, "event_ids": [UNKNOWN]}, "event_id"), ({"event_id": UNKNOWN, "topic": "#"}, "event_id"),
    ({"topic": "."}, "topic"), ({"topic": "#", "mode": "some"}, "mode"), ({"topic": "#", "rate": -1}, "rate"),
    ({"topic": "#", "limit": 1.5}, "limit"), ({"topic": "#", "since": 1}, "no other"), ({"from_ms": -1}, "from_ms"),
    ({"endpoint_id": 7}, "endpoint_id"), ([], "object")], ids=str)
def test_a_wrong_request_is_refused_with_its_place(tenant, body, place):
    reply = tenant.client.post("/v1/replay", body)
    assert reply.status == 400 and place in reply.json["detail"], reply


def test_what_is_no_replay_of_the_tenant_is_404(tenant, rows, hookline):
    told = rows.replay({"topic": "#"})
    other = hookline.new_tenant().client
    for client, name in ((other, told), (tenant.client, "x"), (tenant.client, new_id(now_ms()))):
        assert client.get(f"/v1/replay/{name}").status == client.delete(f"/v1/replay/{name}").status == 404
