"""Replays of one event, a list or a range, within limit and rate, once although processes die. Over both stores."""

import contextlib
import http.client
import os
import signal
import time

import pytest

from harness.client import encode
from harness.recording_receiver import Answer
from harness.rows import Rows, job_of, new_id, now_ms
from harness.waiting import PATIENCE, wait_until
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
    """A paused endpoint, whose jobs stay."""
    made = tenant.client.post("/v1/endpoints", {"url": "https://hooks.example.com/in", "paused": True} | fields).json
    tenant.client.post("/v1/subscriptions", {"endpoint_id": made["id"], "topic_pattern": "#"})
    return made["id"]


def test_a_replayed_event_is_sent_at_once_with_a_new_webhook_id(hookline, tenant, endpoints, receiver):
    endpoints.add("/in")
    event = tenant.client.post("/v1/events", {"topic": "orders.made", "payload": {"n": 1.10}}).json
    first, = receiver.wait(1)
    wait_until(lambda: jobs_of(hookline, tenant) == [], "the outcome to be committed")
    began = time.monotonic()
    told = replay(tenant, event_id=event["id"].upper())
    assert figures(told) == ["done", 1, 1, 1, 0]
    assert told["results"] == [{"event_id": event["id"], "job_ids": [job_of(event["id"], 2)], "skipped": 0}]
    second = receiver.wait(2)[1]
    assert second.at - began < 4, "sent before couriers scan the rows"
    assert second.job == job_of(event["id"], 2) != first.job and second.event == event["id"]
    assert tenant.client.get(f"/v1/events/{event['id']}").json["job_count"] == 2
    shown = tenant.client.get(f"/v1/replay/{told['id']}").json
    assert shown == told and shown["request"] == {"event_id": event["id"].upper()}
    assert tenant.client.get("/v1/replay").json["items"] == [shown]
    entry, = tenant.client.items("/v1/admin/audit?action=replay.create")
    assert entry["object_id"] == told["id"] and entry["after"]["scheduled"] == 1


def test_events_with_waiting_jobs_are_skipped_and_unchanged(hookline, tenant, rows):
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


def test_attempts_under_way_are_neither_replayed_nor_requeued(hookline, tenant, endpoints, receiver):
    receiver.answers["/in"] = [Answer(delay=2 * PATIENCE), Answer()]
    endpoints.add("/in", max_in_flight=1)
    events = [tenant.client.post("/v1/events", {"topic": "orders.made", "payload": n}).json for n in range(2)]
    receiver.wait(1)  # the second job waits for the first one
    for event in events:
        assert figures(replay(tenant, event_id=event["id"])) == ["done", 1, 0, 0, 1]
        assert tenant.client.post(f"/v1/dlq/{event['job_ids'][0]}/requeue").status == 404
    assert tenant.client.post("/v1/dlq/requeue", {}).json["matched"] == 0
    assert len(receiver.arrivals) == 1, "the first attempt is still under way"
    wait_until(lambda: jobs_of(hookline, tenant) == [], "both to be done")
    assert [arrival.job for arrival in receiver.arrivals] == [job for event in events for job in event["job_ids"]]
    assert [one["attempt_n"] for one in tenant.client.items("/v1/deliveries")] == [1, 1]


def test_a_replay_makes_a_job_for_each_transform_of_an_endpoint(tenant, rows, hookline):
    made = tenant.client.post("/v1/subscriptions", {
        "endpoint_id": paused(tenant), "topic_pattern": "#", "transform": [{"op": "remove_field", "field": "payload.x"}]})
    assert made.status == 201, made
    event = rows.event(payload={"x": 1})
    assert figures(replay(tenant, event_id=event)) == ["done", 1, 1, 2, 0]
    assert jobs_of(hookline, tenant) == [(event, job_of(event, 1)), (event, job_of(event, 2))]
    assert figures(replay(tenant, event_id=event)) == ["done", 1, 0, 0, 2]


def test_a_range_is_replayed_oldest_first_up_to_the_limit_and_only_once(hookline, tenant, rows):
    paused(tenant)
    at = now_ms() - HOUR
    events = [rows.event(at_ms=at + number) for number in range(7)]
    rows.event(at_ms=at + 1, topic="invoice.made")
    for _ in range(2):
        told = replay(tenant, from_ms=at, to_ms=at + 6, topic="order.*", limit=4)
        assert told["matched"] == 6
        assert [event for event, _ in jobs_of(hookline, tenant)] == events[:4]
    assert figures(told) == ["done", 6, 0, 0, 4]


