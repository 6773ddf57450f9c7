"""
One hooksd under load, with CPU time by role from /proc/PID/stat and memory from /proc/PID/smaps_rollup.

CPU time is counted in ticks of 10 ms over the whole load, until its last event is stored. It is reliable on a busy
machine, where rates and latencies are not. `others_percent` is the part of the machine that other programs used.
"""

import contextlib
import itertools
import json
import math
import os
import statistics
import subprocess
import threading
import time
from pathlib import Path

from harness.daemon import BUILD_DIR, Daemon, session_members
from harness.metrics import metrics, wait_accounted
from harness.waiting import wait_until

TICKS = os.sysconf("SC_CLK_TCK")
CPUS = len(os.sched_getaffinity(0))
ROLES = ("acceptors", "writers", "postgres", "client")

_numbers = itertools.count()


def run_load(port, key=None, **options):
    """Runs tests/bench/load with these options and that API key. Returns its results."""
    words = [f"--{name}" if value is True else f"--{name}={value}" for name, value in options.items()]
    command = [BUILD_DIR / "tests/bench/load", f"--port={port}", *words]
    environment = os.environ | ({"HL_API_KEY": key} if key else {})
    return json.loads(subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, text=True).stdout)


def load_options(events, connections, **more):
    return {"events": events, "connections": connections, "path": "/events/batch" if events > 1 else "/events"} | more


# CPU

def process_seconds(pid, with_children=False):
    """The CPU time of a process, optionally with its ended children. 0 for a process that is gone."""
    try:
        stat = Path("/proc", str(pid), "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    fields = stat[stat.rindex(")") + 2 :].split()
    return sum(map(int, fields[11 : 15 if with_children else 13])) / TICKS


def server_seconds(server):
    """The CPU time of a PostgreSQL server with its present and former backends."""
    if server is None or server.process is None:
        return 0
    first, *children = server.pids()
    return process_seconds(first, True) + sum(map(process_seconds, children))


def machine_seconds():
    """The CPU time of all programs, without idle time and waits for disks."""
    user, nice, system, _idle, _wait, *rest = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    return (user + nice + system + sum(rest)) / TICKS


# Memory

def rollup(pid):
    lines = Path("/proc", str(pid), "smaps_rollup").read_text().splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines}


def tree_memory(daemon, segment, roles=()):
    """
    MiB of the whole tree or of the processes of these roles, and of the segment. A shared page counts once: the
    proportional sizes (PSS) are added, and the segment counts as the memory of its file, mapped or not. rss_mib counts
    shared pages once for each process.
    """
    pss = rss = 0
    for pid in [pid for role in roles for pid in daemon.pids(role)] if roles else session_members(daemon.pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            sizes = rollup(pid)
            pss += sizes["Pss"] - sizes["Pss_Shmem"]
            status = Path("/proc", str(pid), "status").read_text()
            rss += sum(int(status.split(f"Rss{kind}:")[1].split()[0]) / 1024 for kind in ("Anon", "File"))
    shared = 0
    with contextlib.suppress(FileNotFoundError):  # the daemon has not started yet
        shared = segment.stat().st_blocks / 2048
    return {"private_mib": pss, "segment_mib": shared, "memory_mib": pss + shared, "rss_mib": rss + shared}


class MemoryWatch:
    """The highest of the samples taken during the block."""

    def __init__(self, daemon, segment, every=0.5, roles=()):
        self.daemon, self.segment, self.every, self.roles = daemon, segment, every, roles
        self.samples = []  # (seconds since the start, sizes)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def watch(self):
        begun = time.monotonic()
        while True:
            self.samples.append((time.monotonic() - begun, tree_memory(self.daemon, self.segment, self.roles)))
            if self.over.wait(self.every):
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_exception):
        self.over.set()
        self.thread.join()

    def highest(self):
        return max((sizes for _, sizes in self.samples), key=lambda sizes: sizes["memory_mib"])


# Pairs

