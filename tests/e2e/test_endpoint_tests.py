"""POST /v1/endpoints/{id}/test makes one attempt, replies with its result, and changes nothing else."""

import json
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.deliveries import Endpoints
from harness.recording_receiver import Answer
from harness.waiting import wait_until
from harness.webhooks import NOTHING, STORES

PAUSE = "/v1/admin/store/pause-claims"


def run_test(client, endpoint, body=NOTHING):
    return client.post(f"/v1/endpoints/{endpoint['id']}/test", body)


def succeeds(client, endpoint):
    reply = run_test(client, endpoint)
    assert (reply.status, reply.json["status"], reply.json["test"]) == (200, "success", True), reply
    return True


def sent(arrival):
    """The event in a request's body."""
    return json.loads(arrival.body)["event"]


def left_behind(hookline, tenant):
    """The rows that a test must not add or change."""
    return {table: hookline.value(f"SELECT count(*) FROM {table} WHERE tenant_id = :id", id=tenant.id)
            for table in ("jobs", "dlq", "events", "endpoint_tests")}


NOTHING_LEFT = {"jobs": 0, "dlq": 0, "events": 0, "endpoint_tests": 0}


def state_of(tenant, endpoint):
    made = tenant.client.get(f"/v1/endpoints/{endpoint['id']}").json
    return {name: made[name] for name in ("enabled", "state", "disabled_reason", "failing_since", "last_success_at", "breaker", "version")}


def test_the_reply_has_the_attempts_result_and_lists_show_the_attempt(hookline, tenant, endpoints, receiver):
    receiver.answers["/in"] = Answer(status=202, body=b"thanks")
    endpoint = endpoints.add("/in", keep_response=True, headers={"X-Team": "shop"})
    before = state_of(tenant, endpoint)
    reply = run_test(tenant.client, endpoint, b'{"topic": "order.created", "payload": {"n":  12345678901234567890}}')
    assert reply.status == 200
    told = reply.json
    assert (told["status"], told["http_status"], told["error"], told["response_body"]) == ("success", 202, None, "thanks")
    assert (told["test"], told["job_id"], told["event_id"], told["attempt_n"]) == (True, None, None, 1)
    assert told["endpoint_id"] == endpoint["id"] and told["peer_address"] and told["duration_ms"] >= 0
    arrival, = receiver.arrivals
    assert arrival.header("x-hl-delivery-id") == told["attempt_id"] and arrival.header("X-Team") == "shop"
    assert arrival.header("x-hl-topic") == "order.created" and arrival.header("webhook-signature").startswith("v1,")
    assert b'"payload":{"n":  12345678901234567890}' in arrival.body
    assert sent(arrival)["topic"] == "order.created" and sent(arrival)["event_id"] == arrival.event
    assert tenant.client.get(f"/v1/deliveries/{told['attempt_id']}").json == told
    assert tenant.client.items(f"/v1/deliveries?endpoint_id={endpoint['id']}") == [told]
    assert state_of(tenant, endpoint) == before and left_behind(hookline, tenant) == NOTHING_LEFT
    entry, = tenant.client.items("/v1/admin/audit?action=endpoint.test")
    assert entry["after"] == {"attempt_id": told["attempt_id"], "topic": "order.created"}


def test_a_test_without_a_body_has_a_default_topic_and_payload(tenant, endpoints, receiver):
    endpoint = endpoints.add("/in", pattern="orders.#")
    for body in (NOTHING, {}, {"topic": None, "payload": None}):
        assert run_test(tenant.client, endpoint, body).json["status"] == "success"
    assert {sent(arrival)["topic"] for arrival in receiver.arrivals} == {"hookline.test"}
    assert {sent(arrival)["payload"]["message"][:14] for arrival in receiver.arrivals} == {"This is a test"}
    assert len({arrival.job for arrival in receiver.arrivals}) == 3