def test_a_known_idempotency_key_returns_the_first_replay(hookline, tenant, rows):
    paused(tenant)
    event, key = rows.event(), {"Idempotency-Key": "again"}
    told = replay(tenant, headers=key, event_id=event)
    hookline.query("DELETE FROM jobs WHERE tenant_id = :id", id=tenant.id)
    assert replay(tenant, headers=key, event_id=event) == told
    assert jobs_of(hookline, tenant) == []
    assert replay(tenant, 409, headers=key, event_id=rows.event())["error"] == "idempotency_conflict"


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "again"}], ids=["without_a_key", "with_a_key"])
def test_a_repeated_replay_after_a_lost_reply_makes_no_further_jobs(hookline, tenant, rows, headers):
    """More events than the limit, and more than one request's time: the client gives up and repeats the request."""
    paused(tenant)
    at = now_ms() - HOUR
    events = [rows.event(at_ms=at + number) for number in range(150)]
    body = encode({"topic": "#", "limit": 120})
    usual = {"Authorization": f"Bearer {tenant.client.key}", "Content-Type": "application/json"}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", hookline.daemon.port)) as connection:
        connection.request("POST", "/v1/replay", body, usual | headers)
        wait_until(lambda: tenant.client.get("/v1/replay").json["count"] == 1, "the first replay")
    told = tenant.client.post("/v1/replay", body, headers=headers)
    assert told.status == 200 and told.json["matched"] == 150 and told.json["matched_exact"]
    wait_until(lambda: all(each["status"] == "done" for each in tenant.client.items("/v1/replay")), "the replays to end")
    assert [event for event, _ in jobs_of(hookline, tenant)] == events[:120]
    done = sorted((each["replayed"], each["skipped"]) for each in tenant.client.items("/v1/replay"))
    assert done == ([(120, 0)] if headers else [(0, 120), (120, 0)])


def test_a_missing_event_is_410_alone_and_an_error_in_a_list(tenant, rows, hookline):
    paused(tenant)
    event = rows.event()
    assert replay(tenant, 410, event_id=UNKNOWN)["error"] == "gone"
    assert tenant.client.get("/v1/replay").json["items"] == []
    told = replay(tenant, event_ids=[event, UNKNOWN, event])
    assert figures(told) == ["done", 1, 1, 1, 0]
    assert {"event_id": UNKNOWN, "error": "gone"} in told["results"] and len(told["results"]) == 2
    assert replay(hookline.new_tenant(), 410, event_id=event)["error"] == "gone"


def test_failed_only_sends_dead_and_undelivered_events(tenant, rows, hookline):
    endpoint = paused(tenant)
    arrived, dead, never = (rows.event(job_count=1) for _ in range(3))
    rows.attempt(endpoint, arrived)
    rows.attempt(endpoint, dead, status="failure", http_status=410)
    rows.dead_letter(endpoint, dead)
    rows.attempt(endpoint, never, status="failure", http_status=500)
    assert figures(replay(tenant, topic="#", mode="failed_only")) == ["done", 3, 2, 2, 0]
    assert [event for event, _ in jobs_of(hookline, tenant)] == sorted([dead, never])


def test_failed_only_skips_events_that_a_newer_job_has_delivered(tenant, rows, hookline):
    """An earlier replay has delivered the event. The dead letter's row stays, but needs no delivery."""
    endpoint = paused(tenant)
    sent_again, died_again = rows.event(job_count=2), rows.event(job_count=2)
    rows.dead_letter(endpoint, sent_again, number=1)
    rows.attempt(endpoint, sent_again, job_id=job_of(sent_again, 2))
    rows.attempt(endpoint, died_again, job_id=job_of(died_again, 1))
    rows.dead_letter(endpoint, died_again, number=2)
    assert figures(replay(tenant, topic="#", mode="failed_only")) == ["done", 2, 1, 1, 0]
    assert jobs_of(hookline, tenant) == [(died_again, job_of(died_again, 3))]


