"""
Upgrades with a ring of hooksd 0.1.0 in every state that a kill can leave (tests/old_rings): each acknowledged event is
stored exactly once, and the books balance.
"""

import fcntl
import os
import shutil
import signal

import pytest

from harness.disk import SmallDisk
from harness.faults import FILES, SHORT, Faults
from harness.metrics import metrics, wait_settled
from harness.old_rings import BOOT_ID, CONTROLS, LEDGER, STATES, OldRing, numbers

STRIDE = 1 if os.environ.get("TORTURE") == "all" else 3  # step between the calls that fail
IMPORTED = "imported the ring of hooksd 0.1.0: its events are in the spool"
COUNTED = ("events_received_total", "events_stored_total", "events_discarded_total", "events_damaged_total")


@pytest.fixture
def old(make_hooksd):
    """
    Makes daemons that will start with the files of a state. At the end it removes the files that a start has renamed.
    """
    rings = []

    def make(state, database=None, **options):
        daemon = make_hooksd(database, **options)
        rings.append(OldRing(state, daemon))
        return daemon, rings[-1]

    yield make
    for ring in rings:
        ring.remove_aside()


def counted(daemon):
    found = wait_settled(daemon)
    return tuple(int(found[name]) for name in COUNTED)


@pytest.mark.parametrize("storage", ["jsonl", "postgres"])
@pytest.mark.parametrize("state", STATES)
def test_every_acknowledged_event_is_stored_once(old, request, state, storage):
    database = request.getfixturevalue("database") if storage == "postgres" else None
    daemon, ring = old(state, database)
    daemon.start()
    books = counted(daemon)
    assert numbers(daemon, database) == ring.acknowledged
    assert books == (len(ring.acknowledged + ring.discarded), len(ring.acknowledged), len(ring.discarded), 0)
    assert daemon.log().count(IMPORTED) == len(ring.named_aside("imported")) == (state != "being_made")
    assert not ring.named_aside("set-aside")
    # The next start finds nothing left, even after a kill.
    daemon.kill()
    daemon.start()
    assert counted(daemon) == books
    assert numbers(daemon, database) == ring.acknowledged
    assert IMPORTED not in daemon.log()


@pytest.mark.parametrize("shape", [{"ACCEPTORS": 1, "WRITERS": 1}, {"WRITERS": 3}, {"SPOOL_MAX_BYTES": 0}], ids=str)
def test_other_options_do_not_change_the_import_of_an_old_ring(old, shape):
    daemon, ring = old("replay", **shape)
    daemon.start()
    assert counted(daemon)[:2] == (len(ring.acknowledged), len(ring.acknowledged))
    assert numbers(daemon) == ring.acknowledged


def test_events_of_an_old_ring_that_postgresql_has_are_duplicates(old, database):
    for _ in range(2):
        daemon, ring = old("waiting", database)
        daemon.start()
        stored = numbers(daemon, database)
        wait_settled(daemon)
        duplicates = metrics(daemon)["events_duplicate_total"]
        daemon.stop()
    assert duplicates > 0
    assert len(set(stored)) == len(ring.acknowledged)


def test_a_ring_that_hooksd_0_1_0_still_uses_is_refused(old):
    daemon, ring = old("waiting")
    before = ring.path.read_bytes()
    ring.patch(56, os.getpid().to_bytes(4, "little"))  # the master's pid
    with open(ring.path) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        daemon.spawn()
        daemon.wait_exit(1)
    assert f"is in use by another hooksd (master pid {os.getpid()})" in daemon.log()
    assert len(ring.path.read_bytes()) == len(before)
    daemon.start()
    counted(daemon)
    assert numbers(daemon) == ring.acknowledged


def test_an_old_ring_is_imported_after_a_restart_of_the_machine(old):
    daemon, ring = old("jsonl_append_open")
    ring.patch(BOOT_ID, b"another-boot\n\0")
    daemon.start()
    received, stored, *_others = counted(daemon)
    assert received == stored >= len(ring.acknowledged)
    assert set(numbers(daemon)) == set(ring.acknowledged)
    assert "the machine has restarted since the ring was last used" in daemon.log()


