"""The benchmark itself: its load client sends what its options say, and a run makes tables, plots and a document."""

import json
import os
import re
import subprocess
import sys
import uuid
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from harness.client import Client
from harness.daemon import BUILD_DIR, REPOSITORY

BENCH = REPOSITORY / "tests/bench"


@pytest.fixture(scope="module")
def load():
    """Runs the load client. Keyword arguments are its options."""
    subprocess.run(["ninja", "-C", BUILD_DIR, "tests/bench/load"], check=True, stdout=subprocess.DEVNULL)

    def run(daemon, **options):
        words = [f"--{name}={value}" for name, value in options.items()]
        command = [BUILD_DIR / "tests/bench/load", f"--port={daemon.port}", "--seconds=60", *words]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=100).stdout)

    return run


def test_every_event_of_the_load_is_new_and_has_the_current_time(hooksd, load):
    daemon = hooksd(ACCEPTORS=1)
    begun = datetime.now(timezone.utc)
    result = load(daemon, events=10, requests=30, connections=1, seed=5)
    assert (result["requests"], result["accepted"], result["refused"], result["failed"]) == (30, 30, 0, 0)
    assert 0 < result["sent"]["p50_us"] <= result["sent"]["p99_us"] <= result["sent"]["max_us"]
    events = daemon.jsonl_events()
    ids = [event["event_id"] for event in events]
    assert len(set(ids)) == 300 and ids == sorted(ids) and {uuid.UUID(text).version for text in ids} == {7}
    times = [datetime.fromisoformat(event["timestamp"].replace("Z", "+00:00")) for event in events]
    assert begun - timedelta(seconds=1) <= min(times) <= max(times) <= datetime.now(timezone.utc)
    assert len({event["session_id"] for event in events}) > 50


def test_a_load_of_duplicates_repeats_its_events(hooksd, load):
    daemon = hooksd()
    for more in ({}, {"known": 300, "duplicates": 100}, {"known": 300, "duplicates": 50}):
        load(daemon, events=10, requests=30, connections=4, ids="random", seed=9, **more)
    ids = [event["event_id"] for event in daemon.jsonl_events()]
    first, again, mixed = ids[:300], ids[300:600], ids[600:]
    assert {uuid.UUID(text).version for text in ids} == {4}
    assert len(set(first)) == 300
    assert set(again) <= set(first)
    assert 50 < len(set(mixed) - set(first)) < 250


@pytest.mark.parametrize("size", [100, 500, 100_000])
def test_events_of_the_load_have_the_size_asked_for(hooksd, load, size):
    daemon = hooksd(MAX_EVENT_BYTES=max(1024, size))
    assert load(daemon, path="/events", events=1, requests=5, bytes=size, ids="none")["accepted"] == 5
    lines = daemon.jsonl_lines()
    assert len(lines) == 5 and all(size <= len(line) + 16 and len(line) <= size + 250 for line in lines)


def test_the_receiver_reports_the_latency_of_published_events(load):
    subprocess.run(["ninja", "-C", BUILD_DIR, "tests/bench/receiver"], check=True, stdout=subprocess.DEVNULL)
    with subprocess.Popen([BUILD_DIR / "tests/bench/receiver"], stdout=subprocess.PIPE, text=True) as receiver:
        port = int(receiver.stdout.readline().removeprefix("port="))
        daemon = SimpleNamespace(port=port)  # all that the load client needs of a daemon
        result = load(daemon, path="/v1/events", events=1, bytes=500, topic="bench.made", requests=100, connections=4)
        assert (result["accepted"], result["failed"]) == (100, 0)
        with Client(port) as client:
            told = client.get("/").json()
            assert (told["arrived"], told["unread"]) == (100, 0)
            assert 0 < told["p50_us"] <= told["p99_us"] <= told["max_us"] <= 1.1 * result["sent"]["max_us"]
            client.post("/", {"no": "time"})
            told = client.get("/").json()
            assert (told["arrived"], told["unread"]) == (1, 1)
        receiver.terminate()


def test_a_tiny_run_makes_tables_plots_and_a_document(tmp_path):
    out, document = tmp_path / "out", tmp_path / "performance.md"
    environment = os.environ | {"BENCH_OUT": str(out)}
    run = subprocess.run(
        [sys.executable, BENCH / "run.py", "smoke"], env=environment, capture_output=True, text=True, timeout=200)
    assert run.returncode == 0, run.stderr
    rows = json.loads((out / "results.json").read_text())["rates"]["rows"]
    stored = [row for row in rows if "of_ceiling" in row]
    assert {(row["storage"], row["events_per_body"]) for row in stored} == {
        (storage, events) for storage in ("jsonl", "sqlite", "postgres") for events in (1, 100)}
    for row in stored:
        assert row["failed"] == 0 and row["stored_per_s"] > 0 and row["memory_mib"] > row["segment_mib"] > 0
        assert f"{row['stored_per_s']:,.0f}" in run.stdout
    assert ElementTree.parse(out / "rates.svg").getroot().tag.endswith("svg")

    before = {"rates": "old", "growth": "kept"}
    document.write_text("".join(f"<!-- table: {name} -->\n{text}\n<!-- /table -->\n" for name, text in before.items()))
    report = [sys.executable, BENCH / "report.py", f"--results={out}/results.json", f"--document={document}"]
    subprocess.run(report, check=True)
    text = document.read_text()
    assert "old" not in text and "\nkept\n" in text and (tmp_path / "performance-rates.svg").exists()
    for row in stored:
        assert f" {row['stored_per_s']:,.0f} " in text


def test_the_comparison_of_job_queues_names_missing_packages_and_fetches_once(tmp_path, monkeypatch, capfd):
    monkeypatch.syspath_prepend(BENCH)
    import job_queues

    def npm(code):
        program = tmp_path / "npm"
        program.write_text(f"#!/bin/sh\necho npm called >&2\nexit {code}\n")
        program.chmod(0o755)

    monkeypatch.setattr(job_queues, "PACKAGES", tmp_path / "packages")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="npm is missing"):
        job_queues.install()
    npm(1)
    with pytest.raises(SystemExit, match="npm could not fetch"):
        job_queues.install()
    npm(0)
    job_queues.install()
    job_queues.install()
    assert capfd.readouterr().err.count("npm called") == 2
    assert (tmp_path / "packages/package-lock.json").exists() and (tmp_path / "packages/queue.mjs").exists()


def test_a_load_is_compared_with_those_just_before_and_after_it(monkeypatch):
    monkeypatch.syspath_prepend(BENCH)
    from measure import compare

    assert compare([1, 1, 4, 4], [2, 2, 8]) == (2, [1, 1, 2.5])
    assert compare([2, 8], [2]) == (0.5, [4, 4, 4])


def test_every_table_of_the_document_is_one_the_benchmark_makes(monkeypatch):
    monkeypatch.syspath_prepend(BENCH)
    from tables import TABLES

    named = re.findall(r"<!-- table: (\w+) -->", (REPOSITORY / "docs/performance.md").read_text())
    assert sorted(named) == sorted(TABLES)
