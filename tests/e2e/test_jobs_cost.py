"""
A courier's statements on `jobs` read about as much as they return, however many jobs wait and whatever statistics the
planner has.
"""

import json

import pytest

from harness.dba import apply_webhooks
from harness.statements import rows_looked_at, statement

pytestmark = [pytest.mark.plain_postgres("reads plans of PostgreSQL"), pytest.mark.unsanitized("tests SQL only")]

ENDPOINTS = ["11111111-1111-1111-1111-11111111110" + n for n in "123"]
JOBS = 200_000
FIRST = "'00000000-0000-0000-0000-000000000000'"


@pytest.fixture(scope="module")
def store(postgres_server):
    """JOBS jobs of three endpoints, and other rows for some of them."""
    postgres_server.start()
    database = postgres_server.new_database()
    apply_webhooks(database)
    database.query("ALTER TABLE jobs SET UNLOGGED")
    database.query(
        "INSERT INTO jobs (tenant_id, endpoint_id, job_id, event_id, node_id, status) SELECT 'acme', "
        f"('{{{','.join(ENDPOINTS)}}}'::uuid[])[1 + n * 3 / {JOBS}], lpad(to_hex(n), 32, '0')::uuid, "
        f"'{ENDPOINTS[0]}', 1, 'pending' FROM generate_series(0, {JOBS} - 1) AS n")
    # Events and dead letters for some of these jobs, with the job's id and the time of the first millisecond.
    for table, columns, values in (
            ("events", "event_id, created_at, job_count", "id, hl_time(1), 1"), ("dlq_events", "event_id, job_id", "id, id"),
            ("dlq", "event_id, job_id, endpoint_id, created_at, attempt_count, reason", f"id, id, '{ENDPOINTS[1]}', now(), 1, 'x'")):
        database.query(
            f"INSERT INTO {table} (tenant_id, topic, payload, occurred_at, {columns}) SELECT 'acme', 'x', 'null', hl_time(1), {values} "
            f"FROM generate_series({JOBS} / 2, {JOBS} / 2 + 5000) AS n CROSS JOIN LATERAL (SELECT lpad(to_hex(n), 32, '0')::uuid AS id) AS m")
    database.query(
        "INSERT INTO endpoints (tenant_id, endpoint_id, version, url, secret, headers, enabled, paused, timeout_ms, max_in_flight,"
        " rate_limit_rps, exact_limits, fifo, ordering, on_dead, fail_fast, keep_response, body, legacy_headers, created_at, updated_at)"
        " SELECT 'acme', lpad(to_hex(n), 32, '0')::uuid, 1, 'http://example.com/', 's', '{}', true, false, 1, 1, 1, false, false,"
        f" 'endpoint', 'continue', true, false, 'envelope', false, now(), now() FROM generate_series({JOBS} / 2, {JOBS} / 2 + 5000) AS n")
    yield database
    database.drop()


def pages(database, sql):
    """The number of pages that the statement reads when run as couriers do, and its plan."""
    with database.server.connect(database.name) as connection:
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        cursor.execute(statement("job_outcomes", "by_indexes"))
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}")
        plan = cursor.fetchone()[0][0]["Plan"]
        cursor.execute("ROLLBACK")
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], json.dumps(plan, indent=1)


def check(store):
    scan = statement("job_rows", "scan_all", "''", FIRST, "200")
    assert [str(row[1]) for row in store.query(scan)] == ENDPOINTS
    read, plan = pages(store, scan)
    assert read < 100, plan
    page = statement("job_rows", "page", "'acme'", f"'{ENDPOINTS[1]}'", FIRST, "1", "500")
    assert len(store.query(page)) == 500
    read, plan = pages(store, page)
    assert read < 600, plan


def test_reading_due_jobs_costs_a_few_pages_for_each_endpoint(store):
    check(store)
    store.query("ANALYZE jobs")
    check(store)


def test_due_jobs_are_read_by_the_key_also_with_statistics_of_an_empty_queue(store):
    """Statistics as after a VACUUM of a nearly empty queue, before the next burst."""
    store.query("UPDATE pg_class SET reltuples = 60 WHERE oid = 'jobs'::regclass")
    check(store)


def test_a_check_for_full_queues_reads_at_most_the_limit_of_each_tenant(store):
    store.query("UPDATE pg_class SET reltuples = 60 WHERE oid = 'jobs'::regclass")
    sql = statement("queue_depth", "above", "10000", "1000")
    assert store.query(sql) == [("acme",)]
    assert store.query(statement("queue_depth", "above", str(JOBS), "1000")) == []
    read, plan = pages(store, sql)
    assert read < 2000, plan


