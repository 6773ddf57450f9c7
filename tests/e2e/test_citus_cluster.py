"""Tests on a real Citus cluster (HOOKS_ENGINE=citus) of what no stand-in can show."""

import sys

import psycopg
import pytest

from harness.daemon import REPOSITORY
from harness.dba import Month, add_event, apply_webhooks, fill, partitions

sys.path.append(str(REPOSITORY / "tests/lint"))
from sql_texts import texts  # noqa: E402

pytestmark = pytest.mark.citus_cluster("asks other nodes")


def by_another_node(database):
    places = database.server.nodes
    return psycopg.connect(database.server.url_of(database.name, *(places[-1] if places else ())), autocommit=True)


def test_a_reader_on_another_node_delays_months_but_no_event(database):
    late = Month(-9)
    with by_another_node(database) as reader, reader.transaction():
        reader.execute("SELECT count(*) FROM hook_events")
        assert database.query(f"SELECT * FROM ensure_partitions(0, '{late.day}')") == [(late.name, "busy")]
        with pytest.raises(psycopg.errors.LockNotAvailable) as caught:
            database.query(f"SELECT create_monthly_partition({late.args})")
        assert f"pid {reader.info.backend_pid} of " in caught.value.diag.message_detail
        for month in (late, Month(0)):
            add_event(database, month)
    assert database.query(f"SELECT * FROM ensure_partitions(0, '{late.day}')") == [(late.name, "created")]
    assert partitions(database)[late.name] == 1


def test_only_workers_hold_rows(database):
    late = Month(-9)
    for _ in range(100):
        add_event(database, late)
    fill(database, late, 1000)
    rows, size, here = database.query(
        "SELECT row_count, total_bytes, pg_relation_size(partition_name::regclass) FROM get_partition_stats()"
        f" WHERE partition_name = '{late.name}'")[0]
    assert (rows, here == 0 or not database.server.nodes) == (1100, True)
    assert size > 1000 * 200


def test_another_node_serves_as_well(database):
    fill(database, Month(-2))
    with by_another_node(database) as node:
        assert node.execute("SELECT count(*) FROM hook_events").fetchone() == (50,)
        assert node.execute("SELECT DISTINCT outcome FROM ensure_partitions(3)").fetchall() == [("exists",)]
        made = f"SELECT success FROM run_command_on_coordinator('SELECT create_monthly_partition({Month(-9).args})')"
        assert node.execute(made).fetchone() == (True,)
    assert Month(-9).name in partitions(database)


# The webhooks


@pytest.fixture
def webhooks(database):
    apply_webhooks(database)
    return database


VALUES = {"text": "events", "uuid": "00000000-0000-7000-8000-000000000000", "boolean": "true", "json": "{}", "timestamp with time zone": "2026-11-29"}


def value(of_type):
    one = VALUES.get(of_type.removesuffix("[]"), "1")
    return f"""'{f'{{"{one}"}}' if of_type.endswith("[]") else one}'::{of_type}"""


def run(connection, sql):
    """Prepares a statement as hooksd does, without the types of its parameters, and executes it."""
    connection.execute("PREPARE of_hooksd AS " + sql)
    types = connection.execute("SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = 'of_hooksd'").fetchone()[0]
    connection.execute("EXECUTE of_hooksd" + (f" ({', '.join(map(value, types))})" if types else ""))


@pytest.mark.timeout(600)
def test_citus_accepts_each_statement_of_hooksd(webhooks):
    refused, taken = [], 0
    found = [text.sql for path in sorted((REPOSITORY / "store/webhooks").glob("*.c")) for text in texts(path.read_text())
             if text.runs_on in ("postgres", "citus")]
    with webhooks.server.connect(webhooks.name) as connection:
        for sql in dict.fromkeys(found):
            try:
                with connection.transaction(force_rollback=True):
                    run(connection, sql.replace('\\"', '"').replace("\\\\", "\\"))
                taken += 1
            except psycopg.Error as error:
                # Errors about the made-up values are accepted.
                if error.diag.sqlstate[:2] not in ("22", "23", "HL"):
                    refused.append((error.diag.sqlstate, error.diag.message_primary, sql))
            connection.execute("DEALLOCATE ALL")
    assert refused == []
    assert taken > 150


