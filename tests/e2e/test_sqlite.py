"""The SQLite store: its content, its key, its schema, and other programs that use the database beside hooksd."""

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import uuid

import pytest

from harness.daemon import REPOSITORY, run_program
from harness.documents import blocks
from harness.events import compact, differences, expected, minimal, random_events
from harness.metrics import metrics, wait_settled
from harness.waiting import wait_until

SQL = REPOSITORY / "schema/sqlite/001_hook_events.sql"
VERSION = "SELECT max(version) AS version FROM hooks_schema_migrations"


def test_every_column_holds_the_sent_value(sqlite):
    daemon = sqlite()
    events = random_events(500, sessions=2, seed=31)
    for stream in events:
        assert daemon.post_batch(stream).headers["X-Hooks-Ack"] == "stored"
    sent = [event for stream in events for event in stream]
    assert differences([expected(event) for event in sent], daemon.sqlite_events()) == []
    data = {row["event_id"]: row["data"].encode() for row in daemon.sqlite_query("SELECT event_id, data FROM hook_events")}
    assert all(data[event["event_id"]] == compact(event["data"]) for event in sent)
    [row] = daemon.sqlite_query("SELECT count(*) AS n FROM hook_events WHERE tenant_id = 'default'"
                                " AND created_date = substr(timestamp, 1, 10) AND date(timestamp) = created_date"
                                " AND julianday(received_at) BETWEEN julianday('now') - 1 AND julianday('now')")
    assert row["n"] == 500


def test_an_id_other_than_a_uuid_is_kept(sqlite):
    daemon = sqlite()
    assert daemon.post_event(minimal(event_id="mine-7")).status == 202
    [event] = daemon.sqlite_events()
    assert event["client_event_id"] == "mine-7" and uuid.UUID(event["event_id"]).version == 5


def test_data_is_kept_byte_for_byte(sqlite):
    daemon = sqlite()
    sent = [b'{"nul":"a\\u0000b"}', b'{"lone":"\\ud800 and \\udc00"}', b'{"huge":1e999999}', b'{"n":123456789012345678901234567890}',
            '{"utf8":"日本語 🤖 \u2028"}'.encode(), b'{"x":[[[[{}]]]],"x":2}', b"{}"]
    for data in sent:
        assert daemon.post_event(b'{"event_type":"a","session_id":"s","data":' + data + b"}").status == 202
    rows = daemon.sqlite_query("SELECT CAST(data AS BLOB) AS data FROM hook_events ORDER BY rowid")
    assert [row["data"] for row in rows] == sent


def test_an_event_of_4_mib_is_stored(sqlite):
    daemon = sqlite()
    text = "x" * (4 * 1024 * 1024 - 200)
    assert daemon.post_event(minimal(data={"text": text})).status == 202
    assert daemon.sqlite_events()[0]["data"]["text"] == text


@pytest.mark.parametrize("ack", ["durable", "queued"])
def test_a_repeated_event_is_stored_once_and_counted(sqlite, ack):
    daemon = sqlite(ACK=ack)
    events = random_events(300, sessions=1, seed=32)[0]
    batches = [events, events, events[100:200], events[:50] + events[:50], [events[7]] * 20]
    with daemon.client() as client:
        for batch in batches:
            assert client.post_batch(batch).status == 202
    numbers = wait_settled(daemon)
    assert differences([expected(event) for event in events], daemon.sqlite_events()) == []
    assert numbers["events_stored_total"] == 300
    assert numbers["events_duplicate_total"] == sum(map(len, batches)) - 300


