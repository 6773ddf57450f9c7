"""Under a service manager: sockets that the manager opened (sd_listen_fds), and messages to it (sd_notify)."""

import os
import re
import signal
import socket
import time

import pytest

from harness.client import Client, RawConnection, http_post
from harness.events import minimal
from harness.listening import pass_descriptors

@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        yield listener


def test_the_ready_line_names_the_passed_socket(make_hooksd, listener):
    daemon = make_hooksd(ACCEPTORS=2)
    pass_descriptors(daemon, [listener.fileno()])
    daemon.start()
    assert daemon.port == listener.getsockname()[1]
    assert "host=127.0.0.1" in daemon.log()
    assert daemon.post_event(minimal()).status == 202


def test_clients_that_connect_between_two_services_are_answered_by_the_next(make_hooksd, listener):
    daemon = make_hooksd()
    pass_descriptors(daemon, [listener.fileno()])
    daemon.start()
    daemon.stop()
    with RawConnection(daemon.port) as connection:
        connection.send(http_post("/livez", b"").replace(b"POST", b"GET", 1))
        daemon.start()
        assert connection.read_reply().status == 200


def test_several_passed_sockets_are_all_served(make_hooksd, listener):
    """This includes fewer acceptors than sockets."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        daemon = make_hooksd(ACCEPTORS=1)
        pass_descriptors(daemon, [listener.fileno(), other.fileno()])
        daemon.start()
        for each in (listener, other):
            with Client(each.getsockname()[1]) as client:
                assert client.post_event(minimal()).status == 202


def test_descriptors_passed_to_another_process_are_ignored(hooksd):
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


def test_the_manager_is_notified_of_start_reload_and_stop(manager, hooksd):
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


def test_the_watchdog_is_notified(tmp_path, hooksd):
    manager = Manager(str(tmp_path / "notify"))
    with manager.socket:
        hooksd(NOTIFY_SOCKET=tmp_path / "notify", WATCHDOG_USEC=400_000)
        messages = [manager.hear() for _ in range(6)]
        assert messages.count(["WATCHDOG=1"]) == 5  # the sixth message is READY=1
