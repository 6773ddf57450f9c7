"""The benchmark's load client and receiver (tests/bench), for tests with more events than Python can handle."""

import json
import os
import subprocess

from harness.client import Client
from harness.daemon import BUILD_DIR

LOAD, RECEIVER = "tests/bench/load", "tests/bench/receiver"


def build():
    subprocess.run(["ninja", "-C", BUILD_DIR, LOAD, RECEIVER], check=True, stdout=subprocess.DEVNULL)


class BenchReceiver:
    """tests/bench/receiver, running during the block. ledger: the file in which it lists the deliveries."""

    def __init__(self, ledger=None):
        self.ledger = ledger

    def __enter__(self):
        command = [BUILD_DIR / RECEIVER] + [self.ledger] * (self.ledger is not None)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().removeprefix("port="))
        return self

    def __exit__(self, *_exception):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.port}{path}"

    def told(self, path="/"):
        """
        The figures of the requests since the last call that reset them. The path `/so-far` reads them without a reset.
        """
        with Client(self.port) as client:
            return client.get(path).json()


class Load:
    """Starts tests/bench/load against that daemon with a tenant's key. Options are named without their dashes."""

    def __init__(self, daemon, key, **options):
        command = [BUILD_DIR / LOAD, f"--port={daemon.port}", *(f"--{name}={value}" for name, value in options.items())]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"HL_API_KEY": key})

    def result(self):
        """Waits until the load has ended."""
        output, _ = self.process.communicate()
        assert self.process.returncode == 0
        return json.loads(output)
