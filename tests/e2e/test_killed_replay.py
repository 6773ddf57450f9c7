"""
hooksd is killed at any operation of a replay into a JSONL file, where no key finds duplicates. Whatever happens before
the next successful start, each event is in the file once.
"""

import itertools
import json
import socket

import pytest

from harness.accounting import settled
from harness.events import random_events
from harness.metrics import metrics
from harness.power import Machine
from harness.waiting import wait_until


def block(daemon):
    """Puts a directory in place of the file, so that nothing can be appended."""
    daemon.jsonl.rename(daemon.jsonl.with_name("aside"))
    daemon.jsonl.mkdir()


def unblock(daemon):
    daemon.jsonl.rmdir()
    daemon.jsonl.with_name("aside").rename(daemon.jsonl)


def start_in_another_shape(daemon):
    daemon.options |= {"WRITERS": 2, "ACCEPTORS": 3}


def fail_to_start(daemon):
    with socket.create_server((daemon.options["HOST"], 0)) as other:
        with_port = {"PORT": other.getsockname()[1]}
        before, daemon.options = daemon.options, daemon.options | with_port
        daemon.spawn()
        daemon.wait_exit(1)
        daemon.options = before


def start_and_stop_without_the_store(daemon):
    block(daemon)
    daemon.start(store_ready=False)
    daemon.stop()
    unblock(daemon)


@pytest.fixture
def spooling(make_hooksd, tmp_path):
    """A daemon on a machine whose power the test can cut."""
    machine = Machine(tmp_path / "disk")
    daemon = make_hooksd(
        STORAGE_TYPE="jsonl", JSONL_PATH=machine.root / "events.jsonl", DATA_DIR=machine.root / "data", WRITERS=1,
        ACCEPTORS=1, SPOOL_AFTER_MS=0)
    daemon.jsonl = machine.root / "events.jsonl"
    daemon.start()
    return daemon, machine


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.parametrize("between", [start_in_another_shape, fail_to_start, start_and_stop_without_the_store])
def test_a_replay_killed_at_any_operation_stores_each_event_once(spooling, between):
    daemon, machine = spooling
    usual = dict(daemon.options)
    batches = iter(random_events(1000, sessions=1, seed=41)[0])
    sent = []
    for at in itertools.count(1):
        batch = list(itertools.islice(batches, 5))
        block(daemon)
        reply = daemon.post_batch(batch)
        assert (reply.status, reply.headers["X-Hooks-Ack"]) == (202, "spooled")
        sent += batch
        daemon.stop()
        unblock(daemon)

        daemon.options = usual | machine.power_on(at)
        daemon.spawn()
        wait_until(lambda: daemon.process.poll() is not None or "the spool is empty again" in daemon.log(), "the replay")
        replayed = daemon.process.poll() is None
        daemon.stop(expect=(0, -9))  # the kill may come at an operation of the stop
        daemon.options = dict(usual)
        between(daemon)
        daemon.start()
        wait_until(lambda: settled(metrics(daemon)), "the accounts")
        lines = [json.loads(line) for line in daemon.jsonl.read_bytes().splitlines()]
        assert len(lines) == len(sent) == metrics(daemon)["events_received_total"]
        daemon.stop()
        daemon.options = dict(usual)
        daemon.start()
        if replayed:
            break
    assert at > 5
