"""
People, disks and other programs damage an SQLite database or its directory. During the problem new events are refused
or spooled. Afterwards every acknowledged event is in the database once, without a restart.
"""

import contextlib
import os
import shutil
import signal
import sqlite3

import pytest

from harness.disk import LimitedFiles
from harness.events import minimal
from harness.recorder import judge, recording, wait_acknowledged
from harness.sqlite import ids, sessions
from harness.troubles import in_trouble, overcome, post, start_on_a_full_disk
from harness.waiting import wait_until


@pytest.fixture
def start(sqlite):
    """Starts a daemon that spools at once if it can, with its database in a separate directory."""
    return lambda **options: sqlite(**({"SPOOL_AFTER_MS": 0, "SQLITE_PATH": "store/events.db"} | options))


# Disks


@pytest.mark.parametrize("data_dir", ["with it", "elsewhere"])
def test_events_are_kept_over_a_full_disk(disk, start, data_dir):
    if isinstance(disk, LimitedFiles):
        pytest.skip("needs a file system that can be filled")
    places = {"SQLITE_PATH": disk.path / "events.db"}
    if data_dir == "with it":
        places["DATA_DIR"] = disk.path / "data"
    daemon = start(**places)
    writers = daemon.pids("writer")
    with recording(daemon, seed=1) as recorders:
        wait_acknowledged(recorders)
        disk.fill(daemon)
        in_trouble(daemon, "SQLITE_PATH", "No space left")
        disk.free()
        overcome(daemon, recorders, writers)
    daemon.stop()
    judge(recorders, ids(daemon.sqlite_path))


@pytest.mark.parametrize("first", [True, False])
def test_the_service_starts_on_a_full_disk(disk, make_hooksd, first):
    daemon = make_hooksd(STORAGE_TYPE="sqlite", SQLITE_PATH=disk.path / "events.db", DATA_DIR=disk.path / "data")
    start_on_a_full_disk(daemon, disk, first, sessions)


# Permissions


def test_events_are_kept_over_a_read_only_directory(start):
    """The database was moved away, and no new one can be created."""
    daemon = start()
    writers = daemon.pids("writer")
    moved = daemon.sqlite_path.with_suffix(".moved")
    with recording(daemon, seed=3) as recorders:
        wait_acknowledged(recorders)
        daemon.sqlite_path.rename(moved)
        moved.parent.chmod(0o500)
        others = []
        while daemon.sqlite_path.exists():  # hooksd was quicker and has created it again
            moved.parent.chmod(0o700)
            others.append(daemon.sqlite_path.rename(moved.with_name(f"moved-{len(others)}")))
            moved.parent.chmod(0o500)
        in_trouble(daemon, "SQLITE_PATH", "(Permission denied|unable to open)")
        moved.parent.chmod(0o700)
        overcome(daemon, recorders, writers)
    daemon.stop()
    judge(recorders, ids(moved, daemon.sqlite_path, *others))


def test_the_service_starts_in_a_read_only_directory(make_hooksd, start, tmp_path):
    """SQLite needs its log beside the database."""
    first = start(SQLITE_PATH=tmp_path / "place/events.db")
    post(first, "before")
    first.stop()
    (tmp_path / "place/.events.db.lock").touch()
    (tmp_path / "place").chmod(0o500)
    daemon = start(store_ready=False, SQLITE_PATH=tmp_path / "place/events.db")
    daemon.wait_for_log("the file and its directory must be writable")
    (tmp_path / "place").chmod(0o700)
    daemon.wait_store_ready()
    post(daemon, "after")
    assert sessions(daemon) == ["before", "after"]


def test_events_are_kept_over_a_read_only_database(start):
    daemon = start()
    post(daemon, "before")
    daemon.stop()
    daemon.sqlite_path.chmod(0o400)
    daemon.start(store_ready=False)
    daemon.wait_for_log("the store is unavailable.*SQLITE_PATH.*Permission denied")
    daemon.sqlite_path.chmod(0o600)
    daemon.wait_store_ready()
    post(daemon, "after")
    assert sessions(daemon) == ["before", "after"]


