"""The management API: its rate, and its effect on events at the same time."""

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

from harness.waiting import wait_until

import check
from cases import BATCH, case, request_rate, services, stage_us
from measure import compare, next_seed, run_load

CLIENT = Path(__file__).resolve().parent / "manage.py"
CONNECTIONS = 8
USUAL_RATE = 100  # requests a second of scripts and people on a busy day
PAIRS = 10
PAIR_SECONDS = 20


def manage(service, key, seconds, **options):
    """Starts the management client with these options. read_result() waits for its figures."""
    words = [f"--{name}={value}" for name, value in options.items()]
    command = [sys.executable, CLIENT, f"--port={service.daemon.port}", f"--seconds={seconds}", *words]
    client = subprocess.Popen(
        command, env=os.environ | {"HL_API_KEY": key}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert client.stdout.readline() == "ready\n"
    client.stdin.write("\n")
    client.stdin.flush()
    return client


def read_result(process):
    printed, _ = process.communicate()
    assert process.returncode == 0
    result = json.loads(printed)
    assert not result["failed"], f"requests were refused: {result['failed']}"
    return result


def answers(service, key):
    with service.daemon.client() as client:
        return client.request("GET", "/v1/endpoints?limit=1", headers={"Authorization": f"Bearer {key}"}).status == 200


@contextlib.contextmanager
def managed(bench, storage):
    """A service with webhooks in the store that belongs to that storage, and its start key."""
    key = f"bench-{secrets.token_hex(16)}"
    options = {"HL_API_KEY": key, "HL_STORE_BACKEND": "postgres" if storage == "postgres" else "embedded"}
    with services(bench, storage, **options) as service:
        wait_until(lambda: answers(service, key), "control and its store", 30)
        yield service, key
    shutil.rmtree(service.directory)


@case
def management(bench):
    """requests/s of the management API on both stores, without events and beside many; its effect on the events"""
    check.write_bodies(bench.work)
    bench.add("management", {"name": "API key among 100,000: digest and lookup", "us": stage_us(bench, "key", "single", 2000)})
    for storage, name in (("postgres", "PostgreSQL"), ("sqlite", "SQLite")):
        with managed(bench, storage) as (service, key):
            highest = request_rate(bench, service, BATCH, 3)
            half = int(highest / 2)
            alone = read_result(manage(service, key, bench.seconds(5), connections=CONNECTIONS))
            add_rates(bench, f"{name}, no events", alone)
            beside = manage(service, key, bench.seconds(5), connections=CONNECTIONS)
            run_load(service.daemon.port, **BATCH, seconds=bench.seconds(6), rate=half, seed=next_seed())
            add_rates(bench, f"{name}, beside {half * BATCH['events']:,} events/s", read_result(beside))
            service.settle()
            bench.add("moves", moves(bench, service, key, int(highest / 10)) | {"name": name})


def add_rates(bench, name, result):
    bench.add("management", {"name": f"{name}: all", "requests_per_s": result["requests"] / result["seconds"]} | result["all"])
    for kind, times in result["kinds"].items():
        bench.add("management", {"name": f"{name}: {kind}"} | times)


def moves(bench, service, key, rate):
    """
    The median ratios of events' latency and rate with management to those without it just before and after, and the
    spread of the latter. The rate of events leaves both cores room, or the ratios would compare two queues.
    """
    seconds = bench.seconds(PAIR_SECONDS)

    def ingest():
        result = run_load(service.daemon.port, **BATCH, seconds=seconds, rate=rate, seed=next_seed())
        service.settle()
        return result["due"]["p99_us"], result["accepted"] / result["seconds"]

    without, beside, requests, spent = [ingest()], [], 0, 0
    for _ in range(PAIRS if seconds >= 1 else 1):
        client = manage(service, key, seconds, connections=CONNECTIONS, rate=USUAL_RATE)
        beside.append(ingest())
        result = read_result(client)
        requests, spent = requests + result["requests"], spent + result["seconds"]
        without.append(ingest())
    (p99_ratio, apart), (rate_ratio, _) = map(compare, zip(*without), zip(*beside))
    return {
        "events_per_s": rate * BATCH["events"], "requests_per_s": requests / spent,
        "p99_ratio": p99_ratio, "rate_ratio": rate_ratio,
    } | dict(zip(("without_low", "without", "without_high"), apart))
