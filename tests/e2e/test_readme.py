"""The examples of the README, word for word, against all stores."""

import re

import pytest

from harness.daemon import BUILD_DIR, REPOSITORY, run_program

ORIGINAL_METRICS = ["events_received_total", "events_stored_total", "storage_errors_total", "uptime_seconds"]


@pytest.fixture(params=["jsonl", "sqlite", "postgres"])
def storage(request):
    return request.param


@pytest.fixture
def daemon(storage, request, hooksd):
    database = request.getfixturevalue("database") if storage == "postgres" else None
    daemon = hooksd(database, STORAGE_TYPE=storage)
    daemon.stored_count = database.count if database else lambda: len(daemon.stored_events())
    yield daemon
    daemon.stop()


def test_the_example_of_a_single_event_works(daemon):
    reply = daemon.post_event('{"event_type": "session_started", "session_id": "test-123"}')
    assert reply.status == 202
    assert reply.body == b'{"accepted":1,"message":"Events accepted"}'
    assert reply.headers["Content-Type"].startswith("application/json")
    assert daemon.stored_count() == 1


def test_the_example_of_a_batch_works(daemon):
    reply = daemon.post_batch(
        '[{"event_type": "session_started", "session_id": "s"},'
        ' {"event_type": "tool_execution_completed", "session_id": "s", "data": {"tool_name": "Bash"}}]'
    )
    assert reply.status == 202
    assert reply.json() == {"accepted": 2, "message": "Events accepted"}
    assert daemon.stored_count() == 2


def test_the_example_of_an_empty_batch_works(daemon):
    reply = daemon.post_batch("[]")
    assert reply.status == 202
    assert reply.json() == {"accepted": 0, "message": "No events to store"}
    assert daemon.stored_count() == 0


def test_the_example_of_health_works(daemon, storage):
    reply = daemon.get("/health")
    assert reply.status == 200
    health = reply.json()
    assert health["status"] == "healthy"
    assert health["storage"] == storage
    version = run_program("hooksd", "--version").stdout
    assert health["version"] in version


def test_the_example_of_metrics_works(daemon):
    before = daemon.metrics()
    assert [before[name] for name in ORIGINAL_METRICS[:3]] == [0, 0, 0]
    assert 0 <= before["uptime_seconds"] < 60
    daemon.post_batch([{"event_type": "a", "session_id": "s"}] * 3)
    after = daemon.metrics()
    assert [after[name] for name in ORIGINAL_METRICS[:3]] == [3, 3, 0]


def test_the_example_of_prometheus_metrics_works(daemon):
    daemon.post_event('{"event_type": "session_started", "session_id": "test-123"}')
    reply = daemon.get("/metrics/prometheus")
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("text/plain")
    text = reply.body.decode()
    for name in ORIGINAL_METRICS:
        family = f"hooks_{name}"
        kind = "gauge" if name == "uptime_seconds" else "counter"
        assert re.search(rf"^# HELP {family} \S", text, re.M)
        assert re.search(rf"^# TYPE {family} {kind}$", text, re.M)
    values = dict(re.findall(r"^(hooks_\w+) (\S+)$", text, re.M))
    assert values["hooks_events_received_total"] == values["hooks_events_stored_total"] == "1"
    assert values["hooks_storage_errors_total"] == "0"


def test_build_leaves_both_programs():
    for name in ("hooksd", "hooksctl"):
        assert (BUILD_DIR / name).is_file()


def test_the_documents_of_the_api_name_every_path(daemon):
    document = "".join((REPOSITORY / "docs" / name).read_text() for name in ("events.md", "webhooks-reference.md"))
    for path in daemon.get("/openapi.json").json()["paths"]:
        assert path in document
