"""
More events than clients and receivers in Python can handle: tests/bench/load publishes DELIVERY_EVENTS events while
processes are killed, singly and sometimes all at once. tests/bench/receiver takes the deliveries. Both write the
events' ids of 16 bytes to files, and SQLite compares the files: each acknowledged event has at least one 2xx or one
dead letter for each endpoint, and only attempts under way at a courier's death came twice.

    DELIVERY_EVENTS=1000000 HOOKS_BUILD_DIR=$PWD/build /usr/bin/python3 -m pytest -s tests/e2e/test_million.py

The seed is printed. KILL_SEED repeats the sequence of kills.
"""

import contextlib
import os
import random
import signal
import sqlite3
import struct
import time
import uuid
from collections import Counter

import pytest

from harness.accounting import MESSAGES, identity
from harness.background import Background
from harness.bench_tools import BenchReceiver, Load, build
from harness.chaos import THREADS
from harness.metrics import metrics
from harness.postgres import free_port
from harness.waiting import wait_until
from harness.webhooks import STORES

EVENTS = int(os.environ.get("DELIVERY_EVENTS", "0"))
RATE = int(os.environ.get("DELIVERY_RATE", "5000"))  # events a second, if the machine is fast enough
PAUSE = float(os.environ.get("KILL_EVERY", "5"))  # seconds on average
SEED = int(os.environ.get("KILL_SEED", str(random.randrange(1 << 32))))
BATCH = 10
IN_FLIGHT = 10  # attempts at an endpoint at once
PATHS = ("/0", "/refuse/1")  # the receiver's file names an endpoint by the last character
# {what is killed: its weight}
VICTIMS = {"courier": 8, "publisher": 5, "acceptor": 4, "control": 2, "tree": 1}

pytestmark = pytest.mark.wanted_by("DELIVERY_EVENTS")  # takes minutes


class Kills(Background):
    def __init__(self, daemon, rng):
        super().__init__()
        self.daemon = daemon
        self.random = rng
        self.counts = Counter()
        self.courier_deaths = 0

    def work(self):
        # A random instant for the kill, not a wait for a state.
        while not self.ending.wait(PAUSE * self.random.uniform(0.3, 1.7)):
            self._strike(*self.random.choices(list(VICTIMS), VICTIMS.values()))

    def _strike(self, victim):
        with open(self.daemon.log_path, "ab") as log:
            log.write(f"--- kill {victim}\n".encode())
        self.counts[victim] += 1
        couriers = self.daemon.pids("courier")
        if victim == "tree":
            self.courier_deaths += len(couriers)
            self.daemon.kill()
            THREADS.submit(self.daemon.start, store_ready=False).result()
        else:
            pids = wait_until(lambda: self.daemon.pids(victim), f"a {victim}")
            self.courier_deaths += victim == "courier"
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.random.choice(pids), signal.SIGKILL)


class Books:
    """The files of load and receiver and the dead letters as tables of an SQLite file, which needs little memory."""

    def __init__(self, path, published, delivered, dead):
        """dead: pairs of an event's id (bytes) and an endpoint's number."""
        self.db = sqlite3.connect(path, isolation_level=None)
        for sql in ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "BEGIN",
                    "CREATE TABLE acknowledged (event BLOB PRIMARY KEY) WITHOUT ROWID",
                    "CREATE TABLE delivered (event BLOB, endpoint INT, times INT, PRIMARY KEY (event, endpoint)) WITHOUT ROWID",
                    "CREATE TABLE dead (event BLOB, endpoint INT, PRIMARY KEY (event, endpoint)) WITHOUT ROWID",
                    "CREATE TABLE endpoints (endpoint INT)"):
            self.db.execute(sql)
        self.db.executemany("INSERT INTO endpoints VALUES (?)", [(number,) for number in range(len(PATHS))])
        self.db.executemany("INSERT INTO acknowledged VALUES (?)", entries(published, "16s"))
        self.db.executemany("INSERT INTO delivered VALUES (?, ? - 48, 1) ON CONFLICT DO UPDATE SET times = times + 1",
                            entries(delivered, "16sB"))
        self.db.executemany("INSERT INTO dead VALUES (?, ?)", dead)
        self.db.execute("COMMIT")

    def value(self, sql):
        return self.db.execute(sql).fetchone()[0]

    def owed(self):
        return self.value("SELECT (SELECT count(*) FROM acknowledged) * (SELECT count(*) FROM endpoints)")

    def missing(self):
        return self.db.execute("""
            SELECT hex(event), endpoint FROM acknowledged a CROSS JOIN endpoints e
            WHERE NOT EXISTS (SELECT 1 FROM delivered d WHERE d.event = a.event AND d.endpoint = e.endpoint)
              AND NOT EXISTS (SELECT 1 FROM dead d WHERE d.event = a.event AND d.endpoint = e.endpoint) LIMIT 5""").fetchall()

    def duplicates(self):
        return self.value("SELECT ifnull(sum(times - 1), 0) FROM delivered")

    def unacknowledged(self):
        """The number of delivered events whose acknowledgement was lost."""
        return self.value("SELECT count(DISTINCT event) FROM delivered WHERE event NOT IN (SELECT event FROM acknowledged)")


