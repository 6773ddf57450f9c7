"""hooksd tells a lock that another process holds from a file system without locks."""

import errno
import os

import pytest

from harness.daemon import BUILD_DIR
from harness.events import minimal

NONE = [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP]


def without_locks(call, error, path):
    return {"LD_PRELOAD": BUILD_DIR / "tests/preload/nolocks.so", "NOLOCKS_CALL": call, "NOLOCKS_ERROR": error,
            "NOLOCKS_PATH": path, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}


def refusal(daemon):
    daemon.spawn()
    daemon.wait_exit(1)
    return daemon.log()


@pytest.mark.parametrize("error", NONE)
@pytest.mark.parametrize("call", ["flock", "fcntl"])
def test_a_ring_on_a_file_system_without_locks_is_not_reported_as_in_use(make_hooksd, call, error):
    daemon = make_hooksd()
    ring = daemon.options["RING_PATH"]
    daemon.options |= without_locks(call, error, os.path.basename(ring))
    log = refusal(daemon)
    assert "cannot start" in log and "put it into /dev/shm" in log and os.strerror(error) in log
    assert "in use" not in log
    os.unlink(ring)


@pytest.mark.parametrize("error", NONE)
def test_a_data_dir_on_a_file_system_without_locks_is_not_reported_as_in_use(make_hooksd, error):
    daemon = make_hooksd()
    daemon.options |= without_locks("flock", error, "/hooksd/lock")
    log = refusal(daemon)
    assert "cannot start" in log and "cannot lock DATA_DIR" in log and os.strerror(error) in log
    assert "in use" not in log


@pytest.mark.parametrize("error", NONE)
def test_a_jsonl_file_on_a_file_system_without_locks_stores_events(make_hooksd, error):
    daemon = make_hooksd()
    daemon.options |= without_locks("flock", error, ".events.jsonl.lock")
    daemon.start()
    daemon.wait_for_log(f"cannot lock the JSONL file against another hooksd.*{os.strerror(error)}")
    assert daemon.post_event(minimal()).status == 202


def test_an_error_about_a_ring_in_use_names_its_masters_pid(hooksd, make_hooksd):
    first = hooksd()
    second = make_hooksd(RING_PATH=first.options["RING_PATH"])
    assert f"is in use by another hooksd (master pid {first.pid})" in refusal(second)


def test_another_programs_file_with_the_locks_name_is_left_unchanged(make_hooksd):
    """DATA_DIR is an existing directory of another program."""
    daemon = make_hooksd(DATA_DIR="project")
    lock = daemon.directory / "project/lock"
    lock.parent.mkdir()
    lock.write_text("2026-11-28: the versions of everything that we depend on\n")
    before = lock.read_bytes()
    log = refusal(daemon)
    assert "cannot start" in log and f"project/lock is another program's file" in log
    assert lock.read_bytes() == before


@pytest.mark.parametrize("left", [b"", b"12345\n", bytes(6), b"\xff" * 16, b"no pid\n"])
def test_the_service_starts_with_a_lock_file_torn_by_a_power_cut(make_hooksd, left):
    daemon = make_hooksd(DATA_DIR="data")
    lock = daemon.directory / "data/lock"
    lock.parent.mkdir()
    lock.write_bytes(left)
    daemon.start()
    assert lock.read_text() == f"{daemon.pid}\n"
