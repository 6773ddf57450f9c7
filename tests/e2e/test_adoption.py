"""
Several nodes on one PostgreSQL: other nodes adopt the jobs of a node that dies, stops or hangs, and a copied DATA_DIR
becomes a node of its own. HL_NODE_TIMEOUT_SECS is short here.
"""

import shutil
import threading
import time

import pytest

from harness.deliveries import Endpoints
from harness.killpoint import AFTER, Killpoint
from harness.metrics import metrics
from harness.nodes import NODE_TIMEOUT as TIMEOUT, client_of, delivered, frozen, publish
from harness.recording_receiver import Answer
from harness.waiting import PATIENCE, wait_until

LONG = 10 * PATIENCE  # for tests in which no node may be adopted
FAILURE = Answer(status=503)
pytestmark = [pytest.mark.plain_postgres("nodes share a server of the test"), pytest.mark.wanted_by("SLOW_TESTS"),
              pytest.mark.timeout(240)]


def rows(node):
    """{node_id: adopted_by} of delivery_nodes."""
    return {row["node_id"]: row["adopted_by"] for row in node.query("SELECT node_id, adopted_by FROM delivery_nodes")}


def wait_adopted(node, number, by):
    wait_until(lambda: rows(node).get(number) == by, f"node {number} to be adopted by {by}", 10 * TIMEOUT)


def wait_old_enough(node, number):
    """Waits until the node has heartbeats of LONG seconds without a gap, so that it may adopt others."""
    wait_until(lambda: node.value("SELECT count(*) FROM delivery_nodes WHERE node_id = :id AND"
                                  " alive_at - started_at > :s * interval '1 s'", id=number, s=LONG + 1),
               "some heartbeats", 10 * LONG)


def wait_attempted(node, jobs):
    """Waits until each job's row has one failed attempt."""
    wait_until(lambda: node.value("SELECT count(*) FROM jobs WHERE attempt_count > 0") == len(jobs), "the first attempts")


def wait_delivered_once(node, receiver, jobs, timeout=30):
    wait_until(lambda: delivered(receiver, jobs).count(0) == 0, "every job to be delivered", timeout)
    wait_until(lambda: node.value("SELECT count(*) FROM jobs") == 0, "every outcome to be committed")
    assert set(delivered(receiver, jobs)) == {1}


def test_another_node_delivers_each_waiting_job_of_a_killed_node_once(start_nodes, receiver):
    one, other = start_nodes(2, HL_COURIERS=2)
    tenant = one.new_tenant()
    endpoints = Endpoints(tenant, receiver)
    for path in ("/a", "/b", "/c"):
        receiver.answers[path] = FAILURE
        endpoints.add(path, retry_schedule=[f"{4 * PATIENCE}s"] * 20)
    jobs = publish(tenant.client, 6)  # too few failures to open the breaker
    wait_attempted(one, jobs)
    one.daemon.kill()
    receiver.answers.clear()
    seen = len(receiver.arrivals)
    wait_delivered_once(other, receiver, jobs)
    assert len(receiver.arrivals) == seen + len(jobs)
    numbers = metrics(other.daemon)
    assert (numbers["nodes_adopted_total"], numbers["jobs_adopted_total"]) == (1, len(jobs))
    other.daemon.wait_for_log("a node is silent: this node takes over its jobs.*node_id=1")


def test_a_node_that_restarts_after_its_adoption_gets_a_new_row(start_nodes, receiver):
    one, other = start_nodes(2)
    tenant = one.new_tenant()
    Endpoints(tenant, receiver).add("/in")
    one.daemon.kill()
    wait_until(lambda: rows(other) == {2: None}, "the row of the node without jobs to be removed", 10 * TIMEOUT)
    one.daemon.start()  # the number is free again
    wait_until(lambda: rows(one) == {1: None, 2: None}, "the node to have a row again")
    wait_delivered_once(one, receiver, publish(client_of(one, tenant), 5))


def test_another_node_adopts_a_stopped_nodes_jobs_before_the_timeout(start_nodes, receiver):
    silent = 90 * PATIENCE
    one, other = start_nodes(2, HL_NODE_TIMEOUT_SECS=silent)
    tenant = one.new_tenant()
    receiver.answers["/in"] = FAILURE
    Endpoints(tenant, receiver).add("/in", retry_schedule=["2s"] * 20)
    jobs = publish(tenant.client, 5)
    wait_attempted(one, jobs)
    one.daemon.stop()
    stopped = time.monotonic()
    receiver.answers.clear()
    wait_until(lambda: rows(other).get(1) == 2, "the node to be adopted", silent)
    assert time.monotonic() - stopped < silent / 2, "the jobs of a stopped node are adopted before the time-out"
    wait_delivered_once(other, receiver, jobs)


