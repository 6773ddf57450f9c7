"""hooksctl doctor: its findings on a healthy installation, and on each problem that a test can cause."""

import json
import os
import socket

import psycopg
import pytest

from harness.certificates import Authority
from harness.clock import WallClock
from harness.daemon import run_program
from harness.dba import apply_roles, url_as
from harness.doctor import EXIT, diagnose, diagnose_daemon
from harness.pgbouncer import PgBouncer
from harness.postgres import PostgresServer, free_port

pytestmark = pytest.mark.plain_postgres("checks one server")


@pytest.fixture
def at(tmp_path):
    """An empty directory in which no service ever ran, and options for it."""

    def look(*flags, **options):
        return diagnose(tmp_path, *flags, **({"RING_PATH": f"/dev/shm/hooksd-doctor-{os.getpid()}.ring"} | options))

    return look


@pytest.fixture(scope="module")
def tables(postgres_server, webhooks_template):
    """A database with all tables. Tests leave no problem behind in it."""
    postgres_server.start()
    database = postgres_server.new_database(webhooks_template)
    yield database
    postgres_server.start()
    database.drop()


# Healthy installations


def test_a_service_with_postgresql_is_healthy(make_hookline):
    hookline = make_hookline("postgres")
    daemon = hookline.daemon
    daemon.options |= {"DATABASE_URL": hookline.database.url, "SANDBOX": "off"}
    hookline.start()
    diagnosis = diagnose_daemon(daemon)
    assert diagnosis.troubles() == {"service.options": diagnosis.found("service.options")}, "PORT=0 cannot be asked"
    assert diagnosis.found("service.options").endswith("other values of PORT")
    made = {finding["check"] for finding in diagnosis.findings}
    for check in ("options.names", "files.data_dir", "spool.size", "host.ring", "database.connection", "database.schema",
                  "database.rights", "database.months", "database.vacuum", "database.pooler", "webhooks.rights", "webhooks.months",
                  "webhooks.bloat", "deliveries.paused", "deliveries.endpoints", "deliveries.queue", "deliveries.nodes",
                  "deliveries.secrets", "deliveries.keys", "service.process", "service.version", "service.health", "service.readiness"):
        assert check in made
    assert "webhooks.vacuum" not in made, "the server is the same one"
    assert not {check for check in made if check.startswith(("tls.", "embedded.", "network."))}


def test_a_service_with_embedded_stores_is_healthy_and_doctor_changes_nothing(make_hookline):
    hookline = make_hookline("embedded", STORAGE_TYPE="sqlite")
    hookline.start()
    assert set(diagnose_daemon(hookline.daemon).troubles()) <= {"service.options"}
    hookline.daemon.stop()
    home = hookline.daemon.directory

    def everything():
        return {path: path.stat().st_mtime_ns for path in home.rglob("*")}

    before = everything()
    diagnosis = diagnose_daemon(hookline.daemon)
    assert everything() == before
    assert diagnosis.troubles() == {}
    assert len(diagnosis.by_check["embedded.integrity"]) == 2
    assert diagnosis.found("service.process") == "no hooksd has this DATA_DIR"


def test_a_directory_in_which_no_service_ran_is_healthy(at, tmp_path):
    diagnosis = at()
    assert diagnosis.troubles() == {}
    assert "is not there yet" in diagnosis.found("files.data_dir")
    assert list(tmp_path.iterdir()) == []


# The output


def test_each_check_is_one_line_in_columns_without_colour_for_a_pipe(tmp_path):
    run = run_program("hooksctl", "doctor", "--offline", options={"HL_POSTGRES_ULR": "x"}, cwd=tmp_path)
    lines = [line for line in run.stdout.splitlines() if line]
    column = lines[0].index("HL_POSTGRES_ULR")
    assert lines[0].startswith("warn  options.names ")
    assert lines[0][column:].startswith("HL_POSTGRES_ULR is no option: HL_POSTGRES_URL is meant, perhaps -> correct its name")
    assert all(line.split()[0] in EXIT and line[column - 1] == " " != line[column] for line in lines)
    assert "\x1b" not in run.stdout


