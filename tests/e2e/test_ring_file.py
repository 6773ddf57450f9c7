"""
The ring's file is removed while hooksd runs, as logind does with a user's files in /dev/shm at log-out. hooksd logs it
at once, acknowledges no event that is only on the ring, and saves the events on the ring at a stop.
"""

import glob
import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.events import minimal
from harness.metrics import metrics
from harness.waiting import wait_until

QUEUED = {"ACK": "queued", "SPOOL_MAX_BYTES": 0, "WRITERS": 1, "DRAIN_TIMEOUT_SECONDS": 4}


def ring(daemon):
    return str(daemon.options["RING_PATH"])


def post(daemon, ack, count=1):
    for _ in range(count):
        reply = daemon.post_event(minimal())
        assert (reply.status, reply.headers.get("X-Hooks-Ack")) == (202, ack)


def wait_gone(daemon):
    daemon.wait_for_log("the ring file is gone")
    wait_until(lambda: metrics(daemon)["ring_file_gone"] == 1, "the metric")


def left_on_the_ring(database, daemon, count=10):
    """Leaves events on the ring that were acknowledged as queued: PostgreSQL is down and there is no spool."""
    database.server.stop()
    wait_until(lambda: daemon.post_event(minimal()).status == 503 or daemon.get("/readyz").status == 503, "the outage")
    before = int(metrics(daemon)["ring_events"])
    post(daemon, "queued", count)
    return before + count


@pytest.fixture
def start(database, hooksd):
    def start(**options):
        daemon = hooksd(database, **(QUEUED | options))
        post(daemon, "queued")
        wait_until(lambda: database.count() == 1, "the first event to be stored")
        return daemon

    return start


def remove(daemon):
    os.unlink(ring(daemon))


def replace(daemon):
    with open(ring(daemon) + ".other", "wb") as other:
        other.write(b"of somebody else")
    os.rename(ring(daemon) + ".other", ring(daemon))


@pytest.mark.parametrize("lose", [remove, replace])
def test_a_missing_file_is_reported_and_acknowledged_events_are_stored(start, lose):
    daemon = start()
    lose(daemon)
    wait_gone(daemon)
    health = daemon.get("/health").json()
    assert (health["status"], health["detail"]) == ("degraded", "the ring file is gone: restart hooksd")
    assert daemon.get("/readyz").status == 200
    post(daemon, "stored", 5)
    status = daemon.hooksctl("status")
    assert status.returncode == 0, status.stderr
    assert f"master {daemon.pid} (running, its ring file is gone: restart it)" in status.stdout
    assert daemon.log().count("the ring file is gone") == 1
    daemon.stop()
    if lose is replace:
        with open(ring(daemon), "rb") as other:
            assert other.read() == b"of somebody else"
        os.unlink(ring(daemon))
    daemon.start()
    post(daemon, "queued")
    assert daemon.get("/health").json()["status"] == "healthy"


def test_a_stop_keeps_events_that_were_queued_before(database, start):
    daemon = start()
    count = left_on_the_ring(database, daemon)
    remove(daemon)
    wait_gone(daemon)
    assert daemon.post_event(minimal()).status == 503  # no later start would find it
    daemon.stop(expect=3)
    assert f"stopped with events in the ring file: the next start stores them events_waiting={count}" in daemon.log()
    database.server.start()
    daemon.start()
    wait_until(lambda: database.count() == 1 + count, "what was queued")
    assert glob.glob(ring(daemon) + ".*") == []


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.parametrize("why", ["replaced", "directory removed"])
def test_a_stop_saves_the_ring_in_data_dir_if_its_path_is_unusable(database, start, tmp_path, why):
    place = tmp_path / "ring"
    place.mkdir()
    daemon = start(RING_PATH=place / "hooksd.ring")
    count = left_on_the_ring(database, daemon)
    if why == "replaced":
        replace(daemon)
    else:
        shutil.rmtree(place)
    wait_gone(daemon)
    daemon.stop(expect=3)
    [kept] = (daemon.directory / ".agentic/hooksd").glob("kept-*.ring")
    name = kept.relative_to(daemon.directory)
    assert f"a start with it as RING_PATH stores them events_waiting={count} ring_path={name}\n" in daemon.log()
    database.server.start()
    if why == "replaced":
        assert (place / "hooksd.ring").read_bytes() == b"of somebody else"
    daemon.options["RING_PATH"] = kept
    daemon.start()
    wait_until(lambda: database.count() == 1 + count, "what was queued")
    daemon.stop()
    assert not kept.exists()


