"""
Torture: calls of the master and the writers into the C library fail in turn: each single call, and all calls from some
call on. The service goes on or ends with a message. When the fault is over it works. No acknowledged event is lost, and
no event is stored twice.

Without TORTURE=all only every STRIDE-th call fails, and only singly.
"""

import http.client
import os
import re
import shutil
import signal
import threading
import uuid
from collections import Counter
from pathlib import Path

import pytest

from harness.events import minimal
from harness.faults import FILES, MEMORY, NETWORK, PROCESS, SHORT, Faults
from harness.metrics import metrics
from harness.waiting import wait_until

ALL_CALLS = os.environ.get("TORTURE") == "all"
STRIDE = 1 if ALL_CALLS else 29
SMALL = {"ACCEPTORS": 1, "WRITERS": 1, "MAX_BODY_BYTES": "64KiB", "MAX_EVENT_BYTES": "32KiB", "RING_BYTES": "4MiB"}
SYSTEM = FILES | PROCESS | NETWORK

pytestmark = [
    pytest.mark.unsanitized("a sanitizer's library must be loaded first"),
    pytest.mark.timeout(1200),
]

# [groups of calls, whether all later calls fail too]
MODES = {
    "a-call": (SYSTEM, False),
    "calls-from-one-on": (SYSTEM, True),
    "a-short-transfer": (SHORT, False),
    "memory-once": (MEMORY, False),
    "memory-from-then-on": (MEMORY, True),
}


def in_processes(**modes):
    """Parametrizes a test with process and mode: each named process in each of its modes."""
    cases = [
        (process, mode) for process, some in modes.items() for mode in some if ALL_CALLS or not MODES[mode][1]]
    return pytest.mark.parametrize(
        "process, mode", [pytest.param(process, MODES[mode], id=f"{process}-{mode}") for process, mode in cases])


CALLS = ["a-call", "calls-from-one-on"]
ALL = list(MODES)


class Events:
    """The sent and the acknowledged events. No event is sent twice."""

    def __init__(self):
        self.sent, self.acknowledged = set(), set()

    def batch(self, count=5):
        ids = [str(uuid.uuid4()) for _ in range(count)]
        self.sent.update(ids)
        return [minimal(event_id=event_id, data={"text": "x" * 200}) for event_id in ids]

    def post(self, daemon, count=5):
        """Posts one batch. It may be refused or get no answer."""
        events = self.batch(count)
        try:
            reply = daemon.post_batch(events)
        except (OSError, http.client.HTTPException):
            return
        assert reply.status in (202, 503), reply
        if reply.status == 202:
            self.acknowledged.update(event["event_id"] for event in events)

    def require(self, stored, what):
        stored = Counter(stored)
        assert self.acknowledged - set(stored) == set(), f"lost: {what}"
        assert set(stored) - self.sent == set(), f"never sent: {what}"
        assert [event_id for event_id, count in stored.items() if count > 1] == [], f"doubled: {what}"


def jsonl_contents(daemon):
    """The content of all JSONL files by path."""
    return {path: path.read_bytes() for path in daemon.jsonl_path.parent.glob(daemon.jsonl_path.name + "*")}


def count_lines(daemon):
    return sum(content.count(b"\n") for content in jsonl_contents(daemon).values())


def stored_lines(daemon):
    """The ids in all JSONL files. A torn line fails the test."""
    lines = []
    for path, content in jsonl_contents(daemon).items():
        assert content == b"" or content.endswith(b"\n"), path
        lines += re.findall(rb'"event_id":"([^"]+)"', content)
    return [line.decode() for line in lines]


@pytest.fixture
def tortured(make_hooksd, tmp_path, request):
    """Makes a daemon, and the faults of its processes of that name."""

    def make(process, database=None, **options):
        if request.node.callspec.params["mode"][0] == MEMORY:
            # libseccomp hangs after some failed allocations, and the master kills the process as stuck.
            options["SANDBOX"] = "off"
        faults = Faults(tmp_path / f"faults-{process}", process)
        if database:
            # Kerberos makes a thousand calls that these tests skip.
            options["DATABASE_URL"] = f"{database.url}?gssencmode=disable"
        return make_hooksd(database, **(SMALL | faults.environment() | options)), faults

    return make


def every_call(faults, mode, scenario):
    """
    Runs scenario(arm) repeatedly. The first, second, ... call after arm() fails, until a run makes fewer calls. A
    scenario also disarms the faults.
    """
    groups, for_ever = mode
    number = 1
    while True:
        scenario(lambda: faults.arm(groups, number, for_ever))
        if faults.failed == 0:
            break
        print(number, faults.last_what)
        number += STRIDE
    assert number > 1, "no call has failed"


