"""The PostgreSQL store: schema, migration, duplicates, refused rows, and a server that stops and starts."""

import json
import re
import signal
import uuid
from datetime import datetime, timezone

import pytest

from harness.daemon import REPOSITORY, run_program
from harness.events import differences, expected, minimal, now, random_events, timestamp_text
from harness.load import Load
from harness.postgres import PARTITION
from harness.waiting import wait_until

UNSAFE_EVENT = (
    b'{"event_type":"a","session_id":"s","data":{"k\\u0000":"x\\u0000y","lone":"\\ud800!","low":"\\udc00",'
    b'"pair":"\\ud83e\\udd16","slash":"\\\\u0000"}}'
)


def new_id():
    return str(uuid.uuid4())


def dead_letters(database, daemon):
    """
    (event_id, SQLSTATE) of every letter in the table, in order. The file must be empty: it is only for failures of the
    table.
    """
    path = daemon.directory / daemon.options.get("DATA_DIR", ".agentic/hooksd") / "dead-letters.jsonl"
    assert not path.exists()
    return database.query("SELECT event_id::text, sqlstate FROM hook_events_dead_letters ORDER BY id")


def prometheus(daemon, name):
    return int(re.search(rf"^hooks_{name} (\d+)$", daemon.get("/metrics/prometheus").body.decode(), re.M).group(1))


# The schema


def test_columns_are_as_documented(database, hooksd):
    hooksd(database)
    columns = dict(
        database.query("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'hook_events'")
    )
    assert columns == {
        "event_id": "uuid",
        "client_event_id": "text",
        "tenant_id": "text",
        "event_type": "text",
        "session_id": "text",
        "workflow_id": "text",
        "phase_id": "text",
        "milestone_id": "text",
        "data": "jsonb",
        "timestamp": "timestamp with time zone",
        "received_at": "timestamp with time zone",
        "created_date": "date",
    }
    key = database.value(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = 'hook_events'::regclass AND contype = 'p'"
    )
    assert key == "PRIMARY KEY (event_id, created_date)"


def test_this_month_and_the_next_three_have_partitions(database, hooksd):
    hooksd(database)
    bounds = " ".join(
        row[0]
        for row in database.query(
            "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid IN"
            " (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'hook_events'::regclass)"
        )
    )
    month = now().replace(day=1)
    for _ in range(4):
        assert f"FROM ('{month:%Y-%m-01}')" in bounds
        month = month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)


def test_days_without_a_month_go_to_the_default_partition(database, hooksd):
    daemon = hooksd(database)
    times = ["1999-06-15T12:00:00.000000Z", "2199-06-15T12:00:00.000000Z", timestamp_text(now())]
    assert daemon.post_batch([minimal(timestamp=time) for time in times]).status == 202
    assert sorted(event["timestamp"] for event in database.events()) == sorted(times)
    places = dict(database.query(f"SELECT extract(year FROM timestamp)::int, {PARTITION} FROM hook_events"))
    this_month = f"hook_events_{now():%Y_%m}"
    assert places == {1999: "hook_events_default", 2199: "hook_events_default", now().year: this_month}


def test_create_monthly_partition_moves_rows_out_of_the_default_partition(database, hooksd):
    daemon = hooksd(database)
    assert daemon.post_event(minimal(timestamp="1999-06-15T12:00:00Z")).status == 202
    database.query("SELECT create_monthly_partition(1999, 6)")
    database.query("SELECT create_monthly_partition(1999, 6)")
    assert "default" not in database.value("SELECT tableoid::regclass::text FROM hook_events")
    assert daemon.post_event(minimal(timestamp="1999-06-16T12:00:00Z")).status == 202
    assert database.count() == 2


def test_partition_stats_count_rows(database, hooksd):
    daemon = hooksd(database)
    assert daemon.post_batch([minimal()] * 10).status == 202
    counts = dict(database.query("SELECT partition_name, row_count FROM get_partition_stats()"))
    assert len(counts) == 5  # this month, the next three, the default
    assert counts.pop(f"hook_events_{now():%Y_%m}") == 10
    assert set(counts.values()) == {0}


