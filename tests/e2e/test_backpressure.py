"""A full lane: the service refuses whole requests with 503 and Retry-After, and recovers by itself."""

import json
import os
import re
import signal
import socket
import threading

import pytest

from harness.client import http_post
from harness.daemon import run_program
from harness.events import minimal
from harness.waiting import wait_until

# A ring small enough to fill quickly, and big enough for the biggest body.
SMALL_RING = {"RING_BYTES": 4 << 20, "MAX_BODY_BYTES": 256 << 10, "MAX_BATCH_EVENTS": 1000}


def batch(number, size=50):
    return [minimal(session_id=f"batch-{number}", data={"n": n, "pad": "x" * 500}) for n in range(size)]


def fill(daemon, first=0):
    """Posts batches until one is refused. Returns the numbers of the accepted ones and the refusal."""
    with daemon.client() as client:
        for number in range(first, first + 2000):
            reply = client.post_batch(batch(number))
            if reply.status != 202:
                return list(range(first, number)), reply
    raise AssertionError("the lane never filled")


def assert_refusal(reply):
    assert reply.status == 503
    assert int(reply.headers["Retry-After"]) > 0
    assert reply.headers["Content-Type"].startswith("application/json")
    assert reply.json()["detail"]


def whole_batches(events):
    """The numbers of the stored batches. Each must be complete and in order."""
    found = {}
    for event in events:
        found.setdefault(int(event["session_id"].split("-")[1]), []).append(event["data"]["n"])
    assert all(numbers == list(range(50)) for numbers in found.values())
    return sorted(found)


@pytest.mark.parametrize("acceptors", [1, 4])
def test_requests_for_a_full_lane_get_503_until_it_has_room(hooksd, acceptors):
    daemon = hooksd(ACK="queued", ACCEPTORS=acceptors, **SMALL_RING)
    writer = daemon.pids("writer")[0]
    accepted = []
    for round in range(3):
        os.kill(writer, signal.SIGSTOP)
        numbers, refusal = fill(daemon, first=round * 10_000)
        accepted += numbers
        assert_refusal(refusal)
        assert len(numbers) > 3
        # A full lane is not unhealthy: accepted events are safe, and an orchestrator must not kill the pod.
        assert daemon.get("/livez").status == 200
        os.kill(writer, signal.SIGCONT)
        wait_until(lambda: daemon.metrics()["events_stored_total"] == len(accepted) * 50, "the lanes to empty")
        assert daemon.post_batch(batch(round * 10_000 + 9_999)).status == 202
        accepted.append(round * 10_000 + 9_999)
    daemon.wait_stored(len(accepted) * 50)
    assert whole_batches(daemon.jsonl_events()) == sorted(accepted)
    metrics = daemon.metrics()
    assert metrics["events_received_total"] == metrics["events_stored_total"] == len(accepted) * 50


def test_no_event_of_a_refused_batch_is_stored_even_if_a_part_would_fit(hooksd):
    daemon = hooksd(ACK="queued", ACCEPTORS=1, **SMALL_RING)
    writer = daemon.pids("writer")[0]
    os.kill(writer, signal.SIGSTOP)
    accepted, refusal = fill(daemon)
    assert_refusal(refusal)
    # A small event may find room where a batch does not. It comes from an address with a free share.
    small = 0
    request = http_post("/events", json.dumps(minimal(session_id="batch-small")).encode())
    with socket.create_connection(("127.0.0.1", daemon.port), 30, ("127.0.0.2", 0)) as elsewhere:
        elsewhere.sendall(request)
        while elsewhere.recv(65536).startswith(b"HTTP/1.1 202 "):
            small += 1
            elsewhere.sendall(request)
    assert small > 0
    os.kill(writer, signal.SIGCONT)
    daemon.wait_stored(len(accepted) * 50 + small)
    events = daemon.jsonl_events()
    assert sum(event["session_id"] == "batch-small" for event in events) == small
    assert whole_batches(event for event in events if event["session_id"] != "batch-small") == accepted


def test_durable_requests_are_answered_when_a_stopped_writer_goes_on(hooksd):
    daemon = hooksd(ACCEPTORS=2, **SMALL_RING)
    writer = daemon.pids("writer")[0]
    os.kill(writer, signal.SIGSTOP)
    replies = {}

    def post(number):
        replies[number] = daemon.post_batch(batch(number)).status

    senders = [threading.Thread(target=post, args=(number,)) for number in range(16)]
    for sender in senders:
        sender.start()
    wait_until(lambda: daemon.metrics()["events_received_total"] == 800, "all requests to be received")
    assert replies == {}
    os.kill(writer, signal.SIGCONT)
    for sender in senders:
        sender.join()
    assert set(replies.values()) == {202}
    assert whole_batches(daemon.jsonl_events()) == list(range(16))


def test_a_locked_table_fills_the_lanes_and_unlocking_empties_them(database, hooksd):
    daemon = hooksd(database, ACK="queued", ACCEPTORS=2, WRITERS=2, **SMALL_RING)
    with database.server.connect(database.name) as dba:
        with dba.transaction():
            dba.execute("LOCK TABLE hook_events")
            accepted, refusal = fill(daemon)
            assert_refusal(refusal)
    daemon.wait_stored(len(accepted) * 50)
    assert database.count() == len(accepted) * 50
    assert daemon.post_batch(batch(99_999)).status == 202
    assert daemon.metrics()["storage_errors_total"] == 0


def test_the_smallest_permitted_ring_holds_the_biggest_request(hooksd):
    """hooksd does not start with a ring too small for a valid request, so no valid request is refused for ever."""
    options = {"ACCEPTORS": 4, "WRITERS": 1, "MAX_BODY_BYTES": 64 << 10, "MAX_BATCH_EVENTS": 2000}
    refusal = run_program("hooksd", "--check-config", options=options | {"RING_BYTES": 1 << 20}).stderr
    least = int(re.search(r"at least (\d+)", refusal).group(1))
    daemon = hooksd(RING_BYTES=least, **options)
    tiny = b'{"event_type":"","session_id":""}'
    assert daemon.post_batch(b"[" + b",".join([tiny] * ((64 << 10) // (len(tiny) + 1) - 1)) + b"]").status == 202
    frame = b'{"event_type":"","session_id":"","data":{"pad":""}}'
    biggest = frame.replace(b'""}', b'"' + b"x" * ((64 << 10) - len(frame)) + b'"}')
    assert len(biggest) == 64 << 10
    for _ in range(20):
        assert daemon.post_event(biggest).status == 202
