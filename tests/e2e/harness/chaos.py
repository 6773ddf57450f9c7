"""Chaos: while recorders post, blows fall on processes, database, network, disk, receivers, names and clock, one or two at once."""

import http.client
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, suppress

import psycopg

from harness.accounting import identity
from harness.metrics import metrics
from harness.names import Names
from harness.recording_receiver import Answer
from harness.recorder import judge, recording
from harness.waiting import PATIENCE, wait_until

# Everything that a run may change; small requests, so that small rings can be had.
OPTIONS = {
    "MAX_BODY_BYTES": "256KiB",
    "MAX_BATCH_EVENTS": 100,
    "STUCK_AFTER_SECONDS": PATIENCE,
    "DRAIN_TIMEOUT_SECONDS": 4,
    "STORE_TIMEOUT_MS": 1000,
}
CHANGES = {
    "ACCEPTORS": [1, 2, 4],
    "WRITERS": [1, 2, 3],
    "RING_BYTES": ["8MiB", "16MiB", "64MiB"],
    "SPOOL_AFTER_MS": [0, 100, 1000],
    "JSONL_ROTATE_BYTES": [0, "256KiB", "4MiB"],
}
# For ever: what a thread has started (a server, the daemon) gets a signal when that thread ends.
THREADS = ThreadPoolExecutor(2)
STOPPED = (0, 3)  # 3: in a bad moment events are left on the ring, for the next start


class TreeBlows:
    """What ends, restarts or rolls the whole daemon."""

    def __init__(self, daemon, changes=CHANGES):
        self.daemon = daemon
        self.changes = changes
        self.blows = [self.kill_tree, self.kill_master, self.restart, self.change_and_restart, self.change_after_kill,
                      self.hang_up]

    def kill_tree(self, _random):
        self.daemon.kill()
        self.daemon.start(store_ready=False)

    def kill_master(self, _random):
        self.daemon.signal(signal.SIGKILL)
        self.daemon.wait_exit(-signal.SIGKILL)
        self.daemon.start(store_ready=False)

    def restart(self, _random):
        self.daemon.stop(STOPPED)
        self.daemon.start(store_ready=False)

    def change_and_restart(self, rng):
        self.daemon.stop(STOPPED)
        self._change(rng)

    def change_after_kill(self, rng):
        self.daemon.kill()
        self._change(rng)

    def hang_up(self, _random):
        self.daemon.signal(signal.SIGHUP)

    def _change(self, rng):
        for name in rng.sample(sorted(self.changes), 2):
            self.daemon.options[name] = rng.choice(self.changes[name])
        self.daemon.start(store_ready=False)


class ProcessBlows:
    """What befalls one process of these roles. Nobody ever wakes one that is stopped: it has to be replaced."""

    def __init__(self, daemon, roles=("acceptor", "writer")):
        self.daemon = daemon
        signals = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
        self.blows = [self._blow(name, role, number) for role in roles for name, number in signals.items()]

    def _blow(self, name, role, number):
        def blow(rng):
            self._signal(role, number, rng)

        blow.__name__ = f"{name}_{role}"
        return blow

    def _signal(self, role, number, rng):
        pids = self.daemon.pids(role)
        if pids:
            with suppress(ProcessLookupError):  # another blow has ended it
                os.kill(rng.choice(pids), number)


class DatabaseBlows:
    """PostgreSQL and the way to it; everything works again at the end of each."""

    def __init__(self, database, network):
        self.database = database
        self.server = database.server
        self.network = network
        self.blows = [self.crash_database, self.restart_database, self.freeze_database, self.lock_table,
                      self.cut_network, self.stall_network, self.slow_network, self.cut_stalled_network]

    def crash_database(self, _random):
        self.server.stop(signal.SIGQUIT)
        self.server.start()

    def restart_database(self, rng):
        self.server.stop(signal.SIGINT)
        time.sleep(rng.uniform(0, 0.5))
        self.server.start()

    def freeze_database(self, rng):
        self.server.freeze()
        try:
            time.sleep(rng.uniform(0.1, 2))
        finally:
            self.server.thaw()

    def lock_table(self, rng):
        with self.server.connect(self.database.name) as connection, connection.transaction():
            connection.execute("SET lock_timeout = '5s'")
            with suppress(psycopg.errors.LockNotAvailable):
                connection.execute("LOCK TABLE hook_events")
                time.sleep(rng.uniform(0.1, 2))

    def cut_network(self, _random):
        self.network.cut()

    def stall_network(self, rng):
        self.network.stall()
        try:
            time.sleep(rng.uniform(0.1, 2))
        finally:
            self.network.flow()

    def slow_network(self, rng):
        self.network.slow = True
        try:
            time.sleep(rng.uniform(0.1, 1))
        finally:
            self.network.slow = False

    def cut_stalled_network(self, rng):
        """What was under way is lost: the writer does not learn whether its last commit was done."""
        self.network.stall()
        try:
            time.sleep(rng.uniform(0, 0.3))
            self.network.cut()
        finally:
            self.network.flow()


