"""The real hooksd, started in a directory of its own. The tests see what an operator sees: log, HTTP, exit code."""

import contextlib
import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
from pathlib import Path

from harness.client import Client, RawConnection
from harness.events import FIELDS, from_jsonl
from harness.metrics import metrics
from harness.waiting import PATIENCE, SANITIZED, wait_ended, wait_until

REPOSITORY = Path(__file__).resolve().parents[3]
BUILD_DIR = Path(os.environ.get("HOOKS_BUILD_DIR", REPOSITORY / "build"))

READY = re.compile(r" ready .*\bport=(\d+)")
# Failed asserts and the reports of sanitizers. No log may hold them.
FORBIDDEN = re.compile(r"assert|AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:", re.IGNORECASE)


def clean_environment(options):
    """
    The environment of a program: the options, but no variables with which the caller's shell may configure hooksd.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name == "PATH" or name.startswith(("ASAN_", "UBSAN_", "LSAN_", "TSAN_"))
    }
    if SANITIZED:
        inherited["SANDBOX"] = "off"  # LeakSanitizer traces the process from a clone of it
    return inherited | {name: str(value) for name, value in options.items()}


def run_program(name, *args, options=None, cwd=None, stdout=subprocess.PIPE):
    """Runs hooksd or hooksctl until it exits."""
    return subprocess.run(
        [BUILD_DIR / name, *args], env=clean_environment(options or {}), cwd=cwd, stdout=stdout, stderr=subprocess.PIPE,
        text=True, timeout=30)


def session_members(leader):
    """Pids of the living (not zombie) processes of the session that a daemon of the tests leads."""
    members = []
    for pid in [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if os.getsid(pid) != leader:  # the cheapest check first: it fails for most processes of the machine
                continue
            stat = Path("/proc", str(pid), "stat").read_text()
            if stat[stat.rindex(")") + 2] not in "ZX":
                members.append(pid)
    return members


@contextlib.contextmanager
def stopped(pid):
    """Stops the process with SIGSTOP during the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


