"""receiver.mjs, run by node with the packages of npm's registry that .ci/npm.sha256 names."""

import base64
import json
import queue
import shutil
import subprocess
import threading
from pathlib import Path

from harness.daemon import REPOSITORY

PACKAGES = ["standardwebhooks", "svix", "@stablelib/base64", "fast-sha256"]
PROGRAM = Path(__file__).with_name("receiver.mjs")


def install(directory):
    """The packages and the program, as `npm install` would lay them out."""
    for name in PACKAGES:
        fetched = subprocess.run([REPOSITORY / ".ci/npm", name], capture_output=True, text=True, timeout=120)
        assert fetched.returncode == 0, fetched.stderr
        shutil.copytree(fetched.stdout.strip(), directory / "node_modules" / name)
    shutil.copy(PROGRAM, directory)


class NodeReceiver:
    def __init__(self, directory, host, *arguments):
        """host: as the certificate names it."""
        self.host = host
        self.scheme = "http" if arguments[0] == "http" else "https"
        self.lines = queue.Queue()
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "node", directory / PROGRAM.name, *arguments], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, cwd=directory)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.port = self.next()["port"]

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def next(self):
        """What it says next: of a request what came, and what the verifiers say of it by the names of the secrets."""
        told = self.lines.get(timeout=20)
        if "body" in told:
            told["body"] = base64.b64decode(told["body"])
        return told

    def try_secrets(self, **secrets):
        self.process.stdin.write(json.dumps(secrets) + "\n")
        self.process.stdin.flush()
        assert self.next() == {"secrets": list(secrets)}

    def url(self, path):
        return f"{self.scheme}://{self.host}:{self.port}{path}"

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(10) == 0
        self.reader.join(10)
        self.process.stdout.close()