class DiskBlows:
    """The disk of DATA_DIR and JSONL_PATH."""

    def __init__(self, daemon, disk):
        self.daemon = daemon
        self.disk = disk
        self.moves = 0
        self.blows = [self.fill_disk, self.move_jsonl_file]

    def fill_disk(self, rng):
        self.disk.fill(self.daemon)
        try:
            time.sleep(rng.uniform(0, 1.5))
        finally:
            self.disk.free()

    def move_jsonl_file(self, _random):
        self.moves += 1
        with suppress(FileNotFoundError):
            self.daemon.jsonl_path.rename(f"{self.daemon.jsonl_path}.moved-{self.moves}")


class SqliteBlows:
    """Other programs at the SQLite database, and its disk."""

    def __init__(self, daemon, disk):
        self.daemon = daemon
        self.disk_blows = DiskBlows(daemon, disk)
        self.blows = [self.disk_blows.fill_disk, self.lock_database, self.hold_reader]

    def lock_database(self, rng):
        with closing(sqlite3.connect(self.daemon.sqlite_path, isolation_level=None)) as other:
            with suppress(sqlite3.OperationalError):  # it may be locked, or not be made yet
                other.execute("BEGIN IMMEDIATE")
                time.sleep(rng.uniform(0.1, 2))

    def hold_reader(self, rng):
        with closing(sqlite3.connect(self.daemon.sqlite_path, isolation_level=None)) as other:
            with suppress(sqlite3.OperationalError):
                other.execute("BEGIN")
                other.execute("SELECT count(*) FROM hook_events").fetchone()
                time.sleep(rng.uniform(0.1, 1))


