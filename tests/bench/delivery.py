"""Webhooks: the rates of publishing and delivery, the latency of events, and the CPU time of each event by process."""

import contextlib
import itertools
import json
import secrets
import shutil
import statistics
import time

from harness.bench_tools import BenchReceiver
from harness.metrics import metrics
from harness.waiting import wait_until

from cases import case, noop, services
from copies import Copies
from measure import CPUS, machine_seconds, process_seconds, run_load, server_seconds

STORES = (("postgres", "PostgreSQL"), ("embedded", "embedded"))
TABLES = "events, jobs, attempts, dlq, idempotency_keys"
COPY_ROWS = 400_000
PROCESSES = {"acceptors": "acceptor", "publishers": "publisher", "couriers": "courier", "control": "control"}
EVENT = {"topic": "bench", "bytes": 560}  # 500 bytes of payload
PUBLISH_BATCH = EVENT | {"events": 100, "connections": 48, "path": "/v1/events/batch"}
PUBLISH_SINGLE = EVENT | {"events": 1, "connections": 256, "path": "/v1/events"}
SUSTAINED = EVENT | {"events": 10, "connections": 32, "path": "/v1/events/batch"}
GOALS = {"postgres": 12_000, "embedded": 15_000}  # events/s at the start of the search
STEP = 1.2
PROBES = 6
IN_TIME = 0.97  # the part of the events that must be delivered while the load lasts
TRIES = 4  # runs of two minutes, each at LESS times the rate delivered in the one before
LESS = 0.9
SUSTAINED_SECONDS = 120
SNAPSHOT_AGE = 300  # seconds, at the start of the run under the snapshot
LATENCY_RATES = (500, 1000, 5000)

_numbers = itertools.count()


class Publishing:
    """A service with the API on one of the stores, and a tenant."""

    def __init__(self, bench, store, service, key):
        self.bench, self.store, self.service, self.key = bench, store, service, key

    def request(self, method, path, body):
        with self.service.daemon.client() as client:
            headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
            reply = client.request(method, path, json.dumps(body), headers)
        assert reply.status in (200, 201), reply
        return reply.json()

    def post(self, path, body):
        return self.request("POST", path, body)

    def change(self, endpoint, changes):
        self.request("PATCH", f"/v1/endpoints/{endpoint}", changes)

    def subscribe(self, receiver, endpoints):
        """Makes so many endpoints, with different topics if there are several. Returns their ids."""
        ids = []
        for number in range(endpoints):
            made = self.post("/v1/endpoints", {"url": f"http://127.0.0.1:{receiver.port}/{number}", "rate_limit_rps": 100_000})
            topics = "bench.#" if endpoints == 1 else f"bench.{number}"
            self.post("/v1/subscriptions", {"endpoint_id": made["id"], "topic_pattern": topics})
            ids.append(made["id"])
        return ids

    def load(self, load, seconds, **more):
        result = run_load(self.service.daemon.port, key=self.key, **load | more, seconds=seconds)
        assert result["failed"] == 0, result
        return result

    def settle(self):
        """Waits until all published events are stored or in the spool."""
        wait_until(lambda: metrics(self.service.daemon)["ring_messages"] == 0, "the ring to be empty", 120)
        return metrics(self.service.daemon)["messages_stored_total"]

    def cpu_seconds(self):
        daemon = self.service.daemon
        used = {role: sum(map(process_seconds, daemon.pids(name))) for role, name in PROCESSES.items()}
        database = self.service.database
        return used | {"postgres": server_seconds(database and database.server), "machine": machine_seconds()}

    @contextlib.contextmanager
    def costs(self, row):
        """Adds the CPU time by process for each of row["events"] to the row at the end of the block."""
        before, started = self.cpu_seconds(), time.monotonic()
        yield
        elapsed = time.monotonic() - started
        spent = {role: seconds - before[role] for role, seconds in self.cpu_seconds().items()}
        row |= {f"cpu_{role}_us": 1e6 * spent[role] / row["events"] for role in [*PROCESSES, "postgres"]}
        row["cpu_us"] = sum(row[f"cpu_{role}_us"] for role in [*PROCESSES, "postgres"])
        known = sum(row[f"cpu_{role}_us"] for role in [*PROCESSES, "postgres", "client", "receiver"] if f"cpu_{role}_us" in row)
        others = spent["machine"] - known * row["events"] / 1e6
        row["others_percent"] = max(0, 100 * others / (CPUS * elapsed))


