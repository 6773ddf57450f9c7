#!/usr/bin/python3
"""
The benchmark: events accepted and stored per second, next to what the machine can do at all, in one run.

wrk posts static bodies (so that it is not the bottleneck) of 470-byte events without event_id, in batches of 100 or one
by one, over keep-alive connections. Every row of the table is measured in the same run, on the same machine, one after
another, with the load generator on the same cores:

  no-op      libh2o alone, as many loops as hooksd has acceptors: the ceiling of accepting
  hooksd     accepted/s = events of requests answered 202 while wrk ran
             stored/s   = events_stored_total gained, over the time from the first request until the last is stored
             p50, p99   = of all replies; refused are those with another status than 202 (503 when the ring is full)
  dd         the JSONL file that hooksd wrote, copied and fsynced: the ceiling of the JSONL store
  COPY       the rows that hooksd stored, as COPY BINARY through psql into the same, emptied table, in one transaction
             per connection: the ceiling of the PostgreSQL store (fsync on, the server on the same cores too)

Writes tests/bench/out/result.json. Needs wrk and PostgreSQL's server programs.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from harness.daemon import BUILD_DIR, Daemon  # noqa: E402
from harness.postgres import PostgresServer  # noqa: E402
from sample import BATCH, EVENT_BYTES, encode, sample_events  # noqa: E402

COPY_ROWS = 500_000
POSTGRES_SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "8GB", "checkpoint_timeout": "30min"}


def wrk(port, path, body, seconds, connections):
    url = f"http://127.0.0.1:{port}{path}"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", HERE / "post.lua", url, "--", body]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    line = re.search(r"^RESULT (.*)$", output, re.M)
    assert line, output
    return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", line.group(1))}


class Bench:
    def __init__(self, options):
        self.seconds = options.seconds
        self.loops = options.acceptors or os.cpu_count()
        self.work = Path(tempfile.mkdtemp(prefix="hooks-bench-", dir=options.directory))
        self.rows = []
        self.bodies = {BATCH: self.work / "batch.json", 1: self.work / "single.json"}
        events = sample_events()
        self.bodies[BATCH].write_bytes(encode(events))
        self.bodies[1].write_bytes(encode(events[0]))
        self.connections = {BATCH: options.connections, 1: options.connections * 4}

    def add(self, name, events, accepted=None, stored=None, load=None, **more):
        row = {"name": name, "events_per_body": events, "accepted_per_s": accepted, "stored_per_s": stored}
        if load:
            row |= {
                "p50_ms": load["p50_us"] / 1000,
                "p99_ms": load["p99_us"] / 1000,
                "connections": self.connections[events],
                "requests": load["requests"],
                "refused_percent": 100 * load["refused"] / max(load["requests"], 1),
                "failed_requests": load["failed"],
            }
        self.rows.append(row | more)
        print(f"  {name}, {events}/body: accepted {number(accepted)}/s, stored {number(stored)}/s", file=sys.stderr)

    def load(self, port, events, seconds=None):
        path = "/events/batch" if events > 1 else "/events"
        result = wrk(port, path, self.bodies[events], seconds or self.seconds, self.connections[events])
        return result, (result["requests"] - result["refused"]) * events / (result["microseconds"] / 1e6)

    def noop(self):
        program = BUILD_DIR / "tests/bench/noop"
        process = subprocess.Popen([program, str(self.loops)], stdout=subprocess.PIPE, text=True)
        try:
            port = int(process.stdout.readline().removeprefix("port="))
            for events in (BATCH, 1):
                self.load(port, events, 1)  # warm-up
                load, rate = self.load(port, events)
                self.add("no-op libh2o", events, rate, load=load)
        finally:
            process.terminate()
            process.wait()

    def hooksd(self, storage, ack, events, database=None):
        """Measures one configuration; returns the stopped daemon, whose files are still there."""
        directory = self.work / f"{storage}-{ack}-{events}"
        directory.mkdir()
        options = {
            "HOST": "127.0.0.1", "PORT": 0, "STORAGE_TYPE": storage, "ACK": ack, "ACCEPTORS": self.loops,
            "RING_PATH": f"/dev/shm/hooks-bench-{os.getpid()}.ring",
        }
        if database:
            options["DATABASE_URL"] = database.url
        daemon = Daemon(directory, options)
        try:
            daemon.start()
            self.load(daemon.port, events, 1)  # warm-up
            self.settle(daemon)
            before = daemon.metrics()["events_stored_total"]
            started = time.monotonic()
            load, rate = self.load(daemon.port, events)
            self.settle(daemon)
            elapsed = time.monotonic() - started
            stored = daemon.metrics()["events_stored_total"] - before
            self.add(f"hooksd {storage} {ack}", events, rate, stored / elapsed, load)
            daemon.stop()
        finally:
            daemon.clean_up()
            Path(options["RING_PATH"]).unlink(missing_ok=True)
        return daemon

    def settle(self, daemon):
        """Until everything received is stored."""
        deadline = time.monotonic() + 60
        while True:
            metrics = daemon.metrics()
            if metrics["events_stored_total"] >= metrics["events_received_total"]:
                return
            assert time.monotonic() < deadline, metrics
            time.sleep(0.002)

    def jsonl(self):
        for ack, events in (("durable", BATCH), ("durable", 1), ("queued", 1)):
            daemon = self.hooksd("jsonl", ack, events)
            if (ack, events) == ("durable", BATCH):
                self.dd(daemon.jsonl_path)
            shutil.rmtree(daemon.directory)

    def dd(self, path):
        lines = int(subprocess.run(["wc", "-l", path], check=True, capture_output=True).stdout.split()[0])
        copy = self.work / "copy"
        started = time.monotonic()
        subprocess.run(["dd", f"if={path}", f"of={copy}", "bs=1M", "conv=fsync", "status=none"], check=True)
        elapsed = time.monotonic() - started
        speed = path.stat().st_size / elapsed / 1e6
        self.add("dd of the JSONL file", BATCH, stored=lines / elapsed, megabytes_per_s=speed)
        copy.unlink()

    def postgres(self):
        server = PostgresServer(POSTGRES_SETTINGS)
        try:
            server.start()
            database = server.new_database()
            for ack, events in (("durable", 1), ("queued", 1), ("durable", BATCH)):
                if database.value("SELECT to_regclass('hook_events') IS NOT NULL"):
                    database.query("TRUNCATE hook_events")
                database.query("CHECKPOINT")
                shutil.rmtree(self.hooksd("postgres", ack, events, database).directory)
            self.copy(database)
        finally:
            server.remove()

    def copy(self, database):
        rows = min(COPY_ROWS, database.count())
        half = rows // 2
        files = {}
        limits = {"all": f"LIMIT {rows}", "first": f"LIMIT {half}", "second": f"OFFSET {half} LIMIT {rows - half}"}
        for name, limit in limits.items():
            files[name] = self.work / f"{name}.copy"
            select = f"SELECT * FROM hook_events ORDER BY event_id {limit}"
            run_psql(database, rf"\copy ({select}) TO '{files[name]}' (FORMAT binary)").wait()
        for connections, names in ((1, ["all"]), (2, ["first", "second"])):
            database.query("TRUNCATE hook_events")
            database.query("CHECKPOINT")
            started = time.monotonic()
            clients = [run_psql(database, rf"\copy hook_events FROM '{files[name]}' (FORMAT binary)") for name in names]
            codes = [client.wait() for client in clients]
            elapsed = time.monotonic() - started
            assert codes == [0] * connections and database.count() == rows
            name = f"COPY BINARY, {connections} connection{'s' * (connections > 1)}"
            self.add(name, BATCH, stored=rows / elapsed, rows=rows)

    def remove(self):
        shutil.rmtree(self.work)


def run_psql(database, command):
    psql = database.server.bindir / "psql"
    return subprocess.Popen([psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", command, database.url])


def number(value, digits=0):
    return "-" if value is None else f"{value:,.{digits}f}"


def find(rows, name, events, field):
    return next((row[field] for row in rows if row["name"] == name and row["events_per_body"] == events), None)


def add_ratios(rows):
    """Accepting against the no-op handler; storing against what the store takes at most: dd, the faster COPY."""
    names = {"jsonl": ["dd of the JSONL file"], "postgres": ["COPY BINARY, 1 connection", "COPY BINARY, 2 connections"]}
    ceilings = {
        store: max((find(rows, name, BATCH, "stored_per_s") or 0) for name in candidates)
        for store, candidates in names.items()
    }
    for row in rows:
        if not row["name"].startswith("hooksd"):
            continue
        noop = find(rows, "no-op libh2o", row["events_per_body"], "accepted_per_s")
        ceiling = ceilings[row["name"].split()[1]]
        if noop:
            row["accepted_vs_noop"] = row["accepted_per_s"] / noop
        if ceiling:
            row["stored_vs_ceiling"] = row["stored_per_s"] / ceiling


COLUMNS = (
    # two lines of heading, width, the cell of a row
    ("events", "/body", 7, lambda row: number(row["events_per_body"])),
    ("accepted", "/s", 12, lambda row: number(row["accepted_per_s"])),
    ("stored", "/s", 12, lambda row: number(row["stored_per_s"])),
    ("p50", "ms", 9, lambda row: number(row.get("p50_ms"), 2)),
    ("p99", "ms", 9, lambda row: number(row.get("p99_ms"), 2)),
    ("refused", "%", 9, lambda row: number(row.get("refused_percent"), 1)),
    ("of", "no-op", 8, lambda row: number(row.get("accepted_vs_noop"), 2)),
    ("of store", "ceiling", 10, lambda row: number(row.get("stored_vs_ceiling"), 2)),
)


def print_table(rows):
    for line in (0, 1):
        print(" " * 28 + "".join(f"{column[line]:>{column[2]}}" for column in COLUMNS))
    for row in rows:
        print(f"{row['name']:28}" + "".join(f"{cell(row):>{width}}" for _, _, width, cell in COLUMNS))


def machine():
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    cpu = model.group(1) if model else os.uname().machine
    return {"cpu": cpu, "cpus": os.cpu_count(), "kernel": os.uname().release}


def main():
    parser = argparse.ArgumentParser(description="hooksd next to its ceilings; see the top of this file")
    parser.add_argument("--seconds", type=int, default=6, help="of load per measurement (default 6)")
    parser.add_argument("--connections", type=int, default=16, help="for batches; single events use four times as many")
    parser.add_argument("--acceptors", type=int, help="acceptors of hooksd and loops of the no-op (default: CPUs)")
    parser.add_argument("--directory", help="where the files go (default: the system's temporary directory)")
    parser.add_argument("--only", choices=["jsonl", "postgres"], help="one store")
    options = parser.parse_args()

    for program in ("wrk", "ninja"):
        if not shutil.which(program):
            sys.exit(f"{program} is not installed (Debian: apt-get install wrk ninja-build)")
    subprocess.run(["ninja", "-C", BUILD_DIR, "tests/bench/noop"], check=True, stdout=subprocess.DEVNULL)

    bench = Bench(options)
    try:
        bench.noop()
        if options.only != "postgres":
            bench.jsonl()
        if options.only != "jsonl":
            bench.postgres()
    finally:
        bench.remove()

    add_ratios(bench.rows)
    about = machine() | {"event_bytes": EVENT_BYTES, "seconds": options.seconds, "acceptors": bench.loops}
    print(", ".join(f"{name}: {value}" for name, value in about.items()))
    print_table(bench.rows)
    out = HERE / "out"
    out.mkdir(exist_ok=True)
    (out / "result.json").write_text(json.dumps(about | {"rows": bench.rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