@pytest.mark.parametrize("flags", [["word"], ["--probe"], ["--json=yes"], ["--offline", "--probe=http://a.example/"]])
def test_wrong_usage_is_told(tmp_path, flags):
    assert run_program("hooksctl", "doctor", *flags, cwd=tmp_path).returncode == 64


def test_invalid_options_are_reported_before_any_check(tmp_path):
    run = run_program("hooksctl", "doctor", options={"PORT": "many"}, cwd=tmp_path)
    assert (run.returncode, run.stdout) == (64, "") and "PORT" in run.stderr


# Options


def test_options_without_an_effect_are_reported(at):
    diagnosis = at(HL_COLOUR="red", DATABSE_URL="postgresql://u:hidden@h/d", HL_DELIVERY_WORKERS="4", STORAGE_TYP="jsonl", HL_URL="http://x")
    assert sorted(finding["found"] for finding in diagnosis.by_check["options.names"]) == [
        "DATABSE_URL is no option: DATABASE_URL is meant, perhaps", "HL_COLOUR is no option",
        "STORAGE_TYP is no option: STORAGE_TYPE is meant, perhaps"]
    assert diagnosis.found("options.old_names").startswith("HL_DELIVERY_WORKERS ")
    assert "hidden" not in json.dumps(diagnosis.findings)


# Files


def test_a_world_writable_directory_is_reported(at, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o777)
    assert at(DATA_DIR="data").status("files.data_dir") == "warn"


def test_a_directory_in_place_of_a_file_is_reported(at, tmp_path):
    diagnosis = at(JSONL_PATH=tmp_path)
    assert diagnosis.status("files.store") == "fail" and "is a directory" in diagnosis.found("files.store")


def test_a_file_of_another_program_is_reported(at, tmp_path):
    (tmp_path / "events.db").write_text("not a database of ours")
    diagnosis = at(STORAGE_TYPE="sqlite", SQLITE_PATH="events.db")
    assert "is not an SQLite database" in diagnosis.found("files.store")
    assert (tmp_path / "events.db").read_text() == "not a database of ours"


def test_a_small_disk_is_reported(at, disk):
    if not hasattr(disk, "_resize") or not disk._resize(32 << 20):
        pytest.skip("no right to mount")
    diagnosis = at(DATA_DIR=disk.path / "data")
    assert diagnosis.status("files.space") == "fail" and "is full" in diagnosis.found("files.space")


def test_a_ring_without_room_is_reported(at):
    assert at(RING_BYTES="64GiB").status("host.shared_memory") == "fail"


def test_events_that_wait_in_files_are_reported(hooksd, database, postgres):
    daemon = hooksd(database, SPOOL_AFTER_MS=0, ACCEPTORS=1)
    postgres.stop()
    assert daemon.post_event({"event_type": "a", "session_id": "s"}).headers["X-Hooks-Ack"] == "spooled"
    (daemon.directory / ".agentic/hooksd/dead-letters.jsonl").write_text("{}\n")
    (daemon.directory / ".agentic/hooksd/spool/damaged-00-000000000007-1.bin").write_text("?")
    diagnosis = diagnose_daemon(daemon)
    assert diagnosis.found("spool.size").startswith("1 files, ") and "waits for" in diagnosis.found("spool.age")
    assert diagnosis.status("spool.damaged") == diagnosis.status("spool.dead_letters") == "warn"
    assert diagnosis.status("database.connection") == "fail"
    assert diagnosis.status("service.health") == "warn" and "events go to the spool" in diagnosis.found("service.health")


