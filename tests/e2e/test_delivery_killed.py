"""
Clients publish without pause while processes are killed, singly or all at once, and PostgreSQL is stopped, restarted
and frozen. Then the ledger (harness/deliveries.py) must be right: each acknowledged event has arrived at every matching
endpoint by one job, and only attempts under way at a courier's death came twice.

DELIVERY_ROUNDS is the number of blows. The seed is printed; DELIVERY_SEED repeats the sequence of blows.
"""

import contextlib
import os
import random
import signal
import time
from collections import Counter

import pytest

from harness.accounting import MESSAGES, identity
from harness.deliveries import Endpoints, Ledger, Publisher, Publishing
from harness.metrics import metrics
from harness.recording_receiver import Answer, Receiver
from harness.waiting import PATIENCE, wait_until
from harness.webhooks import STORES

ROUNDS = int(os.environ.get("DELIVERY_ROUNDS", "5"))
SEED = int(os.environ.get("DELIVERY_SEED", str(random.randrange(1 << 32))))
CLIENTS = 4
IN_FLIGHT = 10  # attempts at an endpoint at once, by all couriers together
TOPICS = ("orders.made", "orders.paid", "users.made")


@pytest.fixture
def receiver():
    with Receiver() as receiver:
        yield receiver


def make_endpoints(tenant, receiver):
    """Two endpoints with all events, one with a part, one that refuses every second job once, and a slow one."""
    seen = set()

    def refuse_once(arrival):
        first = arrival.job not in seen
        seen.add(arrival.job)
        return Answer(503) if first and len(seen) % 2 == 0 else Answer(200)

    receiver.answers = {"/refuses-once": refuse_once, "/slow": Answer(200, delay=0.03)}
    endpoints = Endpoints(tenant, receiver)
    for path, pattern in (("/all", "#"), ("/too", "#"), ("/orders", "orders.*"), ("/refuses-once", "#"), ("/slow", "users.#")):
        endpoints.add(path, pattern, max_in_flight=IN_FLIGHT, timeout_ms=20000, rate_limit_rps=10000,
                      retry_schedule="1s,1s,1s,1s,1s,1s")
    return endpoints


class Blows:
    """Kills and outages at random. `courier_deaths` counts the blows that end attempts."""

    def __init__(self, hookline):
        self.hookline = hookline
        self.daemon = hookline.daemon
        self.blows = [self.kill_tree, self.kill_master] + [self.kill(role) for role in ("publisher", "courier", "acceptor", "control")]
        if hookline.store == "postgres":
            self.blows += [self.crash_database, self.restart_database, self.freeze_database]
        self.courier_deaths = 0
        self.counts = Counter()

    def strike(self, rng):
        blow = rng.choice(self.blows)
        self.counts[blow.__name__] += 1
        with open(self.daemon.log_path, "ab") as log:
            log.write(f"--- {blow.__name__}\n".encode())
        blow(rng)

    def kill(self, role):
        def blow(rng):
            os.kill(rng.choice(wait_until(lambda: self.daemon.pids(role), f"a {role}")), signal.SIGKILL)
            self.courier_deaths += role == "courier"

        blow.__name__ = f"kill_{role}"
        return blow

    def kill_tree(self, _random):
        self.courier_deaths += 1
        self.daemon.kill()
        self.daemon.start(store_ready=False)

    def kill_master(self, _random):
        self.courier_deaths += 1
        self.daemon.signal(signal.SIGKILL)
        self.daemon.wait_exit(-signal.SIGKILL)
        self.daemon.start(store_ready=False)

    def crash_database(self, rng):
        self._stop_database(signal.SIGQUIT, rng)

    def restart_database(self, rng):
        self._stop_database(signal.SIGINT, rng)

    def _stop_database(self, how, rng):
        server = self.hookline.database.server
        server.stop(how)
        time.sleep(rng.uniform(0, 0.5))
        server.start()

    def freeze_database(self, rng):
        server = self.hookline.database.server
        server.freeze()
        try:
            time.sleep(rng.uniform(0.1, 1.5))
        finally:
            server.thaw()


def settled(daemon):
    """The metrics if no published event waits on the ring or in the spool and the books balance, else False."""
    numbers = metrics(daemon)
    received, found, _ = identity(numbers, MESSAGES)
    return received == found and numbers["ring_messages"] == numbers["spool_messages"] == 0 and numbers


