"""Hanging processes of webhooks are replaced, and no event is lost. Over both stores."""

import os
import signal

import pytest

from harness.deliveries import Endpoints, Ledger, Publisher, Publishing
from harness.recording_receiver import Answer
from harness.waiting import PATIENCE, wait_until
from harness.webhooks import STORES

IN_FLIGHT = 5


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("role", ["publisher", "courier"])
def test_a_hanging_process_is_replaced_and_acknowledged_events_arrive(make_hookline, receiver, role, store):
    """Only attempts under way at a hanging courier are sent again."""
    hookline = make_hookline(store, STORAGE_TYPE="jsonl", HL_PUBLISHERS=1, HL_COURIERS=1, STUCK_AFTER_SECONDS=4 * PATIENCE).start()
    tenant = hookline.new_tenant()
    receiver.answers["/slow"] = Answer(delay=0.05)
    endpoints = Endpoints(tenant, receiver)
    for path in ("/in", "/slow"):
        endpoints.add(path, max_in_flight=IN_FLIGHT, rate_limit_rps=10000)
    publishers = [Publisher(hookline, tenant, number, pause=0.02) for number in range(2)]
    with Publishing(publishers) as publishing:
        publishing.wait_more(30)
        [stuck] = hookline.daemon.pids(role)
        os.kill(stuck, signal.SIGSTOP)
        wait_until(lambda: hookline.daemon.pids(role) not in ([], [stuck]), f"a new {role}", 20)
        publishing.wait_more(30, 60)
    hookline.daemon.wait_for_log(f"process died .*role={role} .*cause=stuck")
    ledger = Ledger(hookline, endpoints, publishers)
    ledger.wait_delivered()
    ledger.check(duplicates_most=2 * IN_FLIGHT if role == "courier" else 0)
    ledger.check_rows()
