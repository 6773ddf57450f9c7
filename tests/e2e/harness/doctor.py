"""Runs hooksctl doctor and reads its findings."""

import json
from collections import defaultdict

from harness.daemon import run_program

EXIT = {"ok": 0, "warn": 2, "fail": 1}
# Checks whose result depends on the machine that runs the tests.
OF_THE_MACHINE = {"host.clock", "host.descriptors", "host.other_rings", "host.shared_memory", "files.space"}


class Diagnosis:
    """Returns the findings by check, and the finished process."""

    def __init__(self, run):
        assert run.stderr == "", run.stderr
        self.code = run.returncode
        self.findings = json.loads(run.stdout)
        self.by_check = defaultdict(list)
        for finding in self.findings:
            assert list(finding) == ["check", "status", "found", "fix"]
            assert (finding["fix"] == "") == (finding["status"] == "ok"), finding
            self.by_check[finding["check"]].append(finding)
        worst = max((finding["status"] for finding in self.findings), key=["ok", "warn", "fail"].index)
        assert self.code == EXIT[worst]

    def status(self, check):
        """The worst status of a check, or None if doctor did not run it."""
        return max((finding["status"] for finding in self.by_check[check]), key=["ok", "warn", "fail"].index, default=None)

    def found(self, check):
        return " | ".join(finding["found"] for finding in self.by_check[check])

    def troubles(self):
        return {finding["check"]: finding["found"] for finding in self.findings
                if finding["status"] != "ok" and finding["check"] not in OF_THE_MACHINE}


def diagnose(cwd, *flags, **options):
    offline = [] if any(flag.startswith("--probe") for flag in flags) else ["--offline"]
    return Diagnosis(run_program("hooksctl", "doctor", "--json", *offline, *flags, options=options, cwd=cwd))


def diagnose_daemon(daemon, *flags, **options):
    port = {"PORT": daemon.port} if daemon.process else {}
    return diagnose(daemon.directory, *flags, **(daemon.options | port | options))
