"""Numbers from /metrics/prometheus."""

import re
from collections import Counter

from harness.accounting import accounted, settled
from harness.waiting import wait_until


def metrics(daemon):
    """The sums of all samples of a name, which is without the prefix hooks_; of a histogram only _sum and _count."""
    numbers = {}
    for name, value in re.findall(r"^hooks_(\w+)(?<!_bucket)(?:{.*})? (\S+)$", text_of(daemon), re.M):
        numbers[name] = numbers.get(name, 0) + float(value)
    return numbers


def series(daemon):
    """Every sample by itself: {'requests_accepted_total{ack="stored"}': 3}."""
    return Counter({name: float(value) for name, value in re.findall(r"^hooks_(\S+) (\S+)$", text_of(daemon), re.M)})


def text_of(daemon):
    return daemon.get("/metrics/prometheus").body.decode()


def wait_accounted(daemon):
    """A look at a moving service sees several moments in one; returns the numbers of one where nothing is missing."""
    return wait_until(lambda: accounted(numbers := metrics(daemon)) and numbers, "all events to be accounted for")


def wait_settled(daemon):
    """Until, besides, nothing is on its way any more."""
    return wait_until(lambda: settled(numbers := metrics(daemon)) and numbers, "all events to be stored")
