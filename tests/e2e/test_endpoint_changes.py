"""Endpoints and subscriptions change while jobs wait: which requests are sent then, and where to. Over both stores."""

import base64
import hashlib
import hmac
import json
import time

import pytest

from harness.deliveries import Endpoints
from harness.recording_receiver import Answer, Receiver
from harness.rows import now_ms
from harness.waiting import wait_until
from harness.webhooks import ApiClient

FAILURE = Answer(status=500)


@pytest.fixture
def other_receiver():
    with Receiver(host="127.77.0.2") as receiver:
        yield receiver


def publish(tenant, count, topic="orders.made"):
    """Publishes so many events. Returns the ids of the jobs."""
    events = [{"topic": topic, "payload": {"n": number, "secret": "s"}} for number in range(count)]
    reply = tenant.client.post("/v1/events/batch", events)
    assert reply.status == 201, reply
    return [job for item in reply.json["items"] for job in item["job_ids"]]


def patch(tenant, endpoint, change):
    reply = tenant.client.patch(f"/v1/endpoints/{endpoint['id']}", change)
    assert reply.status == 200, reply
    return reply.json


def got(tenant, endpoint):
    return tenant.client.get(f"/v1/endpoints/{endpoint['id']}").json


def jobs(tenant, endpoint):
    return tenant.client.items(f"/v1/jobs?endpoint_id={endpoint['id']}")


def wait_clock(tenant, endpoints, receiver, path="/clock"):
    """Publishes an event to another endpoint and waits for it: requests that were under way have arrived by then."""
    if path not in endpoints.ids:
        endpoints.add(path, "clock")
    seen = len(receiver.at(path))
    publish(tenant, 1, "clock")
    receiver.wait(seen + 1, path)


def test_a_disabled_endpoint_gets_its_events_in_order_when_it_is_enabled(hookline, tenant, endpoints, receiver):
    made = endpoints.add("/in", "orders.#", enabled=False, max_in_flight=1, body="payload")
    ids = [job for _ in range(10) for job in publish(tenant, 1)]
    waiting = jobs(tenant, made)
    assert sorted(job["id"] for job in waiting) == sorted(ids)
    assert {(job["status"], job["attempt_count"]) for job in waiting} == {("held", 0)}
    wait_clock(tenant, endpoints, receiver)
    assert receiver.at("/in") == []
    patch(tenant, made, {"enabled": True})
    receiver.wait(10, "/in", 20)
    assert [arrival.job for arrival in receiver.at("/in")] == ids


def test_no_attempt_begins_after_an_endpoint_with_many_failed_jobs_is_disabled(hookline, tenant, endpoints, receiver):
    """
    Delays end all the time, before and after the reply to the change. Half of the attempts succeed, so the breaker
    stays closed.
    """
    receiver.answers["/in"] = lambda _: Answer() if len(receiver.arrivals) % 2 else FAILURE
    made = endpoints.add("/in", "orders.#", retry_schedule=["1s"] * 100, rate_limit_rps=1000, max_in_flight=50)
    ids = publish(tenant, 500)
    receiver.wait(300, "/in")
    assert patch(tenant, made, {"enabled": False})["enabled"] is False
    moment = time.time()
    receiver.answers["/clock"] = [FAILURE, FAILURE, Answer()]
    endpoints.add("/clock", "clock", retry_schedule=["1s", "1s"])
    publish(tenant, 1, "clock")
    receiver.wait(3, "/clock")  # takes longer than a delay of the schedule
    assert not receiver.sent_after(moment, "/in")
    wait_until(lambda: {job["status"] for job in jobs(tenant, made)} == {"held"}, "all jobs to be marked as held")
    receiver.answers["/in"] = Answer()
    patch(tenant, made, {"enabled": True})
    wait_until(lambda: jobs(tenant, made) == [], "all of them to be done", 30)
    assert {arrival.job for arrival in receiver.at("/in") if arrival.answer.delivers} == set(ids)


def test_waiting_jobs_go_to_a_new_url_with_the_new_headers_and_secret(
        hookline, tenant, endpoints, receiver, other_receiver):
    receiver.answers["/old"] = FAILURE
    made = endpoints.add("/old", "orders.#", retry_schedule=["1s"] * 20, headers={"X-Team": "a"}, secret="an old secret")
    ids = publish(tenant, 9)
    receiver.wait(9, "/old")
    wait_until(lambda: got(tenant, made)["failing_since"], "the failure to be stored")
    changed = patch(tenant, made, {"url": other_receiver.url("/new"), "headers": {"X-Team": "b"}, "secret": "a new secret"})
    moment = time.time()
    assert (changed["breaker"], changed["failing_since"]) == ("closed", None)
    wait_until(lambda: {arrival.job for arrival in other_receiver.at("/new")} == set(ids), "all of them at the new URL", 20)
    assert not receiver.sent_after(moment, "/old")
    assert {arrival.header("x-team") for arrival in other_receiver.at("/new")} == {"b"}
    for arrival, secret in ((receiver.at("/old")[-1], b"an old secret"), (other_receiver.at("/new")[-1], b"a new secret")):
        assert arrival.header("x-hl-signature") == signature(arrival, secret)
    wait_until(lambda: got(tenant, made)["last_success_at"], "the success to be stored")
    assert got(tenant, made)["failing_since"] is None


