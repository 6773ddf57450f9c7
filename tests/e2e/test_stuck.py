"""Processes that hang instead of dying, and second services on the same data."""

import contextlib
import os
import signal
import socket
import threading
import time

import pytest

from harness.events import differences, expected, minimal, random_events
from harness.load import Load
from harness.waiting import PATIENCE, wait_until

# A sanitized daemon may be silent for a second.
STUCK_AFTER = PATIENCE


def stop_and_wait_for_successor(daemon, role):
    before = daemon.pids(role)
    os.kill(before[0], signal.SIGSTOP)

    def replaced():
        now = daemon.pids(role)
        return len(now) == len(before) and before[0] not in now

    wait_until(replaced, f"a new {role}")
    return before[0]


def let_pass(seconds):
    """Waits so many seconds, in which something must not happen. There is no state to wait for."""
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end, "time to pass", seconds + 1)


@pytest.mark.parametrize("role", ["acceptor", "writer"])
@pytest.mark.parametrize("storage", ["jsonl", "sqlite", "postgres"])
def test_a_hanging_child_is_replaced_and_no_event_is_lost(request, hooksd, role, storage):
    database = request.getfixturevalue("database") if storage == "postgres" else None
    daemon = hooksd(database, STORAGE_TYPE=storage, WRITERS=2 if database else 1, STUCK_AFTER_SECONDS=STUCK_AFTER)
    load = Load(daemon, random_events(3000, sessions=8, seed=11), batch=20)
    with load:
        load.wait_acknowledged(500)
        stuck = stop_and_wait_for_successor(daemon, role)
    obituary = next(line for line in daemon.log().splitlines() if "process died" in line)
    assert f"role={role}" in obituary
    assert f"child={stuck}" in obituary
    assert "cause=stuck signal=9" in obituary
    assert daemon.log().count("process is stuck") == 1
    stored = database.events() if database else daemon.stored_events()
    if role == "acceptor" and storage == "jsonl":
        stored = load.without_repeats(stored)
    assert differences([expected(event) for event in load.events()], stored) == []


def test_no_process_is_killed_after_a_stop_of_the_whole_tree(hooksd):
    daemon = hooksd(ACCEPTORS=2, STUCK_AFTER_SECONDS=STUCK_AFTER)
    acceptors, writers = daemon.pids("acceptor"), daemon.pids("writer")
    os.killpg(daemon.pid, signal.SIGSTOP)
    let_pass(2 * STUCK_AFTER)
    os.killpg(daemon.pid, signal.SIGCONT)
    # The replacement of a stuck acceptor proves that the master has checked all processes since.
    assert stop_and_wait_for_successor(daemon, "acceptor") == acceptors[0]
    assert daemon.pids("acceptor")[1] == acceptors[1]
    assert daemon.pids("writer") == writers
    assert daemon.log().count("process died") == 1
    assert daemon.post_event(minimal()).status == 202


def test_a_writer_that_waits_for_its_store_is_not_stuck(database, hooksd):
    """
    The writer sends heartbeats during a statement, which has its own time-out, independent of STUCK_AFTER_SECONDS.
    """
    daemon = hooksd(database, WRITERS=1, STUCK_AFTER_SECONDS=1)
    writers = daemon.pids("writer")
    answers = []
    with database.server.connect(database.name) as connection:
        with connection.transaction():
            connection.execute("LOCK TABLE hook_events")
            sender = threading.Thread(target=lambda: answers.append(daemon.post_event(minimal()).status))
            sender.start()
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            wait_until(lambda: database.value(waiting) == 1, "the writer to wait for the lock")
            let_pass(2)
            assert answers == []
    sender.join()
    assert answers == [202]
    assert daemon.pids("writer") == writers
    assert "stuck" not in daemon.log()


