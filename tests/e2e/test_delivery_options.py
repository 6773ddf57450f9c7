"""The service restarts with other options while jobs wait. The new options also apply to the old jobs. Both stores."""

import hashlib
import hmac
import json

import pytest

from harness.deliveries import Endpoints
from harness.recording_receiver import Answer, Receiver
from harness.waiting import wait_until
from harness.webhooks import STORES

pytestmark = pytest.mark.wanted_by("SLOW_TESTS")

FAILURE = Answer(status=500)
RETRIES = ["1s"] * 60
SMALL = {"STORAGE_TYPE": "jsonl", "ACCEPTORS": 1, "HL_PUBLISHERS": 1, "HL_COURIERS": 1}


@pytest.fixture
def other_receiver():
    """A receiver at an address that stays allowed."""
    with Receiver(host="127.78.0.1") as receiver:
        yield receiver


def start_with(hookline, **options):
    """Restarts the daemon with other options. None removes an option."""
    hookline.daemon.stop()
    hookline.daemon.options = {name: value for name, value in (hookline.daemon.options | options).items() if value is not None}
    hookline.start()


def publish(tenant, count=1, topic="orders.made"):
    reply = tenant.client.post("/v1/events/batch", [{"topic": topic}] * count)
    assert reply.status == 201, reply
    return {job for item in reply.json["items"] for job in item["job_ids"]}


def jobs_at(tenant, endpoint):
    return {job["id"]: job for job in tenant.client.items(f"/v1/jobs?endpoint_id={endpoint['id']}")}


def delivered(receiver, path):
    return {arrival.job for arrival in receiver.at(path) if arrival.answer.delivers}


@pytest.mark.parametrize("store", STORES)
def test_a_tighter_guard_also_refuses_connections_to_older_endpoints(make_hookline, receiver, other_receiver, store):
    allowed = {"HL_ALLOW_NETWORKS": "127.77.0.0/16,127.78.0.0/16"}
    hookline = make_hookline(store, **SMALL, **allowed).start()
    tenant = hookline.new_tenant()
    receiver.answers["/in"] = FAILURE
    made = Endpoints(tenant, receiver).add("/in", "orders.#", retry_schedule=RETRIES)
    Endpoints(tenant, other_receiver).add("/other", "other")
    jobs = publish(tenant, 2)
    receiver.wait(4, "/in")

    start_with(hookline, HL_ALLOW_NETWORKS="127.78.0.0/16")
    seen, opened = len(receiver.arrivals), receiver.opened
    jobs |= publish(tenant)
    failures = wait_until(lambda: [item for item in tenant.client.items(f"/v1/deliveries?endpoint_id={made['id']}")
                                   if "HL_ALLOW_NETWORKS" in (item["error"] or "")][4:], "attempts that the guard refuses")
    assert {(item["status"], item["http_status"], item["peer_address"]) for item in failures} == {("failure", None, None)}
    path = f"/v1/endpoints/{made['id']}"
    assert tenant.client.post(f"{path}/test").json["status"] == "failure"
    assert tenant.client.patch(path, {"url": receiver.url("/in")}).status == 400, "as a new one is"
    assert tenant.client.patch(path, {"name": "still changed"}).status == 200
    assert (len(receiver.arrivals), receiver.opened) == (seen, opened), "no connection is made"
    publish(tenant, topic="other")
    assert len(other_receiver.wait(1, "/other")) == 1

    del receiver.answers["/in"]
    start_with(hookline, **allowed)
    # Closes the breaker, which the failures may have opened.
    assert tenant.client.patch(path, {"enabled": True}).status == 200
    wait_until(lambda: delivered(receiver, "/in") == jobs, "all to arrive where it is allowed again", 30)
    wait_until(lambda: jobs_at(tenant, made) == {}, "what came of it to be stored")


@pytest.mark.parametrize("store", STORES)
def test_jobs_are_held_while_the_master_key_is_missing_and_sent_when_it_is_back(make_hookline, receiver, store):
    hookline = make_hookline(store, **SMALL).start()
    key, secret = hookline.daemon.options["HL_MASTER_KEY"], "a secret of the endpoint"
    tenant = hookline.new_tenant()
    receiver.answers["/in"] = FAILURE
    endpoints = Endpoints(tenant, receiver)
    made = endpoints.add("/in", "orders.#", retry_schedule=RETRIES, secret=secret, headers={"X-Team": "shop"})
    jobs = publish(tenant, 2)
    receiver.wait(2, "/in")

    start_with(hookline, HL_MASTER_KEY=None)
    seen = len(receiver.at("/in"))
    endpoints.add("/clock", "clock", retry_schedule=RETRIES)
    receiver.answers["/clock"] = [FAILURE, FAILURE, Answer()]
    jobs |= publish(tenant)
    publish(tenant, topic="clock")
    receiver.wait(3, "/clock")  # takes longer than a delay of the other endpoint's schedule
    wait_until(lambda: {job["status"] for job in jobs_at(tenant, made).values()} == {"held"}, "all jobs to be shown as held", 30)
    waiting = jobs_at(tenant, made)
    assert set(waiting) == jobs and len(receiver.at("/in")) == seen
    counts = {job: row["attempt_count"] for job, row in waiting.items()}
    test = tenant.client.post(f"/v1/endpoints/{made['id']}/test")
    assert "master key" in json.dumps(test.json) and len(receiver.at("/in")) == seen, test

    del receiver.answers["/in"]
    start_with(hookline, HL_MASTER_KEY=key)
    wait_until(lambda: delivered(receiver, "/in") == jobs, "all to arrive when the key is back", 30)
    for arrival in receiver.at("/in")[seen:]:
        text = arrival.header("x-hl-timestamp").encode() + b"." + arrival.body
        assert arrival.header("x-hl-signature") == "v1=" + hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
        assert arrival.header("x-team") == "shop" and int(arrival.header("x-hookline-attempt")) == counts[arrival.job] + 1
    assert tenant.client.get("/v1/dlq").json["count"] == 0