def test_failed_only_sends_only_the_dead_one_of_two_transforms(tenant, rows, hookline):
    endpoint = paused(tenant)
    tenant.client.post("/v1/subscriptions", {
        "endpoint_id": endpoint, "topic_pattern": "#", "transform": [{"op": "remove_field", "field": "payload.x"}]})
    event = rows.event(job_count=2, payload={"x": 1})
    rows.dead_letter(endpoint, event, number=1)
    rows.attempt(endpoint, event, job_id=job_of(event, 2))
    assert figures(replay(tenant, event_id=event, mode="failed_only")) == ["done", 1, 1, 1, 0]
    assert hookline.query("SELECT transform_id FROM jobs WHERE tenant_id = :id", id=tenant.id) == [{"transform_id": None}]


def test_only_the_named_endpoint_gets_a_replay(tenant, rows, hookline):
    endpoint, _ = paused(tenant), paused(tenant)
    rows.event()
    assert replay(tenant, endpoint_id=endpoint)["scheduled"] == 1
    jobs = tenant.client.items("/v1/jobs")
    assert [job["endpoint_id"] for job in jobs] == [endpoint]
    assert replay(hookline.new_tenant(), 404, endpoint_id=endpoint)["error"] == "not_found"


def test_a_replay_to_an_endpoint_sends_all_events_of_its_subscriptions(tenant, rows, hookline):
    paused(tenant)
    made = tenant.client.post("/v1/endpoints", {"url": "https://hooks.example.com/in", "paused": True}).json
    tenant.client.post("/v1/subscriptions", {"endpoint_id": made["id"], "topic_pattern": "invoice.*"})
    for topic in ("order.made", "invoice.made", "order.paid"):
        rows.event(topic=topic)
    for dry_run in (True, False):
        assert figures(replay(tenant, endpoint_id=made["id"], dry_run=dry_run))[1:] == [3, 1, 1, 0]


def test_a_dry_run_of_a_replay_has_the_same_figures_and_makes_no_job(hookline, tenant, rows):
    endpoint = paused(tenant)
    events = [rows.event() for _ in range(3)]
    rows.job(endpoint, events[0])
    before = hookline.rows_of(tenant.id)
    told = replay(tenant, topic="order.#", dry_run=True)
    assert figures(told) == ["dry_run", 3, 2, 2, 1] and told["complete"] and told["id"] is None
    assert hookline.rows_of(tenant.id) == before
    assert figures(replay(tenant, topic="order.#"))[1:] == [3, 2, 2, 1]


def test_a_large_replay_goes_on_after_the_reply_and_ends_at_its_limit(hookline, tenant, rows):
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


# Many events of another topic, an hour old, a hundred in each millisecond.
NOISE = 200_000
NOISE_SQL = {
    "postgres": """
        INSERT INTO events (event_id, created_at, stored_at, occurred_at, job_count, tenant_id, topic, payload)
        SELECT CAST(substr(hex, 1, 8) || '-' || substr(hex, 9) || '-7000-8000-' || lpad(to_hex(n), 8, '0') || '0000' AS uuid),
               hl_time(ms), hl_time(ms), hl_time(ms), 0, :id, 'noise.made', 'null'
        FROM (SELECT n, ms, lpad(to_hex(ms), 12, '0') AS hex
              FROM (SELECT n, CAST(:at AS bigint) + n / 100 AS ms FROM generate_series(1, :count) AS n) AS times) AS hexed""",
    "embedded": """
        INSERT INTO events (event_id, created_at, stored_at, occurred_at, job_count, tenant_id, topic, payload)
        SELECT substr(hex, 1, 8) || '-' || substr(hex, 9) || printf('-7000-8000-%08x0000', n), ms, ms, ms, 0, :id, 'noise.made', 'null'
        FROM (SELECT n, ms, printf('%012x', ms) AS hex
              FROM (WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < :count)
                    SELECT n, CAST(:at AS integer) + n / 100 AS ms FROM c))"""}


@pytest.fixture
def noise(hookline, tenant):
    at = now_ms() - HOUR
    hookline.query(NOISE_SQL[hookline.store], id=tenant.id, at=at, count=NOISE)
    yield at
    hookline.query("DELETE FROM events WHERE tenant_id = :id", id=tenant.id)


