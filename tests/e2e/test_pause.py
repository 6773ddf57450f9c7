"""
Deliveries are paused and resumed: of one tenant on the session's daemons, of all tenants on separate daemons.
"""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.deliveries import Endpoints
from harness.metrics import metrics
from harness.recording_receiver import Answer
from harness.rows import Rows
from harness.waiting import PATIENCE, wait_until
from harness.webhooks import STORES

PAUSE, RESUME, STATS = "/v1/admin/store/pause-claims", "/v1/admin/store/resume-claims", "/v1/admin/stats"
FAILURE = Answer(status=500)


def publish(tenant, topic="orders.made", count=1):
    for number in range(count):
        reply = tenant.client.post("/v1/events", {"topic": topic, "payload": {"n": number}})
        assert reply.status == 201, reply


def pause(client, path=PAUSE, **body):
    reply = client.post(path, body)
    assert reply.status == 200 and reply.json["ok"], reply
    return reply.json["paused"]


def resume(client, **body):
    return pause(client, RESUME, **body)


def marks(hookline, tenant):
    """{(status, whether it never expires): number} of the waiting jobs."""
    rows = hookline.query("SELECT status, expires_at IS NULL AS for_ever, count(*) AS n FROM jobs WHERE tenant_id = :id"
                          " GROUP BY 1, 2", id=tenant.id)
    return {(row["status"], bool(row["for_ever"])): row["n"] for row in rows}


def wait_done(hookline, tenant):
    wait_until(lambda: marks(hookline, tenant) == {}, "no job to be left", 20)


def test_a_paused_tenant_gets_no_requests_until_it_is_resumed(hookline, tenant, receiver):
    clock = hookline.new_tenant()
    receiver.answers["/in"] = FAILURE
    receiver.answers["/clock"] = [FAILURE, FAILURE, Answer()]
    Endpoints(clock, receiver).add("/clock", retry_schedule=["1s", "1s"])
    Endpoints(tenant, receiver).add("/in", retry_schedule=["1s"] * 20)
    publish(tenant, count=3)
    receiver.wait(3, "/in")
    assert pause(tenant.client, reason="a move") is True
    moment = time.time()
    publish(tenant, count=2)
    publish(clock)
    receiver.wait(3, "/clock")  # another tenant's deliveries go on, for longer than the schedule's delay
    assert not receiver.sent_after(moment, "/in")
    wait_until(lambda: marks(hookline, tenant) == {("held", True): 5}, "the jobs that waited not to expire any more", 20)
    assert tenant.client.get(STATS).json["paused"] is True and clock.client.get(STATS).json["paused"] is False
    receiver.answers["/in"] = Answer()
    assert resume(tenant.client) is False
    resumed = time.time()
    wait_done(hookline, tenant)
    assert min(arrival.sent for arrival in receiver.sent_after(moment, "/in")) - resumed < 3 * PATIENCE, "sent at once"
    assert len({arrival.job for arrival in receiver.at("/in") if arrival.answer.delivers}) == 5
    assert tenant.client.get(STATS).json["paused"] is False


@pytest.mark.parametrize("way", ["pause", "endpoint"])
def test_an_event_published_just_before_a_resume_is_sent_at_once(hookline, tenant, receiver, way):
    """
    A job that its courier knows only from its row would be sent when it is five seconds old. In the first case the
    courier does not know the endpoint yet.
    """
    endpoint = Endpoints(tenant, receiver).add("/in")["id"]

    def hold(holds):
        if way == "pause":
            pause(tenant.client, PAUSE if holds else RESUME)
        else:
            assert tenant.client.patch(f"/v1/endpoints/{endpoint}", {"enabled": not holds}).status == 200

    def seconds():
        hold(True)
        seen, published = len(receiver.at("/in")), time.monotonic()
        publish(tenant)
        hold(False)
        return receiver.wait(seen + 1, "/in")[seen].at - published

    for _ in ("unknown", "known"):
        assert any(seconds() < 4 for _ in range(5)), "sent before it is five seconds old"


@pytest.mark.wanted_by("SLOW_TESTS")
def test_jobs_that_fail_after_a_pause_expire_again(hookline, tenant, receiver):
    receiver.answers["/in"] = FAILURE
    Endpoints(tenant, receiver).add("/in", retry_schedule=["1h"])
    pause(tenant.client)
    publish(tenant, count=2)
    assert marks(hookline, tenant) == {("held", True): 2}
    resume(tenant.client)
    receiver.wait(2, "/in")
    wait_until(lambda: marks(hookline, tenant) == {("pending", False): 2}, "jobs that expire", 20)