# {exit code: the message} with which the service may end.
EXCUSES = {1: r"\bcannot (start|make|open /dev/null)\b", 3: r"stopped with events in the ring", 64: r"^hooksd: ",
           -signal.SIGABRT: r"out of memory"}


def require_excuse(daemon, faults):
    code, said = daemon.process.returncode, daemon.log()
    assert code in EXCUSES and re.search(EXCUSES[code], said), f"{code}: {faults.last_what}\n{said}"
    daemon.wait_exit(code)


def start_through(daemon, faults, done):
    """
    Starts with the faults armed, until done() or until some calls have failed. Then the faults end. Now the service
    must reach done(), or it has ended with a reason; in that case a second start must reach done().
    """
    daemon.spawn()

    def ready():
        found = daemon.ready_pattern.search(daemon.log())
        daemon.port = int(found.group(1)) if found else None
        return found

    def over():
        return daemon.process.poll() is not None or (ready() and done())

    try:
        wait_until(lambda: over() or faults.failed >= 5, "a start, an end of it, or failures", 40)
        faults.disarm()
        wait_until(over, "the service to work or to give up", 40)
    except AssertionError as error:
        raise AssertionError(f"{error}: {faults.what or faults.last_what}\n{daemon.log()}") from None
    if daemon.process.poll() is not None:
        require_excuse(daemon, faults)
        daemon.start()
        wait_until(done, "the service to work")


def healthy(daemon):
    try:
        return daemon.get("/health").json()["status"] == "healthy"
    except (OSError, http.client.HTTPException):
        return False


@in_processes(hooksd=ALL, writer=[*CALLS, "memory-once"], acceptor=CALLS)
def test_a_start_works_or_fails_with_a_message(tortured, process, mode):
    daemon, faults = tortured(process)
    events = Events()

    def scenario(arm):
        arm()
        start_through(daemon, faults, lambda: healthy(daemon))
        events.post(daemon)
        daemon.stop()
        assert len(events.acknowledged) == len(events.sent), faults.last_what
        events.require(stored_lines(daemon), faults.last_what)

    every_call(faults, mode, scenario)


@in_processes(hooksd=ALL, writer=ALL)
def test_the_ring_of_a_killed_service_is_stored(tortured, process, mode):
    daemon, faults = tortured(process, ACK="queued")
    events = Events()
    ring = Path(daemon.options["RING_PATH"])
    kept = daemon.directory / "kept"
    daemon.start()
    os.kill(daemon.pids("writer")[0], signal.SIGSTOP)
    for _ in range(20):
        events.post(daemon)
    daemon.kill()
    assert events.acknowledged == events.sent
    shutil.copy(ring, kept)

    def scenario(arm):
        shutil.copy(kept, ring)
        arm()
        start_through(daemon, faults, lambda: count_lines(daemon) >= len(events.sent))
        daemon.stop()
        events.require(stored_lines(daemon), faults.last_what)
        shutil.rmtree(daemon.jsonl_path.parent)

    every_call(faults, mode, scenario)


@in_processes(writer=ALL)
def test_a_jsonl_store_survives_failing_calls(tortured, process, mode):
    daemon, faults = tortured(process, JSONL_ROTATE_BYTES=4096)
    events = Events()
    daemon.start()

    def scenario(arm):
        posting = threading.Thread(target=events.post, args=[daemon])
        arm()
        os.kill(daemon.pids("writer")[0], signal.SIGHUP)
        posting.start()
        # Faults must not last longer than a client waits.
        wait_until(lambda: not posting.is_alive() or faults.failed >= 5, "an answer, or failures")
        faults.disarm()
        posting.join()
        daemon.wait_store_ready()
        if mode[0] == MEMORY:
            daemon.restart()  # the writer has died; many deaths in a second would end the service

    every_call(faults, mode, scenario)
    daemon.stop()
    events.require(stored_lines(daemon), "see the log")


