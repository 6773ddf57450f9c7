"""The metrics: every family in valid form, with right counts, and a limited number of series."""

import gzip
import os
import re
import signal
import subprocess

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from harness.client import http_post
from harness.daemon import REPOSITORY, run_program
from harness.events import minimal
from harness.metrics import metrics, series, text_of, wait_settled
from harness.waiting import wait_until

OPENMETRICS = "application/openmetrics-text"
# The Accept header of Debian 12's Prometheus.
ACCEPT = f"{OPENMETRICS};version=1.0.0,{OPENMETRICS};version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
SERIES_MAX = 450
TABLE = run_program("hooksd", "--print-metrics-markdown").stdout
FAMILIES = re.findall(r"^\| `(\w+)` \| (\w+) \|", TABLE, re.M)
SAMPLES = re.compile(r"^(hook\w+(?:{.*})?) ", re.M)


@pytest.fixture(params=["jsonl", "sqlite", "postgres"])
def daemon(request, hooksd):
    """A daemon that has counted some requests."""
    daemon = hooksd(request.getfixturevalue("database") if request.param == "postgres" else None, STORAGE_TYPE=request.param)
    assert daemon.post_batch([minimal()] * 3).status == 202
    assert daemon.post_event("[]").status == 422
    return daemon


def openmetrics(daemon):
    with daemon.client() as client:
        reply = client.request("GET", "/metrics/prometheus", headers={"Accept": ACCEPT})
    assert reply.headers["Content-Type"] == f"{OPENMETRICS}; version=1.0.0; charset=utf-8"
    return reply.body.decode()


def grown(daemon, action):
    """The growth of the request counters by the action. Nothing else may add to them."""
    before = series(daemon)
    action()
    more = series(daemon) - before
    return {name: int(by) for name, by in more.items()
            if re.match(r"http_requests|requests_\w+_total", name) and "/metrics/prometheus" not in name}


def http(route, status):
    return f'http_requests_total{{route="{route}",status="{status}"}}'


# Form


def test_promtool_accepts_the_metrics(daemon):
    check = subprocess.run(["promtool", "check", "metrics"], input=text_of(daemon), capture_output=True, text=True)
    complaints = (check.stdout + check.stderr).splitlines()
    # This name is that of the original service.
    assert [line for line in complaints if not line.startswith("hookline_delivery_latency_ms ")] == []


def test_every_family_has_help_and_type(daemon):
    text = text_of(daemon)
    assert len(FAMILIES) > 30
    for name, kind in FAMILIES:
        assert len(re.findall(rf"^# HELP {name} \S", text, re.M)) == 1, name
        assert f"# TYPE {name} {'gauge' if kind == 'info' else kind}\n" in text
    assert re.findall(r"^# TYPE (\w+)", text, re.M) == [name for name, _ in FAMILIES]


def test_openmetrics_is_sent_on_request(daemon):
    text = openmetrics(daemon)
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert text.endswith("\n# EOF\n")
    assert families["hooks_events_received"].type == "counter"
    assert families["hooks_build"].type == "info"
    assert families["hooks_ring_capacity_bytes"].unit == "bytes"
    assert families["hooks_request_duration_seconds"].unit == "seconds"
    assert len(families) == len(FAMILIES)
    assert SAMPLES.findall(text) == SAMPLES.findall(text_of(daemon))


@pytest.mark.parametrize("accept", ["*/*", "text/plain", ""])
def test_the_text_format_is_the_default(shared_hooksd, accept):
    with shared_hooksd().client() as client:
        reply = client.request("GET", "/metrics/prometheus", headers={"Accept": accept})
    assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"# EOF" not in reply.body


def test_histograms_add_up(daemon):
    # No request has used the management API, and no webhook was delivered.
    for name in [name for name, kind in FAMILIES if kind == "histogram" and not re.search("management|delivery", name)]:
        text = text_of(daemon)
        buckets = re.findall(rf'^{name}_bucket{{le="(\S+)"}} (\d+)$', text, re.M)
        bounds, counts = [float(bound) for bound, _ in buckets], [int(count) for _, count in buckets]
        assert bounds == sorted(set(bounds)) and bounds[-1] == float("inf")
        assert counts == sorted(counts)
        count, total = (float(re.search(rf"^{name}_{end} (\S+)$", text, re.M).group(1)) for end in ("count", "sum"))
        assert count == counts[-1] == 1
        # The observed value lies in the first bucket with a count.
        first = counts.index(1)
        assert (0 if first == 0 else bounds[first - 1]) < total <= bounds[first]