def test_every_field_is_stored(database, hooksd):
    daemon = hooksd(database)
    before = now()
    event = minimal(
        event_id="my own id", workflow_id="workflow-456", phase_id="phase 1", milestone_id="m", data={"a": [1, None]},
        timestamp="2025-06-15T23:30:00.123456-02:00",
    )
    assert daemon.post_event(event).status == 202
    *fields, created_date, received_at = database.query(
        "SELECT client_event_id, tenant_id, event_type, session_id, workflow_id, phase_id, milestone_id, data,"
        ' "timestamp", created_date, received_at FROM hook_events'
    )[0]
    happened = datetime(2025, 6, 16, 1, 30, 0, 123456, tzinfo=timezone.utc)
    names = ["my own id", "default", "session_started", "test-123", "workflow-456", "phase 1", "m"]
    assert fields == [*names, {"a": [1, None]}, happened]
    assert str(created_date) == "2025-06-16"
    assert before <= received_at <= now()


# Migration


def test_two_replicas_start_together_on_an_empty_database(empty_database, make_hooksd):
    replicas = [make_hooksd(empty_database, WRITERS=2) for _ in range(4)]
    for replica in replicas:
        replica.spawn()
    for replica in replicas:
        replica.port = int(replica.wait_for_log(replica.ready_pattern).group(1))
        replica.wait_store_ready()
        assert replica.post_batch([minimal()] * 10).status == 202
    assert empty_database.count() == 40
    assert [replica.metrics()["storage_errors_total"] for replica in replicas] == [0] * 4


def test_a_second_start_applies_no_migration(empty_database, hooksd):
    daemon = hooksd(empty_database)
    assert daemon.post_event(minimal()).status == 202
    before = empty_database.query("SELECT oid FROM pg_class WHERE relname LIKE 'hook%' ORDER BY 1")
    daemon.restart()
    assert empty_database.query("SELECT oid FROM pg_class WHERE relname LIKE 'hook%' ORDER BY 1") == before
    assert empty_database.count() == 1


@pytest.mark.plain_postgres("a new database has the schema already")
def test_without_auto_migrate_it_waits_for_the_dba(empty_database, hooksd):
    daemon = hooksd(empty_database, store_ready=False, AUTO_MIGRATE="false")
    daemon.wait_for_log(r"hooksctl migrate")
    assert daemon.get("/readyz").status == 503
    assert daemon.post_event(minimal()).status == 503
    assert empty_database.value("SELECT to_regclass('hook_events')") is None
    result = run_program("hooksctl", "migrate", options={"DATABASE_URL": empty_database.url})
    assert result.returncode == 0, result.stderr
    daemon.wait_store_ready()
    assert daemon.post_event(minimal()).status == 202
    assert empty_database.count() == 1


def test_hooksctl_migrate_can_be_repeated(empty_database):
    for _ in range(2):
        result = run_program("hooksctl", "migrate", options={"DATABASE_URL": empty_database.url})
        assert result.returncode == 0, result.stderr
    assert empty_database.count() == 0


def test_hooksctl_migrate_names_the_problem(database):
    result = run_program("hooksctl", "migrate", options={})
    assert result.returncode != 0
    assert "DATABASE_URL" in result.stderr
    missing = database.url.replace(database.name, "no_such_database")
    result = run_program("hooksctl", "migrate", options={"DATABASE_URL": missing})
    assert result.returncode != 0
    assert "no_such_database" in result.stderr
    assert "not-a-real-secret" not in result.stderr + result.stdout


@pytest.mark.plain_postgres("a new database has the schema already")
def test_psql_can_install_the_schema_and_the_daemon_uses_it(empty_database, hooksd):
    for path in sorted((REPOSITORY / "schema/postgres").glob("[0-9]*.sql")):
        result = empty_database.psql("-f", path)
        assert result.returncode == 0, result.stderr
        again = empty_database.psql("-f", path)
        assert again.returncode != 0
        assert "already applied" in again.stderr
    daemon = hooksd(empty_database)
    assert daemon.post_event(minimal()).status == 202
    assert empty_database.count() == 1


