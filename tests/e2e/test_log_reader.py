"""A log whose reader has stopped reading: hooksd goes on working, and logs later how many lines it has dropped."""

import contextlib
import os
import pty
import re
import shutil
import signal
import socket
import threading

import pytest

from harness.daemon import BUILD_DIR
from harness.events import minimal
from harness.postgres import free_port
from harness.waiting import wait_until

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
LINE = re.compile(rf"{STAMP} (debug|info|warning|error) [\w-]+\[\d+\] .*")
DROPPED = re.compile(r"log lines were dropped lines=(\d+)")


class Pipe:
    """A named pipe."""

    def __init__(self, path):
        os.mkfifo(path)
        self.stderr = os.open(path, os.O_RDWR)
        self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def stall(self):
        other = os.open(f"/proc/self/fd/{self.stderr}", os.O_WRONLY | os.O_NONBLOCK)
        for size in (4096, 1):
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(other, b"x" * size)
        os.close(other)

    def read(self):
        return os.read(self.fd, 65536)

    def close(self):
        os.close(self.fd)
        os.close(self.stderr)


class PipeOfAnother(Pipe):
    """A pipe that hooksd's user may not open again."""

    user = 65534

    def __init__(self, path):
        self.fd, self.stderr = os.pipe()
        os.set_blocking(self.fd, False)


class Socket:
    """A socket, as some init systems and supervisors give it to their services."""

    def __init__(self, path):
        self.own, self.stderr = socket.socketpair()
        self.own.setblocking(False)

    def stall(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self.stderr.send(b"x" * 4096, socket.MSG_DONTWAIT)

    def read(self):
        return self.own.recv(65536)

    def close(self):
        self.own.close()
        self.stderr.close()


class Terminal:
    """A terminal in which Ctrl-S was pressed."""

    def __init__(self, path):
        self.fd, self.stderr = pty.openpty()
        os.set_blocking(self.fd, False)

    def stall(self):
        os.write(self.fd, b"\x13")

    def read(self):
        with contextlib.suppress(BlockingIOError):
            os.write(self.fd, b"\x11")
        return os.read(self.fd, 65536)

    def close(self):
        os.close(self.fd)
        os.close(self.stderr)


@pytest.fixture(params=[Pipe, PipeOfAnother, Socket, Terminal])
def reader(request, tmp_path):
    reader = request.param(tmp_path / "log")
    yield reader
    reader.close()


@contextlib.contextmanager
def reading(reader):
    """Reads without pause during the block. Yields a function that returns the lines read so far."""
    done = threading.Event()
    read = bytearray()

    def run():
        while not done.is_set():
            try:
                read.extend(reader.read())
            except BlockingIOError:
                done.wait(0.01)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        lines = lambda: (line.strip("\rx") for line in read.decode().split("\n"))
        yield lambda: [line for line in lines() if line]
    finally:
        done.set()
        thread.join()


def start(make_hooksd, reader, database, **options):
    daemon = make_hooksd(database, PORT=free_port(), LOG_LEVEL="debug", **options)
    daemon.stderr = reader.stderr
    if hasattr(reader, "user"):
        if os.geteuid() != 0:
            pytest.skip("needs root to become another user")
        os.chown(daemon.directory, reader.user, -1)
        for parent in list(daemon.directory.parents)[:3]:
            os.chmod(parent, 0o755)
        shutil.copy(BUILD_DIR / "hooksd", daemon.directory)  # the other user may not see the build directory
        daemon.launcher = ["setpriv", f"--reuid={reader.user}", "--clear-groups", "sh", "-c", 'exec ./hooksd "$@"']
    return daemon.start_unheard()


def test_an_outage_is_survived_although_the_log_is_not_read(reader, database, make_hooksd, postgres):
    daemon = start(make_hooksd, reader, database, WRITERS=2)
    assert daemon.post_event(minimal()).status == 202
    reader.stall()
    postgres.stop(signal.SIGQUIT)
    for number in range(20):
        reply = daemon.post_event(minimal(session_id=f"s{number}"))
        assert (reply.status, reply.headers["X-Hooks-Ack"]) == (202, "spooled")
    assert daemon.get("/health").json()["status"] == "degraded"
    # A writer that dies then is replaced.
    writers = daemon.pids("writer")
    os.kill(writers[0], signal.SIGKILL)
    wait_until(lambda: len(daemon.pids("writer")) == 2 and writers[0] not in daemon.pids("writer"), "a new writer")
    postgres.start()
    daemon.wait_spool_empty()
    assert database.count() == 21
    daemon.stop()


def hear_a_line_of(daemon, lines):
    """Whether the master's line about a HUP comes soon. The first lines are dropped until the log has room again."""
    daemon.signal(signal.SIGHUP)
    with contextlib.suppress(AssertionError):
        return wait_until(lambda: any("SIGHUP" in line for line in lines()), "it", 1)


def test_the_next_line_counts_the_dropped_lines(reader, make_hooksd):
    daemon = start(make_hooksd, reader, None)
    reader.stall()
    before = daemon.pids("acceptor")
    os.kill(before[0], signal.SIGKILL)  # the master writes two lines: the death and the new start
    wait_until(lambda: len(daemon.pids("acceptor")) == 2 and before[0] not in daemon.pids("acceptor"), "a new acceptor")
    with reading(reader) as lines:
        wait_until(lambda: hear_a_line_of(daemon, lines), "a line of the master")
        daemon.stop()
        wait_until(lambda: any(" stopped received=" in line for line in lines()), "the last line")
        heard = lines()
    before_hup = next(number for number, line in enumerate(heard) if "SIGHUP" in line)
    counts = [DROPPED.search(line) for line in heard[:before_hup] if f" master[{daemon.pid}] " in line]
    assert sum(int(count.group(1)) for count in counts if count) >= 1
    assert [line for line in heard if not LINE.fullmatch(line)] == []


def test_the_service_goes_on_with_a_closed_log(make_hooksd, tmp_path):
    reading, writing = os.pipe()
    daemon = make_hooksd(PORT=free_port())
    daemon.stderr = writing
    daemon.start_unheard()
    os.close(writing)
    os.close(reading)
    daemon.signal(signal.SIGHUP)
    assert daemon.post_event(minimal()).status == 202
    daemon.stop()
