"""hooksctl: the status of a service, as an operator sees it."""

import os
import re
import signal

import pytest

from harness.daemon import run_program
from harness.events import minimal
from harness.waiting import wait_until


def processes(status):
    """The processes in the output of status: {"writer-0": pid}."""
    return {name: int(pid) for name, pid in re.findall(r"^((?:acceptor|writer)-\d+) +(\d+) ", status, re.M)}


def counters(status):
    return {name: int(value) for name, value in re.findall(r"^(\w+_total) +(\d+)$", status, re.M)}


def test_status_shows_processes_lanes_depth_and_counters(hooksd):
    daemon = hooksd(ACCEPTORS=2, ACK="queued")
    assert daemon.post_batch([minimal()] * 7).status == 202
    daemon.wait_stored(7)
    status = daemon.hooksctl("status")
    assert status.returncode == 0, status.stderr
    assert f"master {daemon.pid} (running" in status.stdout
    acceptors, writers = daemon.pids("acceptor"), daemon.pids("writer")
    assert processes(status.stdout) == dict(zip(["acceptor-0", "acceptor-1", "writer-0"], acceptors + writers))
    assert "\nLANES: acceptor -> writer\n" in status.stdout
    assert len(re.findall(r"^\d+ -> \d+ +0 +0 +\d+$", status.stdout, re.M)) == 2
    metrics = counters(status.stdout)
    assert (metrics["events_received_total"], metrics["events_stored_total"]) == (7, 7)


def test_status_shows_waiting_requests_of_each_lane(hooksd):
    daemon = hooksd(ACCEPTORS=1, ACK="queued")
    writer = daemon.pids("writer")[0]
    os.kill(writer, signal.SIGSTOP)
    assert daemon.post_batch([minimal()] * 43).status == 202
    assert " 43 events waiting" in daemon.hooksctl("status").stdout
    os.kill(writer, signal.SIGCONT)
    daemon.wait_stored(43)
    wait_until(lambda: " 0 events waiting" in daemon.hooksctl("status").stdout, "an empty ring")


def test_status_accepts_the_rings_path_by_a_flag(hooksd):
    daemon = hooksd()
    status = run_program("hooksctl", "status", f"--ring-path={daemon.options['RING_PATH']}")
    assert status.returncode == 0, status.stderr
    assert str(daemon.pid) in status.stdout


def test_status_shows_replaced_processes(hooksd):
    daemon = hooksd()
    before = processes(daemon.hooksctl("status").stdout)["writer-0"]
    os.kill(before, signal.SIGKILL)

    def followed():
        pid = processes(daemon.hooksctl("status").stdout)["writer-0"]
        return pid not in (0, before) and [pid] == daemon.pids("writer")

    wait_until(followed, "the new writer's pid")


def test_status_without_a_daemon_says_so(tmp_path):
    result = run_program("hooksctl", "status", f"--ring-path={tmp_path}/none.ring")
    assert result.returncode != 0
    assert "none.ring" in result.stderr


def test_status_refuses_a_file_that_is_no_ring(tmp_path):
    path = tmp_path / "file"
    for content in (b"", b"x", b"something else entirely" * 5000):
        path.write_bytes(content)
        result = run_program("hooksctl", "status", f"--ring-path={path}")
        assert result.returncode != 0
        assert str(path) in result.stderr
        assert path.read_bytes() == content


def test_status_of_a_stopped_daemon_says_that_it_does_not_run(hooksd):
    daemon = hooksd(ACK="queued")
    os.kill(daemon.pids("writer")[0], signal.SIGSTOP)
    assert daemon.post_batch([minimal()] * 5).status == 202
    daemon.kill()
    status = daemon.hooksctl("status")
    assert "not running" in (status.stdout + status.stderr).lower()
    daemon.start()
    daemon.wait_stored(5)


def test_help_names_the_commands():
    result = run_program("hooksctl", "--help")
    assert result.returncode == 0
    assert "status" in result.stdout and "migrate" in result.stdout


@pytest.mark.parametrize("arguments,told", [
    ([], "usage: hooksctl"),
    (["no-such-command"], "no-such-command"),
    (["status", "--no-such-flag"], "--no-such-flag"),
])
def test_wrong_usage_is_told(arguments, told):
    result = run_program("hooksctl", *arguments)
    assert result.returncode == 64
    assert told in result.stderr