def test_a_node_that_hung_until_its_adoption_changes_nothing_and_starts_anew(start_nodes, receiver):
    one, other = start_nodes(2)
    tenant = one.new_tenant()
    endpoints = Endpoints(tenant, receiver)
    # The first attempt is under way when the node hangs. Its success reaches the node after the adoption.
    receiver.answers["/under-way"] = [Answer(delay=2), FAILURE]
    receiver.answers["/waits"] = FAILURE
    endpoints.add("/under-way", "under.way", retry_schedule=["1h", "1h"])
    endpoints.add("/waits", "waits", retry_schedule=["2s"] * 20)
    waiting = publish(tenant.client, 5, "waits")
    wait_attempted(one, waiting)
    under_way, = publish(tenant.client, 1, "under.way")
    receiver.wait(1, "/under-way")
    with frozen(one.daemon):
        receiver.answers["/waits"] = Answer()
        wait_adopted(other, 1, by=2)
        receiver.wait(2, "/under-way", 10 * TIMEOUT)
        wait_until(lambda: 0 not in delivered(receiver, waiting), "the jobs to be delivered", 10 * TIMEOUT)
        wait_until(lambda: other.query("SELECT node_id, attempt_count FROM jobs") == [{"node_id": 2, "attempt_count": 1}],
                   "every outcome to be committed")
        arrivals = len(receiver.arrivals)
    one.daemon.wait_for_log("another node has taken this node's row in delivery_nodes")
    wait_until(lambda: list(rows(one).values()).count(None) == 2, "another row for the node")
    wait_until(lambda: one.value("SELECT count(*) FROM attempts WHERE job_id = CAST(:id AS uuid)", id=under_way) == 2,
               "the late attempt's row")
    new = publish(client_of(one, tenant), 3, "waits")
    wait_until(lambda: 0 not in delivered(receiver, new), "the new node to deliver")
    wait_until(lambda: one.value("SELECT count(*) FROM jobs") == 1, "every outcome to be committed")
    assert one.query("SELECT node_id, attempt_count FROM jobs") == [{"node_id": 2, "attempt_count": 1}]
    assert set(delivered(receiver, waiting)) == {1}
    assert len(receiver.arrivals) == arrivals + 3, "the node has sent none of the other node's jobs"


def test_a_third_node_adopts_the_jobs_that_the_second_had_adopted(start_nodes, receiver):
    one, other = start_nodes(2)
    tenant = one.new_tenant()
    made = Endpoints(tenant, receiver).add("/in", enabled=False)
    jobs = publish(tenant.client, 10) + publish(client_of(other, tenant), 10)
    with one.database.server.connect(one.database.name) as session:
        session.autocommit = False
        session.execute("SELECT pg_current_xact_id()")  # keeps the rows of adopted nodes until it ends
        one.daemon.kill()
        wait_adopted(other, 1, by=2)
        wait_until(lambda: other.value("SELECT count(*) FROM jobs WHERE node_id = 2") == len(jobs), "the jobs to be moved",
                   10 * TIMEOUT)
        third, = start_nodes(1)
        other.daemon.kill()
        wait_until(lambda: rows(third) == {1: 3, 2: 3, 3: None}, "the third to adopt both", 10 * TIMEOUT)
    there = client_of(third, tenant)
    assert there.patch(f"/v1/endpoints/{made['id']}", {"enabled": True}).status in (200, 202)
    wait_delivered_once(third, receiver, jobs)


def test_after_an_outage_of_the_database_no_node_adopts_another(start_nodes, receiver, postgres):
    nodes = start_nodes(3, HL_NODE_TIMEOUT_SECS=LONG)
    tenant = nodes[0].new_tenant()
    Endpoints(tenant, receiver).add("/in")
    clients = [client_of(node, tenant) for node in nodes]
    for number in range(1, 4):
        wait_old_enough(nodes[0], number)
    before = nodes[0].query("SELECT node_id, epoch, adopted_by FROM delivery_nodes ORDER BY node_id")
    postgres.stop()
    time.sleep(LONG * 1.2)  # longer than a node may be silent
    postgres.start()
    restarted = nodes[0].value("SELECT now()")
    wait_until(lambda: nodes[0].value("SELECT count(*) FROM delivery_nodes WHERE alive_at > :t + :s * interval '1 s'",
                                      t=restarted, s=LONG * 1.2) == 3, "heartbeats of all", 10 * LONG)
    assert nodes[0].query("SELECT node_id, epoch, adopted_by FROM delivery_nodes ORDER BY node_id") == before
    jobs = [job for client in clients for job in publish(client, 5)]
    wait_delivered_once(nodes[0], receiver, jobs)


