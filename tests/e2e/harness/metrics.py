"""Numbers from /metrics/prometheus."""

import re

from harness.waiting import wait_until


def metrics(daemon):
    """All samples without labels, by name without the prefix hooks_."""
    text = daemon.get("/metrics/prometheus").body.decode()
    return {name: float(value) for name, value in re.findall(r"^hooks_(\w+) (\S+)$", text, re.M)}


OUTCOMES = ("events_stored_total", "events_duplicate_total", "events_dead_lettered_total", "events_damaged_total",
            "ring_events", "spool_events")


def accounted(numbers):
    """Whether every event that was received has become something."""
    return numbers["events_received_total"] == sum(numbers[name] for name in OUTCOMES)


def wait_accounted(daemon):
    """A look at a moving service sees several moments in one; returns the numbers of one where nothing is missing."""
    return wait_until(lambda: accounted(numbers := metrics(daemon)) and numbers, "all events to be accounted for")
