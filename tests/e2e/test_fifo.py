"""Endpoints with fifo: a receiver gets events in order. Over both stores."""

import json
import os
import signal
import threading

import pytest

from harness.client import Client
from harness.deliveries import Endpoints, Publisher, Publishing
from harness.recording_receiver import Answer, Receiver
from harness.waiting import wait_until
from harness.webhooks import STORES


def publish(tenant, *numbers, **fields):
    for n in numbers:
        reply = tenant.client.post("/v1/events", {"topic": "object.changed", "payload": {"n": n}} | fields)
        assert reply.status == 201, reply


def publish_at_once(tenant, *numbers):
    body = [{"topic": "object.changed", "payload": {"n": n}} for n in numbers]
    reply = tenant.client.post("/v1/events/batch", body)
    assert reply.status == 201, reply


def numbers_of(arrivals):
    return [json.loads(arrival.body)["event"]["payload"]["n"] for arrival in arrivals]


def change(tenant, endpoint, **fields):
    reply = tenant.client.patch(f"/v1/endpoints/{endpoint['id']}", fields)
    assert reply.status == 200, reply


def waiting(hookline, tenant, table="jobs"):
    return hookline.value(f"SELECT count(*) FROM {table} WHERE tenant_id = :id", id=tenant.id)


def test_fifty_events_arrive_in_order_although_the_first_fails_twice(hookline, tenant, endpoints, receiver):
    receiver.answers["/in"] = [Answer(500), Answer(503), Answer(200)]
    endpoints.add("/in", fifo=True, retry_schedule=["1s", "1s"])
    publish(tenant, *range(50))
    assert numbers_of(receiver.wait(52)) == [0, 0, *range(50)]
    wait_until(lambda: waiting(hookline, tenant) == 0, "no job to be left")
    attempts = tenant.client.items("/v1/deliveries?limit=100")
    assert sorted(attempt["attempt_n"] for attempt in attempts) == [1] * 50 + [2, 3]


@pytest.mark.wanted_by("SLOW_TESTS")
def test_an_order_with_edited_positions_loses_no_event(hookline, tenant, endpoints, receiver):
    begun, edited = threading.Event(), threading.Event()

    def answer(_arrival):
        begun.set()
        return Answer(200 if edited.wait(20) else 503)

    receiver.answers["/in"] = answer
    endpoints.add("/in", fifo=True)
    publish_at_once(tenant, *range(6))  # one page brings them all, so the courier knows place 6 before the edit
    assert begun.wait(20)
    of_tenant = "WHERE tenant_id = :id"
    hookline.query(f"UPDATE fifo_heads SET last_seq = 1 {of_tenant}", id=tenant.id)
    publish(tenant, 6, 7)
    hookline.query(f"UPDATE jobs SET fifo_seq = -3 {of_tenant} AND fifo_seq = 4", id=tenant.id)
    hookline.query(f"UPDATE jobs SET fifo_seq = NULL {of_tenant} AND fifo_seq = 5", id=tenant.id)
    hookline.query(f"UPDATE fifo_heads SET last_seq = {2**63 - 1} {of_tenant}", id=tenant.id)
    publish(tenant, 8)
    hookline.daemon.wait_for_log("somebody has edited the places of an order")
    edited.set()
    wait_until(lambda: waiting(hookline, tenant) == 0, "no job to be left", 30)
    assert {n for n in numbers_of(receiver.at("/in"))} == set(range(9))