@pytest.mark.parametrize("answer", [FAILURE, Answer(status=429, headers=[("Retry-After", "3600")])], ids=["open breaker", "asked to wait"])
def test_no_job_is_shown_as_held_after_a_pause(hookline, tenant, receiver, answer):
    receiver.answers["/in"] = answer
    Endpoints(tenant, receiver).add("/in", retry_schedule=["1h"])
    events = [{"topic": "orders.made", "payload": None}] * 100
    assert tenant.client.post("/v1/events/batch", events).status == 201
    receiver.wait(1)
    for _ in range(3):
        pause(tenant.client)
        publish(tenant)
        resume(tenant.client)
    wait_until(lambda: marks(hookline, tenant) == {("pending", False): 103}, "all jobs to wait, and to expire", 30)
    assert {job["status"] for job in tenant.client.items("/v1/jobs")} == {"pending"}


def test_jobs_of_a_paused_tenant_are_not_sent_by_retry_or_requeue(hookline, tenant, receiver):
    endpoint = Endpoints(tenant, receiver).add("/in")["id"]
    pause(tenant.client)
    publish(tenant)
    job = tenant.client.get("/v1/jobs").json["items"][0]["id"]
    reply = tenant.client.post(f"/v1/jobs/{job}/retry")
    assert reply.status == 409 and "deliveries are paused" in reply.json["detail"]
    letter = Rows(hookline, tenant).dead_letter(endpoint, topic="orders.made", payload={})
    assert tenant.client.post(f"/v1/dlq/{letter}/requeue").status == 200
    assert marks(hookline, tenant) == {("held", True): 2} and not receiver.arrivals
    resume(tenant.client)
    receiver.wait(2)
    wait_done(hookline, tenant)


def test_pauses_are_audited_and_can_be_repeated(hookline, tenant):
    for reason in ("one", "two"):
        assert pause(tenant.client, reason=reason) is True
    key_id = hookline.value("SELECT key_id FROM api_keys WHERE tenant_id = :id", id=tenant.id)
    assert hookline.query("SELECT reason, paused_by FROM pauses WHERE tenant_id = :id", id=tenant.id) == [
        {"reason": "two", "paused_by": str(key_id)}]
    assert resume(tenant.client) is False and resume(tenant.client) is False
    entries = tenant.client.items("/v1/admin/audit?object_kind=pause&order=asc")
    assert [entry["action"] for entry in entries] == ["deliveries.pause"] * 2 + ["deliveries.resume"] * 2
    assert [(entry["before"] or {}).get("reason") for entry in entries] == [None, "one", "two", None]
    assert {entry["object_id"] for entry in entries} == {tenant.id}


def test_an_administrator_can_pause_a_tenant_by_its_id(hookline, tenant):
    assert pause(hookline.admin, tenant_id=tenant.id) is True
    assert tenant.client.get(STATS).json["paused"] is True
    assert hookline.admin.get(f"{STATS}?tenant_id={tenant.id}").json["paused"] is True
    assert hookline.admin.get(STATS).json["paused"] is False
    assert hookline.admin.post(f"{RESUME}?tenant_id={tenant.id}").json == {"ok": True, "paused": False}


def test_a_key_cannot_pause_another_tenant(hookline, tenant):
    other = hookline.new_tenant()
    for path in (PAUSE, RESUME):
        assert tenant.client.post(path, {"tenant_id": other.id}).status == 404
        assert tenant.client.post(f"{path}?tenant_id={other.id}").status == 404
        assert tenant.client.post(path, {"tenant_id": "*"}).status == 400
        assert hookline.admin.post(path, {"tenant_id": "nobody"}).status == 404
        assert hookline.admin.post(f"{path}?tenant_id=nobody", {"tenant_id": other.id}).status == 400
        assert tenant.key(["events.publish"]).post(path).status == 403
    assert tenant.client.get(f"{STATS}?tenant_id={other.id}").status == 404
    assert hookline.admin.get(f"{STATS}?tenant_id=nobody").status == 404
    assert hookline.value("SELECT count(*) FROM pauses WHERE tenant_id IN (:id, :other)", id=tenant.id, other=other.id) == 0


@pytest.mark.parametrize("body, place", [({"reason": 1}, "reason"), ({"reason": "x" * 256}, "reason"), ({"tenant_id": "a b"}, "tenant_id"),
                                         ({"tenant_id": "\U0001f600" * 64}, "tenant_id"), ({"tenant_id": None}, "tenant_id")])
def test_a_wrong_body_is_refused_with_the_member(tenant, body, place):
    reply = tenant.client.post(PAUSE, body)
    assert reply.status == 400 and reply.json["detail"].startswith(place)


@pytest.mark.parametrize("path", [PAUSE, RESUME, "/v1/admin/compact"])
def test_a_tenant_id_without_a_value_does_not_mean_all_tenants(hookline, path):
    reply = hookline.admin.post(f"{path}?tenant_id=")
    assert reply.status == 400 and "tenant_id" in reply.json["detail"]


