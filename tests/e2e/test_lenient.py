"""Prefer: handling=lenient. The valid events of a request are stored, and the answer lists each rejected one."""

import pytest

from harness.client import JSON, NDJSON, RawConnection, http_post
from harness.events import minimal
from harness.metrics import metrics, series, wait_settled

LENIENT = "handling=lenient"


@pytest.fixture
def daemon(shared_hooksd):
    return shared_hooksd()


def types(daemon):
    return [event["event_type"] for event in daemon.jsonl_events()]


def test_valid_events_are_stored_and_invalid_ones_listed_by_index(daemon):
    before = metrics(daemon)
    batch = [minimal(event_type="0"), {"event_type": "1"}, minimal(event_type="2"), 5, minimal(event_type="x" * 101)]
    reply = daemon.post_batch(batch, prefer=LENIENT)
    assert reply.status == 202 and reply.headers["Preference-Applied"] == "handling=lenient"
    assert reply.headers["X-Hooks-Ack"] == "stored"
    answer = reply.json()
    assert (answer["accepted"], answer["rejected"]) == (2, 3)
    assert "errors_left_out" not in answer
    assert answer["errors"] == [
        {"type": "missing", "loc": ["body", 1, "session_id"], "msg": "Field required"},
        {"type": "model_attributes_type", "loc": ["body", 3],
         "msg": "Input should be a valid dictionary or object to extract fields from"},
        {"type": "string_too_long", "loc": ["body", 4, "event_type"],
         "msg": "String should have at most 100 characters", "ctx": {"max_length": 100}},
    ]
    assert types(daemon) == ["0", "2"]
    numbers = wait_settled(daemon)
    assert [numbers[name] - before[name] for name in ("events_received_total", "events_rejected_total")] == [2, 3]


def test_a_line_of_invalid_json_costs_only_itself(daemon):
    before = series(daemon)
    body = b'{"event_type":"0","session_id":"s"}\n\n{"event_type":\n\xff\n{"event_type":"3","session_id":"s"}{}\n' \
           b'{"event_type":"4","session_id":"s"}'
    answer = daemon.post_batch(body, content_type=NDJSON, prefer=LENIENT).json()
    assert (answer["accepted"], answer["rejected"]) == (2, 3)
    assert [(error["type"], error["loc"]) for error in answer["errors"]] == [
        ("json_invalid", ["body", index]) for index in (1, 2, 3)]
    assert answer["errors"][0]["ctx"] == {"error": "unexpected end", "position": 51}
    assert types(daemon) == ["0", "4"]
    assert (series(daemon) - before)['events_rejected_total{reason="json"}'] == 3


def test_an_event_that_is_too_large_costs_only_itself(hooksd):
    daemon = hooksd(MAX_EVENT_BYTES=1024)
    batch = [minimal(), minimal(data={"x": "x" * 2000}), minimal()]
    assert daemon.post_batch(batch).status == 413
    answer = daemon.post_batch(batch, prefer=LENIENT).json()
    assert (answer["accepted"], answer["rejected"]) == (2, 1)
    assert answer["errors"] == [{"type": "event_too_large", "loc": ["body", 1], "msg": "Event is too large",
                                 "ctx": {"max_length": 1024}}]
    assert series(daemon)['events_rejected_total{reason="event_size"}'] == 1


@pytest.mark.parametrize("route,body,content_type", [
    ("/events", b'{"event_type":"a"}', JSON),
    ("/events", b"{", JSON),
    ("/events/batch", b'[{"event_type":"a"},5]', JSON),
    ("/events/batch", b'[{"event_type":"a","session_id":"s"},{"event_type":}]', JSON),
    ("/events/batch", b"{}", JSON),
    ("/events/batch", b"x\ny\n", NDJSON),
])
def test_a_request_without_a_valid_event_is_422(daemon, route, body, content_type):
    before = daemon.metrics()["events_received_total"]
    post = daemon.post_event if route == "/events" else daemon.post_batch
    reply = post(body, content_type=content_type, prefer=LENIENT)
    assert reply.status == 422 and reply.json()["detail"]
    assert reply.headers["Preference-Applied"] == "handling=lenient"
    assert daemon.metrics()["events_received_total"] == before


def test_the_answer_is_limited_and_counts_omitted_entries(daemon):
    answer = daemon.post_batch([minimal()] + [{}] * 5000, prefer=LENIENT)
    assert len(answer.body) < 20_000
    told = answer.json()
    assert (told["accepted"], told["rejected"]) == (1, 5000)
    assert len(told["errors"]) == 100 and told["errors_left_out"] == 9900
    refused = daemon.post_batch([{}] * 5000).json()
    assert len(refused["detail"]) == 100 and refused["errors_left_out"] == 9900


@pytest.mark.parametrize("prefer", [None, "handling=strict", "handling=strict, handling=lenient", "respond-async"])
def test_all_or_nothing_is_the_default(daemon, prefer):
    headers = {} if prefer is None else {"prefer": prefer}
    reply = daemon.post_batch([minimal(), {}], **headers)
    assert reply.status == 422 and reply.headers["Preference-Applied"] is None
    good = daemon.post_batch([minimal()], **headers)
    assert good.headers["Preference-Applied"] is None and set(good.json()) == {"accepted", "message"}
    assert len(daemon.jsonl_events()) == 1


def test_a_lenient_answer_to_a_good_request_has_the_same_members(daemon):
    for answer in (daemon.post_batch([minimal()], prefer=LENIENT), daemon.post_event(minimal(), prefer=LENIENT)):
        assert answer.json() == {"accepted": 1, "message": "Events accepted", "rejected": 0, "errors": []}
    assert daemon.post_batch([], prefer=LENIENT).json()["accepted"] == 0


@pytest.mark.parametrize("lines", [
    ["Prefer: respond-async, handling=lenient; foo"],
    ["Prefer: respond-async", "PREFER: wait=5 , Handling=\"lenient\""],
])
def test_the_header_may_be_repeated_and_have_other_preferences(daemon, lines):
    with RawConnection(daemon.port) as connection:
        connection.send(http_post("/events/batch", b'[{"event_type":"a","session_id":"s"},5]', lines))
        assert connection.read_reply().json()["rejected"] == 1


def test_answers_to_pipelined_requests_list_their_own_events(database, hooksd):
    """libh2o's buffer does not hold the bodies any more when the answers are written."""
    daemon = hooksd(database, UNKNOWN_FIELDS="refuse")
    bodies = [b'[{"event_type":"a","session_id":"s"},{"event_type":"a","session_id":"s","field-%03d":1}]' % n
              for n in range(50)]
    with RawConnection(daemon.port) as connection:
        connection.send(b"".join(http_post("/events/batch", body, ["Prefer: handling=lenient"]) for body in bodies))
        for n in range(50):
            assert connection.read_reply().json()["errors"][0]["loc"] == ["body", 1, f"field-{n:03}"]
    assert database.count() == 50