def entries(path, layout):
    size = struct.calcsize("=" + layout)
    with open(path, "rb") as file:
        while chunk := file.read(size * 4096):
            yield from struct.iter_unpack("=" + layout, chunk)


def make_endpoints(tenant, receiver):
    """Makes the endpoints. Returns their numbers by id."""
    numbers = {}
    for number, path in enumerate(PATHS):
        made = tenant.client.post("/v1/endpoints", {
            "url": receiver.url(path), "max_in_flight": IN_FLIGHT, "rate_limit_rps": 100_000,
            "retry_schedule": "1s"})
        assert made.status == 201, made
        subscribed = tenant.client.post("/v1/subscriptions", {"endpoint_id": made.json["id"], "topic_pattern": "#"})
        assert subscribed.status == 201, subscribed
        numbers[uuid.UUID(made.json["id"])] = number
    return numbers


def publish(daemon, tenant, ledger):
    """Publishes all events. Returns the figures of tests/bench/load."""
    return Load(daemon, tenant.client.key, path="/v1/events/batch", events=BATCH, bytes=560, topic="orders", connections=32,
                rate=RATE // BATCH, accepted=EVENTS // BATCH, seconds=36000, ledger=ledger).result()


def dead_letters(hookline, numbers):
    rows = hookline.query("SELECT event_id, endpoint_id FROM dlq")
    return [(uuid.UUID(str(row["event_id"])).bytes, numbers[uuid.UUID(str(row["endpoint_id"]))]) for row in rows]


def settled(hookline):
    numbers = metrics(hookline.daemon)
    received, found, _ = identity(numbers, MESSAGES)
    return received == found and numbers["ring_messages"] == numbers["spool_messages"] == 0


@pytest.mark.timeout(120 + EVENTS // 100)
@pytest.mark.parametrize("store", STORES)
def test_no_event_is_lost_and_few_come_twice_whatever_is_killed(make_hookline, tmp_path, store):
    build()
    hookline = make_hookline(store, STORAGE_TYPE="jsonl", HL_ALLOW_NETWORKS="loopback", PORT=free_port()).start()
    began = time.monotonic()
    with BenchReceiver(tmp_path / "delivered") as receiver:
        tenant = hookline.new_tenant()
        numbers = make_endpoints(tenant, receiver)
        with Kills(hookline.daemon, random.Random(f"{SEED} {store}")) as kills:
            result = publish(hookline.daemon, tenant, tmp_path / "published")
        published = time.monotonic() - began
        wait_until(lambda: settled(hookline), "what was published to be stored", 60)
        wait_until(lambda: not hookline.query("SELECT 1 FROM jobs LIMIT 1"), "all jobs to end", 60 + EVENTS // 500)
        took = time.monotonic() - began
        receiver.told("/so-far")  # flushes the receiver's file
        books = Books(tmp_path / "books", tmp_path / "published", tmp_path / "delivered", dead_letters(hookline, numbers))
    owed, duplicates = books.owed(), books.duplicates()
    dead, most = books.value("SELECT count(*) FROM dead"), kills.courier_deaths * IN_FLIGHT * len(PATHS)
    print(f"\nKILL_SEED={SEED} DELIVERY_EVENTS={EVENTS} {store}: {owed // len(PATHS)} events acknowledged in {published:.0f} s,"
          f" delivered in {took:.0f} s; {dict(kills.counts)}, {kills.courier_deaths} couriers died; {result['failed']} requests"
          f" without an answer, of which {books.unacknowledged()} events were delivered, {result['refused']} refused;"
          f" {owed} deliveries owed, {dead} dead letters, {duplicates} came twice ({100 * duplicates / owed:.4f} %, at most {most})")
    assert books.missing() == []
    assert owed >= EVENTS * len(PATHS) and 0 < dead < owed / 500
    assert duplicates <= most
    if EVENTS >= 1_000_000:
        assert duplicates < owed / len(PATHS) / 1000, "at most 0.1 % come twice"
