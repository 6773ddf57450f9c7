"""The courier's HTTP client (tests/unit/http_driver.c), with names and addresses of the test's own (tests/preload/resolver.c)."""

import json
import os
import subprocess

from harness.daemon import BUILD_DIR, clean_environment


class HttpDriver:
    """names: {name: answers}; connect: {address: port}. Both as tests/preload/resolver.c describes them."""

    def __init__(self, directory, names=None, connect=None, allow="loopback", **environment):
        self.names, self.log = directory / "names", directory / "names.log"
        self.log.write_text("")
        self.set(names or {}, connect or {})
        self.process = subprocess.Popen(
            [BUILD_DIR / "tests/unit/http_driver"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=clean_environment({
                "LD_PRELOAD": BUILD_DIR / "tests/preload/resolver.so", "NAMES": self.names, "NAMES_LOG": self.log,
                "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0",
                **({"HL_ALLOW_NETWORKS": allow} if allow else {}), **environment}))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.stdin.close()
        self.process.stdout.close()
        if self.process.wait(timeout=60) != 0:
            raise AssertionError(f"the driver ended with {self.process.returncode}")

    def set(self, names, connect):
        new = self.names.with_suffix(".new")
        new.write_text("".join(f"name {name} {answers}\n" for name, answers in names.items())
                       + "".join(f"connect {address} {port}\n" for address, port in connect.items()))
        new.rename(self.names)

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

    def said(self, what):
        """The names that were looked up, or the addresses that were connected to."""
        return [line.split()[1] for line in self.log.read_text().splitlines() if line.startswith(what + " ")]

    def descriptors(self):
        """Numbers of its open files."""
        return [int(name) for name in os.listdir(f"/proc/{self.process.pid}/fd")]