@pytest.mark.timeout(PATIENCE * (120 + 6 * ROUNDS))
@pytest.mark.parametrize("store", STORES)
def test_acknowledged_events_arrive_whatever_is_killed(make_hookline, receiver, store):
    print(f"\nDELIVERY_SEED={SEED} DELIVERY_ROUNDS={ROUNDS}")
    rng = random.Random(f"{SEED} {store}")
    hookline = make_hookline(store, STORAGE_TYPE="jsonl", HL_ALLOW_NETWORKS="loopback", MAX_BODY_BYTES="1MiB",
                             STORE_TIMEOUT_MS=2000).start()
    tenant = hookline.new_tenant()
    endpoints = make_endpoints(tenant, receiver)
    publishers = [Publisher(hookline, tenant, number, TOPICS, batch=1 + 2 * (number % 2), pause=0.03) for number in range(CLIENTS)]
    blows = Blows(hookline)
    with Publishing(publishers) as publishing:
        publishing.wait_more(100)
        for _ in range(ROUNDS):
            time.sleep(rng.uniform(0.1, 0.6))  # a random instant for the blow, not a wait for a state
            blows.strike(rng)
        publishing.wait_more(100, 60)
    acks = sum((publisher.acks for publisher in publishers), Counter())
    print(f"{dict(sorted(blows.counts.items()))}; {dict(acks)}")
    ledger = Ledger(hookline, endpoints, publishers)
    ledger.wait_delivered(60)
    ledger.check(duplicates_most=blows.courier_deaths * IN_FLIGHT * len(endpoints.ids))
    ledger.check_rows()
    wait_until(lambda: settled(hookline.daemon), "the books of published events to balance", 30)


def test_delivered_jobs_are_not_sent_again_if_couriers_die_while_the_store_hangs(postgres, make_hookline, receiver):
    """The database hangs. Outcomes wait on lanes in shared memory, where they survive their couriers."""
    hookline = make_hookline("postgres", STORAGE_TYPE="jsonl", HL_ALLOW_NETWORKS="loopback").start()
    tenant = hookline.new_tenant()
    receiver.answers = {"/": Answer(200, delay=1)}
    Endpoints(tenant, receiver).add("/", max_in_flight=100, rate_limit_rps=10000)
    assert tenant.client.post("/v1/events/batch", [{"topic": "a"}] * 60).status == 201
    receiver.wait(60)
    with postgres.hung():
        wait_until(lambda: all(arrival.done for arrival in receiver.arrivals), "the answers")
        waiting = "deliveries_in_flight"
        wait_until(lambda: metrics(hookline.daemon)[waiting] == 0, "the outcomes to be on the lanes")
        for courier in hookline.daemon.pids("courier"):
            os.kill(courier, signal.SIGKILL)
    wait_until(lambda: not hookline.query("SELECT 1 FROM jobs LIMIT 1"), "all jobs to end")
    assert len(receiver.arrivals) == 60


@contextlib.contextmanager
def store_away(hookline):
    if hookline.store == "postgres":
        hookline.database.server.stop(signal.SIGQUIT)
        yield
        hookline.database.server.start()
        return
    with hookline.reader() as run:  # takes the write lock, as another program might
        run("BEGIN IMMEDIATE")
        yield
        run("ROLLBACK")


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.parametrize("store", STORES)
def test_jobs_delivered_during_an_outage_of_the_store_are_not_sent_again(postgres, make_hookline, receiver, store):
    """No process dies. A job that fails during the outage is retried by its schedule, which takes seconds."""
    hookline = make_hookline(store, STORAGE_TYPE="jsonl", HL_ALLOW_NETWORKS="loopback").start()
    tenant = hookline.new_tenant()
    endpoints = Endpoints(tenant, receiver)
    receiver.answers = {"/in": Answer(200, delay=1), "/clock": [Answer(500)] * 6 + [Answer()]}
    endpoints.add("/in", "in", max_in_flight=100, rate_limit_rps=10_000)
    endpoints.add("/clock", "clock", retry_schedule=["1s"] * 6)
    assert tenant.client.post("/v1/events/batch", [{"topic": "in"}] * 60 + [{"topic": "clock"}]).status == 201
    receiver.wait(60, "/in")
    processes = {role: hookline.daemon.pids(role) for role in ("courier", "publisher")}
    with store_away(hookline):
        receiver.wait(7, "/clock")
        wait_until(lambda: all(arrival.done for arrival in receiver.arrivals), "the answers")
    wait_until(lambda: not hookline.query("SELECT 1 FROM jobs LIMIT 1"), "all jobs to end", 40)
    assert len(receiver.at("/in")) == 60 and len(receiver.at("/clock")) == 7
    found = Counter((str(row["job_id"]), row["status"]) for row in hookline.query("SELECT job_id, status FROM attempts"))
    clock = receiver.at("/clock")[0].job
    assert found == Counter({(arrival.job, "success"): 1 for arrival in receiver.at("/in")} | {
        (clock, "failure"): 6, (clock, "success"): 1})
    assert {role: hookline.daemon.pids(role) for role in processes} == processes
