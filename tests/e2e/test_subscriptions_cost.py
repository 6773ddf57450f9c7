"""
Statements on a tenant's subscriptions read in proportion to their number, also before ANALYZE has seen the tenant.
"""

import json

import pytest

from harness.dba import apply_webhooks
from harness.statements import rows_looked_at, statement

pytestmark = pytest.mark.plain_postgres("the webhooks' tables are not distributed yet")

COUNT = 2000
ID = "lpad(to_hex({}), 32, '0')::uuid"
FIRST = "'00000000-0000-0000-0000-000000000000'"


@pytest.fixture(scope="module")
def store(postgres_server):
    """Many subscriptions since the last ANALYZE, each with a different endpoint and transform."""
    postgres_server.start()
    database = postgres_server.new_database()
    apply_webhooks(database)
    for table in "endpoints", "transforms", "subscriptions":
        database.query(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
    for tenant, count in ("another", 1), ("acme", COUNT):
        series = f"FROM generate_series(1, {count}) AS n"
        database.query(
            "INSERT INTO endpoints (tenant_id, endpoint_id, version, url, secret, headers, enabled, paused, timeout_ms,"
            " max_in_flight, rate_limit_rps, exact_limits, fifo, ordering, on_dead, fail_fast, keep_response, body, legacy_headers,"
            f" created_at, updated_at) SELECT '{tenant}', {ID.format('n')}, 1, 'http://example.com/', 's', '{{}}', true, false, 1,"
            f" 1, 1, false, false, 'endpoint', 'continue', true, false, 'envelope', false, now(), now() {series}")
        database.query(
            f"INSERT INTO transforms (tenant_id, transform_id, steps, created_at) SELECT '{tenant}', {ID.format('n')}, '[]', now() {series}")
        database.query(
            "INSERT INTO subscriptions (tenant_id, subscription_id, endpoint_id, version, topic_pattern, transform_id, enabled,"
            f" created_at, updated_at) SELECT '{tenant}', {ID.format('n')}, {ID.format('n')}, 1, 'a.b', {ID.format('n')}, true,"
            f" now(), now() {series}")
        if count == 1:
            database.query("ANALYZE")
    yield database
    database.drop()


@pytest.mark.parametrize("source, name, values, rows", [
    ("subscriptions", "measure", [], 1),
    ("subscriptions", "lists", [FIRST, "-1", "NULL", "1000"], 1000),
    ("routing", "read_routes", [], COUNT),
])  # fmt: skip
def test_each_subscription_costs_reading_a_few_rows(store, source, name, values, rows):
    sql = statement(source, name, "'acme'", *values)
    assert len(store.query(sql)) == rows
    plan = store.value(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")[0]["Plan"]
    assert rows_looked_at(plan) <= COUNT, json.dumps(plan, indent=1)
