"""Limits for clients: connections, memory, time, room on the ring. docs/security.md lists them."""

import contextlib
import gzip
import json
import os
import secrets
import signal
import socket

import pytest

from harness.client import detail, http_post
from harness.events import minimal
from harness.metrics import metrics, series
from harness.waiting import wait_until

POST = http_post("/events", b'{"event_type":"a","session_id":"s"}')
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n"
STATUS = ("/livez", "/health", "/readyz", "/metrics", "/metrics/prometheus")


def refused(daemon, reason):
    return series(daemon)[f'connections_refused_total{{reason="{reason}"}}']


def served(daemon):
    """
    A connection that was accepted within the limit. A connection that was just closed may count for a moment longer.
    """

    def connect():
        connection = daemon.raw()
        with contextlib.suppress(ConnectionError):
            connection.send(LIVEZ)
            if connection.read_reply().headers["Connection"] == "keep-alive":
                return connection
        return connection.close()

    return wait_until(connect, "a place for a connection")


def assert_told_to_come_again(reply, status, word):
    assert reply.status == status
    assert word in detail(reply)
    assert int(reply.headers["Retry-After"]) > 0
    assert reply.headers["Content-Type"] == "application/json"


@contextlib.contextmanager
def half_requests(daemon, count):
    """Connections that have sent all but the last byte of a request."""
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(served(daemon)) for _ in range(count)]
        for connection in connections:
            connection.send(POST[:-1])
        yield connections


# Connections


def test_new_clients_get_503_and_probes_an_answer_at_the_limit_of_connections(hooksd):
    daemon = hooksd(ACCEPTORS=1, MAX_CONNECTIONS=8)
    with half_requests(daemon, 8) as connections:
        with daemon.raw() as another, daemon.raw() as silent:
            another.send(POST)
            reply = another.read_reply()
            assert_told_to_come_again(reply, 503, "MAX_CONNECTIONS")
            assert reply.headers["Connection"] == "close"
            assert another.closed_by_peer()
            for path in STATUS:
                reply = daemon.get(path)
                assert (reply.status, reply.headers["Connection"]) == (200, "close"), path
            assert_told_to_come_again(silent.read_reply(), 503, "MAX_CONNECTIONS")
        assert refused(daemon, "limit") == 2
        daemon.wait_for_log(r"warning .*MAX_CONNECTIONS is reached: new connections are refused .*connections=\d+")
        for connection in connections:
            connection.send(POST[-1:])
            assert connection.read_reply().status == 202
    wait_until(lambda: daemon.post_event(minimal()).status == 202, "room for a connection")


def test_silent_clients_beyond_the_limit_do_not_block_probes(hooksd):
    daemon = hooksd(ACCEPTORS=1, MAX_CONNECTIONS=2)
    with half_requests(daemon, 2), contextlib.ExitStack() as stack:
        oldest, *others = [stack.enter_context(daemon.raw()) for _ in range(80)]
        assert_told_to_come_again(oldest.read_reply(), 503, "MAX_CONNECTIONS")
        assert 16 < refused(daemon, "limit") < 64, "the oldest connections were closed to make room"
        assert {connection.read_reply().status for connection in others} == {503}


def test_openapi_documents_are_refused_beyond_the_limit(hooksd):
    daemon = hooksd(ACCEPTORS=1, MAX_CONNECTIONS=2)
    with half_requests(daemon, 2):
        for path in ("/openapi.json", "/openapi.yaml"):
            assert_told_to_come_again(daemon.get(path), 503, "MAX_CONNECTIONS")


def test_refused_clients_that_still_send_do_not_count(hooksd):
    daemon = hooksd(ACCEPTORS=1, MAX_CONNECTIONS=8)
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            connection = stack.enter_context(daemon.raw())
            connection.send(b"no request\r\n\r\n")
            assert connection.read_reply().status == 400
        assert daemon.post_event(minimal()).status == 202
        assert refused(daemon, "limit") == 0


def test_idle_connections_are_closed_to_make_room(hooksd):
    daemon = hooksd(ACCEPTORS=1, MAX_CONNECTIONS=16)
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(daemon.raw())
        wait_until(lambda: daemon.post_event(minimal()).status == 202, "room for a connection")


def test_one_address_gets_no_more_than_its_connections(hooksd):
    daemon = hooksd(ACCEPTORS=1, MAX_ADDRESS_CONNECTIONS=4)
    with half_requests(daemon, 4):
        assert_told_to_come_again(daemon.post_event(minimal()), 429, "MAX_ADDRESS_CONNECTIONS")
        assert {daemon.get(path).status for path in STATUS} == {200}
        with socket.create_connection(("127.0.0.1", daemon.port), 30, ("127.0.0.2", 0)) as elsewhere:
            elsewhere.sendall(POST)
            assert b" 202 " in elsewhere.recv(4096)
        assert refused(daemon, "address") == 1
        with contextlib.ExitStack() as stack:
            for _ in range(200):  # only some get a reply, and no other client waits for them
                stack.enter_context(daemon.raw())
            wait_until(lambda: series_elsewhere(daemon) > 100, "those beyond them to be closed")
    with served(daemon) as connection:
        connection.send(POST)
        assert connection.read_reply().status == 202


