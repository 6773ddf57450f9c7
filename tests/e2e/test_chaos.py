"""
Chaos: clients keep every acknowledged id while processes, the whole tree and the database are killed at random. Then
nothing acknowledged may be missing, and nothing may stand twice. `make chaos` runs it for CHAOS_ROUNDS rounds.

The seed is printed; CHAOS_SEED repeats the same sequence of blows (not their exact instants).
"""

import http.client
import os
import random
import signal
import threading
import time
import uuid
from collections import Counter

import pytest

from harness.client import Client
from harness.waiting import wait_until

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "6"))
SEED = int(os.environ.get("CHAOS_SEED", str(random.randrange(1 << 32))))
CLIENTS = 6


class Recorder:
    """A client that never repeats a request: what got no answer is forgotten, what was acknowledged must be stored."""

    def __init__(self, daemon, number):
        self.daemon = daemon
        self.random = random.Random(f"{SEED}-{number}")
        self.session = f"session-{number}"
        self.acknowledged = []
        self.client = None
        self.failure = None
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while not self.stopped.is_set():
                self.post_one_batch()
        except BaseException as failure:
            self.failure = failure
        finally:
            if self.client:
                self.client.close()

    def post_one_batch(self):
        batch = [
            {
                "event_type": "chaos",
                "session_id": self.session,
                "event_id": str(uuid.UUID(int=self.random.getrandbits(128), version=4)),
                "data": {"text": "x" * self.random.randrange(600)},
            }
            for _ in range(self.random.choice([1, 1, 3, 40]))
        ]
        try:
            self.client = self.client or Client(self.daemon.port, timeout=20)
            reply = self.client.post_batch(batch)
        except (OSError, http.client.HTTPException):
            self.client.close()
            self.client = None
            self.stopped.wait(0.01)
            return
        if reply.status == 202:
            self.acknowledged.extend(event["event_id"] for event in batch)
        else:
            assert reply.status == 503, reply
            self.stopped.wait(0.01)

    def stop(self):
        self.stopped.set()
        self.thread.join()
        assert self.failure is None, repr(self.failure)


class Chaos:
    def __init__(self, daemon, server=None):
        self.daemon = daemon
        self.server = server
        self.random = random.Random(SEED)
        self.blows = Counter()

    def kill_child(self, role):
        pids = self.daemon.pids(role)
        if pids:
            os.kill(self.random.choice(pids), signal.SIGKILL)

    def kill_acceptor(self):
        self.kill_child("acceptor")

    def kill_writer(self):
        self.kill_child("writer")

    def kill_tree(self):
        self.daemon.kill()
        self.daemon.start()

    def kill_master(self):
        self.daemon.signal(signal.SIGKILL)
        self.daemon.wait_exit(-signal.SIGKILL)
        self.daemon.start()

    def restart(self):
        self.daemon.restart()

    def hang_up(self):
        self.daemon.signal(signal.SIGHUP)

    def crash_database(self):
        self.server.stop(signal.SIGQUIT)
        self.server.start()
        self.daemon.wait_store_ready()

    def run(self):
        blows = [
            self.kill_acceptor,
            self.kill_writer,
            self.kill_writer,
            self.kill_tree,
            self.kill_master,
            self.restart,
            self.hang_up,
        ]
        if self.server:
            blows += [self.crash_database, self.kill_writer]
        for _ in range(ROUNDS):
            time.sleep(self.random.uniform(0, 0.3))  # the instant is the point: nothing is waited for here
            blow = self.random.choice(blows)
            blow()
            self.blows[blow.__name__] += 1


def wreck(daemon, server=None):
    """Returns the acknowledged ids, after everything has been stopped in good order."""
    print(f"CHAOS_SEED={SEED} CHAOS_ROUNDS={ROUNDS}")
    recorders = [Recorder(daemon, number) for number in range(CLIENTS)]
    chaos = Chaos(daemon, server)
    try:
        chaos.run()
        wait_until(lambda: all(r.acknowledged or r.failure for r in recorders), "every client to be acknowledged once")
    finally:
        for recorder in recorders:
            recorder.stop()
    daemon.wait_spool_empty()
    daemon.stop()
    if daemon.spool_files():  # a writer that was connecting yet has spooled what was left on the ring
        daemon.start()
        daemon.wait_spool_empty()
        daemon.stop()
    acknowledged = [id for recorder in recorders for id in recorder.acknowledged]
    print(f"{len(acknowledged)} events acknowledged; {dict(chaos.blows)}")
    return acknowledged


def judge(acknowledged, stored):
    counts = Counter(stored)
    assert [id for id in acknowledged if id not in counts][:5] == [], "lost"
    assert [id for id, count in counts.items() if count > 1][:5] == [], "doubled"


@pytest.mark.timeout(120 + 2 * ROUNDS)
@pytest.mark.parametrize("ack, writers", [("durable", 1), ("queued", 2)])
def test_jsonl_loses_and_doubles_nothing(hooksd, ack, writers):
    daemon = hooksd(ACK=ack, WRITERS=writers)
    acknowledged = wreck(daemon)
    judge(acknowledged, (event["event_id"] for event in daemon.jsonl_events()))


@pytest.mark.timeout(120 + 5 * ROUNDS)
@pytest.mark.parametrize("ack, spool_after", [("durable", 0), ("queued", 0), ("queued", 1000)])
def test_postgres_loses_and_doubles_nothing(database, hooksd, ack, spool_after):
    daemon = hooksd(database, ACK=ack, SPOOL_AFTER_MS=spool_after)
    acknowledged = wreck(daemon, database.server)
    judge(acknowledged, (str(row[0]) for row in database.query("SELECT event_id FROM hook_events")))
