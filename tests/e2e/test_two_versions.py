"""
Nodes of an older version and of this one with one database, as in a rolling upgrade. OLD_HOOKSD is the directory of the
older hooksd.
"""

import os
import random
from pathlib import Path

import pytest

from harness.daemon import BUILD_DIR
from harness.deliveries import Endpoints, Ledger, Publisher, Publishing
from harness.nodes import client_of
from harness.recording_receiver import OK, Answer
from harness.waiting import wait_until

pytestmark = [pytest.mark.wanted_by("OLD_HOOKSD"), pytest.mark.timeout(900)]

SMALL = {"STORAGE_TYPE": "jsonl", "ACCEPTORS": 1, "HL_PUBLISHERS": 1, "HL_COURIERS": 2}
EVENTS = int(os.environ.get("TWO_VERSIONS_EVENTS", 2000))


@pytest.fixture
def old_nodes(empty_database, make_hookline):
    """Two nodes of the older version. The first one has created the tables."""
    nodes = [make_hookline("postgres", empty_database, **SMALL)]
    nodes.append(make_hookline("postgres", empty_database, **SMALL, HL_MASTER_KEY=nodes[0].daemon.options["HL_MASTER_KEY"]))
    for node in nodes:
        node.daemon.program = Path(os.environ["OLD_HOOKSD"]) / "hooksd"
        node.start()
    return nodes


def upgrade(node):
    node.daemon.stop()
    node.daemon.program = BUILD_DIR / "hooksd"
    node.daemon.start()
    node.wait_ready()


def test_nodes_of_two_versions_deliver_all_events_in_a_rolling_upgrade(old_nodes, empty_database, make_hookline, receiver):
    tenant = old_nodes[0].new_tenant()
    failing = random.Random(1)  # fails too rarely to open the breaker
    receiver.answers["/fails"] = lambda arrival: Answer(status=500) if failing.random() < 0.2 else OK
    endpoints = Endpoints(tenant, receiver)
    for path in ("/in", "/fails", "/patched"):
        endpoints.add(path, **({"retry_schedule": ["1s"] * 20} if path == "/fails" else {}))
    clients = [client_of(node, tenant) for node in old_nodes]
    publishers = [Publisher(node, tenant, number, pause=0.02) for number, node in enumerate(old_nodes)]
    with Publishing(publishers) as old:
        old.wait_more(EVENTS // 10)
        new = make_hookline("postgres", empty_database, **SMALL, HL_MASTER_KEY=old_nodes[0].daemon.options["HL_MASTER_KEY"]).start()
        others = [Publisher(new, tenant, number, pause=0.02) for number in (2, 3)]
        clients.append(client_of(new, tenant))
        with Publishing(others) as publishing:
            for number in range(10):
                if number == 6:  # an older version that reconnects refuses the newer tables and spools
                    new.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                              " AND pid != pg_backend_pid()")
                    clients = clients[-1:]
                    wait_until(lambda: clients[0].get("/v1/events").status == 200, "the node to be there again")
                publishing.wait_more(EVENTS // 40, 60)
                old.wait_more(EVENTS // 40, 60)
                for change in ({"paused": True}, {"paused": False, "headers": {"x-change": str(number)}}):
                    client = clients[number % len(clients)]
                    reply = client.patch(f"/v1/endpoints/{endpoints.ids['/patched']}", change)
                    assert reply.status in (200, 202), reply
            for node in old_nodes:
                upgrade(node)
                publishing.wait_more(EVENTS // 40, 60)
    for node in old_nodes:
        node.daemon.wait_spool_empty()
    ledger = Ledger(new, endpoints, publishers + others)
    ledger.wait_delivered(120)
    ledger.check(duplicates_most=50)  # attempts under way when a node is stopped or its sessions end
    assert ledger.dead() == set()
