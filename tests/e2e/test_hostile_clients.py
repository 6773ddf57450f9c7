"""
Thousands of hostile clients use up connections, memory and time beside a few good clients that post events. Set
HOSTILE_SCALE=0.1 on machines with few descriptors. `make bench BENCH=hostile` measures the latency of the good clients.
"""

import os
import resource

import pytest

from harness import bench_tools, hostile
from harness.hostile import Hostile
from harness.metrics import metrics, series
from harness.waiting import wait_until

SCALE = float(os.environ.get("HOSTILE_SCALE", "1"))
IDLE, HEADS, BODIES = (int(SCALE * count) for count in (10_000, 2000, 2000))
ALL = IDLE + HEADS + BODIES
GOOD = {"path": "/events/batch", "events": 10, "connections": 16, "rate": 200, "seconds": 25}


def memory_of_acceptors(daemon):
    return max(hostile.private_bytes(pid) for pid in daemon.pids("acceptor"))


@pytest.mark.wanted_by("SLOW_TESTS")
def test_thousands_of_hostile_clients_cost_good_clients_no_request(make_hooksd):
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert files > ALL + 1000, f"only {files} descriptors: raise the limit (ulimit -Hn), or set HOSTILE_SCALE"
    bench_tools.build()
    hostile.build()
    daemon = make_hooksd()
    daemon.launcher = ["prlimit", f"--nofile={files}:{files}"]
    daemon.start()
    with Hostile(daemon.port, IDLE, HEADS, BODIES) as clients:
        load = bench_tools.Load(daemon, "none", **GOOD)
        wait_until(lambda: metrics(daemon)["events_received_total"] > 0, "the good clients to begin")
        memory = []
        while load.process.poll() is None:
            for path in ("/livez", "/readyz", "/health"):
                assert daemon.get(path).status == 200
            now = metrics(daemon)
            memory.append(memory_of_acceptors(daemon))
            assert now["buffered_bytes"] <= 2 * hostile.MIB
        result = load.result()
        assert (result["refused"], result["failed"]) == (0, 0) and result["accepted"] == result["requests"] > 4000
        assert now["connections"] >= 0.7 * ALL
        counted = series(daemon)
    print(f"acceptor: {max(memory) / hostile.MIB:.0f} MiB; {clients.told}")
    assert max(memory) < hostile.most_private_bytes()
    assert counted['requests_rejected_total{reason="slow"}'] >= HEADS + BODIES
    assert clients.told["told_408"] > 0 and clients.told["told_503"] == 0


@pytest.mark.wanted_by("SLOW_TESTS")
def test_good_clients_and_probes_are_served_at_the_limit_of_connections(make_hooksd):
    bench_tools.build()
    hostile.build()
    daemon = make_hooksd(MAX_CONNECTIONS=500).start()
    load = bench_tools.Load(daemon, "none", **GOOD)
    wait_until(lambda: metrics(daemon)["events_received_total"] > 0, "the good clients to begin")
    with Hostile(daemon.port, 500, 500, 500):
        while load.process.poll() is None:
            assert daemon.get("/livez").status == daemon.get("/health").status == 200
            assert metrics(daemon)["connections"] < 2 * (500 + 64 + 128)  # counts lingering refused ones too
        result = load.result()
    assert (result["refused"], result["failed"]) == (0, 0) and result["accepted"] == result["requests"] > 4000
    assert series(daemon)['connections_refused_total{reason="limit"}'] > 0
