"""
REQUEUE_LETTERS dead letters of one endpoint are requeued while events are published. The endpoint's limits hold, slots
stay free for first attempts, each letter arrives once, and events of other endpoints and tenants are not delayed.

    REQUEUE_LETTERS=100000 HOOKS_BUILD_DIR=$PWD/build /usr/bin/python3 -m pytest -s tests/e2e/test_requeue_many.py

The figures are printed. test_requeue.py has a part of this test with 2,000 letters.
"""

import bisect
import os
import random
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.bench_tools import BenchReceiver, Load, build
from harness.rows import Rows
from harness.recording_receiver import Answer, Receiver
from harness.waiting import wait_until
from harness.webhooks import STORES

LETTERS = int(os.environ.get("REQUEUE_LETTERS", "0"))
RATE, IN_FLIGHT = 1000, 20  # the endpoint's limits
SLOTS, KEPT = 1000, 250  # the slots of a courier, and its slots for first attempts alone
OTHERS = 20  # endpoints of each of two tenants, with a working receiver
LIVE = 100  # events a second for these endpoints of each tenant
SLOW = 4, 8  # least and most seconds of an attempt, while the endpoint has practically no limits
SLICE = 8  # seconds of publishing

pytestmark = pytest.mark.wanted_by("REQUEUE_LETTERS")  # takes minutes


class Letterbox(Receiver):
    """Keeps only the job of a request, because there are many."""

    def record(self, arrival):
        super().record(arrival)
        arrival.headers, arrival.body = [("webhook-id", arrival.job)], b""


class Others:
    """Endpoints of a tenant without dead letters."""

    def __init__(self, hookline, tenant, receiver):
        self.hookline, self.tenant, self.receiver = hookline, tenant, receiver
        for number in range(OTHERS):
            add_endpoint(tenant, f"bench.{number}", url=receiver.url(f"/{number}"), rate_limit_rps=10_000)

    def publish(self):
        self.receiver.told()
        self.load = Load(self.hookline.daemon, self.tenant.client.key, path="/v1/events", events=1, bytes=560, topic="bench",
                         topics=OTHERS, connections=64, rate=LIVE, seconds=SLICE)

    def p95(self):
        """The latency of the last published events in milliseconds."""
        result = self.load.result()
        assert result["refused"] == result["failed"] == 0, result
        wait_until(lambda: self.receiver.told("/so-far")["arrived"] >= result["accepted"], "the others' events to arrive", 60)
        told = self.receiver.told()
        assert told["unread"] == 0, told
        return told["p95_us"] / 1000


def add_endpoint(tenant, topic, **fields):
    made = tenant.client.post("/v1/endpoints", fields)
    assert made.status == 201, made
    subscribed = tenant.client.post("/v1/subscriptions", {"endpoint_id": made.json["id"], "topic_pattern": topic})
    assert subscribed.status == 201, subscribed
    return made.json["id"]


def measure(others):
    """Publishes to the other endpoints for a while. Returns the p95 of each of others."""
    for each in others:
        each.publish()
    return [each.p95() for each in others]


def measure_while(others, condition):
    """Repeats measure() while the condition holds, at least once. Returns a list for each of others."""
    found = [measure(others)]
    while condition():
        found.append(measure(others))
    return list(zip(*found))


def requeue(tenant, endpoint):
    """Requeues all dead letters of the endpoint. Returns the number of requests and the seconds."""
    body, requests, requeued, began = {"endpoint_id": endpoint}, 0, 0, time.monotonic()
    dry = tenant.client.post("/v1/dlq/requeue", body | {"dry_run": True}).json
    assert (dry["matched"], dry["requeued"]) == (LETTERS, 0)
    while requeued < LETTERS:
        reply = tenant.client.post("/v1/dlq/requeue", body)
        assert reply.status == 200 and reply.json["skipped"] == 0 and reply.json["requeued"] > 0, reply
        assert reply.json["matched"] == LETTERS - requeued == reply.json["requeued"] + reply.json["remaining"], reply
        requeued += reply.json["requeued"]
        requests += 1
    return requests, time.monotonic() - began


def most_at_once(arrivals):
    """The greatest number of requests without an answer."""
    steps = sorted([(each.at, 1) for each in arrivals] + [(each.ended, -1) for each in arrivals])
    most = now = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most


