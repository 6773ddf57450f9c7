"""
Other programs that take events over HTTP, if installed: they write the same bodies unchanged to a file. Also two small
services that one might write instead, small/service.py and small/service.js.
"""

import contextlib
import importlib.util
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from harness.client import Client
from harness.postgres import free_port
from harness.waiting import wait_until

from cases import BATCH, SINGLE, case, services
from measure import next_seed, process_seconds, run_load


SMALL = Path(__file__).resolve().parent / "small"


def fluent_bit(directory, port):
    return ["fluent-bit", "-q", "-f", "1", "-i", "http", "-p", "listen=127.0.0.1", "-p", f"port={port}",
            "-o", "file", "-m", "*", "-p", f"path={directory}", "-p", "file=out", "-p", "format=plain"]


def vector(directory, port):
    config = {
        "data_dir": str(directory),
        "sources": {"in": {"type": "http_server", "address": f"127.0.0.1:{port}", "strict_path": False,
                           "decoding": {"codec": "json"}}},
        "sinks": {"out": {"type": "file", "inputs": ["in"], "path": f"{directory}/out", "encoding": {"codec": "json"}}},
    }
    (directory / "config.json").write_text(json.dumps(config))
    return ["vector", "--quiet", "--config-json", directory / "config.json"]


def otelcol(directory, port):
    """A program that takes a whole body as one record."""
    config = {
        "receivers": {"webhookevent": {"endpoint": f"127.0.0.1:{port}", "path": BATCH["path"]}},
        "exporters": {"file": {"path": f"{directory}/out"}},
        "service": {"pipelines": {"logs": {"receivers": ["webhookevent"], "exporters": ["file"]}}},
    }
    (directory / "config.yaml").write_text(json.dumps(config))
    return ["otelcol-contrib", "--config", directory / "config.yaml"]


def node(directory, port):
    return ["node", SMALL / "service.js", str(port), directory / "out"]


def python(directory, port):
    return [sys.executable, SMALL / "service.py", str(port), directory / "out"]


PROGRAMS = {"fluent-bit": fluent_bit, "vector": vector, "otelcol-contrib": otelcol}


@case
def peers(bench):
    """other programs in PATH and small services in Python and Node, with the same bodies"""
    runs = [(f"{name} to a file", command, BATCH) for name, command in PROGRAMS.items() if shutil.which(name)]
    print("peers:", ", ".join(name for name, _, _ in runs) or f"none of {', '.join(PROGRAMS)} is installed")
    if shutil.which("node"):
        runs += [("Node, http, to a file", node, load) for load in (BATCH, SINGLE)]
    if importlib.util.find_spec("aiohttp"):
        runs += [("Python, aiohttp, to a file", python, load) for load in (BATCH, SINGLE)]
        with services(bench, "postgres"):
            pass  # hooksd has created the tables
        url = bench.empty_database().url
        to_postgres = "Python, aiohttp, psycopg, to PostgreSQL"
        runs += [(to_postgres, lambda _, port: [*python(Path(), port)[:-1], url], load) for load in (BATCH, SINGLE)]
    for number, (name, command, load) in enumerate(runs):
        directory = bench.work / f"peer-{number}"
        directory.mkdir()
        try:
            bench.add("peers", measure_peer(bench, name, command, load, directory))
        except AssertionError as error:
            print(f"peers: {name} did not take the events: {error}")


def measure_peer(bench, name, command, load, directory):
    port = free_port()
    output = directory / "out"
    with open(directory / "log", "wb") as log:
        process = subprocess.Popen(command(directory, port), cwd=directory, stdout=log, stderr=log)
    try:
        wait_until(lambda: process.poll() is not None or listens(port), f"{name} to listen", 20)
        assert process.poll() is None, (directory / "log").read_text()[-500:]
        result = run_load(port, **load, seconds=bench.seconds(4), seed=next_seed())
        assert result["accepted"] > 0, (directory / "log").read_text()[-500:]
        elapsed = result["seconds"] + (settle(output) if output.exists() else 0)
        events = result["accepted"] * load["events"]
        return {
            "name": name, "events_per_body": load["events"], "connections": load["connections"],
            "accepted_per_s": events / result["seconds"], "stored_per_s": events / elapsed,
            "p50_ms": result["sent"]["p50_us"] / 1000, "p99_ms": result["sent"]["p99_us"] / 1000,
            "cpu_us": 1e6 * process_seconds(process.pid) / events,
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
    """Seconds until the file has its last byte, after which it stays the same for a second."""
    started = last_change = time.monotonic()
    size = -1
    while time.monotonic() - last_change < 1:
        now = output.stat().st_size
        if now != size:
            size, last_change = now, time.monotonic()
        time.sleep(0.01)
    return last_change - started
