"""
Fair: do failing endpoints delay the events of others? Two services get the same events and are measured in turn for a
few seconds each, so that other work of the machine affects both. The one that is not measured is frozen (SIGSTOP).
Three endpoints of one service fail, those of the other work. Both stores hold a million events: in one their jobs wait,
in the other they are done. BENCH_PAIRS, BENCH_SECONDS and BENCH_JOBS shorten the case.
"""

import contextlib
import os
import signal
import sqlite3
import statistics
import subprocess
import time

from harness.bench_tools import BenchReceiver
from harness.daemon import BUILD_DIR, session_members
from harness.metrics import metrics
from harness.receivers import dead_port
from harness.recording_receiver import Answer
from harness.recording_receiver import Receiver as ScriptedReceiver
from harness.waiting import wait_until

from cases import case
from delivery import EVENT, STORES, SUSTAINED, publishing
from hours import seconds_wanted
from management import answers
from measure import MemoryWatch, compare, tree_memory

OTHERS = 1000  # endpoints with a working receiver
RATE = 500  # events a second for these endpoints together
TROUBLES = ("dead", "slow", "waiting")
TROUBLE_RATE = 30  # events a second for the three together
SLOW_SECONDS = 30
SLOW_TIMEOUT_MS = 60_000
JOBS = 1_000_000
WARMING = 10_000  # events of the warm-up, in which each endpoint gets some and connections are opened
PAIRS = 40
PAIR_SECONDS = 5
FULL_LOAD_SECONDS = 20
SETTLING_SECONDS = 1  # after a service was frozen
OF_DELIVERY = ("publisher", "courier")
HOOK_RING_MIB = 72  # the part of the segment for hook events, which is not used in deliveries
SINGLE = EVENT | {"events": 1, "connections": 64, "path": "/v1/events"}


@case
def fair(bench):
    """p95 of 1,000 endpoints with and without a dead one, a slow one and one with a million waiting jobs; 25 minutes"""
    seconds, pairs = seconds_wanted(bench, PAIR_SECONDS), int(os.environ.get("BENCH_PAIRS", PAIRS))
    jobs = int(os.environ.get("BENCH_JOBS", JOBS))
    bench.empty_database()
    for store, name in STORES:
        with contextlib.ExitStack() as stack:
            receiver = stack.enter_context(BenchReceiver())
            alone, beside = (stack.enter_context(service_at_rest(bench, store, receiver)) for _ in range(2))
            stack.enter_context(no_troubles(alone, jobs))
            stack.enter_context(troubles(beside, jobs))
            row = {"name": name, "published_per_s": RATE, "waiting_jobs": jobs}
            row |= measure_pairs(alone, beside, receiver, pairs, seconds)
            bench.add("fair", row | {"full_mib": memory_at_full_load(beside, bench.seconds(FULL_LOAD_SECONDS))})


# The services

@contextlib.contextmanager
def service_at_rest(bench, store, receiver):
    """A stopped service with OTHERS endpoints."""
    database = bench.server.new_database() if store == "postgres" else None
    with publishing(bench, store, database, RING_BYTES=f"{HOOK_RING_MIB}MiB") as service:
        service.subscribe(receiver, OTHERS)
        service.service.daemon.stop()
        yield service


@contextlib.contextmanager
def running(service):
    daemon = service.service.daemon
    daemon.start()
    wait_until(lambda: answers(service.service, service.key), "the API", 30)
    yield
    daemon.stop()


@contextlib.contextmanager
def troubles(service, jobs):
    """
    Adds three endpoints during the block: the first does not accept connections, the second answers after 30 seconds,
    and the third works, but many jobs wait for it and its limit is one request a second.
    """
    port, kept = dead_port()
    with contextlib.ExitStack() as stack:
        for listener in kept:
            stack.enter_context(listener)
        slow, well = stack.enter_context(ScriptedReceiver()), stack.enter_context(BenchReceiver())
        slow.answers["/slow"] = Answer(delay=SLOW_SECONDS)
        with running(service):
            add_endpoint(service, 0, url=f"http://127.0.0.1:{port}/")
            add_endpoint(service, 1, url=slow.url("/slow"), timeout_ms=SLOW_TIMEOUT_MS)
            waited_for = add_endpoint(service, 2, url=f"http://127.0.0.1:{well.port}/", rate_limit_rps=1)
        add_events(service, jobs, waited_for)
        yield


@contextlib.contextmanager
def no_troubles(service, events):
    """
    Adds three working endpoints during the block that get as many events as those of troubles(). The store has the same
    number of events, whose jobs are done.
    """
    with BenchReceiver() as well:
        with running(service):
            for number in range(len(TROUBLES)):
                add_endpoint(service, number, url=f"http://127.0.0.1:{well.port}/{number}")
        add_events(service, events, None)
        yield


def add_endpoint(service, number, **fields):
    made = service.post("/v1/endpoints", fields | {"name": TROUBLES[number]})
    service.post("/v1/subscriptions", {"endpoint_id": made["id"], "topic_pattern": f"trouble.{number}"})
    return made["id"]