def test_events_of_many_clients_arrive_one_by_one_in_the_stored_order(hookline, tenant, endpoints, receiver):
    receiver.answers["/in"] = Answer(200, delay=0.002)
    endpoint = endpoints.add("/in", fifo=True, paused=True, rate_limit_rps=10000)
    endpoints.add("/other", fifo=True)

    def client(number):
        with Client(hookline.daemon.port) as own:
            for n in range(15):
                body = [{"topic": "object.changed", "payload": {"n": [number, n, k]}} for k in range(3)]
                reply = own.post("/v1/events/batch", body, Authorization=f"Bearer {tenant.client.key}")
                assert reply.status == 201, reply

    threads = [threading.Thread(target=client, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    places = {row["job_id"]: row["fifo_seq"] for row in hookline.query(
        "SELECT job_id, fifo_seq FROM jobs WHERE tenant_id = :id AND endpoint_id = :endpoint", id=tenant.id, endpoint=endpoint["id"])}
    assert sorted(places.values()) == list(range(1, 181))
    change(tenant, endpoint, paused=False)
    arrivals = receiver.wait(180, "/in", timeout=60)
    assert [places[type(next(iter(places)))(arrival.job)] for arrival in arrivals] == list(range(1, 181))
    assert all(late.at - early.at >= 0.002 for early, late in zip(arrivals, arrivals[1:]))
    for number in range(4):
        own = [n for n in numbers_of(arrivals) if n[0] == number]
        assert own == sorted(own)


def test_a_dead_event_does_not_stop_the_next_ones_by_default(tenant, endpoints, receiver):
    receiver.answers["/in"] = [Answer(200), Answer(422), Answer(200)]
    endpoints.add("/in", fifo=True)
    publish(tenant, *range(5))
    assert numbers_of(receiver.wait(5)) == list(range(5))


@pytest.mark.parametrize("what", ["requeue", "delete"])
def test_a_dead_event_blocks_the_next_ones_until_a_requeue_or_delete(hookline, tenant, endpoints, receiver, what):
    receiver.answers["/in"] = [Answer(200), Answer(422), Answer(200)]
    endpoint = endpoints.add("/in", fifo=True, on_dead="block")
    publish(tenant, *range(5))
    wait_until(lambda: waiting(hookline, tenant, "dlq") == 1, "the event to be dead")
    change(tenant, endpoint, name="read anew")
    publish(tenant, 5)
    (dead,) = tenant.client.items("/v1/dlq")
    assert numbers_of(receiver.arrivals) == [0, 1]
    if what == "requeue":
        assert tenant.client.post(f"/v1/dlq/{dead['id']}/requeue").status == 200
    else:
        assert tenant.client.delete(f"/v1/dlq/{dead['id']}").status == 204
    again = [1] if what == "requeue" else []
    assert numbers_of(receiver.wait(6 + len(again))) == [0, 1, *again, 2, 3, 4, 5]


def test_each_ordering_key_has_an_independent_order(hookline, tenant, endpoints, receiver):
    failing = threading.Event()

    def answer(arrival):
        return Answer(500 if json.loads(arrival.body)["event"]["ordering_key"] == "a" and not failing.is_set() else 200)

    receiver.answers["/in"] = answer
    endpoints.add("/in", fifo=True, ordering="key", retry_schedule=["2s"] * 15)
    for n in range(10):
        publish(tenant, n, ordering_key="a")
        publish(tenant, n, ordering_key="b")
    wait_until(lambda: waiting(hookline, tenant) == 10, "all of the other key to arrive")
    failing.set()
    wait_until(lambda: waiting(hookline, tenant) == 0, "the rest to arrive", 60)
    by_key = {key: [n for arrival, n in zip(receiver.arrivals, numbers_of(receiver.arrivals))
                    if json.loads(arrival.body)["event"]["ordering_key"] == key and arrival.answer.delivers] for key in "ab"}
    assert by_key == {"a": list(range(10)), "b": list(range(10))}


def test_events_that_wait_when_fifo_is_switched_on_go_first(tenant, endpoints, receiver):
    endpoint = endpoints.add("/in", paused=True)
    publish(tenant, *range(5))
    change(tenant, endpoint, fifo=True)
    publish(tenant, *range(5, 10))
    change(tenant, endpoint, paused=False)
    assert numbers_of(receiver.wait(10)) == list(range(10))
    change(tenant, endpoint, paused=True)
    publish(tenant, *range(10, 15))
    change(tenant, endpoint, paused=False, fifo=False)
    assert sorted(numbers_of(receiver.wait(15))) == list(range(15))


def test_a_replay_is_sent_in_the_order_of_its_events(hookline, tenant, endpoints, receiver):
    endpoint = endpoints.add("/in", fifo=True)
    publish(tenant, *range(20))
    receiver.wait(20)
    wait_until(lambda: waiting(hookline, tenant) == 0, "no job to be left")
    assert tenant.client.post("/v1/replay", {"endpoint_id": endpoint["id"]}).json["scheduled"] == 20
    assert numbers_of(receiver.wait(40)[20:]) == list(range(20))


@pytest.mark.parametrize("store", STORES)
def test_the_order_holds_when_couriers_die_or_the_service_restarts(make_hookline, store):
    """Each client's events arrive in order. Only an event that was under way at a process' death comes again."""
    with Receiver() as receiver:
        receiver.answers["/in"] = lambda arrival: Answer(500 if len(receiver.arrivals) % 40 == 39 else 200, delay=0.003)
        hookline = make_hookline(store, STORAGE_TYPE="jsonl", HL_ALLOW_NETWORKS="loopback").start()
        tenant = hookline.new_tenant()
        Endpoints(tenant, receiver).add("/in", fifo=True, rate_limit_rps=10000, retry_schedule="1s,1s,1s,1s,1s,1s,1s,1s")
        publishers = [Publisher(hookline, tenant, number, pause=0.02) for number in range(2)]
        with Publishing(publishers) as publishing:
            for blow in ("courier", "tree", "courier", "stop"):
                publishing.wait_more(30)
                if blow == "courier":
                    os.kill(wait_until(lambda: hookline.daemon.pids("courier"), "a courier")[0], signal.SIGKILL)
                elif blow == "tree":
                    hookline.daemon.kill()
                    hookline.daemon.start(store_ready=False)
                else:
                    hookline.daemon.stop()
                    hookline.daemon.start(store_ready=False)
            publishing.wait_more(30, 60)
        wait_until(lambda: waiting(hookline, tenant) == 0, "no job to be left", 60)
        names = [name.split("-") for name in numbers_of(receiver.at("/in"))]
    for publisher in publishers:
        own = [int(n) for number, n in names if int(number) == publisher.number]
        assert own[0] == 1 and own[-1] == publisher.made
        assert all(after - before in (0, 1) for before, after in zip(own, own[1:])), own
