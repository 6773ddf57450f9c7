"""The breaker: an endpoint that only fails gets few requests. Its jobs wait, and arrive when it works again."""

import os
import signal
import socket

import pytest

from harness.deliveries import Endpoints
from harness.metrics import metrics
from harness.recording_receiver import Answer, Receiver
from harness.rows import now_ms
from harness.waiting import wait_until
from harness.webhooks import STORES


@pytest.fixture
def receiver():
    with Receiver(host="127.77.0.2") as receiver:
        yield receiver


def publish(tenant, count):
    events = [{"topic": "orders.made", "payload": {"n": number}} for number in range(count)]
    assert tenant.client.post("/v1/events/batch", events).status == 201


def wait_breaker(tenant, endpoint, state, timeout=20):
    wait_until(lambda: tenant.client.get(f"/v1/endpoints/{endpoint['id']}").json["breaker"] == state,
               f"the breaker to be {state}", timeout)


def count(hookline, tenant, what):
    return hookline.value(f"SELECT count(*) FROM {what} tenant_id = :id", id=tenant.id)


@pytest.mark.wanted_by("SLOW_TESTS")
def test_no_job_dies_of_a_protection_page_and_all_arrive_when_it_is_gone(hookline, tenant, endpoints, receiver):
    receiver.answers["/in"] = Answer(status=403)
    made = endpoints.add("/in")
    publish(tenant, 100)
    wait_breaker(tenant, made, "open")
    assert len(receiver.arrivals) <= 20
    wait_until(lambda: count(hookline, tenant, "jobs WHERE attempt_count > 0 AND") >= 10, "the failures to be stored")
    assert count(hookline, tenant, "jobs WHERE attempt_count = 0 AND") >= 80
    assert metrics(hookline.daemon)["breakers_open"] >= 1
    receiver.answers["/in"] = Answer()
    wait_until(lambda: len({arrival.job for arrival in receiver.arrivals if arrival.answer.delivers}) == 100,
               "all to arrive", 30)
    wait_breaker(tenant, made, "closed")
    assert count(hookline, tenant, "dlq WHERE") == 0


def test_the_breaker_saves_most_jobs_from_fatal_answers_and_a_requeue_the_rest(hookline, tenant, endpoints, receiver):
    receiver.answers["/in"] = Answer(status=422)
    made = endpoints.add("/in")
    publish(tenant, 100)
    wait_breaker(tenant, made, "open")
    receiver.answers["/in"] = Answer(delay=10)  # a probe does not end before the end of the test
    wait_until(lambda: count(hookline, tenant, "dlq WHERE") == sum(not each.answer.delivers for each in list(receiver.arrivals)),
               "the dead letters to be stored")
    dead = count(hookline, tenant, "dlq WHERE")
    assert 10 <= dead <= 20 and count(hookline, tenant, "jobs WHERE") == 100 - dead
    requeued = tenant.client.post("/v1/dlq/requeue", {"endpoint_id": made["id"]}).json
    assert (requeued["matched"], requeued["requeued"]) == (dead, dead)
    jobs = tenant.client.items("/v1/jobs")
    assert len(jobs) == 100 and count(hookline, tenant, "dlq WHERE") == 0
    assert min(job["expires_at"] for job in jobs) > now_ms() + 100 * 3_600_000, "one and a half times the standard schedule"
    receiver.answers["/in"] = Answer()
    tenant.client.patch(f"/v1/endpoints/{made['id']}", {"enabled": True})
    wait_until(lambda: len({arrival.job for arrival in receiver.arrivals if arrival.answer.delivers}) == 100, "all to arrive", 30)
    wait_until(lambda: count(hookline, tenant, "jobs WHERE") == 0, "all to be done")
    assert count(hookline, tenant, "dlq WHERE") == 0


def test_a_new_url_closes_the_breaker_and_gets_the_waiting_jobs(hookline, tenant, endpoints, receiver):
    """Nothing listens at the old URL. Three refused connections open the breaker."""
    with socket.socket() as unused:
        unused.bind(("127.77.0.2", 0))
        made = endpoints.add("/in", url=f"http://127.77.0.2:{unused.getsockname()[1]}/")
        publish(tenant, 30)
        wait_breaker(tenant, made, "open")
        patched = tenant.client.patch(f"/v1/endpoints/{made['id']}", {"url": receiver.url("/in")})
    assert (patched.status, patched.json["breaker"]) == (200, "closed")
    receiver.wait(18)  # at most twelve jobs have failed and wait for their next attempt
    wait_breaker(tenant, made, "closed")


@pytest.mark.wanted_by("SLOW_TESTS")
def test_three_good_probes_close_the_breaker_and_jobs_arrive_within_the_limits(hookline, tenant, endpoints, receiver):
    most = 0

    def count_parallel(_arrival):
        nonlocal most
        most = max(most, receiver.in_flight() + 1)
        return Answer(delay=0.2 if len(receiver.arrivals) < 3 else 0.02)

    receiver.answers["/in"] = count_parallel
    made = endpoints.add("/in", max_in_flight=4, rate_limit_rps=40, retry_schedule=["1s"] * 10)
    receiver.refuse()
    publish(tenant, 100)
    wait_breaker(tenant, made, "open")
    assert metrics(hookline.daemon)["breakers_open"] >= 1 and not receiver.arrivals
    receiver.listen()
    arrivals = receiver.wait(100, timeout=30)
    waits = [later.at - earlier.at for earlier, later in zip(arrivals, arrivals[1:])]
    assert min(waits[:3]) >= 0.2, "one probe at a time, until three have succeeded"
    assert arrivals[-1].sent - arrivals[3].sent >= 96 / 40 * 0.9 and most <= 4
    assert len({arrival.job for arrival in arrivals}) == 100
    wait_breaker(tenant, made, "closed")
    wait_until(lambda: count(hookline, tenant, "jobs WHERE") == 0, "all to be done")
    assert count(hookline, tenant, "dlq WHERE") == 0


@pytest.mark.parametrize("store", STORES)
def test_a_failing_endpoint_gets_one_probe_from_a_new_courier(make_hookline, receiver, store):
    receiver.answers["/in"] = Answer(status=500)
    hookline = make_hookline(store, HL_COURIERS=1).start()
    tenant = hookline.new_tenant()
    made = Endpoints(tenant, receiver).add("/in", max_in_flight=20, retry_schedule=["1s"] * 10)
    publish(tenant, 100)
    wait_breaker(tenant, made, "open")
    wait_until(lambda: count(hookline, tenant, "jobs WHERE attempt_count > 0 AND") >= 10, "the failures to be stored")
    courier, = hookline.daemon.pids("courier")
    seen = len(receiver.arrivals)
    os.kill(courier, signal.SIGKILL)
    wait_until(lambda: hookline.daemon.pids("courier") not in ([], [courier]), "another courier")
    receiver.wait(seen + 1)
    wait_breaker(tenant, made, "open")
    assert len(receiver.arrivals) <= seen + 2