def add_events(service, count, endpoint):
    """Adds so many events as a publisher would, each with a due job for the endpoint. None: without jobs."""
    postgres = service.store == "postgres"
    at_ms = int(time.time() * 1000)
    time_of = f"{at_ms:012x}"
    number = "lpad(to_hex(i), 8, '0')" if postgres else "printf('%08x', i)"

    def new_id(end):
        text = f"('{time_of[:8]}-{time_of[8:]}-7000-8000-' || {number} || '{end}')"
        return f"{text}::uuid" if postgres else text

    def at(ms):
        return f"hl_time({ms})" if postgres else str(ms)

    tenant = service.service.daemon.options["HL_TENANT_ID"]
    payload = '{"sent":"' + 20 * "0" + '","output":"' + 460 * "x" + '"}'
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
    insert_events = (
        f"INSERT INTO events (event_id, created_at, occurred_at, job_count, tenant_id, topic, payload) {numbers}"
        f" SELECT {new_id('0000')}, {at(at_ms)}, {at(at_ms)}, 1, '{tenant}', 'trouble.2', '{payload}' FROM n")
    insert_jobs = (
        f"INSERT INTO jobs (tenant_id, endpoint_id, job_id, event_id, node_id, status, expires_at) {numbers}"
        f" SELECT '{tenant}', '{endpoint}', {new_id('0001')}, {new_id('0000')}, (SELECT min(node_id) FROM delivery_nodes),"
        f" 'pending', {at(at_ms + 30 * 86_400_000)} FROM n")
    statements = [insert_events] if endpoint is None else [insert_events, insert_jobs]
    if postgres:
        for statement in [*statements, "VACUUM (ANALYZE) events", "VACUUM (ANALYZE) jobs", "CHECKPOINT"]:
            service.service.database.query(statement)
        return
    path = service.service.directory / ".agentic/hooksd/hookline.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in ["BEGIN", *statements, "COMMIT", "PRAGMA wal_checkpoint(TRUNCATE)"]:
            database.execute(statement).fetchall()
    os.sync()


# Measuring

def measure_pairs(alone, beside, receiver, pairs, seconds):
    with frozen_after_start(alone, receiver), frozen_after_start(beside, receiver):
        without, with_troubles, memory = [late(alone, receiver, seconds)], [], []
        for _ in range(pairs):
            with_troubles.append(late(beside, receiver, seconds, breakers=1))
            # Not during the measurement, because reading a process' memory slows the process.
            memory.append(tree_memory(beside.service.daemon, beside.service.segment, OF_DELIVERY)["memory_mib"] - HOOK_RING_MIB)
            without.append(late(alone, receiver, seconds))
    row = {"memory_mib": max(memory)}
    for name in ("p50", "p95"):
        of_alone, of_beside = ([told[f"{name}_us"] for told in run] for run in (without, with_troubles))
        ratio, apart = compare(of_alone, of_beside)
        row |= {f"{name}_ms": statistics.median(of_alone) / 1000, f"{name}_beside_ms": statistics.median(of_beside) / 1000,
                f"{name}_ratio": ratio}
        if name == "p95":
            row |= dict(zip(("without_low", "without", "without_high"), apart))
    return row


def send_to_all(service, number):
    for pid in session_members(service.service.daemon.pid):
        os.kill(pid, number)


@contextlib.contextmanager
def frozen_after_start(service, receiver):
    """The service runs with open connections but is frozen during the block."""
    with running(service):
        warm_up(service, receiver)
        send_to_all(service, signal.SIGSTOP)
        try:
            yield
        finally:
            send_to_all(service, signal.SIGCONT)


@contextlib.contextmanager
def thawed(service):
    send_to_all(service, signal.SIGCONT)
    try:
        yield
    finally:
        send_to_all(service, signal.SIGSTOP)


def late(service, receiver, seconds, breakers=0):
    """The receiver's figures of the others' events, after the service has run for a moment."""
    with thawed(service):
        trouble = publish_to_troubles(service, seconds + SETTLING_SECONDS)
        publish(service, receiver, SETTLING_SECONDS)
        receiver.told()
        publish(service, receiver, seconds)
        assert trouble.wait() == 0
        wait_until(lambda: metrics(service.service.daemon)["breakers_open"] >= breakers, "the dead endpoint to be found out", 30)
    told = receiver.told()
    assert told["unread"] == 0, told
    return told


def publish(service, receiver, seconds):
    before = receiver.told("/so-far")["arrived"]
    result = service.load(SINGLE | {"topics": OTHERS}, seconds, rate=RATE)
    arrived(receiver, before + result["accepted"])


def warm_up(service, receiver):
    receiver.told()
    load = SUSTAINED | {"topics": OTHERS, "requests": WARMING // SUSTAINED["events"]}
    arrived(receiver, SUSTAINED["events"] * service.load(load, 60)["accepted"])
    receiver.told()


def arrived(receiver, count):
    wait_until(lambda: receiver.told("/so-far")["arrived"] >= count, "the others' events to arrive", 120)


def publish_to_troubles(service, seconds):
    """A separate client that publishes for so long."""
    load = SINGLE | {"topic": "trouble", "topics": len(TROUBLES), "connections": 4, "rate": TROUBLE_RATE, "seconds": seconds}
    words = [f"--{name}={value}" for name, value in load.items()]
    command = [BUILD_DIR / "tests/bench/load", f"--port={service.service.daemon.port}", *words]
    return subprocess.Popen(command, env=os.environ | {"HL_API_KEY": service.key}, stdout=subprocess.DEVNULL)


def memory_at_full_load(service, seconds):
    """The memory of the delivery processes and their lanes at full load."""
    with running(service), MemoryWatch(service.service.daemon, service.service.segment, roles=OF_DELIVERY) as watch:
        service.load(SUSTAINED | {"topics": OTHERS}, seconds)
    return watch.highest()["memory_mib"] - HOOK_RING_MIB
