"""Other programs that take events over HTTP, when they are installed: the same bodies into a file, as they come."""

import contextlib
import json
import shutil
import subprocess
import time

from harness.client import Client
from harness.postgres import free_port
from harness.waiting import wait_until

from cases import BATCH, case
from measure import next_seed, process_seconds, run_load


def fluent_bit(directory, port):
    return ["-q", "-f", "1", "-i", "http", "-p", "listen=127.0.0.1", "-p", f"port={port}",
            "-o", "file", "-m", "*", "-p", f"path={directory}", "-p", "file=out", "-p", "format=plain"]


def vector(directory, port):
    config = {
        "data_dir": str(directory),
        "sources": {"in": {"type": "http_server", "address": f"127.0.0.1:{port}", "strict_path": False,
                           "decoding": {"codec": "json"}}},
        "sinks": {"out": {"type": "file", "inputs": ["in"], "path": f"{directory}/out", "encoding": {"codec": "json"}}},
    }
    (directory / "config.json").write_text(json.dumps(config))
    return ["--quiet", "--config-json", directory / "config.json"]


def otelcol(directory, port):
    """Takes a whole body as one record."""
    config = {
        "receivers": {"webhookevent": {"endpoint": f"127.0.0.1:{port}", "path": BATCH["path"]}},
        "exporters": {"file": {"path": f"{directory}/out"}},
        "service": {"pipelines": {"logs": {"receivers": ["webhookevent"], "exporters": ["file"]}}},
    }
    (directory / "config.yaml").write_text(json.dumps(config))
    return ["--config", directory / "config.yaml"]


PEERS = {"fluent-bit": fluent_bit, "vector": vector, "otelcol-contrib": otelcol}


@case
def peers(bench):
    """other programs that are in PATH: the same bodies into a file"""
    found = [name for name in PEERS if shutil.which(name)]
    print("peers:", ", ".join(found) if found else f"none of {', '.join(PEERS)} is installed")
    for name in found:
        directory = bench.work / name
        directory.mkdir()
        try:
            bench.add("peers", measure_peer(bench, name, directory))
        except AssertionError as error:
            print(f"peers: {name} did not take the events: {error}")


def measure_peer(bench, name, directory):
    port = free_port()
    output = directory / "out"
    with open(directory / "log", "wb") as log:
        process = subprocess.Popen([name, *PEERS[name](directory, port)], cwd=directory, stdout=log, stderr=log)
    try:
        wait_until(lambda: process.poll() is not None or listens(port), f"{name} to listen", 20)
        assert process.poll() is None, (directory / "log").read_text()[-500:]
        result = run_load(port, **BATCH, seconds=bench.seconds(6), seed=next_seed())
        assert result["accepted"] > 0, (directory / "log").read_text()[-500:]
        elapsed = result["seconds"] + settle(output)
        events = result["accepted"] * BATCH["events"]
        return {
            "name": f"{name} to a file", "events_per_body": BATCH["events"], "connections": BATCH["connections"],
            "accepted_per_s": events / result["seconds"], "stored_per_s": events / elapsed,
            "p50_ms": result["sent"]["p50_us"] / 1000, "p99_ms": result["sent"]["p99_us"] / 1000,
            "file_mib": output.stat().st_size / (1 << 20), "cpu_us": 1e6 * process_seconds(process.pid) / events,
        }
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()


def listens(port):
    with contextlib.suppress(OSError), Client(port, timeout=1) as client:
        client.get("/")
        return True
    return False


def settle(output):
    """Seconds until the file has its last byte; it has when it stays the same for a second."""
    started = last_change = time.monotonic()
    size = -1
    while time.monotonic() - last_change < 1:
        now = output.stat().st_size if output.exists() else 0
        if now != size:
            size, last_change = now, time.monotonic()
        time.sleep(0.01)
    return last_change - started