@pytest.mark.wanted_by("SLOW_TESTS")
def test_a_search_for_a_rare_topic_delays_no_publisher(hookline, tenant, rows, noise):
    """
    The search works in steps: the replay's row has its position, and events of the same tenant are published in
    between.
    """
    paused(tenant)
    rare = rows.event(topic="rare.made", at_ms=noise + HOUR // 2)
    told = replay(tenant, topic="rare.#")
    assert told["status"] == "running" and told["matched"] == 0 and told["matched_exact"] is False
    path = f"/v1/replay/{told['id']}"

    def place():
        row, = hookline.query("SELECT place, finished_at FROM replays WHERE tenant_id = :id", id=tenant.id)
        assert row["finished_at"] is None
        return row["place"]

    first = place()
    wait_until(lambda: place() != first, "the search to go on")
    assert tenant.client.post("/v1/events", {"topic": "rare.made", "payload": 1}).status == 201
    assert place() is not None, "the search is not finished"
    wait_until(lambda: tenant.client.get(path).json["status"] == "done", "the replay to end", 60)
    assert figures(tenant.client.get(path).json) == ["done", 1, 1, 1, 0]
    assert jobs_of(hookline, tenant)[0] == (rare, job_of(rare, 1))


def test_a_dry_run_does_not_wait_for_a_writer(hookline, tenant, rows):
    """Another program's transaction writes to the events' tables at the same time."""
    paused(tenant)
    rows.event()
    with hookline.reader() as read:
        read("BEGIN IMMEDIATE" if hookline.store == "embedded" else "BEGIN")
        read("UPDATE routing_versions SET version = version WHERE tenant_id = :id", id=tenant.id)
        told = replay(tenant, topic="order.#", dry_run=True)
        read("ROLLBACK")
    assert figures(told) == ["dry_run", 1, 1, 1, 0] and told["complete"] and told["matched_exact"]


@pytest.mark.parametrize("hookline", ["postgres"], indirect=True)  # SQLite has no row locks
def test_a_replay_into_a_locked_order_does_not_block_others(hookline, tenant, rows):
    other = hookline.new_tenant()
    others = Rows(hookline, other)
    paused(tenant, fifo=True)
    paused(other, fifo=True)
    for _ in range(20):
        rows.event()
        others.event()
    told = replay(tenant, topic="#", rate=1)
    wait_until(lambda: tenant.client.get(f"/v1/replay/{told['id']}").json["scheduled"] > 0, "the replay to begin")
    with hookline.reader() as read:
        read("BEGIN")
        read("SELECT 1 FROM fifo_heads WHERE tenant_id = :id FOR UPDATE", id=tenant.id)
        path = f"/v1/replay/{replay(other, topic='#', rate=10)['id']}"
        wait_until(lambda: other.client.get(path).json["status"] == "done", "the other replay to end", 30)
        made = tenant.client.get(f"/v1/replay/{told['id']}").json["scheduled"]
        read("ROLLBACK")
    wait_until(lambda: tenant.client.get(f"/v1/replay/{told['id']}").json["scheduled"] > made, "the first one to go on", 30)
    assert tenant.client.delete(f"/v1/replay/{told['id']}").status == 204


def test_a_replay_keeps_its_rate_and_can_be_cancelled(hookline, tenant, rows):
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


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.parametrize("store", STORES)
def test_a_replay_makes_each_job_once_although_processes_are_killed_between_slices(make_hookline, store):
    hookline = make_hookline(store)
    hookline.start()
    tenant = hookline.new_tenant()
    for _ in range(3):
        reply = tenant.client.post("/v1/events/batch", [{"topic": "order.made", "payload": None}] * 1000)
        assert reply.status == 201, reply
    paused(tenant)
    told = replay(tenant, topic="#", limit=2500, rate=1000)
    path, killed = f"/v1/replay/{told['id']}", []

    def progress():
        row, = hookline.query("SELECT status, replayed FROM replays WHERE tenant_id = :id", id=tenant.id)
        return row["replayed"], row["status"]

    for part in (1, 1000, 2000):
        wait_until(lambda: progress()[0] >= part, "a part of the replay", 60)
        killed.append(progress()[1])
        for pid in hookline.daemon.pids("control"):
            os.kill(pid, signal.SIGKILL)
    hookline.daemon.kill()
    hookline.start()
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
def test_a_wrong_request_is_refused_with_the_member(tenant, body, place):
    reply = tenant.client.post("/v1/replay", body)
    assert reply.status == 400 and place in reply.json["detail"], reply


def test_an_unknown_or_foreign_replay_is_404(tenant, rows, hookline):
    told = rows.replay({"topic": "#"})
    other = hookline.new_tenant().client
    for client, name in ((other, told), (tenant.client, "x"), (tenant.client, new_id(now_ms()))):
        assert client.get(f"/v1/replay/{name}").status == client.delete(f"/v1/replay/{name}").status == 404
