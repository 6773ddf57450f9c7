"""Snapshots of the embedded store during publishing: their effect on publishers."""

import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from harness.daemon import BUILD_DIR, clean_environment

from cases import case
from delivery import EVENT, PUBLISH_BATCH, publishing

RATE = 5000  # events a second
SECONDS = 10
PAIRS = 9
STORED = 200_000  # events before the first snapshot
LOAD = EVENT | {"events": 1, "connections": 256, "path": "/v1/events", "rate": RATE}


@case
def backup(bench):
    """5,000 events/s into the embedded store during one `hooksctl store snapshot create` after another; five minutes"""
    with publishing(bench, "embedded") as service:
        fill(service, bench.seconds(1) * STORED)
        service.load(LOAD, bench.seconds(SECONDS))
        pairs = [pair(service, bench.seconds(SECONDS)) for _ in bench.few(*range(PAIRS))]
    quarters = statistics.quantiles([each["p99_ratio"] for each in pairs], n=4) if len(pairs) > 1 else [pairs[0]["p99_ratio"]] * 3
    bench.add("backup", sorted(pairs, key=lambda each: each["p99_ratio"])[len(pairs) // 2] | {
        "name": "embedded", "published_per_s": RATE, "low": quarters[0], "high": quarters[2]})


def fill(service, events):
    while service.settle() < events:
        service.load(PUBLISH_BATCH, 1)


def pair(service, seconds):
    """The same load without snapshots, then with snapshots all the time."""
    without = service.load(LOAD, seconds)["due"]
    with Snapshots(service.service.daemon) as snapshots:
        beside = service.load(LOAD, seconds)["due"]
    return {"p50_ms": without["p50_us"] / 1000, "p50_beside_ms": beside["p50_us"] / 1000, "p99_ms": without["p99_us"] / 1000,
            "p99_beside_ms": beside["p99_us"] / 1000, "p99_ratio": beside["p99_us"] / without["p99_us"],
            "snapshot_s": statistics.mean(snapshots.took), "snapshot_mib": snapshots.bytes / 2**20}


class Snapshots:
    """Makes one snapshot after another during the block."""

    def __init__(self, daemon):
        self.daemon, self.took, self.bytes, self.ended = daemon, [], 0, False
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_exception):
        self.ended = True
        self.thread.join()

    def run(self):
        while not self.ended:
            with tempfile.TemporaryDirectory(dir=self.daemon.directory) as directory:
                began = time.monotonic()
                subprocess.run([BUILD_DIR / "hooksctl", "store", "snapshot", "create", f"--dest={directory}/snapshot"], check=True,
                               env=clean_environment(self.daemon.options), cwd=self.daemon.directory, stdout=subprocess.DEVNULL)
                self.took.append(time.monotonic() - began)
                self.bytes = Path(directory, "snapshot/hookline.db").stat().st_size
