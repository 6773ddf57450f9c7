"""50,000 events over 16 connections, with a restart in the middle, compared field by field with what was sent."""

import pytest

from harness.events import compact, differences, expected, from_jsonl, random_events
from harness.load import Load
from harness.waiting import SANITIZED

EVENTS = 20_000 if SANITIZED else 50_000
CONNECTIONS = 16

# Every pair of values of two factors meets of PostgreSQL and JSONL in one of the first six runs.
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
def test_everything_sent_is_stored_once_and_unchanged(
    request, hooksd, streams, sent, storage, ack, acceptors, writers, restart
):
    database = request.getfixturevalue("database") if storage == "postgres" else None
    daemon = hooksd(database, STORAGE_TYPE=storage, ACK=ack, ACCEPTORS=acceptors, WRITERS=writers)
    daemon.options["PORT"] = daemon.port  # the clients come back to the same place
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
    # Only what was cut off between storing and acknowledging is there twice, and only where there is no key.
    assert len(lines) - len(stored) <= (CONNECTIONS * 50 if restart == "kill" else 0)
    assert differences(sent, stored)[:5] == []
    data = {event["event_id"]: b'"data":' + compact(event["data"]) for event in sent}
    assert all(data[event["event_id"]] in line for event, line in zip(daemon.jsonl_events(), lines))


def test_single_events_at_volume(hooksd):
    daemon = hooksd(ACCEPTORS=2)
    streams = random_events(EVENTS // 10, sessions=CONNECTIONS, seed=43)
    load = Load(daemon, streams, batch=1)
    with load:
        pass
    assert daemon.metrics()["events_stored_total"] == len(load.events())
    stored = [from_jsonl(line) for line in daemon.jsonl_events()]
    assert differences([expected(event) for event in load.events()], stored)[:5] == []
