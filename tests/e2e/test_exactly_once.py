"""However often and by whichever client events are repeated, each is stored once, and metrics count the duplicates."""

import os
import random
import signal
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import accounting
from harness.events import differences, expected, minimal, now, random_events, timestamp_text
from harness.metrics import metrics
from harness.proxy import HoldingProxy
from harness.waiting import wait_until

ACKS = pytest.mark.parametrize("ack", ["durable", "queued"])


def settled(*replicas):
    """Waits until no event waits. Returns the sum of the replicas' metrics."""
    wait_until(lambda: all(accounting.settled(metrics(replica)) for replica in replicas), "everything to be stored")
    numbers = [metrics(replica) for replica in replicas]
    return {name: sum(each[name] for each in numbers) for name in numbers[0]}


def stored_once(database, events):
    assert differences([expected(event) for event in events], database.events()) == []


@ACKS
def test_repeated_batches_and_repeats_within_a_batch_are_stored_once(database, hooksd, ack):
    daemon = hooksd(database, ACK=ack)
    events = random_events(300, sessions=1, seed=21)[0]
    rng = random.Random(22)
    batches = [events, events, events[100:200], events[:50] + events[:50], rng.sample(events, 300), [events[7]] * 20]
    with daemon.client() as client:
        for batch in batches:
            assert client.post_batch(batch).json()["accepted"] == len(batch)
    numbers = settled(daemon)
    stored_once(database, events)
    assert numbers["events_received_total"] == sum(map(len, batches))
    assert numbers["events_stored_total"] == 300
    assert numbers["events_dead_lettered_total"] == numbers["storage_errors_total"] == 0


def test_events_with_a_placeholder_for_an_id_are_all_stored(database, hooksd):
    daemon = hooksd(database)
    placeholders = ["00000000-0000-0000-0000-000000000000", "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", "undefined", "None"]
    with daemon.client() as client:
        for placeholder in placeholders:
            for step in range(3):
                assert client.post_event(minimal(event_id=placeholder, event_type=f"step{step}")).status == 202
    numbers = settled(daemon)
    assert numbers["events_stored_total"] == len(database.events()) == 3 * len(placeholders)
    assert numbers["events_duplicate_total"] == 0


@ACKS
def test_repeats_across_writers_and_two_replicas_are_stored_once(database, hooksd, ack):
    replicas = [hooksd(database, ACK=ack, WRITERS=2, ACCEPTORS=2) for _ in range(2)]
    events = random_events(600, sessions=1, seed=23)[0]
    sent = 0

    def client(number):
        """Posts every event once, in a random order and in random batches, so that clients overlap."""
        rng = random.Random(number)
        own = rng.sample(events, len(events))
        posted = 0
        with replicas[number % 2].client() as connection:
            while own:
                size = rng.randrange(1, 90)
                batch, own = own[:size], own[size:]
                assert connection.post_batch(batch).status == 202
                posted += len(batch)
        return posted

    with ThreadPoolExecutor(8) as pool:
        sent = sum(pool.map(client, range(8)))
    numbers = settled(*replicas)
    stored_once(database, events)
    assert numbers["events_received_total"] == sent == 8 * 600
    assert numbers["events_stored_total"] == 600
    assert numbers["events_duplicate_total"] == 7 * 600


@pytest.mark.parametrize("what", ["writer", "all"])
@ACKS
def test_a_kill_between_commit_and_release_stores_each_event_once(database, make_hooksd, what, ack):
    """The writer dies after the server's commit and before its reply. The successor must find the events stored."""
    events = random_events(20, sessions=1, seed=24)[0]
    with HoldingProxy(database.server.port) as proxy:
        daemon = make_hooksd(DATABASE_URL=proxy.url(database), WRITERS=1, ACK=ack)
        daemon.start()
        writer = daemon.pids("writer")[0]
        proxy.hold_before(b"COPY 20\0")
        with ThreadPoolExecutor(1) as pool:
            reply = pool.submit(lambda: daemon.post_batch(events).status)
            proxy.wait_held()
            assert database.count() == 20
            if what == "writer":
                os.kill(writer, signal.SIGKILL)
                proxy.release()
                assert reply.result() == 202
            else:
                daemon.kill()
                proxy.release()
                assert ack == "queued" or reply.exception() is not None
                daemon.start()
        numbers = settled(daemon)
        stored_once(database, events)
        assert (numbers["events_stored_total"], numbers["events_duplicate_total"]) == (0, 20)
        assert daemon.post_batch(events).status == 202
        stored_once(database, events)
        assert settled(daemon)["events_duplicate_total"] == 40
        daemon.stop()  # before the proxy ends


