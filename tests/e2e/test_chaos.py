"""
Clients record every acknowledged id while random blows hit processes, the whole tree, the database, the network and the
disk, one or two at once (harness/chaos.py). Afterwards no acknowledged event is missing or stored twice, no refused
event is stored, and no request is stored in part. `make chaos` runs this for CHAOS_ROUNDS rounds.

The seed is printed. CHAOS_SEED repeats the same sequence of blows, but not their exact instants.
"""

import json
import os
import random

import pytest

from harness.accounting import MESSAGES, identity
from harness.chaos import (
    CHANGES, OPTIONS, Chaos, ClockBlows, DatabaseBlows, DiskBlows, NameBlows, ProcessBlows, ReceiverBlows, SqliteBlows,
    TreeBlows, busy)
from harness.clock import WallClock
from harness.crud import CrudLoad
from harness.deliveries import Endpoints, Ledger, Publisher, Publishing
from harness.metrics import metrics
from harness.network import BadNetwork
from harness.recording_receiver import Answer, Receiver
from harness.waiting import PATIENCE, SANITIZED, wait_until
from harness.webhooks import STORES

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "4"))
TIMEOUT = PATIENCE * (120 + 6 * ROUNDS)
SEED = int(os.environ.get("CHAOS_SEED", str(random.randrange(1 << 32))))


@pytest.fixture
def network(postgres):
    with BadNetwork(postgres.port) as network:
        yield network


def options(disk, **more):
    return OPTIONS | {"DATA_DIR": disk.path / "data", "JSONL_PATH": disk.path / "events.jsonl"} | more


@pytest.fixture
def seed(request):
    """A seed for each test, so that their sequences differ."""
    return f"{SEED} {request.node.name}"


def wreck(daemon, seed, *groups, beside=()):
    print(f"\nCHAOS_SEED={SEED} CHAOS_ROUNDS={ROUNDS}")
    chaos = Chaos(daemon, seed, groups, beside)
    chaos.run(ROUNDS)
    chaos.settle()
    return chaos


def jsonl_ids(daemon):
    """The ids in the file and in files that were rotated or moved aside."""
    path = daemon.jsonl_path
    lines = [line for part in path.parent.glob(path.name + "*") for line in part.read_bytes().splitlines()]
    return [json.loads(line)["event_id"] for line in lines]


def postgres_ids(database):
    return [str(row[0]) for row in database.query("SELECT event_id FROM hook_events")]


@pytest.mark.timeout(TIMEOUT)
@pytest.mark.parametrize("ack, writers", [("durable", 1), ("queued", 2)])
def test_a_jsonl_store_loses_and_doubles_no_event(disk, hooksd, seed, ack, writers):
    daemon = hooksd(**options(disk, ACK=ack, WRITERS=writers))
    chaos = wreck(daemon, seed, TreeBlows(daemon), ProcessBlows(daemon), DiskBlows(daemon, disk))
    chaos.judge(jsonl_ids(daemon))


