"""Valid and invalid hook events: how values are read, and how a refusal names the mistake."""

import json
import uuid
from datetime import datetime, timedelta, timezone

import pytest

from harness.client import JSON, NDJSON
from harness.events import data_bytes, minimal, now, timestamp_text
from harness.metrics import series

LIMITS = {
    "event_type": 100,
    "session_id": 255,
    "workflow_id": 255,
    "phase_id": 100,
    "milestone_id": 100,
    "event_id": 255,
}


@pytest.fixture
def daemon(shared_hooksd):
    return shared_hooksd()


@pytest.fixture
def client(daemon):
    with daemon.client() as client:
        yield client


def errors(reply):
    """The entries of a reply with 422."""
    assert reply.status == 422, reply
    assert reply.headers["Content-Type"].startswith("application/json")
    entries = reply.json()["detail"]
    assert entries
    for entry in entries:
        assert entry["type"] and entry["msg"] and entry["loc"][0] == "body"
    return entries


def only_error(reply):
    entries = errors(reply)
    assert len(entries) == 1, entries
    return entries[0]


def stored_one(daemon, client, event):
    """Posts the event. Returns its line in the JSONL file."""
    assert client.post_event(event).status == 202
    return daemon.jsonl_events()[-1]


# Refusals


def test_missing_fields_are_named(client):
    error = only_error(client.post_event({"event_type": "a"}))
    assert error == {"type": "missing", "loc": ["body", "session_id"], "msg": "Field required"}
    both = errors(client.post_event({}))
    assert [(error["type"], error["loc"]) for error in both] == [
        ("missing", ["body", "event_type"]),
        ("missing", ["body", "session_id"]),
    ]


def test_an_error_in_a_batch_says_which_event(client):
    error = only_error(client.post_batch([minimal(), {"event_type": "a"}, minimal()]))
    assert error == {"type": "missing", "loc": ["body", 1, "session_id"], "msg": "Field required"}


def test_an_error_in_ndjson_says_which_event(client):
    body = b'{"event_type":"a","session_id":"s"}\n{"event_type":"a"}\n'
    error = only_error(client.post("/events/batch", body, content_type=NDJSON))
    assert (error["type"], error["loc"]) == ("missing", ["body", 1, "session_id"])


def test_errors_of_several_events_are_all_listed(client):
    events = [minimal(), {"event_type": "a"}, minimal(), {"session_id": "s", "event_type": 5}]
    entries = errors(client.post_batch(events))
    assert [(entry["type"], entry["loc"]) for entry in entries] == [
        ("missing", ["body", 1, "session_id"]),
        ("string_type", ["body", 3, "event_type"]),
    ]


@pytest.mark.parametrize("field", LIMITS)
@pytest.mark.parametrize("value", [5, 1.5, True, False, [], {}, ["text"]])
def test_other_types_in_a_string_field_are_422(client, field, value):
    error = only_error(client.post_event(minimal(**{field: value})))
    assert (error["type"], error["loc"]) == ("string_type", ["body", field])


@pytest.mark.parametrize("field", ["event_type", "session_id"])
def test_null_in_a_required_field_is_422(client, field):
    error = only_error(client.post_event(minimal(**{field: None})))
    assert (error["type"], error["loc"]) == ("string_type", ["body", field])


@pytest.mark.parametrize("field", LIMITS)
def test_limits_count_characters_not_bytes(daemon, client, field):
    limit = LIMITS[field]
    for character in "xé日🤖":
        stored = stored_one(daemon, client, minimal(**{field: character * limit}))
        assert stored["client_event_id" if field == "event_id" else field] == character * limit
        error = only_error(client.post_event(minimal(**{field: character * (limit + 1)})))
        assert (error["type"], error["loc"]) == ("string_too_long", ["body", field])
        assert str(limit) in error["msg"]


@pytest.mark.parametrize("value", [5, "text", True, [], [{}]])
def test_data_must_be_an_object(client, value):
    error = only_error(client.post_event(minimal(data=value)))
    assert (error["type"], error["loc"]) == ("dict_type", ["body", "data"])


