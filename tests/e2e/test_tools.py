"""What docs/tools.md has for those who look inside: probes, and the scripts that use them."""

import os
import re
import signal
import subprocess

import pytest

from harness.daemon import BUILD_DIR, REPOSITORY
from harness.events import minimal
from harness.waiting import wait_until

SCRIPTS = sorted((REPOSITORY / "tools").glob("*.bt"))
PROBES = {name: len(arguments.split(", ")) for name, arguments in re.findall(
    r"^#define PROBE_\w+\([^)]*\) PROBE\((\w+), ([^)]*)\)$", (REPOSITORY / "base/probes.h").read_text(), re.MULTILINE)}


def test_the_program_has_each_probe_with_its_arguments():
    notes = subprocess.run(["readelf", "--notes", BUILD_DIR / "hooksd"], capture_output=True, text=True, timeout=60, check=True)
    found = re.findall(r"Provider: (\w+)\n +Name: (\w+)\n +Location: .*, Semaphore: 0x0+\n +Arguments: (.*)$", notes.stdout, re.MULTILINE)
    assert len(PROBES) >= 10
    assert {provider for provider, _, _ in found} == {"hooksd"}
    assert {(name, len(re.findall(r"-?\d+@", arguments))) for _, name, arguments in found} == set(PROBES.items())


@pytest.mark.skipif(os.geteuid() != 0, reason="bpftrace is for root alone")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_understood_by_bpftrace(script):
    run = subprocess.run(["bpftrace", "-d", script, BUILD_DIR / "hooksd"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr


class Trace:
    """A script of bpftrace, running."""

    def __init__(self, script, output):
        self.output = output
        with open(output, "w") as file:
            self.process = subprocess.Popen(["bpftrace", script, BUILD_DIR / "hooksd"], stdout=file, stderr=file)
        wait_until(lambda: "until Ctrl-C" in output.read_text() or self.process.poll() is not None, "bpftrace to begin")
        if self.process.poll() is not None:
            pytest.skip(f"this kernel or container refuses bpftrace: {output.read_text()}")

    def shows(self, text):
        """Has bpftrace print what it has counted, which takes a moment: to be asked again."""
        self.process.send_signal(signal.SIGUSR1)
        return text in self.output.read_text()

    def end(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.skipif(os.geteuid() != 0, reason="bpftrace is for root alone")
def test_scripts_count_requests_and_batches_of_a_live_service(hooksd, tmp_path):
    daemon = hooksd(ACCEPTORS=1)
    latency, batches = traces = [Trace(script, tmp_path / script.stem) for script in reversed(SCRIPTS)]
    try:
        for trace, texts in ((latency, ["@answer_us[acceptor-0]", "@lane_us[acceptor-0]", "@answers[acceptor-0, 202]"]),
                             (batches, ["@batch_events[writer-0]", "@store_us[writer-0]", "@stored[writer-0]"])):
            for text in texts:
                wait_until(lambda: daemon.post_batch([minimal()] * 2).status == 202 and trace.shows(text), text)
    finally:
        for trace in traces:
            trace.end()