def test_the_number_of_series_is_small_for_any_number_of_processes(hooksd):
    small = SAMPLES.findall(text_of(hooksd()))
    large = SAMPLES.findall(text_of(hooksd(ACCEPTORS=64, WRITERS=32, RING_BYTES="160M", MAX_BODY_BYTES=1024,
                                           MAX_EVENT_BYTES=1024, MAX_BATCH_EVENTS=10)))
    assert large == small
    assert len(large) < SERIES_MAX


def test_the_reference_has_the_programs_table():
    assert TABLE in (REPOSITORY / "docs/metrics.md").read_text()


def test_the_reference_explains_every_label(daemon):
    reference = (REPOSITORY / "docs/metrics.md").read_text()
    labels = set(re.findall(r'(\w+)="([^"]*)"', "\n".join(SAMPLES.findall(text_of(daemon)))))
    for name, value in labels:
        assert name in ("le", "version", "storage") or f"`{value}`" in reference, (name, value)


# Counts


@pytest.mark.parametrize("method,path,status", [
    ("GET", "/health", "2xx"),
    ("HEAD", "/livez", "2xx"),
    ("GET", "/readyz/", "2xx"),
    ("GET", "/metrics", "2xx"),
    ("GET", "/openapi.json?x=1", "2xx"),
    ("DELETE", "/metrics", "4xx"),
    ("GET", "/events", "4xx"),
    ("GET", "/nothing", "4xx"),
])
def test_requests_are_counted_by_route_and_status(shared_hooksd, method, path, status):
    daemon = shared_hooksd()
    route = "other" if path == "/nothing" else path.split("?")[0].rstrip("/")
    with daemon.client() as client:
        added = grown(daemon, lambda: client.request(method, path))
    assert added == {http(route, status): 1}


BODY = b'{"event_type":"a","session_id":"s"}'


@pytest.mark.parametrize("path,body,headers,status,reason", [
    ("/events", BODY, {"content_type": "text/xml"}, 415, "media_type"),
    ("/events", BODY, {"content_encoding": "br"}, 415, "encoding"),
    ("/events", BODY, {"content_encoding": "gzip"}, 400, "compression"),
    ("/events", gzip.compress(b" " * 100_000, mtime=0), {"content_encoding": "gzip"}, 413, "body_size"),
    ("/events", b" " * 100_000, {}, 413, "body_size"),
    ("/events", b'{"event_type":"a","session_id":"s","data":{"x":"%s"}}' % (b"x" * 9000), {}, 413, "event_size"),
    ("/events/batch", b"[" + b",".join([BODY] * 11) + b"]", {}, 413, "batch_size"),
    ("/events", b"{,}", {}, 422, "json"),
    ("/events", b"", {}, 422, "json"),
    ("/events", b"\xff", {}, 422, "json"),
    ("/events", b"{}", {}, 422, "fields"),
    ("/events/batch", b"{}", {}, 422, "fields"),
])
def test_rejected_requests_are_counted_by_reason(shared_hooksd, path, body, headers, status, reason):
    daemon = shared_hooksd(MAX_BODY_BYTES=50_000, MAX_EVENT_BYTES=8192, MAX_BATCH_EVENTS=10)

    def post():
        with daemon.client() as client:
            assert client.post(path, body, **headers).status == status

    assert grown(daemon, post) == {http(path, "4xx"): 1, f'requests_rejected_total{{reason="{reason}"}}': 1}