def test_events_that_cannot_be_saved_are_logged_as_lost(database, start, tmp_path):
    place = tmp_path / "ring"
    place.mkdir()
    daemon = start(RING_PATH=place / "hooksd.ring")
    count = left_on_the_ring(database, daemon)
    shutil.rmtree(place)
    shutil.rmtree(daemon.directory / ".agentic")
    (daemon.directory / ".agentic").touch()
    daemon.stop(expect=1)
    assert f"events on the ring are lost: its file is gone and cannot be made again events={count}" in daemon.log()


def test_requests_wait_for_the_store_while_the_file_is_missing(start):
    """While the file is missing, requests wait for the store, also with ACK=queued."""
    daemon = start(ACCEPTORS=1)
    remove(daemon)
    wait_gone(daemon)
    [writer] = daemon.pids("writer")
    os.kill(writer, signal.SIGSTOP)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(daemon.post_event, minimal())
        wait_until(lambda: metrics(daemon)["ring_events"] == 1, "the event on the ring")
        assert not waiting.done()
        os.kill(writer, signal.SIGCONT)
        assert waiting.result().headers["X-Hooks-Ack"] == "stored"


def test_a_file_that_is_moved_back_is_used_again(start):
    daemon = start()
    os.rename(ring(daemon), ring(daemon) + ".moved")
    wait_gone(daemon)
    status = daemon.hooksctl("status")
    assert status.returncode == 1 and f"pid {daemon.pid} has DATA_DIR" in status.stderr
    os.rename(ring(daemon) + ".moved", ring(daemon))
    daemon.wait_for_log("the ring file is in its place again")
    post(daemon, "queued")
    assert daemon.get("/health").json()["status"] == "healthy"


def test_a_removed_lock_file_is_created_again(hooksd, make_hooksd):
    first = hooksd()
    for lock in (first.directory / ".agentic/hooksd/lock", first.jsonl_path.with_name(".events.jsonl.lock")):
        lock.unlink()
        first.wait_for_log(f"a lock file was removed: it is made again file={lock.relative_to(first.directory)}")
        assert lock.read_text() == f"{first.pid}\n"
    for option, path in (("DATA_DIR", ".agentic/hooksd"), ("JSONL_PATH", ".agentic/analytics/events.jsonl")):
        second = make_hooksd(**{option: first.directory / path})
        second.spawn()
        second.wait_exit(1)
        assert f"is in use by pid {first.pid} " in second.log()
    shutil.rmtree(first.directory / ".agentic/hooksd")
    first.wait_for_log("it is made again", count=3)
    assert (first.directory / ".agentic/hooksd/lock").exists()


def test_a_second_service_that_has_taken_a_lock_is_logged(hooksd, make_hooksd, tmp_path):
    first = hooksd(DATA_DIR=tmp_path / "data")
    os.kill(first.pid, signal.SIGSTOP)
    (tmp_path / "data/lock").unlink()
    second = hooksd(DATA_DIR=tmp_path / "data")
    os.kill(first.pid, signal.SIGCONT)
    first.wait_for_log(f"another process has taken its place: stop one of the two.*in use by pid {second.pid}")
    second.stop()
    first.wait_for_log("a lock file was removed: it is made again")
