"""
Job queues on PostgreSQL with an empty handler (queues/queue.mjs), compared with published and delivered events: the
same payload, on the same server, in the same run.
"""

import contextlib
import json
import shutil
import subprocess
import time
from pathlib import Path

from harness.bench_tools import BenchReceiver
from harness.daemon import BUILD_DIR
from harness.waiting import wait_until

from cases import case
from delivery import PROCESSES, PUBLISH_BATCH, SUSTAINED_SECONDS, publishing, sustained
from measure import CPUS, machine_seconds, process_seconds, server_seconds

SOURCE = Path(__file__).resolve().parent / "queues"
PACKAGES = BUILD_DIR / "tests/bench/queues"
LOCK = "package-lock.json"
LIBRARIES = (("graphile-worker", "Graphile Worker"), ("pg-boss", "pg-boss"))
WORKERS = 2  # processes: one is slower, more have no free CPU
JOBS = 50_000
PUT_IN, WORKED_ON, BOTH = "put in first", "then worked on", "both at once"
OURS = "PostgreSQL, published and delivered"


@case
def queues(bench):
    """job queues on PostgreSQL from npm with an empty handler, compared with published and delivered events"""
    install()
    for row in middles([drained(bench) for _ in bench.few(1, 2, 3)]):
        bench.add("queues", row)
    with BenchReceiver() as receiver, publishing(bench, "postgres") as service:
        service.subscribe(receiver, 1)
        bench.add("queues", ours(sustained(service, receiver, PUBLISH_BATCH), BOTH))
    for library, name in LIBRARIES:
        with Queue(bench, library, name) as queue:
            bench.add("queues", queue.measure(BOTH, f"sustain {bench.seconds(SUSTAINED_SECONDS)}"))


def middles(rounds):
    return [sorted(rows, key=lambda row: row["delivered_per_s"])[len(rows) // 2] for rows in zip(*rounds)]


# Job queues

def install():
    """Fetches the packages of queues/package-lock.json once, without running their scripts."""
    PACKAGES.mkdir(parents=True, exist_ok=True)
    for program in SOURCE.glob("*.mjs"):
        shutil.copy(program, PACKAGES)
    wanted = (SOURCE / LOCK).read_bytes()
    installed = PACKAGES / "installed.json"
    if installed.exists() and installed.read_bytes() == wanted:
        return
    if not shutil.which("npm"):
        raise SystemExit("queues: npm is missing: it fetches the job queues and the node that runs them (Debian: apt-get install npm)")
    for name in (LOCK, "package.json"):
        shutil.copy(SOURCE / name, PACKAGES)
    fetch = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if subprocess.run(fetch, cwd=PACKAGES, stdout=subprocess.DEVNULL).returncode != 0:
        raise SystemExit("queues: npm could not fetch the packages of tests/bench/queues/package-lock.json; it says why above")
    installed.write_bytes(wanted)


class Queue:
    """One of the job queues, in the block, in a database of its own."""

    def __init__(self, bench, library, name):
        bench.empty_database()
        self.bench, self.name = bench, name
        self.database = bench.server.new_database()
        command = [PACKAGES / "node_modules/.bin/node", PACKAGES / "queue.mjs", library, self.database.url, str(WORKERS)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        self.answer()  # comes when the tables exist and the workers run
        return self

    def __exit__(self, *_exception):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.bench.database.query(f'DROP DATABASE "{self.database.name}" WITH (FORCE)')

    def answer(self):
        line = self.process.stdout.readline()
        assert line, f"{self.name} has ended; its output is above"
        return json.loads(line)

    def cpu_seconds(self):
        pid = self.process.pid
        workers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return {"queue": sum(map(process_seconds, [pid, *workers])), "postgres": server_seconds(self.database.server),
                "machine": machine_seconds()}

    def measure(self, work, command):
        before, started = self.cpu_seconds(), time.monotonic()
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        told = self.answer()
        elapsed = time.monotonic() - started
        spent = {role: seconds - before[role] for role, seconds in self.cpu_seconds().items()}
        row = {f"cpu_{role}_us": 1e6 * spent[role] / told["jobs"] for role in ("queue", "postgres")}
        return row | {
            "name": self.name, "work": work, "delivered_per_s": told["jobs"] / told["seconds"], "cpu_us": sum(row.values()),
            "others_percent": max(0, 100 * (spent["machine"] - spent["queue"] - spent["postgres"]) / (CPUS * elapsed)),
        }


# A round: the jobs are added first and then processed

def drained(bench):
    rows = our_drain(bench)
    jobs = bench.events(JOBS)
    for library, name in LIBRARIES:
        with Queue(bench, library, name) as queue:
            rows += [queue.measure(PUT_IN, f"fill {jobs}"), queue.measure(WORKED_ON, "drain")]
    return rows


def our_drain(bench):
    """The endpoint is paused during the publishing."""
    jobs = bench.events(JOBS)
    with BenchReceiver() as receiver, publishing(bench, "postgres") as service:
        endpoint, = service.subscribe(receiver, 1)
        service.load(PUBLISH_BATCH, bench.seconds(0.3))
        no_job_left(bench)
        service.change(endpoint, {"paused": True})
        receiver.told()
        with our_row(service, receiver, PUT_IN, jobs) as put_in:
            result = service.load(PUBLISH_BATCH, 600, requests=jobs // PUBLISH_BATCH["events"])
            assert result["refused"] == 0, result
            service.settle()
            put_in["cpu_client_us"] = result["cpu_us"] / jobs
        with our_row(service, receiver, WORKED_ON, jobs) as worked_on:
            service.change(endpoint, {"paused": False})
            wait_until(lambda: receiver.told("/so-far")["arrived"] >= jobs, "the events to arrive", 600)
            no_job_left(bench)
    return [put_in, worked_on]


def no_job_left(bench):
    wait_until(lambda: bench.database.value("SELECT NOT EXISTS (SELECT FROM jobs)"), "the jobs to end", 600)


@contextlib.contextmanager
def our_row(service, receiver, work, jobs):
    row = {"events": jobs}
    before, started = receiver.told("/so-far")["cpu_us"], time.monotonic()
    with service.costs(row):
        yield row
        row["delivered_per_s"] = jobs / (time.monotonic() - started)
        row["cpu_receiver_us"] = (receiver.told("/so-far")["cpu_us"] - before) / jobs
    row |= ours(row, work)


def ours(row, work):
    return row | {"name": OURS, "work": work, "cpu_queue_us": sum(row[f"cpu_{role}_us"] for role in PROCESSES)}
