"""The tools of docs/tools.md: commands for gdb, and probes with scripts for bpftrace."""

import json
import os
import re
import signal
import subprocess
import time

import pytest

from harness.daemon import BUILD_DIR, REPOSITORY, run_program, stopped
from harness.events import minimal
from harness.waiting import wait_until

HOOKS_GDB = REPOSITORY / "tools/hooks_gdb.py"
SCRIPTS = sorted((REPOSITORY / "tools").glob("*.bt"))
PROBES = {name: len(arguments.split(", ")) for name, arguments in re.findall(
    r"^#define PROBE_\w+\([^)]*\) PROBE\((\w+), ([^)]*)\)$", (REPOSITORY / "base/probes.h").read_text(), re.MULTILINE)}


@pytest.fixture
def waiting(hooksd):
    """A daemon that has stored 7 events and whose writer is stopped with 5 more on the ring."""
    debugged = {"STUCK_AFTER_SECONDS": 0} | ({"SANDBOX": "off"} if os.geteuid() else {})
    daemon = hooksd(ACCEPTORS=1, ACK="queued", RING_BYTES=4 << 20, MAX_BODY_BYTES=65536, MAX_EVENT_BYTES=65536, **debugged)
    assert daemon.post_batch([minimal()] * 7).status == 202
    daemon.wait_stored(7)
    with stopped(daemon.pids("writer")[0]):
        assert daemon.post_batch([minimal()] * 5).status == 202
        yield daemon
    daemon.wait_stored(12)


def run_gdb(*arguments, commands=()):
    words = ["gdb", "-batch", "-nx", "-iex", "set debuginfod enabled off", *arguments, "-x", HOOKS_GDB]
    for command in commands:
        words += ["-ex", f"echo == {command}\\n", "-ex", command]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


def gdb(*arguments, commands=()):
    """Runs the commands in gdb, without an error. Returns the output of each."""
    run = run_gdb(*arguments, commands=commands)
    if "ptrace: Operation not permitted" in run.stderr:
        pytest.skip("this kernel or container refuses ptrace: gdb cannot attach to a process")
    assert (run.returncode, re.findall("^(?:Python Exception|Error).*", run.stderr, re.MULTILINE)) == (0, []), run.stdout + run.stderr
    parts = re.split(r"^== (.*)\n", run.stdout, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


COMMANDS = ["hooks segment", "hooks lanes", "hooks parcels 0", "hooks slots", "hooks ledger"]


def assert_shows_what_waits(shown, daemon):
    assert f"master {daemon.pid}, acceptors=1 writers=1 " in shown["hooks segment"]
    assert daemon.options["RING_PATH"] in shown["hooks segment"]
    assert re.search(r"^ +0 acceptor-0 -> writer-0 +2 +1 +1 +5 ", shown["hooks lanes"], re.MULTILINE)
    assert re.search(r"^ +1 +5 +\d+  none$", shown["hooks parcels 0"], re.MULTILINE)
    for role in ("acceptor", "writer"):
        assert re.search(rf"^{role}-0 +{daemon.pids(role)[0]}  ready ", shown["hooks slots"], re.MULTILINE)
    assert re.search(r"^  page [01]: serial \d+, stored, releases 1, 0 in the spool, 0 replays, stored 7$", shown["hooks ledger"], re.MULTILINE)


@pytest.mark.unsanitized("the core would hold the sanitizer's memory")
def test_gdb_shows_the_ring_of_a_live_process_and_of_a_core(waiting, tmp_path):
    acceptor = waiting.pids("acceptor")[0]
    core, copy = tmp_path / "core", tmp_path / "copy"
    with open(f"/proc/{acceptor}/coredump_filter", "w") as file:
        file.write("0x3b")
    shown = gdb("-p", str(acceptor), commands=[*COMMANDS, f"hooks save {copy}", f"gcore {core}"])
    assert_shows_what_waits(shown, waiting)
    shown = gdb(BUILD_DIR / "hooksd", core, commands=COMMANDS)
    assert_shows_what_waits(shown, waiting)
    dump = run_program("hooksctl", "ring", "dump", copy, "--json")
    assert dump.returncode == 0, dump.stderr
    lane, = json.loads(dump.stdout)["lanes"]
    assert (lane["waiting"], lane["events_waiting"]) == (1, 5)


def test_gdbs_commands_have_help_and_name_missing_arguments():
    run = run_gdb(BUILD_DIR / "hooksd", commands=["help hooks", "hooks lanes"])
    assert {f"hooks {word}" for word in ("lanes", "ledger", "parcels", "save", "segment", "slots")} == set(
        re.findall(r"^(hooks \w+) -- ", run.stdout, re.MULTILINE))
    assert "There is no process and no core" in run.stderr


def test_the_program_has_each_probe_with_its_arguments():
    notes = subprocess.run(["readelf", "--notes", BUILD_DIR / "hooksd"], capture_output=True, text=True, timeout=60, check=True)
    found = re.findall(r"Provider: (\w+)\n +Name: (\w+)\n +Location: .*, Semaphore: 0x0+\n +Arguments: (.*)$", notes.stdout, re.MULTILINE)
    assert len(PROBES) >= 10
    assert {provider for provider, _, _ in found} == {"hooksd"}
    assert {(name, len(re.findall(r"-?\d+@", arguments))) for _, name, arguments in found} == set(PROBES.items())


@pytest.mark.skipif(os.geteuid() != 0, reason="bpftrace needs root")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_bpftrace_accepts_each_script(script):
    run = subprocess.run(["bpftrace", "-d", script, BUILD_DIR / "hooksd"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr


class Trace:
    """Runs a script of bpftrace during the block."""

    def __init__(self, script, output):
        self.output = output
        with open(output, "w") as file:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "bpftrace", "-B", "none", script, BUILD_DIR / "hooksd"],
                                            stdout=file, stderr=file)
        wait_until(lambda: "until Ctrl-C" in output.read_text() or self.process.poll() is not None, "bpftrace to begin")
        if self.process.poll() is not None:
            pytest.skip(f"this kernel or container refuses bpftrace: {output.read_text()}")

    def shows(self, text):
        """
        Makes bpftrace print its counts, and waits a moment. Without pauses between the signals it would print nothing
        else.
        """
        before = self.output.stat().st_size
        self.process.send_signal(signal.SIGUSR1)
        until = time.monotonic() + 2
        while time.monotonic() < until and text not in self.output.read_text()[before:]:
            time.sleep(0.05)
        return text in self.output.read_text()

    def end(self):
        """Ends bpftrace. It ignores a Ctrl-C that comes while it prints, so the test repeats it."""
        def ended():
            self.process.send_signal(signal.SIGINT)
            return self.process.poll() is not None

        wait_until(ended, "bpftrace to end")


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.skipif(os.geteuid() != 0, reason="bpftrace needs root")
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