def standard_signature(arrival, secret):
    text = f"{arrival.job}.{arrival.header('webhook-timestamp')}.".encode() + arrival.body
    return "v1," + base64.b64encode(hmac.new(secret, text, hashlib.sha256).digest()).decode()


def signed_by(arrival, secrets):
    """The secret that signed x-hl-signature, and the secrets that signed webhook-signature, in order."""
    standard = {standard_signature(arrival, secret): secret for secret in secrets}
    own = {signature(arrival, secret): secret for secret in secrets}
    return own[arrival.header("x-hl-signature")], [standard[each] for each in arrival.header("webhook-signature").split(" ")]


@pytest.mark.wanted_by("SLOW_TESTS")
def test_each_attempt_is_signed_with_the_secrets_of_its_moment(hookline, tenant, endpoints, receiver):
    """
    During an overlap both secrets sign webhook-signature, and the old one x-hl-signature. Without an overlap the new
    secret signs from the reply on.
    """
    first, second, third, fourth, fifth = secrets = [f"secret number {number}".encode() for number in range(5)]
    receiver.answers["/in"] = lambda _: Answer() if len(receiver.arrivals) % 2 else FAILURE  # the breaker stays closed
    made = endpoints.add("/in", "orders.#", retry_schedule=["1s"] * 100, rate_limit_rps=1000, secret=first.decode())

    def rotate(secret, overlap_seconds):
        reply = tenant.client.post(f"/v1/endpoints/{made['id']}/rotate-secret",
                                   {"secret": secret.decode(), "overlap_seconds": overlap_seconds})
        assert reply.status == 200, reply

    def signers_from_now_on(count=10):
        """The distinct signers of new requests, in order. Requests that may be under way are skipped."""
        begun = len(receiver.at("/in")) + (made["max_in_flight"] if receiver.arrivals else 0)
        publish(tenant, 40)
        found = [signed_by(arrival, secrets) for arrival in receiver.wait(begun + count, "/in")[begun:]]
        return [each for number, each in enumerate(found) if each not in found[:number]]

    def overlap_is_over():
        publish(tenant, 1)
        return signed_by(receiver.at("/in")[-1], secrets) == (third, [third])

    assert signers_from_now_on(40) == [(first, [first])]
    rotate(second, 3600)
    assert signers_from_now_on() == [(first, [second, first])]
    rotate(third, 2)
    wait_until(overlap_is_over, "the overlap to end")
    assert signers_from_now_on() == [(third, [third])]
    rotate(fourth, 3600)
    rotate(fifth, 0)
    assert signers_from_now_on() == [(fifth, [fifth])]
    patch(tenant, made, {"secret": first.decode()})
    assert signers_from_now_on() == [(first, [first])]
    wait_until(lambda: jobs(tenant, made) == [], "all of them to be done", 40)


def signature(arrival, secret):
    text = arrival.header("x-hl-timestamp").encode() + b"." + arrival.body
    return "v1=" + hmac.new(secret, text, hashlib.sha256).hexdigest()


def test_enabling_an_enabled_endpoint_closes_its_breaker(hookline, tenant, endpoints, receiver):
    receiver.answers["/in"] = Answer(status=403)
    made = endpoints.add("/in", "orders.#", retry_schedule=["10m"])
    ids = publish(tenant, 30)
    wait_until(lambda: got(tenant, made)["breaker"] == "open", "the breaker to open", 20)
    wait_until(lambda: got(tenant, made)["failing_since"], "the failure to be stored")
    patch(tenant, made, {"name": "still down"})
    assert got(tenant, made)["failing_since"]
    receiver.answers["/in"] = Answer()
    seen = len(receiver.at("/in"))
    changed = patch(tenant, made, {"enabled": True})
    assert (changed["state"], changed["breaker"], changed["failing_since"]) == ("active", "closed", None)
    rest = set(ids) - {arrival.job for arrival in receiver.at("/in")[:seen]}
    assert rest
    wait_until(lambda: {arrival.job for arrival in receiver.at("/in")[seen:]} >= rest, "all that wait for their first attempt")
    assert {arrival.job for arrival in receiver.at("/in")} == set(ids)