def test_the_same_id_on_another_day_is_another_event(sqlite):
    """As in PostgreSQL, where the day is part of the key."""
    daemon = sqlite()
    event = minimal(event_id=str(uuid.uuid4()), timestamp="2026-01-01T23:59:59Z")
    for timestamp in ("2026-01-01T23:59:59Z", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"):
        assert daemon.post_event(event | {"timestamp": timestamp}).status == 202
    assert [row["timestamp"] for row in daemon.sqlite_events()] == [
        "2026-01-01T23:59:59.000000Z", "2026-01-02T00:00:00.000000Z"]


def test_health_status_and_metrics_name_the_store(sqlite):
    daemon = sqlite()
    assert daemon.get("/health").json()["storage"] == "sqlite"
    assert 'storage="sqlite"' in daemon.get("/metrics/prometheus").body.decode()
    assert daemon.post_batch([minimal()] * 3).status == 202
    assert re.search(r"^writer-?0? .*", daemon.hooksctl("status").stdout, re.M)
    daemon.wait_for_log("ready host=.* storage=sqlite .* writers=1")


def test_the_default_path_is_below_data_dir(make_sqlite, tmp_path):
    daemon = make_sqlite(DATA_DIR=tmp_path / "state").start()
    assert daemon.post_event(minimal()).status == 202
    assert (tmp_path / "state/events.db").exists()
    daemon.stop()
    # A stop in good order leaves one complete file.
    assert sorted(path.name for path in (tmp_path / "state").glob("events.db*")) == ["events.db"]


@pytest.mark.parametrize("name", ["file:odd?mode=memory&x=%41#y.db", ":memory:", "a b/é.db"])
def test_odd_paths_are_not_read_as_sqlite_uris(sqlite, name):
    daemon = sqlite(SQLITE_PATH=name)
    assert daemon.post_event(minimal()).status == 202
    assert (daemon.directory / name).stat().st_size > 0
    assert len(daemon.sqlite_events()) == 1
    assert run_program("hooksd", "--check-config", options=daemon.options | {"PORT": 0}, cwd=daemon.directory).returncode == 0


def test_more_than_one_writer_is_refused(tmp_path):
    checked = run_program("hooksd", "--check-config", options={"STORAGE_TYPE": "sqlite", "WRITERS": 2}, cwd=tmp_path)
    assert checked.returncode == 64
    assert "WRITERS=2: must be 1 with STORAGE_TYPE=sqlite" in checked.stderr


def test_a_second_service_on_the_same_database_is_refused(make_sqlite, tmp_path):
    first = make_sqlite(SQLITE_PATH=tmp_path / "events.db").start()
    second = make_sqlite(SQLITE_PATH=tmp_path / "events.db")
    second.spawn()
    second.wait_exit(1)
    assert f"SQLITE_PATH={tmp_path}/events.db is in use by pid {first.pid} (another hooksd" in second.log()


# The schema


def test_auto_migrate_false_waits_for_hooksctl_migrate(make_sqlite):
    daemon = make_sqlite(AUTO_MIGRATE="false").start(store_ready=False)
    daemon.wait_for_log("the database schema is at version 0, this program needs 1: run `hooksctl migrate`")
    migrated = daemon.hooksctl("migrate")
    assert (migrated.returncode, migrated.stdout) == (0, "hook events (SQLITE_PATH): applied 1 migration: the schema is at version 1\n")
    daemon.wait_store_ready()
    assert daemon.post_event(minimal()).status == 202
    again = daemon.hooksctl("migrate")
    assert (again.returncode, again.stdout) == (0, "hook events (SQLITE_PATH): the schema is at version 1 already: nothing to do\n")


def test_the_migration_file_run_by_hand_makes_the_same_schema(make_sqlite, tmp_path):
    path = tmp_path / "events.db"
    for code in (0, 1):  # the second run changes nothing
        result = subprocess.run(["sqlite3", "-bail", path], input=SQL.read_text(), capture_output=True, text=True, timeout=30)
        assert result.returncode == code, result.stderr
    daemon = make_sqlite(AUTO_MIGRATE="false", SQLITE_PATH=path).start()
    other = make_sqlite().start()
    schema = "SELECT type, name, sql FROM sqlite_schema ORDER BY name"
    assert daemon.sqlite_query(schema) == other.sqlite_query(schema)
    assert daemon.sqlite_query("PRAGMA auto_vacuum") == other.sqlite_query("PRAGMA auto_vacuum") == [{"auto_vacuum": 2}]
    assert daemon.sqlite_query("PRAGMA journal_mode") == [{"journal_mode": "wal"}]


def test_a_newer_schema_is_refused_and_unchanged(make_sqlite):
    daemon = make_sqlite()
    daemon.start()
    daemon.stop()
    daemon.sqlite_query("INSERT INTO hooks_schema_migrations (version, name) VALUES (999, 'of_the_future')")
    daemon.start(store_ready=False)
    daemon.wait_for_log("the database schema is at version 999, this program knows versions up to 1")
    assert daemon.get("/readyz").status == 503
    assert daemon.hooksctl("migrate").returncode == 1
    daemon.sqlite_query("DELETE FROM hooks_schema_migrations WHERE version = 999")
    daemon.wait_store_ready()


def test_foreign_columns_indexes_and_views_are_kept(sqlite):
    daemon = sqlite()
    daemon.sqlite_query("ALTER TABLE hook_events ADD COLUMN note TEXT DEFAULT 'mine'")
    daemon.sqlite_query("CREATE INDEX mine ON hook_events (event_type)")
    daemon.sqlite_query("CREATE VIEW tools AS SELECT data ->> '$.tool' AS tool FROM hook_events")
    assert daemon.post_event(minimal(data={"tool": "sh"})).status == 202
    assert daemon.sqlite_query("SELECT note FROM hook_events") == [{"note": "mine"}]
    assert daemon.sqlite_query("SELECT tool FROM tools") == [{"tool": "sh"}]
    daemon.restart()
    assert daemon.post_event(minimal()).status == 202


# Dead letters


def letters(daemon):
    path = daemon.directory / ".agentic/hooksd/dead-letters.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def refuse(daemon, how, when="BEFORE"):
    add_trigger(daemon, f"SELECT RAISE({how}, 'no bad sessions')", when)


def add_trigger(daemon, statement, when="AFTER"):
    daemon.sqlite_query(f"CREATE TRIGGER narrow {when} INSERT ON hook_events WHEN NEW.session_id = 'bad' BEGIN {statement}; END")


@pytest.mark.parametrize("when", ["BEFORE", "AFTER"])
@pytest.mark.parametrize("how", ["ABORT", "FAIL"])
def test_a_row_that_is_refused_costs_only_itself(sqlite, how, when):
    daemon = sqlite()
    refuse(daemon, how, when)
    batch = [minimal(session_id=session) for session in ("a", "bad", "b", "bad", "c")]
    assert daemon.post_batch(batch).headers["X-Hooks-Ack"] == "stored"
    assert [event["session_id"] for event in daemon.sqlite_events()] == ["a", "b", "c"]
    assert [json.loads(letter["payload"])["session_id"] for letter in letters(daemon)] == ["bad", "bad"]
    assert {letter["message"] for letter in letters(daemon)} == {"no bad sessions"}
    daemon.wait_for_log("SQLite refused events: they are in the dead letters.*events=.*no bad sessions")
    numbers = wait_settled(daemon)
    assert (numbers["events_stored_total"], numbers["events_dead_lettered_total"]) == (3, 2)
    assert "bad" in daemon.hooksctl("deadletter", "export").stdout


@pytest.mark.parametrize("statement, message", [
    ("INSERT INTO numbers VALUES (NEW.session_id)", "datatype mismatch"),
    ("SELECT abs(-9223372036854775808)", "integer overflow"),
])
def test_a_row_on_which_a_trigger_fails_costs_only_itself(sqlite, statement, message):
    daemon = sqlite()
    daemon.sqlite_query("CREATE TABLE numbers (n INTEGER PRIMARY KEY)")
    add_trigger(daemon, statement)
    assert daemon.post_batch([minimal(session_id=session) for session in ("a", "bad", "b")]).headers["X-Hooks-Ack"] == "stored"
    assert [event["session_id"] for event in daemon.sqlite_events()] == ["a", "b"]
    assert [(letter["sqlstate"], letter["message"]) for letter in letters(daemon)] == [("22000", message)]


def test_a_trigger_without_its_table_makes_no_dead_letters(sqlite):
    """The fault is not an event's: events wait until the trigger is repaired."""
    daemon = sqlite(SPOOL_AFTER_MS=0)
    daemon.sqlite_query("CREATE TABLE copies (session_id TEXT)")
    add_trigger(daemon, "INSERT INTO copies VALUES (NEW.session_id)")
    daemon.sqlite_query("DROP TABLE copies")
    assert daemon.post_batch([minimal(), minimal(session_id="bad")]).headers["X-Hooks-Ack"] == "spooled"
    daemon.wait_for_log("the store is unavailable.*no such table: main.copies")
    daemon.sqlite_query("DROP TRIGGER narrow")
    daemon.wait_spool_empty()
    assert len(daemon.sqlite_events()) == 2 and letters(daemon) == []


def test_a_foreign_unique_index_makes_dead_letters_instead_of_duplicates(sqlite):
    daemon = sqlite()
    daemon.sqlite_query("CREATE UNIQUE INDEX one ON hook_events (session_id)")
    assert daemon.post_batch([minimal(), minimal()]).status == 202
    assert len(daemon.sqlite_events()) == len(letters(daemon)) == 1


def test_rows_that_a_trigger_ignores_are_not_stored(sqlite):
    daemon = sqlite()
    daemon.sqlite_query("CREATE TRIGGER narrow BEFORE INSERT ON hook_events WHEN NEW.session_id = 'bad' BEGIN "
                        "SELECT RAISE(IGNORE); END")
    assert daemon.post_batch([minimal(session_id="bad"), minimal(session_id="good")]).status == 202
    assert len(daemon.sqlite_events()) == 1 and letters(daemon) == []


def test_a_trigger_that_ends_the_transaction_is_named_and_loses_no_event(sqlite):
    daemon = sqlite(SPOOL_AFTER_MS=0)
    refuse(daemon, "ROLLBACK")
    reply = daemon.post_batch([minimal(session_id="good"), minimal(session_id="bad")])
    assert reply.headers["X-Hooks-Ack"] == "spooled"
    daemon.wait_for_log("a trigger of hook_events ends the transaction of a whole batch .no bad sessions.")
    daemon.sqlite_query("DROP TRIGGER narrow")
    daemon.wait_spool_empty()
    assert sorted(event["session_id"] for event in daemon.sqlite_events()) == ["bad", "good"]


# Beside other programs


def post_sessions(daemon, *sessions):
    for session in sessions:
        assert daemon.post_event(minimal(session_id=session)).headers["X-Hooks-Ack"] == "stored"


def test_readers_and_events_do_not_block_each_other(sqlite):
    daemon = sqlite()
    with contextlib.closing(sqlite3.connect(daemon.sqlite_path, isolation_level=None)) as reader:
        assert daemon.post_event(minimal()).status == 202
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM hook_events").fetchone() == (1,)
        for _ in range(20):
            assert daemon.post_batch([minimal(data={"text": "x" * 1000})] * 500).headers["X-Hooks-Ack"] == "stored"
        assert reader.execute("SELECT count(*) FROM hook_events").fetchone() == (1,)
        reader.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM hook_events").fetchone() == (10_001,)
    log = daemon.sqlite_path.with_name("events.db-wal")
    assert log.stat().st_size > 8 << 20

    def is_emptied():
        """A checkpoint soon gives up at another writer's transaction. Without a HUP the next one comes in a minute."""
        daemon.signal(signal.SIGHUP)
        assert daemon.post_event(minimal()).status == 202
        with contextlib.suppress(AssertionError):
            return wait_until(lambda: log.stat().st_size < 1 << 20, "it", 2)

    wait_until(is_emptied, "the log to be emptied")


def test_the_log_stays_small_under_load(sqlite):
    daemon = sqlite()
    log = daemon.sqlite_path.with_name("events.db-wal")
    for _ in range(40):
        assert daemon.post_batch([minimal(data={"text": "x" * 1000})] * 1000).status == 202
        assert log.stat().st_size < 16 << 20
    assert daemon.sqlite_path.stat().st_size > 32 << 20


def test_the_commands_of_the_document_work(sqlite, tmp_path):
    daemon = sqlite()
    old = [minimal(session_id="test-123", timestamp="2020-01-01T00:00:00Z", data={"tool": "sh"})] * 10
    assert daemon.post_batch(old).status == 202
    assert daemon.post_event(minimal(session_id="test-123", data={"tool": "vi"})).status == 202
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(b"")
    (tmp_path / "backup").mkdir()
    output = []
    for block in blocks((REPOSITORY / "docs/sqlite.md").read_text()):
        if ".dump" in block:
            subprocess.run(["sqlite3", daemon.sqlite_path, f"VACUUM INTO '{damaged}'"], check=True, timeout=30)
        environment = {"PATH": os.environ["PATH"], "SQLITE_PATH": daemon.sqlite_path, "DAMAGED": damaged, "SAVED": tmp_path / "saved.db"}
        result = subprocess.run(["sh", "-eu", "-c", block.replace("/backup/", f"{tmp_path}/backup/")], env=environment,
                                capture_output=True, text=True, timeout=30)
        assert (result.returncode, result.stderr) == (0, ""), block
        output.append(result.stdout)
    assert len(output) == 5
    assert output[0].count("|sh") == 10 and output[0].count("|vi") == 1
    with contextlib.closing(sqlite3.connect(tmp_path / "backup/events.db")) as backup:
        assert backup.execute("SELECT count(*) FROM hook_events").fetchone() == (11,)
    assert len(daemon.sqlite_events()) == 1, "the command has deleted old events"
    assert daemon.post_event(minimal()).status == 202


def test_hooksd_accepts_a_backup_as_its_database(sqlite, tmp_path):
    daemon = sqlite()
    events = random_events(50, sessions=1, seed=33)[0]
    assert daemon.post_batch(events).status == 202
    with contextlib.closing(sqlite3.connect(daemon.sqlite_path)) as connection:
        connection.execute(f"VACUUM INTO '{tmp_path}/copy.db'")
        dump = "\n".join(connection.iterdump())
    with contextlib.closing(sqlite3.connect(tmp_path / "dumped.db")) as connection:
        connection.executescript(dump)
    for name in ("copy.db", "dumped.db"):
        other = sqlite(SQLITE_PATH=tmp_path / name)
        assert other.post_batch(events).status == 202
        assert metrics(other)["events_duplicate_total"] == 50
        assert len(other.sqlite_events()) == 50


def test_the_log_of_a_replaced_database_is_not_applied_to_the_new_one(sqlite, tmp_path):
    """A reader's transaction prevents a checkpoint of the log into the old database before the database is replaced."""
    daemon = sqlite()
    log = daemon.sqlite_path.with_name("events.db-wal")
    post_sessions(daemon, "old")
    with contextlib.closing(sqlite3.connect(daemon.sqlite_path, isolation_level=None)) as reader:
        reader.execute(f"VACUUM INTO '{tmp_path}/copy.db'")
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM hook_events").fetchone()
        post_sessions(daemon, "only in the old one's log")
        os.rename(daemon.sqlite_path, tmp_path / "old.db")
        os.rename(tmp_path / "copy.db", daemon.sqlite_path)
        post_sessions(daemon, "new")
    assert daemon.sqlite_query("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    assert [event["session_id"] for event in daemon.sqlite_events()] == ["old", "new"]
    daemon.wait_for_log("the write-ahead log of an SQLite database that is gone is set aside")
    [aside] = log.parent.glob("events.db-wal.set-aside.*")
    aside.rename(tmp_path / "old.db-wal")
    with contextlib.closing(sqlite3.connect(tmp_path / "old.db")) as old:
        assert old.execute("SELECT session_id FROM hook_events").fetchall() == [("old",), ("only in the old one's log",)]


# The spool


def test_hooksctl_stores_the_spool_of_a_removed_service(make_sqlite):
    daemon = make_sqlite(SPOOL_AFTER_MS=0, STORE_TIMEOUT_MS=100).start()
    events = random_events(100, sessions=1, seed=34)[0]
    assert daemon.post_batch(events[:30]).headers["X-Hooks-Ack"] == "stored"
    with contextlib.closing(sqlite3.connect(daemon.sqlite_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert daemon.post_batch(events).headers["X-Hooks-Ack"] == "spooled"
        daemon.stop()
    replayed = daemon.hooksctl("spool", "replay")
    assert replayed.returncode == 0, replayed.stderr
    assert "in all: stored 70, duplicates 30, dead letters 0" in replayed.stdout
    assert differences([expected(event) for event in events], daemon.sqlite_events()) == []
    assert daemon.spool_files() == []