@pytest.mark.timeout(TIMEOUT)
@pytest.mark.parametrize("ack", ["durable", "queued"])
def test_an_sqlite_store_loses_and_doubles_no_event(disk, hooksd, seed, ack):
    daemon = hooksd(**options(disk, STORAGE_TYPE="sqlite", SQLITE_PATH=disk.path / "events.db", ACK=ack))
    changes = CHANGES | {"WRITERS": [1]}
    chaos = wreck(daemon, seed, TreeBlows(daemon, changes), ProcessBlows(daemon), SqliteBlows(daemon, disk))
    assert daemon.sqlite_query("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    chaos.judge([row["event_id"] for row in daemon.sqlite_query("SELECT event_id FROM hook_events")])


@pytest.mark.timeout(TIMEOUT)
@pytest.mark.parametrize("ack, spool_after", [("durable", 0), ("queued", 0), ("queued", 1000)])
def test_postgresql_loses_and_doubles_no_event(disk, network, database, hooksd, seed, ack, spool_after):
    url = network.through(database.url, database.server.port)
    daemon = hooksd(database, **options(disk, DATABASE_URL=url, ACK=ack, SPOOL_AFTER_MS=spool_after))
    chaos = wreck(daemon, seed, TreeBlows(daemon), ProcessBlows(daemon), DatabaseBlows(database, network),
                  DiskBlows(daemon, disk))
    chaos.judge(postgres_ids(database))


@pytest.mark.timeout(TIMEOUT)
def test_without_a_spool_no_refused_event_is_stored(disk, network, database, hooksd, seed):
    url = network.through(database.url, database.server.port)
    daemon = hooksd(database, **options(disk, DATABASE_URL=url, SPOOL_MAX_BYTES=0, STORE_TIMEOUT_MS=300))
    chaos = wreck(daemon, seed, TreeBlows(daemon), ProcessBlows(daemon), DatabaseBlows(database, network))
    chaos.judge(postgres_ids(database))


@pytest.mark.timeout(TIMEOUT)
def test_changes_of_the_store_lose_no_event(disk, network, database, hooksd, seed):
    """
    Each acknowledged event is in one of the stores. If a writer is killed between the commit and the release, its
    successor stores the event again, possibly in another store, but never twice in one.
    """
    url = network.through(database.url, database.server.port)
    daemon = hooksd(database, **options(disk, DATABASE_URL=url, ACK="queued", STORAGE_TYPE="postgres"))
    changes = CHANGES | {"STORAGE_TYPE": ["postgres", "jsonl", "sqlite"], "WRITERS": [1]}
    chaos = wreck(daemon, seed, TreeBlows(daemon, changes), ProcessBlows(daemon), DatabaseBlows(database, network))
    jsonl = jsonl_ids(daemon) if daemon.jsonl_path.exists() else []
    sqlite = daemon.sqlite_query("SELECT event_id FROM hook_events") if daemon.sqlite_path.exists() else []
    chaos.judge(postgres_ids(database), jsonl, [row["event_id"] for row in sqlite])


ROLES = ("acceptor", "writer", "publisher", "courier", "control")
# The receiver of the last one answers 429 for ever.
PATTERNS = {"/steady": "#", "/one": "#", "/two": "orders.*", "/three": "*.made", "/busy": "users.*"}
SCHEDULES = {"/three": "1s"}  # so short that jobs become dead letters
NAMED = {"/one": "one.example", "/two": "two.example", "/three": "three.example"}  # others have addresses
IN_FLIGHT = 10  # attempts at an endpoint at once, by all couriers together
# Blows that end attempts after the receiver has taken the event. An orderly stop does so if an attempt outlasts the
# drain.
ATTEMPTS_END = ("kill_tree", "kill_master", "kill_courier", "stop_courier", "change_after_kill", "change_and_restart", "restart",
                "refuse_receiver")
TOPICS = ("orders.made", "orders.paid", "users.made")


class Elsewhere:
    """
    The receivers' names and the daemon's clock. Both need preloaded libraries, which do not work for binaries with a
    sanitizer.
    """

    def __init__(self, directory, stranger):
        self.environment, self.groups, self.named = {}, [], {} if SANITIZED else NAMED
        if SANITIZED:
            return
        names, self.clock = NameBlows(directory, list(NAMED.values()), stranger), WallClock(directory / "clock")
        self.environment = names.names.environment() | self.clock.environment()
        self.environment["LD_PRELOAD"] = f"{names.names.environment()['LD_PRELOAD']}:{self.clock.environment()['LD_PRELOAD']}"
        self.groups = [names, ClockBlows(self.clock)]

    def url(self, receiver, path):
        return f"http://{self.named.get(path, receiver.host)}:{receiver.port}{path}"

    def set_ahead(self):
        """Sets the clock later than any other setting, so that all postponed jobs are due."""
        if self.groups:
            self.clock.set(max(ClockBlows.STEPS) + 60)


@pytest.fixture
def elsewhere(tmp_path):
    with Receiver() as stranger:
        stranger.answers = dict.fromkeys(PATTERNS, Answer(404))
        yield Elsewhere(tmp_path, stranger)


@pytest.mark.timeout(TIMEOUT)
@pytest.mark.parametrize("store", STORES if "CHAOS_ROUNDS" in os.environ else STORES[:1])
def test_webhooks_and_hook_events_in_one_daemon_lose_nothing(request, disk, make_hookline, seed, store, elsewhere):
    """Hook events, changes of endpoints, published events and their deliveries, all at once, in one daemon."""
    more = {"HL_ALLOW_NETWORKS": "loopback", "HL_MAX_PAYLOAD_BYTES": "64KiB"} | elsewhere.environment
    # RING_BYTES also holds the API keys.
    changes = CHANGES | {"WRITERS": [1], "RING_BYTES": ["48MiB", "96MiB"], "HL_RING_BYTES": ["48MiB", "64MiB"]}
    groups = [*elsewhere.groups]
    if store == "postgres":
        database, network = request.getfixturevalue("database"), request.getfixturevalue("network")
        url = network.through(database.url, database.server.port)
        more |= {"DATABASE_URL": url, "HL_POSTGRES_URL": url}
        changes |= {"WRITERS": [1, 2], "HL_PUBLISHERS": [1, 2, 3], "HL_COURIERS": [1, 2, 3]}
        hookline = make_hookline(store, database, **options(disk, **more))
        groups.append(DatabaseBlows(database, network))
    else:
        hookline = make_hookline(store, **options(disk, STORAGE_TYPE="jsonl", **more))
    daemon = hookline.start().daemon
    with Receiver() as receiver:
        tenant = hookline.new_tenant()
        endpoints = Endpoints(tenant, receiver)
        receiver.answers["/busy"] = busy(1)
        for path, pattern in PATTERNS.items():
            endpoints.add(path, pattern, url=elsewhere.url(receiver, path), timeout_ms=5000, max_in_flight=IN_FLIGHT,
                          rate_limit_rps=10000, retry_schedule=SCHEDULES.get(path, "1s,1s,2s,2s,3s,3s,4s,4s,5s,5s"))
        publishers = [Publisher(hookline, tenant, number, TOPICS, batch=1 + 4 * (number % 2), pause=0.02) for number in range(3)]
        crud = CrudLoad(hookline, clients=2, cuts=True)
        chaos = wreck(daemon, seed, TreeBlows(daemon, changes), ProcessBlows(daemon, ROLES), ReceiverBlows(receiver, list(NAMED)),
                      *groups, beside=(Publishing(publishers), crud))
        elsewhere.set_ahead()
        daemon.start()
        hookline.wait_ready()
        ledger = Ledger(hookline, endpoints, publishers, never=("/busy",))
        ledger.wait_delivered(240)
        ends = sum(chaos.counts[blow] for blow in ATTEMPTS_END)
        ledger.check(duplicates_most=ends * IN_FLIGHT * len(PATTERNS))
        ledger.check_rows()
        crud.check(hookline)
        received, found, parts = identity(wait_until(lambda: settled(daemon), "published events to be stored", 60), MESSAGES)
        print(f"{received} published events received; {parts}")
        assert received == found
    chaos.judge(postgres_ids(database) if store == "postgres" else jsonl_ids(daemon))


def settled(daemon):
    numbers = metrics(daemon)
    return numbers["ring_messages"] == numbers["spool_messages"] == 0 and numbers