def series_elsewhere(daemon):
    """The number of refusals, read from another address."""
    with socket.create_connection(("127.0.0.1", daemon.port), 30, ("127.0.0.3", 0)) as elsewhere:
        elsewhere.sendall(b"GET /metrics/prometheus HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        text = b"".join(iter(lambda: elsewhere.recv(65536), b""))
    return float(text.split(b'hooks_connections_refused_total{reason="address"} ')[1].split()[0])


# Memory


def test_memory_for_requests_is_bounded_and_the_slowest_are_dropped_first(hooksd):
    daemon = hooksd(ACCEPTORS=1, MAX_BODY_BYTES="256KiB", MAX_BUFFERED_BYTES="512KiB")
    body = b'{"event_type":"a","session_id":"s","data":{"pad":"' + 250_000 * b"x" + b'"}}'
    request = http_post("/events", body)
    with contextlib.ExitStack() as stack:
        oldest, *others = [stack.enter_context(daemon.raw()) for _ in range(3)]
        for number, connection in enumerate((oldest, *others[:1]), 1):
            connection.send(request[:200_000])
            wait_until(lambda: series(daemon)["buffered_bytes"] >= number * 200_000, "what was sent to be read")
        others[1].send(request[:200_000])
        reply = oldest.read_reply()
        assert_told_to_come_again(reply, 503, "MAX_BUFFERED_BYTES")
        assert oldest.closed_by_peer()
        assert {daemon.get(path).status for path in STATUS} == {200}
        for connection in others:
            connection.send(request[200_000:])
            assert connection.read_reply().status == 202
        assert series(daemon)['requests_refused_total{reason="memory"}'] == 1
        wait_until(lambda: series(daemon)["buffered_bytes"] == 0, "nothing to be held any more")


def test_a_request_without_memory_beside_active_ones_is_refused_alone(hooksd):
    daemon = hooksd(ACCEPTORS=1, WRITERS=1, MAX_BODY_BYTES="256KiB", MAX_BUFFERED_BYTES="512KiB")
    request = http_post("/events", b'{"event_type":"a","session_id":"s","data":{"pad":"' + 210_000 * b"x" + b'"}}')
    [writer] = daemon.pids("writer")
    with contextlib.ExitStack() as stack:
        older, new, *waiting = [stack.enter_context(daemon.raw()) for _ in range(4)]
        older.send(request[:20_000])
        wait_until(lambda: series(daemon)["buffered_bytes"] >= 20_000, "what was sent to be read")
        os.kill(writer, signal.SIGSTOP)
        try:
            for number, connection in enumerate(waiting, 1):
                connection.send(request)
                wait_until(lambda: metrics(daemon)["events_received_total"] == number, "a request that waits")
            new.send(request[:100_000])
            assert_told_to_come_again(new.read_reply(), 503, "MAX_BUFFERED_BYTES")
        finally:
            os.kill(writer, signal.SIGCONT)
        for connection in waiting:
            assert connection.read_reply().status == 202
        wait_until(lambda: series(daemon)["buffered_bytes"] < 100_000, "the memory of the answered requests to be free")
        older.send(request[20_000:])
        assert older.read_reply().status == 202


@pytest.mark.parametrize("framing", ["Content-Length: 300000", "Transfer-Encoding: chunked"])
def test_a_body_after_100_continue_counts_too(hooksd, framing):
    daemon = hooksd(ACCEPTORS=1)
    with daemon.raw() as connection:
        connection.send(f"POST /events HTTP/1.1\r\nHost: h\r\n{framing}\r\nExpect: 100-continue\r\n\r\n".encode())
        assert connection.read_reply().status == 100
        connection.send(b"30d40\r\n" * ("chunked" in framing) + 100_000 * b" ")
        wait_until(lambda: series(daemon)["buffered_bytes"] >= 90_000, "what was sent to be read")
    wait_until(lambda: series(daemon)["buffered_bytes"] == 0, "nothing to be held any more")


def test_clients_that_do_not_read_their_answers_are_cut_off(hooksd):
    daemon = hooksd(ACCEPTORS=1, REQUEST_TIMEOUT_SECONDS=1)
    asking = socket.socket()
    with contextlib.closing(asking):
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        asking.connect(("127.0.0.1", daemon.port))
        asking.sendall(500 * b"GET /metrics/prometheus HTTP/1.1\r\nHost: h\r\n\r\n")
        wait_until(lambda: series(daemon)["buffered_bytes"] > 0, "an answer that is not read")
        wait_until(lambda: refused(daemon, "unread") == 1, "its end")
        wait_until(lambda: series(daemon)["buffered_bytes"] == 0, "nothing to be held any more")


@pytest.mark.parametrize("head,status", [
    (b"GET /livez HTTP/1.1\r\nHost: h\r\nX-Long: " + 3000 * b"x" + b"\r\n\r\n", 431),
    (b"GET /livez HTTP/1.1\r\nHost: h\r\nX-Long: " + 3000 * b"x", 431),
    (b"GET /" + 3000 * b"x" + b" HTTP/1.1\r\nHost: h\r\n\r\n", 431),
    (b"GET /" + 3000 * b"x", 414),
], ids=["a head", "most of a head", "a request line", "most of a request line"])
def test_a_head_over_the_limit_is_refused(shared_hooksd, head, status):
    daemon = shared_hooksd(MAX_HEADER_BYTES="2KiB")
    with daemon.raw() as connection:
        connection.send(b"GET /livez HTTP/1.1\r\nHost: h\r\nX-Long: " + 1900 * b"x" + b"\r\n\r\n")
        assert connection.read_reply().status == 200
        connection.send(head)
        reply = connection.read_reply()
        assert reply.status == status and "MAX_HEADER_BYTES" in detail(reply)
        assert connection.closed_by_peer()


def test_large_heads_from_proxies_are_accepted(hooksd):
    with hooksd().raw() as connection:
        connection.send(b"GET /livez HTTP/1.1\r\nHost: h\r\n" + 4 * (b"X-Long: " + 15_000 * b"x" + b"\r\n") + b"\r\n")
        assert connection.read_reply().status == 200


def test_a_body_that_expands_too_much_is_refused_unless_it_is_small(hooksd):
    event = b'{"event_type":"a","session_id":"s"}'
    bomb = gzip.compress(event + (6 << 20) * b" ")
    daemon = hooksd()
    with daemon.client() as client:
        reply = client.post("/events", bomb, content_encoding="gzip")
        assert reply.status == 413 and "MAX_COMPRESSION_RATIO" in detail(reply)
        small = gzip.compress(event + (1 << 19) * b" ")
        assert len(small) < (1 << 19) / 200
        assert client.post("/events", small, content_encoding="gzip").status == 202
        repetitive = gzip.compress(b"[" + b",".join([event] * 10_000) + b"]")
        assert client.post("/events/batch", repetitive, content_encoding="gzip").status == 202
    assert series(daemon)['requests_rejected_total{reason="compression"}'] == 1
    with hooksd(MAX_COMPRESSION_RATIO=0).client() as client:
        assert client.post("/events", bomb, content_encoding="gzip").status == 202


# Time


def test_requests_below_the_minimum_rate_are_refused_before_the_timeout(hooksd):
    daemon = hooksd(ACCEPTORS=1, REQUEST_TIMEOUT_SECONDS=60, MIN_REQUEST_RATE="1MiB")
    quick = hooksd(ACCEPTORS=1, REQUEST_TIMEOUT_SECONDS=3, MIN_REQUEST_RATE="1MiB")
    with daemon.raw() as patient, quick.raw() as head, quick.raw() as body, quick.raw() as chunks:
        patient.send(POST[:-1])
        head.send(POST[:20])
        body.send(POST[:-1])
        chunks.send(b"POST /events HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n23\r\n{")
        for connection in (head, body, chunks):
            reply = connection.read_reply()
            assert reply.status == 408 and "MIN_REQUEST_RATE" in detail(reply)
            assert connection.closed_by_peer()
        assert series(quick)['requests_rejected_total{reason="slow"}'] == 3
        assert series(quick)['requests_rejected_total{reason="timeout"}'] == 0
        patient.send(POST[-1:])
        assert patient.read_reply().status == 202


# Keys


@pytest.fixture
def two_keys(make_hooksd):
    """A daemon with a small ring and two API keys, each with its own share."""
    keys = [f"limits-{secrets.token_hex(16)}" for _ in range(2)]
    options = {"RING_BYTES": 36 << 20, "MAX_BODY_BYTES": 256 << 10, "MAX_BATCH_EVENTS": 1000}

    def start(**more):
        names = dict(zip(("HL_API_KEY", "HL_ADMIN_KEY"), keys))
        return make_hooksd(ACCEPTORS=1, WRITERS=1, HL_STORE_BACKEND="embedded", **options, **names, **more).start(), keys

    return start


def batch():
    return [minimal(data={"pad": "x" * 500}) for _ in range(50)]


def test_a_key_that_fills_the_ring_leaves_room_for_others(two_keys):
    daemon, (greedy, other) = two_keys(ACK="queued")
    [writer] = daemon.pids("writer")
    os.kill(writer, signal.SIGSTOP)
    taken = 0
    try:
        with daemon.client() as client:
            while (reply := client.post_batch(batch(), authorization=f"Bearer {greedy}")).status == 202:
                taken += 1
                assert taken < 1000
            assert_told_to_come_again(reply, 429, "API key")
            for _ in range(5):
                assert client.post_batch(batch(), authorization=f"Bearer {other}").status == 202
            assert client.post_batch(batch()).status == 202
            assert client.post_batch(batch(), authorization=f"Bearer {greedy}").status == 429
    finally:
        os.kill(writer, signal.SIGCONT)
    daemon.wait_stored((taken + 6) * 50)
    assert series(daemon)['requests_rejected_total{reason="key_share"}'] == 2
    with daemon.client() as client:
        assert client.post_batch(batch(), authorization=f"Bearer {greedy}").status == 202


def test_an_address_that_fills_the_ring_without_a_key_leaves_room_for_others(make_hooksd):
    daemon = make_hooksd(ACCEPTORS=1, WRITERS=1, ACK="queued", RING_BYTES=4 << 20, MAX_BODY_BYTES=256 << 10, MAX_BATCH_EVENTS=1000).start()
    [writer] = daemon.pids("writer")
    os.kill(writer, signal.SIGSTOP)
    try:
        with daemon.client() as client:
            while (reply := client.post_batch(batch())).status == 202:
                pass
            assert_told_to_come_again(reply, 503, "your address")
        with socket.create_connection(("127.0.0.1", daemon.port), 30, ("127.0.0.2", 0)) as elsewhere:
            for _ in range(3):
                elsewhere.sendall(http_post("/events/batch", json.dumps(batch()).encode()))
                assert elsewhere.recv(65536).startswith(b"HTTP/1.1 202 ")
    finally:
        os.kill(writer, signal.SIGCONT)


def test_a_key_with_many_waiting_requests_leaves_room_for_others(two_keys):
    daemon, (greedy, other) = two_keys()
    [writer] = daemon.pids("writer")
    request = http_post("/events/batch", json.dumps(batch()).encode(), [f"Authorization: Bearer {greedy}"])
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(daemon.raw()) for _ in range(200)]
        polite = stack.enter_context(daemon.raw())
        os.kill(writer, signal.SIGSTOP)
        try:
            for connection in waiting:
                connection.send(request)
            wait_until(lambda: series(daemon)['requests_rejected_total{reason="key_share"}'] >= 5, "the share to be used up")
            before = metrics(daemon)["events_received_total"]
            polite.send(http_post("/events/batch", json.dumps(batch()).encode(), [f"Authorization: Bearer {other}"]))
            wait_until(lambda: metrics(daemon)["events_received_total"] == before + 50, "the other key's events")
        finally:
            os.kill(writer, signal.SIGCONT)
        assert polite.read_reply().status == 202
        assert {connection.read_reply().status for connection in waiting} == {202, 429}