def test_no_node_adopts_another_while_a_standby_holds_up_commits(pair, start_nodes, receiver):
    nodes = start_nodes(2, pair.before, HL_NODE_TIMEOUT_SECS=LONG)
    tenant = nodes[0].new_tenant()
    Endpoints(tenant, receiver).add("/in")
    clients = [client_of(node, tenant) for node in nodes]
    for number in (1, 2):
        wait_old_enough(nodes[0], number)
    before = nodes[0].query("SELECT node_id, epoch, adopted_by FROM delivery_nodes ORDER BY node_id")
    events = [{"topic": "orders.made", "payload": {"n": number}} for number in range(5)]
    replies = []
    asking = [threading.Thread(target=lambda client=client: replies.append(client.post("/v1/events/batch", events)))
              for client in clients]
    pair.standby.freeze()
    for thread in asking:
        thread.start()
    time.sleep(LONG * 1.2)  # longer than a node may be silent
    pair.standby.thaw()
    for thread in asking:
        thread.join()
    assert {reply.status for reply in replies} <= {201, 202}, replies
    wait_until(lambda: nodes[0].value("SELECT count(*) FROM events WHERE tenant_id = :id", id=tenant.id) == 10, "all events")
    wait_until(lambda: nodes[0].value("SELECT count(*) FROM jobs") == 0, "every outcome to be committed", 30)
    assert nodes[0].query("SELECT node_id, epoch, adopted_by FROM delivery_nodes ORDER BY node_id") == before
    jobs = [arrival.job for arrival in receiver.arrivals]
    assert len(jobs) == len(set(jobs)) == 10


def test_a_node_and_a_copy_of_its_directory_become_two_nodes(start_nodes, make_hookline, receiver):
    one, = start_nodes(1)
    tenant = one.new_tenant()
    Endpoints(tenant, receiver).add("/in")
    jobs = publish(tenant.client, 5)
    wait_delivered_once(one, receiver, jobs)
    options = {name: one.daemon.options[name] for name in
               ("STORAGE_TYPE", "ACCEPTORS", "HL_PUBLISHERS", "HL_COURIERS", "HL_NODE_TIMEOUT_SECS", "STORE_TIMEOUT_MS",
                "HL_MASTER_KEY")}
    copy = make_hookline("postgres", one.database, **options)
    shutil.copytree(one.daemon.directory / ".agentic", copy.daemon.directory / ".agentic")
    copy.start()
    one.daemon.wait_for_log("another node has taken this node's row in delivery_nodes", timeout=30)
    wait_until(lambda: rows(one) == {1: None, 2: None}, "two rows")
    wait_delivered_once(one, receiver, publish(tenant.client, 5) + publish(client_of(copy, tenant), 5))


@pytest.mark.unsanitized("a sanitizer's library must be loaded first")
def test_a_publisher_that_hangs_in_a_copy_keeps_no_lock_and_doubles_no_event(start_nodes, receiver, tmp_path):
    killpoint = Killpoint(tmp_path / "killpoint", process="publisher", stops=True)
    one, = start_nodes(1, **killpoint.environment())
    other, = start_nodes(1)
    tenant = one.new_tenant()
    Endpoints(tenant, receiver).add("/in")
    there = client_of(other, tenant)
    event = {"topic": "orders.made", "idempotency_key": "key", "payload": {"n": 1}}
    replies = []
    killpoint.arm(4, AFTER)  # a COPY, after BEGIN and the statements of the key
    asking = threading.Thread(target=lambda: replies.append(tenant.client.post("/v1/events", event)))
    asking.start()
    copying = ("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND left(query, 5) = 'COPY '"
               " AND state = 'active' AND wait_event = 'ClientRead'")
    wait_until(lambda: other.value(copying) == 1, "the publisher to stand still in its COPY")
    with frozen(one.daemon):
        wait_adopted(other, 1, by=2)
        other.daemon.wait_for_log("sessions of silent nodes are ended.*sessions=1")
        made = there.post("/v1/events", event)
        assert made.status == 201, made
    asking.join()
    # The first client gets the same event's id, or none.
    told, = replies
    assert told.status in (200, 202, 503), told
    if told.status == 200:
        assert told.json["id"] == made.json["id"]
    new = client_of(one, tenant).post("/v1/events", {"topic": "orders.made", "payload": {"n": 2}})
    assert new.status in (201, 202), new
    receiver.wait(2)
    assert delivered(receiver, made.json["job_ids"]) == [1]
    wait_until(lambda: metrics(one.daemon)["spool_messages"] == metrics(one.daemon)["ring_messages"] == 0, "nothing to wait")
    assert one.value("SELECT count(*) FROM events WHERE tenant_id = :id", id=tenant.id) == 2
    wait_until(lambda: one.value("SELECT count(*) FROM jobs") == 0, "every outcome to be committed")
    assert len(receiver.arrivals) == 2
