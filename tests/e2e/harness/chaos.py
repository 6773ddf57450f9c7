"""
Chaos: while recorders post, faults ("blows") hit the processes, the database, the network, the disk, the receivers, the
name servers and the clock, one or two at once.
"""

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

# The options of every run. Small requests permit small rings.
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
# Never shut down: a process that a thread has started (a server, the daemon) gets a signal when that thread ends.
THREADS = ThreadPoolExecutor(2)
STOPPED = (0, 3)  # 3: the drain has left events on the ring for the next start


class TreeBlows:
    """Ends, restarts or rolls the whole daemon."""

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
    """Kills or stops one process of these roles. Nothing continues a stopped process: the master has to replace it."""

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
            with suppress(ProcessLookupError):  # another blow has ended the process
                os.kill(rng.choice(pids), number)


class DatabaseBlows:
    """Faults of PostgreSQL and of the network to it. Everything works again at the end of each."""

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
        """Loses the statement under way and its answer: the writer does not learn whether its last commit succeeded."""
        self.network.stall()
        try:
            time.sleep(rng.uniform(0, 0.3))
            self.network.cut()
        finally:
            self.network.flow()


class DiskBlows:
    """Faults of the disk of DATA_DIR and JSONL_PATH."""

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
    """Other programs that use the SQLite database, and faults of its disk."""

    def __init__(self, daemon, disk):
        self.daemon = daemon
        self.disk_blows = DiskBlows(daemon, disk)
        self.blows = [self.disk_blows.fill_disk, self.lock_database, self.hold_reader]

    def lock_database(self, rng):
        with closing(sqlite3.connect(self.daemon.sqlite_path, isolation_level=None)) as other:
            with suppress(sqlite3.OperationalError):  # the database may be locked or may not exist yet
                other.execute("BEGIN IMMEDIATE")
                time.sleep(rng.uniform(0.1, 2))

    def hold_reader(self, rng):
        with closing(sqlite3.connect(self.daemon.sqlite_path, isolation_level=None)) as other:
            with suppress(sqlite3.OperationalError):
                other.execute("BEGIN")
                other.execute("SELECT count(*) FROM hook_events").fetchone()
                time.sleep(rng.uniform(0.1, 1))


class ReceiverBlows:
    """Receivers that fail on these paths for a while: errors, hangs, cut or refused connections, Retry-After."""

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
        """Closes the connection after a complete head with 200, which counts as delivered."""
        self._answer(rng, Answer(200, body=100 * b"x", cut=rng.choice([0, 10])))

    def tear_receiver(self, rng):
        """Closes the connection in the middle of a head."""
        self._answer(rng, Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Le"))

    def refuse_receiver(self, rng):
        """All receivers on all paths."""
        self.receiver.refuse()
        try:
            time.sleep(rng.uniform(0.1, 1))
        finally:
            self.receiver.listen()


def busy(seconds):
    return Answer(429, headers=(("Retry-After", str(seconds)),))


class NameBlows:
    """Name servers that are slow, fail or give wrong answers for these hosts. The right address is 127.0.0.1."""

    RIGHT = "127.0.0.1"
    STRANGER = "93.184.216.34"  # a server that is not the customer's
    # Wrong answers: the stranger, a cloud metadata address (the guard refuses it), an address without a listener, and
    # the stranger before the right address.
    LIES = (STRANGER, "169.254.169.254", "93.184.216.99", f"{STRANGER},{RIGHT}")

    def __init__(self, directory, hosts, stranger):
        """stranger: a receiver that is not the customer's; its answers must not count as deliveries."""
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
    """Sets the clock of the daemon's machine. The clock stays so until the next step."""

    STEPS = (-3600, -90, 90, 7200)  # seconds; with days idempotency keys would expire

    def __init__(self, clock):
        self.clock = clock
        self.blows = [self.step_clock]

    def step_clock(self, rng):
        self.clock.set(rng.choice(self.STEPS))


class Chaos:
    """Runs `rounds` rounds of blows. The same seed gives the same blows, but not the same instants."""

    def __init__(self, daemon, seed, groups, beside=()):
        """beside: further context managers that run during the blows, beside the clients that post hook events."""
        self.daemon = daemon
        self.seed = seed
        self.groups = groups
        self.beside = beside
        self.random = random.Random(seed)
        self.counts = Counter()
        self.recorders = []
        self.accounts = []  # accounting identities of all events since the first start

    def run(self, rounds):
        """Clients post during the blows. On return no client posts, and no fault lasts."""
        with ExitStack() as stack:
            self.recorders = stack.enter_context(recording(self.daemon, self.seed))
            for each in self.beside:
                stack.enter_context(each)
            for _ in range(rounds):
                time.sleep(self.random.uniform(0, 0.3))  # a random instant for the blow, not a wait for a state
                self._strike()

    def _strike(self):
        """One blow, or two of different kinds at once."""
        groups = self.random.sample(self.groups, self.random.choice([1, 1, 2]))
        blows = [(self.random.choice(group.blows), random.Random(self.random.random())) for group in groups]
        name = " + ".join(blow.__name__ for blow, _ in blows)
        with open(self.daemon.log_path, "ab") as log:  # marks the blow for a reader of the log
            log.write(f"--- {name}\n".encode())
        strokes = [THREADS.submit(blow, rng) for blow, rng in blows]
        wait(strokes)
        for stroke in strokes:
            stroke.result()
        self.counts.update(blow.__name__ for blow, _ in blows)

    def settle(self):
        """Stops in good order when all events are stored; records the accounts before and after a restart."""
        self._take_account()
        self.daemon.restart()
        self._take_account()
        self.daemon.stop()

    def _take_account(self):
        wait_until(self._all_answer, "every acceptor to answer")
        # Thousands of rounds leave millions of events in the spool; a busy machine stores some 10,000 a second.
        self.daemon.wait_spool_empty(30 + metrics(self.daemon)["spool_events"] / 5000)
        wait_until(lambda: metrics(self.daemon)["ring_events"] == 0, "the ring to be empty")
        self.accounts.append(identity(metrics(self.daemon)))

    def _all_answer(self):
        """
        Whether twenty new connections are answered. The kernel spreads them over all acceptors, so none is stopped.
        """
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
