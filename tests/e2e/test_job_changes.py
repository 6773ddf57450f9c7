"""Requests that make jobs due at once or cancel them. Over both stores."""

import os
import signal
import threading
import time

import pytest

from harness.deliveries import Endpoints
from harness.recording_receiver import Answer
from harness.rows import Rows, new_id, now_ms
from harness.waiting import wait_until
from harness.webhooks import STORES

FAILURE = Answer(status=500)


def publish(tenant, count=1):
    """Publishes so many events. Returns the ids of the jobs."""
    return [tenant.client.post("/v1/events", {"topic": "orders.made", "payload": {"n": number}}).json["job_ids"][0]
            for number in range(count)]


def wait_failed(tenant, jobs):
    for job in jobs:
        wait_until(lambda: tenant.client.get(f"/v1/jobs/{job}").json["attempt_count"] >= 1, "the first attempt to be written")


@pytest.mark.parametrize("wait", ["30s", "10m"], ids=["in memory", "in its row"])
def test_a_waiting_job_is_sent_at_once_on_request(tenant, endpoints, receiver, wait):
    receiver.answers["/in"] = [FAILURE, FAILURE, Answer()]
    endpoints.add("/in", retry_schedule=[wait] * 5)
    first, second = publish(tenant, 2)
    wait_failed(tenant, (first, second))
    assert tenant.client.post(f"/v1/jobs/{second}/retry").json == {"ok": True, "job_id": second}
    assert receiver.wait(3)[2].job == second
    wait_until(lambda: tenant.client.get(f"/v1/jobs/{second}").status == 404, "the job to be done")
    assert tenant.client.get(f"/v1/jobs/{first}").json["attempt_count"] == 1
    (told,) = tenant.client.items("/v1/admin/audit?action=job.retry")
    assert (told["object_id"], told["before"]["attempt_count"]) == (second, 1)


def test_all_jobs_of_an_endpoint_are_sent_at_once_on_request_and_no_others(tenant, endpoints, receiver):
    receiver.answers["/in"] = [FAILURE] * 5 + [Answer()]
    receiver.answers["/other"] = FAILURE
    endpoint = endpoints.add("/in", retry_schedule=["10m"])["id"]
    endpoints.add("/other", retry_schedule=["10m"])
    jobs = publish(tenant, 5)
    wait_failed(tenant, jobs)
    wait_until(lambda: len(receiver.at("/other")) == 5, "the other endpoint to fail")
    assert tenant.client.post(f"/v1/endpoints/{endpoint}/retry", {}).json == {"ok": True, "jobs": 5, "more": False}
    wait_until(lambda: {arrival.job for arrival in receiver.at("/in")[5:]} == set(jobs), "all of them to arrive")
    assert len(receiver.at("/other")) == 5
    wait_until(lambda: tenant.client.get(f"/v1/jobs?endpoint_id={endpoint}").json["count"] == 0, "the jobs to be done")
    assert tenant.client.post(f"/v1/endpoints/{endpoint}/retry").json == {"ok": True, "jobs": 0, "more": False}


@pytest.mark.parametrize("store", STORES)
def test_a_second_request_makes_the_rest_of_very_many_jobs_due(make_hookline, store, receiver):
    """A request with a limit of one second ends after its first slice of 1,000 jobs."""
    hookline = make_hookline(store, STORE_TIMEOUT_MS=1000).start()
    tenant = hookline.new_tenant()
    endpoint = Endpoints(tenant, receiver).add("/in")["id"]
    Rows(hookline, tenant).jobs(endpoint, 2500, due_in_ms=3_600_000, node_id=2**31 - 1)
    told = []

    def hurry():
        reply = tenant.client.post(f"/v1/endpoints/{endpoint}/retry")
        assert reply.status in (200, 503), reply  # 503: this machine was busy
        told.extend([reply.json] * (reply.status == 200))
        return told and not told[-1]["more"]

    wait_until(hurry, "a request that leaves nothing", 60)
    assert len(told) > 1 and all(answer["jobs"] > 0 for answer in told[:-1])
    waiting = tenant.client.items(f"/v1/jobs?endpoint_id={endpoint}&limit=1000")
    assert len(waiting) == 2500 and all(job["next_attempt_at"] <= now_ms() for job in waiting)


