"""hooksctl ring shows the content of a ring: of a running daemon, of a dead one, and of damaged copies."""

import json
import random
import re
import stat
from pathlib import Path

import pytest

from harness.client import http_post
from harness.daemon import run_program, stopped
from harness.events import minimal
from harness.waiting import wait_until


def dump(*words, options=None):
    """The ring's content as an object. The ring must be complete."""
    run = run_program("hooksctl", "ring", "dump", *words, "--json", options=options)
    assert run.returncode == 0, run.stdout + run.stderr
    ring = json.loads(run.stdout)
    assert ring["whole"] is True
    return ring


def lane(ring, start, end):
    found, = [lane for lane in ring["lanes"] if (lane["from"], lane["to"]) == (start, end)]
    return found


@pytest.fixture
def waiting(hooksd):
    """A daemon that has stored 7 events and whose writer is stopped with 5 more on the ring."""
    daemon = hooksd(ACCEPTORS=1, ACK="queued", RING_BYTES=4 << 20, MAX_BODY_BYTES=65536, MAX_EVENT_BYTES=65536)
    assert daemon.post_batch([minimal()] * 7).status == 202
    daemon.wait_stored(7)
    with stopped(daemon.pids("writer")[0]):
        assert daemon.post_batch([minimal()] * 3).status == 202
        assert daemon.post_batch([minimal()] * 2).status == 202
        yield daemon
    if not daemon.process:
        daemon.start()
    daemon.wait_stored(5)


def assert_shows_what_waits(ring, daemon):
    assert ring["master_pid"] == daemon.pid
    assert ring["boot_id"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert ring["counts"] == {"acceptors": 1, "writers": 1, "publishers": 0, "couriers": 0, "control_processes": 0}
    assert {process["process"] for process in ring["processes"]} == {"acceptor-0", "writer-0"}
    found = lane(ring, "acceptor-0", "writer-0")
    assert (found["published"], found["released"], found["waiting"]) == (3, 1, 2)
    assert (found["events_waiting"], found["events_ever"]) == (5, 12)
    assert found["parcels"] == {"finished": 0, "refused": 0, "dismissed": 0, "in_doubt": 0, "awaited": 0, "acknowledged": 2}
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT[\d:.]+Z", found["oldest_received"])
    ledger, = ring["ledgers"]
    page = ledger["pages"][ledger["current"]]
    assert (page["events_stored_total"], page["release"], page["settled_as"]) == (7, [1], "stored")
    assert ring["counters"]["hooks_events_received_total"] == 12


def test_the_ring_of_a_running_service_is_shown_saved_and_shown_again(waiting, tmp_path):
    assert_shows_what_waits(dump(options=waiting.options), waiting)
    copy = tmp_path / "copy"
    saved = waiting.hooksctl("ring", "save", copy)
    assert (saved.returncode, saved.stdout, saved.stderr) == (0, "", "")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert copy.stat().st_size == 4 << 20
    assert_shows_what_waits(dump(copy), waiting)
    again = waiting.hooksctl("ring", "save", copy)
    assert again.returncode == 1 and f"another file is at {copy}" in again.stderr
    text = run_program("hooksctl", "ring", "dump", copy)
    assert text.returncode == 0, text.stderr
    assert re.search(r"^acceptor-0 -> writer-0 +3 +1 +2 +5 .* 2 acknowledged$", text.stdout, re.MULTILINE)
    assert re.search(r"^  current page serial \d+, stored, .*, events_stored_total 7$", text.stdout, re.MULTILINE)
    assert re.search(r"^hooks_events_received_total +12$", text.stdout, re.MULTILINE)


def test_requests_whose_clients_wait_are_marked(hooksd):
    daemon = hooksd(ACCEPTORS=1, RING_BYTES=4 << 20, MAX_BODY_BYTES=65536, MAX_EVENT_BYTES=65536)

    def parcels():
        return lane(dump(options=daemon.options), "acceptor-0", "writer-0")["parcels"]

    with stopped(daemon.pids("writer")[0]), daemon.raw() as client:
        client.send(http_post("/events", json.dumps(minimal()).encode()))
        wait_until(lambda: sum(parcels().values()) == 1, "the request in its lane")
        assert parcels()["awaited"] == 1


def test_the_ring_of_a_dead_service_is_shown(waiting):
    waiting.kill()
    assert_shows_what_waits(dump(waiting.options["RING_PATH"]), waiting)


def test_damage_is_reported_and_the_rest_is_shown(waiting, tmp_path):
    copy = tmp_path / "copy"
    assert waiting.hooksctl("ring", "save", copy).returncode == 0
    whole = copy.read_bytes()
    for name, damaged, told in (
        ("cut", whole[:-1], "cut short or damaged"),
        ("empty", b"", "shorter than a ring's header"),
        ("other", b"hooksr\033~" + whole[8:], "another version of hooksd: it begins with 'hooksr.~'"),
        ("text", b"something else entirely" * 5000, "is no ring of hooksd"),
    ):
        copy.write_bytes(damaged)
        run = run_program("hooksctl", "ring", "dump", copy)
        assert (name, run.returncode, run.stdout) == (name, 1, "")
        assert told in run.stderr and str(copy) in run.stderr


def test_a_ring_with_random_damage_crashes_no_program(waiting, tmp_path):
    copy = tmp_path / "copy"
    assert waiting.hooksctl("ring", "save", copy).returncode == 0
    whole = copy.read_bytes()
    dice = random.Random(4)
    damaged = 0
    for _ in range(20):
        ring = bytearray(whole)
        for _ in range(200):
            at = dice.randrange(64, 40000)  # after the sizes, so that hooksctl does not refuse the file at once
            ring[at] = dice.randrange(256)
        copy.write_bytes(ring)
        for form in ([], ["--json"]):
            run = run_program("hooksctl", "ring", "dump", copy, *form)
            assert run.returncode in (0, 1), run.stderr
            assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", run.stdout.replace("\t", ""))
            damaged += run.returncode
    assert damaged > 0


@pytest.mark.parametrize("words", [[], ["dump", "a", "b"], ["save"], ["save", "a", "--json"], ["eat"]])
def test_wrong_usage_is_told(words):
    run = run_program("hooksctl", "ring", *words)
    assert run.returncode == 64
    assert run.stderr.startswith("usage: hooksctl ring")
