"""Connections: the time-outs of idle connections and of slow requests, and bytes that are not HTTP."""

import contextlib
import os
import select
import signal
import socket
import ssl

import pytest

from harness.client import detail, http_post
from harness.events import minimal
from harness.metrics import metrics, series
from harness.waiting import wait_until

BODY = b'{"event_type":"a","session_id":"s"}'
POST = http_post("/events", BODY)
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.fixture
def daemon(shared_hooksd):
    return shared_hooksd()


def rejected(daemon, reason):
    return series(daemon)[f'requests_rejected_total{{reason="{reason}"}}']


def other_4xx(daemon):
    return series(daemon)['http_requests_total{route="other",status="4xx"}']


def waits(connection, seconds):
    """Whether the server sends nothing and does not close for so long."""
    connection.socket.settimeout(seconds)
    try:
        connection.socket.recv(1)
        return False
    except TimeoutError:
        return True
    finally:
        connection.socket.settimeout(30)


# Time-outs


def test_an_idle_connection_may_outlast_the_request_timeout(hooksd):
    daemon = hooksd(IDLE_TIMEOUT_SECONDS=60, REQUEST_TIMEOUT_SECONDS=1)
    with daemon.raw() as used, daemon.raw() as fresh, daemon.raw() as dawdling:
        used.send(POST)
        assert used.read_reply().status == 202
        dawdling.send(POST[:-1])
        assert dawdling.read_reply().status == 408  # the other connections have been idle for longer by now
        for connection in (used, fresh):
            connection.send(POST)
            assert connection.read_reply().status == 202
    assert len(daemon.jsonl_lines()) == 3


def test_a_slow_request_may_outlast_the_idle_timeout(hooksd):
    daemon = hooksd(IDLE_TIMEOUT_SECONDS=1, REQUEST_TIMEOUT_SECONDS=60)
    with daemon.raw() as slow, daemon.raw() as slower, daemon.raw() as resting:
        slow.send(POST[:20])
        slower.send(POST[:-5])
        assert resting.closed_by_peer()
        slow.send(POST[20:])
        slower.send(POST[-5:])
        assert slow.read_reply().status == slower.read_reply().status == 202


def test_idle_connections_are_closed_without_a_message(hooksd):
    """A client could take a message for the answer to a request that it has just sent."""
    daemon = hooksd(IDLE_TIMEOUT_SECONDS=1)
    with daemon.raw() as used, daemon.raw() as fresh, daemon.raw() as empty_lines:
        used.send(POST)
        assert used.read_reply().status == 202
        empty_lines.send(b"\r\n\r\n")
        for connection in (used, fresh, empty_lines):
            assert connection.closed_by_peer()
    assert rejected(daemon, "timeout") == 0


def test_the_idle_timeout_begins_with_each_answer(hooksd):
    daemon = hooksd(IDLE_TIMEOUT_SECONDS=2, ACCEPTORS=1)
    with daemon.raw() as used, daemon.raw() as fresh:
        assert waits(used, 1)
        used.send(LIVEZ)
        assert used.read_reply().status == 200
        assert fresh.closed_by_peer()
        used.send(LIVEZ)
        assert used.read_reply().status == 200


@pytest.mark.parametrize("sent", [
    POST[:1], POST[:40], POST[:-len(BODY)], POST[:-1],
    b"POST /events HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"eve",
], ids=["a byte", "half a head", "no body", "all but a byte", "half a chunk"])
def test_an_incomplete_request_gets_408(shared_hooksd, sent):
    daemon = shared_hooksd(REQUEST_TIMEOUT_SECONDS=1, MIN_REQUEST_RATE=0)
    before = rejected(daemon, "timeout"), other_4xx(daemon)
    with daemon.raw() as connection:
        connection.send(sent)
        reply = connection.read_reply()
        assert reply.status == 408
        assert "REQUEST_TIMEOUT_SECONDS" in detail(reply)
        assert connection.closed_by_peer()
    assert (rejected(daemon, "timeout"), other_4xx(daemon)) == (before[0] + 1, before[1] + 1)
    assert daemon.jsonl_lines() == []


