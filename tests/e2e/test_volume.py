"""
50,000 events over 16 connections with a restart in the middle: the stored events equal the sent ones in every field.
"""

import pytest

from harness.events import compact, differences, expected, from_jsonl, random_events
from harness.load import Load
from harness.waiting import SANITIZED

EVENTS = 20_000 if SANITIZED else 50_000
CONNECTIONS = 16

# The first six runs, with PostgreSQL and JSONL, have each pair of values of two factors.
RUNS = [
    # storage, ack, acceptors, writers, restart
    ("jsonl", "durable", 1, 1, "term"),
    ("postgres", "queued", 1, 2, "term"),
    ("postgres", "durable", 4, 2, "kill"),
    ("postgres", "durable", 1, 1, "kill"),
    ("jsonl", "queued", 4, 2, "term"),
    ("jsonl", "queued", 4, 1, "kill"),
    ("sqlite", "durable", 4, 1, "kill"),
    ("sqlite", "queued", 1, 1, "term"),
]


@pytest.fixture(scope="module")
def streams():
    return random_events(EVENTS, sessions=CONNECTIONS, seed=42)


@pytest.fixture(scope="module")
def sent(streams):
    return [expected(event) for stream in streams for event in stream]


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.parametrize("storage,ack,acceptors,writers,restart", RUNS)
def test_every_event_is_stored_once_and_unchanged(
    request, hooksd, streams, sent, storage, ack, acceptors, writers, restart
):
    database = request.getfixturevalue("database") if storage == "postgres" else None
    daemon = hooksd(database, STORAGE_TYPE=storage, ACK=ack, ACCEPTORS=acceptors, WRITERS=writers)
    daemon.options["PORT"] = daemon.port  # clients reconnect to the same port
    load = Load(daemon, streams, batch=50)
    with load:
        load.wait_acknowledged(EVENTS // 2)
        if restart == "term":
            daemon.stop()
        else:
            daemon.kill()
        daemon.start()
    daemon.stop()

    if storage != "jsonl":
        assert differences(sent, database.events() if database else daemon.stored_events())[:5] == []
        return
    lines = daemon.jsonl_lines()
    stored = load.without_repeats([from_jsonl(event) for event in daemon.jsonl_events()])
    # JSONL has no key, so requests cut off between storing and acknowledging are stored twice.
    assert len(lines) - len(stored) <= (CONNECTIONS * 50 if restart == "kill" else 0)
    assert differences(sent, stored)[:5] == []
    data = {event["event_id"]: b'"data":' + compact(event["data"]) for event in sent}
    assert all(data[event["event_id"]] in line for event, line in zip(daemon.jsonl_events(), lines))


def test_many_single_events_are_stored_once_and_unchanged(hooksd):
    daemon = hooksd(ACCEPTORS=2)
    streams = random_events(EVENTS // 10, sessions=CONNECTIONS, seed=43)
    load = Load(daemon, streams, batch=1)
    with load:
        pass
    assert daemon.metrics()["events_stored_total"] == len(load.events())
    stored = [from_jsonl(line) for line in daemon.jsonl_events()]
    assert differences([expected(event) for event in load.events()], stored)[:5] == []
