"""
People, disks and other programs damage a JSONL file or its directory. During the problem new events are refused or
spooled. Afterwards every acknowledged event is in the file once, without a restart.
"""

import ctypes
import json
import os
import shutil
import signal
import subprocess

import pytest

from harness.events import minimal
from harness.metrics import metrics
from harness.recorder import judge, recording, wait_acknowledged
from harness.troubles import in_trouble, overcome, post, start_on_a_full_disk
from harness.waiting import wait_until

# <fcntl.h>
AT_FDCWD = -100
RENAME_EXCHANGE = 2

# Takes root's capabilities, so that permissions also bind root.
OBEYING_PERMISSIONS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


@pytest.fixture
def start(make_hooksd):
    """Starts a daemon whose file's permissions bind it, and which spools at once if it can."""

    def start(**options):
        daemon = make_hooksd(SPOOL_AFTER_MS=0, **options)
        if os.geteuid() == 0:
            daemon.launcher = OBEYING_PERMISSIONS
        return daemon.start()

    return start


def ids(*paths):
    return [json.loads(line)["event_id"] for path in paths for line in path.read_bytes().splitlines()]


def sessions(daemon):
    return [event["session_id"] for event in daemon.jsonl_events()]


@pytest.mark.parametrize("data_dir", ["with it", "elsewhere"])
def test_events_are_kept_over_a_full_disk(disk, start, data_dir):
    places = {"JSONL_PATH": disk.path / "events.jsonl"}
    if data_dir == "with it":
        places["DATA_DIR"] = disk.path / "data"
    daemon = start(**places)
    writers = daemon.pids("writer")
    with recording(daemon, seed=1) as recorders:
        wait_acknowledged(recorders)
        disk.fill(daemon)
        in_trouble(daemon, "JSONL_PATH", "(No space left|File too large)")
        disk.free()
        overcome(daemon, recorders, writers)
    daemon.stop()
    judge(recorders, ids(daemon.jsonl_path))


@pytest.mark.parametrize("first", [True, False])
def test_the_service_starts_on_a_full_disk(disk, make_hooksd, first):
    daemon = make_hooksd(JSONL_PATH=disk.path / "events.jsonl", DATA_DIR=disk.path / "data")
    start_on_a_full_disk(daemon, disk, first, sessions)


def test_events_are_kept_over_a_read_only_directory(start):
    """The file was moved away, and no new one can be created."""
    daemon = start()
    writers = daemon.pids("writer")
    moved = daemon.jsonl_path.with_suffix(".moved")
    with recording(daemon, seed=2) as recorders:
        wait_acknowledged(recorders)
        moved.parent.chmod(0o500)
        daemon.jsonl_path.rename(moved)
        in_trouble(daemon, "JSONL_PATH", "Permission denied")
        moved.parent.chmod(0o700)
        overcome(daemon, recorders, writers)
    daemon.stop()
    judge(recorders, ids(moved, daemon.jsonl_path))


def test_events_are_kept_over_a_read_only_file(start):
    daemon = start()
    moved = daemon.jsonl_path.with_suffix(".moved")
    protected = daemon.jsonl_path.with_suffix(".protected")
    protected.write_bytes(b"")
    protected.chmod(0o400)
    writers = daemon.pids("writer")
    with recording(daemon, seed=3) as recorders:
        wait_acknowledged(recorders)
        os.link(daemon.jsonl_path, moved)
        protected.rename(daemon.jsonl_path)
        in_trouble(daemon, "JSONL_PATH", "Permission denied")
        daemon.jsonl_path.chmod(0o600)
        overcome(daemon, recorders, writers)
    daemon.stop()
    judge(recorders, ids(moved, daemon.jsonl_path))


def exchange(one, other):
    """Exchanges the paths in one step, so that the writer always finds a file."""
    libc = ctypes.CDLL(None, use_errno=True)
    failed = libc.renameat2(AT_FDCWD, bytes(one), AT_FDCWD, bytes(other), RENAME_EXCHANGE)
    assert not failed, os.strerror(ctypes.get_errno())


def test_events_are_kept_over_a_directory_in_place_of_the_file(start):
    daemon = start()
    writers = daemon.pids("writer")
    other = daemon.jsonl_path.with_suffix(".other")
    other.mkdir()
    with recording(daemon, seed=4) as recorders:
        wait_acknowledged(recorders)
        exchange(daemon.jsonl_path, other)
        in_trouble(daemon, "JSONL_PATH", "Is a directory")
        daemon.jsonl_path.rmdir()
        overcome(daemon, recorders, writers)
    daemon.stop()
    judge(recorders, ids(other, daemon.jsonl_path))


def test_a_moved_file_is_created_again(start):
    daemon = start()
    parts = [daemon.jsonl_path.with_suffix(f".{number}") for number in range(5)]
    with recording(daemon, seed=5) as recorders:
        for part in parts:
            wait_acknowledged(recorders)
            # The last acknowledged events may have gone to the file that was moved before.
            wait_until(daemon.jsonl_path.exists, "the file to be made again")
            daemon.jsonl_path.rename(part)
        wait_acknowledged(recorders)
    daemon.stop()
    judge(recorders, ids(*parts, daemon.jsonl_path))