@contextlib.contextmanager
def publishing(bench, store, database=None, **more):
    key = f"bench-{secrets.token_hex(16)}"
    options = {"HL_API_KEY": key, "HL_STORE_BACKEND": store, "HL_TENANT_ID": f"bench-{next(_numbers)}",
               "HL_ALLOW_NETWORKS": "loopback"} | more
    with services(bench, "postgres" if store == "postgres" else "jsonl", database, **options) as service:
        made = Publishing(bench, store, service, key)
        with service.daemon.client() as client:
            asked = {"Authorization": f"Bearer {key}"}
            wait_until(lambda: client.request("GET", "/v1/endpoints?limit=1", headers=asked).status == 200, "the API", 30)
        if store == "postgres":
            service.database.query(f"TRUNCATE {TABLES}")
        yield made
    shutil.rmtree(service.directory)


@case
def delivery(bench):
    """webhooks on both stores: events/s published and delivered, latency, CPU time by process"""
    publish_rates(bench)
    with BenchReceiver() as receiver:
        for store, name in STORES:
            for endpoints in bench.few(1, 16):
                with publishing(bench, store) as service:
                    service.subscribe(receiver, endpoints)
                    load = SUSTAINED | {"topics": endpoints}
                    bench.add("delivery", sustained(service, receiver, load) | {"name": name, "endpoints": endpoints})
        for store, name in STORES:
            with publishing(bench, store) as service:
                service.subscribe(receiver, 1)
                for rate in bench.few(*LATENCY_RATES):
                    bench.add("delivery_latency", latency_at(service, receiver, name, rate))


@case
def snapshot(bench):
    """webhooks on PostgreSQL while a transaction stays open for five minutes and more"""
    with BenchReceiver() as receiver, publishing(bench, "postgres") as service:
        service.subscribe(receiver, 1)
        load = SUSTAINED | {"topics": 1}
        before = sustained(service, receiver, load) | {"name": "PostgreSQL"}
        bench.add("snapshot", before)
        bench.add("snapshot", under_snapshot(service, receiver, load, before))


# Publishing alone

