"""Numbers from /metrics/prometheus."""

import re


def metrics(daemon):
    """All samples without labels, by name without the prefix hooks_."""
    text = daemon.get("/metrics/prometheus").body.decode()
    return {name: float(value) for name, value in re.findall(r"^hooks_(\w+) (\S+)$", text, re.M)}


def accounted(numbers):
    """Whether every event that was received has become something."""
    return numbers["events_received_total"] == (
        numbers["events_stored_total"] + numbers["events_duplicate_total"] + numbers["events_dead_lettered_total"]
        + numbers["spool_events"]
    )
