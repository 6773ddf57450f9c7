"""Bloat: the cost of deliveries while PostgreSQL cannot or does not remove dead rows."""

import contextlib
import time

from harness.bench_tools import BenchReceiver
from harness.waiting import wait_until

from cases import case
from delivery import SUSTAINED, delivered, open_snapshot, publishing
from hours import seconds_wanted
from management import answers

RATE = 2000  # events a second
SECONDS = 600
ENDPOINTS = 20
LEFT_JOBS = 1000  # waiting jobs at a start


@contextlib.contextmanager
def no_autovacuum(database):
    for table in ("jobs", "events", "attempts"):
        for partition in partitions(database, table):
            database.query(f"ALTER TABLE {partition} SET (autovacuum_enabled = off)")
    yield


def partitions(database, table):
    parts = [part for part, in database.query("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", table)]
    return parts or [table]


CONDITIONS = {
    "under a snapshot": open_snapshot,
    "without autovacuum": no_autovacuum,
}


@case
def bloat(bench):
    """webhooks on PostgreSQL at 2,000/s for ten minutes under a snapshot, and without autovacuum; 25 minutes"""
    seconds = seconds_wanted(bench, SECONDS)
    bench.empty_database()
    for name, condition in CONDITIONS.items():
        with BenchReceiver() as receiver, publishing(bench, "postgres", bench.server.new_database()) as service:
            ids = service.subscribe(receiver, ENDPOINTS)
            with condition(service.service.database):
                row = first_and_last(service, receiver, seconds) | {"name": name}
                row["jobs_mib"] = service.service.database.value("SELECT pg_total_relation_size('jobs')") / 2**20
                row["start_s"] = start(service, receiver, ids)
            bench.add("bloat", row)


def first_and_last(service, receiver, seconds):
    """The figures of the first and of the last tenth of the time."""
    load = SUSTAINED | {"topics": ENDPOINTS}
    first = delivered(service, receiver, load, RATE, seconds / 10)
    delivered(service, receiver, load, RATE, seconds * 8 / 10)
    last = delivered(service, receiver, load, RATE, seconds / 10)
    row = {"published_per_s": last["published_per_s"], "delivered_per_s": last["delivered_per_s"]}
    for key in ("cpu_us", "cpu_postgres_us"):
        row |= {f"first_{key}": first[key], key: last[key]}
    return row


def start(service, receiver, ids):
    """Seconds from the start of hooksd until the waiting jobs are delivered."""
    database, daemon = service.service.database, service.service.daemon
    daemon.stop()
    database.query(
        "INSERT INTO jobs (tenant_id, endpoint_id, job_id, event_id, node_id, status, next_attempt_at, expires_at) "
        "SELECT tenant_id, %s::uuid, gen_random_uuid(), event_id, (SELECT min(node_id) FROM delivery_nodes), 'pending', "
        f"now() - interval '20 s', now() + interval '1 day' FROM (SELECT * FROM events LIMIT {LEFT_JOBS}) left_events", ids[0])
    receiver.told()
    began = time.monotonic()
    daemon.start()
    wait_until(lambda: answers(service.service, service.key), "the API", 30)
    wait_until(lambda: receiver.told("/so-far")["arrived"] >= LEFT_JOBS, "the jobs to be delivered", 120)
    return time.monotonic() - began