def remove_file(daemon):
    daemon.jsonl_path.unlink()


def remove_directory(daemon):
    os.rename(daemon.jsonl_path.parent, gone := daemon.directory / "gone")  # in one step, beside a writer
    shutil.rmtree(gone)


def empty_file(daemon):
    os.truncate(daemon.jsonl_path, 0)


@pytest.mark.parametrize("remove", [remove_file, remove_directory, empty_file])
def test_removed_events_stay_removed_and_later_ones_are_kept(start, remove):
    daemon = start()
    writers = daemon.pids("writer")
    for number in range(3):
        post(daemon, f"before-{number}")
        remove(daemon)
        post(daemon, f"after-{number}")
        post(daemon, f"later-{number}")
        assert sessions(daemon) == [f"after-{number}", f"later-{number}"]
    assert daemon.pids("writer") == writers


def test_a_replaced_file_is_continued(start):
    daemon = start()
    post(daemon, "replaced")
    other = daemon.jsonl_path.with_suffix(".other")
    other.write_text(json.dumps(minimal(session_id="another program's")) + "\n")
    other.rename(daemon.jsonl_path)
    post(daemon, "after")
    assert sessions(daemon) == ["another program's", "after"]


def many(daemon, session, count):
    for _ in range(count):
        post(daemon, session)


def rotated(daemon):
    return sorted(daemon.jsonl_path.parent.glob("events.jsonl.2*"))


def rotation_failures(daemon):
    return metrics(daemon)["jsonl_rotation_failures_total"]


def test_a_file_that_cannot_be_rotated_is_appended_to(start):
    daemon = start(JSONL_ROTATE_BYTES="8K", SPOOL_MAX_BYTES=0)
    post(daemon, "first")
    daemon.jsonl_path.parent.chmod(0o500)
    many(daemon, "x" * 200, 100)
    assert len(sessions(daemon)) == 101
    assert daemon.log().count("the JSONL file cannot be rotated: events go on into the same one") == 1
    assert daemon.get("/health").json()["status"] == "healthy"
    assert rotation_failures(daemon) == 1
    daemon.jsonl_path.parent.chmod(0o700)
    daemon.signal(signal.SIGHUP)  # otherwise the next try comes in a minute
    wait_until(lambda: (post(daemon, "after"), rotated(daemon))[1], "the rotation")
    assert rotation_failures(daemon) == 1
    [before] = rotated(daemon)
    assert len(ids(before)) >= 101
    many(daemon, "y" * 200, 100)
    assert len(rotated(daemon)) > 2


def test_the_log_says_at_start_that_the_file_cannot_be_rotated(start):
    daemon = start(JSONL_ROTATE_BYTES="8K")
    daemon.stop()
    daemon.jsonl_path.parent.chmod(0o500)
    daemon.start()
    daemon.wait_for_log("the JSONL file cannot be rotated.*cannot rename files in the directory.*Permission denied")
    many(daemon, "x" * 200, 50)
    assert (len(sessions(daemon)), rotated(daemon)) == (50, [])
    daemon.jsonl_path.parent.chmod(0o700)


@pytest.mark.skipif(subprocess.run(["unshare", "-m", "true"], check=False).returncode != 0, reason="no right to mount")
def test_a_file_that_is_a_mount_is_appended_to(make_hooksd, tmp_path):
    """Containers get a single file of their host in this way."""
    real = tmp_path / "real"
    path = tmp_path / "events.jsonl"
    real.touch()
    path.touch()
    daemon = make_hooksd(JSONL_PATH=path, JSONL_ROTATE_BYTES="8K", SPOOL_MAX_BYTES=0)
    daemon.launcher = ["unshare", "-m", "sh", "-c", f'mount --bind {real} {path} && exec "$@"', "sh"]
    daemon.start()
    daemon.wait_for_log("the JSONL file cannot be rotated.*is a mount of its own")
    many(daemon, "x" * 200, 60)
    assert len(ids(real)) == 60


@pytest.mark.parametrize("place", ["beside it", "elsewhere"])
def test_a_symbolic_link_stays_and_its_target_is_rotated(make_hooksd, tmp_path, place):
    there = tmp_path / place
    there.mkdir()
    daemon = make_hooksd(JSONL_PATH=there / "link" if place == "beside it" else tmp_path / "link", JSONL_ROTATE_BYTES="8K")
    daemon.jsonl_path.symlink_to(there / "events.jsonl")
    daemon.start()
    many(daemon, "x" * 200, 100)
    assert daemon.jsonl_path.is_symlink()
    files = sorted(there.glob("events.jsonl*"))
    assert len(files) > 3
    assert len(ids(*files)) == 100
