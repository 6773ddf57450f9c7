"""Runs the courier's HTTP client (tests/unit/http_driver.c) with names and addresses of the test (harness/names.py)."""

import json
import os
import subprocess

from harness.daemon import BUILD_DIR, clean_environment
from harness.names import Names


class HttpDriver(Names):
    def __init__(self, directory, names=None, connect=None, allow="loopback", **environment):
        super().__init__(directory, names, connect)
        self.process = subprocess.Popen(
            [BUILD_DIR / "tests/unit/http_driver"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=clean_environment(
                self.environment() | ({"HL_ALLOW_NETWORKS": allow} if allow else {}) | environment))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.stdin.close()
        self.process.stdout.close()
        if self.process.wait(timeout=60) != 0:
            raise AssertionError(f"the driver ended with {self.process.returncode}")

    def begin(self, url, **order):
        self.process.stdin.write(json.dumps({"url": url, **order}) + "\n")
        self.process.stdin.flush()

    def results(self):
        return json.loads(self.process.stdout.readline())

    def attempts(self, url, **order):
        self.begin(url, **order)
        return self.results()

    def attempt(self, url, **order):
        [result] = self.attempts(url, **order)
        return result

    def descriptors(self):
        """The numbers of its open descriptors."""
        return [int(name) for name in os.listdir(f"/proc/{self.process.pid}/fd")]
