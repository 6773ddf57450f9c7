"""
Power cuts: the machine loses all unsynced data (harness/power.py), repeatedly, in the middle of a start, an append, a
rotation or a replay. Events acknowledged with ACK=durable survive. `make chaos` runs this for POWERCUT_ROUNDS rounds a
store. The seed is printed; POWERCUT_SEED repeats the choices, but not the exact instants.
"""

import http.client
import json
import math
import os
import random
import re
import signal
import subprocess
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.client import Client
from harness.daemon import BUILD_DIR, READY, clean_environment
from harness.power import KEEPS, Machine
from harness.waiting import wait_until

ROUNDS = int(os.environ.get("POWERCUT_ROUNDS", "4"))
SEED = int(os.environ.get("POWERCUT_SEED", str(random.randrange(1 << 32))))
CLIENTS = 4

# Calls that change files and that the model lacks. (fallocate64 only reserves blocks after the end of the JSONL file,
# writev writes only the log, and sync_file_range makes nothing durable.)
UNKNOWN = set("""creat64 linkat symlink symlinkat truncate64 pwritev pwritev64 pwritev2 pwritev64v2 mkdirat mknod
    renameat renameat2 unlinkat rmdir remove sync syncfs msync copy_file_range sendfile64
    splice mkstemp64 mkostemp64""".split())


class Cuts:
    """hooksd on a machine that loses power, and the ids that it has acknowledged since the disk was empty."""

    def __init__(self, daemon, name, keeps=KEEPS):
        print(f"POWERCUT_SEED={SEED} POWERCUT_ROUNDS={ROUNDS} {name}")
        self.daemon = daemon
        self.keeps = keeps
        self.random = random.Random(f"{SEED}-{name}")
        self.machine = Machine(daemon.directory / ".agentic")
        self.acknowledged = []
        self.acks = Counter()
        self.cuts = Counter()

    def new_disk(self):
        """Empties the disk, so that directories and first files are created again."""
        self.machine.empty()
        self.acknowledged = []

    def post(self, port, seed, sessions):
        """Posts until the power is cut. Never repeats a request."""
        own = random.Random(seed)
        with Client(port, timeout=20) as client:
            while True:
                batch = [
                    {
                        "event_type": "cut",
                        "session_id": own.choice(sessions),
                        "event_id": str(uuid.UUID(int=own.getrandbits(128), version=4)),
                        "data": {"text": "x" * own.choice([10, 400, 3000])},
                    }
                    for _ in range(own.choice([1, 1, 3, 20]))
                ]
                try:
                    reply = client.post_batch(batch)
                except (OSError, http.client.HTTPException):
                    return
                if reply.status == 202:
                    self.acknowledged.extend(event["event_id"] for event in batch)
                    self.acks[reply.headers["X-Hooks-Ack"]] += len(batch)
                else:
                    assert reply.status == 503, reply
                    time.sleep(0.005)

    def round(self, keep=None, at=None, ignore="", sessions=("session",), before=None, meanwhile=lambda: None):
        """
        Power on, the command `before`, load, power off at that call. at=0: power off at a random time after
        `meanwhile`.
        """
        daemon = self.daemon
        keep = keep or self.random.choice(self.keeps)
        if at is None:
            # Many cuts come at one of the first calls, which create directories and files.
            at = int(math.exp(self.random.uniform(0, math.log(1500)))) if self.random.random() < 0.6 else 0
        moment = self.random.uniform(0, 0.3)
        seeds = [self.random.getrandbits(64) for _ in range(CLIENTS)]
        options = daemon.options
        daemon.options = options | self.machine.power_on(at, ignore)
        if before:
            subprocess.run(before, env=clean_environment(daemon.options), cwd=daemon.directory, check=True, timeout=30)
        daemon.spawn()
        ready = self.wait_log(READY)
        with ThreadPoolExecutor(CLIENTS) as pool:
            posts = [pool.submit(self.post, int(ready.group(1)), seed, sessions) for seed in seeds if ready]
            try:
                meanwhile()
                # A random instant for the cut, not a wait for a state. With a chosen call: a second, in case the call
                # never comes.
                end = time.monotonic() + (1 if at else moment)
                while time.monotonic() < end and not self.dead():
                    time.sleep(0.005)
            finally:
                by_itself = self.dead()
                if not by_itself:
                    os.killpg(daemon.pid, signal.SIGKILL)
                daemon.wait_exit(-signal.SIGKILL)
                daemon.options = options
        for post in posts:
            post.result()
        self.machine.cut(self.random, keep)
        if os.path.exists(daemon.options["RING_PATH"]):
            os.unlink(daemon.options["RING_PATH"])  # the ring was in memory, which a power cut clears
        assert "powercut:" not in daemon.log(), daemon.log()
        self.cuts[f"{'at a call' if by_itself else 'at a moment'}, kept {keep}"] += 1
        assert not self.acks.keys() - {"stored", "spooled"}

    def dead(self):
        return self.daemon.process.poll() is not None

    def wait(self, condition, what):
        """Waits until the condition holds or the power was cut."""
        wait_until(lambda: condition() or self.dead(), f"{what}, or the cut")

    def wait_acknowledged(self):
        self.wait(lambda: self.acknowledged, "an acknowledgement")

    def wait_log(self, pattern):
        """Waits for the pattern in the log. Returns the match, or None if the power was cut before."""
        found = re.compile(pattern).search
        self.wait(lambda: found(self.daemon.log()), repr(pattern))
        return found(self.daemon.log())

    def tell(self):
        print(f"{self.cuts.total()} cuts, acknowledged: {dict(self.acks)}; {dict(sorted(self.cuts.items()))}")


