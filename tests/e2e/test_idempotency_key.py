"""A request with an Idempotency-Key can be repeated although its events have no ids: each event is stored once."""

import os
import signal
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest

from harness.client import NDJSON, RawConnection, encode, http_post
from harness.events import minimal
from harness.metrics import series, wait_settled
from harness.proxy import HoldingProxy

NAMESPACE = uuid.UUID("7da0d4d4-f822-4102-924c-4a49413a7e02")


def identity(key, index):
    return str(uuid.uuid5(NAMESPACE, f"{key}/{index}"))


def version_7(moment):
    """A UUIDv7 of that time, as newer versions of Python make them."""
    milliseconds = int(moment.timestamp() * 1000)
    return uuid.UUID(int=milliseconds << 80 | 7 << 76 | 0xABC << 64 | 2 << 62 | 0x123456789)


KEY = str(version_7(datetime.now(timezone.utc)))  # a key with a time, so that the tests can run at midnight


def chunk(count=20):
    return [minimal(data={"n": n}) for n in range(count)]


def stored(database):
    """The number of stored copies of each event, by its number."""
    return dict(database.query("SELECT (data->>'n')::int, count(*) FROM hook_events GROUP BY 1"))


ONCE = {n: 1 for n in range(20)}


@pytest.mark.parametrize("ack", ["durable", "queued"])
def test_a_repeated_chunk_is_stored_once(database, hooksd, ack):
    daemon = hooksd(database, ACK=ack)
    lines = b"\n".join(encode(event) for event in chunk())
    for _ in range(2):
        assert daemon.post_batch(chunk(), idempotency_key=KEY).json()["accepted"] == 20
    assert daemon.post_batch(lines, content_type=NDJSON, idempotency_key=f'"{KEY}"').status == 202
    numbers = wait_settled(daemon)
    assert stored(database) == ONCE
    assert (numbers["events_stored_total"], numbers["events_duplicate_total"]) == (20, 40)
    # The same events under another key are stored again.
    assert daemon.post_batch(chunk(), idempotency_key="chunk-2").status == 202
    wait_settled(daemon)
    assert stored(database) == {n: 2 for n in range(20)}


def test_a_request_whose_writer_died_can_be_repeated(database, hooksd):
    with HoldingProxy(database.server.port) as proxy:
        daemon = hooksd(DATABASE_URL=proxy.url(database), WRITERS=1)
        proxy.hold_before(b"COPY 20\0")
        with ThreadPoolExecutor(1) as pool:
            reply = pool.submit(lambda: daemon.post_batch(chunk(), idempotency_key=KEY).status)
            proxy.wait_held()
            os.kill(daemon.pids("writer")[0], signal.SIGKILL)
            proxy.release()
            assert reply.result() == 202
        assert daemon.post_batch(chunk(), idempotency_key=KEY).status == 202
        assert stored(database) == ONCE
        daemon.stop()  # before the proxy ends


def test_a_request_whose_client_left_can_be_repeated(database, hooksd):
    with HoldingProxy(database.server.port) as proxy:
        daemon = hooksd(DATABASE_URL=proxy.url(database), WRITERS=1)
        proxy.hold_before(b"COPY 20\0")
        with RawConnection(daemon.port) as connection:
            connection.send(http_post("/events/batch", encode(chunk()), [f"Idempotency-Key: {KEY}"]))
            proxy.wait_held()
        proxy.release()
        assert daemon.post_batch(chunk(), idempotency_key=KEY).status == 202
        assert stored(database) == ONCE
        daemon.stop()


def test_the_ids_are_made_of_key_and_index(hooksd):
    daemon = hooksd()
    assert daemon.post_event(minimal(), idempotency_key="a/1").status == 202
    own = "0190f5fe-7c00-7a00-8abc-012345678abc"
    batch = [minimal(), minimal(event_id=own), minimal(event_id="mine"), minimal(event_id="undefined")]
    assert daemon.post_batch(batch, idempotency_key='"a\\"b"').status == 202
    ids = [event["event_id"] for event in daemon.jsonl_events()]
    assert ids[:2] == [identity("a/1", 0), identity('a"b', 0)]
    assert ids[2] == own
    assert daemon.jsonl_events()[3]["client_event_id"] == "mine"
    assert ids[4] == identity('a"b', 3)
    # Without a key the ids are new each time.
    for _ in range(2):
        assert daemon.post_event(minimal()).status == 202
    assert len({event["event_id"] for event in daemon.jsonl_events()}) == 7


def test_rejected_events_count_in_the_positions(database, hooksd):
    """A corrected event is new. The other events match themselves."""
    daemon = hooksd(database)
    broken = chunk(3)
    del broken[1]["session_id"]
    answer = daemon.post_batch(broken, idempotency_key=KEY, prefer="handling=lenient").json()
    assert (answer["accepted"], answer["rejected"]) == (2, 1)
    assert daemon.post_batch(chunk(3), idempotency_key=KEY).status == 202
    assert stored(database) == {0: 1, 1: 1, 2: 1}


@pytest.mark.parametrize("value", ["", "a b", '"', '""', '"a', "é", "x" * 256, '"a";b', "undefined", '"null"',
                                   "00000000-0000-0000-0000-000000000000", "0" * 26])
def test_an_invalid_key_is_400(shared_hooksd, value):
    daemon = shared_hooksd()
    before = series(daemon)
    with RawConnection(daemon.port) as connection:
        connection.send(http_post("/events", encode(minimal()), [f"Idempotency-Key: {value}"]))
        reply = connection.read_reply()
        assert reply.status == 400 and "Idempotency-Key" in reply.json()["detail"]
        connection.send(http_post("/events", encode(minimal()), ["Idempotency-Key: " + "x" * 255]))
        assert connection.read_reply().status == 202
    assert len(daemon.jsonl_events()) == 1
    assert (series(daemon) - before)['requests_rejected_total{reason="idempotency_key"}'] == 1


def test_two_keys_in_one_request_are_400(shared_hooksd):
    daemon = shared_hooksd()
    with RawConnection(daemon.port) as connection:
        connection.send(http_post("/events", encode(minimal()), ["Idempotency-Key: a", "Idempotency-Key: a"]))
        assert connection.read_reply().status == 400


def test_a_key_with_a_time_gives_its_events_that_time(database, hooksd):
    daemon = hooksd(database)
    yesterday = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(days=1)
    key = version_7(yesterday)
    assert daemon.post_batch(chunk() + [minimal(timestamp="2026-11-01")], idempotency_key=str(key)).status == 202
    assert daemon.post_batch(chunk(), idempotency_key=f'"{key}"').status == 202
    assert database.query("SELECT DISTINCT timestamp FROM hook_events WHERE data ? 'n'") == [(yesterday,)]
    assert {event["data"].get("n") for event in database.events()} == {*range(20), None}
    assert database.count() == 21


@pytest.mark.parametrize("key", ["chunk-1", "b27ceddf-bff2-4737-a10d-1f1ec0b42c9f", str(version_7(datetime(2020, 1, 1, tzinfo=timezone.utc)))])
def test_a_key_without_a_time_leaves_the_current_time(shared_hooksd, key):
    daemon = shared_hooksd()
    before = time.time()
    assert daemon.post_event(minimal(), idempotency_key=key).status == 202
    moment = datetime.fromisoformat(daemon.jsonl_events()[-1]["timestamp"].replace("Z", "+00:00"))
    assert before - 1 < moment.timestamp() < time.time() + 1