# People


def is_begun(daemon):
    """Whether the database exists and has the table."""
    with contextlib.suppress(sqlite3.OperationalError):
        return daemon.sqlite_path.exists() and bool(daemon.sqlite_query("SELECT 1 FROM hook_events LIMIT 1"))
    return False


def test_a_moved_database_is_complete_and_a_new_one_is_created(start):
    daemon = start()
    parts = [daemon.sqlite_path.with_suffix(f".{number}") for number in range(5)]
    with recording(daemon, seed=4) as recorders:
        for part in parts:
            wait_acknowledged(recorders)
            wait_until(lambda: is_begun(daemon), "the database to be made again")
            daemon.sqlite_path.rename(part)
        wait_acknowledged(recorders)
    daemon.stop()
    judge(recorders, ids(*parts, daemon.sqlite_path))
    daemon.start()
    assert "the SQLite database or its log was moved" in daemon.whole_log()


def test_a_hup_closes_a_moved_database(start):
    daemon = start()
    post(daemon, "before")
    moved = daemon.sqlite_path.with_suffix(".moved")
    daemon.sqlite_path.rename(moved)
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: (daemon.post_event(minimal(session_id="after")), daemon.sqlite_path.exists())[1], "another one")
    assert len(ids(moved)) == 1
    assert set(sessions(daemon)) == {"after"}


def remove_database(daemon):
    daemon.sqlite_path.unlink()


def remove_all(daemon):
    for path in daemon.sqlite_path.parent.glob("events.db*"):
        path.unlink()


def remove_directory(daemon):
    os.rename(daemon.sqlite_path.parent, gone := daemon.directory / "gone")
    shutil.rmtree(gone)


@pytest.mark.parametrize("remove", [remove_database, remove_all, remove_directory])
def test_removed_events_stay_removed_and_later_ones_are_kept(start, remove):
    daemon = start(SPOOL_AFTER_MS=10_000)
    writers = daemon.pids("writer")
    for number in range(3):
        post(daemon, f"before-{number}")
        remove(daemon)
        post(daemon, f"after-{number}")
        post(daemon, f"later-{number}")
        assert sessions(daemon) == [f"after-{number}", f"later-{number}"]
    if remove != remove_directory:  # hooksd may only use the old directory
        assert daemon.pids("writer") == writers


def test_a_removed_log_loses_no_event(start):
    """hooksd writes the removed log's content into the database while it still has the file open."""
    daemon = start()
    log = daemon.sqlite_path.with_name("events.db-wal")
    with recording(daemon, seed=5) as recorders:
        for _ in range(5):
            wait_acknowledged(recorders)
            with contextlib.suppress(FileNotFoundError):
                log.unlink()
    daemon.wait_for_log("the SQLite database or its log was moved, replaced or removed: opening it again")
    daemon.kill()
    daemon.start()
    judge(recorders, ids(daemon.sqlite_path))


def test_a_replaced_database_is_continued(start, tmp_path):
    daemon = start()
    post(daemon, "replaced")
    copy = tmp_path / "copy.db"
    with contextlib.closing(sqlite3.connect(daemon.sqlite_path)) as connection:
        connection.execute(f"VACUUM INTO '{copy}'")
    post(daemon, "after the copy")
    copy.rename(daemon.sqlite_path)
    post(daemon, "after")
    assert sessions(daemon) == ["replaced", "after"]


def test_the_log_of_a_database_moved_while_hooksd_was_stopped_is_set_aside(start):
    daemon = start()
    post(daemon, "before")
    daemon.kill()
    moved = daemon.sqlite_path.with_suffix(".moved")
    daemon.sqlite_path.rename(moved)
    daemon.start()
    daemon.wait_for_log("the write-ahead log of an SQLite database that is gone is set aside")
    post(daemon, "after")
    assert sessions(daemon) == ["after"]
    [aside] = moved.parent.glob("events.db-wal.set-aside.*")
    aside.rename(f"{moved}-wal")
    assert len(ids(moved)) == 1
