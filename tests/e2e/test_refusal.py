"""
Requests wait on the ring for an unavailable store, and no spool can take them. After STORE_TIMEOUT_MS they get 503 and
their events are discarded. Events that were acknowledged, or may have been stored, wait on whatever happens.
"""

import contextlib
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.client import http_post
from harness.events import differences, expected, minimal, random_events
from harness.metrics import metrics, series, wait_accounted, wait_settled
from harness.proxy import DOWN, FaultyProxy
from harness.waiting import PATIENCE, wait_until

NO_SPOOL = {"SPOOL_MAX_BYTES": 0, "STORE_TIMEOUT_MS": 500 * PATIENCE, "ACCEPTORS": 1, "WRITERS": 1}
FOREVER = 3600000


def batches(count, size, seed):
    events = random_events(count * size, sessions=1, seed=seed)[0]
    return [events[start : start + size] for start in range(0, len(events), size)]


def post(daemon, some, ack="stored"):
    for batch in some:
        reply = daemon.post_batch(batch)
        assert (reply.status, reply.headers.get("X-Hooks-Ack")) == (202, ack), reply


def assert_refused(reply, kept_nothing=True):
    assert reply.status == 503, reply
    assert int(reply.headers["Retry-After"]) > 0
    assert ("nothing of this request was kept" in reply.json()["detail"]) == kept_nothing, reply
    assert ("with the same event_id" in reply.json()["detail"]) != kept_nothing, reply


def assert_in_store(database, some):
    assert differences([expected(event) for batch in some for event in batch], database.events()) == []


def assert_books(daemon, **parts):
    """Waits until no event waits, and checks the numbers of events by outcome."""
    numbers = wait_settled(daemon)
    assert {name: int(numbers[f"events_{name}_total"]) for name in parts} == parts


def waiting(daemon, events):
    """Waits until so many events are on the ring."""
    wait_until(lambda: metrics(daemon)["ring_events"] == events, "the requests to wait")


@pytest.fixture
def senders():
    with ThreadPoolExecutor(16) as pool:
        yield pool


@contextlib.contextmanager
def renamed(database):
    database.query("ALTER TABLE hook_events RENAME TO elsewhere")
    yield
    database.query("ALTER TABLE elsewhere RENAME TO hook_events")


@contextlib.contextmanager
def full_table(database):
    """A table that fails as on a full disk, but accepts a COPY without rows."""
    database.query("CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
                   " $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END $$")
    database.query("CREATE TRIGGER full_disk BEFORE INSERT ON hook_events FOR EACH ROW EXECUTE FUNCTION full_disk()")
    yield
    database.query("DROP TRIGGER full_disk ON hook_events")


@contextlib.contextmanager
def gate(database):
    """A table whose inserts wait for a lock during the block."""
    database.query("CREATE TABLE gate ()")
    database.query("CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS"
                   " $$ BEGIN PERFORM * FROM gate; RETURN NEW; END $$")
    database.query("CREATE TRIGGER gate BEFORE INSERT ON hook_events FOR EACH ROW EXECUTE FUNCTION wait_at_gate()")
    with database.server.connect(database.name) as connection, connection.transaction():
        connection.execute("LOCK TABLE gate")
        yield