class Daemon:
    def __init__(self, directory, options):
        self.directory = directory
        self.options = options
        self.arguments = []
        self.launcher = shlex.split(os.environ.get("HOOKS_LAUNCHER", ""))  # a command that becomes hooksd
        self.program = BUILD_DIR / "hooksd"
        self.pass_fds = ()
        self.tls = None  # how clients connect to it: see Client
        self.stderr = None  # the file or pipe that gets its log in place of log_path
        self.ready_pattern = READY
        self.log_path = directory / "hooksd.log"
        self.log_start = 0  # where the log of the running process begins
        self.jsonl_start = 0  # where jsonl_lines() begins to read
        self.process = None
        self.port = None
        self.pid = None

    # Start and stop

    def start(self, store_ready=True):
        """Returns when every acceptor listens and, unless store_ready is false, the store is ready."""
        self.spawn()
        self.port = int(self.wait_for_log(self.ready_pattern).group(1))
        if store_ready:
            self.wait_store_ready()
        return self

    def start_unheard(self, store_ready=True):
        """Like start(), without reading the log. PORT must be a fixed number."""
        self.port = self.options["PORT"]
        self.spawn()
        wait_until(self.answers, "the daemon to answer", 20)
        if store_ready:
            self.wait_store_ready()
        return self

    def answers(self):
        assert self.process.poll() is None, f"hooksd ended with {self.process.returncode}"
        with contextlib.suppress(ConnectionError):
            return self.get("/livez").status == 200
        return False

    def spawn(self):
        assert self.process is None
        with open(self.log_path, "ab") as log:
            self.log_start = log.tell()
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM",  # if the tests are killed
                 *self.launcher, self.program, *self.arguments],
                env=clean_environment(self.options),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=self.stderr or log,
                start_new_session=True,
                pass_fds=self.pass_fds,
            )
        self.pid = self.process.pid

    def wait_store_ready(self):
        """Waits until the store is ready. /readyz is not enough: it says yes when events can be spooled."""
        try:
            wait_until(lambda: self.get("/health").json()["status"] == "healthy", "the store to be ready", 20)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()[-4000:]}") from None

    def stop(self, expect=0):
        """Sends TERM. The whole tree must be gone within the time of a drain, with this exit code or one of these."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait_exit(expect)

    def wait_exit(self, expect=0, timeout=30):
        code = wait_ended(self.process, timeout * PATIENCE)
        self.wait_tree_gone()
        self.process = None
        assert code in (expect if isinstance(expect, tuple) else (expect,)), f"hooksd exited with {code}, not {expect}:\n{self.log()[-4000:]}"
        return code

    def wait_tree_gone(self):
        wait_until(lambda: not session_members(self.pid), "the daemon's processes to be gone")

    def kill(self):
        """Sends SIGKILL to every process of the tree at once, as the kernel or an orchestrator would."""
        os.killpg(self.pid, signal.SIGKILL)
        self.wait_exit(-signal.SIGKILL)

    def restart(self, store_ready=True):
        self.stop()
        return self.start(store_ready)

    def signal(self, number):
        self.process.send_signal(number)

    def look_from_here(self):
        """From now on log() and jsonl_lines() leave out everything written so far."""
        self.log_start = self.log_path.stat().st_size
        with contextlib.suppress(FileNotFoundError):
            self.jsonl_start = self.jsonl_path.stat().st_size

    def clean_up(self):
        """End of a test: stops the daemon in good order, or kills its processes if that fails."""
        try:
            if self.process:
                self.stop()
        finally:
            if self.process:
                for pid in session_members(self.pid):
                    os.kill(pid, signal.SIGKILL)
                self.process.wait()
        found = FORBIDDEN.search(self.whole_log())
        assert not found, f"the log holds {found.group()!r}:\n{self.whole_log()[-8000:]}"

    # Its log

    def whole_log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log(self):
        """The log since the last start."""
        with open(self.log_path, "rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")

    def wait_for_log(self, pattern, count=1, timeout=15):
        """The count-th match of the pattern in the log since the last start."""
        pattern = re.compile(pattern)

        def found():
            matches = list(pattern.finditer(self.log()))
            if len(matches) >= count:
                return matches[count - 1]
            if self.process.poll() is not None:
                code = self.process.returncode
                raise AssertionError(f"hooksd ended ({code}) before {pattern.pattern!r}:\n{self.log()}")
            return None

        try:
            return wait_until(found, f"{pattern.pattern!r} in the log", timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()[-4000:]}") from None

    # Requests to it

    def client(self, **options):
        return Client(self.port, **{"tls": self.tls} | options)

    def raw(self, **options):
        return RawConnection(self.port, **{"tls": self.tls} | options)

    def get(self, path):
        with self.client() as client:
            return client.get(path)

    def post_event(self, event, **headers):
        with self.client() as client:
            return client.post_event(event, **headers)

    def post_batch(self, events, **headers):
        with self.client() as client:
            return client.post_batch(events, **headers)

    def metrics(self):
        return self.get("/metrics").json()

    def wait_stored(self, count, timeout=30):
        """Waits until events_stored_total, which counts from the last start, is at least that many."""

        def stored():
            return self.metrics()["events_stored_total"] >= count

        wait_until(stored, f"{count} stored events", timeout)

    def spool_files(self):
        """Names of the spool's files, including damaged ones that were set aside."""
        data_dir = self.directory / self.options.get("DATA_DIR", ".agentic/hooksd")
        return sorted(path.name for path in (data_dir / "spool").glob("*"))

    def wait_spool_empty(self, timeout=30):
        """Waits until all spooled events are stored."""
        self.wait_store_ready()
        wait_until(lambda: not self.spool_files(), "the spool to be empty", timeout)
        wait_until(lambda: metrics(self)["spool_oldest_seconds"] == 0, "the metrics to say so", timeout)

    def hooksctl(self, *args):
        return run_program("hooksctl", *args, options=self.options, cwd=self.directory)

    def pids(self, role):
        """Pids of the living processes of that role ("acceptor", "writer"), in the order of their numbers."""
        names = {}
        for pid in session_members(self.pid):
            try:
                names[pid] = Path("/proc", str(pid), "comm").read_text().strip()
            except (FileNotFoundError, ProcessLookupError):
                continue
        return sorted((pid for pid, name in names.items() if name.startswith(f"{role}-")), key=lambda pid: names[pid])

    # Stored events

    @property
    def jsonl_path(self):
        return self.directory / self.options.get("JSONL_PATH", ".agentic/analytics/events.jsonl")

    def jsonl_lines(self):
        """Every line of the file, without its newline. A torn last line fails the test."""
        with open(self.jsonl_path, "rb") as file:
            file.seek(self.jsonl_start)
            data = file.read()
        assert data == b"" or data.endswith(b"\n"), f"torn last line: {data[-200:]!r}"
        return data.splitlines()

    def jsonl_events(self):
        return [json.loads(line) for line in self.jsonl_lines()]

    def stored_events(self):
        """The events of a JSONL or SQLite store, in the shape of harness.events.expected()."""
        if self.options.get("STORAGE_TYPE") == "sqlite":
            return self.sqlite_events()
        return [from_jsonl(event) for event in self.jsonl_events()]

    @property
    def sqlite_path(self):
        data_dir = self.options.get("DATA_DIR", ".agentic/hooksd")
        return self.directory / self.options.get("SQLITE_PATH", f"{data_dir}/events.db")

    def sqlite_query(self, sql, *parameters):
        """The rows as dictionaries, read by a connection of this process while the daemon runs."""
        with contextlib.closing(sqlite3.connect(self.sqlite_path, timeout=20, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(sql, parameters)]

    def sqlite_events(self):
        """All events in the order in which they were stored, in the shape of harness.events.expected()."""
        rows = self.sqlite_query("SELECT * FROM hook_events ORDER BY rowid")
        return [{field: row[field] for field in FIELDS} | {"data": json.loads(row["data"])} for row in rows]