def test_writers_killed_at_any_time_store_each_event_once(database, hooksd):
    daemon = hooksd(database, WRITERS=2, ACK="durable")
    events = random_events(2000, sessions=1, seed=25)[0]
    with ThreadPoolExecutor(4) as pool:
        batches = [events[start : start + 25] for start in range(0, len(events), 25)]
        replies = [pool.submit(daemon.post_batch, batch) for batch in batches]
        for done in (20, 40, 60):
            wait_until(lambda: sum(reply.done() for reply in replies) >= done, f"{done} replies")
            os.kill(daemon.pids("writer")[0], signal.SIGKILL)
            wait_until(lambda: len(daemon.pids("writer")) == 2, "a new writer")
        assert {reply.result().status for reply in replies} == {202}
    settled(daemon)
    stored_once(database, events)


@pytest.mark.plain_postgres("triggers are refused on distributed tables")
def test_a_dead_writers_running_statement_stores_each_event_once(database, hooksd):
    """The successor finds rows of an unfinished transaction and waits for its end."""
    daemon = hooksd(database, WRITERS=1, ACK="queued")
    database.query("CREATE TABLE gate ()")
    database.query(
        "CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.session_id = 'last' THEN PERFORM * FROM gate; END IF; RETURN NEW; END $$"
    )
    database.query("CREATE TRIGGER gate BEFORE INSERT ON hook_events FOR EACH ROW EXECUTE FUNCTION wait_at_gate()")
    events = random_events(20, sessions=1, seed=26)[0]
    events[-1]["session_id"] = "last"
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with database.server.connect(database.name) as gate:
        with gate.transaction():
            gate.execute("LOCK TABLE gate")
            assert daemon.post_batch(events).status == 202
            wait_until(lambda: database.value(waiting) == 1, "the writer at the gate")
            os.kill(daemon.pids("writer")[0], signal.SIGKILL)
            wait_until(lambda: database.value(waiting) == 2, "its successor, which waits for it")
    settled(daemon)
    stored_once(database, events)


def test_ids_other_than_uuids_keep_their_text(database, hooksd):
    daemon = hooksd(database)
    ids = ["evt-1", "ключ 🔑", "a" * 255, "0", " x ", "x\u0000y", "not-a-uuid-0000-0000"]
    events = [minimal(event_id=each, timestamp=timestamp_text(now())) for each in ids]
    for _ in range(2):
        assert daemon.post_batch(events + events[:3]).status == 202
    stored = {event["client_event_id"] for event in database.events()}
    assert stored == {each.replace("\0", "\ufffd") for each in ids}
    assert database.count() == len(ids)
    assert settled(daemon)["events_duplicate_total"] == 3 + len(ids) + 3


def test_all_notations_of_a_uuid_are_one_id(database, hooksd):
    daemon = hooksd(database)
    identity = uuid.uuid4()
    forms = [str(identity), str(identity).upper(), identity.hex, f"{{{identity}}}", identity.urn]
    assert daemon.post_batch([minimal(event_id=form, timestamp="2026-01-02T03:04:05Z") for form in forms]).status == 202
    assert [event["event_id"] for event in database.events()] == [str(identity)]
    assert settled(daemon)["events_duplicate_total"] == len(forms) - 1


@pytest.mark.plain_postgres("a unique index must contain event_id")
def test_a_unique_key_of_a_dba_causes_no_duplicates(database, hooksd):
    """Another event with the same value is not a duplicate and must not vanish."""
    daemon = hooksd(database)
    database.query("CREATE UNIQUE INDEX one_a_session ON hook_events (session_id, event_type, created_date)")
    moment = timestamp_text(now())
    events = [minimal(event_id=str(uuid.uuid4()), session_id=name, timestamp=moment) for name in "abca"]
    assert daemon.post_batch(events).status == 202
    assert daemon.post_batch(events).status == 202
    assert sorted(event["session_id"] for event in database.events()) == ["a", "b", "c"]
    letters = database.query("SELECT event_id::text, sqlstate FROM hook_events_dead_letters")
    assert letters == [(events[3]["event_id"], "23505")]
    numbers = settled(daemon)
    assert (numbers["events_duplicate_total"], numbers["events_dead_lettered_total"]) == (3, 2)
