"""Cases of minutes to hours. BENCH_SECONDS, BENCH_ROWS and BENCH_IDS set their length."""

import contextlib
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

from cases import BATCH, SINGLE, case, services
from measure import MemoryWatch, Service, next_seed, run_load

MIB = 1 << 20
SIZES = "SELECT sum(pg_table_size(relid)), sum(pg_indexes_size(relid)) FROM pg_partition_tree('hook_events')"


def seconds_wanted(bench, default):
    return bench.seconds(float(os.environ.get("BENCH_SECONDS", default)))


@case
def trace(bench):
    """the longest latency in each tenth of a second for five minutes, at half of the rate of a minute at full load"""
    seconds = seconds_wanted(bench, 300)
    for storage, name, load in (("jsonl", "JSONL", SINGLE), ("postgres", "PostgreSQL", SINGLE),
                                ("postgres", "PostgreSQL", BATCH)):
        with at_steady_pace(bench, storage), services(bench, storage) as service:
            service.warm_up(**load)
            top = service.measure(name, **load, seconds=bench.seconds(60))["requests_per_s"]
            row = service.measure(name, **load, seconds=seconds, rate=max(1, int(top / 2)), slots=True)
        longest = sorted(row["slots_ms"])
        row["slots"] = len(longest)
        for percent in (50, 99):
            row[f"slot_p{percent}_ms"] = longest[len(longest) * percent // 100]
        row["series"] = [(at / 10, longest) for at, longest in enumerate(row.pop("slots_ms"))]
        bench.add("trace", row)
        shutil.rmtree(service.directory)


def at_steady_pace(bench, storage):
    """Sets PostgreSQL's options during the block to docs/dba.md's advice for a steady rate."""
    if storage != "postgres":
        return contextlib.nullcontext()
    bench.empty_database()
    return bench.server.with_settings(shared_buffers="128MB", backend_flush_after="2MB")


@case
def memory(bench):
    """memory during an hour of full load, both stores at once; stored events are deleted continuously"""
    with services(bench, "jsonl", JSONL_ROTATE_BYTES="256MiB") as jsonl, services(bench, "postgres") as postgres:
        with ThreadPoolExecutor() as pool:
            for row in pool.map(lambda service: watch_memory(bench, service), (jsonl, postgres)):
                bench.add("memory", row)


def watch_memory(bench, service):
    seconds = seconds_wanted(bench, 3600)
    over = threading.Event()
    cleaner = threading.Thread(target=clean, args=(bench, service, over))
    cleaner.start()
    try:
        with MemoryWatch(service.daemon, service.segment, max(0.1, seconds / 720)) as watch:
            result = run_load(service.daemon.port, **BATCH, seconds=seconds, seed=next_seed())
    finally:
        over.set()
        cleaner.join()
    sizes = [size["memory_mib"] for _, size in watch.samples]
    return {
        "name": {"jsonl": "JSONL", "postgres": "PostgreSQL"}[service.storage], "seconds": seconds,
        "events": result["accepted"] * 100, "tenth_mib": sizes[len(sizes) // 10], "half_mib": sizes[len(sizes) // 2],
        "end_mib": sizes[-1], "highest_mib": max(sizes),
        "series": [(at, size["memory_mib"]) for at, size in watch.samples],
    }


def clean(bench, service, over):
    """Deletes all but the newest file, or all rows older than 20 seconds, so that the disk does not fill."""
    while not over.wait(1 if service.storage == "jsonl" else 20):
        if service.storage == "jsonl":
            for path in service.daemon.jsonl_path.parent.glob("events.jsonl.*"):
                path.unlink(missing_ok=True)
        else:
            bench.database.query("TRUNCATE hook_events")


@case
def growth(bench):
    """the cost of an event while the month grows to 20 million rows, compared with an empty month at the same time"""
    rows_wanted = int(os.environ.get("BENCH_ROWS", 20_000_000))
    step = bench.events(1_000_000)
    for kind in os.environ.get("BENCH_IDS", "ordered random").split():
        seed = next_seed()
        load = BATCH | {"ids": kind, "seconds": 600}
        with services(bench, "postgres") as service:
            for done in range(0, rows_wanted, step):
                wal = wal_bytes(bench)
                row = service.measure(f"{kind} ids", **load, seed=seed, known=done, requests=step // 100)
                wal = wal_bytes(bench) - wal
                table, indexes = bench.database.query(SIZES)[0]
                empty = in_empty_month(bench, load, step // 300)
                bench.add("growth", row | {
                    "million_rows": (done + step) / 1e6, "wal_bytes": wal / step,
                    "table_mib": int(table) / MIB, "indexes_mib": int(indexes) / MIB,
                    "empty_cpu_postgres_us": empty["cpu_postgres_us"],
                    "of_empty": row["cpu_postgres_us"] / empty["cpu_postgres_us"],
                })
        shutil.rmtree(service.directory)


def in_empty_month(bench, load, requests):
    """The same load in a new database. The database is kept: its successor would reuse its memory."""
    with Service(bench, "postgres", bench.server.new_database()) as service:
        service.warm_up(**BATCH)
        row = service.measure("an empty month", **load, requests=requests)
    shutil.rmtree(service.directory)
    return row


def wal_bytes(bench):
    return int(bench.database.value("SELECT pg_current_wal_insert_lsn() - '0/0'"))
