"""hooksctl doctor on embedded stores of a stopped service: damage, older schemas, and their content."""

import contextlib
import json
import os
import re
import secrets
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from harness.daemon import BUILD_DIR, clean_environment
from harness.doctor import Diagnosis, diagnose
from harness.sqlite import locked


@pytest.fixture(scope="module")
def left(tmp_path_factory, request):
    """The files of a stopped service with embedded stores, to be copied: a tenant with an endpoint and a key."""
    from harness.webhooks import make_hookline

    hookline = make_hookline(tmp_path_factory.mktemp("left"), "embedded", STORAGE_TYPE="sqlite")
    try:
        hookline.start()
        tenant = hookline.new_tenant()
        reply = tenant.client.post("/v1/endpoints", {"url": "http://127.77.0.1:9/hook?token=credential"})
        assert reply.status == 201
        tenant.key(expires_at=int((time.time() + 3 * 86400) * 1000))
        hookline.daemon.stop()
        yield hookline
    finally:
        hookline.daemon.clean_up()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(hookline.daemon.options["RING_PATH"])


@pytest.fixture
def copied(left, tmp_path):
    """The two files of a copy (hook events, webhooks), and a function that runs doctor on it."""
    options = {name: value for name, value in left.daemon.options.items() if name != "PORT"}
    options |= {"SQLITE_PATH": tmp_path / "events.db", "HL_DATA_PATH": tmp_path / "hookline.db", "DATA_DIR": tmp_path / "data"}
    for source, target in ((left.daemon.sqlite_path, options["SQLITE_PATH"]), (left.data_path, options["HL_DATA_PATH"])):
        with contextlib.closing(sqlite3.connect(source)) as one, contextlib.closing(sqlite3.connect(target)) as other:
            one.backup(other)
        Path(target).chmod(0o600)

    def look(*flags, **more):
        return diagnose(tmp_path, *flags, **(options | more))

    look.webhooks = options["HL_DATA_PATH"]
    look.events = options["SQLITE_PATH"]
    return look


def change(path, *statements):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def test_a_damaged_database_is_reported(copied):
    with open(copied.events, "r+b") as file:
        file.seek(4096)
        file.write(secrets.token_bytes(8192))
    diagnosis = copied()
    assert diagnosis.status("embedded.integrity") == "fail"
    assert f"SQLITE_PATH={copied.events} is damaged" in diagnosis.found("embedded.integrity")


def test_another_program_that_writes_is_reported(copied):
    change(copied.events, "PRAGMA journal_mode = WAL", "CREATE TABLE other (id)", "DROP TABLE other")
    with locked(copied.events) as other:
        other.execute("CREATE TABLE other (id)")
        diagnosis = copied()
        other.execute("DROP TABLE other")
    assert diagnosis.status("embedded.lock") == "warn" and str(os.getpid()) in diagnosis.found("embedded.lock")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_a_directory_in_which_sqlite_can_create_no_files_is_reported(copied, tmp_path):
    shutil.copy(BUILD_DIR / "hooksctl", tmp_path)
    for parent in [tmp_path, *list(tmp_path.parents)[:3]]:
        os.chmod(parent, 0o755)
    os.chown(copied.events, 65534, -1)
    command = ["setpriv", "--reuid=65534", "--clear-groups", "./hooksctl", "doctor", "--json", "--offline"]
    options = {"STORAGE_TYPE": "sqlite", "SQLITE_PATH": "events.db", "DATA_DIR": "/tmp/data"}
    diagnosis = Diagnosis(subprocess.run(
        command, env=clean_environment(options), cwd=tmp_path, capture_output=True, text=True, timeout=30))
    assert "cannot make files beside it, in .: Permission denied" in diagnosis.found("files.store")


