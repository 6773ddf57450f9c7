"""
The books balance exactly: received = stored + duplicates + dead-lettered + damaged + discarded + on the ring + in the
spool. This holds after kills at any moment. The counters survive restarts.
"""

import os
import random
import signal

import pytest

from harness.events import random_events
from harness.load import Load
from harness.metrics import metrics, wait_accounted, wait_settled
from harness.waiting import wait_until

KEPT = ("events_received_total", "events_stored_total", "events_duplicate_total", "requests_accepted_total")


def batches(count, size, seed):
    events = random_events(count * size, sessions=1, seed=seed)[0]
    return [events[start : start + size] for start in range(0, len(events), size)]


def post(daemon, some):
    for batch in some:
        reply = daemon.post_batch(batch)
        assert reply.status == 202, reply


def ring_file(daemon):
    return daemon.hooksctl("status").stdout.split("ring ")[1].split(",")[0]


def test_counters_survive_a_restart(hooksd):
    daemon = hooksd()
    post(daemon, batches(3, 10, seed=1))
    before = metrics(daemon)
    daemon.restart()
    after = metrics(daemon)
    assert [after[name] for name in KEPT] == [before[name] for name in KEPT]
    post(daemon, batches(2, 10, seed=2))
    assert wait_accounted(daemon)["events_stored_total"] == 50


def test_counters_survive_a_stop_that_cannot_save_them(hooksd):
    daemon = hooksd()
    post(daemon, batches(3, 10, seed=9))
    in_the_way = daemon.directory / ".agentic/hooksd/counters.new"
    in_the_way.mkdir()
    daemon.stop()
    in_the_way.rmdir()
    daemon.start()
    assert wait_accounted(daemon)["events_stored_total"] == 30


def test_counters_survive_a_change_of_processes_and_ring_size(hooksd):
    daemon = hooksd()
    post(daemon, batches(3, 10, seed=3))
    daemon.kill()
    daemon.options |= {"ACCEPTORS": 3, "WRITERS": 2, "RING_BYTES": 72 << 20}
    daemon.start()
    assert wait_accounted(daemon)["events_stored_total"] == 30


def test_the_service_starts_with_a_damaged_file_of_counters(hooksd):
    daemon = hooksd()
    post(daemon, batches(1, 10, seed=4))
    daemon.stop()
    saved = daemon.directory / ".agentic/hooksd/counters"
    saved.write_bytes(b"events_stored_total 5\n\0\xff" + b"x" * 5000 + b"\nevents_stored_total -1 \nnonsense 7\n")
    daemon.start()
    wait_accounted(daemon)


def test_spooled_events_are_counted_once(database, hooksd):
    """After an orderly restart, and after the loss of the ring with the machine's memory."""
    daemon = hooksd(database, SPOOL_AFTER_MS=0, WRITERS=2)
    some = batches(10, 10, seed=5)
    post(daemon, some[:2])
    database.server.stop()
    post(daemon, some[2:])
    daemon.restart(store_ready=False)
    numbers = wait_accounted(daemon)
    assert (numbers["events_received_total"], numbers["spool_events"]) == (100, 80)
    ring = ring_file(daemon)
    daemon.kill()
    os.unlink(ring)
    daemon.start(store_ready=False)
    numbers = wait_accounted(daemon)
    assert (numbers["events_received_total"], numbers["spool_events"]) == (100, 80)
    database.server.start()
    daemon.wait_spool_empty()
    assert wait_accounted(daemon)["events_stored_total"] == 100


def test_metrics_show_the_age_of_the_spool(database, hooksd):
    daemon = hooksd(database, SPOOL_AFTER_MS=0)
    assert metrics(daemon)["spool_oldest_seconds"] == 0
    database.server.stop()
    post(daemon, batches(1, 1, seed=6))
    wait_until(lambda: metrics(daemon)["spool_oldest_seconds"] > 0, "an age")
    database.server.start()
    daemon.wait_spool_empty()
    assert metrics(daemon)["spool_oldest_seconds"] == 0


def storm(daemon, rounds, seed, server=None):
    """Posts events while it kills single processes, the whole tree, and the server if given."""
    dice = random.Random(seed)
    with Load(daemon, random_events(12000, sessions=4, seed=seed), batch=10) as load:
        for number in range(rounds):
            load.wait_acknowledged((number + 1) * 1000 + dice.randrange(500))
            if server and number % 4 == 3:
                server.stop(signal.SIGQUIT)
                server.start()
            elif number % 3 == 2:
                daemon.kill()
                daemon.start(store_ready=False)
            else:
                pids = daemon.pids(dice.choice(["acceptor", "writer", "writer"]))
                if pids:
                    os.kill(dice.choice(pids), signal.SIGKILL)
    daemon.wait_spool_empty()


@pytest.mark.parametrize("ack", ["durable", "queued"])
def test_the_books_balance_after_kills_with_a_jsonl_store(hooksd, ack):
    daemon = hooksd(ACK=ack, WRITERS=2)
    storm(daemon, 8, seed=7)
    numbers = wait_settled(daemon)
    assert numbers["events_received_total"] == numbers["events_stored_total"] == len(daemon.jsonl_lines())


def test_the_books_balance_after_kills_with_postgresql(database, hooksd):
    daemon = hooksd(database, SPOOL_AFTER_MS=0)
    storm(daemon, 8, seed=8, server=database.server)
    numbers = wait_settled(daemon)
    assert numbers["events_stored_total"] <= database.count() <= numbers["events_received_total"]


def test_counters_survive_a_restart_on_a_full_disk(disk, hooksd):
    daemon = hooksd(DATA_DIR=disk.path / "data", JSONL_PATH=disk.path / "events.jsonl")
    post(daemon, batches(3, 10, seed=9))
    disk.fill(daemon)
    daemon.stop()
    disk.free()
    daemon.start()
    assert wait_accounted(daemon)["events_stored_total"] == 30