@pytest.mark.parametrize("value", [
    "yesterday",
    "2025-13-01T00:00:00Z",
    "2025-02-29T00:00:00Z",
    "2025-01-01T25:00:00Z",
    "2025-01-01T00:61:00Z",
    "2025-01-01T00:00:00+99:00",
    [],
    {},
    True,
])
def test_bad_timestamps_are_422(client, value):
    assert only_error(client.post_event(minimal(timestamp=value)))["loc"] == ["body", "timestamp"]


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"5", b"null", b"true"])
def test_a_single_event_must_be_an_object(client, body):
    assert only_error(client.post_event(body))["loc"] == ["body"]


@pytest.mark.parametrize("body", [b"{}", b'"text"', b"5", b"null", b'{"event_type":"a","session_id":"s"}'])
def test_a_batch_must_be_an_array(client, body):
    error = only_error(client.post_batch(body))
    assert (error["type"], error["loc"]) == ("list_type", ["body"])


@pytest.mark.parametrize("element", [b"5", b"null", b'"text"', b"[]"])
def test_every_element_of_a_batch_must_be_an_object(client, element):
    error = only_error(client.post_batch(b'[{"event_type":"a","session_id":"s"},' + element + b"]"))
    assert error["loc"] == ["body", 1]


@pytest.mark.parametrize("body,position", [
    (b"", 0),
    (b"   ", 3),
    (b"{", 1),
    (b'{"event_type":"a","session_id":"s"', 34),
    (b'{"event_type":"a","session_id":"s"}x', 35),
    (b'{"event_type":"a","session_id":"s"}{}', 35),
    (b'{"event_type":"a",}', 18),
    (b'{"event_type" "a"}', 14),
    (b"{'event_type':1}", 1),
    (b'{"event_type":"a","session_id":"s","data":{"n":01}}', None),
    (b'{"event_type":"a","session_id":"s","data":{"n":1.}}', None),
    (b'{"event_type":"a","session_id":"s","data":{"n":+1}}', 47),
    (b'{"event_type":"a","session_id":"s","data":{"n":nul}}', None),
    (b'{"event_type":"a","session_id":"a\nb"}', 33),
    (b'{"event_type":"a","session_id":"\\x"}', None),
    (b'{"event_type":"a","session_id":"\\u12g4"}', None),
    (b'{"event_type":"a","session_id":"\xff"}', 32),
    (b'{"event_type":"a","session_id":"\xc0\xaf"}', 32),
    (b'{"event_type":"a","session_id":"\xed\xa0\x80"}', None),
    (b'{"event_type":"a","session_id":"\xf4\x90\x80\x80"}', None),
    (b"\x00", 0),
])
def test_an_error_of_invalid_json_has_position_and_reason(client, body, position):
    error = only_error(client.post_event(body))
    assert error["type"] == "json_invalid"
    assert error["ctx"]["error"]
    where = error["loc"][1]
    assert 0 <= where <= len(body)
    if position is not None:
        assert where == position


def test_the_position_of_broken_json_in_a_batch_counts_from_the_start_of_the_body(client):
    body = b'[{"event_type":"a","session_id":"s"},{"event_type":]'
    error = only_error(client.post_batch(body))
    assert (error["type"], error["loc"]) == ("json_invalid", ["body", len(body) - 1])


def test_nesting_is_bounded(client):
    def nested(depth):
        return b'{"event_type":"a","session_id":"s","data":{"x":' + b"[" * depth + b"]" * depth + b"}}"

    assert client.post_event(nested(400)).status == 202
    assert only_error(client.post_event(nested(100_000)))["type"] == "json_invalid"
    assert only_error(client.post_event(b"[" * 500_000))["loc"][0] == "body"
    assert client.post_event(minimal()).status == 202


def test_a_refusal_does_not_echo_huge_input(client):
    for event in (minimal(session_id="x" * 100_000), minimal(data="x" * 100_000)):
        reply = client.post_event(event)
        assert reply.status == 422
        assert len(reply.body) < 2000


