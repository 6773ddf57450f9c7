#!/usr/bin/python3
"""
The benchmark: `make bench`, or `make bench BENCH="NAME..."` with names of cases, or one set of cases:

  full   (the default) the cases that take ten minutes together
  quick  the rates alone, with short loads
  smoke  the rates with tiny loads, to check the benchmark itself
  all    every case, for docs/performance.md; three and a half hours

Client, hooksd and PostgreSQL share the machine. Everything except memory is measured one after another, with the
defaults of hooksd and ACK=durable unless the name of the row says otherwise. tests/bench/load posts 470-byte events of
200 sessions, with ids of the client (UUIDv7) and the current time. PostgreSQL syncs (fsync=on), with larger limits
(POSTGRES_SETTINGS below).

Prints tables, replaces those of the same cases in build/bench/results.json (BENCH_OUT: another directory), and draws
build/bench/*.svg. tests/bench/report.py writes the tables of docs/performance.md from the results.
"""

import argparse
import datetime
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from harness.daemon import BUILD_DIR, REPOSITORY  # noqa: E402
from harness.postgres import PostgresServer  # noqa: E402

import adoption  # noqa: E402, F401  (registers its cases)
import backup  # noqa: E402, F401
import bloat  # noqa: E402, F401
import ceilings  # noqa: E402, F401
import delivery  # noqa: E402, F401
import fair  # noqa: E402, F401
import hostile  # noqa: E402, F401
import hours  # noqa: E402, F401
import job_queues  # noqa: E402, F401
import management  # noqa: E402, F401
import peers  # noqa: E402, F401
from cases import CASES  # noqa: E402
from measure import CPUS, server_seconds  # noqa: E402
from plot import plot  # noqa: E402
from tables import TABLES, table_rows, text  # noqa: E402

POSTGRES_SETTINGS = {
    "shared_buffers": "512MB", "max_wal_size": "8GB", "min_wal_size": "4GB", "checkpoint_timeout": "30min",
}
WAL_SEGMENTS = 256  # of 16 MB
FULL = [
    "rates", "latency", "stages", "processes", "connections", "sizes", "batches", "duplicates", "ids", "copy", "spool",
    "write_turn", "routing", "peers",
]
SETS = {
    # groups of cases, factor for the usual seconds and events, whether series are cut to their first members
    "full": ([FULL], 1, False),
    "quick": ([["rates", "peers"]], 0.4, False),
    "smoke": ([["rates"]], 0.02, True),
    "all": ([FULL, *([name] for name in CASES if name not in FULL)], 1, False),
}
ECHO = {
    "events_per_body": "events a body", "event_bytes": "bytes", "connections": "connections", "acceptors": "acceptors",
    "writers": "writers",
}


class Bench:
    """The resources that the cases share: a directory, one PostgreSQL for those that use it, the tables."""

    def __init__(self, scale, short):
        self.scale = scale
        self.short = short
        self.work = Path(tempfile.mkdtemp(prefix="hooks-bench-"))
        self.server = None
        self.database = None
        self.tables = {}

    def seconds(self, usual):
        return usual * self.scale

    def events(self, usual):
        """The usual number by the scale, in whole batches of 100."""
        return max(100, int(usual * self.scale) // 100 * 100)

    def few(self, *members):
        return members[:1] if self.short else members

    def empty_database(self):
        """The same database each time, with an empty hook_events and after a checkpoint."""
        if self.server is None:
            self.server = PostgresServer(POSTGRES_SETTINGS)
            self.server.start()
            self.database = self.server.new_database()
            self.use_wal()
        elif self.database.value("SELECT to_regclass('hook_events') IS NOT NULL"):
            self.database.query("TRUNCATE hook_events")
        self.database.query("CHECKPOINT")
        return self.database

    def use_wal(self):
        """Fills the WAL once, so that PostgreSQL reuses its segments, like on a server that has run for a while."""
        self.database.query(
            f"DO $$ BEGIN FOR i IN 1 .. {self.events(WAL_SEGMENTS * 100) // 100} LOOP"
            " PERFORM pg_logical_emit_message(false, '', ''); PERFORM pg_switch_wal(); END LOOP; END $$")

    def postgres_seconds(self):
        return server_seconds(self.server)

    def add(self, table, row):
        self.tables.setdefault(table, []).append(row)
        words = [row["name"], *(f"{row[key]:,} {word}" for key, word in ECHO.items() if key in row)]
        rate = row.get("stored_per_s", row.get("accepted_per_s", row.get("delivered_per_s")))
        if rate is not None:
            words.append(f"{rate:,.0f}/s")
        if row.get("failed"):
            words.append(f"{row['failed']} requests were not answered")
        print(f"  {table}: {', '.join(words)}", file=sys.stderr)

    def clean_up(self):
        if self.server:
            self.server.remove()
        shutil.rmtree(self.work)


def about_run():
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    describe = "command -v git >/dev/null && git describe --always --dirty"
    git = subprocess.run(describe, shell=True, cwd=REPOSITORY, capture_output=True, text=True)
    return {
        "taken": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": model.group(1) if model else os.uname().machine, "cpus": CPUS, "kernel": os.uname().release.split("-")[0],
        "commit": git.stdout.strip() or "no commit",
    }


def save(tables, out):
    """Adds the tables to those in the file, and returns only the new ones, as they are in the file."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "results.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    about = about_run()
    new = {name: {"about": about, "rows": rows} for name, rows in tables.items()}
    path.write_text(json.dumps(results | new, indent=1) + "\n")
    return new


def run_group(cases, scale, short, out):
    """Runs these cases with one PostgreSQL. Saves the measured tables even if a case fails."""
    bench = Bench(scale, short)
    try:
        for name in cases:
            CASES[name](bench)
    finally:
        try:
            show(save(bench.tables, out), out)
        finally:
            bench.clean_up()


def show(results, out):
    for name, table in TABLES.items():
        rows, _ = table_rows(name, results)
        if not rows:
            continue
        print(f"\n{text(table, rows)}", end="")
        drawing = plot(table, rows)
        if drawing:
            (out / f"{name}.svg").write_text(drawing)


def main():
    listing = "\n".join(f"  {name:12} {function.__doc__.splitlines()[0]}" for name, function in CASES.items())
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=f"cases:\n{listing}", formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="cases, or one set: full, quick, smoke, all (default: full)")
    names = parser.parse_args().names or ["full"]
    unknown = [name for name in names if name not in CASES and name not in SETS]
    if unknown or (len(names) > 1 and not SETS.keys().isdisjoint(names)):
        parser.error(f"not known, or a set beside others: {', '.join(unknown or names)}")
    groups, scale, short = SETS.get(names[0], ([names], 1, False))

    programs = [f"tests/bench/{name}" for name in ("noop", "load", "receiver", "hostile", "stages", "write_turn", "routing")]
    subprocess.run(["ninja", "-C", BUILD_DIR, *programs], check=True, stdout=subprocess.DEVNULL)
    out = Path(os.environ.get("BENCH_OUT", BUILD_DIR / "bench"))
    most_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))  # for hooksd and its many connections
    for cases in groups:
        run_group(cases, scale, short, out)
    print(f"\n{out}/results.json, and plots beside it")


if __name__ == "__main__":
    main()
