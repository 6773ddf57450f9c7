import json
import os
import subprocess
from pathlib import Path

import pytest

from harness.daemon import REPOSITORY
from harness.webhooks import clean_up, make_hookline

PACKAGES = ["playwright-core", "axe-core"]
PROGRAM = Path(__file__).with_name("run.mjs")


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    """A directory from which node finds the packages of npm's registry that .ci/npm.sha256 names."""
    directory = tmp_path_factory.mktemp("node")
    (directory / "node_modules").mkdir()
    for name in PACKAGES:
        fetched = subprocess.run([REPOSITORY / ".ci/npm", name], capture_output=True, text=True, timeout=120)
        assert fetched.returncode == 0, fetched.stderr
        (directory / "node_modules" / name).symlink_to(fetched.stdout.strip())
    return directory


@pytest.fixture(scope="session")
def hookline(tmp_path_factory):
    hookline = make_hookline(tmp_path_factory.mktemp("hookline"), "embedded", STORAGE_TYPE="sqlite")
    try:
        hookline.start()
        yield hookline
    finally:
        clean_up([hookline])


@pytest.fixture
def run(hookline, packages, tmp_path):
    """Runs a flow of flows/ in a browser, as the holder of a new tenant's key; what is wrong there fails the test."""

    def run(file, name, **environment):
        tenant = hookline.new_tenant(name="Acme")
        told = {"CONSOLE_URL": f"http://127.0.0.1:{hookline.daemon.port}", "CONSOLE_KEY": tenant.client.key,
                "CONSOLE_PACKAGES": str(packages), "HOME": str(tmp_path)}
        ran = subprocess.run(["node", PROGRAM, file, name], env=os.environ | told | environment, capture_output=True, text=True, timeout=110)
        problems = json.loads(ran.stdout or "[]") if ran.returncode in (0, 1) else []
        assert ran.returncode == 0, "\n".join([ran.stderr[-4000:], *problems])

    return run
