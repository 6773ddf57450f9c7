"""The events for measuring single stages: 470 bytes each without white space, the same in every run."""

import json
import random
import string
import uuid

BATCH = 100
EVENT_BYTES = 470


def sample_events():
    """A batch of different events of 50 sessions, all of the same size."""
    rng = random.Random(7)
    sessions = [str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(50)]
    return [sample_event(rng, rng.choice(sessions)) for _ in range(BATCH)]


def sample_event(rng, session):
    event = {
        "event_type": rng.choice(["tool_execution_started", "tool_execution_completed", "decision_made"]),
        "session_id": session,
        "workflow_id": f"workflow-{rng.randrange(1000)}",
        "phase_id": "implementation",
        "data": {
            "tool_name": rng.choice(["Bash", "Edit", "Read", "Grep"]),
            "success": rng.random() < 0.9,
            "duration_ms": rng.randrange(10_000),
            "tokens": {"input": rng.randrange(10_000), "output": rng.randrange(1000)},
            "output": "",
        },
    }
    room = EVENT_BYTES - len(encode(event))
    event["data"]["output"] = "".join(rng.choices(string.ascii_letters + string.digits + "     ./_-", k=room))
    assert len(encode(event)) == EVENT_BYTES
    return event


def encode(value):
    return json.dumps(value, separators=(",", ":")).encode()