def test_deliveries_that_are_paused_or_will_be_are_reported(copied):
    now = int(time.time() * 1000)
    change(
        copied.webhooks,
        f"INSERT INTO pauses (tenant_id, reason, paused_at) VALUES ('acme', 'a\x9bcopy', {now - 7200_000})",
        f"UPDATE endpoints SET failing_since = {now - 3 * 86400_000}, breaker = 'open'",
        f"UPDATE delivery_nodes SET left_at = NULL, alive_at = {now - 3600_000}",
        "INSERT INTO jobs (tenant_id, endpoint_id, job_id, event_id, node_id, status, next_attempt_at)"
        f" SELECT tenant_id, endpoint_id, endpoint_id, endpoint_id, 1, 'pending', {now - 600_000} FROM endpoints",
        "INSERT INTO dlq (tenant_id, job_id, event_id, endpoint_id, created_at, reason, attempt_count, topic, occurred_at)"
        f" SELECT tenant_id, endpoint_id, endpoint_id, endpoint_id, {now - 60_000}, 'http_500', 3, 'a', {now} FROM endpoints",
    )
    diagnosis = copied(HL_MASTER_KEY=secrets.token_hex(32))
    assert diagnosis.found("deliveries.paused") == "deliveries of the tenant acme are paused for 2 h: a  copy"
    assert diagnosis.found("deliveries.endpoints") == (
        "of 1 endpoints 0 were disabled, 1 fail, the longest for 3 d, 1 have open breakers")
    assert diagnosis.found("deliveries.queue") == "1 jobs wait, and one is due for 10 min"
    assert diagnosis.found("deliveries.dead_letters").startswith("1, the newest died 6")
    assert "is silent for 60 min" in diagnosis.found("deliveries.nodes")
    assert diagnosis.status("deliveries.secrets") == "fail" and "of 1 endpoints" in diagnosis.found("deliveries.secrets")
    assert "ends in 2 d" in diagnosis.found("deliveries.keys")
    change(copied.webhooks, "UPDATE endpoints SET state = 'disabled', failing_since = NULL, breaker = 'closed'")
    again = copied()
    assert again.found("deliveries.endpoints").startswith("of 1 endpoints 1 were disabled, 0 fail,")
    assert re.fullmatch("no key is missing; HL_MASTER_KEY has the fingerprint [0-9a-f]{16}", again.found("deliveries.secrets"))
    assert "credential" not in json.dumps(diagnosis.findings)


def test_an_older_embedded_store_is_a_warning_before_an_upgrade(copied):
    change(copied.webhooks, "DELETE FROM hookline_schema_migrations WHERE version = (SELECT max(version) FROM hookline_schema_migrations)")
    diagnosis = copied()
    assert diagnosis.troubles() == {"embedded.schema": "that of HL_DATA_PATH has version 4, and this program needs 5"}
    assert diagnosis.status("embedded.schema") == "warn"
    assert diagnosis.status("deliveries.store") is None, "doctor cannot read a store before its migration"
    assert copied(AUTO_MIGRATE="false").status("embedded.schema") == "fail"


def test_a_store_that_was_migrated_away_is_reported(copied):
    change(copied.webhooks, "UPDATE store_identity SET store_id = 'moved ' || store_id")
    diagnosis = copied()
    assert diagnosis.status("deliveries.store") == "fail" and "hooksctl store reopen" in diagnosis.found("deliveries.store")


def test_the_newest_of_very_many_dead_letters_is_found(copied):
    now = int(time.time() * 1000)
    change(
        copied.webhooks,
        "INSERT INTO dlq (tenant_id, job_id, event_id, endpoint_id, created_at, reason, attempt_count, topic, occurred_at)"
        " WITH RECURSIVE g (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n <= 100000)"
        " SELECT tenant_id, printf('%08x-0000-7000-8000-000000000000', n), endpoint_id, endpoint_id,"
        f" CASE WHEN n <= 100000 THEN {now - 3 * 86400_000} ELSE {now - 60_000} END, 'http_500', 3, 'a', {now} FROM endpoints, g")
    diagnosis = copied()
    assert diagnosis.status("deliveries.dead_letters") == "warn"
    assert diagnosis.found("deliveries.dead_letters").startswith("more than 100000, the newest died 6")
