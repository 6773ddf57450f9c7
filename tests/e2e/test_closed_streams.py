"""Programs started with closed standard descriptors, as by cron, old init scripts and `ssh host 'cmd >&- 2>&- &'`."""

import itertools
import os
import subprocess

import pytest

from harness.daemon import BUILD_DIR, clean_environment
from harness.events import minimal
from harness.postgres import free_port

CLOSED = [which for count in (1, 2, 3) for which in itertools.combinations((0, 1, 2), count)]


def closing(descriptors):
    """A command prefix that closes these descriptors and executes the rest."""
    return ["sh", "-c", f'exec "$0" "$@" {" ".join(f"{descriptor}>&-" for descriptor in descriptors)}']


@pytest.fixture(params=CLOSED, ids=lambda which: "".join(map(str, which)))
def closed(request):
    return request.param


def test_the_service_runs_and_no_log_line_gets_into_its_files(closed, make_hooksd):
    daemon = make_hooksd(PORT=free_port(), ACK="queued")
    daemon.launcher = closing(closed)
    daemon.start_unheard()
    assert (daemon.directory / ".agentic/hooksd/lock").read_text() == f"{daemon.pid}\n"
    for descriptor in closed:
        for pid in [daemon.pid, *daemon.pids("acceptor"), *daemon.pids("writer")]:
            assert os.readlink(f"/proc/{pid}/fd/{descriptor}") == "/dev/null"
    status = daemon.hooksctl("status")
    assert status.returncode == 0, status.stderr
    assert daemon.post_event(minimal()).status == 202
    daemon.stop()
    assert len(daemon.jsonl_events()) == 1


def test_a_ring_with_events_is_adopted(closed, make_hooksd, database, postgres):
    daemon = make_hooksd(database, PORT=free_port(), ACK="queued", SPOOL_MAX_BYTES=0).start()
    postgres.stop()
    for _ in range(30):
        assert daemon.post_event(minimal()).headers["X-Hooks-Ack"] == "queued"
    daemon.kill()
    postgres.start()
    daemon.launcher = closing(closed)
    daemon.start_unheard()
    daemon.wait_stored(30)
    assert database.count() == 30


def test_hooksctl_damages_no_file_and_fails_when_it_cannot_print(closed, make_hooksd):
    daemon = make_hooksd(PORT=free_port()).start()
    lock = daemon.directory / ".agentic/hooksd/lock"
    for words in (["status"], ["spool", "list"], ["deadletter", "list"], ["health"]):
        command = [*closing(closed), BUILD_DIR / "hooksctl", *words]
        result = subprocess.run(command, env=clean_environment(daemon.options), cwd=daemon.directory, timeout=30)
        # `hooksctl health` needs no output: its answer is the exit code.
        assert result.returncode == (1 if 1 in closed and words != ["health"] else 0), words
    assert lock.read_text() == f"{daemon.pid}\n"
    assert daemon.post_event(minimal()).status == 202
