"""The commands of docs/containers.md that begin with podman, as they stand, but for the port of this machine."""

import os
import re
import subprocess

import pytest

from container import Container
from database import OWNER_URL, WRITER_URL, Database
from engine import REPOSITORY, end_containers, environment, podman
from harness.documents import blocks
from harness.postgres import free_port
from harness.waiting import wait_until

KUBECTL = """#!/bin/sh
set -e
rendered=$({kubectl} "$@")
echo "$rendered" | sed 's/hostPort: 8080/hostPort: {port}/'
"""


@pytest.fixture(scope="module")
def shell(image, kubectl, tmp_path_factory):
    """Runs a block; `shell.port` stands for 8080."""
    port = free_port()
    bindir = tmp_path_factory.mktemp("bin")
    (bindir / "kubectl").write_text(KUBECTL.format(kubectl=kubectl, port=port))
    (bindir / "kubectl").chmod(0o755)
    names = environment() | {"OWNER_URL": OWNER_URL, "WRITER_URL": WRITER_URL}
    names["PATH"] = f"{bindir}{os.pathsep}{names['PATH']}"

    def run(block):
        block = block.replace("-p 8080:", f"-p 127.0.0.1:{port}:")
        result = subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=REPOSITORY, env=names, capture_output=True,
                                text=True, timeout=600)
        assert result.returncode == 0, f"{block}\n{result.stdout}{result.stderr}"

    run.port = port
    yield run
    end_containers()


@pytest.fixture(scope="module")
def document():
    found = [block for block in blocks((REPOSITORY / "docs/containers.md").read_text()) if re.search(r"^podman|\| podman", block, re.M)]
    assert len(found) == 3
    return found


class Published(Container):
    """On the port that a command published."""

    def __init__(self, name, port):
        super().__init__(name)
        self.published = port

    def port(self):
        return self.published


def test_a_container_is_built_runs_is_healthy_and_stops(shell, document):
    *start, check, stop = [line for line in document[0].splitlines() if line]
    shell("\n".join(start))
    daemon = Published("hooksd", shell.port)
    daemon.wait_ready()
    assert daemon.post("first") == (202, "stored")
    shell(check)
    assert daemon.state()["Health"]["Status"] == "healthy"
    shell(stop)
    assert daemon.state()["ExitCode"] == 0
    daemon.remove()
    podman("volume", "rm", "hooksd")


def test_a_pod_is_played_and_taken_down(shell, document, postgres_image):
    database = Database(postgres_image)
    database.container.wait_healthy()
    network, migrate, *rest = [line for line in document[1].splitlines() if line]
    shell(f"{network}\n{migrate}")
    database.grant()
    shell("\n".join(rest))
    [name] = [name for name in podman("ps", "--format={{.Names}}").stdout.split() if name.startswith("hooksd-pod")
              and name.endswith("-hooksd")]
    pod = Published(name, shell.port)
    pod.wait_ready()
    assert pod.post("first") == (202, "stored")
    assert database.stored() == {"first": 1}
    shell(document[2])
    wait_until(lambda: name not in podman("ps", "--all", "--format={{.Names}}").stdout.split(), "the pod to be gone")
    assert "hooksd" in podman("volume", "ls", "--quiet").stdout.split()
