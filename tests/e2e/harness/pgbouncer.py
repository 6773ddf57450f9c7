"""A real PgBouncer in transaction mode in front of a PostgreSQL server of these tests."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg

from harness.postgres import free_port
from harness.waiting import wait_until

USER, PASSWORD = "postgres", "not-a-real-secret"


def find_pgbouncer():
    found = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    assert found, "PgBouncer is not installed (Debian: apt-get install pgbouncer)"
    return found


class PgBouncer:
    def __init__(self, server, **settings):
        """Serves every database of the server. settings: values of the [pgbouncer] section."""
        self.program = find_pgbouncer()
        self.prefix = server.prefix  # PgBouncer refuses to run as root
        self.directory = Path(tempfile.mkdtemp(prefix="hooks-pgbouncer-"))
        self.log_path = self.directory / "log"
        self.port = free_port()
        self.process = None
        users = self.directory / "users"
        users.write_text(f'"{USER}" "{PASSWORD}"\n')
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "md5",
            "auth_file": users,
            "admin_users": USER,
            "pool_mode": "transaction",
            "server_login_retry": 1,  # seconds; the default of 15 is long for a test that restarts the server
        } | settings
        self.config = self.directory / "pgbouncer.ini"
        self.config.write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port}\n[pgbouncer]\n"
            + "".join(f"{name} = {value}\n" for name, value in settings.items()))
        if self.prefix:
            for path in (self.directory, users, self.config):
                shutil.chown(path, "postgres", "postgres")

    def url(self, database):
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database.name}"

    def connect(self, name):
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname=name, autocommit=True)

    def console(self, command):
        """The rows of an admin console's command, as dictionaries."""
        with self.connect("pgbouncer") as connection:
            cursor = connection.execute(command)
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row)) for row in cursor] if names else []

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, "setpriv", "--pdeathsig", "TERM", self.program, self.config], stdout=log, stderr=log,
                cwd=self.directory)

        def answers():
            assert self.process.poll() is None, self.log_path.read_text()
            try:
                return self.console("SHOW VERSION")
            except psycopg.OperationalError:
                return None

        wait_until(answers, "PgBouncer")
        return self

    def stop(self, how=signal.SIGTERM):
        """SIGTERM ends it at once, SIGINT waits for its clients."""
        if self.process:
            self.process.send_signal(how)
            self.process.wait(timeout=30)
            self.process = None

    def remove(self):
        self.stop()
        shutil.rmtree(self.directory)
