"""Under a service manager: sockets that it opened (sd_listen_fds), messages that it wants to hear (sd_notify)."""

import http.client
import os
import re
import signal
import socket
import sys
import threading
import time

import pytest

from harness.client import Client, RawConnection, http_post
from harness.events import minimal
from harness.waiting import wait_until

# Puts the descriptors of its first argument at 3, 4, ... and becomes the rest of its arguments, as a manager's child does.
LAUNCH = """
import os, sys
fds = [os.dup(int(fd)) for fd in sys.argv[1].split(",")]
while min(fds) < 3 + len(fds):
    fds = [os.dup(fd) for fd in fds]
for number, fd in enumerate(fds):
    os.dup2(fd, 3 + number)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(fds))}
os.execv(sys.argv[2], sys.argv[2:])
"""


def pass_descriptors(daemon, fds):
    daemon.launcher = [sys.executable, "-c", LAUNCH, ",".join(map(str, fds))]
    daemon.pass_fds = fds


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        yield listener


def test_a_restart_refuses_no_connection_on_a_passed_socket(make_hooksd, listener):
    port = listener.getsockname()[1]
    daemon = make_hooksd(ACCEPTORS=2)
    pass_descriptors(daemon, [listener.fileno()])
    daemon.start()
    assert daemon.port == port
    assert "host=127.0.0.1" in daemon.log()
    stop = threading.Event()
    statuses, refused = [], []

    def post_all_the_time():
        while not stop.is_set():
            try:
                with Client(port) as client:
                    statuses.append(client.post_event(minimal()).status)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                pass  # let in by the old one, which left before the request came
            except OSError as error:
                refused.append(error)

    senders = [threading.Thread(target=post_all_the_time) for _ in range(4)]
    for sender in senders:
        sender.start()
    try:
        for _ in range(3):
            before = len(statuses)
            wait_until(lambda: statuses[before:].count(202) > 20, "answers")
            daemon.restart()
    finally:
        stop.set()
        for sender in senders:
            sender.join()
    assert refused == []
    assert set(statuses) - {503} == {202}  # 503: come again, the new one's store is not open yet
    assert len(daemon.jsonl_lines()) >= statuses.count(202)


def test_who_connects_while_no_service_runs_is_answered_by_the_next(make_hooksd, listener):
    daemon = make_hooksd()
    pass_descriptors(daemon, [listener.fileno()])
    daemon.start()
    daemon.stop()
    with RawConnection(daemon.port) as connection:
        connection.send(http_post("/livez", b"").replace(b"POST", b"GET", 1))
        daemon.start()
        assert connection.read_reply().status == 200


def test_several_passed_sockets_are_all_served(make_hooksd, listener):
    """Also by fewer acceptors than there are sockets."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        daemon = make_hooksd(ACCEPTORS=1)
        pass_descriptors(daemon, [listener.fileno(), other.fileno()])
        daemon.start()
        for each in (listener, other):
            with Client(each.getsockname()[1]) as client:
                assert client.post_event(minimal()).status == 202


def test_what_was_passed_to_another_process_is_left_alone(hooksd):
    daemon = hooksd(LISTEN_PID=1, LISTEN_FDS=1)
    assert daemon.post_event(minimal()).status == 202


def test_a_passed_descriptor_that_does_not_listen_is_refused(make_hooksd, tmp_path):
    with open(tmp_path / "file", "w") as file, socket.socket() as silent, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        for each in (file, silent, datagrams):
            daemon = make_hooksd()
            pass_descriptors(daemon, [each.fileno()])
            daemon.spawn()
            daemon.wait_exit(1)
            assert "descriptor 3 is no listening TCP socket" in daemon.log()


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address[0] == "@" else address)
        self.socket.settimeout(15)

    def hear(self):
        return self.socket.recv(4096).decode().split("\n")


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    address = str(tmp_path / "notify") if request.param == "path" else f"@hooksd-e2e-{os.getpid()}"
    manager = Manager(address)
    manager.address = address
    with manager.socket:
        yield manager


def test_the_manager_hears_of_start_reload_and_stop(manager, hooksd):
    daemon = hooksd(NOTIFY_SOCKET=manager.address)
    ready, status = manager.hear()
    assert ready == "READY=1"
    assert status == f"STATUS=serving on 127.0.0.1 port {daemon.port}, storage jsonl"
    before = set(daemon.pids("acceptor"))
    asked = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    daemon.signal(signal.SIGHUP)
    reloading, moment = manager.hear()
    assert reloading == "RELOADING=1"
    assert int(re.fullmatch(r"MONOTONIC_USEC=(\d+)", moment).group(1)) >= asked
    assert manager.hear() == ["READY=1"]
    assert not before & set(daemon.pids("acceptor"))
    daemon.stop()
    assert manager.hear()[0] == "STOPPING=1"


def test_the_watchdog_is_fed(tmp_path, hooksd):
    manager = Manager(str(tmp_path / "notify"))
    with manager.socket:
        hooksd(NOTIFY_SOCKET=tmp_path / "notify", WATCHDOG_USEC=400_000)
        messages = [manager.hear() for _ in range(6)]
        assert messages.count(["WATCHDOG=1"]) == 5  # the other one is READY=1
