"""Many hostile clients (tests/bench/hostile.c), and the memory that an acceptor may use."""

import json
import subprocess
from pathlib import Path

from harness.daemon import BUILD_DIR

PROGRAM = "tests/bench/hostile"
MIB = 1 << 20


def build():
    subprocess.run(["ninja", "-C", BUILD_DIR, PROGRAM], check=True, stdout=subprocess.DEVNULL)


class Hostile:
    """Keeps so many clients connected to that port during the block. `told` holds their figures afterwards."""

    def __init__(self, port, idle, heads, bodies):
        self.words = [f"--port={port}", f"--idle={idle}", f"--heads={heads}", f"--bodies={bodies}"]

    def __enter__(self):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen([BUILD_DIR / PROGRAM, *self.words], **pipes)
        assert self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_exception):
        printed, _ = self.process.communicate()
        self.told = json.loads(printed or "{}")


def private_bytes(pid):
    """The memory of a process without the pages that it shares with others (code and ring)."""
    status = Path("/proc", str(pid), "status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) * 1024


def most_private_bytes(connections=20_000, buffered=64 * MIB, body=8 * MIB):
    """An acceptor's limit by docs/security.md, from MAX_CONNECTIONS, MAX_BUFFERED_BYTES and MAX_BODY_BYTES."""
    return 32 * MIB + connections * 16 * 1024 + 3 * buffered + 3 * body