def jsonl_ids(daemon):
    """The ids in all JSONL files, without the files of removed torn lines. A torn line fails the test."""
    paths = sorted(daemon.jsonl_path.parent.glob(f"{daemon.jsonl_path.name}*"))
    paths = [path for path in paths if ".torn." not in path.name]
    lines = [line for path in paths for line in path.read_bytes().splitlines(keepends=True)]
    assert [line for line in lines if b"\0" in line or not line.endswith(b"}\n")][:1] == [], "torn"
    return [json.loads(line)["event_id"] for line in lines]


def sqlite_ids(daemon):
    assert daemon.sqlite_query("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    return [row["event_id"] for row in daemon.sqlite_query("SELECT event_id FROM hook_events")]


def missing(acknowledged, stored):
    found = set(stored)
    return [id for id in acknowledged if id not in found]


def stored_ids(database):
    return [str(row[0]) for row in database.query("SELECT event_id FROM hook_events")]


def in_spans(cuts):
    """Yields ROUNDS rounds in ranges of a few. After each range the caller checks the store and empties the disk."""
    left = ROUNDS
    while left > 0:
        span = min(left, cuts.random.choice([1, 2, 4]))
        yield range(span)
        left -= span
    cuts.tell()


@pytest.mark.timeout(120 + 3 * ROUNDS)
@pytest.mark.parametrize("rotate", [0, 65536])
def test_a_jsonl_store_loses_and_doubles_no_event(make_hooksd, rotate):
    keeps = [keep for keep in KEEPS if keep != "garbage"]  # a line has no checksum; file systems show zeros
    cuts = Cuts(make_hooksd(JSONL_ROTATE_BYTES=rotate), f"jsonl-{rotate}", keeps)
    for span in in_spans(cuts):
        for _ in span:
            cuts.round()
        cuts.daemon.start()
        ids = jsonl_ids(cuts.daemon)
        assert missing(cuts.acknowledged, ids) == []
        assert len(ids) == len(set(ids)), "doubled"
        cuts.daemon.stop()
        cuts.new_disk()


@pytest.mark.timeout(120 + 3 * ROUNDS)
def test_an_sqlite_store_loses_and_doubles_no_event(make_hooksd):
    cuts = Cuts(make_hooksd(STORAGE_TYPE="sqlite"), "sqlite")
    for span in in_spans(cuts):
        for _ in span:
            cuts.round()
        cuts.daemon.start()
        ids = sqlite_ids(cuts.daemon)
        assert missing(cuts.acknowledged, ids) == []
        assert len(ids) == len(set(ids)), "doubled"
        cuts.daemon.stop()
        cuts.new_disk()


@pytest.mark.timeout(120 + 6 * ROUNDS)
def test_the_spool_loses_no_event(database, make_hooksd):
    """
    PostgreSQL is on another machine. It stops and starts, so that events are being spooled or replayed at the cut.
    """
    cuts = Cuts(make_hooksd(database, SPOOL_AFTER_MS=0, WRITERS=2), "spool")
    server = database.server

    def goes_away():
        # A writer does not spool before it has reached its store.
        cuts.wait(lambda: cuts.daemon.log().count("the store is ready") == 2, "both writers to be ready")
        server.stop()
        spooled = cuts.acks["spooled"]
        cuts.wait(lambda: cuts.acks["spooled"] > spooled, "something to be spooled")

    def comes_back():
        server.start()
        cuts.wait_log("the store is ready")

    for span in in_spans(cuts):
        for _ in span:
            if cuts.daemon.spool_files():
                cuts.round(meanwhile=cuts.random.choice([comes_back, lambda: None]))
            else:
                server.start()
                cuts.round(meanwhile=goes_away)
            server.stop()
        server.start()
        cuts.daemon.start()
        # Torn files are set aside and stay. They hold no acknowledged event, as the next line checks.
        wait_until(lambda: all(name.startswith("damaged-") for name in cuts.daemon.spool_files()), "the rest to be stored", 30)
        assert missing(cuts.acknowledged, stored_ids(database)) == []
        cuts.daemon.stop()
        cuts.new_disk()


@pytest.mark.timeout(120 + 4 * ROUNDS)
def test_the_file_of_dead_letters_loses_no_letter(database, make_hooksd):
    cuts = Cuts(make_hooksd(database), "dead letters")
    cuts.daemon.start()
    cuts.daemon.stop()
    database.query("ALTER TABLE hook_events ADD CONSTRAINT no_bad CHECK (session_id <> 'bad')")
    database.query("DROP TABLE hook_events_dead_letters")
    for span in in_spans(cuts):
        cuts.new_disk()
        for _ in span:
            cuts.round(sessions=("good", "bad"))
        # An unacknowledged letter may be torn, and affects no other.
        exported = cuts.daemon.hooksctl("deadletter", "export")
        assert exported.returncode == 0, exported.stderr
        letters = re.findall(r'"event_id":"([0-9a-f-]{36})"', exported.stdout)
        assert missing(cuts.acknowledged, stored_ids(database) + letters) == []


def test_events_in_a_new_directory_of_another_process_survive(make_hooksd):
    """The directory of another process may not be synced yet."""
    cuts = Cuts(make_hooksd(JSONL_PATH=".agentic/a/b/events.jsonl"), "somebody else's directory")
    made = ["mkdir", ".agentic/a", ".agentic/a/b"]
    cuts.round(keep="nothing", at=0, before=made, meanwhile=cuts.wait_acknowledged)
    cuts.daemon.start()
    assert missing(cuts.acknowledged, jsonl_ids(cuts.daemon)) == [] != cuts.acknowledged


@pytest.mark.parametrize("storage", ["jsonl", "sqlite"])
@pytest.mark.parametrize("ignored", ["files", "directories"])
def test_without_syncs_every_event_would_be_lost(make_hooksd, ignored, storage):
    """Checks that the tests above can fail."""
    cuts = Cuts(make_hooksd(STORAGE_TYPE=storage), f"without syncs of {ignored} for {storage}")
    cuts.round(keep="nothing", at=0, ignore=ignored, meanwhile=cuts.wait_acknowledged)
    cuts.daemon.start()
    ids = jsonl_ids(cuts.daemon) if storage == "jsonl" else sqlite_ids(cuts.daemon)
    assert missing(cuts.acknowledged, ids) == cuts.acknowledged != []


def test_the_model_knows_every_call_that_changes_files():
    libraries = subprocess.run(["ldd", BUILD_DIR / "hooksd"], capture_output=True, text=True, check=True, timeout=30).stdout
    sqlite = re.search(r"libsqlite3\S* => (\S+)", libraries).group(1)
    for program, harmless in ((BUILD_DIR / "hooksd", set()), (sqlite, {"rmdir"})):  # for unused locks
        listed = subprocess.run(["nm", "-D", "--undefined-only", program], capture_output=True, text=True, check=True, timeout=30)
        called = set(re.findall(r" U (\w+)", listed.stdout))
        assert "fdatasync" in called
        assert called & UNKNOWN == harmless