def test_a_key_with_most_connections_gets_no_further_ones(two_keys):
    daemon, (greedy, other) = two_keys(MAX_CONNECTIONS=200)
    asks = "GET /v1/events?limit=1 HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {}\r\n\r\n"
    with daemon.client() as client:
        ask = {"Authorization": f"Bearer {other}"}
        wait_until(lambda: client.request("GET", "/v1/events?limit=1", headers=ask).status == 200, "the API to answer")
    with contextlib.ExitStack() as stack:
        for number in range(200):
            connection = stack.enter_context(daemon.raw())
            connection.send(asks.format(greedy).encode())
            reply = connection.read_reply()
            if reply.status != 200:
                break
        assert_told_to_come_again(reply, 429, "API key")
        assert reply.json()["error"] == "overloaded"
        assert connection.closed_by_peer()
        assert 150 < number < 190
        with daemon.raw() as polite:
            polite.send(asks.format(other).encode())
            assert polite.read_reply().status == 200
        assert refused(daemon, "key") == 1


def test_connections_count_for_their_key_after_acceptors_are_replaced(two_keys):
    daemon, (key, _) = two_keys(MAX_CONNECTIONS=200)
    ask = f"GET /v1/events?limit=1 HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    with contextlib.ExitStack() as stack:
        mine = [stack.enter_context(daemon.raw()) for _ in range(150)]
        for connection in mine:
            connection.send(ask)
            assert connection.read_reply().status == 200
        for _ in range(35):
            stack.enter_context(served(daemon)).send(POST[:-1])
        [before] = daemon.pids("acceptor")
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: daemon.pids("acceptor") not in ([before], []), "another acceptor")
        for connection in mine:
            connection.send(ask)
            assert connection.read_reply().status == 200
