"""What a courier's statements over `jobs` read: as much as they return, however many jobs wait and whatever the planner believes."""

import json
import re

import pytest

from harness.daemon import REPOSITORY
from harness.dba import apply_webhooks

pytestmark = pytest.mark.plain_postgres("the webhooks' tables are not distributed yet")

SOURCE = "".join((REPOSITORY / f"store/webhooks/{name}.c").read_text() for name in ("job_outcomes", "job_rows", "queue_depth"))
ENDPOINTS = ["11111111-1111-1111-1111-11111111110" + n for n in "123"]
JOBS = 200_000
FIRST = "'00000000-0000-0000-0000-000000000000'"


def statement(name, *values):
    """PostgreSQL's text of that statement in the source, with values for its parameters."""
    text = re.search(rf"struct db_(?:statement|each) {name} = {{(.*?)}};", SOURCE, re.DOTALL)[1]
    for macro, literal in re.findall(r"^#define (\w+) +\\\n((?:.*\\\n)*.*)", SOURCE, re.MULTILINE):
        text = re.sub(rf"\b{macro}\b", lambda _, literal=literal: literal, text)
    text = re.sub(r'"\s+"', "", text)
    sql = re.search(r'"([^"]*)"', text)[1]
    for number, value in reversed(list(enumerate(values, 1))):
        sql = sql.replace(f"${number}", value)
    assert "$" not in sql
    return sql


@pytest.fixture(scope="module")
def store(postgres_server):
    """So many jobs of three endpoints."""
    postgres_server.start()
    database = postgres_server.new_database()
    apply_webhooks(database)
    database.query("ALTER TABLE jobs SET UNLOGGED")
    database.query(
        "INSERT INTO jobs (tenant_id, endpoint_id, job_id, event_id, node_id, status) SELECT 'acme', "
        f"('{{{','.join(ENDPOINTS)}}}'::uuid[])[1 + n * 3 / {JOBS}], lpad(to_hex(n), 32, '0')::uuid, "
        f"'{ENDPOINTS[0]}', 1, 'pending' FROM generate_series(0, {JOBS} - 1) AS n")
    yield database
    database.drop()


def pages(database, sql):
    """The pages that it reads as couriers run it, and its plan."""
    with database.server.connect(database.name) as connection:
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        cursor.execute(statement("by_indexes"))
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}")
        plan = cursor.fetchone()[0][0]["Plan"]
        cursor.execute("ROLLBACK")
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], json.dumps(plan, indent=1)


def check(store):
    walk = statement("walk", "''", FIRST, "200")
    assert [str(row[1]) for row in store.query(walk)] == ENDPOINTS
    read, plan = pages(store, walk)
    assert read < 100, plan
    page = statement("page", "'acme'", f"'{ENDPOINTS[1]}'", FIRST, "1", "500")
    assert len(store.query(page)) == 500
    read, plan = pages(store, page)
    assert read < 600, plan


def test_a_walk_over_many_jobs_reads_a_few_pages_for_each_endpoint(store):
    check(store)
    store.query("ANALYZE jobs")
    check(store)


def test_a_page_is_read_by_the_key_also_when_the_planner_takes_the_queue_for_empty(store):
    """As after a VACUUM of a queue that was nearly empty, before the next burst."""
    store.query("UPDATE pg_class SET reltuples = 60 WHERE oid = 'jobs'::regclass")
    check(store)


def test_a_look_for_full_queues_reads_as_much_of_each_tenant_as_may_wait(store):
    store.query("UPDATE pg_class SET reltuples = 60 WHERE oid = 'jobs'::regclass")
    sql = statement("above", "10000", "1000")
    assert store.query(sql) == [("acme",)]
    assert store.query(statement("above", str(JOBS), "1000")) == []
    read, plan = pages(store, sql)
    assert read < 2000, plan


def keys(count):
    """Arrays of that many jobs' keys: tenants, endpoints, jobs and attempt counts below which they are meant."""
    return (f"ARRAY(SELECT 'acme' FROM generate_series(1, {count}))::text[]",
            f"ARRAY(SELECT '{ENDPOINTS[1]}'::uuid FROM generate_series(1, {count}))",
            f"ARRAY(SELECT lpad(to_hex({JOBS} / 2 + n), 32, '0')::uuid FROM generate_series(1, {count}) AS n)",
            f"ARRAY(SELECT 9 FROM generate_series(1, {count}))")


def test_outcomes_are_written_by_the_key_also_when_the_planner_takes_the_queue_for_empty(store):
    store.query("UPDATE pg_class SET reltuples = 60 WHERE oid = 'jobs'::regclass")
    count = 200
    numbers = f"ARRAY(SELECT 1 FROM generate_series(1, {count}))"
    texts = f"ARRAY(SELECT 'x' FROM generate_series(1, {count}))"
    for sql in (statement("finish", *keys(count)),
                statement("retry", *keys(count), f"{numbers}::smallint[]", f"{numbers}::bigint[]", f"{numbers}::bigint[]", f"{texts}::text[]")):
        read, plan = pages(store, sql)
        assert read < 20 * count, plan