def most_in(arrivals, seconds):
    """The greatest number of requests in any interval of so many seconds."""
    times = [each.at for each in arrivals]
    return max(bisect.bisect(times, begin + seconds) - number for number, begin in enumerate(times))


def told(name, p95s):
    ours, theirs = (f"{statistics.median(each):.1f} ms (at most {max(each):.1f})" for each in p95s)
    return f"  others' p95 {name}: {ours} of the same tenant, {theirs} of another one"


@pytest.mark.timeout(300 + LETTERS // 200)
@pytest.mark.parametrize("store", STORES)
def test_very_many_requeued_letters_keep_the_limits_and_delay_no_other(make_hookline, store):
    build()
    hookline = make_hookline(store, STORAGE_TYPE="jsonl", HL_ALLOW_NETWORKS="loopback").start()
    tenant, other = hookline.new_tenant(), hookline.new_tenant()
    with Letterbox(host="127.77.0.1") as box, BenchReceiver() as ours, BenchReceiver() as theirs, ThreadPoolExecutor() as pool:
        slowness = random.Random(LETTERS)
        box.answers["/in"] = lambda _: Answer(delay=slowness.uniform(*SLOW))  # they do not end together
        endpoint = add_endpoint(tenant, "order.#", url=box.url("/in"), max_in_flight=10_000, rate_limit_rps=100_000)
        others = [Others(hookline, tenant, ours), Others(hookline, other, theirs)]
        letters = set(Rows(hookline, tenant).dead_letters(endpoint, LETTERS, payload={"text": 500 * "x"}))
        measure(others)  # opens connections and fills caches
        quiet = measure_while(others, lambda: False)

        # The letters occupy all slots that they may have, for seconds.
        requeued = pool.submit(requeue, tenant, endpoint)
        meanwhile = measure_while(others, lambda: not requeued.done())
        slow = measure_while(others, lambda: False)
        requests, took = requeued.result()

        # From now on the endpoint's limits bound its requests.
        box.answers["/in"] = Answer(delay=0.005)
        limits = {"max_in_flight": IN_FLIGHT, "rate_limit_rps": RATE}
        wait_until(lambda: tenant.client.patch(f"/v1/endpoints/{endpoint}", limits).status == 200, "the courier to act by them")
        before = len(box.arrivals)
        own = [tenant.client.post("/v1/events", {"topic": "order.live"}).json["job_ids"] for _ in range(20)]
        limited = measure_while(others, lambda: len(box.arrivals) < LETTERS + len(own))
        wait_until(lambda: len(box.arrivals) >= LETTERS + len(own), "the rest", 60)
        wait_until(lambda: not hookline.query("SELECT 1 FROM jobs LIMIT 1"), "all outcomes to be committed", 60)
        after = measure_while(others, lambda: False)
        first, rest = box.arrivals[:before], box.arrivals[before:]

    clear = max(each.ended for each in first)
    calm = [each for each in rest if each.at >= clear]
    rate = len(calm) / (calm[-1].at - calm[0].at)
    figures = most_at_once(first), most_at_once(calm), most_in(rest, 1), most_in(rest, 10)
    print(f"\nREQUEUE_LETTERS={LETTERS} {store}: requeued by {requests} requests in {took:.1f} s\n"
          f"  without limits: at most {figures[0]} of {SLOTS} slots; {len(first)} attempts\n"
          f"  rate_limit_rps {RATE}, max_in_flight {IN_FLIGHT}: {rate:.0f}/s, at most {figures[2]} in a second and {figures[3]} in ten,"
          f" at most {figures[1]} at once")
    for name, p95s in (("before", quiet), ("while they are requeued", meanwhile), ("while they hold the slots", slow),
                       ("while they are sent within the limits", limited), ("after that", after)):
        print(told(name, p95s))
    assert {each.job for each in box.arrivals} == letters | {job for jobs in own for job in jobs}
    assert len(box.arrivals) == LETTERS + len(own), "each letter arrives once"
    assert hookline.value("SELECT count(*) FROM dlq") == hookline.value("SELECT count(*) FROM dlq_events") == 0
    assert KEPT < figures[0] <= SLOTS - KEPT, "a quarter of the slots stays free for first attempts"
    assert figures[1] <= IN_FLIGHT and figures[3] <= RATE * 10 * 1.1
    for p95s in (slow, limited):
        for p95, *calm_p95s in zip(p95s, quiet, after):
            assert statistics.median(p95) <= 2 * max(map(max, calm_p95s)) + 20, "no great delay"
