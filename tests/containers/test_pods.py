"""
The pods of deploy/k8s/overlays/pgbouncer and of deploy/k8s/migrate, a container each: hooksd, PgBouncer, PostgreSQL; asked and
stopped as a kubelet does. What only a cluster has is left out: Services, budgets, policies, scaling. The tests are steps, in
this order.
"""

import contextlib
import threading
from collections import Counter

import pytest

from container import IMAGE, start, start_hooksd
from database import NETWORK_URL, OWNER_URL, Database
from engine import REPOSITORY, build, end_containers, podman
from harness.kustomize import render
from harness.waiting import wait_until
from pods import run_flags, template

K8S = REPOSITORY / "deploy/k8s"
POOLER = "hooksd-pgbouncer"
WRITER = "hooks_writer"


@pytest.fixture(scope="module")
def objects():
    """As somebody fills them in who has this PostgreSQL, which has no certificate."""
    objects = render(K8S / "overlays/pgbouncer")
    [pooler] = [thing for thing in objects if (thing["kind"], thing["metadata"]["name"]) == ("ConfigMap", POOLER)]
    ini = pooler["data"]["pgbouncer.ini"]
    assert "host=postgres.example" in ini and "server_tls_sslmode = require\n" in ini
    pooler["data"]["pgbouncer.ini"] = ini.replace("host=postgres.example", "host=postgres").replace("= require\n", "= disable\n")
    return objects


@pytest.fixture(scope="module")
def database(postgres_image, image):
    database = Database(postgres_image)
    database.container.wait_healthy()
    yield database
    end_containers()


@pytest.fixture(scope="module")
def pooler(engine, objects, tmp_path_factory):
    build("agentic-hooks-pgbouncer:0.2.0", "--target=pgbouncer")
    _, container = template(objects, POOLER)
    users = {"hooksd-pgbouncer-users": {"userlist.txt": f'"{WRITER}" "{WRITER}"\n'}}
    flags = run_flags(objects, POOLER, {}, users, tmp_path_factory.mktemp("volumes"))
    return start(POOLER, container["image"], *flags)


@pytest.fixture(scope="module")
def hooksd(database, pooler, objects, tmp_path_factory):
    url = NETWORK_URL.format(role=WRITER).replace("@postgres/", f"@{POOLER}:6432/")
    flags = run_flags(objects, "hooksd", {"DATABASE_URL": url}, {}, tmp_path_factory.mktemp("volumes"))
    return start_hooksd("hooksd", *flags)


def probes(hooksd, objects):
    """What each probe of the pod is answered."""
    _, container = template(objects, "hooksd")
    [port] = container["ports"]
    asked = {name: probe["httpGet"] for name, probe in container.items() if name.endswith("Probe")}
    assert {probe["port"] for probe in asked.values()} == {port["name"]} and port["containerPort"] == 8080
    return {name: hooksd.get(probe["path"]).status for name, probe in asked.items()}


def test_the_job_makes_the_tables(database, tmp_path):
    objects = render(K8S / "migrate")
    flags = run_flags(objects, "hooksd-migrate", {"DATABASE_URL": OWNER_URL}, {}, tmp_path)
    assert start("hooksd-migrate", IMAGE, *flags).wait_exited() == "0"
    database.grant()


def test_the_pod_is_ready_and_stores_through_the_pooler(database, hooksd, objects):
    hooksd.wait_ready()
    assert probes(hooksd, objects) == {"startupProbe": 200, "livenessProbe": 200, "readinessProbe": 200}
    assert hooksd.post("first") == (202, "stored")
    assert database.stored() == {"first": 1}


def test_the_ring_is_in_the_memory_that_the_pod_has_for_it(hooksd):
    filesystem, whole, used = hooksd.run("df", "-B1", "--output=fstype,size,used", "/dev/shm").splitlines()[1].split()
    assert (filesystem, int(whole)) == ("tmpfs", 160 * 2**20)
    assert 0 < 2 * int(used) <= int(whole)
    assert "acceptor-1" not in hooksd.run("hooksctl", "status"), "ACCEPTORS follows the limit of 1 CPU"


def test_a_pod_without_a_disk_is_alive_and_not_ready_while_postgres_is_away(database, hooksd, objects):
    assert database.container.stop() == 0

    def ask():
        with contextlib.suppress(OSError):  # it may wait for long, and be stored in the end
            hooksd.post("outage")

    noticed = threading.Thread(target=ask)  # by it; the pooler keeps its connections
    noticed.start()
    wait_until(lambda: probes(hooksd, objects) == {"startupProbe": 200, "livenessProbe": 200, "readinessProbe": 503},
               "the pod to be alive and not ready", 60)
    database.container.start()
    hooksd.wait_ready()
    noticed.join()
    assert hooksd.post("second") == (202, "stored")
    assert database.stored() - Counter(outage=1) == {"first": 1, "second": 1}


def test_a_pod_is_stopped_by_its_hook_and_then_by_term(hooksd, objects):
    _, container = template(objects, "hooksd")
    command = container["lifecycle"]["preStop"]["exec"]["command"]
    hooksd.run(command[0], "0", *command[2:])
    assert hooksd.stop() == 0
    assert '"message":"stopped"' in hooksd.log()


def test_the_pooler_runs_as_nobody_in_particular_and_ends_when_its_transactions_have(pooler):
    assert "\nUid:\t10001\t10001\t" in pooler.run("cat", "/proc/1/status")
    assert pooler.inspect()["Config"]["StopSignal"] == 2
    assert pooler.stop() == 0
