"""The wall clock is set while hooksd runs: durations stay right."""

import contextlib
import re
import socket
import time
from collections import defaultdict

import pytest

from harness.clock import WallClock
from harness.deliveries import Endpoints
from harness.events import minimal
from harness.metrics import metrics
from harness.recording_receiver import Answer
from harness.waiting import wait_until
from harness.webhooks import STORES

pytestmark = pytest.mark.unsanitized("a sanitizer's library must be loaded first")

DAY = 86400
HOUR = 3600


@pytest.fixture
def clock(tmp_path):
    return WallClock(tmp_path / "clock")


def up(daemon):
    """The uptime, from every place that shows it."""
    first, *others = re.findall(r"up (\d+) s|^(?:acceptor|writer)-\d+ +\d+ +\w+ +(-?\d+) ",
                                daemon.hooksctl("status").stdout, re.M)
    return [daemon.get("/metrics").json()["uptime_seconds"], metrics(daemon)["uptime_seconds"], int(first[0]),
            *(int(other[1]) for other in others)]


@pytest.mark.parametrize("step", [-2 * DAY, 2 * DAY])
def test_the_uptime_stays_right(make_hooksd, clock, step):
    daemon = make_hooksd(**clock.environment()).start()
    before = up(daemon)
    clock.set(step)
    assert [after >= earlier for after, earlier in zip(up(daemon), before)] == [True] * len(before)
    assert max(up(daemon)) < HOUR


@pytest.mark.parametrize("step", [-2 * DAY, 2 * DAY])
def test_the_age_of_the_spool_stays_right(make_hooksd, clock, database, postgres, step):
    daemon = make_hooksd(database, SPOOL_AFTER_MS=0, **clock.environment()).start()
    postgres.stop()
    for number in range(6):
        assert daemon.post_event(minimal(session_id=f"s{number}")).headers["X-Hooks-Ack"] == "spooled"
    before = metrics(daemon)["spool_oldest_seconds"]
    assert 0 < before < HOUR
    clock.set(step)
    assert before <= metrics(daemon)["spool_oldest_seconds"] < HOUR


def test_the_age_of_a_spool_from_the_future_counts_from_its_discovery(make_hooksd, clock, database, postgres):
    daemon = make_hooksd(database, SPOOL_AFTER_MS=0, **clock.environment()).start()
    postgres.stop()
    assert daemon.post_event(minimal()).headers["X-Hooks-Ack"] == "spooled"
    daemon.stop()
    clock.set(-2 * DAY)
    daemon.start(store_ready=False)
    wait_until(lambda: metrics(daemon)["spool_events"] == 1, "the spool to be found")
    assert 0 < metrics(daemon)["spool_oldest_seconds"] < HOUR
    daemon.stop()
    clock.set(2 * DAY)
    daemon.start(store_ready=False)
    wait_until(lambda: metrics(daemon)["spool_events"] == 1, "the spool to be found")
    assert 2 * DAY <= metrics(daemon)["spool_oldest_seconds"] < 2 * DAY + HOUR
    postgres.start()
    daemon.wait_spool_empty()


def test_clients_that_wait_for_descriptors_are_served_after_the_clock_was_set_back(make_hooksd, clock):
    daemon = make_hooksd(ACCEPTORS=1, **clock.environment())
    daemon.launcher = ["sh", "-c", 'ulimit -n 40 && exec "$0" "$@"']
    daemon.start()
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", daemon.port)))
            connection.sendall(b"POST /events HTTP/1.1\r\n")
        daemon.wait_for_log("cannot accept connections")
        clock.set(-2 * DAY)
    assert daemon.post_event(minimal()).status == 202


def test_a_clock_that_was_set_back_is_not_logged_at_each_request(make_hooksd, clock):
    daemon = make_hooksd(ACCEPTORS=1, **clock.environment()).start()
    clock.set(-2 * DAY)
    assert daemon.get("/livez").status == 200
    before = len(daemon.log().splitlines())
    for _ in range(100):
        assert daemon.get("/livez").status == 200
    assert len(daemon.log().splitlines()) < before + 10


def test_an_unexpired_key_is_valid_again_when_the_clock_is_corrected(make_hookline, clock):
    """A machine may start with a wrong clock, which the network corrects later."""
    hookline = make_hookline("embedded").start()
    key = hookline.new_tenant().key(expires_at=int((time.time() + HOUR) * 1000))
    hookline.daemon.stop()
    hookline.daemon.options |= clock.environment()
    clock.set(DAY)
    hookline.start()
    assert key.get("/v1/endpoints").status == 401
    clock.set(0)
    assert key.get("/v1/endpoints").status == 200


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.parametrize("store", STORES)
def test_retries_keep_their_delays_when_the_clock_is_set(make_hookline, clock, receiver, store):
    """
    The clock goes an hour back, then a day ahead. Only signatures follow it. The embedded store's clock changes too.
    """
    endpoints, events, wait = 40, 4, 5
    day = DAY if store == "postgres" else DAY - 2 * HOUR  # jobs expire after a day, by the store's clock
    receiver.answers = {f"/{number}": lambda arrival: Answer(status=200 if arrival.header("x-hookline-attempt") == "3" else 500)
                        for number in range(endpoints)}
    hookline = make_hookline(store, **clock.environment()).start()
    tenant = hookline.new_tenant()
    made = Endpoints(tenant, receiver)
    for number in range(endpoints):
        made.add(f"/{number}", retry_schedule=[f"{wait}s"] * 2)
    assert tenant.client.post("/v1/events/batch", [{"topic": "orders.made"}] * events).status == 201
    jobs = endpoints * events
    steps = [0, -HOUR, day]
    for attempt, step in enumerate(steps, 1):
        clock.set(step)
        arrived = receiver.wait(attempt * jobs)
        assert len(arrived) == attempt * jobs
    times = defaultdict(list)
    for number, arrival in enumerate(arrived):
        times[arrival.job].append(arrival.at)
        assert abs(arrival.sent - time.time() - steps[number // jobs]) < HOUR / 2
    waits = [later - earlier for seen in times.values() for earlier, later in zip(seen, seen[1:])]
    assert len(waits) == 2 * jobs and wait * 0.9 <= min(waits)  # receiver.wait() bounds how late the last ones are
    wait_until(lambda: tenant.client.get("/v1/jobs").json["count"] == 0, "all to be done")
    assert tenant.client.get("/v1/dlq").json["count"] == 0