def test_a_refused_batch_stores_no_event(daemon, client):
    before = daemon.metrics()["events_received_total"]
    events = [minimal(session_id=f"s{n}") for n in range(1000)]
    for broken in (0, 500, 999):
        batch = events[:broken] + [{"event_type": "a"}] + events[broken + 1 :]
        assert client.post_batch(batch).status == 422
    assert client.post_batch(json.dumps(events)[:-1]).status == 422
    assert client.post_event(minimal(session_id="after")).status == 202
    assert [event["session_id"] for event in daemon.jsonl_events()] == ["after"]
    assert daemon.metrics()["events_received_total"] == before + 1


# Accepted events


UNKNOWN = b'{"event_type":"a","session_id":"s","tool":"Bash","data":{"n":1,"tool":"sh"},"deep" : { "x" : [ 1e2 ] },"n\\u0061n":NaN}'


def test_unknown_fields_are_kept_in_data(daemon, client):
    before = series(daemon)
    assert client.post_event(UNKNOWN).status == 202
    assert data_bytes(daemon.jsonl_lines()[-1]) == b'{"n":1,"tool":"sh","deep":{"x":[1e2]},"n\\u0061n":null}'
    assert stored_one(daemon, client, minimal(extra=[1], sessionId="x"))["data"] == {"extra": [1], "sessionId": "x"}
    assert stored_one(daemon, client, minimal(extra=1, data=None))["data"] == {"extra": 1}
    assert client.post_batch([minimal(extra=n) for n in range(3)]).status == 202
    assert [event["data"] for event in daemon.jsonl_events()[-3:]] == [{"extra": n} for n in range(3)]
    assert (series(daemon) - before)['events_unknown_fields_total{action="keep"}'] == 6


def test_unknown_fields_can_be_ignored(hooksd):
    daemon = hooksd(UNKNOWN_FIELDS="ignore")
    assert daemon.post_event(minimal(extra=1, data={"n": 1})).status == 202
    assert daemon.jsonl_events()[-1]["data"] == {"n": 1}
    assert series(daemon)['events_unknown_fields_total{action="ignore"}'] == 1


def test_unknown_fields_can_be_refused(hooksd):
    daemon = hooksd(UNKNOWN_FIELDS="refuse")
    reply = daemon.post_batch([minimal(), minimal(**{"sessionId": 1, 'né"w\n': 2})])
    forbidden = {"type": "extra_forbidden", "msg": "Extra inputs are not permitted"}
    assert errors(reply) == [forbidden | {"loc": ["body", 1, name]} for name in ("sessionId", 'né"w\n')]
    assert only_error(daemon.post_event(minimal(**{"x" * 100_000: 1})))["loc"] == ["body", "x" * 100 + "..."]
    many = daemon.post_event(minimal(**{"x" * 5000 + str(n): 1 for n in range(100)}))
    assert many.status == 422 and len(many.body) < 4000
    assert daemon.post_event(minimal(data={"extra": 1})).status == 202
    assert len(daemon.jsonl_events()) == 1


def test_missing_fields_get_their_defaults(daemon, client):
    before = now()
    stored = stored_one(daemon, client, minimal())
    assert list(stored) == [
        "event_id", "event_type", "session_id", "workflow_id", "phase_id", "milestone_id", "data", "timestamp",
    ]
    assert stored["data"] == {}
    assert stored["workflow_id"] is stored["phase_id"] is stored["milestone_id"] is None
    assert uuid.UUID(stored["event_id"]).version == 7
    assert timestamp_text(before) <= stored["timestamp"] <= timestamp_text(now())


def test_null_means_the_default(daemon, client):
    nulls = dict.fromkeys(["event_id", "workflow_id", "phase_id", "milestone_id", "data", "timestamp"])
    stored = stored_one(daemon, client, minimal(**nulls))
    assert stored["data"] == {}
    assert uuid.UUID(stored["event_id"]).version == 7


def test_an_empty_session_id_is_accepted(daemon, client):
    assert stored_one(daemon, client, minimal(session_id=""))["session_id"] == ""


def test_an_empty_event_id_means_a_new_one(daemon, client):
    stored = stored_one(daemon, client, minimal(event_id=""))
    assert uuid.UUID(stored["event_id"]).version == 7
    assert "client_event_id" not in stored