SLOW = 400


def answered_before_all_of(connection, slow):
    """Whether /livez is answered on that connection before all of the slow ones have got their 408."""
    select.select(slow, [], [])
    connection.send(LIVEZ)
    assert connection.read_reply().status == 200
    return len(select.select(slow, [], [], 0)[0]) < len(slow)


@pytest.mark.parametrize("options", [{"REQUEST_TIMEOUT_SECONDS": 3, "MIN_REQUEST_RATE": 0}, {"REQUEST_TIMEOUT_SECONDS": 9}],
                         ids=["timeout", "rate"])
def test_others_are_answered_while_hundreds_of_slow_requests_end(hooksd, options):
    daemon, clock = hooksd(ACCEPTORS=1, **options), hooksd(ACCEPTORS=1, **options)
    acceptor, = daemon.pids("acceptor")
    for _ in range(10):  # all may end before a busy machine lets this process run
        with daemon.raw() as other, contextlib.ExitStack() as stack:
            slow = [stack.enter_context(daemon.raw()) for _ in range(SLOW)]
            for connection in slow:
                connection.send(POST[:-1])
            wait_until(lambda: metrics(daemon)["connections"] > SLOW, "all connections")
            os.kill(acceptor, signal.SIGSTOP)
            with clock.raw() as later:  # when its time is over, so is that of all the others
                later.send(POST[:-1])
                assert later.read_reply().status == 408
            os.kill(acceptor, signal.SIGCONT)
            if answered_before_all_of(other, [connection.socket for connection in slow]):
                return
    raise AssertionError("no request was answered while slow ones were refused")


def test_slow_bytes_do_not_extend_the_request_timeout(shared_hooksd):
    daemon = shared_hooksd(REQUEST_TIMEOUT_SECONDS=1, MIN_REQUEST_RATE=0)
    before = rejected(daemon, "timeout")
    with daemon.raw() as connection:
        for byte in range(len(POST) - 1):
            connection.send(POST[byte : byte + 1])
            if not waits(connection, 0.1):
                break
        else:
            pytest.fail("all of it was taken")
    assert rejected(daemon, "timeout") == before + 1


def test_a_request_that_waits_for_the_store_does_not_time_out(hooksd):
    daemon = hooksd(REQUEST_TIMEOUT_SECONDS=1, IDLE_TIMEOUT_SECONDS=1)
    writer = daemon.pids("writer")[0]
    with daemon.raw() as connection, daemon.raw() as dawdling:
        os.kill(writer, signal.SIGSTOP)
        try:
            connection.send(POST)
            dawdling.send(POST[:-1])
            assert dawdling.read_reply().status == 408
            assert waits(connection, 1)
        finally:
            os.kill(writer, signal.SIGCONT)
        assert connection.read_reply().status == 202
        connection.send(POST[:-1])  # the next request has a time-out of its own
        assert connection.read_reply().status == 408


def test_replies_state_the_idle_timeout(hooksd):
    daemon = hooksd(IDLE_TIMEOUT_SECONDS=77)
    with daemon.raw() as connection:
        for request in (POST, LIVEZ, http_post("/events", b"[]"), b"GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n"):
            connection.send(request)
            assert connection.read_reply().headers["Keep-Alive"] == "timeout=77"
        connection.send(http_post("/events", BODY, ["Connection: close"]))
        assert connection.read_reply().headers["Keep-Alive"] is None


def test_idle_connections_are_closed_when_descriptors_run_out(make_hooksd):
    daemon = make_hooksd(ACCEPTORS=1)
    daemon.launcher = ["prlimit", "--nofile=64:64"]
    daemon.start()
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(daemon.raw())
        for _ in range(20):
            assert daemon.post_event(minimal()).status == 202


# Bytes that are not HTTP


