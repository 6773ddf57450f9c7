"""The four statements of docs/dba.md that monitor deliveries: right, and no slower with months of old rows."""

import json
import re

import pytest

from harness.daemon import REPOSITORY
from harness.dba import Month, apply_webhooks

pytestmark = pytest.mark.plain_postgres("checks the tables of one server")

TEXT = (REPOSITORY / "docs/dba.md").read_text().partition("### Figures of webhooks")[2]
WAITING, DEAD, FAILED, SLOWEST = re.findall(r"^```sql\n(.*?);\n```$", TEXT, re.MULTILINE | re.DOTALL)
TENANTS, JOBS = 20, 20000
RECENT, OLDER = 1000, 40000

# One of 100 jobs of a tenant is held.
JOBS_SQL = f"""
INSERT INTO jobs (tenant_id, endpoint_id, job_id, event_id, node_id, status)
SELECT 'tenant-' || n % {TENANTS}, md5('e' || n % 200)::uuid, md5('j' || n)::uuid, md5('j' || n)::uuid, 1,
       CASE WHEN n / {TENANTS} % 100 = 0 THEN 'held' ELSE 'pending' END
FROM generate_series(0, {JOBS} - 1) AS n"""
DLQ_SQL = """
INSERT INTO dlq (tenant_id, job_id, event_id, endpoint_id, reason, attempt_count, topic, occurred_at)
SELECT 'tenant-' || n % 20, md5('d' || n)::uuid, md5('d' || n)::uuid, md5('e')::uuid, 'expired', 3, 'a.b', now()
FROM generate_series(1, 700) AS n"""
# One attempt in ten fails. Durations are 0 to 999 ms.
ATTEMPTS_SQL = """
INSERT INTO attempts (attempt_id, started_at, job_id, event_id, endpoint_id, duration_ms, attempt_n, http_status, status, tenant_id, peer_address)
SELECT gen_random_uuid(), {at}, gen_random_uuid(), gen_random_uuid(), md5('e' || n % 200)::uuid, n % 1000, 1, 200,
       CASE WHEN n % 10 = 0 THEN 'failure' ELSE 'success' END, 'tenant-' || n % 20, '203.0.113.7:443'
FROM generate_series(0, {rows} - 1) AS n"""


def add_attempts(database, at, rows):
    database.query(ATTEMPTS_SQL.format(at=at, rows=rows))
    database.query("VACUUM ANALYZE attempts")


@pytest.fixture(scope="module")
def store(postgres_server):
    """Attempts of the last days, with known numbers in the last minutes and in the hour before them."""
    postgres_server.start()
    database = postgres_server.new_database()
    apply_webhooks(database)
    database.query(f"SELECT create_monthly_partition('attempts', {Month(-1).args})")
    database.query(JOBS_SQL)
    database.query(DLQ_SQL)
    add_attempts(database, f"now() - interval '2 hours' - ({OLDER} - n) * interval '4 seconds'", OLDER)
    add_attempts(database, f"now() - interval '10 minutes' - ({RECENT} - n) * interval '1 second'", RECENT)
    add_attempts(database, f"now() - interval '30 seconds' - ({RECENT} - n) * interval '10 milliseconds'", RECENT)
    database.query("ANALYZE jobs")
    yield database
    postgres_server.start()
    database.drop()


def plan_of(store, sql):
    return store.value(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}")[0]["Plan"]


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def pages(plan):
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


def test_waiting_jobs_are_counted_by_tenant(store):
    of_each = JOBS // TENANTS
    assert dict(store.query(WAITING)) == {f"tenant-{n}": of_each - of_each // 100 for n in range(TENANTS)}


def test_dead_letters_are_counted(store):
    assert store.value(DEAD) == 700


def test_failures_of_the_hour_are_counted(store):
    assert store.value(FAILED) == 2 * RECENT // 10


def test_the_slowest_endpoints_of_the_last_minutes_are_listed(store):
    assert store.value(SLOWEST) == pytest.approx(989.01)


@pytest.mark.parametrize("sql", [FAILED, SLOWEST], ids=["failed", "slowest"])
def test_only_pages_of_the_time_range_are_read(store, sql):
    plan = plan_of(store, sql)
    used = {node["Index Name"] for node in nodes(plan) if "Index Name" in node}
    assert used and all(name.endswith("started_at_idx") for name in used), json.dumps(plan, indent=1)
    # Recent rows are a twentieth of all rows.
    total = store.value("SELECT sum(pg_relation_size(relid)) FROM pg_partition_tree('attempts')") / 8192
    assert pages(plan) < total / 4, json.dumps(plan, indent=1)


def test_a_year_of_months_makes_the_statements_no_slower(store):
    before = {sql: pages(plan_of(store, sql)) for sql in (FAILED, SLOWEST)}
    for back in range(2, 13):
        store.query(f"SELECT create_monthly_partition('attempts', {Month(-back).args})")
        store.query(ATTEMPTS_SQL.format(at=f"'{Month(-back).day} 12:00:00+00'::timestamptz + n * interval '1 second'", rows=2000))
    for sql, cost in before.items():
        plan = plan_of(store, sql)
        read = {node["Relation Name"] for node in nodes(plan) if "Relation Name" in node}
        assert not read & {f"attempts_{Month(-back).text.replace('-', '_')}" for back in range(2, 13)}, "old months are not opened"
        assert pages(plan) <= cost + 2
