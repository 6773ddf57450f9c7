"""A real PostgreSQL server in a temporary directory, and one database of it per test."""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import weakref
from pathlib import Path

import psycopg

from harness.waiting import PATIENCE, wait_ended, wait_until

# Returns all fields of a client in one text column, which is cheap to read and has the shape of events.expected().
EVENTS_QUERY = """
SELECT json_build_object(
	'event_id', event_id, 'client_event_id', client_event_id, 'event_type', event_type, 'session_id', session_id,
	'workflow_id', workflow_id, 'phase_id', phase_id, 'milestone_id', milestone_id, 'data', data,
	'timestamp', to_char("timestamp" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text
FROM hook_events"""

# The partition of a row of hook_events. In a distributed table tableoid would name a shard.
PARTITION = "regexp_replace(tableoid::regclass::text, '_[0-9]{6,}$', '')"

# Ends the server with the tests, even if they are killed. A change of user clears this setting, so it comes last.
DIE_WITH_THE_TESTS = ["setpriv", "--pdeathsig", "INT"]


def find_bindir():
    if "PG_BINDIR" in os.environ:
        return Path(os.environ["PG_BINDIR"])
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if candidates:
        return candidates[-1].parent
    found = shutil.which("initdb")
    assert found, "PostgreSQL's server programs are not installed (Debian: apt-get install postgresql)"
    return Path(found).resolve().parent


