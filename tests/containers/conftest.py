import re
import shutil
import subprocess
from pathlib import Path

import pytest

import container
from engine import DIRECTORY, REPOSITORY, build, end_containers, podman, prepare

PREVIOUS = "0.0.9"
notes = []


@pytest.fixture
def note():
    """Adds a line to the summary."""
    return notes.append


def pytest_terminal_summary(terminalreporter):
    for line in notes:
        terminalreporter.write_line(f"containers: {line}")


@pytest.fixture(scope="session")
def engine():
    prepare()
    yield
    end_containers()


@pytest.fixture(scope="session")
def image(engine):
    return build(container.IMAGE)


@pytest.fixture(scope="session")
def previous_image(image):
    """This tree under an older version's name."""
    context = DIRECTORY / "previous"
    names = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (REPOSITORY / name).is_file():
            (context / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, context / name)
    version = context / "base/version.h"
    version.write_text(re.sub('".*"', f'"{PREVIOUS}"', version.read_text()))
    yield build(f"agentic-hooks-backend:{PREVIOUS}", context=context)
    shutil.rmtree(context)


@pytest.fixture(scope="session")
def postgres_image(engine):
    here = Path(__file__).with_name("postgres")
    return build("docker.io/library/postgres:15-bookworm", context=here, file=here / "Containerfile")


@pytest.fixture
def hooksd(image):
    """Starts the image with these flags of `podman run`; what still runs at the end is removed."""
    started = []

    def start(*flags):
        started.append(container.start_hooksd(f"hooksd-{len(started)}", *flags))
        return started[-1]

    yield start
    for each in started:
        each.remove()
    podman("volume", "prune", "--force")


@pytest.fixture(scope="session")
def kubectl():
    fetched = subprocess.run([REPOSITORY / ".ci/kubectl"], capture_output=True, text=True, timeout=300)
    assert fetched.returncode == 0, fetched.stderr
    return fetched.stdout.strip()
