"""TLS records that arrive in parts, clients' close_notify, and bytes after a last request."""

import contextlib
import os
import re
import signal
import socket
import ssl
import time

import pytest

from harness.certificates import Authority
from harness.client import http_post
from harness.waiting import wait_until

POST = http_post("/events", b'{"event_type":"a","session_id":"s"}')


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "authority")


@pytest.fixture
def tls_hooksd(make_hooksd, authority):
    """Makes and starts a daemon with one acceptor."""

    def start(**options):
        certificate, key = authority.issue("localhost")
        daemon = make_hooksd(TLS_CERT_FILE=certificate, TLS_KEY_FILE=key, ACCEPTORS=1, **options)
        daemon.tls = ssl.create_default_context(cafile=authority.certificate)
        return daemon.start()

    return start


class Wire:
    """A TLS client whose bytes the test sends, in parts or several records at once."""

    def __init__(self, daemon):
        self.socket = socket.create_connection(("127.0.0.1", daemon.port), timeout=30)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = daemon.tls.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()

    def bytes_of(self, call, *args):
        """The bytes that the client would send by that call, which may need an answer."""
        try:
            call(*args)
        except ssl.SSLWantReadError:
            pass
        return self.outgoing.read()

    def finish(self, call, *args):
        """Repeats the call until it needs no more bytes from the server."""
        while True:
            try:
                result = call(*args)
            except ssl.SSLWantReadError:
                self.flush()
                self.incoming.write(self.socket.recv(65536)) or self.incoming.write_eof()
            else:
                self.flush()
                return result

    def flush(self):
        self.socket.sendall(self.outgoing.read())


def test_a_client_that_sends_close_notify_is_closed_also_if_it_sends_on(tls_hooksd):
    daemon = tls_hooksd()
    with daemon.raw() as connection:
        plain = connection.socket.unwrap()  # waits for the service's close_notify
        with plain:
            assert plain.recv(1) == b""
    with Wire(daemon) as wire:
        wire.finish(wire.tls.do_handshake)
        wire.socket.sendall(wire.bytes_of(wire.tls.write, POST) + wire.bytes_of(wire.tls.unwrap))
        assert wire.finish(wire.tls.read, 65536).startswith(b"HTTP/1.1 202 ")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(1000):
                wire.socket.sendall(bytes(65536))


def test_a_request_whose_first_record_arrives_in_parts_is_not_idle(tls_hooksd):
    daemon = tls_hooksd(IDLE_TIMEOUT_SECONDS=1, REQUEST_TIMEOUT_SECONDS=60)
    with Wire(daemon) as wire:
        wire.finish(wire.tls.do_handshake)
        record = wire.bytes_of(wire.tls.write, POST)
        wire.socket.sendall(record[:20])
        with daemon.raw() as silent:
            assert silent.closed_by_peer()
        wire.socket.sendall(record[20:])
        assert wire.finish(wire.tls.read, 65536).startswith(b"HTTP/1.1 202 ")


def test_bytes_of_an_incomplete_record_count_for_the_minimum_rate(tls_hooksd):
    """A client at the minimum rate takes 16 seconds for a record of 16 KiB."""
    daemon = tls_hooksd(REQUEST_TIMEOUT_SECONDS=6)
    with Wire(daemon) as wire:
        wire.finish(wire.tls.do_handshake)
        record = wire.bytes_of(wire.tls.write, http_post("/events", b'{"event_type":"a","session_id":"s"}' + b" " * 12000))
        wire.socket.sendall(record[:-1])
        with daemon.raw() as slow:
            slow.send(POST[:20])
            assert slow.read_reply().status == 408
        wire.socket.sendall(record[-1:])
        assert wire.finish(wire.tls.read, 65536).startswith(b"HTTP/1.1 202 ")


def test_a_handshake_has_no_minimum_rate(tls_hooksd):
    daemon = tls_hooksd(REQUEST_TIMEOUT_SECONDS=6)
    with Wire(daemon) as wire, daemon.raw() as slow:
        hello = wire.bytes_of(wire.tls.do_handshake)
        wire.socket.sendall(hello[:20])
        slow.send(POST[:20])
        reply = slow.read_reply()
        assert reply.status == 408 and b"MIN_REQUEST_RATE" in reply.body
        wire.socket.sendall(hello[20:])
        wire.finish(wire.tls.do_handshake)
        wire.finish(wire.tls.write, POST)
        assert wire.finish(wire.tls.read, 65536).startswith(b"HTTP/1.1 202 ")


@contextlib.contextmanager
def unanswered_in_a_roll(daemon):
    """
    A connection with a request that the acceptor has and whose event no writer stores, while the acceptor is being
    replaced.
    """
    [writer] = daemon.pids("writer")
    os.kill(writer, signal.SIGSTOP)
    with daemon.raw() as connection:
        connection.send(POST)
        wait_until(lambda: daemon.metrics()["events_received_total"] == 1, "the event to be received")
        connection.send(POST * 300)
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: re.search(r"^acceptor.* draining ", daemon.hooksctl("status").stdout, re.MULTILINE), "a roll")
        yield connection
        os.kill(writer, signal.SIGCONT)
        reply = connection.read_reply()
        assert (reply.status, reply.headers["connection"]) == (202, "close")
        assert connection.socket.recv(1) == b""


def test_the_last_answer_before_a_reload_reaches_a_client_that_has_sent_more(tls_hooksd):
    with unanswered_in_a_roll(tls_hooksd()):
        pass


@pytest.mark.wanted_by("SLOW_TESTS")
def test_a_stop_in_the_middle_of_a_reload_has_its_whole_timeout(tls_hooksd):
    daemon = tls_hooksd(DRAIN_TIMEOUT_SECONDS=10)
    begun = time.monotonic()
    with unanswered_in_a_roll(daemon):
        wait_until(lambda: time.monotonic() > begun + 6, "most of the roll's time to pass")
        daemon.signal(signal.SIGTERM)
        wait_until(lambda: time.monotonic() > begun + 9, "the rest of it to pass")
    daemon.wait_exit(0)