def test_deleting_a_paused_tenant_ends_its_pause(hookline, tenant):
    pause(tenant.client)
    assert hookline.admin.delete(f"/v1/tenants/{tenant.id}").status == 204
    wait_until(lambda: hookline.value("SELECT count(*) FROM pauses WHERE tenant_id = :id", id=tenant.id) == 0, "no pause", 20)


def in_flight(tenant):
    return tenant.client.get(STATS).json["queue"]["inflight"]


def test_stats_count_waiting_jobs_and_attempts_under_way(hookline, tenant, receiver):
    receiver.answers["/in"] = Answer(delay=5)
    endpoint = Endpoints(tenant, receiver).add("/in", max_in_flight=2)["id"]
    publish(tenant, count=3)
    wait_until(lambda: in_flight(tenant) == 2, "two attempts to be under way")
    stats = hookline.new_tenant().client.get(STATS).json
    assert stats.pop("compaction").keys() == {"last_run_at", "segments_deleted", "duration_ms"}
    assert stats == {"queue": {"pending": 0, "inflight": 0}, "paused": False}
    assert hookline.admin.get(STATS).json["queue"]["inflight"] >= 2
    assert tenant.client.delete(f"/v1/endpoints/{endpoint}").status == 204


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.parametrize("store", STORES)
def test_a_pause_of_all_tenants_survives_a_restart_and_is_shown(make_hookline, store, receiver):
    hookline = make_hookline(store).start()
    tenants = [hookline.new_tenant() for _ in range(2)]
    for number, tenant in enumerate(tenants):
        Endpoints(tenant, receiver).add(f"/{number}")
    assert pause(hookline.admin) is True
    for tenant in tenants:
        publish(tenant)
    assert [marks(hookline, tenant) for tenant in tenants] == [{("held", True): 1}] * 2
    hookline.daemon.stop()
    hookline.start()
    publish(tenants[0])
    wait_until(lambda: paused_by_metric(hookline) == 1, "the metric to say so")
    assert shown(hookline) == (True, "an administrator has paused them")
    assert tenants[0].client.get(STATS).json["paused"] is True
    assert resume(tenants[0].client) is True  # the pause of all tenants remains
    assert not receiver.arrivals
    assert resume(hookline.admin) is False
    receiver.wait(3)
    for tenant in tenants:
        wait_done(hookline, tenant)
    wait_until(lambda: paused_by_metric(hookline) == 0, "the metric to say so")
    assert shown(hookline) == (False, None)


def shown(hookline):
    """The pause that /health shows."""
    deliveries = hookline.daemon.get("/health").json()["webhooks"]["deliveries"]
    return deliveries["paused"], deliveries.get("paused_reason")


def paused_by_metric(hookline):
    return metrics(hookline.daemon)["deliveries_paused"]


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.parametrize("store", STORES)
def test_an_urgent_change_names_a_node_whose_courier_hangs(make_hookline, store, receiver):
    hookline = make_hookline(store, HL_COURIERS=1).start()
    tenant = hookline.new_tenant()
    client = tenant.client
    endpoints = Endpoints(tenant, receiver)
    receiver.answers = dict.fromkeys(("/one", "/two", "/three"), FAILURE)
    one, two, three = (endpoints.add(path, retry_schedule=["10m"])["id"] for path in receiver.answers)
    publish(tenant)
    receiver.wait(3)
    # Waits, so that the courier is not stopped with locked rows.
    wait_until(lambda: hookline.value("SELECT count(*) FROM jobs WHERE attempt_count = 1") == 3, "the attempts to be stored")
    job = client.get(f"/v1/jobs?endpoint_id={three}").json["items"][0]["id"]
    node = hookline.value("SELECT name FROM delivery_nodes")
    courier, = hookline.daemon.pids("courier")
    asked = [lambda: client.post(PAUSE), lambda: client.patch(f"/v1/endpoints/{one}", {"enabled": False}),
             lambda: client.post(f"/v1/endpoints/{two}/rotate-secret", {"overlap_seconds": 0}),
             lambda: client.delete(f"/v1/jobs/{job}")]
    os.kill(courier, signal.SIGSTOP)
    began = time.monotonic()
    with ThreadPoolExecutor(len(asked)) as pool:
        replies = [future.result() for future in [pool.submit(ask) for ask in asked]]
    assert time.monotonic() - began < 12 * PATIENCE, "the change waits five seconds at most"
    os.kill(courier, signal.SIGCONT)
    assert [reply.status for reply in replies] == [202] * len(asked), replies
    assert [reply.json["pending_nodes"] for reply in replies] == [[node]] * len(asked)
    wait_until(lambda: client.post(PAUSE).status == 200, "the courier to act by it")
    assert client.get(f"/v1/jobs/{job}").status == 404
    assert hookline.daemon.pids("courier") == [courier]
