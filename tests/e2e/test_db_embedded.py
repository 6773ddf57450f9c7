"""The connection to the embedded webhooks' store: a removed file, a full disk, other programs that hold locks."""

import contextlib
import os
import sqlite3

import pytest

from harness.db_driver import ADD, COUNT, REFUSED, Driver
from harness.disk import SmallDisk


def new_file(driver, path):
    """A database with the schema and a table `things`."""
    driver(DATA_PATH=path)
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE things (name TEXT PRIMARY KEY) STRICT")
    return path


@pytest.fixture
def file(driver, tmp_path):
    return new_file(driver, tmp_path / "hookline.db")


def test_a_removed_database_is_not_made_again(driver, file, tmp_path):
    db = driver(DATA_PATH=file)
    db.add("kept")
    aside = tmp_path / "aside.db"
    os.rename(file, aside)
    for command in ("begin", f"run {COUNT}"):
        code, text = db.call(command)
        assert code < 0 and "was removed" in text
    assert not file.exists()
    os.rename(aside, file)
    assert db.must("run SELECT name FROM things") == "kept"
    os.rename(file, aside)
    assert db.call("close")[0] == 0
    code, text = db.call("open")
    assert code < 0 and "was removed" in text and not file.exists(), "no connection makes it again"
    os.rename(aside, file)
    db.must("open")
    assert db.must("run SELECT name FROM things") == "kept"


def test_a_full_disk_refuses_writes_and_keeps_committed_rows(driver, disk):
    if not isinstance(disk, SmallDisk):
        pytest.skip("no right to mount")
    db = driver(DATA_PATH=new_file(driver, disk.path / "hookline.db"))
    db.add("before")
    disk.fill(None)
    code, text = 0, ""
    for number in range(64):  # fills the last page of the log
        db.must("begin")
        code, text = db.call(f"run {ADD}; {'x' * 4000}{number}")
        code, text = (code, text) if code else db.call("commit")
        db.must("rollback")
        if code:
            break
    assert code < 0 and ("No space left" in text or "full" in text), text
    disk.free()
    db.add("after")
    assert db.must("run SELECT name FROM things WHERE length(name) < 10 ORDER BY name") == "after/before"


def test_a_load_without_room_on_the_disk_stores_no_row(driver, disk):
    if not isinstance(disk, SmallDisk):
        pytest.skip("no right to mount")
    db = driver(DATA_PATH=new_file(driver, disk.path / "hookline.db"))
    disk.fill(None)
    db.must("begin")
    code, text = db.call("load 0 10000")
    code, text = (code, text) if code else db.call("commit")
    assert code < 0 and ("No space left" in text or "full" in text), text
    db.must("rollback")
    disk.free()
    for given, code in ((7, REFUSED), (8, 0)):
        db.must("begin"), db.must("load 0 100"), db.must("each 0 100")
        assert db.call(f"check SELECT 'HL001' WHERE $1 = '7'; {given}")[0] == code
        db.must("rollback")
        assert db.must(f"run {COUNT} WHERE name LIKE '%!'") == ("100" if code == 0 else "0")


def test_a_write_waits_for_a_shells_lock_until_the_deadline(driver, file):
    db = driver(DATA_PATH=file)
    with contextlib.closing(sqlite3.connect(file)) as shell:
        shell.execute("BEGIN IMMEDIATE")
        db.must("deadline 300")
        seconds, text = db.must_fail("begin")
        assert 0.2 < seconds < 3 and "is locked" in text and "HL_DATA_PATH=" in text
        assert db.must(f"run {COUNT}") == "0", "a reader does not wait"
        shell.execute("ROLLBACK")
    db.must("deadline 10000")
    db.add("after")


def test_a_process_killed_in_a_transaction_stores_nothing_of_it(driver, file):
    killed = Driver(DATA_PATH=file)
    killed.must("open")
    killed.add("kept")
    killed.must("begin")
    killed.must(f"run {ADD}; lost")
    killed.process.kill()
    killed.close()
    db = driver(DATA_PATH=file)
    assert db.must("run SELECT name FROM things") == "kept"
    db.add("after")
    with contextlib.closing(sqlite3.connect(file)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_second_service_on_the_same_file_is_refused(hooksd, make_hooksd, tmp_path):
    key = "hl_" + "k" * 40
    first = hooksd(HL_API_KEY=key, HL_STORE_BACKEND="embedded", HL_DATA_PATH=tmp_path / "hookline.db")
    second = make_hooksd(HL_API_KEY=key, HL_STORE_BACKEND="embedded", HL_DATA_PATH=tmp_path / "hookline.db")
    second.spawn()
    second.wait_exit(1)
    assert f"HL_DATA_PATH={tmp_path}/hookline.db is in use by pid {first.pid} (another hooksd" in second.log()
