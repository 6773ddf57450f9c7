import os
import tempfile
from pathlib import Path

import pytest

from machine import REPOSITORY, Booted, Chroot, can_boot, run

# Containers may forbid it; then the package is installed, started without systemd, and removed.
BOOTS = can_boot()
collect_ignore = [] if BOOTS else ["test_booted.py"]


def pytest_report_header():
    return f"the unit is {'run by a systemd of its own' if BOOTS else 'NOT run: no namespaces for a systemd here'}"


@pytest.fixture(scope="session")
def package():
    [package] = (REPOSITORY / "build-deb").glob("agentic-hooks-backend_*.deb")
    return package


@pytest.fixture(scope="session")
def debian():
    with tempfile.TemporaryDirectory(prefix="hooksd-package-") as directory:
        os.chmod(directory, 0o755)
        debian = Chroot(Path(directory, "debian"))
        debian.run("apt-get", "update", "-q")
        yield debian
        debian.remove()


@pytest.fixture(scope="module")
def chroot(debian, package):
    """A Debian on which apt-get has installed the package, its dependencies from Debian."""
    debian.path("/tmp/package.deb").write_bytes(package.read_bytes())
    debian.run("apt-get", "install", "-y", "-q", "--no-install-recommends", "/tmp/package.deb", timeout=300)
    yield debian
    debian.run("dpkg", "--purge", "agentic-hooks-backend")
    run("rm", "-rf", debian.path("/var/lib/hooksd"))


@pytest.fixture(scope="module")
def machine(chroot):
    machine = Booted(chroot)
    yield machine
    machine.power_off()