class ReceiverBlows:
    """What customers' receivers do on these paths for a while: fail, hang, cut connections, put us off, are not there."""

    def __init__(self, receiver, paths):
        self.receiver = receiver
        self.paths = paths
        self.blows = [self.fail_receiver, self.hang_receiver, self.drop_receiver, self.slow_receiver, self.refuse_receiver,
                      self.busy_receiver, self.cut_receiver, self.tear_receiver]

    def _answer(self, rng, answer):
        path = rng.choice(self.paths)
        self.receiver.answers[path] = answer
        try:
            time.sleep(rng.uniform(0.1, 1.5))
        finally:
            del self.receiver.answers[path]

    def fail_receiver(self, rng):
        self._answer(rng, Answer(rng.choice([301, 404, 429, 500, 503])))

    def hang_receiver(self, rng):
        self._answer(rng, Answer(hang=True))

    def drop_receiver(self, rng):
        self._answer(rng, Answer(drop=True))

    def slow_receiver(self, rng):
        self._answer(rng, Answer(200, body=b"slow", trickle=0.02))

    def busy_receiver(self, rng):
        self._answer(rng, busy(rng.choice([1, 2])))

    def cut_receiver(self, rng):
        """Its head says 200: that counts, and the connection is gone."""
        self._answer(rng, Answer(200, body=100 * b"x", cut=rng.choice([0, 10])))

    def tear_receiver(self, rng):
        """In the middle of a head."""
        self._answer(rng, Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Le"))

    def refuse_receiver(self, rng):
        """Every path."""
        self.receiver.refuse()
        try:
            time.sleep(rng.uniform(0.1, 1))
        finally:
            self.receiver.listen()


def busy(seconds):
    return Answer(429, headers=(("Retry-After", str(seconds)),))


class NameBlows:
    """Name servers that are slow, fail or lie about these hosts, whose address is 127.0.0.1."""

    RIGHT = "127.0.0.1"
    STRANGER = "93.184.216.34"  # somebody else's server
    # Besides: a server of the cloud, which the guard refuses; an address that nothing is at; the right one behind a wrong one.
    LIES = (STRANGER, "169.254.169.254", "93.184.216.99", f"{STRANGER},{RIGHT}")

    def __init__(self, directory, hosts, stranger):
        """stranger: a receiver, whose answers deliver nothing."""
        self.hosts = hosts
        self.names = Names(directory, dict.fromkeys(hosts, self.RIGHT), {self.STRANGER: stranger.port})
        self.blows = [self.silence_name, self.fail_name, self.lose_name, self.forge_name]

    def _say(self, rng, answer):
        host = rng.choice(self.hosts)
        self.names.say(host, answer)
        try:
            time.sleep(rng.uniform(0.1, 1.5))
        finally:
            self.names.say(host, self.RIGHT)

    def silence_name(self, rng):
        self._say(rng, "silent")

    def fail_name(self, rng):
        self._say(rng, "fails")

    def lose_name(self, rng):
        self._say(rng, "absent")

    def forge_name(self, rng):
        self._say(rng, rng.choice(self.LIES))


class ClockBlows:
    """Somebody sets the clock of the daemon's machine. It stays so until the next time."""

    STEPS = (-3600, -90, 90, 7200)  # seconds; days would let idempotency keys expire

    def __init__(self, clock):
        self.clock = clock
        self.blows = [self.step_clock]

    def step_clock(self, rng):
        self.clock.set(rng.choice(self.STEPS))


class Chaos:
    """So many rounds of blows, the same for the same seed (but not at the same instants)."""

    def __init__(self, daemon, seed, groups, beside=()):
        """beside: context managers that work while the blows fall, besides those that post hook events."""
        self.daemon = daemon
        self.seed = seed
        self.groups = groups
        self.beside = beside
        self.random = random.Random(seed)
        self.counts = Counter()
        self.recorders = []
        self.accounts = []  # of every event since the first start, by the daemon's own metrics

    def run(self, rounds):
        """Posts meanwhile. Afterwards nobody posts, and nothing is in anybody's way."""
        with ExitStack() as stack:
            self.recorders = stack.enter_context(recording(self.daemon, self.seed))
            for each in self.beside:
                stack.enter_context(each)
            for _ in range(rounds):
                time.sleep(self.random.uniform(0, 0.3))  # the instant is the point: nothing is waited for here
                self._strike()

    def _strike(self):
        """One blow, or two of different kinds at once."""
        groups = self.random.sample(self.groups, self.random.choice([1, 1, 2]))
        blows = [(self.random.choice(group.blows), random.Random(self.random.random())) for group in groups]
        name = " + ".join(blow.__name__ for blow, _ in blows)
        with open(self.daemon.log_path, "ab") as log:  # for whoever has to understand what happened
            log.write(f"--- {name}\n".encode())
        strokes = [THREADS.submit(blow, rng) for blow, rng in blows]
        wait(strokes)
        for stroke in strokes:
            stroke.result()
        self.counts.update(blow.__name__ for blow, _ in blows)

    def settle(self):
        """Stops in good order, with everything in the store; takes the accounts before and after a restart."""
        self._take_account()
        self.daemon.restart()
        self._take_account()
        self.daemon.stop()

    def _take_account(self):
        wait_until(self._all_answer, "every acceptor to answer")
        # Thousands of rounds leave millions of events there; a busy machine stores some 10,000 a second.
        self.daemon.wait_spool_empty(30 + metrics(self.daemon)["spool_events"] / 5000)
        wait_until(lambda: metrics(self.daemon)["ring_events"] == 0, "the ring to be empty")
        self.accounts.append(identity(metrics(self.daemon)))

    def _all_answer(self):
        """No acceptor is stopped any more, or rolled: connections are spread over them by chance."""
        try:
            return all(self.daemon.get("/livez").status == 200 for _ in range(20))
        except (OSError, http.client.HTTPException):
            return False

    def judge(self, *stores):
        print(f"{sum(self.counts.values())} blows: {dict(sorted(self.counts.items()))}")
        judge(self.recorders, *stores)
        stored = len(set().union(*stores))
        for received, found, parts in self.accounts:
            print(f"{received} events received; {parts}")
            told = f"{received} received, {stored} in the store, {found} accounted for: {parts}"
            assert received == found and stored == found - parts["discarded"], told