@in_processes(hooksd=CALLS, writer=[*CALLS, "a-short-transfer"])
def test_a_drain_with_failing_calls_loses_no_event(tortured, process, mode):
    """Queued events are stored, or left on the ring as the exit code says. Then the next start stores them."""
    daemon, faults = tortured(process, ACK="queued")
    events = Events()

    def scenario(arm):
        daemon.start()
        writer = daemon.pids("writer")[0]
        os.kill(writer, signal.SIGSTOP)
        for _ in range(3):
            events.post(daemon)
        arm()
        daemon.process.send_signal(signal.SIGTERM)
        os.kill(writer, signal.SIGCONT)
        wait_until(lambda: daemon.process.poll() is not None or faults.failed >= 5, "the end, or failures")
        faults.disarm()
        code = daemon.process.wait(30)
        if code == 0:
            daemon.wait_exit(0)
        else:
            require_excuse(daemon, faults)
            daemon.start()
            daemon.stop()
        assert len(events.acknowledged) == len(events.sent), faults.last_what
        events.require(stored_lines(daemon), faults.last_what)

    every_call(faults, mode, scenario)


def disconnect(database, allowed):
    """Makes PostgreSQL refuse connections to the database and end existing ones, or accept them again."""
    with database.server.connect("postgres") as connection:
        connection.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS {allowed}")
        if not allowed:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database.name])


def post_through(daemon, faults, events):
    """Posts a batch with the faults armed, and disarms them before the client's time-out."""
    posting = threading.Thread(target=events.post, args=[daemon])
    posting.start()
    wait_until(lambda: not posting.is_alive() or faults.failed >= 5, "an answer, or failures")
    faults.disarm()
    posting.join()


def stored_rows(database):
    return [str(row[0]) for row in database.query("SELECT event_id FROM hook_events")]


@in_processes(writer=[*CALLS, "memory-once", "memory-from-then-on"])
def test_storing_in_postgresql_survives_failing_calls(database, tortured, process, mode):
    daemon, faults = tortured(process, database)
    events = Events()
    daemon.start()

    def scenario(arm):
        arm()
        post_through(daemon, faults, events)
        daemon.wait_store_ready()

    every_call(faults, mode, scenario)
    daemon.restart()
    events.require(stored_rows(database), "see the log")


@in_processes(writer=ALL)
def test_an_sqlite_store_survives_failing_calls(tortured, process, mode):
    daemon, faults = tortured(process, STORAGE_TYPE="sqlite")
    events = Events()
    daemon.start()

    def scenario(arm):
        arm()
        os.kill(daemon.pids("writer")[0], signal.SIGHUP)
        post_through(daemon, faults, events)
        daemon.wait_store_ready()
        if mode[0] == MEMORY:
            daemon.restart()  # the writer has died; many deaths in a second would end the service

    every_call(faults, mode, scenario)
    daemon.restart()
    daemon.wait_spool_empty()
    events.require([row["event_id"] for row in daemon.sqlite_query("SELECT event_id FROM hook_events")], "see the log")


@in_processes(writer=[*CALLS, "a-short-transfer"])
def test_spooling_survives_failing_calls(database, tortured, process, mode):
    daemon, faults = tortured(process, database, SPOOL_AFTER_MS=0)
    events = Events()
    daemon.start()

    def scenario(arm):
        disconnect(database, False)
        events.post(daemon)
        arm()
        post_through(daemon, faults, events)
        events.post(daemon)
        disconnect(database, True)
        daemon.wait_store_ready()
        wait_until(lambda: metrics(daemon)["spool_events"] == 0, "the end of the replay")
        assert metrics(daemon)["events_damaged_total"] == 0, faults.last_what

    every_call(faults, mode, scenario)
    daemon.restart()
    daemon.wait_spool_empty()
    events.require(stored_rows(database), "see the log")


@in_processes(writer=[*CALLS, "a-short-transfer", "memory-once"])
def test_the_replay_of_a_spool_survives_failing_calls(database, tortured, process, mode):
    daemon, faults = tortured(process, database, SPOOL_AFTER_MS=0)
    events = Events()
    spool, kept = daemon.directory / ".agentic/hooksd/spool", daemon.directory / "kept"
    daemon.start()
    disconnect(database, False)
    for _ in range(4):
        events.post(daemon)
    daemon.stop()
    disconnect(database, True)
    assert events.acknowledged == events.sent
    shutil.copytree(spool, kept)

    def scenario(arm):
        shutil.rmtree(spool)
        shutil.copytree(kept, spool)
        arm()
        start_through(daemon, faults, lambda: database.count() >= len(events.sent))
        daemon.restart()
        daemon.wait_spool_empty()
        assert metrics(daemon)["events_damaged_total"] == 0, faults.last_what
        daemon.stop()
        events.require(stored_rows(database), faults.last_what)
        database.query("TRUNCATE hook_events")

    every_call(faults, mode, scenario)
