"""Adoption: the time until a node goes on with the jobs of a node that has left."""

import time

from harness.bench_tools import BenchReceiver
from harness.metrics import metrics, series
from harness.waiting import wait_until

from cases import case
from delivery import publishing

ENDPOINTS = 1000
JOBS = 100_000
EVENTS = 100  # each goes to all endpoints
GONE = 9  # the other node's number
LEFT = f"UPDATE delivery_nodes SET left_at = now() - interval '1 minute' WHERE node_id = {GONE}"
ADOPTED = f"SELECT 1 FROM delivery_nodes WHERE node_id = {GONE} AND adopted_by IS NOT NULL"


@case
def adoption(bench):
    """webhooks on PostgreSQL: a node adopts 100,000 jobs of 1,000 endpoints"""
    with BenchReceiver() as receiver, publishing(bench, "postgres") as service:
        service.subscribe(receiver, ENDPOINTS)
        add_jobs(service)
        bench.add("adoption", taken_over(service) | {"name": "PostgreSQL", "endpoints": ENDPOINTS, "jobs": JOBS})


def add_jobs(service):
    """Adds events whose jobs belong to a node that has left, as its publishers would have stored them."""
    tenant = service.service.daemon.options["HL_TENANT_ID"]
    payload = '{"sent":"' + 20 * "0" + '","output":"' + 460 * "x" + '"}'
    at_ms = int(time.time() * 1000)  # an event's id begins with the time of its row
    event_id = f"('{at_ms >> 16:08x}-{at_ms & 0xffff:04x}-7000-8000-' || lpad(i::text, 12, '0'))::uuid"
    for statement in [
        "INSERT INTO delivery_nodes (node_id, epoch, name, started_at, alive_at, seen_version) "
        f"VALUES ({GONE}, 1, 'gone', now(), now(), 1)",
        "INSERT INTO events (event_id, created_at, occurred_at, job_count, tenant_id, topic, payload) "
        f"SELECT {event_id}, hl_time({at_ms}), hl_time({at_ms}), {ENDPOINTS}, '{tenant}', 'bench', '{payload}' FROM generate_series(1, {EVENTS}) i",
        "INSERT INTO jobs (tenant_id, endpoint_id, job_id, event_id, node_id, status, next_attempt_at, expires_at) "
        f"SELECT '{tenant}', endpoint_id, gen_random_uuid(), {event_id}, {GONE}, 'pending', now() - interval '20 s', "
        f"now() + interval '1 day' FROM endpoints, generate_series(1, {JOBS // ENDPOINTS}) i WHERE tenant_id = '{tenant}'",
        "VACUUM (ANALYZE) events", "VACUUM (ANALYZE) jobs", "CHECKPOINT", LEFT,
    ]:
        service.service.database.query(statement)


def taken_over(service):
    """Seconds from the adoption until the node has all jobs and its couriers know them, and until all are delivered."""
    database, daemon = service.service.database, service.service.daemon
    wait_until(lambda: database.query(ADOPTED), "the adoption", 60)
    began, row = time.monotonic(), {}
    steps = {
        "moved_s": lambda: metrics(daemon)["jobs_adopted_total"] >= JOBS,
        "delivered_s": lambda: series(daemon)['deliveries_total{result="delivered"}'] >= JOBS,
    }
    while len(row) < len(steps):
        for name, reached in steps.items():
            if name not in row and reached():
                row[name] = time.monotonic() - began
        time.sleep(0.1)
    return row