def test_invalid_http_is_counted_as_a_reason(shared_hooksd):
    daemon = shared_hooksd()

    def post():
        with daemon.raw() as connection:
            connection.send(b"POST /events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
            assert connection.read_reply().status == 400

    assert grown(daemon, post) == {http("other", "4xx"): 1, 'requests_rejected_total{reason="http"}': 1}


def accepted(route, ack):
    return {http(route, "2xx"): 1, f'requests_accepted_total{{ack="{ack}"}}': 1}


@pytest.mark.parametrize("ack,said", [("durable", "stored"), ("queued", "queued")])
def test_accepted_requests_are_counted_by_ack(hooksd, ack, said):
    daemon = hooksd(ACK=ack)
    assert grown(daemon, lambda: daemon.post_event(BODY)) == accepted("/events", said)
    assert grown(daemon, lambda: daemon.post_batch("[]")) == accepted("/events/batch", said)
    assert metrics(daemon)["request_duration_seconds_count"] == 2


def test_metrics_show_an_outage(database, hooksd):
    """Metrics show the state of the writers, spooled acknowledgements, and the spool's size and age."""
    daemon = hooksd(database, SPOOL_AFTER_MS=0, WRITERS=2)
    assert series(daemon)['store_writers{state="ready"}'] == 2
    database.server.stop()
    assert grown(daemon, lambda: daemon.post_event(BODY)) == accepted("/events", "spooled")
    wait_until(lambda: series(daemon)['store_writers{state="spooling"}'] == 2, "writers that spool")
    numbers = metrics(daemon)
    assert (numbers["spool_events"], numbers["spool_files"], numbers["store_writers"]) == (1, 1, 2)
    assert numbers["spool_bytes"] > len(BODY) and numbers["storage_errors_total"] > 0
    database.server.start()
    daemon.wait_spool_empty()


def test_refusals_before_the_first_connection_are_counted(database, hooksd):
    database.server.stop()
    daemon = hooksd(database, store_ready=False, WRITERS=1)
    added = grown(daemon, lambda: daemon.post_event(BODY))
    assert added == {http("/events", "5xx"): 1, 'requests_refused_total{reason="connecting"}': 1}
    assert series(daemon)['store_writers{state="connecting"}'] == 1
    database.server.start()


def test_refusals_because_of_a_full_ring_are_counted(hooksd):
    daemon = hooksd(ACK="queued", ACCEPTORS=1, RING_BYTES=4 << 20, MAX_BODY_BYTES=256 << 10, MAX_BATCH_EVENTS=1000)
    writer = daemon.pids("writer")[0]
    os.kill(writer, signal.SIGSTOP)
    with daemon.client() as client:
        while client.post_batch([minimal(data={"pad": "x" * 4000})] * 50).status == 202:
            pass
    numbers = metrics(daemon)
    assert series(daemon)['requests_refused_total{reason="ring"}'] == 1
    assert numbers["ring_capacity_bytes"] / 2 < numbers["ring_used_bytes"] <= numbers["ring_capacity_bytes"]
    os.kill(writer, signal.SIGCONT)
    wait_until(lambda: metrics(daemon)["ring_used_bytes"] == 0, "an empty ring")
    numbers = wait_settled(daemon)
    assert numbers["store_batch_events_sum"] == numbers["events_stored_total"] > 0


@pytest.mark.parametrize("role,signo,cause", [
    ("acceptor", signal.SIGKILL, "SIGKILL"),
    pytest.param("writer", signal.SIGSEGV, "SIGSEGV", marks=pytest.mark.unsanitized("a sanitizer exits on the signal")),
    ("writer", signal.SIGABRT, "SIGABRT"), ("acceptor", signal.SIGALRM, "signal"),
])
def test_deaths_are_counted_by_role_and_cause(hooksd, role, signo, cause):
    daemon = hooksd(ACCEPTORS=1)
    os.kill(daemon.pids(role)[0], signo)
    daemon.wait_for_log("process died")
    daemon.wait_store_ready()
    deaths = {name: n for name, n in series(daemon).items() if name.startswith("process_restarts_total") and n}
    assert deaths == {f'process_restarts_total{{role="{role}",cause="{cause}"}}': 1}


def test_cpu_time_never_falls_and_memory_is_that_of_living_processes(hooksd):
    daemon = hooksd(WRITERS=2)
    cpu, memory = ([f'process_{what}{{role="{role}"}}' for role in ("master", "acceptor", "writer")]
                   for what in ("cpu_seconds_total", "resident_memory_bytes"))

    def noted():
        numbers = series(daemon)
        return all(numbers[name] > 0 for name in cpu + memory) and numbers

    before = wait_until(noted, "every role's numbers")
    for role in ("acceptor", "writer"):
        old = daemon.pids(role)[0]
        os.kill(old, signal.SIGKILL)
        wait_until(lambda: old not in (pids := daemon.pids(role)) and len(pids) == 2, "a successor")
    after = wait_until(noted, "every role's numbers")
    assert all(after[name] >= before[name] for name in cpu)
    assert all(after[name] < 1 << 30 for name in memory)