PLACEHOLDERS = ["00000000-0000-0000-0000-000000000000", "{FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF}", "undefined", "null",
                "None", "nil", "NaN", "  "]


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
def test_a_placeholder_for_an_event_id_means_a_new_one(daemon, client, placeholder):
    stored = stored_one(daemon, client, minimal(event_id=placeholder))
    assert uuid.UUID(stored["event_id"]).version == 7
    assert "client_event_id" not in stored


@pytest.mark.parametrize("form", ["{}", "{{{}}}", "urn:uuid:{}"])
def test_uuids_are_accepted_in_every_usual_form(daemon, client, form):
    identity = "0190f5fe-7c00-7a00-8abc-012345678abc"
    for text in (identity, identity.upper(), identity.replace("-", "")):
        stored = stored_one(daemon, client, minimal(event_id=form.format(text)))
        assert stored["event_id"] == identity
        assert "client_event_id" not in stored


def test_other_ids_are_kept_and_mapped_to_the_same_uuid_each_time(daemon, client):
    identities = []
    for client_id in ("evt-42", "evt-42", "evt-43", "évt 🤖"):
        stored = stored_one(daemon, client, minimal(event_id=client_id))
        assert stored["client_event_id"] == client_id
        assert uuid.UUID(stored["event_id"]).version == 5
        identities.append(stored["event_id"])
    assert identities[0] == identities[1]
    assert len(set(identities)) == 3


def test_new_ids_are_unique_and_ascend(daemon, client):
    assert client.post_batch([minimal()] * 2000).status == 202
    identities = [event["event_id"] for event in daemon.jsonl_events()]
    assert identities == sorted(set(identities))


@pytest.mark.parametrize("sent,stored", [
    ("2025-01-15T10:30:00Z", "2025-01-15T10:30:00.000000Z"),
    ("2025-01-15T10:30:00", "2025-01-15T10:30:00.000000Z"),
    ("2025-01-15 10:30:00", "2025-01-15T10:30:00.000000Z"),
    ("2025-01-15T10:30:00.5Z", "2025-01-15T10:30:00.500000Z"),
    ("2025-01-15T10:30:00.123456", "2025-01-15T10:30:00.123456Z"),
    ("2025-01-15T10:30:00.123456+02:00", "2025-01-15T08:30:00.123456Z"),
    ("2025-01-15T10:30:00-0530", "2025-01-15T16:00:00.000000Z"),
    ("2025-01-15T00:30:00+01:00", "2025-01-14T23:30:00.000000Z"),
    ("2025-01-15", "2025-01-15T00:00:00.000000Z"),
    ("2024-02-29T23:59:59.999999Z", "2024-02-29T23:59:59.999999Z"),
    ("1999-12-31T23:59:59Z", "1999-12-31T23:59:59.000000Z"),
    (1736937000, "2025-01-15T10:30:00.000000Z"),
    (1736937000.25, "2025-01-15T10:30:00.250000Z"),
    (1736937000123, "2025-01-15T10:30:00.123000Z"),
    (0, "1970-01-01T00:00:00.000000Z"),
])
def test_timestamps_are_stored_in_utc(daemon, client, sent, stored):
    assert stored_one(daemon, client, minimal(timestamp=sent))["timestamp"] == stored


@pytest.mark.parametrize("nothing", ["", "0001-01-01T00:00:00Z"])
def test_an_empty_timestamp_and_gos_zero_time_mean_now(daemon, client, nothing):
    before = now()
    stored = stored_one(daemon, client, minimal(timestamp=nothing))
    assert timestamp_text(before) <= stored["timestamp"] <= timestamp_text(now())


@pytest.mark.parametrize("epoch", [1736937000123456, 1736937000123456789])
def test_timestamps_in_micro_or_nanoseconds_get_advice(client, epoch):
    error = only_error(client.post_event(minimal(timestamp=epoch)))
    assert error["loc"] == ["body", "timestamp"]
    assert "send seconds or milliseconds" in error["msg"]


def test_pythons_isoformat_is_accepted(daemon, client):
    moment = datetime(2025, 6, 1, 12, 0, 0, 654321, timezone(timedelta(hours=5, minutes=45)))
    stored = stored_one(daemon, client, minimal(timestamp=moment.isoformat()))
    assert stored["timestamp"] == timestamp_text(moment)


