"""Hostile: the effect of thousands of idle and slow clients on the latency of good ones and on memory. Four minutes."""

import resource
import shutil
import statistics

from harness.hostile import MIB, Hostile, most_private_bytes, private_bytes

from cases import case, request_rate, services
from measure import compare, load_options, next_seed, run_load

CLIENTS = {"idle": 10_000, "heads": 2000, "bodies": 2000}
GOOD = load_options(1, 64)
SHARE = 4  # the divisor of the highest rate, low enough that no queue builds up
PAIRS = 5
PAIR_SECONDS = 18


@case
def hostile(bench):
    """p99 of good clients beside 10,000 idle ones and 4,000 that send a byte a second; four minutes"""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    scale = min(1, (files - 1000) / sum(CLIENTS.values()))
    clients = {kind: int(scale * count) for kind, count in CLIENTS.items()}
    with services(bench, "jsonl") as service:
        rate = int(request_rate(bench, service, GOOD, 3) / SHARE)
        row = {"name": "JSONL", "requests_per_s": rate, "clients": sum(clients.values())}
        bench.add("hostile", row | measure_pairs(bench, service, clients, rate))
    shutil.rmtree(service.directory)


def measure_pairs(bench, service, clients, rate):
    seconds = bench.seconds(PAIR_SECONDS)

    def good():
        result = run_load(service.daemon.port, **GOOD, seconds=seconds, rate=rate, seed=next_seed())
        service.settle()
        return result["due"]["p50_us"], result["due"]["p99_us"], result["refused"] + result["failed"]

    memory, quiet_memory = [], memory_of(service)
    without, beside = [good()], []
    for _ in range(PAIRS if seconds >= 1 else 1):
        with Hostile(service.daemon.port, **clients):
            beside.append(good())
            memory.append(memory_of(service))
        without.append(good())
    (p50, p99, failed), (p50_beside, p99_beside, failed_beside) = zip(*without), zip(*beside)
    ratio, apart = compare(p99, p99_beside)
    return {
        "p50_ms": statistics.median(p50) / 1000, "p50_beside_ms": statistics.median(p50_beside) / 1000,
        "p99_ms": statistics.median(p99) / 1000, "p99_beside_ms": statistics.median(p99_beside) / 1000, "p99_ratio": ratio,
        "not_taken": sum(failed) + sum(failed_beside), "quiet_mib": quiet_memory / MIB, "memory_mib": max(memory) / MIB,
        "most_mib": most_private_bytes() / MIB,
    } | dict(zip(("without_low", "without", "without_high"), apart))


def memory_of(service):
    """The memory of the largest acceptor."""
    return max(private_bytes(pid) for pid in service.daemon.pids("acceptor"))