def test_a_refusal_says_why_a_held_job_cannot_be_sent(hookline, tenant, endpoints):
    endpoint = endpoints.add("/in", enabled=False)["id"]
    job, = publish(tenant)
    for path in (f"/v1/jobs/{job}/retry", f"/v1/endpoints/{endpoint}/retry"):
        reply = tenant.client.post(path)
        assert (reply.status, reply.json["error"]) == (409, "conflict") and "disabled" in reply.json["detail"]
    assert tenant.client.patch(f"/v1/endpoints/{endpoint}", {"enabled": True, "paused": True}).status == 200
    assert "paused" in tenant.client.post(f"/v1/jobs/{job}/retry").json["detail"]
    hookline.query("UPDATE endpoints SET state = 'disabled', disabled_reason = 'http_410', paused = :no WHERE endpoint_id = :id",
                   id=endpoint, no=False)
    assert "http_410" in tenant.client.post(f"/v1/jobs/{job}/retry").json["detail"]


@pytest.mark.parametrize("wait", ["2s", "10m"], ids=["in memory", "in its row"])
def test_no_attempt_of_a_cancelled_job_begins(hookline, tenant, endpoints, receiver, wait):
    receiver.answers["/in"] = FAILURE
    endpoints.add("/in", retry_schedule=[wait, "1s", "1s"])
    kept, cancelled = publish(tenant, 2)
    wait_failed(tenant, (kept, cancelled))
    assert tenant.client.delete(f"/v1/jobs/{cancelled}").status == 204
    moment = time.time()
    assert tenant.client.delete(f"/v1/jobs/{cancelled}").status == 404
    assert tenant.client.post(f"/v1/jobs/{kept}/retry").status == 200
    wait_until(lambda: len([arrival for arrival in receiver.arrivals if arrival.job == kept]) >= 2, "the other to be sent")
    if wait == "2s":
        wait_until(lambda: tenant.client.get(f"/v1/dlq/{kept}").status == 200, "the other to die after its schedule")
    assert cancelled not in {arrival.job for arrival in receiver.sent_after(moment, "/in")}
    assert tenant.client.get(f"/v1/dlq/{cancelled}").status == 404
    (told,) = tenant.client.items("/v1/admin/audit?action=job.cancel")
    assert (told["object_kind"], told["object_id"], told["after"]) == ("job", cancelled, None)


def test_a_cancelled_jobs_attempt_under_way_is_its_last_one(hookline, tenant, endpoints, receiver):
    receiver.answers["/in"] = [Answer(status=500, delay=3), FAILURE]
    endpoints.add("/in", retry_schedule=["1s"] * 5)
    endpoints.add("/clock", retry_schedule=["1s", "1s", "1s"])
    receiver.answers["/clock"] = [FAILURE, FAILURE, FAILURE, Answer()]
    tenant.client.post("/v1/events", {"topic": "orders.made"})
    receiver.wait(2)
    job, = (arrival.job for arrival in receiver.at("/in"))
    assert tenant.client.delete(f"/v1/jobs/{job}").status == 204
    wait_until(lambda: len(receiver.at("/clock")) == 4, "seconds to pass")
    assert len(receiver.at("/in")) == 1
    wait_until(lambda: [one["http_status"] for one in tenant.client.items(f"/v1/deliveries?job_id={job}")] == [500],
               "the attempt to be shown")
    assert tenant.client.get(f"/v1/jobs/{job}").status == tenant.client.get(f"/v1/dlq/{job}").status == 404


