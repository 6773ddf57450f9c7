"""
The SQLite store while other programs lock the database, syncs fail, and processes are killed: each acknowledged event
is stored once.
"""

import contextlib
import http.client
import os
import random
import signal
import threading
import uuid

import pytest

from harness.accounting import settled
from harness.events import minimal
from harness.faults import FILES, Faults
from harness.metrics import metrics
from harness.power import Machine
from harness.recorder import judge, recording, wait_acknowledged
from harness.sqlite import ids, locked, sessions
from harness.troubles import in_trouble, post
from harness.waiting import wait_until


@pytest.fixture
def start(sqlite):
    """Starts a daemon that spools at once if it can, with its database in a separate directory."""
    return lambda **options: sqlite(**({"SPOOL_AFTER_MS": 0, "SQLITE_PATH": "store/events.db"} | options))


# Locks


def test_events_wait_for_a_foreign_lock_and_are_then_spooled(start):
    daemon = start(STORE_TIMEOUT_MS=300)
    writers = daemon.pids("writer")
    with recording(daemon, seed=6) as recorders:
        wait_acknowledged(recorders)
        with locked(daemon.sqlite_path):
            in_trouble(daemon, "SQLITE_PATH", "is locked: another program has a transaction open that writes")
            wait_acknowledged(recorders)
        daemon.wait_spool_empty()
        assert daemon.pids("writer") == writers
    daemon.stop()
    judge(recorders, ids(daemon.sqlite_path))


def test_clients_do_not_notice_a_short_lock(start):
    daemon = start()
    with locked(daemon.sqlite_path) as other:
        reply = []
        client = threading.Thread(target=lambda: reply.append(daemon.post_event(minimal())))
        client.start()
        other.execute("INSERT INTO hook_events (event_id, timestamp, received_at, created_date, event_type, session_id)"
                      " VALUES ('mine', 't', 't', 'd', 'e', 'other')")
    client.join()
    assert reply[0].headers["X-Hooks-Ack"] == "stored"
    assert sessions(daemon) == ["other", "test-123"]
    assert metrics(daemon)["storage_errors_total"] == 0


def test_a_writer_that_waits_for_a_lock_is_not_killed_as_stuck(start):
    daemon = start(STORE_TIMEOUT_MS=4000, STUCK_AFTER_SECONDS=1, SPOOL_MAX_BYTES=0)
    writers = daemon.pids("writer")
    with locked(daemon.sqlite_path):
        assert daemon.post_event(minimal()).status == 503
        daemon.wait_for_log("is locked")
    daemon.wait_store_ready()
    assert daemon.pids("writer") == writers
    assert "stuck" not in daemon.log()


def test_a_drain_does_not_wait_for_a_lock(start):
    daemon = start(ACK="queued", STORE_TIMEOUT_MS=60000, DRAIN_TIMEOUT_SECONDS=4)
    with locked(daemon.sqlite_path):
        assert daemon.post_event(minimal(session_id="queued")).status == 202
        daemon.stop()
        assert daemon.spool_files()
    daemon.start()
    daemon.wait_spool_empty()
    assert sessions(daemon) == ["queued"]


def test_a_start_waits_for_a_foreign_lock(start):
    daemon = start()
    post(daemon, "before")
    daemon.stop()
    with locked(daemon.sqlite_path):
        daemon.options["STORE_TIMEOUT_MS"] = 200
        daemon.start(store_ready=False)
        daemon.wait_for_log("the store is unavailable.*is locked")
    daemon.wait_store_ready()
    post(daemon, "after")
    assert sessions(daemon) == ["before", "after"]


@pytest.mark.unsanitized("a sanitizer's library must be loaded first")
def test_a_failed_sync_is_counted_and_loses_no_event(make_hooksd, tmp_path):
    faults = Faults(tmp_path / "faults", "writer")
    daemon = make_hooksd(STORAGE_TYPE="sqlite", ACCEPTORS=1, **faults.environment()).start()
    for number in range(1, 60):
        faults.arm(FILES, number)
        post(daemon, f"s{number}")
        faults.disarm()
        if faults.last_what.startswith("fdatasync"):
            break
    assert metrics(daemon)["sync_failures_total"] == 1
    daemon.wait_for_log("the store failed: opening it again.*cannot sync SQLITE_PATH=.*events.db")
    daemon.kill()
    daemon.start()
    assert sessions(daemon) == [f"s{n}" for n in range(1, number + 1)]


# Syncs and kills


@pytest.mark.parametrize("what", ["writer", "all"])
def test_kills_at_any_moment_lose_and_double_no_event(start, what):
    daemon = start()
    daemon.options["PORT"] = daemon.port
    rng = random.Random(7)
    with recording(daemon, seed=7) as recorders:
        for _ in range(8):
            wait_acknowledged(recorders)
            threading.Event().wait(rng.uniform(0, 0.05))  # a random instant
            if what == "writer":
                with contextlib.suppress(ProcessLookupError, IndexError):
                    os.kill(daemon.pids("writer")[0], signal.SIGKILL)
            else:
                daemon.kill()
                daemon.start()
    daemon.stop()
    judge(recorders, ids(daemon.sqlite_path))


def test_a_kill_anywhere_in_a_batch_stores_each_event_once(make_hooksd, tmp_path):
    """
    This includes kills between the commit and the release of the ring: the next writer finds the rows by their key.
    """
    machine = Machine(tmp_path / "disk")
    daemon = make_hooksd(
        STORAGE_TYPE="sqlite", SQLITE_PATH=machine.root / "events.db", DATA_DIR=machine.root / "data", ACCEPTORS=1, ACK="queued")
    usual = dict(daemon.options)
    duplicates = sent = 0

    def run(at):
        """
        The batch is so large that its commit ends with a checkpoint. The kill comes at that operation on the disk.
        """
        nonlocal duplicates, sent
        daemon.start()
        os.kill(daemon.pids("writer")[0], signal.SIGSTOP)
        assert daemon.post_batch([minimal(event_id=str(uuid.uuid4()), data={"text": "x" * 50000}) for _ in range(100)]).status == 202
        sent += 100
        daemon.kill()
        daemon.options = usual | machine.power_on(at)
        daemon.spawn()
        wait_until(lambda: daemon.process.poll() is not None or stored_all(daemon), "the end of it, or of the batch")
        if at:
            daemon.wait_exit(-signal.SIGKILL)
        else:
            daemon.stop()
        operations = int.from_bytes((machine.platter / "operations").read_bytes(), "little")
        daemon.options = dict(usual)
        daemon.start()
        wait_until(lambda: settled(metrics(daemon)), "the accounts")
        duplicates += metrics(daemon)["events_duplicate_total"]
        daemon.stop()
        assert len(set(ids(daemon.sqlite_path))) == sent
        return operations

    operations = run(at=0)
    for part in range(1, 8):
        run(at=operations * part // 8)
    assert duplicates > 0


def stored_all(daemon):
    ready = daemon.ready_pattern.search(daemon.log())
    daemon.port = int(ready.group(1)) if ready else 0
    with contextlib.suppress(OSError, http.client.HTTPException):
        return settled(metrics(daemon))
    return False
