"""Numbers from /metrics/prometheus."""

import re
from collections import Counter

from harness.accounting import accounted, settled
from harness.waiting import wait_until


def metrics(daemon):
    """
    The sum of all samples of each metric, by its name without the prefix hooks_. Of a histogram only _sum and _count.
    """
    numbers = {}
    for name, value in re.findall(r"^hooks_(\w+)(?<!_bucket)(?:{.*})? (\S+)$", text_of(daemon), re.M):
        numbers[name] = numbers.get(name, 0) + float(value)
    return numbers


def series(daemon):
    """Every sample: {'requests_accepted_total{ack="stored"}': 3}."""
    return Counter({name: float(value) for name, value in re.findall(r"^hooks_(\S+) (\S+)$", text_of(daemon), re.M)})


def text_of(daemon):
    return daemon.get("/metrics/prometheus").body.decode()


def wait_accounted(daemon):
    """
    Waits until the accounts are right and returns the numbers. One scrape of a busy service mixes several moments, so a
    single one may not add up.
    """
    return wait_until(lambda: accounted(numbers := metrics(daemon)) and numbers, "all events to be accounted for")


def wait_settled(daemon):
    """Waits until all events are accounted for and none waits on the ring or in the spool."""
    return wait_until(lambda: settled(numbers := metrics(daemon)) and numbers, "all events to be stored")
