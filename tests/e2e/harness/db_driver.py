"""
Runs tests/unit/db_driver.c, which makes the calls of store/db.h that its input names, one a line. Its statements use a
table `things`.
"""

import subprocess
import time

from harness.daemon import BUILD_DIR, clean_environment
from harness.waiting import wait_ended

REFUSED, BUSY = 1, 2
ADD = "INSERT INTO things (name) VALUES ($1)"
COUNT = "SELECT count(*) FROM things"


class Driver:
    """where: POSTGRES_URL or DATA_PATH."""

    def __init__(self, **where):
        self.process = subprocess.Popen(
            [BUILD_DIR / "tests/unit/db_driver"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=clean_environment({f"HOOKS_TEST_{name}": str(value) for name, value in where.items()}))

    def send(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def answer(self):
        code, conflict, text = self.process.stdout.readline().rstrip("\n").split(" ", 2)
        return int(code), text if conflict == "-" else conflict

    def call(self, command):
        self.send(command)
        return self.answer()

    def must(self, command):
        code, text = self.call(command)
        assert code == 0, (command, text)
        return text

    def must_fail(self, command):
        """The duration of the failed call in seconds, and its error message."""
        started = time.monotonic()
        code, text = self.call(command)
        assert code < 0, text
        return time.monotonic() - started, text

    def add(self, name):
        self.must("begin")
        self.must(f"run {ADD}; {name}")
        self.must("commit")

    def close(self):
        self.process.stdin.close()
        wait_ended(self.process, 30)
        self.process.stdout.close()