def test_a_database_of_a_newer_version_is_refused_unchanged(database, hooksd):
    migrated = run_program("hooksctl", "migrate", options={"DATABASE_URL": database.url})
    assert migrated.returncode == 0, migrated.stderr
    database.query("INSERT INTO hooks_schema_migrations (version, name) VALUES (999, 'of the future')")
    daemon = hooksd(database, store_ready=False)
    daemon.wait_for_log("version 999")
    assert daemon.post_event(minimal()).status == 503
    assert run_program("hooksctl", "migrate", options={"DATABASE_URL": database.url}).returncode == 1
    database.query("DELETE FROM hooks_schema_migrations WHERE version = 999")
    daemon.wait_store_ready()
    assert daemon.post_event(minimal()).status == 202


# Duplicates


def test_duplicates_within_a_batch_are_stored_once(database, hooksd):
    daemon = hooksd(database)
    event = minimal(event_id=new_id(), timestamp=timestamp_text(now()))
    reply = daemon.post_batch([event, minimal(), event, event])
    assert (reply.status, reply.json()["accepted"]) == (202, 4)
    assert database.count() == 2
    assert prometheus(daemon, "events_duplicate_total") == 2
    assert dead_letters(database, daemon) == []


def test_a_resent_batch_is_stored_once(database, hooksd):
    daemon = hooksd(database)
    events = random_events(200, sessions=1, seed=1)[0]
    for _ in range(3):
        assert daemon.post_batch(events).json()["accepted"] == 200
    mixed = random_events(100, sessions=1, seed=2)[0] + events[:50]
    assert daemon.post_batch(mixed).status == 202
    assert differences([expected(event) for event in events + mixed[:100]], database.events()) == []
    metrics = daemon.metrics()
    assert metrics["events_received_total"] == 750
    assert metrics["events_stored_total"] == 300
    assert prometheus(daemon, "events_duplicate_total") == 450
    assert metrics["storage_errors_total"] == 0
    assert dead_letters(database, daemon) == []


def test_a_clients_own_id_matches_on_retry(database, hooksd):
    daemon = hooksd(database)
    for _ in range(3):
        assert daemon.post_event(minimal(event_id="evt-1", timestamp="2025-06-01T00:00:00Z")).status == 202
    assert database.count() == 1


# Rows that PostgreSQL refuses


def test_one_refused_row_costs_only_itself(database, hooksd):
    daemon = hooksd(database)
    events = [minimal(event_id=new_id(), session_id=f"s{n}", data={"n": n}) for n in range(200)]
    bodies = [json.dumps(event).encode() for event in events]
    poisoned = (0, 77, 199)
    for number in poisoned:
        event = json.dumps(events[number] | {"data": {}})
        bodies[number] = event.replace('"data": {}', '"data": {"x":[1e200000]}').encode()
    reply = daemon.post_batch(b"[" + b",".join(bodies) + b"]")
    assert (reply.status, reply.json()["accepted"]) == (202, 200)
    assert sorted(event["data"]["n"] for event in database.events()) == [n for n in range(200) if n not in poisoned]
    assert dead_letters(database, daemon) == [(events[number]["event_id"], "22003") for number in poisoned]
    assert database.value("SELECT bool_and(payload LIKE '%1e200000%') FROM hook_events_dead_letters")
    assert daemon.post_batch([minimal()] * 10).status == 202
    assert database.count() == 207


def test_a_batch_of_refused_rows_becomes_dead_letters(database, hooksd):
    daemon = hooksd(database)
    poison = b'{"event_type":"a","session_id":"s","data":{"x":1e200000}}'
    assert daemon.post_batch(b"[" + b",".join([poison] * 20) + b"]").status == 202
    assert daemon.post_event(minimal()).status == 202
    assert database.count() == 1
    assert len(dead_letters(database, daemon)) == 20
    assert prometheus(daemon, "events_dead_lettered_total") == 20


def test_unsafe_escapes_become_replacement_characters(database, hooksd):
    daemon = hooksd(database)
    assert daemon.post_batch(b"[" + UNSAFE_EVENT + b"," + UNSAFE_EVENT + b"]").status == 202
    assert [event["data"] for event in database.events()] == [
        {"k\ufffd": "x\ufffdy", "lone": "\ufffd!", "low": "\ufffd", "pair": "🤖", "slash": "\\u0000"}
    ] * 2
    assert dead_letters(database, daemon) == []


