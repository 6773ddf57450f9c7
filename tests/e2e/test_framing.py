"""hooksd refuses requests that a proxy could read differently, and accepts valid ones (harness/framing.py)."""

import pytest

from harness.client import detail
from harness.daemon import Daemon
from harness.framing import ACCEPTED, CHUNKED, CLOSES, EVENT, HOST, LENGTH, REFUSED, chunks, get, post

GOOD = post(LENGTH)
GOOD_CHUNKS = post(CHUNKED, body=chunks())
HIDDEN = post(LENGTH) * 2  # requests that one of two readers would find after the first one


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    """One daemon for all cases. Its only acceptor must survive them."""
    directory = tmp_path_factory.mktemp("framing")
    daemon = Daemon(directory, {"HOST": "127.0.0.1", "PORT": 0, "ACCEPTORS": 1, "RING_PATH": str(directory / "ring")}).start()
    acceptors = daemon.pids("acceptor")
    yield daemon
    assert daemon.pids("acceptor") == acceptors
    daemon.clean_up()


def received(daemon):
    return daemon.metrics()["events_received_total"]


@pytest.mark.parametrize("case", REFUSED)
def test_ambiguous_requests_are_refused_and_end_their_connection(daemon, case):
    events = received(daemon)
    for before in (b"", GOOD, GOOD_CHUNKS):
        with daemon.raw() as connection:
            connection.send(before + REFUSED[case] + HIDDEN)
            if before:
                assert connection.read_reply().status == 202
            reply = connection.read_reply()
            assert (reply.status, reply.headers["Connection"]) == (400, "close"), reply
            assert detail(reply)
            assert connection.closed_by_peer()
    assert received(daemon) == events + 2


@pytest.mark.parametrize("case", ACCEPTED)
def test_unambiguous_requests_are_accepted(daemon, case):
    sent, *answers = ACCEPTED[case]
    closes = CLOSES in answers
    statuses = [status for status in answers if status != CLOSES]
    with daemon.raw() as connection:
        for _ in range(1 if closes else 3):
            connection.send(sent)
            assert [connection.read_reply().status for _ in statuses] == statuses
        if closes:
            assert connection.closed_by_peer()
            return
        connection.send(sent + GOOD + sent + GOOD)
        assert [connection.read_reply().status for _ in range(2 * len(statuses) + 2)] == 2 * [*statuses, 202]


def test_a_client_that_waits_for_100_continue_sends_its_chunks_after_it(daemon):
    head = post(CHUNKED, b"Expect: 100-continue", body=b"")
    body = chunks(size=b"%x;a=b" % len(EVENT))
    with daemon.raw() as connection:
        for parts in ([body], [body[:4], body[4:20], body[20:]]):
            connection.send(head)
            assert connection.read_reply().status == 100
            for part in parts:
                connection.send(part)
            assert connection.read_reply().status == 202
        connection.send(head + body[:1])
        assert connection.read_reply().status == 100
        connection.send(b"\n" + HIDDEN)
        assert connection.read_reply().status == 400
        assert connection.closed_by_peer()


@pytest.mark.parametrize("sent, status", [
    (post(b"Connection: Upgrade", b"Upgrade: websocket"), 422),
    (get(HOST, b"Connection: upgrade", b"Upgrade: TLS/1.0", body=GOOD), 200)], ids=["a POST", "a GET"])
def test_bytes_after_a_request_for_another_protocol_are_not_processed(daemon, sent, status):
    """
    hooksd does not switch protocols. Its answer is the last one of the connection, so the bytes after the request are
    not read as a request.
    """
    events = received(daemon)
    with daemon.raw() as connection:
        connection.send(sent)
        reply = connection.read_reply()
        assert (reply.status, reply.headers["Connection"]) == (status, "close")
        assert connection.closed_by_peer()
    assert received(daemon) == events
