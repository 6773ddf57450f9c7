"""Events as agents send them, and the canonical form that compares sent events with stored ones."""

import json
import random
import uuid
from datetime import datetime, timedelta, timezone

EVENT_TYPES = ["session_started", "tool_execution_started", "tool_execution_completed", "session_ended"]
TEXTS = [
    "plain",
    "naïve café",
    "日本語のテキスト",
    "emoji 🤖🔥",
    'quotes " and \\ slashes',
    "tab\tnewline\nreturn\r",
    "\u2028\u2029",
    "",
]
# Each event takes a part of this text. Making a text character by character takes longer than storing the event.
OUTPUT = "".join(random.Random(1).choices('abc XYZ 0189 /.-_{}[]",:', k=65536))
FIELDS = ("event_id", "client_event_id", "event_type", "session_id", "workflow_id", "phase_id", "milestone_id", "data",
          "timestamp")


def minimal(**fields):
    """The smallest valid event, with the given fields added."""
    return {"event_type": "session_started", "session_id": "test-123"} | fields


def now():
    return datetime.now(timezone.utc)


def timestamp_text(moment):
    """The canonical form of a timestamp: UTC, microseconds, Z."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def random_data(rng, size):
    length, start = rng.randrange(size), rng.randrange(len(OUTPUT) - size)
    return {
        "sequence": rng.randrange(2**53),
        "ratio": rng.randrange(-(10**6), 10**6) / 1024,
        "ok": rng.random() < 0.5,
        "nothing": None,
        "text": rng.choice(TEXTS),
        "nested": {"list": [1, "two", [3, {"four": 4}], {}], rng.choice(TEXTS): rng.choice(TEXTS)},
        "output": OUTPUT[start : start + length],
    }


def random_event(rng, session):
    """An event with a client's UUID and a timestamp of the last three weeks, in one of the formats that clients use."""
    moment = now().replace(microsecond=rng.randrange(10**6)) - timedelta(seconds=rng.randrange(21 * 86400))
    offset = timezone(timedelta(minutes=rng.choice([0, 0, 120, -330, 765])))
    event = {
        "event_id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "event_type": rng.choice(EVENT_TYPES),
        "session_id": session,
        "timestamp": rng.choice([timestamp_text(moment), moment.astimezone(offset).isoformat()]),
        "data": random_data(rng, 400),
    }
    for field in ("workflow_id", "phase_id", "milestone_id"):
        choice = rng.random()
        if choice < 0.6:
            event[field] = f"{field[:-3]}-{rng.choice(TEXTS)[:20]}-{rng.randrange(1000)}"
        elif choice < 0.8:
            event[field] = None
    return event


def random_events(count, sessions, seed):
    """`count / sessions` events for each session. data.position is an event's place in its session."""
    rng = random.Random(seed)
    streams = []
    for number in range(sessions):
        stream = [random_event(rng, f"session-{number}") for _ in range(count // sessions)]
        for position, event in enumerate(stream):
            event["data"]["position"] = position
        streams.append(stream)
    return streams


def expected(event):
    """The canonical stored form of an event with a UUID and an ISO timestamp."""
    canonical = dict.fromkeys(FIELDS) | event
    canonical["event_id"] = str(uuid.UUID(event["event_id"]))
    canonical["timestamp"] = timestamp_text(datetime.fromisoformat(event["timestamp"].replace("Z", "+00:00")))
    canonical.setdefault("data", {})
    return canonical


def from_jsonl(line):
    """A stored JSONL object, in the shape of expected()."""
    return dict.fromkeys(FIELDS) | line


def data_bytes(line):
    """The bytes of `data` in a stored JSONL line."""
    text = line.decode()
    start = text.index('"data":') + len('"data":')
    start += len(text[start:]) - len(text[start:].lstrip())
    _value, end = json.JSONDecoder().raw_decode(text, start)
    return text[start:end].encode()


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def differences(sent, stored):
    """Human-readable differences between two lists of canonical events with unique ids; empty when they are equal."""
    sent = {event["event_id"]: event for event in sent}
    found = []
    seen = set()
    for event in stored:
        identity = event["event_id"]
        if identity in seen:
            found.append(f"stored twice: {identity}")
        seen.add(identity)
        if identity not in sent:
            found.append(f"never sent: {event}")
        elif event != sent[identity]:
            found.append(f"sent {sent[identity]} stored {event}")
    found += [f"lost: {identity}" for identity in sent if identity not in seen]
    return found