def test_a_writer_that_hangs_while_it_connects_is_replaced(hooksd):
    """The longer time-out of connecting does not apply to a stopped process."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        daemon = hooksd(store_ready=False, WRITERS=1, STUCK_AFTER_SECONDS=STUCK_AFTER,
                        DATABASE_URL=f"postgresql://postgres@127.0.0.1:{silent.getsockname()[1]}/events")
        writer = daemon.pids("writer")
        silent.settimeout(20)
        silent.accept()[0].close()
        with silent.accept()[0]:  # the next connection attempt has just begun
            os.kill(writer[0], signal.SIGSTOP)
            wait_until(lambda: daemon.pids("writer") not in ([], writer), "a new writer")


def test_a_writer_that_hangs_during_a_drain_is_replaced(hooksd):
    daemon = hooksd(ACK="queued", STUCK_AFTER_SECONDS=STUCK_AFTER)
    os.kill(daemon.pids("writer")[0], signal.SIGSTOP)
    assert daemon.post_batch([minimal()] * 100).status == 202
    daemon.stop()
    assert len(daemon.jsonl_lines()) == 100
    assert "cause=stuck" in daemon.log()


def stopped_for_long(daemon, *pids):
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    noticed = lambda: (health := daemon.get("/health").json())["status"] == "degraded" and health
    return wait_until(noticed, "it to be noticed", 30)["detail"]


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.parametrize("stuck_after", [STUCK_AFTER, 0])
def test_health_reports_a_hanging_writer(hooksd, stuck_after):
    daemon = hooksd(WRITERS=2, STUCK_AFTER_SECONDS=stuck_after)
    writer = daemon.pids("writer")[1]
    assert daemon.get("/readyz").status == 200
    detail = stopped_for_long(daemon, daemon.pid, writer)  # stops the master too, which would replace the writer
    assert "writer-1 is silent" in detail
    ready = daemon.get("/readyz")
    assert ready.status == 503 and "writer-1 is silent" in ready.json()["detail"]
    assert daemon.get("/livez").status == 200
    assert f"{writer}  silent" in daemon.hooksctl("status", f"--stuck-after-seconds={stuck_after}").stdout
    os.kill(writer, signal.SIGCONT)
    os.kill(daemon.pid, signal.SIGCONT)
    daemon.wait_store_ready()
    wait_until(lambda: daemon.get("/readyz").status == 200, "it to be ready again")


def test_health_reports_a_hanging_acceptor(hooksd):
    daemon = hooksd(ACCEPTORS=2, STUCK_AFTER_SECONDS=STUCK_AFTER)
    os.kill(daemon.pid, signal.SIGSTOP)
    os.kill(daemon.pids("acceptor")[0], signal.SIGSTOP)

    def told():
        """Whether the other acceptor reports it. That acceptor gets about every second connection."""
        with contextlib.suppress(TimeoutError):
            with daemon.client(timeout=0.5) as client:
                ready = client.get("/readyz")
                return ready.status == 503 and "acceptor-0 is silent" in ready.json()["detail"]
        return False

    wait_until(told, "the other acceptor to tell", 30)
    os.killpg(daemon.pid, signal.SIGCONT)
    daemon.wait_store_ready()


def test_health_reports_a_hanging_master(hooksd):
    daemon = hooksd(STUCK_AFTER_SECONDS=STUCK_AFTER)
    detail = stopped_for_long(daemon, daemon.pid)
    assert detail == "the master is silent: it replaces no process and cannot stop"
    # Events are still accepted and stored.
    assert daemon.get("/readyz").status == 200
    assert daemon.post_event(minimal()).status == 202
    os.kill(daemon.pid, signal.SIGCONT)
    daemon.wait_store_ready()


def test_a_second_master_on_the_same_data_is_refused(make_hooksd, tmp_path):
    first = make_hooksd(DATA_DIR=tmp_path / "data").start()
    assert (tmp_path / "data" / "lock").read_text() == f"{first.pid}\n"
    second = make_hooksd(DATA_DIR=tmp_path / "data")
    second.spawn()
    second.wait_exit(1)
    assert f"DATA_DIR={tmp_path}/data is in use by pid {first.pid} (another hooksd" in second.log()
    assert first.post_event(minimal()).status == 202
    first.kill()
    second.start()
    assert second.post_event(minimal()).status == 202


def test_a_second_service_on_the_same_jsonl_file_is_refused(make_hooksd, tmp_path):
    first = make_hooksd(JSONL_PATH=tmp_path / "events.jsonl").start()
    second = make_hooksd(JSONL_PATH=tmp_path / "events.jsonl")
    second.spawn()
    second.wait_exit(1)
    assert f"JSONL_PATH={tmp_path}/events.jsonl is in use by pid {first.pid} (another hooksd" in second.log()
    first.kill()
    second.start()
    assert second.post_event(minimal()).status == 202


def test_a_data_directory_that_cannot_be_created_is_an_error_at_start(make_hooksd, tmp_path):
    (tmp_path / "file").write_text("not a directory")
    daemon = make_hooksd(DATA_DIR=tmp_path / "file" / "data")
    daemon.spawn()
    daemon.wait_exit(1)
    assert "DATA_DIR" in daemon.log()
    assert f"{tmp_path}/file" in daemon.log()
    assert not os.path.exists(daemon.options["RING_PATH"])