@pytest.mark.parametrize("text", [
    b"{}",
    b'{"n":12345678901234567890}',
    b'{"n":0.1000000000000000055511151231257827}',
    b'{"n":1e5,"m":1E+5,"k":-0,"l":-0.0,"big":1e200000}',
    b'{"b":1,"a":2,"b":3}',
    b'{"escapes":"\\u00e9 \\/ \\b\\f\\n\\r\\t \\" \\\\ \\uD83E\\uDD16"}',
    b'{"nul":"x\\u0000y","lone":"\\ud800"}',
    '{"text":"日本語 🤖 \u2028 \x7f"}'.encode(),
    b'{"empty":{},"list":[],"null":null,"true":true,"false":false,"":""}',
])
def test_data_is_kept_byte_for_byte(daemon, client, text):
    body = b'{"event_type":"a","session_id":"s","data":' + text + b"}"
    assert client.post_event(body).status == 202
    assert data_bytes(daemon.jsonl_lines()[-1]) == text


def test_only_insignificant_white_space_is_removed(daemon, client):
    data = {"text": "  kept  ", "list": [1, {"a b": " "}], "multi\nline": "x\ty"}
    pretty = json.dumps(minimal(data=data), indent="\t").replace("\n", "\r\n ")
    assert client.post_event(pretty).status == 202
    line = daemon.jsonl_lines()[-1]
    assert data_bytes(line) == json.dumps(data, separators=(",", ":")).encode()
    assert len(daemon.jsonl_lines()) == 1


def test_nan_and_infinity_become_null(daemon, client):
    body = json.dumps(minimal(data={"values": [float("nan"), float("inf"), float("-inf")], "text": "NaN"}))
    assert "-Infinity" in body
    assert stored_one(daemon, client, body)["data"] == {"values": [None, None, None], "text": "NaN"}
    assert client.post_event('{"event_type":"a","session_id":"s","other":NaNa}').status == 422


def test_escapes_in_the_envelope_are_decoded(daemon, client):
    body = b'{"event_type":"\\u0061\\/b","session_id":"\\ud83e\\udd16 \\u65e5","workflow_id":"a\\"b\\\\c\\nd"}'
    stored = stored_one(daemon, client, body)
    assert (stored["event_type"], stored["session_id"], stored["workflow_id"]) == ("a/b", "🤖 日", 'a"b\\c\nd')


def test_a_field_name_written_with_escapes_is_the_same_field(daemon, client):
    stored = stored_one(daemon, client, b'{"event\\u005ftype":"a","session_id":"s"}')
    assert stored["event_type"] == "a"


def test_of_repeated_fields_the_last_one_counts(daemon, client):
    body = b'{"event_type":"a","session_id":"s","session_id":"t","data":{"n":1},"data":{"n":2}}'
    stored = stored_one(daemon, client, body)
    assert (stored["session_id"], stored["data"]) == ("t", {"n": 2})


@pytest.mark.parametrize("route,body,content_type", [
    ("/events", b'{"event_type":"a","session_id":"s"}', JSON),
    ("/events/batch", b'[{"event_type":"a","session_id":"s"}]', JSON),
    ("/events/batch", b'{"event_type":"a","session_id":"s"}\r\n', NDJSON),
])
def test_one_byte_order_mark_at_the_start_is_accepted(daemon, client, route, body, content_type):
    mark = b"\xef\xbb\xbf"
    assert client.post(route, mark + body, content_type=content_type).json()["accepted"] == 1
    for wrong in (mark + mark + body, body + mark):
        assert only_error(client.post(route, wrong, content_type=content_type))["type"] == "json_invalid"
    assert len(daemon.jsonl_events()) == 1


def test_white_space_between_all_tokens_is_accepted(daemon, client):
    body = b' \r\n\t[ \n{ "event_type" : "a" , "session_id":\t"s" } , { "event_type":"b","session_id":"s"}\n ] \n'
    assert client.post_batch(body).json()["accepted"] == 2
    assert [event["event_type"] for event in daemon.jsonl_events()] == ["a", "b"]