NOT_HTTP = {
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "TLS"),
    "SOCKS 4": (b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00", 400, "not HTTP"),
    "SOCKS 5": (b"\x05\x01\x00", 400, "not HTTP"),
    "PostgreSQL": (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", 400, "not HTTP"),
    "a body alone": (BODY, 400, "not HTTP"),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", 400, "HTTP/1.1"),
    "HTTP/0.9": (b"GET /\r\n", 400, "HTTP/1.1"),
    "version 0.9": (b"GET / HTTP/0.9\r\n\r\n", 400, "HTTP/1.1"),
    "no line": (b"GET\r\n\r\n", 400, "not HTTP"),
    "a blank in the path": (b"GET /a b HTTP/1.1\r\n\r\n", 400, "%20"),
    "no header": (b"GET / HTTP/1.1\r\nnonsense\r\n\r\n", 400, "Name: value"),
    "many headers": (b"GET /livez HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n", 431, "more than 100"),
    "large headers": (b"GET /livez HTTP/1.1\r\nX: " + b"y" * 500_000, 431, "too large"),
    "a long path": (b"GET /" + b"y" * 500_000, 414, "too long"),
    "damaged chunks": (b"POST /events HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "chunk"),
    "no length": (b"POST /events HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, "Content-Length"),
    "an expectation": (b"POST /events HTTP/1.1\r\nExpect: wonders\r\nContent-Length: 2\r\n\r\n{}", 417, "expectation"),
}


def check_refused(connection, status, words):
    reply = connection.read_reply()
    assert reply.status == status
    assert words in detail(reply)
    assert reply.headers["Connection"] == "close"
    assert connection.closed_by_peer()


@pytest.mark.parametrize("kind", NOT_HTTP)
@pytest.mark.parametrize("before", [b"", POST], ids=["at first", "after a request"])
def test_bytes_that_are_not_http_are_answered_and_counted(shared_hooksd, kind, before):
    sent, status, words = NOT_HTTP[kind]
    daemon = shared_hooksd(ACCEPTORS=1, LOG_LEVEL="debug")
    pids, counted = daemon.pids("acceptor"), (rejected(daemon, "http"), other_4xx(daemon))
    for together in (True, False):  # together with the request before, or after its answer
        with daemon.raw() as connection:
            if before and not together:
                connection.send(before)
                assert connection.read_reply().status == 202
                connection.send(sent)
            else:
                connection.send(before + sent)
                if before:
                    assert connection.read_reply().status == 202
            check_refused(connection, status, words)
    assert (rejected(daemon, "http"), other_4xx(daemon)) == (counted[0] + 2, counted[1] + 2)
    assert daemon.pids("acceptor") == pids
    daemon.wait_for_log(rf"debug acceptor-0\S+ refused .*peer=127.0.0.1 status={status} ", count=2)


def test_a_tls_handshake_on_the_plain_port_is_counted(daemon):
    before = rejected(daemon, "http")
    context = ssl.create_default_context()
    with socket.create_connection(("127.0.0.1", daemon.port)) as plain:
        with pytest.raises(ssl.SSLError, match="WRONG_VERSION_NUMBER"):
            context.wrap_socket(plain, server_hostname="localhost")
    assert rejected(daemon, "http") == before + 1


def test_a_hundred_headers_are_accepted(daemon):
    with daemon.raw() as connection:
        connection.send(b"GET /livez HTTP/1.1\r\nHost: h\r\n" + b"X: y\r\n" * 99 + b"\r\n")
        assert connection.read_reply().status == 200


def test_empty_lines_before_a_request_are_ignored(daemon):
    with daemon.raw() as connection:
        for lines in (b"\r\n", b"\r\n" * 5, b""):
            connection.send(lines + POST + b"\r\n\r\n" + LIVEZ)
            assert [connection.read_reply().status for _ in range(2)] == [202, 200]


def test_many_pipelined_requests_cost_no_more_each_than_few(daemon):
    with daemon.raw() as connection:
        connection.send(LIVEZ * 20_000)
        assert {connection.read_reply().status for _ in range(20_000)} == {200}