def runs(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        stat = Path("/proc", str(pid), "stat").read_text()
        return stat[stat.rindex(")") + 2] not in "ZX"
    return False


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class PostgresServer:
    distributes = False

    def __init__(self, settings=None):
        self.settings = settings or {}
        self.bindir = find_bindir()
        self.directory = Path(tempfile.mkdtemp(prefix="hooks-postgres-"))
        self.data = self.directory / "data"
        self.log_path = self.directory / "log"
        self.port = free_port()
        self.process = None
        self.databases = 0
        self.sessions = weakref.WeakSet()  # databases that may hold a connection
        # PostgreSQL refuses to run as root.
        self.prefix = []
        if os.geteuid() == 0:
            shutil.chown(self.directory, "postgres", "postgres")
            self.prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        self.create_data()

    def create_data(self):
        self.run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")

    def run(self, program, *args):
        """Runs one of PostgreSQL's programs as the server's user."""
        subprocess.run(
            [*self.prefix, self.bindir / program, *args], check=True, stdout=subprocess.DEVNULL, cwd=self.directory,
            timeout=60)

    def write_data_file(self, name, text):
        """Writes a file of the server into its data directory, such as its configuration or its key."""
        path = self.data / name
        path.write_text(text)
        path.chmod(0o600)
        if self.prefix:
            shutil.chown(path, "postgres", "postgres")

    def new_directory(self, name):
        """Makes an empty directory beside the data directory that the server may use."""
        path = self.directory / name
        path.mkdir()
        if self.prefix:
            shutil.chown(path, "postgres", "postgres")
        return path

    def start(self):
        """Starts the server unless it runs, and waits until it accepts connections."""
        if self.process:
            return
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.directory,
            "fsync": "on",
            "max_connections": 60,
            "shared_buffers": "64MB",
            "max_wal_size": "1GB",
        } | self.settings
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with open(self.log_path, "ab") as log:
            command = [*self.prefix, *DIE_WITH_THE_TESTS, self.bindir / "postgres", "-D", self.data, *options]
            self.process = subprocess.Popen(command, stderr=log, cwd=self.directory)
        deadline = time.monotonic() + 30 * PATIENCE
        while True:
            try:
                with self.connect("postgres"):
                    return
            except psycopg.OperationalError:
                assert self.process.poll() is None and time.monotonic() < deadline, self.log_path.read_text()
                time.sleep(0.02)

    def stop(self, how=signal.SIGINT):
        """SIGINT is PostgreSQL's fast shutdown, SIGQUIT an immediate one, as after a crash."""
        self.hang_up()
        if self.process:
            self.process.send_signal(how)
            wait_ended(self.process, 30)
            self.process = None

    def hang_up(self):
        for database in list(self.sessions):
            database.hang_up()

    def pids(self):
        """The pids of the server and its children."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]

    def freeze(self):
        """Stops all of its processes until thaw(): connections stay open and get no answer."""
        self.process.send_signal(signal.SIGSTOP)  # makes no new children
        for pid in self.pids():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in reversed(self.pids()):
            os.kill(pid, signal.SIGCONT)

    def kill(self):
        """Sends SIGKILL to all processes, as when the machine dies: no process can close its connections in order."""
        self.process.send_signal(signal.SIGSTOP)  # makes no new children
        _, *children = self.pids()
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        self.stop(signal.SIGKILL)
        # A new server refuses to start while a process of the old one uses its shared memory.
        wait_until(lambda: not any(map(runs, children)), "all of PostgreSQL to be dead")

    @contextlib.contextmanager
    def hung(self):
        """
        Stops its processes during the block: connections stay open, the kernel accepts new ones, none gets an answer.
        """
        self.process.send_signal(signal.SIGSTOP)  # first, so that it starts no new children
        stopped = self.pids()
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in reversed(stopped):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    @contextlib.contextmanager
    def with_settings(self, **settings):
        """Adds these settings during the block. The server restarts before and after it."""
        usual = self.settings
        try:
            self.restart(usual | settings)
            yield
        finally:
            self.restart(usual)

    def restart(self, settings):
        self.stop()
        self.settings = settings
        self.start()

    def remove(self):
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.directory)

    def connect(self, name):
        return psycopg.connect(host="127.0.0.1", port=self.port, user="postgres", dbname=name, autocommit=True)

    def new_database(self, options=""):
        """Makes an empty database. options: those of CREATE DATABASE."""
        self.databases += 1
        name = f"e2e_{self.databases}"
        if "TEMPLATE" in options:  # no session may be connected to the template
            self.hang_up()
        with self.connect("postgres") as connection:
            # PostgreSQL 15 and later default to writing every page to the log, which is twice the work.
            strategy = "STRATEGY file_copy" if connection.info.server_version >= 150000 else ""
            connection.execute(f"CREATE DATABASE {name} {options} {strategy}")
        return Database(self, name)

    def drop(self, name):
        with self.connect("postgres") as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Database:
    def __init__(self, server, name):
        self.server = server
        self.name = name
        self.url = f"postgresql://postgres:not-a-real-secret@127.0.0.1:{server.port}/{name}"
        self.filled = []  # harness.dba.fill() adds (month, rows)
        self._session = None
        self._in_use = threading.Lock()
        server.sessions.add(self)

    def drop(self):
        self.hang_up()
        self.server.drop(self.name)

    def __del__(self):
        self.hang_up()

    def hang_up(self):
        """Ends the connection that session() keeps."""
        if self._session:
            self._session.close()
            self._session = None

    @contextlib.contextmanager
    def session(self):
        """
        A connection for one statement that leaves no state behind. The connection is kept, because connecting costs
        more than most statements.
        """
        if not self._in_use.acquire(blocking=False):  # another thread uses it, and its statement may wait for this one
            with self.server.connect(self.name) as connection:
                yield connection
            return
        try:
            if self._session and self._is_gone():
                self.hang_up()
            if not self._session:
                self._session = self.server.connect(self.name)
                self._session.prepare_threshold = None
            yield self._session
            if self._session.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                self.hang_up()
        except BaseException:
            self.hang_up()
            raise
        finally:
            self._in_use.release()

    def _is_gone(self):
        """Whether the server has closed the connection, or sent something, since the last statement."""
        with contextlib.suppress(psycopg.Error):
            return self._session.closed or bool(select.select([self._session.fileno()], [], [], 0)[0])
        return True

    def query(self, sql, *parameters):
        """All rows, or None for a statement without a result."""
        with self.session() as connection:
            cursor = connection.execute(sql, parameters or None)
            rows = cursor.fetchall() if cursor.description else []
        if "ALTER DATABASE" in sql or "ALTER ROLE" in sql:  # only new sessions get the changed settings
            self.hang_up()
        return rows

    def value(self, sql, *parameters):
        return self.query(sql, *parameters)[0][0]

    def count(self):
        return self.value("SELECT count(*) FROM hook_events")

    def events(self):
        """Every stored event in canonical form (see events.expected)."""
        return [json.loads(row[0]) for row in self.query(EVENTS_QUERY)]

    def psql(self, *args):
        return subprocess.run(
            [self.server.bindir / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *args, self.url],
            capture_output=True, text=True, timeout=30)
