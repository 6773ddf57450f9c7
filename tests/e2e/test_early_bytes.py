"""Clients that send more bytes, or leave, while their request waits for the store."""

import contextlib
import os
import signal
import socket
import struct
from pathlib import Path

import pytest

from harness.client import encode, http_post
from harness.events import minimal
from harness.waiting import wait_until

LARGE = minimal(data={"text": "x" * 20_000})  # more than one read takes


@pytest.fixture
def daemon(hooksd):
    return hooksd(ACCEPTORS=1, WRITERS=1)


@pytest.fixture
def writer(daemon):
    """The pid of the writer, which is stopped until a test sends SIGCONT."""
    pid = daemon.pids("writer")[0]
    os.kill(pid, signal.SIGSTOP)
    yield pid
    os.kill(pid, signal.SIGCONT)


def post(daemon, connection, event=None):
    """Sends a request, which then waits for the writer."""
    before = daemon.metrics()["events_received_total"]
    connection.send(http_post("/events", encode(event or minimal())))
    wait_until(lambda: daemon.metrics()["events_received_total"] == before + 1, "the event to be received")


def state(pid):
    return Path("/proc", str(pid), "stat").read_text().rsplit(")", 1)[1].split()[0]


def wait_unconcerned(daemon):
    """Waits until the acceptor sleeps, and checks that it answers others."""
    wait_until(lambda: state(daemon.pids("acceptor")[0]) == "S", "the acceptor to sleep")
    assert daemon.get("/livez").status == 200


def test_pipelined_requests_are_answered_after_the_waiting_one(daemon, writer):
    event = encode(LARGE)
    following = http_post("/events", event) + http_post("/events", b"{}") + http_post("/events", event)
    with daemon.raw() as connection:
        post(daemon, connection)
        for part in (following[: len(event) // 2], following[len(event) // 2 :]):
            connection.send(part)
            wait_unconcerned(daemon)
        os.kill(writer, signal.SIGCONT)
        assert [connection.read_reply().status for _ in range(4)] == [202, 202, 422, 202]
    assert len(daemon.jsonl_lines()) == 3


def test_a_client_that_has_shut_down_its_side_gets_its_reply(daemon, writer):
    with daemon.raw() as connection:
        post(daemon, connection, LARGE)
        connection.socket.shutdown(socket.SHUT_WR)
        wait_unconcerned(daemon)
        os.kill(writer, signal.SIGCONT)
        assert connection.read_reply().status == 202
        assert connection.closed_by_peer()


def test_events_of_a_client_that_disconnects_early_are_stored(daemon, writer):
    with daemon.raw() as connection:
        post(daemon, connection)
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
    wait_unconcerned(daemon)
    os.kill(writer, signal.SIGCONT)
    daemon.wait_stored(1)
    assert daemon.post_event(minimal()).status == 202


def test_clients_that_pipeline_without_pause_get_every_reply(daemon):
    """Bytes arrive before, while and right after a request is answered."""
    request = http_post("/events", encode(minimal(data={"text": "x" * 3000})))
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(daemon.raw()) for _ in range(8)]
        for at in range(0, 60 * len(request), 2000):  # 60 requests per connection, in pieces with random ends
            for connection in connections:
                connection.send((request * 60)[at : at + 2000])
        for connection in connections:
            assert [connection.read_reply().status for _ in range(60)] == [202] * 60
    assert len(daemon.jsonl_lines()) == 480
