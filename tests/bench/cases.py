"""The cases of `make bench`: each function is a case and adds rows to its tables."""

import contextlib
import os
import re
import resource
import shutil
import sqlite3
import statistics
import subprocess
import time

from harness.daemon import BUILD_DIR, REPOSITORY
from harness.waiting import wait_until

import check
from copies import IN_ORDER, Copies
from measure import CPUS, Service, load_options, metrics, next_seed, run_load

COPY_ROWS = 600_000
NOTHING = "libh2o that does nothing"
SINGLE = load_options(1, 256)
BATCH = load_options(100, 16)
CONNECTIONS_TRIED = (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128, 256)


def case(function):
    """Registers a case under the function's name. --help shows the first line of its docstring."""
    CASES[function.__name__] = function
    return function


CASES = {}


def services(bench, storage, database=None, **options):
    """A service without stored events, on a disk that has finished earlier writes. database: by default the bench's."""
    os.sync()
    if storage == "postgres" and database is None:
        database = bench.empty_database()
    return Service(bench, storage, database, **options)


def measure(bench, storage, name, load, seconds, **options):
    """Measures one row with a new service, warmed up by the same load."""
    with services(bench, storage, **options) as service:
        service.warm_up(**load)
        row = service.measure(name, **load, seconds=bench.seconds(seconds))
    shutil.rmtree(service.directory)
    return row


@case
def rates(bench):
    """accepted and stored at full load, next to the machine's ceilings; the middle figures of three rounds"""
    # Not in turns: after PostgreSQL's files, a file on a virtual machine is written to memory that the host has taken
    # back.
    rounds = [[one_round(bench) for _ in bench.few(1, 2, 3)] for one_round in (jsonl_round, sqlite_round, postgres_round)]
    rows = [middle(rows) for of_store in rounds for rows in zip(*of_store)]
    nothing = {row["events_per_body"]: row["accepted_per_s"] for row in rows if row["name"] == NOTHING}
    for row in rows:
        if "storage" in row:
            row["of_noop"] = row["accepted_per_s"] / nothing[row["events_per_body"]]
        bench.add("rates", row)


