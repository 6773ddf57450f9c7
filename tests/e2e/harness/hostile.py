"""Many clients that mean the service no good (tests/bench/hostile.c), and what its acceptors may take of memory."""

import json
import subprocess
from pathlib import Path

from harness.daemon import BUILD_DIR

PROGRAM = "tests/bench/hostile"
MIB = 1 << 20


def build():
    subprocess.run(["ninja", "-C", BUILD_DIR, PROGRAM], check=True, stdout=subprocess.DEVNULL)


class Hostile:
    """In the block so many clients are connected to that port; told is what came of them."""

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
    """Memory of a process without what it shares with others: code, and the ring."""
    status = Path("/proc", str(pid), "status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) * 1024


def most_private_bytes(connections=20_000, buffered=64 * MIB, body=8 * MIB):
    """What docs/security.md says an acceptor takes at most, by MAX_CONNECTIONS, MAX_BUFFERED_BYTES, MAX_BODY_BYTES."""
    return 32 * MIB + connections * 16 * 1024 + 3 * buffered + 3 * body
