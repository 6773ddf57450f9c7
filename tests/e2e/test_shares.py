"""
Several nodes with one PostgreSQL deliver to one endpoint: the receiver, by its own clock, sees the endpoint's limits
kept.
"""

import pytest

from harness.deliveries import Endpoints
from harness.nodes import client_of, delivered, publish
from harness.recording_receiver import Answer
from harness.waiting import PATIENCE, wait_until

pytestmark = [pytest.mark.plain_postgres("nodes share a server of the test"), pytest.mark.wanted_by("SLOW_TESTS"),
              pytest.mark.timeout(240)]
SLOW = Answer(delay=0.1)


def wait_divided(nodes, count):
    for node in nodes:
        node.daemon.wait_for_log(rf"the limits of endpoints are divided among the nodes.*\bnodes={count}\b", timeout=60)


def most_at_once(receiver, path):
    """The greatest number of requests without an answer."""
    arrivals = receiver.at(path)
    changes = sorted([(arrival.at, 1) for arrival in arrivals] + [(arrival.ended, -1) for arrival in arrivals])
    most = now = 0
    for _at, step in changes:
        now += step
        most = max(most, now)
    return most


def wait_delivered(node, receiver, jobs, timeout):
    wait_until(lambda: 0 not in delivered(receiver, jobs), "every job to be delivered", timeout)
    wait_until(lambda: node.value("SELECT count(*) FROM jobs") == 0, "every outcome to be committed")
    wait_until(lambda: receiver.in_flight() == 0, "every answer to be given")


def test_three_nodes_together_keep_an_endpoints_limits(start_nodes, receiver):
    nodes = start_nodes(3, HL_NODE_TIMEOUT_SECS=12 * PATIENCE)
    tenant = nodes[0].new_tenant()
    endpoints = Endpoints(tenant, receiver)
    endpoints.add("/rate", "rate", rate_limit_rps=30, max_in_flight=100)
    limits = {"/four": {"max_in_flight": 4}, "/two": {"max_in_flight": 2}, "/exact": {"max_in_flight": 3, "exact_limits": True}}
    for path, fields in limits.items():
        receiver.answers[path] = SLOW
        endpoints.add(path, path[1:], rate_limit_rps=1000, **fields)
    clients = [client_of(node, tenant) for node in nodes]
    wait_divided(nodes, 3)
    jobs = []
    for client in clients:
        for topic, count in (("rate", 30), ("four", 15), ("two", 6), ("exact", 6)):
            jobs += publish(client, count, topic)
    wait_delivered(nodes[0], receiver, jobs, 90)
    most = {path: most_at_once(receiver, path) for path in limits}
    assert all(most[path] <= fields["max_in_flight"] for path, fields in limits.items()), most
    times = [arrival.at for arrival in receiver.at("/rate")]
    # 90 requests take 2.9 seconds. If each of three nodes had the whole limit, they would take 0.9.
    assert max(times) - min(times) > 2


def test_limits_hold_while_one_node_joins_and_another_leaves(start_nodes, receiver):
    one, two = start_nodes(2, HL_NODE_TIMEOUT_SECS=30 * PATIENCE)
    tenant = one.new_tenant()
    endpoints = Endpoints(tenant, receiver)
    receiver.answers["/four"] = receiver.answers["/one"] = SLOW
    endpoints.add("/four", "four", max_in_flight=4, rate_limit_rps=1000)
    endpoints.add("/one", "one", max_in_flight=1, rate_limit_rps=1000)
    wait_divided([one, two], 2)
    jobs = [job for node in (one, two) for topic, count in (("four", 400), ("one", 20))
            for job in publish(client_of(node, tenant), count, topic)]
    three, = start_nodes(1, HL_NODE_TIMEOUT_SECS=30 * PATIENCE)
    jobs += publish(client_of(three, tenant), 100, "four") + publish(client_of(three, tenant), 10, "one")
    wait_divided([one, two, three], 3)
    two.daemon.stop()
    wait_delivered(one, receiver, jobs, 120)
    assert most_at_once(receiver, "/four") <= 4
    assert most_at_once(receiver, "/one") == 1


def test_limits_hold_while_they_are_changed(start_nodes, receiver):
    """The limits change from a share for each node to turns and back while all nodes have work."""
    nodes = start_nodes(2, HL_NODE_TIMEOUT_SECS=12 * PATIENCE)
    tenant = nodes[0].new_tenant()
    receiver.answers["/four"] = SLOW
    endpoint = Endpoints(tenant, receiver).add("/four", "four", max_in_flight=4, rate_limit_rps=1000)
    wait_divided(nodes, 2)
    jobs = [job for node in nodes for job in publish(client_of(node, tenant), 400, "four")]
    for exact in (True, False, True, False):
        before = len(receiver.at("/four"))
        wait_until(lambda: len(receiver.at("/four")) > before + 40, "requests as before the change", 60)
        assert client_of(nodes[exact], tenant).patch(f"/v1/endpoints/{endpoint['id']}", {"exact_limits": exact}).status == 200
    wait_delivered(nodes[0], receiver, jobs, 120)
    assert most_at_once(receiver, "/four") <= 4


def test_a_dead_node_loses_its_turn_at_an_endpoint_after_a_while(start_nodes, receiver):
    one, two = start_nodes(2)
    tenant = one.new_tenant()
    receiver.answers["/one"] = Answer(hang=True)
    Endpoints(tenant, receiver).add("/one", max_in_flight=1, timeout_ms=3000, rate_limit_rps=1000, retry_schedule=["1s"] * 20)
    wait_divided([one, two], 2)
    jobs = publish(client_of(two, tenant), 3)
    receiver.wait(1, "/one")
    jobs += publish(tenant.client, 3)
    two.daemon.kill()
    receiver.answers["/one"] = SLOW
    wait_until(lambda: 0 not in delivered(receiver, jobs), "every job to be delivered", 60)
    wait_until(lambda: one.value("SELECT count(*) FROM jobs") == 0, "every outcome to be committed")