def middle(rows):
    """
    The row with the middle rate. Its shares are the medians of all rows, because a share compares neighbours in time.
    """
    row = dict(sorted(rows, key=lambda row: row.get("stored_per_s", row.get("accepted_per_s")))[len(rows) // 2])
    if "of_ceiling" in row:
        row["of_ceiling"] = statistics.median(row["of_ceiling"] for row in rows)
    return row


def jsonl_round(bench):
    rows = [noop(bench, BATCH), noop(bench, SINGLE)]
    single = measure(bench, "jsonl", "JSONL", SINGLE, 2)
    queued = measure(bench, "jsonl", "JSONL, ACK=queued", SINGLE, 2, ACK="queued")
    with services(bench, "jsonl") as service:
        service.warm_up(**BATCH)
        batch = service.measure("JSONL", **BATCH, seconds=bench.seconds(4))
        ceiling = copy_file(bench, service.daemon.jsonl_path)
    shutil.rmtree(service.directory)
    return [*rows, ceiling, *with_ceiling(ceiling, batch, single, queued)]


def sqlite_round(bench):
    queued = measure(bench, "sqlite", "SQLite, ACK=queued", SINGLE, 2, ACK="queued")
    single = measure(bench, "sqlite", "SQLite", SINGLE, 2)
    with services(bench, "sqlite") as service:
        service.warm_up(**BATCH)
        batch = service.measure("SQLite", **BATCH, seconds=bench.seconds(4))
        stored = metrics(service.daemon)
        ceiling = copy_database(bench, service.daemon.sqlite_path, int(stored["events_stored_total"] / stored["store_batches_total"]))
    shutil.rmtree(service.directory)
    return [ceiling, *with_ceiling(ceiling, batch, single, queued)]


def postgres_round(bench):
    queued = measure(bench, "postgres", "PostgreSQL, ACK=queued", SINGLE, 2, ACK="queued")
    single = measure(bench, "postgres", "PostgreSQL", SINGLE, 2)
    # Twice: like the ceiling's rows, the second ones go into memory that a TRUNCATE has freed, not into new memory of
    # the host.
    with services(bench, "postgres") as service:
        service.measure("PostgreSQL", **BATCH, seconds=bench.seconds(3))
        bench.database.query("TRUNCATE hook_events")
        batch = service.measure("PostgreSQL", **BATCH, seconds=bench.seconds(3))
    shutil.rmtree(service.directory)
    by_one, by_two = copy_rows(bench)
    return [by_one, by_two, *with_ceiling(by_two, batch, single, queued)]


def with_ceiling(ceiling, *rows):
    return [row | {"of_ceiling": row["stored_per_s"] / ceiling["stored_per_s"]} for row in rows]


def noop(bench, load):
    """libh2o alone, with as many loops as hooksd has acceptors."""
    process = subprocess.Popen([BUILD_DIR / "tests/bench/noop", str(CPUS)], stdout=subprocess.PIPE, text=True)
    try:
        port = int(process.stdout.readline().removeprefix("port="))
        result = run_load(port, **load, seconds=bench.seconds(2))
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
    return {
        "name": NOTHING, "events_per_body": load["events"], "connections": load["connections"],
        "accepted_per_s": result["accepted"] * load["events"] / result["seconds"],
        "p50_ms": result["sent"]["p50_us"] / 1000, "p99_ms": result["sent"]["p99_us"] / 1000,
        "cpu_client_us": result["cpu_us"] / (result["accepted"] * load["events"]),
    }


def copy_file(bench, path):
    """Lines per second of dd with sync on the file that hooksd wrote."""
    with open(path, "rb") as file:
        lines = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
    copy = bench.work / "copy"
    started = time.monotonic()
    subprocess.run(["dd", f"if={path}", f"of={copy}", "bs=1M", "conv=fsync", "status=none"], check=True)
    elapsed = time.monotonic() - started
    copy.unlink()
    return {"name": "dd of the JSONL file", "events_per_body": 100, "stored_per_s": lines / elapsed}


def copy_database(bench, path, batch):
    """SQLite alone inserts hooksd's rows into a new database, with hooksd's number of rows in a transaction."""
    with contextlib.closing(sqlite3.connect(bench.work / "copy.db", isolation_level=None)) as copy:
        copy.executescript((REPOSITORY / "schema/sqlite/001_hook_events.sql").read_text())
        copy.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536;")
        copy.execute("ATTACH ? AS stored", [str(path)])
        rows, = copy.execute("SELECT max(rowid) FROM stored.hook_events").fetchone()
        started = time.monotonic()
        for first in range(1, rows + 1, batch):
            copy.execute("INSERT INTO hook_events SELECT * FROM stored.hook_events WHERE rowid BETWEEN ? AND ?", [first, first + batch - 1])
        elapsed = time.monotonic() - started
    for file in bench.work.glob("copy.db*"):
        file.unlink()
    return {"name": "SQLite alone", "events_per_body": 100, "stored_per_s": rows / elapsed}


def copy_rows(bench):
    """COPY BINARY of hooksd's rows into the emptied table, by one connection and by two."""
    copies = Copies(bench, COPY_ROWS)
    files = copies.export(IN_ORDER)
    rows = [
        copies.measure("COPY BINARY, 1 connection", copies.export(IN_ORDER, parts=1)),
        copies.measure("COPY BINARY, 2 connections", files),
    ]
    copies.remove()
    return [row | {"events_per_body": 100} for row in rows]


@case
def latency(bench):
    """time from a request to its reply at half of the highest rate, with requests at equal intervals"""
    bench.add("latency", sync_times(bench))
    for storage, name, events, options in (
        ("jsonl", "JSONL", 1, {}),
        ("jsonl", "JSONL, ACK=queued", 1, {"ACK": "queued"}),
        ("postgres", "PostgreSQL", 1, {}),
        ("postgres", "PostgreSQL", 50, {}),
        ("postgres", "PostgreSQL", 100, {}),
    ):
        load = load_options(events, SINGLE["connections"] if events == 1 else BATCH["connections"])
        with services(bench, storage, **options) as service:
            service.warm_up(**load)
            highest = request_rate(bench, service, load, 2)
            load["connections"] = connections_for(bench, service, load, highest / 2)
            rounds = [service.measure(name, **load, seconds=bench.seconds(3)) for _ in bench.few(1, 2, 3)]
            row = sorted(rounds, key=lambda row: row["p99_ms"])[len(rounds) // 2]
            waiting = service.measure(
                name, **load | {"connections": 256}, seconds=bench.seconds(4), rate=max(1, int(row["requests_per_s"])))
        row |= {key: waiting[key] for key in ("due_p50_ms", "due_p99_ms", "due_p999_ms")}
        bench.add("latency", row | {"of_highest": row["requests_per_s"] / highest})
        shutil.rmtree(service.directory)


def connections_for(bench, service, load, wanted):
    """The number of connections whose rate is closest to that rate."""
    rates = {}
    for count in CONNECTIONS_TRIED:
        rates[count] = request_rate(bench, service, load | {"connections": count}, 0.5)
        if rates[count] >= wanted:
            break
    return min(rates, key=lambda count: abs(rates[count] - wanted))


def request_rate(bench, service, load, seconds):
    result = run_load(service.daemon.port, **load, seconds=bench.seconds(seconds), seed=next_seed())
    service.settle()
    return result["accepted"] / result["seconds"]


def sync_times(bench):
    """
    The time of a sync of a few requests' events. A request that comes during a sync waits for that one and its own.
    """
    path, line, times = bench.work / "synced", b"x" * (16 * 470 - 1) + b"\n", []
    with open(path, "wb", buffering=0) as file:
        for _ in range(bench.events(4000)):
            started = time.monotonic()
            file.write(line)
            os.fdatasync(file.fileno())
            times.append(1000 * (time.monotonic() - started))
    path.unlink()
    times.sort()
    quantiles = {"p50_ms": 0.5, "p99_ms": 0.99, "p999_ms": 0.999, "max_ms": 1}
    return {"name": "append of 7.5 kB and fdatasync alone"} | {
        name: times[min(len(times) - 1, int(len(times) * part))] for name, part in quantiles.items()}


@case
def stages(bench):
    """the CPU time of an event by process, in batches of 100"""
    check.write_bodies(bench.work)
    alone = {name: stage_us(bench, *stage) for name, stage in check.STAGES.items()}
    alone["lane"] /= BATCH["events"]  # the figure is for a request
    _, instructions = check.read_recorded()
    instructions["lane"] /= BATCH["events"]
    whole = {storage: measure(bench, storage, storage, BATCH, 4) for storage in ("jsonl", "postgres")}
    encoders = {"jsonl": "jsonl_line", "postgres": "copy_row"}

    def row(name, stage, figure):
        figures = {storage: figure(storage, whole[storage]) for storage in whole}
        bench.add("stages", {"name": name, "instructions": instructions.get(stage)} | {
            f"{storage}_us": us for storage, us in figures.items() if us is not None})

    row("sockets, HTTP, reply (the rest of the acceptors)", None,
        lambda _, all: all["cpu_acceptors_us"] - alone["decode_batch"] - alone["lane"])
    row("decode: scan, check, make a record", "decode_batch", lambda *_: alone["decode_batch"])
    row("lane: reserve, publish, peek, release", "lane", lambda *_: alone["lane"])
    row("record: lengths, checksum", "record_check", lambda *_: alone["record_check"])
    for storage, stage in encoders.items():
        name = {"jsonl": "line of JSONL", "postgres": "row of COPY BINARY"}[storage]
        row(name, stage, lambda of, _: alone[stage] if of == storage else None)
    row("write, sync or send, wait (the rest of the writers)", None,
        lambda of, all: all["cpu_writers_us"] - alone["record_check"] - alone[encoders[of]])
    row("PostgreSQL", None, lambda of, all: all["cpu_postgres_us"] if of == "postgres" else None)


def stage_us(bench, stage, body, rounds):
    """
    The CPU time of one event in that stage alone. The quickest of several runs counts, because others disturb them.
    """
    command = [BUILD_DIR / "tests/bench/stages", stage, bench.work / body, str(rounds * 20)]
    runs = (subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout for _ in range(5))
    return min(float(re.search(r"ns_per_event=(\S+)", run)[1]) for run in runs) / 1000


@case
def processes(bench):
    """stored events by numbers of acceptors and writers, in batches of 100"""
    for storage in ("jsonl", "postgres"):
        for acceptors in bench.few(1, 2, 4, 8):
            for writers in bench.few(1, 2, 4):
                options = {"ACCEPTORS": acceptors, "WRITERS": writers}
                row = measure(bench, storage, storage, BATCH, 1.5, **options)
                bench.add("processes", row | {"acceptors": acceptors, "writers": writers})


def series(bench, table, loads, seconds=2.5):
    for storage in ("jsonl", "postgres"):
        for load in loads:
            bench.add(table, measure(bench, storage, storage, load, seconds))


@case
def connections(bench):
    """single events over 1 to 10,000 connections"""
    most_files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    counts = [count for count in bench.few(1, 100, 1000, 10_000) if count < most_files - 100]
    series(bench, "connections", [load_options(1, count) for count in counts])


@case
def sizes(bench):
    """events of 100 bytes to 100 kB, without ids and time, in bodies of some 50 kB"""
    series(bench, "sizes", [
        load_options(max(1, min(100, 50_000 // size)), 16, bytes=size, ids="none")
        for size in bench.few(100, 500, 5000, 100_000)
    ])


@case
def batches(bench):
    """1 to 10,000 events in a request"""
    series(bench, "batches", [
        load_options(count, 256 if count == 1 else 16 if count < 10_000 else 4)
        for count in bench.few(1, 10, 100, 1000, 10_000)
    ])


@case
def duplicates(bench):
    """PostgreSQL, with 0, 10 and 100 % of events that were stored before"""
    known = bench.events(100_000)
    for percent in bench.few(0, 10, 100):
        seed = next_seed()
        with services(bench, "postgres") as service:
            service.warm_up(**BATCH)
            run_load(service.daemon.port, **BATCH, seed=seed, requests=known // 100, seconds=60)
            before = service.settle()["events_duplicate_total"]
            more = {"seconds": bench.seconds(3), "seed": seed, "known": known, "duplicates": percent}
            row = service.measure("PostgreSQL", **BATCH, **more)
            found = service.settle()["events_duplicate_total"] - before
        handled = row["requests"] * 100
        bench.add("duplicates", row | {"duplicates_percent": percent, "found_percent": 100 * found / handled})
        shutil.rmtree(service.directory)


@case
def ids(bench):
    """PostgreSQL, with ids of the service, UUIDv7 and UUIDv4 of the client"""
    for kind in bench.few("none", "ordered", "random"):
        row = measure(bench, "postgres", "PostgreSQL", BATCH | {"ids": kind}, 3)
        bench.add("ids", row | {"ids": kind})


@case
def spool(bench):
    """spooling while PostgreSQL is stopped, and the replay of the spool when it is back"""
    with services(bench, "postgres", SPOOL_MAX_BYTES="16GiB") as service:
        service.warm_up(**BATCH)
        bench.server.stop()
        try:
            wait_until(lambda: spools(service), "the service to spool")
            row = service.measure("events to the spool", **BATCH, seconds=bench.seconds(4))
            bench.add("spool", row | {"stored_per_s": row["accepted_per_s"]})
            waiting = metrics(service.daemon)["spool_events"]
            spent = service.cpu_seconds()
        finally:
            bench.server.start()
        service.daemon.wait_store_ready()
        started, left = time.monotonic(), metrics(service.daemon)["spool_events"]
        wait_until(lambda: metrics(service.daemon)["spool_events"] == 0, "the spool to be stored", 600)
        row = {
            "name": "the spool to PostgreSQL", "events_per_body": 100,
            "stored_per_s": left / (time.monotonic() - started),
            "cpu_writers_us": 1e6 * (service.cpu_seconds()["writers"] - spent["writers"]) / max(waiting, 1),
        }
        bench.add("spool", row)
    shutil.rmtree(service.directory)


def spools(service):
    """Whether a request is answered as spooled."""
    run_load(service.daemon.port, **load_options(1, 1), requests=1, seconds=5)
    return metrics(service.daemon)["events_spooled_total"] > 0


@case
def write_turn(bench):
    """SQLite, two processes: the wait of a small change beside a busy writer, by the write turn and by polling"""
    for name, way in (("the write turn", "turn"), ("SQLite's busy timeout", "polling")):
        directory = bench.work / way
        directory.mkdir()
        os.sync()
        seconds = bench.seconds(10)
        command = [BUILD_DIR / "tests/bench/write_turn", directory, str(seconds), way]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        row = {key: float(value) for key, value in re.findall(r"(\w+)=([0-9.]+)", printed)}
        bench.add("write_turn", row | {"name": name, "stored_per_s": row["events"] / seconds})
        shutil.rmtree(directory)


@case
def routing(bench):
    """an event of 600 bytes: matching its topic against 10,000 patterns, filters, and transforms, each alone"""
    names = {
        "trie": "10,000 patterns: memory of the trie", "topic_0": "a topic that matches no pattern",
        "topic_1": "a topic that matches 1", "topic_10": "a topic that matches 10", "topic_100": "a topic that matches 100",
        "scan": "scanning the event alone", "filter_1": "a filter of 1 condition", "filter_10": "a filter of 10 conditions",
        "filter_50": "a filter of 50 conditions", "filters_1000": "1,000 filters of 3 conditions",
        "transform_1": "a transform of 1 step", "transform_5": "a transform of 5 steps",
    }
    printed = subprocess.run([BUILD_DIR / "tests/bench/routing"], check=True, capture_output=True, text=True).stdout
    for line in printed.splitlines():
        words = dict(word.split("=") for word in line.split())
        row = {"name": names[words["name"]], "ns": words.get("ns"), "bytes": words.get("bytes"),
               "of_scan": words.get("scan"), "of_copy": words.get("copy")}
        bench.add("routing", {key: value if key == "name" or value is None else float(value) for key, value in row.items()})
