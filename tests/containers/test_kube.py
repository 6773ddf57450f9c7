"""
deploy/podman as kubectl renders it and `podman kube play` runs it: what podman makes of Deployment, ConfigMap, claim, secret
and volumes. The tests are steps, in this order.
"""

import base64
import json
import os
import re
import signal
import subprocess

import pytest
import yaml

from container import IMAGE, Container
from database import WRITER_URL, Database
from engine import NETWORK, REPOSITORY, end_containers, podman
from harness.metrics import metrics, wait_settled
from harness.postgres import free_port
from harness.waiting import wait_until


class Pod(Container):
    """One play of the manifests. `suffix` makes another pod of them: other names, another port of this machine."""

    def __init__(self, kubectl, suffix=""):
        rendered = subprocess.run([kubectl, "kustomize", REPOSITORY / "deploy/podman"], capture_output=True, check=True,
                                  text=True, timeout=60).stdout
        self.objects = {thing["kind"]: thing for thing in yaml.safe_load_all(rendered)}
        self.workload = self.objects["Deployment"]
        pod = self.workload["spec"]["template"]["spec"]
        [self.container] = pod["containers"]
        self.workload["metadata"]["name"] += suffix
        pod["volumes"][0]["persistentVolumeClaim"]["claimName"] += suffix
        self.container["ports"][0]["hostPort"] = free_port()
        self.objects["ConfigMap"]["data"]["STUCK_AFTER_SECONDS"] = "5"  # sooner
        super().__init__(None)

    def play(self):
        answer = podman("kube", "play", f"--network={NETWORK}", "-", stdin=yaml.safe_dump_all(self.objects.values()))
        self.name = re.search(r"^Container:\n([0-9a-f]{64})$", answer.stdout, re.M)[1]

    def down(self):
        podman("kube", "down", "-", stdin=yaml.safe_dump_all(self.objects.values()))

    def port(self):
        return self.container["ports"][0]["hostPort"]


@pytest.fixture(scope="module")
def database(postgres_image, image):
    database = Database(postgres_image)
    database.container.wait_healthy()
    database.make_tables(image)
    # podman 4.3 takes a variable's secret from JSON, not from the Secret of a manifest.
    secret = {"DATABASE_URL": base64.b64encode(WRITER_URL.encode()).decode()}
    podman("secret", "create", "hooksd-database", "-", stdin=json.dumps(secret))
    yield database
    end_containers()


@pytest.fixture(scope="module")
def pod(database, kubectl):
    pod = Pod(kubectl)
    pod.play()
    return pod


def test_the_pod_stores_events(pod, database):
    pod.wait_ready()
    assert pod.post("first") == (202, "stored")
    assert database.stored() == {"first": 1}


def test_settings_come_from_the_config_map_and_the_secret(pod):
    given = dict(variable.split("=", 1) for variable in pod.inspect()["Config"]["Env"])
    assert pod.objects["ConfigMap"]["data"].items() <= given.items()
    assert given["DATABASE_URL"] == WRITER_URL


def test_what_the_manifest_forbids_is_forbidden(pod):
    found = pod.inspect()
    limits = pod.container["resources"]["limits"]
    assert found["HostConfig"]["Memory"] == int(limits["memory"].removesuffix("Mi")) * 2**20
    assert found["HostConfig"]["CpuQuota"] == int(limits["cpu"]) * found["HostConfig"]["CpuPeriod"]
    status = dict(re.findall(r"^(\w+):\t(.*)$", pod.run("cat", "/proc/1/status"), re.M))
    assert (int(status["CapBnd"], 16), status["NoNewPrivs"]) == (0, "1")
    assert (status["Uid"].split()[0], status["Gid"].split()[0]) == ("10001", "10001")
    assert podman("exec", pod.name, "touch", "/usr/x", check=False).returncode != 0
    assert "acceptor-1" not in pod.run("hooksctl", "status"), "ACCEPTORS follows the limit of 1 CPU"


def test_the_claim_is_a_volume_of_the_user(pod):
    [mount] = pod.inspect()["Mounts"]
    assert (mount["Type"], mount["Name"], mount["Destination"]) == ("volume", "hooksd", "/var/lib/hooksd")
    assert pod.run("stat", "-c", "%u:%g", "/var/lib/hooksd").strip() == "10001:10001"


def test_twice_the_ring_fits_into_the_shared_memory_of_the_pod(pod):
    ring, whole = (int(pod.run(*command).split()[-1]) for command in
                   (["stat", "-c", "%s", "/dev/shm/hooksd.ring"], ["df", "-B1", "--output=size", "/dev/shm"]))
    assert 0 < 2 * ring <= whole


def test_there_is_no_probe_that_podman_could_not_make(pod):
    assert [name for name in pod.container if name.endswith("Probe")] == []
    assert pod.inspect()["Config"].get("Healthcheck") is None
    assert podman("exec", pod.name, "sh", "-c", "command -v curl", check=False).returncode != 0


def test_what_hangs_is_replaced_inside_the_pod(pod, database):
    before = pod.pid()
    acceptor = pod.run("cat", "/proc/1/task/1/children").split()[0]
    pod.run("sh", "-c", f"kill -STOP {acceptor}")
    wait_until(lambda: acceptor not in pod.run("cat", "/proc/1/task/1/children").split(), "another acceptor", 120)
    pod.wait_ready()
    assert pod.post("second") == (202, "stored")
    assert (database.stored(), pod.pid()) == ({"first": 1, "second": 1}, before)


def test_a_pod_whose_process_is_killed_is_started_again_and_finds_its_ring(pod, database):
    before = pod.pid()
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: pod.pid() not in (0, before), "another process 1", 60)
    pod.wait_ready()
    assert metrics(pod)["events_received_total"] == 2, "the pod's memory outlives the container's process"
    assert pod.post("third") == (202, "stored")


def test_a_pod_that_goes_in_an_outage_leaves_its_spool_to_the_next(pod, database):
    assert database.container.stop() == 0
    assert pod.post("spooled") == (202, "spooled")
    pod.down()
    assert podman("ps", "--all", "--quiet", f"--filter=ancestor={IMAGE}").stdout == ""
    assert "hooksd" in podman("volume", "ls", "--quiet").stdout.split()
    pod.play()
    database.container.start()
    pod.wait_ready()
    wait_settled(pod)
    assert database.stored()["spooled"] == 1


def test_a_second_pod_stores_into_the_same_tables(pod, database, kubectl):
    second = Pod(kubectl, suffix="-2")
    second.play()
    second.wait_ready()
    assert [each.post("both") for each in (pod, second)] == [(202, "stored")] * 2
    assert database.stored()["both"] == 2
    second.down()
    assert pod.post("both") == (202, "stored")


def test_a_stop_within_the_ten_seconds_of_podman_ends_with_0(pod):
    assert pod.stop() == 0
    assert int(pod.objects["ConfigMap"]["data"]["DRAIN_TIMEOUT_SECONDS"]) < pod.inspect()["Config"]["StopTimeout"]
