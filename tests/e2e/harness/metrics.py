"""Numbers from /metrics/prometheus."""

import re

from harness.accounting import accounted, settled
from harness.waiting import wait_until


def metrics(daemon):
    """All samples without labels, by name without the prefix hooks_."""
    text = daemon.get("/metrics/prometheus").body.decode()
    return {name: float(value) for name, value in re.findall(r"^hooks_(\w+) (\S+)$", text, re.M)}


def wait_accounted(daemon):
    """A look at a moving service sees several moments in one; returns the numbers of one where nothing is missing."""
    return wait_until(lambda: accounted(numbers := metrics(daemon)) and numbers, "all events to be accounted for")


def wait_settled(daemon):
    """Until, besides, nothing is on its way any more."""
    return wait_until(lambda: settled(numbers := metrics(daemon)) and numbers, "all events to be stored")
