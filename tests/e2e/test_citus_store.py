"""Events stored through a proxy that answers as Citus (harness/citus_wire.py): counted exactly, and stored once."""

import json
import os
import re
import signal
import uuid

import pytest

from harness.accounting import accounted
from harness.citus_wire import CitusProxy
from harness.dba import Month
from harness.events import differences, expected, minimal, now, random_events, timestamp_text
from harness.metrics import metrics, wait_settled
from harness.waiting import wait_until


@pytest.fixture
def database(empty_database):
    """A database without tables, for tests that install the schema and the stand-in themselves."""
    return empty_database


@pytest.fixture
def citus(database):
    """hooksd looks for an extension with the name citus, so any extension of that name will do."""
    database.query("UPDATE pg_extension SET extname = 'citus' WHERE extname = 'plpgsql'")
    with CitusProxy(database.server.port) as proxy:
        yield proxy


@pytest.fixture
def daemon(citus, database, hooksd):
    daemon = hooksd(DATABASE_URL=citus.url(database), WRITERS=1, SPOOL_AFTER_MS=0)
    yield daemon
    daemon.clean_up()  # before the proxy ends


def letters(database):
    return database.query("SELECT session_id, sqlstate, message FROM hook_events_dead_letters ORDER BY id")


def event(session="s", **fields):
    return minimal(event_id=str(uuid.uuid4()), session_id=session, timestamp=timestamp_text(now()), **fields)


def post(daemon, events, ack="stored"):
    reply = daemon.post_batch(events)
    assert (reply.status, reply.headers["X-Hooks-Ack"]) == (202, ack), reply


def test_repeated_events_are_counted_and_make_no_dead_letters(daemon, database):
    events = random_events(300, sessions=1, seed=61)[0]
    more = random_events(50, sessions=1, seed=62)[0]
    for batch in (events, events, more + events[:50], more + more, events[:1]):
        post(daemon, batch)
    numbers = metrics(daemon)
    assert differences([expected(each) for each in events + more], database.events()) == []
    assert (numbers["events_stored_total"], numbers["events_duplicate_total"]) == (350, 300 + 50 + 100 + 1)
    assert (letters(database), numbers["storage_errors_total"]) == ([], 0)
    assert accounted(numbers)


def test_an_event_that_a_check_refuses_alone_becomes_a_dead_letter(daemon, database):
    database.query("ALTER TABLE hook_events ADD CONSTRAINT good_session CHECK (session_id <> 'bad')")
    events = [event(f"s{n}" if n % 20 else "bad", data={"n": "a secret"}) for n in range(100)]
    for _ in range(2):
        post(daemon, events)
    assert database.count() == 95
    assert {row[:2] for row in letters(database)} == {("bad", "23514")} and len(letters(database)) == 5
    numbers = metrics(daemon)
    assert (numbers["events_stored_total"], numbers["events_duplicate_total"]) == (95, 95)
    assert numbers["events_dead_lettered_total"] == 10 and accounted(numbers)
    assert "secret" not in daemon.log() + str(letters(database))


def test_a_refused_single_event_becomes_a_dead_letter(daemon, database):
    database.query("ALTER TABLE hook_events ADD CONSTRAINT good_session CHECK (session_id <> 'bad')")
    post(daemon, [event("bad")])
    assert [row[:2] for row in letters(database)] == [("bad", "23514")]


def test_an_event_that_the_coordinator_refuses_becomes_a_dead_letter(daemon, database):
    events = json.dumps([event(data={}), event("b")]).replace('"data": {}', '"data": {"x": 1e200000}')
    post(daemon, events)
    assert [row[1] for row in letters(database)] == ["22003"]
    assert database.count() == 1


def test_a_killed_writer_doubles_no_event(daemon, database):
    events = random_events(200, sessions=1, seed=63)[0]
    for start in range(0, 200, 20):
        assert daemon.post_batch(events[start : start + 20]).status == 202
        if start % 60 == 0:
            os.kill(daemon.pids("writer")[0], signal.SIGKILL)
            wait_until(lambda: daemon.pids("writer"), "a new writer")
    assert daemon.post_batch(events).status == 202
    daemon.wait_spool_empty()
    wait_settled(daemon)
    assert differences([expected(each) for each in events], database.events()) == []
    assert letters(database) == []


def test_the_store_is_not_ready_while_a_worker_is_down(daemon, citus, database):
    """An empty COPY proves nothing: the coordinator accepts it without a worker."""
    events = random_events(60, sessions=1, seed=64)[0]
    post(daemon, events[:20])
    citus.worker_away = True
    post(daemon, events[20:40], "spooled")
    daemon.wait_for_log("the store is unavailable .*worker-1:5432", count=3)
    assert daemon.get("/health").json()["status"] == "degraded"
    post(daemon, events[40:], "spooled")
    assert len(re.findall("the store is ready", daemon.log())) == 1
    citus.worker_away = False
    daemon.wait_spool_empty()
    assert differences([expected(each) for each in events], database.events()) == []
    assert letters(database) == []


ON_A_WORKER = """
ALTER FUNCTION ensure_partitions(int, date) RENAME TO of_the_coordinator;
CREATE FUNCTION ensure_partitions(ahead int, today date) RETURNS TABLE (partition_name text, outcome text)
LANGUAGE plpgsql AS $$ BEGIN RAISE 'operation is not allowed on this node' USING ERRCODE = 'XX000'; END $$;
CREATE FUNCTION run_command_on_coordinator(command text, give_warning_for_connection_errors bool DEFAULT false,
	OUT nodeid int, OUT success bool, OUT result text) RETURNS SETOF record
LANGUAGE plpgsql AS $$ BEGIN
	EXECUTE replace(command, 'ensure_partitions', 'of_the_coordinator') INTO result;
	nodeid := 1; success := true; RETURN NEXT;
END $$"""


def test_months_are_created_by_the_coordinator_when_hooksd_is_connected_to_a_worker(daemon, database):
    database.query(ON_A_WORKER)
    months = [Month(-3), Month(-7)]
    post(daemon, [minimal(timestamp=f"{month.day}T12:00:00Z") for month in months])
    places = {row[0] for row in database.query("SELECT tableoid::regclass::text FROM hook_events")}
    assert places == {month.name for month in months}
    assert "cannot be made" not in daemon.log()
