"""SQLITE_PATH names another program's file or a damaged one. Not one byte of it changes, and the log has the fix."""

import contextlib
import os
import random
import shutil
import signal
import sqlite3

import pytest

from harness.daemon import run_program
from harness.events import minimal
from harness.sqlite import sessions
from harness.troubles import post
from harness.waiting import wait_until


@pytest.fixture
def start(sqlite):
    """Starts a daemon that spools at once if it can, with its database in a separate directory."""
    return lambda **options: sqlite(**({"SPOOL_AFTER_MS": 0, "SQLITE_PATH": "store/events.db"} | options))


def another_database(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE hook_events (x)")
        connection.executemany("INSERT INTO hook_events VALUES (?)", [(number,) for number in range(1000)])
        connection.commit()


def another_database_with_a_log(path):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA journal_mode = WAL")
    other.execute("CREATE TABLE t (x)")
    other.execute("INSERT INTO t VALUES (1)")
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", f"{path}.copy{suffix}")
    other.close()
    for suffix in ("", "-wal"):
        os.rename(f"{path}.copy{suffix}", f"{path}{suffix}")


FOREIGN = {
    "a text": lambda path: path.write_text("a line of a diary\n" * 3000),
    "one byte": lambda path: path.write_bytes(b"x"),
    "zeros": lambda path: path.write_bytes(bytes(8192)),
    "lines of JSON": lambda path: path.write_text('{"event_id":"1"}\n' * 50),
    "noise": lambda path: path.write_bytes(b"\x01" + random.Random(1).randbytes(300_000)),
    "a database": another_database,
    "a database with a log": another_database_with_a_log,
}


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.name != ".document.lock"}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_file_of_another_program_is_unchanged(make_hooksd, tmp_path, kind):
    path = tmp_path / "place/document"
    path.parent.mkdir()
    FOREIGN[kind](path)
    before = contents(path.parent)
    daemon = make_hooksd(STORAGE_TYPE="sqlite", SQLITE_PATH=path)
    told = f"SQLITE_PATH={path} is (not an SQLite database|the database of another application)"
    checked = run_program("hooksd", "--check-config", options=daemon.options)
    if kind != "a database with a log":  # its tables are only in the log, so hooksd must open it to see them
        assert checked.returncode == 64
        assert "is not an SQLite database" in checked.stderr or "is the database of another application" in checked.stderr
    assert contents(path.parent) == before
    daemon.start(store_ready=False)
    daemon.wait_for_log(f"the store is unavailable.*{told}")
    assert daemon.get("/readyz").status == 503
    assert daemon.post_event(minimal()).status == 503
    after = contents(path.parent)
    after.pop("document-shm", None)
    assert after == before
    path.rename(tmp_path / "moved away")
    for extra in path.parent.glob("document-*"):
        extra.unlink()
    daemon.wait_store_ready()
    assert daemon.post_event(minimal()).status == 202


def test_a_file_of_another_program_that_comes_at_run_time_is_unchanged(start, tmp_path):
    daemon = start()
    post(daemon, "before")
    other = tmp_path / "other.db"
    another_database(other)
    foreign = other.read_bytes()
    os.rename(other, daemon.sqlite_path)
    for number in range(3):
        reply = daemon.post_event(minimal(session_id=f"after-{number}"))
        assert (reply.status, reply.headers["X-Hooks-Ack"]) == (202, "spooled")
    daemon.wait_for_log("is the database of another application")
    assert daemon.sqlite_path.read_bytes() == foreign
    daemon.sqlite_path.rename(tmp_path / "moved away")
    daemon.wait_spool_empty()
    assert sessions(daemon) == [f"after-{number}" for number in range(3)]
    assert (tmp_path / "moved away").read_bytes() == foreign


@pytest.mark.parametrize("path,told", [("/dev/null", "not a regular file"), ("/tmp", "not a regular file")])
def test_check_config_refuses_files_that_are_no_database(path, told):
    checked = run_program("hooksd", "--check-config", options={"STORAGE_TYPE": "sqlite", "SQLITE_PATH": path})
    assert checked.returncode == 64
    assert f"SQLITE_PATH={path} is {told}" in checked.stderr


def test_check_config_changes_nothing_beside_a_running_service(start):
    daemon = start()
    post(daemon, "a")
    checked = run_program("hooksd", "--check-config", options=daemon.options | {"PORT": 0, "RING_PATH": ""}, cwd=daemon.directory)
    assert (checked.returncode, checked.stderr) == (0, "")
    post(daemon, "b")
    assert sessions(daemon) == ["a", "b"]


# Damage


def damage(daemon):
    """All but the first page."""
    size = daemon.sqlite_path.stat().st_size
    with open(daemon.sqlite_path, "r+b") as file:
        file.seek(4096)
        file.write(random.Random(2).randbytes(size - 4096))


def move_away(daemon):
    place = daemon.directory / "damaged"
    place.mkdir()
    for path in list(daemon.sqlite_path.parent.glob("events.db*")):
        path.rename(place / path.name)


DAMAGED = "SQLITE_PATH=.* is damaged .*: move it away with its -wal and -shm files"


def test_a_database_damaged_at_run_time_is_named_and_events_are_spooled(start):
    daemon = start()
    for _ in range(5):
        assert daemon.post_batch([minimal(session_id="old", data={"text": "x" * 500})] * 200).status == 202
    damage(daemon)
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: daemon.post_event(minimal(session_id="new")).headers.get("X-Hooks-Ack") == "spooled", "the damage to show")
    daemon.wait_for_log(DAMAGED)
    move_away(daemon)
    daemon.wait_spool_empty()
    assert set(sessions(daemon)) == {"new"}


def test_a_database_damaged_before_the_start_is_named(start):
    daemon = start()
    assert daemon.post_batch([minimal(data={"text": "x" * 500})] * 200).status == 202
    daemon.stop()
    damage(daemon)
    daemon.start(store_ready=False)
    daemon.wait_for_log(DAMAGED)
    assert daemon.get("/readyz").status == daemon.post_event(minimal()).status == 503
    move_away(daemon)
    daemon.wait_store_ready()
    post(daemon, "new")
    assert sessions(daemon) == ["new"]