@pytest.mark.parametrize("store", STORES)
def test_the_next_courier_does_not_send_a_cancelled_job(make_hookline, receiver, store):
    hookline = make_hookline(store, HL_COURIERS=1).start()
    tenant = hookline.new_tenant()
    Endpoints(tenant, receiver).add("/in")
    first, = publish(tenant)
    receiver.wait(1)
    # Otherwise the next courier would send the first job again.
    wait_until(lambda: tenant.client.get("/v1/jobs").json["count"] == 0, "the first to be done")
    courier, = hookline.daemon.pids("courier")
    os.kill(courier, signal.SIGSTOP)
    cancelled, kept = publish(tenant, 2)
    replies = []
    cancelling = threading.Thread(target=lambda: replies.append(tenant.client.delete(f"/v1/jobs/{cancelled}")))
    cancelling.start()
    wait_until(lambda: tenant.client.get(f"/v1/jobs/{cancelled}").status == 404, "its row to be gone")
    os.kill(courier, signal.SIGKILL)
    cancelling.join()
    assert replies[0].status == 204
    assert receiver.wait(2)[1].job == kept
    wait_until(lambda: tenant.client.get("/v1/jobs").json["count"] == 0, "the jobs to be done")
    assert [arrival.job for arrival in receiver.arrivals] == [first, kept]


def test_a_cancelled_requeued_job_leaves_no_row(hookline, tenant, endpoints):
    rows = Rows(hookline, tenant)
    job = rows.dead_letter(endpoints.add("/in", enabled=False)["id"])
    assert tenant.client.post(f"/v1/dlq/{job}/requeue").status == 200
    assert tenant.client.delete(f"/v1/jobs/{job}").status == 204
    for table in ("jobs", "dlq", "dlq_events"):
        assert hookline.value(f"SELECT count(*) FROM {table} WHERE tenant_id = :id", id=tenant.id) == 0, table


def test_couriers_learn_of_each_change_of_jobs_and_publishers_repeat_no_batch(hookline, tenant, endpoints, receiver):
    """
    A publisher repeats a batch (SQLSTATE HL001) if the tenant's version has changed since it read the routes. Changes
    of jobs do not change that version.
    """
    client, rows = tenant.client, Rows(hookline, tenant)
    receiver.answers["/in"] = FAILURE
    endpoint = endpoints.add("/in", retry_schedule=["10m"] * 5)["id"]
    hurried, cancelled, replayed = publish(tenant, 3)
    wait_failed(tenant, (hurried, cancelled, replayed))
    one, *many = (rows.dead_letter(endpoint) for _ in range(3))

    def versions():
        row, = hookline.query("SELECT version, change_version FROM routing_versions WHERE tenant_id = :id", id=tenant.id)
        return row["version"], row["change_version"]

    before, told = versions()
    for change, status in (
            (lambda: client.post(f"/v1/jobs/{hurried}/retry"), 200),
            (lambda: client.post(f"/v1/endpoints/{endpoint}/retry"), 200),
            (lambda: client.delete(f"/v1/jobs/{cancelled}"), 204),
            (lambda: client.post(f"/v1/dlq/{one}/requeue"), 200),
            (lambda: client.post("/v1/dlq/requeue", {"endpoint_id": endpoint}), 200),
            (lambda: client.post("/v1/replay", {"topic": "orders.#"}), 200),
            (lambda: hookline.admin.delete(f"/v1/events?tenant_id={tenant.id}&confirm={tenant.id}&topic=orders.*"), 200)):
        reply = change()
        assert reply.status == status, reply
        wait_until(lambda: versions()[1] > told, "couriers to be told", 5)
        told = versions()[1]
    assert versions()[0] == before
    assert not set(many) & {letter["id"] for letter in client.items("/v1/dlq")}, "all of them were requeued"


def test_unknown_jobs_are_404_and_other_scopes_are_refused(hookline, tenant, endpoints):
    endpoint = endpoints.add("/in", enabled=False)["id"]
    job, = publish(tenant)
    reader = tenant.key(["deliveries.read", "endpoints.write"])
    assert reader.post(f"/v1/jobs/{job}/retry").status == reader.delete(f"/v1/jobs/{job}").status == 403
    assert reader.post(f"/v1/endpoints/{endpoint}/retry").status == 403
    for name in ("x", new_id(now_ms())):
        assert tenant.client.post(f"/v1/jobs/{name}/retry").status == tenant.client.delete(f"/v1/jobs/{name}").status == 404
        assert tenant.client.post(f"/v1/endpoints/{name}/retry").status == 404
    assert tenant.client.post(f"/v1/jobs/{job}/retry", {"now": True}).status == 400
    assert tenant.client.get(f"/v1/jobs/{job}").status == 200
