"""Changes that must be effective at once, on several nodes. HL_NODE_TIMEOUT_SECS is short here."""

import time

import pytest

from harness.deliveries import Endpoints
from harness.network import BadNetwork
from harness.nodes import NODE_TIMEOUT, client_of, delivered, publish
from harness.recording_receiver import Answer
from harness.waiting import wait_until

pytestmark = pytest.mark.plain_postgres("nodes share a server of the test")


@pytest.fixture
def network(postgres):
    """A network to PostgreSQL. A test names this fixture before its nodes, so that they end first."""
    with BadNetwork(postgres.port) as network:
        yield network


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.timeout(240)
def test_a_node_sends_nothing_after_an_outage_before_it_knows_all_changes(network, start_nodes, receiver, postgres):
    """The other node's row is so old that a change is answered without waiting for that node."""
    one, = start_nodes(1)
    other, = start_nodes(1, HL_POSTGRES_URL=network.through(one.database.url, postgres.port))
    tenant = one.new_tenant()
    receiver.answers["/in"] = Answer(503)
    made = Endpoints(tenant, receiver).add("/in", retry_schedule=["1s"] * 30)
    jobs = publish(client_of(other, tenant), 5)  # too few failures to open the breaker
    wait_until(lambda: one.value("SELECT count(*) FROM jobs WHERE attempt_count > 0") == len(jobs), "the first attempts")
    postgres.stop()
    time.sleep(NODE_TIMEOUT * 1.2)  # longer than a node may be silent
    network.stall()
    postgres.start()
    path = f"/v1/endpoints/{made['id']}"
    wait_until(lambda: tenant.client.patch(path, {"paused": True}).status == 200, "the pause to hold", 30)
    seen = len(receiver.arrivals)
    network.flow()
    newest = "SELECT count(*) FROM delivery_nodes WHERE node_id = 2 AND seen_version = (SELECT version FROM changes)"
    wait_until(lambda: one.value(newest) == 1, "the node to know of it", 30)
    assert len(receiver.arrivals) == seen
    receiver.answers.clear()
    assert tenant.client.patch(path, {"paused": False}).status in (200, 202)
    wait_until(lambda: delivered(receiver, jobs) == [1] * len(jobs), "every job to be delivered once", 30)