TROUBLES = {
    "renamed": renamed,
    "full": full_table,
    "locked": gate,
    "hung": lambda database: database.server.hung(),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_requests_that_wait_too_long_are_refused_and_their_events_discarded(database, hooksd, senders, trouble):
    daemon = hooksd(database, **NO_SPOOL)
    some = batches(6, 20, seed=1)
    post(daemon, some[:1])
    with TROUBLES[trouble](database):
        for reply in [senders.submit(daemon.post_batch, batch) for batch in some[1:5]]:
            assert_refused(reply.result())
    daemon.wait_store_ready()
    post(daemon, some[5:])
    assert_in_store(database, [some[0], some[5]])
    discarded = int(metrics(daemon)["events_discarded_total"])  # the others were refused before they came to the ring
    assert discarded >= 20
    assert series(daemon)['requests_refused_total{reason="waited"}'] == discarded / 20
    assert_books(daemon, received=40 + discarded, stored=40, discarded=discarded)


@pytest.mark.parametrize("trouble", ["renamed", "full"])
def test_events_are_refused_while_the_table_refuses_every_row_from_the_start(database, hooksd, trouble):
    hooksd(database, **NO_SPOOL).stop()
    some = batches(4, 20, seed=2)
    with TROUBLES[trouble](database):
        daemon = hooksd(database, store_ready=False, **NO_SPOOL)
        for batch in some[:3]:
            assert_refused(daemon.post_batch(batch))
    daemon.wait_store_ready()
    post(daemon, some[3:])
    assert_in_store(database, some[3:])
    assert_books(daemon, stored=20)


def test_events_are_refused_with_a_full_spool(database, hooksd):
    """The batch is larger than the rest of the spool."""
    daemon = hooksd(database, **NO_SPOOL | {"SPOOL_MAX_BYTES": "1MiB", "SPOOL_AFTER_MS": 0})
    small, large = ([minimal(data={"text": "x" * size}) for _ in range(50)] for size in (1000, 18000))
    post(daemon, [small])
    database.server.stop()
    post(daemon, [small] * 4, ack="spooled")
    assert_refused(daemon.post_batch(large))
    wait_until(lambda: daemon.post_batch(small).status == 202, "the spool to be tried again: it has room for these")
    database.server.start()
    daemon.wait_spool_empty()
    assert_books(daemon, stored=300, discarded=50)
    assert database.count() == 300


def test_events_are_refused_with_a_broken_spool(database, hooksd):
    daemon = hooksd(database, **NO_SPOOL | {"SPOOL_MAX_BYTES": "1MiB", "SPOOL_AFTER_MS": 0})
    some = batches(3, 20, seed=3)
    spool = daemon.directory / ".agentic/hooksd/spool"
    if spool.exists():
        spool.rmdir()
    spool.write_text("in the way")
    database.server.stop()
    for batch in some[:2]:
        assert_refused(daemon.post_batch(batch))
    spool.unlink()
    wait_until(lambda: daemon.post_batch(some[2]).headers.get("X-Hooks-Ack") == "spooled", "the spool to be tried again")
    assert daemon.log().count("the spool takes no more events") == 1
    database.server.start()
    daemon.wait_spool_empty()
    assert_in_store(database, some[2:])


def test_queued_events_wait_for_the_store(database, hooksd):
    daemon = hooksd(database, ACK="queued", **NO_SPOOL)
    some = batches(5, 20, seed=4)
    post(daemon, some[:1], ack="queued")
    daemon.wait_stored(20)
    with renamed(database):
        post(daemon, some[1:], ack="queued")
        daemon.wait_for_log("the store is unavailable", count=4)  # longer than STORE_TIMEOUT_MS: the pauses grow
        os.kill(daemon.pids("writer")[0], signal.SIGKILL)
        daemon.wait_for_log("the store is unavailable", count=8)
        assert metrics(daemon)["ring_events"] == 80
    assert_books(daemon, stored=100, discarded=0)
    assert_in_store(database, some)


@pytest.mark.parametrize("before", ["queued", "durable"])
def test_events_of_an_earlier_run_wait_while_others_are_refused(database, hooksd, senders, before):
    """All are in one lane, the acknowledged ones first. The writer refuses the others in place."""
    daemon = hooksd(database, **NO_SPOOL | {"ACK": before, "STORE_TIMEOUT_MS": FOREVER})
    some = batches(9, 20, seed=5)
    with gate(database):
        for batch in some[:3]:
            senders.submit(daemon.post_batch, batch)
        waiting(daemon, 60)
        daemon.kill()
        daemon.options |= {"ACK": "durable", "STORE_TIMEOUT_MS": 1000 * PATIENCE}
        daemon.start(store_ready=False)
        replies = [senders.submit(daemon.post_batch, batch) for batch in some[3:8]]
        assert all(reply.result().status == 503 for reply in replies)
        discarded = int(metrics(daemon)["events_discarded_total"])
        waiting(daemon, 60)
        # Another start adopts the ring.
        daemon.kill()
        daemon.start(store_ready=False)
        assert int(wait_accounted(daemon)["events_discarded_total"]) == discarded
        waiting(daemon, 60)
    daemon.wait_store_ready()
    post(daemon, some[8:])
    numbers = wait_settled(daemon)
    assert numbers["events_discarded_total"] == discarded
    # PostgreSQL also stored the batch of the killed writer, which waited at the gate.
    assert numbers["events_stored_total"] + numbers["events_duplicate_total"] == 80
    assert_in_store(database, some[:3] + some[8:])


def test_a_refusal_with_an_unknown_outcome_does_not_claim_that_nothing_was_kept(database, make_hooksd, senders):
    """The server has committed, and its answer and the connection are lost."""
    with FaultyProxy(database.server.port) as proxy:
        daemon = make_hooksd(DATABASE_URL=proxy.url(database), **NO_SPOOL).start()
        some = batches(2, 20, seed=6)
        proxy.swallow(DOWN, words=b"COPY 20\0")
        reply = senders.submit(daemon.post_batch, some[0])
        proxy.wait_swallowed()
        assert_refused(reply.result(), kept_nothing=False)
        assert database.count() == 20
        proxy.release()
        daemon.wait_store_ready()
        post(daemon, some)
        assert_books(daemon, received=60, stored=20, duplicate=40, discarded=0)
        assert_in_store(database, some)
        daemon.stop()  # before the proxy ends


def test_a_killed_writer_leaves_the_outcome_of_waiting_requests_open(database, hooksd, senders):
    """The successor does not know whether the events were stored, so it keeps them. The client gets 503."""
    daemon = hooksd(database, **NO_SPOOL)
    some = batches(2, 20, seed=7)
    with database.server.hung():
        reply = senders.submit(daemon.post_batch, some[0])
        waiting(daemon, 20)
        os.kill(daemon.pids("writer")[0], signal.SIGKILL)
        assert_refused(reply.result(), kept_nothing=False)
    daemon.wait_store_ready()
    post(daemon, some[1:])
    assert_books(daemon, received=40, stored=40, discarded=0)
    assert_in_store(database, some)


def test_events_of_a_killed_acceptors_requests_are_accounted_for(database, hooksd, senders):
    daemon = hooksd(database, **NO_SPOOL)
    some = batches(2, 20, seed=8)
    with database.server.hung():
        reply = senders.submit(daemon.post_batch, some[0])
        waiting(daemon, 20)
        os.kill(daemon.pids("acceptor")[0], signal.SIGKILL)
        assert reply.exception() is not None
        waiting(daemon, 0)
    daemon.wait_store_ready()
    post(daemon, some[1:])
    assert_books(daemon, received=40, stored=20, discarded=20)
    assert_in_store(database, some[1:])


def test_waiting_requests_are_refused_after_a_hup_too(database, hooksd):
    daemon = hooksd(database, **NO_SPOOL)
    event = b'{"event_type":"a","session_id":"s"}'
    with daemon.raw() as connection:
        with database.server.hung():
            connection.send(http_post("/events", event))
            waiting(daemon, 1)
            before = daemon.pids("acceptor")
            daemon.signal(signal.SIGHUP)
            reply = connection.read_reply()
            assert (reply.status, reply.headers["connection"]) == (503, "keep-alive")
        wait_until(lambda: daemon.pids("acceptor") not in ([], before), "a new acceptor")
        daemon.wait_store_ready()
        connection.send(http_post("/events", event))
        assert connection.read_reply().status == 202
    assert_books(daemon, received=2, stored=1, discarded=1)


def test_a_stop_refuses_requests_that_wait_for_a_hanging_store(database, hooksd, senders):
    daemon = hooksd(database, **NO_SPOOL | {"STORE_TIMEOUT_MS": FOREVER, "DRAIN_TIMEOUT_SECONDS": 4})
    some = batches(2, 20, seed=9)
    with database.server.hung():
        reply = senders.submit(daemon.post_batch, some[0])
        waiting(daemon, 20)
        daemon.stop(expect=0)
        assert_refused(reply.result())
        assert reply.result().headers["Connection"] == "close"
    daemon.start()
    post(daemon, some[1:])
    assert_books(daemon, received=40, stored=20, discarded=20)
    assert_in_store(database, some[1:])


def test_a_stop_while_the_writer_hangs_answers_with_an_unknown_outcome(database, hooksd, senders):
    """The events stay on the ring, and the next start stores them."""
    daemon = hooksd(database, **NO_SPOOL | {"DRAIN_TIMEOUT_SECONDS": 2})
    some = batches(1, 20, seed=10)
    os.kill(daemon.pids("writer")[0], signal.SIGSTOP)
    reply = senders.submit(daemon.post_batch, some[0])
    waiting(daemon, 20)
    daemon.stop(expect=3)
    assert_refused(reply.result(), kept_nothing=False)
    daemon.start()
    assert_books(daemon, received=20, stored=20, discarded=0)
    assert_in_store(database, some)


def test_events_are_refused_on_a_full_disk_without_a_spool(disk, make_hooksd):
    daemon = make_hooksd(JSONL_PATH=disk.path / "events.jsonl", DATA_DIR=disk.path / "data", **NO_SPOOL).start()
    kept, refused = minimal(session_id="kept"), minimal(session_id="refused", data={"text": "x" * 100000})
    assert daemon.post_event(kept).status == 202
    disk.fill(daemon)
    for _ in range(3):
        assert_refused(daemon.post_event(refused))
    disk.free()
    daemon.wait_store_ready()
    assert daemon.post_event(kept).status == 202
    numbers = wait_settled(daemon)
    assert numbers["events_stored_total"] == 2 and numbers["events_discarded_total"] >= 1
    assert [event["session_id"] for event in daemon.jsonl_events()] == ["kept", "kept"]