@pytest.mark.parametrize("tuples", [60, 0])
def test_events_and_dead_letters_are_found_by_their_ids_also_with_statistics_of_empty_tables(store, tuples):
    for table in ("events_default", "dlq"):
        store.query(f"UPDATE pg_class SET reltuples = {tuples}, relpages = greatest(relpages, 1) WHERE oid = '{table}'::regclass")
    one = f"'{JOBS // 2 + 77:032x}'"
    for sql in (
            statement("event_lists", "get", "'acme'", one, "0", "1000"), statement("replay_events", "read_named", "'acme'", "0", "1000", one),
            statement("dead_letter_lists", "get", "'acme'", one), statement("requeue", "lock", "'acme'", one)):
        read, plan = pages(store, sql)
        assert read < 20 and rows_looked_at(json.loads(plan)) <= 1, f"{sql}\n{plan}"
    tenants, endpoints, jobs, below = keys(200)
    numbers, times, texts = (f"ARRAY(SELECT {value} FROM generate_series(1, 200))" for value in ("1", "hl_time(1)", "'x'"))
    for sql in (
            statement("job_rows", "read_events", tenants, jobs, jobs, f"{numbers}::bigint[]"),
            statement("event_rows", "find_events", tenants, jobs, times, numbers),
            statement("job_outcomes", "dead_letter", tenants, endpoints, jobs, below, numbers, f"{numbers}::smallint[]", f"{texts}::text[]",
                      f"{numbers}::smallint[]", f"{texts}::text[]", f"{numbers}::bigint[]")):
        read, plan = pages(store, sql)
        assert read < 30 * 200 and rows_looked_at(json.loads(plan)) <= 200, f"{sql}\n{plan}"
    for table in ("events_default", "dlq"):
        store.query(f"UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE oid = '{table}'::regclass")


def keys(count):
    """Arrays for so many jobs: tenants, endpoints, jobs, and the attempt counts below which the statement applies."""
    return (f"ARRAY(SELECT 'acme' FROM generate_series(1, {count}))::text[]",
            f"ARRAY(SELECT '{ENDPOINTS[1]}'::uuid FROM generate_series(1, {count}))",
            f"ARRAY(SELECT lpad(to_hex({JOBS} / 2 + n), 32, '0')::uuid FROM generate_series(1, {count}) AS n)",
            f"ARRAY(SELECT 9 FROM generate_series(1, {count}))")


@pytest.mark.parametrize("tuples", [60, 0])
def test_outcomes_and_runs_are_stored_by_the_key_also_with_statistics_of_empty_tables(store, tuples):
    """
    Statistics as after a VACUUM of empty tables: the planner would scan the index and compare all outcomes each time.
    """
    count = 200
    tenants, endpoints, jobs, below = keys(count)
    numbers, texts = (f"ARRAY(SELECT {value} FROM generate_series(1, {count}))" for value in ("1", "'x'"))
    for table in ("jobs", "dlq_events", "endpoints"):
        store.query(f"UPDATE pg_class SET reltuples = {tuples}, relpages = greatest(relpages, 1) WHERE oid = '{table}'::regclass")
    for sql in (
            statement("job_outcomes", "finish", tenants, endpoints, jobs, below, numbers),
            statement("job_outcomes", "forget_event", tenants, endpoints, jobs, jobs),
            statement("job_outcomes", "retry", tenants, endpoints, jobs, below, numbers, f"{numbers}::smallint[]", f"{numbers}::bigint[]",
                      f"{numbers}::bigint[]", f"{texts}::text[]"),
            statement("job_outcomes", "dead_letter", tenants, endpoints, jobs, below, numbers, f"{numbers}::smallint[]", f"{texts}::text[]",
                      f"{numbers}::smallint[]", f"{texts}::text[]", f"{numbers}::bigint[]"),
            statement("event_removal", "remove_jobs", tenants, endpoints, jobs),
            statement("endpoint_runs", "write_runs", tenants, jobs, *[f"{numbers}::bigint[]"] * 4,
                      "ARRAY[NULL]::text[]"),
            statement("job_rows", "read_events", tenants, jobs, jobs, f"{numbers}::bigint[]"),
            statement("event_rows", "renew", tenants, jobs, f"ARRAY(SELECT hl_time(1) FROM generate_series(1, {count}))"),
            statement("requeue", "remove_letters", tenants, jobs)):
        read, plan = pages(store, sql)
        assert read < 20 * count and rows_looked_at(json.loads(plan)) <= count, f"{sql}\n{plan}"