def test_only_failures_since_the_last_enabling_count(hookline, tenant, endpoints, receiver):
    receiver.answers["/in"] = FAILURE
    made = endpoints.add("/in", "orders.#", retry_schedule=["1s"] * 50)
    publish(tenant, 1)
    wait_until(lambda: got(tenant, made)["failing_since"], "the failure to be stored")
    receiver.wait(2, "/in")
    changed = patch(tenant, made, {"enabled": True})
    since = wait_until(lambda: got(tenant, made)["failing_since"], "the run to begin anew")
    assert changed["updated_at"] <= since <= now_ms()


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.parametrize("change", ["delete", "disable", "transform"])
def test_older_jobs_of_a_changed_subscription_are_sent_unchanged(hookline, tenant, endpoints, receiver, change):
    client = tenant.client
    made = client.post("/v1/endpoints", {"url": receiver.url("/in"), "enabled": False, "body": "payload"}).json
    subscription = client.post("/v1/subscriptions", {
        "endpoint_id": made["id"], "topic_pattern": "orders.#", "transform": [{"op": "remove_field", "field": "payload.secret"}]}).json
    before = publish(tenant, 3)
    path = f"/v1/subscriptions/{subscription['id']}"
    if change == "delete":
        assert client.delete(path).status == 204
    else:
        change_to = {"enabled": False} if change == "disable" else {"transform": [{"op": "add_field", "field": "payload.x", "value": 1}]}
        assert client.patch(path, change_to).status == 200
    after = publish(tenant, 2)
    assert len(after) == (2 if change == "transform" else 0)
    patch(tenant, made, {"enabled": True})
    bodies = {arrival.job: json.loads(arrival.body) for arrival in receiver.wait(3 + len(after), "/in", 20)}
    assert {job: bodies[job] for job in before} == {job: {"n": number} for number, job in enumerate(before)}
    assert {job: bodies[job] for job in after} == {job: {"n": number, "secret": "s", "x": 1} for number, job in enumerate(after)}
    wait_until(lambda: jobs(tenant, made) == [], "all of them to be done")
    assert len(receiver.at("/in")) == 3 + len(after)


@pytest.mark.wanted_by("SLOW_TESTS")
def test_a_change_applies_on_all_nodes_and_one_event_reports_a_disabling_by_two_nodes(make_hookline, receiver):
    small = {"STORAGE_TYPE": "jsonl", "ACCEPTORS": 1, "HL_PUBLISHERS": 1, "HL_COURIERS": 1}
    one = make_hookline("postgres", **small).start()
    other = make_hookline("postgres", one.database, HL_MASTER_KEY=one.daemon.options["HL_MASTER_KEY"], **small).start()
    tenant = one.new_tenant()
    there = ApiClient(other, tenant.client.key)
    wait_until(lambda: there.get("/v1/events").status == 200, "the other node to know the key")
    endpoints = Endpoints(tenant, receiver)
    receiver.answers["/in"] = lambda _: Answer() if len(receiver.arrivals) % 2 else FAILURE
    receiver.answers["/clock"] = [FAILURE, FAILURE, Answer()]
    made = endpoints.add("/in", "orders.#", retry_schedule=["1s"] * 100, rate_limit_rps=1000)
    endpoints.add("/clock", "clock", retry_schedule=["1s", "1s"])

    def publish_on_both(count, topic="orders.made"):
        for client in (tenant.client, there):
            assert client.post("/v1/events/batch", [{"topic": topic, "payload": None}] * count).status == 201

    publish_on_both(100)
    receiver.wait(120, "/in")
    assert patch(tenant, made, {"enabled": False})["enabled"] is False
    moment = time.time()
    publish(tenant, 1, "clock")
    receiver.wait(3, "/clock", 20)  # takes longer than a delay of the schedule
    assert not receiver.sent_after(moment, "/in")
    waiting = one.query("SELECT node_id, count(*) FROM jobs WHERE tenant_id = :id GROUP BY node_id", id=tenant.id)
    assert len(waiting) == 2, "jobs of both nodes wait"

    receiver.answers["/in"] = Answer()
    assert there.patch(f"/v1/endpoints/{made['id']}", {"enabled": True}).status == 200
    wait_until(lambda: jobs(tenant, made) == [], "all of them to be done", 30)
    receiver.answers["/in"] = Answer(status=410)
    endpoints.add("/watch", "hookline.#")
    publish_on_both(5)
    assert len(receiver.wait(1, "/watch", 30)) == 1
    wait_until(lambda: one.value("SELECT count(*) FROM notices") == 0, "nothing to be left to tell")
    assert len(tenant.client.items("/v1/events?topic=hookline.%23")) == len(receiver.at("/watch")) == 1
    assert len(tenant.client.items("/v1/admin/audit?action=endpoint.disable")) == 1