def test_a_ring_without_its_service_is_reported(make_hooksd):
    daemon = make_hooksd()
    daemon.start()
    assert diagnose_daemon(daemon).status("host.ring") == "ok"
    daemon.kill()
    assert "left from an earlier run" in diagnose_daemon(daemon).found("host.ring")
    other = diagnose_daemon(daemon, RING_PATH=daemon.options["RING_PATH"].replace("hooksd-", "hooksd-other-"))
    assert daemon.options["RING_PATH"] in other.found("host.other_rings")


def test_a_pipe_in_place_of_a_ring_does_not_block_the_doctor(at, tmp_path):
    os.mkfifo(tmp_path / "hooksd-1.ring")
    diagnosis = at(RING_PATH=tmp_path / "hooksd-1.ring")
    assert diagnosis.status("host.ring") == "warn" and diagnosis.status("doctor.time") is None


def test_differing_options_of_the_running_service_are_reported(hooksd):
    daemon = hooksd(SANDBOX="off")
    diagnosis = diagnose_daemon(daemon, MAX_BODY_BYTES="1MiB", PORT=0)
    assert diagnosis.found("service.options").endswith("other values of MAX_EVENT_BYTES, MAX_BODY_BYTES") or \
        diagnosis.found("service.options").endswith("other values of MAX_BODY_BYTES, MAX_EVENT_BYTES")