def test_a_damaged_record_of_an_old_ring_is_counted_and_its_bytes_are_kept(old):
    daemon, ring = old("page_turned")
    at = ring.written.rindex(b'{"n": 15}')
    ring.patch(at, b"{")
    ring.patch(at + 6, b"9")
    daemon.start()
    assert counted(daemon) == (len(ring.acknowledged), len(ring.acknowledged) - 1, 0, 1)
    assert numbers(daemon) == [n for n in ring.acknowledged if n != 15]
    assert 'damaged records on the ring: skipped records=1' in daemon.log()
    (aside,) = ring.named_aside("imported")
    assert aside.read_bytes()[at:].startswith(b'{"n": 95}')


# {name: (offset in the file, bytes)}
DAMAGE = {
    "writers": (12, b"\xff\xff\xff\xff"),
    "lane_slots": (16, b"\x03\0\0\0"),
    "file_bytes": (32, b"\0\0\0\0\1\0\0\0"),
    "arena_bytes": (40, b"\0\0\0\0\0\0\0\x80"),
    "ledger_current": (LEDGER, b"\2\0\0\0"),
    "ledger_release": (LEDGER + 112 + 124, b"\xff" * 8),
    "lane_head": (CONTROLS, b"\xff\xff\xff\x7f"),
    "lane_mask": (CONTROLS + 132, b"\xff\xff\0\0"),
}


@pytest.mark.parametrize("damage", [*DAMAGE, "truncated", "header_only"])
def test_the_service_sets_a_damaged_old_ring_aside_and_starts(old, damage):
    daemon, ring = old("idle" if damage == "ledger_release" else "waiting")
    if damage in DAMAGE:
        ring.patch(*DAMAGE[damage])
    else:
        os.truncate(ring.path, {"truncated": 65536, "header_only": 100}[damage])
    before = ring.path.read_bytes()
    daemon.start()
    (aside,) = ring.named_aside("set-aside")
    assert aside.read_bytes() == before
    assert "the ring file is damaged or of another version: set aside" in daemon.log()
    counted(daemon)


def test_without_room_in_data_dir_the_service_does_not_start_and_loses_no_event(old, disk):
    daemon, ring = old("spool_append_open")
    if not isinstance(disk, SmallDisk):
        pytest.skip("no right to mount")
    shutil.copytree(daemon.directory / "data", disk.path / "data")
    daemon.options["DATA_DIR"] = disk.path / "data"
    ring.unfinished_in(disk.path)
    (disk.path / "data/hooksd.lock").write_text("")
    disk.fill(daemon)
    daemon.spawn()
    daemon.wait_exit(1)
    assert "they are still in the ring" in daemon.log() and "No space left on device" in daemon.log()
    disk.free()
    daemon.start()
    counted(daemon)
    assert numbers(daemon) == ring.acknowledged


def fail_at_each_call(old, faults, state, groups, boot_id=None, **arm):
    """For each n: in one start the n-th call fails as arm() says, and the next start stores each event once."""
    number, failed = 1, True
    while failed:
        daemon, ring = old(state)
        if boot_id:
            ring.patch(BOOT_ID, boot_id)
        plain = dict(daemon.options)
        daemon.options |= faults.environment()
        faults.arm(groups, number, **arm)
        daemon.spawn()
        daemon.wait_for_log(f"{IMPORTED}|cannot start|set aside")
        failed, what = faults.failed, faults.what
        if daemon.process.poll() is None:
            daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait()
        daemon.wait_tree_gone()
        daemon.process, daemon.options = None, plain
        daemon.start()
        counted(daemon)
        assert numbers(daemon) == ring.acknowledged, what
        daemon.kill()
        number += 1 if arm else STRIDE
    assert number > 10


@pytest.mark.unsanitized("a sanitizer's library must be loaded first")
@pytest.mark.parametrize("groups", [FILES, SHORT], ids=["a-call", "a-short-transfer"])
@pytest.mark.parametrize("state", ["replay", "spool_append_torn", "jsonl_append_open"])
def test_the_next_start_completes_an_import_that_failed_at_any_call(old, tmp_path, state, groups):
    fail_at_each_call(old, Faults(tmp_path / "faults", "hooksd"), state, groups)


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.unsanitized("a sanitizer's library must be loaded first")
def test_the_next_start_completes_an_import_whose_cleanup_failed_too(old, tmp_path):
    faults = Faults(tmp_path / "faults", "hooksd")
    # The first start after a boot. The next start must find the files that this one leaves.
    fail_at_each_call(old, faults, "replay", FILES, boot_id=b"another-boot\n\0", for_ever=True)