def test_unknown_fields_are_kept_in_data(database, hooksd):
    daemon = hooksd(database)
    body = (b'{"event_type":"a","session_id":"s","tool":"Bash","n\\u0000l":"\\ud800","\\u0061":1,"big":1e20,"x":NaN,'
            b'"tool":"Edit","data":{"a":2}}')
    assert daemon.post_event(body).status == 202
    assert daemon.post_event(minimal(extra={"deep": [None]})).status == 202
    kept = [event["data"] for event in database.events()]
    assert {"a": 2, "tool": "Edit", "n\ufffdl": "\ufffd", "big": 10**20, "x": None} in kept
    assert {"extra": {"deep": [None]}} in kept
    assert dead_letters(database, daemon) == []


def test_nul_in_the_envelope_becomes_a_replacement_character(database, hooksd):
    daemon = hooksd(database)
    assert daemon.post_event(b'{"event_type":"a\\u0000b","session_id":"\\udfff"}').status == 202
    stored = database.events()[0]
    assert (stored["event_type"], stored["session_id"]) == ("a\ufffdb", "\ufffd")


# A server that stops and starts


def test_the_service_starts_without_the_server_and_stores_later(database, hooksd):
    database.server.stop()
    daemon = hooksd(database, store_ready=False)
    daemon.wait_for_log(r"(?i)refused|not available|unavailable|cannot connect|connection")
    reply = daemon.post_event(minimal())
    assert reply.status == 503
    assert int(reply.headers["Retry-After"]) > 0
    assert reply.json()["detail"]
    health = daemon.get("/health")
    assert (health.json()["status"], health.json()["storage"]) == ("degraded", "postgres")
    assert health.json()["detail"]
    assert daemon.get("/livez").status == 200
    assert daemon.get("/readyz").status == 503
    assert "not-a-real-secret" not in daemon.log() + health.body.decode()
    database.server.start()
    daemon.wait_store_ready()
    assert daemon.get("/health").json()["status"] == "healthy"
    assert daemon.post_event(minimal()).status == 202
    assert database.count() == 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
def test_a_restart_of_the_server_under_load_loses_no_event(database, hooksd, how):
    daemon = hooksd(database)
    load = Load(daemon, random_events(8000, sessions=4, seed=3), batch=20)
    with load:
        load.wait_acknowledged(2000)
        database.server.stop(how)
        database.server.start()
    daemon.wait_spool_empty()
    assert differences([expected(event) for event in load.events()], database.events()) == []
    wait_until(lambda: daemon.get("/health").json()["status"] == "healthy", "health")


def test_a_connection_ended_by_a_dba_is_replaced(database, hooksd):
    daemon = hooksd(database)
    load = Load(daemon, random_events(4000, sessions=4, seed=4), batch=10)
    with load:
        for part in (1, 2, 3):
            load.wait_acknowledged(part * 800)
            database.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    assert differences([expected(event) for event in load.events()], database.events()) == []
    assert daemon.metrics()["storage_errors_total"] >= 1


def test_a_stop_during_an_outage_keeps_queued_events(database, hooksd):
    daemon = hooksd(database, ACK="queued", SPOOL_AFTER_MS=3600000, DRAIN_TIMEOUT_SECONDS=5)
    assert daemon.post_event(minimal()).status == 202
    daemon.wait_stored(1)
    database.server.stop()
    accepted = [daemon.post_event(minimal()).status for _ in range(20)].count(202)
    assert accepted == 20
    daemon.stop()
    assert daemon.spool_files() != []
    database.server.start()
    daemon.start()
    wait_until(lambda: database.count() == 1 + accepted, "what was queued")


@pytest.mark.plain_postgres("Citus opens further connections")
def test_each_writer_has_one_connection(database, hooksd):
    daemon = hooksd(database, WRITERS=2, ACCEPTORS=4)
    load = Load(daemon, random_events(1000, sessions=8, seed=9), batch=10)
    with load:
        pass
    connections = database.value(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert connections == 2


def test_two_writers_share_the_work_and_store_everything(database, hooksd):
    daemon = hooksd(database, WRITERS=2, ACCEPTORS=2)
    load = Load(daemon, random_events(4000, sessions=8, seed=10), batch=20)
    with load:
        pass
    assert differences([expected(event) for event in load.events()], database.events()) == []
