"""A copy of the webhooks' store sends nothing by itself: its waiting jobs wait until an operator resumes deliveries."""

import shutil
import sqlite3
import subprocess

import pytest

from harness.left_jobs import deliveries, leave_jobs, resume
from harness.metrics import metrics
from harness.postgres import PostgresServer
from harness.waiting import wait_until
from harness.webhooks import STORES

SMALL = {"STORAGE_TYPE": "jsonl", "ACCEPTORS": 1, "WRITERS": 1, "HL_PUBLISHERS": 1, "HL_COURIERS": 1}
WHY = "the webhooks' store looks like a copy"
FORGET_NODES = "DELETE FROM delivery_nodes"  # the next node gets the number of the node with the jobs


@pytest.fixture
def other_server():
    server = PostgresServer()
    server.start()
    yield server
    server.remove()


def assert_waits(hookline, receiver, why, count=3):
    """The copy shows that it is paused and why. Its courier has read the waiting jobs and has sent none."""
    shown = wait_until(lambda: deliveries(hookline)["paused"] and deliveries(hookline), "the pause to be shown")
    assert why in shown["paused_reason"] and f"{count} jobs wait" in shown["paused_reason"]
    assert metrics(hookline.daemon)["deliveries_paused"] == 1
    assert hookline.admin.get("/v1/admin/stats").json["paused"] is True
    held = "SELECT count(*) FROM jobs WHERE status = 'held'"
    wait_until(lambda: hookline.value(held) == count, "what waits to be held")
    assert receiver.arrivals == []


def assert_goes_on(hookline, receiver, count=3):
    resume(hookline)
    receiver.wait(count, "/in")
    wait_until(lambda: hookline.value("SELECT count(*) FROM jobs") == 0, "no job to be left", 20)
    wait_until(lambda: not deliveries(hookline)["paused"], "no pause to be shown")


def assert_delivers(hookline, receiver, count=3):
    receiver.wait(count, "/in")
    assert deliveries(hookline)["paused"] is False and WHY not in hookline.daemon.log()


def test_a_dump_restored_on_another_server_is_paused_on_every_node(make_hookline, receiver, other_server):
    """Three nodes with two couriers each start at once."""
    original = make_hookline("postgres", **SMALL).start()
    leave_jobs(original, receiver)
    copy = other_server.new_database()
    bindir = other_server.bindir
    dump = subprocess.run([bindir / "pg_dump", "-Fc", original.database.url], check=True, capture_output=True).stdout
    subprocess.run([bindir / "pg_restore", "--no-owner", "-d", copy.url], input=dump, check=True)
    copy.query(FORGET_NODES)
    keys = {name: original.daemon.options[name] for name in ("HL_API_KEY", "HL_ADMIN_KEY", "HL_MASTER_KEY")}
    nodes = [make_hookline("postgres", copy, **SMALL | keys | {"HL_COURIERS": 2}) for _ in range(3)]
    for node in nodes:
        node.daemon.spawn()
    for node in nodes:
        node.daemon.port = int(node.daemon.wait_for_log(node.daemon.ready_pattern).group(1))
        node.wait_ready()
        wait_until(lambda node=node: deliveries(node)["paused"], "each node to be paused")
    first = next(node for node in nodes if WHY in node.daemon.log())
    assert_waits(first, receiver, "database server")
    assert sum(node.daemon.whole_log().count(WHY) for node in nodes) == 1
    assert_goes_on(first, receiver)


def test_a_copied_database_file_in_another_data_dir_is_paused(make_hookline, receiver):
    original = make_hookline("embedded", **SMALL).start()
    leave_jobs(original, receiver)
    keys = {name: original.daemon.options[name] for name in ("HL_API_KEY", "HL_ADMIN_KEY", "HL_MASTER_KEY")}
    copy = make_hookline("embedded", **SMALL | keys)
    copy.data_path.parent.mkdir(parents=True)
    with sqlite3.connect(original.data_path) as source, sqlite3.connect(copy.data_path) as target:
        source.backup(target)
        target.execute(FORGET_NODES)
    copy.start()
    assert_waits(copy, receiver, "DATA_DIR")
    assert_goes_on(copy, receiver)
    copy.daemon.stop()
    receiver.arrivals.clear()
    original.start()
    assert_delivers(original, receiver)


@pytest.mark.parametrize("store", STORES)
def test_another_deployment_is_paused_once_and_not_again_by_a_restart(make_hookline, store, receiver):
    hookline = make_hookline(store, **SMALL, HL_DEPLOYMENT="production").start()
    leave_jobs(hookline, receiver)
    hookline.daemon.options["HL_DEPLOYMENT"] = "staging"
    hookline.start()
    assert_waits(hookline, receiver, "HL_DEPLOYMENT")
    hookline.daemon.restart()
    hookline.wait_ready()
    assert_waits(hookline, receiver, "HL_DEPLOYMENT")
    assert hookline.daemon.whole_log().count(WHY) == 1
    assert_goes_on(hookline, receiver)


@pytest.mark.parametrize("store", STORES)
def test_a_restart_does_not_pause_deliveries(make_hookline, store, receiver):
    hookline = make_hookline(store, **SMALL, HL_DEPLOYMENT="production").start()
    leave_jobs(hookline, receiver)
    hookline.start()
    assert_delivers(hookline, receiver)


def test_a_lost_data_dir_does_not_pause_deliveries_from_postgres(make_hookline, receiver):
    hookline = make_hookline("postgres", **SMALL).start()
    leave_jobs(hookline, receiver)
    shutil.rmtree(hookline.daemon.directory / ".agentic")
    hookline.query(FORGET_NODES)
    hookline.start()
    assert_delivers(hookline, receiver)