def compare(without, beside):
    """
    The median ratio of each figure of `beside` to the two of `without` just before and after it, and the quartiles of
    the ratios of neighbours in `without`, which show how much figures differ without a change.
    """
    ratios = [figure / math.sqrt(before * after) for figure, before, after in zip(beside, without, without[1:])]
    apart = [after / before for before, after in zip(without, without[1:])]
    return statistics.median(ratios), statistics.quantiles(apart, n=4, method="inclusive") if len(apart) > 1 else [apart[0]] * 3


# The service

class Service:
    """hooksd with its defaults and these options, running and ready during the block."""

    def __init__(self, bench, storage, database=None, **options):
        number = next(_numbers)
        self.bench = bench
        self.directory = bench.work / f"hooksd-{number}"
        self.directory.mkdir()
        self.segment = Path(f"/dev/shm/hooks-bench-{os.getpid()}-{number}.ring")
        self.storage = storage
        self.database = database
        settings = {"HOST": "127.0.0.1", "PORT": 0, "STORAGE_TYPE": storage, "RING_PATH": self.segment} | options
        if database:
            settings["DATABASE_URL"] = database.url
        self.daemon = Daemon(self.directory, settings)

    def __enter__(self):
        self.daemon.start()
        return self

    def __exit__(self, *_exception):
        try:
            self.daemon.clean_up()
        finally:
            self.segment.unlink(missing_ok=True)

    def settle(self):
        """Waits until all received events are stored, or are in the spool if PostgreSQL is unavailable."""
        wait_until(lambda: metrics(self.daemon)["ring_events"] == 0, "the ring to be empty", 120)
        return wait_accounted(self.daemon)

    def cpu_seconds(self):
        pids = {role: self.daemon.pids(role.removesuffix("s")) for role in ("acceptors", "writers")}
        used = {role: sum(map(process_seconds, pids[role])) for role in pids}
        return used | {"postgres": server_seconds(self.database and self.database.server), "machine": machine_seconds()}

    def warm_up(self, **load):
        run_load(self.daemon.port, **load | {"seconds": self.bench.seconds(0.3), "seed": next_seed()})
        self.settle()

    def measure(self, name, **load):
        """
        A row of figures of that load. Times are those of replies. stored_per_s ends when the last event is stored.
        """
        events = load["events"]
        load.setdefault("seed", next_seed())
        before, used, started = self.settle(), self.cpu_seconds(), time.monotonic()
        with MemoryWatch(self.daemon, self.segment) as memory:
            result = run_load(self.daemon.port, **load)
            replied = time.monotonic()
            after = self.settle()
        settled = time.monotonic()
        elapsed = settled - started
        spent = {role: seconds - used[role] for role, seconds in self.cpu_seconds().items()}
        spent["client"] = result["cpu_us"] / 1e6
        accepted = result["accepted"] * events
        ours = sum(spent[role] for role in ROLES)
        row = {
            "name": name, "storage": self.storage, "events_per_body": events, "connections": load["connections"],
            "event_bytes": load.get("bytes", 470), "requests": result["requests"], "failed": result["failed"],
            "requests_per_s": result["accepted"] / result["seconds"],
            "accepted_per_s": accepted / result["seconds"],
            "stored_per_s": (after["events_stored_total"] - before["events_stored_total"])
            / (result["seconds"] + settled - replied),
            "refused_percent": 100 * result["refused"] / max(result["requests"], 1),
            "others_percent": max(0, 100 * (spent["machine"] - ours) / (CPUS * elapsed)),
        }
        row |= {f"{name}_ms": result["sent"][f"{name}_us"] / 1000 for name in ("p50", "p99", "p999", "max")}
        row |= {f"due_{name}_ms": result["due"][f"{name}_us"] / 1000 for name in ("p50", "p99", "p999", "max")}
        row |= {f"cpu_{role}_us": 1e6 * spent[role] / max(accepted, 1) for role in ROLES}
        row["cpu_us"] = sum(row[f"cpu_{role}_us"] for role in ("acceptors", "writers", "postgres"))
        row["megabytes_per_s"] = row["accepted_per_s"] * row["event_bytes"] / 1e6
        row |= memory.highest()
        if "slots_us" in result:
            row["slots_ms"] = [us / 1000 for us in result["slots_us"]]
        return row


def next_seed():
    """A start for ids that no other load of this run makes, and that ascend with time."""
    return int(time.time() * 1000) + next(_numbers)