@pytest.mark.parametrize("answer", [Answer(500), Answer(410), Answer(429, headers=(("Retry-After", "60"),)), Answer(drop=True)],
                         ids=["500", "410", "429", "no answer"])
def test_twenty_failed_tests_do_not_count_as_failures(hookline, tenant, endpoints, receiver, answer):
    receiver.answers["/in"] = answer
    endpoint = endpoints.add("/in", max_in_flight=1, rate_limit_rps=1)
    before = state_of(tenant, endpoint)
    with ThreadPoolExecutor(10) as threads:
        replies = list(threads.map(lambda _: run_test(tenant.client, endpoint), range(20)))
    assert {(reply.status, reply.json["status"]) for reply in replies} == {(200, "failure")}
    assert len(receiver.arrivals) == 20 and len({reply.json["attempt_id"] for reply in replies}) == 20
    assert state_of(tenant, endpoint) == before and left_behind(hookline, tenant) == NOTHING_LEFT
    # A new event is delivered at once: no breaker is open, and no Retry-After counts.
    receiver.answers["/in"] = Answer()
    assert tenant.client.post("/v1/events", {"topic": "orders.made"}).status == 201
    receiver.wait(21)


def test_a_test_reaches_an_endpoint_that_gets_no_events(hookline, tenant, endpoints, receiver):
    receiver.answers["/in"] = Answer(500)
    endpoint = endpoints.add("/in", retry_schedule=["1h"])
    for _ in range(10):
        assert tenant.client.post("/v1/events", {"topic": "orders.made"}).status == 201
    wait_until(lambda: state_of(tenant, endpoint)["breaker"] == "open", "the breaker to be open")
    receiver.answers["/in"] = Answer()
    before = state_of(tenant, endpoint)
    assert succeeds(tenant.client, endpoint) and state_of(tenant, endpoint)["breaker"] == before["breaker"]
    for change in ({"paused": True}, {"paused": False, "enabled": False}):
        assert tenant.client.patch(f"/v1/endpoints/{endpoint['id']}", change).status == 200
        assert succeeds(tenant.client, endpoint)
    assert tenant.client.post(PAUSE).json["paused"] is True
    assert succeeds(tenant.client, endpoint)
    waiting = hookline.value("SELECT count(*) FROM jobs WHERE tenant_id = :id", id=tenant.id)
    assert waiting == 10


def test_a_failed_test_reports_its_cause(tenant, endpoints, receiver):
    endpoint = endpoints.add("/in", timeout_ms=2000)
    receiver.refuse()
    told = run_test(tenant.client, endpoint).json
    assert (told["status"], told["http_status"]) == ("failure", None) and told["error"]
    receiver.listen()
    receiver.answers["/in"] = Answer(hang=True)
    begun = time.monotonic()
    told = run_test(tenant.client, endpoint).json
    assert (told["status"], told["http_status"]) == ("failure", None) and 2000 <= told["duration_ms"] < 8000
    assert time.monotonic() - begun < 8


def test_slow_tests_delay_no_other_request_and_are_limited(tenant, endpoints, receiver):
    receiver.answers["/in"] = Answer(hang=True)
    endpoint = endpoints.add("/in", timeout_ms=2500)
    with ThreadPoolExecutor(30) as threads:
        tests = [threads.submit(run_test, tenant.client, endpoint) for _ in range(30)]
        receiver.wait(20)
        begun = time.monotonic()
        for _ in range(10):
            assert tenant.client.get("/v1/endpoints").status == 200
        assert time.monotonic() - begun < 2.4
        replies = [test.result() for test in tests]
    refused = [reply for reply in replies if reply.status == 429]
    assert refused and all(reply.headers["Retry-After"] == "1" for reply in refused)
    assert {reply.json["status"] for reply in replies if reply.status == 200} == {"failure"}
    assert len(refused) + len(receiver.arrivals) == 30
    assert run_test(tenant.client, endpoint).status == 200