def test_all_rows_of_a_tenant_are_on_one_node(webhooks):
    for table in ("jobs", "events", "attempts", "endpoints", "dlq", "dlq_events"):
        shards = webhooks.query("SELECT get_shard_id_for_distribution_column(%s, 't') - min(shardid) FROM pg_dist_shard"
                                " WHERE logicalrelid = %s::regclass", table, table)
        assert shards == webhooks.query("SELECT get_shard_id_for_distribution_column('jobs', 't') - min(shardid) FROM pg_dist_shard"
                                        " WHERE logicalrelid = 'jobs'::regclass")


def test_a_reference_table_is_the_same_on_every_node(webhooks):
    """One node computes the time that a statement on reference tables writes, whatever the other nodes' clocks say."""
    webhooks.query("INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES (%s, 't', now(), now())", VALUES["text"])
    with by_another_node(webhooks) as node:
        node.execute("SET citus.enable_ddl_propagation = off")
        node.execute("CREATE OR REPLACE FUNCTION hl_now() RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT now() + interval '1 hour' $$")
    found = [text.sql for text in texts((REPOSITORY / "store/webhooks/routing.c").read_text())
             if text.runs_on in ("postgres", "citus") and text.sql.startswith("INSERT INTO routing_versions")]
    assert len(found) == 4
    for sql in found:
        webhooks.query("DELETE FROM routing_versions")
        with webhooks.server.connect(webhooks.name) as connection:
            run(connection, sql)
        rows = webhooks.query("SELECT success, result FROM run_command_on_placements('routing_versions', 'SELECT version FROM %s')")
        assert len(rows) == len(webhooks.server.nodes) or not webhooks.server.nodes
        assert len(set(rows)) == 1 and rows[0][0] and int(rows[0][1]) > 0, (sql, rows)


def test_a_month_of_events_is_dropped_when_no_job_needs_them(webhooks):
    month = Month(-9)
    event_id = webhooks.value(f"SELECT (lpad(to_hex(hl_ms('{month.day} 12:00+00')), 12, '0') || '7000a000000000000000')::uuid")
    webhooks.query(f"SELECT create_monthly_partition('events', {month.args})")
    webhooks.query("INSERT INTO events (event_id, created_at, occurred_at, job_count, tenant_id, topic)"
                   f" VALUES (%s, '{month.day} 12:00+00', now(), 1, 't', 'a')", event_id)
    webhooks.query("INSERT INTO endpoints (tenant_id, endpoint_id, version, url, secret, headers, enabled, paused, timeout_ms, max_in_flight,"
                   " rate_limit_rps, exact_limits, fifo, ordering, on_dead, fail_fast, keep_response, body, legacy_headers, created_at, updated_at)"
                   " VALUES ('t', %s, 1, 'http://a', 's', '{}', true, false, 1000, 1, 0, false, false, '', '', false, false, '', false, now(), now())",
                   event_id)
    webhooks.query("INSERT INTO jobs (tenant_id, endpoint_id, job_id, event_id, node_id, status, subscription_ids)"
                   " VALUES ('t', %s, %s, %s, 1, 'pending', '{}')", event_id, event_id, event_id)
    drop = "SELECT * FROM hl_drop_month('events', now() - interval '40 days')"
    assert webhooks.query(drop) == [(f"events_{month.year:04}_{month.month:02}", "needed")]
    webhooks.query("DELETE FROM jobs WHERE tenant_id = 't'")
    assert webhooks.query(drop) == [(f"events_{month.year:04}_{month.month:02}", "dropped")]
    assert webhooks.value("SELECT count(*) FROM events") == 0


def test_workers_read_tables_by_their_indexes_until_the_transaction_ends(webhooks):
    """A worker plans with its own settings."""
    with webhooks.server.connect(webhooks.name) as session:
        plan = "EXPLAIN (COSTS off) SELECT * FROM jobs WHERE tenant_id = 't' ORDER BY endpoint_id, job_id"
        with session.transaction():
            session.execute("SELECT hl_by_indexes()")
            assert "Index Scan using jobs_pkey" in "\n".join(row[0] for row in session.execute(plan).fetchall())
        assert "Index Scan using jobs_pkey" not in "\n".join(row[0] for row in session.execute(plan).fetchall())