def test_unreadable_dead_letters_are_reported(at, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/dead-letters.jsonl").symlink_to("dead-letters.jsonl")
    assert at(DATA_DIR="data").status("spool.dead_letters") == "fail"


# TLS


def test_certificates_are_checked(at, tmp_path):
    authority = Authority(tmp_path, "authority")
    certificate, key = authority.issue("hooks.example")
    soon = at(TLS_CERT_FILE=certificate, TLS_KEY_FILE=key, TLS_CLIENT_CA_FILE=authority.certificate)
    assert soon.status("tls.certificate") == soon.status("tls.client_ca") == "warn"
    assert "expires in" in soon.found("tls.certificate")
    expired, its_key = authority.issue_expired("old.example")
    assert "has expired" in at(TLS_CERT_FILE=expired, TLS_KEY_FILE=its_key).found("tls.certificate")
    assert "is not the key" in at(TLS_CERT_FILE=certificate, TLS_KEY_FILE=authority.key).found("tls.certificate")
    assert "cannot be read" in at(TLS_CERT_FILE="/nowhere", TLS_KEY_FILE=key).found("tls.certificate")


# PostgreSQL


def test_a_silent_database_is_a_failure_and_the_other_checks_are_made(at):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        diagnosis = at(DATABASE_URL=f"postgresql://u:not-a-real-secret@127.0.0.1:{port}/d?connect_timeout=2")
    assert list(diagnosis.troubles()) == ["database.connection"]
    assert diagnosis.status("files.data_dir") == "ok"
    assert "not-a-real-secret" not in json.dumps(diagnosis.findings)


def test_a_database_without_tables_is_reported(at, postgres):
    database = postgres.new_database()
    try:
        assert at(DATABASE_URL=database.url).status("database.schema") == "warn"
        assert at(DATABASE_URL=database.url, AUTO_MIGRATE="false").status("database.schema") == "fail"
        webhooks = at(HL_POSTGRES_URL=database.url, HL_API_KEY="a" * 8)
        assert set(webhooks.troubles()) == {"webhooks.schema"} and webhooks.status("webhooks.schema") == "warn"
        assert database.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    finally:
        database.drop()


def test_rights_of_the_role_are_checked(at, all_tables):
    apply_roles(all_tables)
    url = {"DATABASE_URL": url_as(all_tables, "hooks_writer"), "HL_POSTGRES_URL": url_as(all_tables, "hooks_control"), "HL_API_KEY": "a" * 8}
    diagnosis = at(**url)
    assert diagnosis.troubles() == {}
    assert diagnosis.status("database.rights") == diagnosis.status("webhooks.rights") == "ok"
    all_tables.query("REVOKE INSERT ON hook_events FROM hooks_writer")
    all_tables.query("REVOKE DELETE ON jobs FROM hooks_control, hooks_publisher")
    all_tables.query("REVOKE EXECUTE ON FUNCTION ensure_partitions(int, date) FROM hooks_writer, PUBLIC")
    diagnosis = at(**url)
    assert diagnosis.found("database.rights") == "the role lacks EXECUTE on ensure_partitions, INSERT on hook_events"
    assert diagnosis.found("webhooks.rights") == "the role lacks DELETE on jobs"
    all_tables.query("REVOKE INSERT ON hook_event_log FROM hooks_writer")
    assert "hook_event_log" not in at(**url).found("database.rights"), "the log of hook events is off"
    assert at(**url, EVENT_STREAM_SECONDS=60).found("database.rights").endswith(", INSERT on hook_event_log, INSERT on hook_events")


def test_a_role_with_rights_to_the_tables_alone_is_healthy(at, all_tables):
    apply_roles(all_tables)
    all_tables.query("REVOKE ALL ON hook_events_default FROM hooks_writer")
    diagnosis = at(DATABASE_URL=url_as(all_tables, "hooks_writer"))
    assert diagnosis.troubles() == {}
    assert diagnosis.found("database.default_partition") == "this role may not read hook_events_default"


def test_a_locked_table_is_reported_and_no_statement_stays_in_the_server(at, all_tables, postgres):
    with postgres.connect(all_tables.name) as session:
        session.execute("BEGIN; LOCK TABLE hook_events_default")
        diagnosis = at(DATABASE_URL=all_tables.url)
        assert "statement timeout" in diagnosis.found("database.months")
        assert diagnosis.status("database.dead_letters") == "ok"
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        assert all_tables.value(waiting) == 0
        session.execute("ROLLBACK")


def test_problems_of_a_database_are_reported(at, all_tables):
    all_tables.query("INSERT INTO hook_events (event_id, timestamp, created_date, event_type, session_id, data)"
                     " VALUES (gen_random_uuid(), '1999-01-01', '1999-01-01', 'a', 's', '{}')")
    all_tables.query("INSERT INTO hook_events_dead_letters (sqlstate, message, event_id, created_date, event_type, session_id, payload)"
                     " VALUES ('23514', 'no', gen_random_uuid(), '2026-01-01', 'a', 's', '{}')")
    all_tables.query("DO $$ DECLARE month text; BEGIN SELECT max(relname) INTO month FROM pg_class"
                     " WHERE relname ~ '^hook_events_\\d{4}_\\d\\d$' AND relkind = 'r'; EXECUTE 'DROP TABLE ' || month; END $$")
    all_tables.query("ALTER DATABASE " + all_tables.name + " CONNECTION LIMIT 4")
    diagnosis = at(DATABASE_URL=all_tables.url, WRITERS=8)
    assert diagnosis.troubles() == {
        "database.months": "hook_events has partitions for 2 months ahead, not 3",
        "database.default_partition": "hook_events_default holds 1 rows",
        "database.dead_letters": "1 events that the database refused",
        "database.connections": "the database's CONNECTION LIMIT leaves less than the 8 connections that hooksd opens",
    }


def test_sessions_that_hold_vacuum_back_are_reported(at, postgres, tables):
    with postgres.with_settings(max_prepared_transactions=2, wal_level="replica", fsync="off"):
        with postgres.connect(tables.name) as session:
            session.execute("BEGIN; CREATE TABLE left_behind (id int); PREPARE TRANSACTION 'left by a test'")
            session.execute("SELECT pg_create_physical_replication_slot('nobodys', true)")
        try:
            diagnosis = at(DATABASE_URL=tables.url)
        finally:
            with postgres.connect(tables.name) as session:
                session.execute("ROLLBACK PREPARED 'left by a test'")
                session.execute("SELECT pg_drop_replication_slot('nobodys')")
    assert "left by a test" in diagnosis.found("database.vacuum") and diagnosis.status("database.vacuum") == "warn"
    assert "nobodys" in diagnosis.found("database.slots")
    assert diagnosis.status("database.durability") == "fail"


@pytest.mark.unsanitized("a sanitizer's library must be loaded first")
def test_differing_clocks_are_reported(at, tables, tmp_path):
    clock = WallClock(tmp_path / "clock")
    for seconds, status in ((0, "ok"), (-7, "warn"), (3600, "fail")):
        clock.set(seconds)
        diagnosis = at(DATABASE_URL=tables.url, **clock.environment())
        assert diagnosis.status("database.clock") == status, diagnosis.findings
    assert "behind ours" in diagnosis.found("database.clock")


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.unsanitized("a sanitizer's library must be loaded first")
def test_old_transactions_are_reported(at, monkeypatch):
    """Runs on a server whose clock the test can set."""
    server = PostgresServer()
    clock = WallClock(server.directory / "clock")
    for name, value in clock.environment().items():
        monkeypatch.setenv(name, str(value))
    try:
        server.start()
        database = server.new_database()
        with server.connect(database.name) as session:
            session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM pg_class LIMIT 1")
            for seconds, status in ((0, "ok"), (660, "warn"), (90000, "fail")):
                clock.set(seconds)
                diagnosis = at(DATABASE_URL=database.url, **clock.environment())
                assert diagnosis.status("database.vacuum") == status, diagnosis.findings
        assert "of postgres" in diagnosis.found("database.vacuum") and "for 25 h" in diagnosis.found("database.vacuum")
    finally:
        server.remove()


@pytest.mark.parametrize(("mode", "status"), [("transaction", "ok"), ("session", "warn"), ("statement", "fail")])
def test_modes_of_a_pooler_are_reported(at, postgres, tables, mode, status):
    bouncer = PgBouncer(postgres, pool_mode=mode, default_pool_size=4)
    try:
        bouncer.start()
        diagnosis = at(DATABASE_URL=bouncer.url(tables))
        assert diagnosis.status("database.pooler") == status, diagnosis.findings
        assert mode in diagnosis.found("database.pooler")
    finally:
        bouncer.remove()


def test_a_pooler_in_transaction_mode_that_takes_servers_in_turn_is_healthy(at, postgres, tables):
    bouncer = PgBouncer(postgres, pool_mode="transaction", default_pool_size=2, server_round_robin=1)
    try:
        bouncer.start()
        with psycopg.connect(bouncer.url(tables)) as one, psycopg.connect(bouncer.url(tables)) as two:
            one.execute("SELECT 1")
            two.execute("SELECT 1")  # the pooler has both server connections now
        diagnosis = at(DATABASE_URL=bouncer.url(tables))
        assert diagnosis.status("database.pooler") == "ok", diagnosis.findings
    finally:
        bouncer.remove()


# The network


def test_outgoing_connections_are_tried_without_a_request(at, receiver):
    allowed = at(f"--probe={receiver.url('/hook?token=credential')}", HL_ALLOW_NETWORKS="127.77.0.0/16")
    assert [allowed.status(f"network.{check}") for check in ("names", "guard", "connection")] == ["ok"] * 3
    assert receiver.arrivals == []
    refused = at(f"--probe={receiver.url('/hook?token=credential')}")
    assert refused.status("network.guard") == "fail" and refused.status("network.connection") is None
    assert "credential" not in json.dumps(allowed.findings + refused.findings)


def test_a_closed_port_and_an_unknown_name_are_reported(at):
    assert at(f"--probe=http://127.77.0.1:{free_port()}/", HL_ALLOW_NETWORKS="127.77.0.0/16").status("network.connection") == "fail"
    assert at("--probe=http://nowhere.invalid/").status("network.names") == "fail"
    assert at("--probe=ftp://a.example/").status("network.names") == "fail"