@pytest.mark.parametrize("body, place", [({"topic": "a..b"}, "topic"), ({"topic": "a.*"}, "topic"), ({"topic": 1}, "topic"),
                                         ({"topic": "x" * 256}, "topic"), ({"topics": "a"}, "has a member")])
def test_a_wrong_body_is_refused_with_the_member(hookline, tenant, endpoints, receiver, body, place):
    endpoint = endpoints.add("/in")
    reply = run_test(tenant.client, endpoint, body)
    assert reply.status == 400 and place in reply.json["detail"]
    assert not receiver.arrivals and left_behind(hookline, tenant) == NOTHING_LEFT


def test_only_keys_that_may_change_endpoints_test_them(hookline, tenant, endpoints):
    endpoint = endpoints.add("/in")
    assert run_test(tenant.key(["endpoints.read", "deliveries.retry"]), endpoint).status == 403
    assert run_test(hookline.new_tenant().client, endpoint).status == 404
    assert tenant.client.post("/v1/endpoints/no-id/test").status == 404


@pytest.mark.parametrize("store", STORES)
def test_the_successor_of_a_courier_that_dies_in_a_test_makes_it_again(make_hookline, store, receiver):
    hookline = make_hookline(store, STORAGE_TYPE="jsonl", HL_COURIERS=1, HL_PUBLISHERS=1).start()
    tenant = hookline.new_tenant()
    endpoint = Endpoints(tenant, receiver).add("/in", timeout_ms=20000)
    receiver.answers["/in"] = [Answer(hang=True), Answer()]
    replies = []
    thread = threading.Thread(target=lambda: replies.append(run_test(tenant.client, endpoint)))
    thread.start()
    receiver.wait(1)
    os.kill(hookline.daemon.pids("courier")[0], signal.SIGKILL)
    thread.join(20)
    assert replies[0].json["status"] == "success"
    first, second = receiver.arrivals
    assert first.job == second.job and first.header("x-hl-delivery-id") == second.header("x-hl-delivery-id")
    assert len(tenant.client.items("/v1/deliveries")) == 1


def test_a_test_that_does_not_end_gets_504_with_the_attempts_id(make_hookline, receiver):
    hookline = make_hookline("embedded", STORAGE_TYPE="jsonl").start()
    tenant = hookline.new_tenant()
    endpoint = Endpoints(tenant, receiver).add("/in", timeout_ms=1000)
    courier, = hookline.daemon.pids("courier")
    os.kill(courier, signal.SIGSTOP)
    begun = time.monotonic()
    reply = run_test(tenant.client, endpoint)
    os.kill(courier, signal.SIGCONT)
    assert reply.status == 504 and 2.5 < time.monotonic() - begun < 8
    assert reply.json["attempt_id"] in reply.json["detail"]
    # The test has expired: couriers do not make it any more. They make the next one.
    assert succeeds(tenant.client, endpoint)
    assert len(receiver.arrivals) == 1
    assert tenant.client.get(f"/v1/deliveries/{reply.json['attempt_id']}").status == 404


def test_a_replaced_control_answers_its_clients_and_the_test_goes_on(make_hookline, receiver):
    hookline = make_hookline("embedded", STORAGE_TYPE="jsonl").start()
    tenant = hookline.new_tenant()
    receiver.answers["/in"] = Answer(delay=3)
    endpoint = Endpoints(tenant, receiver).add("/in")
    replies = []
    thread = threading.Thread(target=lambda: replies.append(run_test(tenant.client, endpoint)))
    thread.start()
    receiver.wait(1)
    os.kill(hookline.daemon.pids("control")[0], signal.SIGTERM)
    thread.join(20)
    assert replies[0].status == 504, replies[0]
    path = f"/v1/deliveries/{replies[0].json['attempt_id']}"
    wait_until(lambda: tenant.client.get(path).status == 200, "the attempt to be stored")
    assert tenant.client.get(path).json["status"] == "success"