def publish_rates(bench):
    """The middle figures of three rounds. Each round has its own ceilings, because neighbours in time are compared."""
    rounds = [publish_round(bench) for _ in bench.few(1, 2, 3)]
    for rows in zip(*rounds):
        row = sorted(rows, key=lambda row: row.get("stored_per_s", row.get("accepted_per_s")))[len(rows) // 2]
        if "of_ceiling" in row:
            row["of_ceiling"] = statistics.median(each["of_ceiling"] for each in rows)
        bench.add("publish", row)


def publish_round(bench):
    nothing = noop(bench, PUBLISH_SINGLE)
    rows = [nothing]
    for store, name in STORES:
        with publishing(bench, store) as service:
            single = publish(service, name, PUBLISH_SINGLE)
        single["of_ceiling"] = single["accepted_per_s"] / nothing["accepted_per_s"]
        with publishing(bench, store) as service:
            # Twice, so that the rows go into memory that a TRUNCATE has freed, like the ceiling's rows.
            publish(service, name, PUBLISH_BATCH)
            if store == "postgres":
                bench.database.query(f"TRUNCATE {TABLES}")
            batch = publish(service, name, PUBLISH_BATCH)
        rows += [single, batch]
        if store == "postgres":
            ceiling = copy_events(bench)
            batch["of_ceiling"] = batch["stored_per_s"] / ceiling["stored_per_s"]
            rows.append(ceiling)
    return rows


def publish(service, name, load):
    seconds = service.bench.seconds(3)
    service.load(load, service.bench.seconds(0.3))
    before = service.settle()
    row = {"name": name, "events_per_body": load["events"], "connections": load["connections"], "events": 1}
    started = time.monotonic()
    with service.costs(row):
        result = service.load(load, seconds)
        row["events"] = max(1, result["accepted"] * load["events"])
        stored = service.settle() - before
        row["cpu_client_us"] = result["cpu_us"] / row["events"]
    return row | {
        "accepted_per_s": row["events"] / result["seconds"], "stored_per_s": stored / (time.monotonic() - started),
        "p50_ms": result["sent"]["p50_us"] / 1000, "p99_ms": result["sent"]["p99_us"] / 1000,
    }


def copy_events(bench):
    """COPY BINARY of the events just stored into the emptied table, by two connections."""
    copies = Copies(bench, COPY_ROWS, "events")
    files = copies.export("SELECT * FROM events ORDER BY event_id")
    row = copies.measure("COPY BINARY of these events, 2 connections", files, table="events")
    copies.remove()
    return row | {"events_per_body": 100}


# Delivering

def delivered(service, receiver, load, rate, seconds):
    """Measures a row at so many events a second. delivered_per_s ends with the arrival of the last event."""
    receiver.told()
    row = {"published_per_s": rate, "events": 1}
    receiver_before = receiver.told("/so-far")["cpu_us"]
    with service.costs(row):
        result = service.load(load, seconds, rate=max(1, int(rate / load["events"])))
        row["events"] = max(1, result["accepted"] * load["events"])
        wait_until(lambda: receiver.told("/so-far")["arrived"] >= row["events"], "all events to arrive", 60 + 3 * seconds)
        told = receiver.told()
        row["cpu_client_us"] = result["cpu_us"] / row["events"]
        row["cpu_receiver_us"] = (told["cpu_us"] - receiver_before) / row["events"]
    assert told["unread"] == 0, told
    row |= {"delivered_per_s": told["arrived"] / max(told["seconds"], 1e-3), "published_per_s": row["events"] / result["seconds"]}
    return row | {f"{name}_ms": told[f"{name}_us"] / 1000 for name in ("p50", "p95", "p99", "max")}


def sustained(service, receiver, load):
    """
    Finds the highest rate at which delivery keeps up with publishing, and measures it for two minutes. Probes of five
    seconds find the rate. A rate that fails within two minutes is lowered.
    """
    rate, kept, too_much = GOALS[service.store], None, None
    for _ in service.bench.few(*range(PROBES)):
        probe = delivered(service, receiver, load, rate, service.bench.seconds(5))
        if probe["delivered_per_s"] >= IN_TIME * rate:
            kept = rate
            rate = rate * STEP if too_much is None else (rate * too_much) ** 0.5
        else:
            too_much = rate
            rate = rate / STEP if kept is None else (rate * kept) ** 0.5
    rate = kept or rate
    for _ in service.bench.few(*range(TRIES)):
        row = delivered(service, receiver, load, rate, service.bench.seconds(SUSTAINED_SECONDS))
        if row["delivered_per_s"] >= IN_TIME * row["published_per_s"]:
            break
        rate = LESS * row["delivered_per_s"]
    return row


def under_snapshot(service, receiver, load, before):
    """Repeats the rate of the row before, when a session has prevented the removal of dead rows for five minutes."""
    rate, seconds = before["published_per_s"], service.bench.seconds
    with open_snapshot(service.service.database):
        delivered(service, receiver, load, rate, seconds(SNAPSHOT_AGE))
        row = delivered(service, receiver, load, rate, seconds(SUSTAINED_SECONDS))
    of_before = row["delivered_per_s"] / before["delivered_per_s"]
    return row | {"name": f"{before['name']}, under an old snapshot", "of_before": of_before}


@contextlib.contextmanager
def open_snapshot(database):
    """A session that has read the jobs keeps its transaction open during the block, so PostgreSQL keeps dead rows."""
    with database.server.connect(database.name) as session:
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        read = "SELECT pg_current_snapshot()::text, (SELECT count(*) FROM jobs)"
        first = session.execute(read).fetchone()
        yield
        assert session.execute(read).fetchone() == first


def latency_at(service, receiver, name, rate):
    load = EVENT | {"events": 1, "connections": 64, "path": "/v1/events"}
    rounds = [delivered(service, receiver, load, rate, service.bench.seconds(10)) for _ in service.bench.few(1, 2, 3)]
    return sorted(rounds, key=lambda row: row["p95_ms"])[len(rounds) // 2] | {"name": name}
