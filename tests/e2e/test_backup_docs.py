"""
Runs the commands of docs/backup.md as they stand: they restore the store, and no webhook is sent before an operator
resumes deliveries.
"""

import os
import subprocess

import pytest

from harness.daemon import BUILD_DIR, REPOSITORY
from harness.documents import blocks
from harness.postgres import Database, PostgresServer
from harness.waiting import wait_until
from test_copies import SMALL, assert_goes_on, assert_waits, leave_jobs

pytestmark = pytest.mark.unsanitized("tests files of deploy/ and docs/ only")

KEYS = ("HL_API_KEY", "HL_ADMIN_KEY", "HL_MASTER_KEY")


def block_with(words):
    """The only block of commands with these words."""
    found, = [block for block in blocks((REPOSITORY / "docs/backup.md").read_text()) if words in block]
    return found


def run(block, environment, prefix=(), bindir=None, cwd=None):
    path = os.pathsep.join(map(str, filter(None, [BUILD_DIR, bindir, os.environ["PATH"]])))
    result = subprocess.run([*prefix, "sh", "-eu", "-c", block], env=os.environ | environment | {"PATH": path}, cwd=cwd,
                            capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, (block, result.stdout, result.stderr)
    return result.stdout


class Server(PostgresServer):
    """A server that the document's commands use as its user."""

    @property
    def url(self):
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def run_block(self, words, **places):
        environment = {"SERVER_URL": self.url} | {name: str(place) for name, place in places.items()}
        return run(block_with(words), environment, self.prefix, self.bindir, self.directory)


class Recovered(Server):
    """A server on the data that the document's `pg_ctl start` has recovered from a base backup."""

    def __init__(self, original, data):
        self.recovered = data
        super().__init__(original.settings)

    def create_data(self):
        self.data = self.recovered

    def remove(self):
        if self.process is None and (self.data / "postmaster.pid").exists():  # the server that pg_ctl has started
            self.run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", self.data)
        super().remove()


@pytest.fixture
def server():
    server = Server()
    server.start()
    yield server
    server.remove()


def test_the_commands_restore_the_embedded_store(make_hookline, receiver, tmp_path):
    hookline = make_hookline("embedded", **SMALL).start()
    leave_jobs(hookline, receiver)
    options = {name: str(value) for name, value in hookline.daemon.options.items()}
    run(block_with("snapshot create"), options | {"BACKUP": str(tmp_path)}, cwd=hookline.daemon.directory)
    snapshot, = tmp_path.glob("20*Z")
    run(block_with("store restore"), options | {"SNAPSHOT": str(snapshot)}, cwd=hookline.daemon.directory)
    hookline.start()
    assert_waits(hookline, receiver, "DATA_DIR")
    assert_goes_on(hookline, receiver)


@pytest.mark.wanted_by("SLOW_TESTS")
def test_the_commands_restore_a_dump_which_another_database_name_pauses(make_hookline, receiver, server):
    original = make_hookline("postgres", server.new_database(), **SMALL).start()
    leave_jobs(original, receiver)
    backup = server.new_directory("backup")
    server.run_block("pg_dump", BACKUP=backup, HL_POSTGRES_URL=original.database.url)
    copy = Database(server, "restored")
    server.run_block("pg_restore --exit", BACKUP=backup, NEW_NAME=copy.name, NEW_URL=copy.url)
    keys = {name: original.daemon.options[name] for name in KEYS}
    restored = make_hookline("postgres", copy, **SMALL | keys, HL_DEPLOYMENT="restored", HL_NODE_TIMEOUT_SECS=6,
                             STORE_TIMEOUT_MS=2000).start()
    assert_waits(restored, receiver, "HL_DEPLOYMENT")
    assert_goes_on(restored, receiver)


@pytest.mark.wanted_by("SLOW_TESTS")
def test_the_commands_recover_a_server_to_a_point_in_time_which_another_name_pauses(make_hookline, receiver, server):
    archive, backup = server.new_directory("archive"), server.new_directory("backup")
    server.run_block("archive_command", ARCHIVE=archive)
    with server.connect("postgres") as connection:  # the server that pg_ctl starts has this database too
        connection.execute(f"ALTER SYSTEM SET unix_socket_directories = '{server.directory}'")
    server.restart(server.settings)
    original = make_hookline("postgres", server.new_database(), **SMALL, HL_DEPLOYMENT="production").start()
    server.run_block("pg_basebackup", BACKUP=backup)
    tenant = leave_jobs(original, receiver)
    until = original.database.value("SELECT CAST(clock_timestamp() AS text)")
    original.database.query("DELETE FROM events")  # the mistake to undo
    last = original.database.value("SELECT pg_walfile_name(pg_current_wal_lsn())")
    original.database.query("SELECT pg_switch_wal()")
    wait_until(lambda: (archive / last).exists(), "the log to be archived")
    server.stop()

    data = server.directory / "recovered"
    recovered = Recovered(server, data)
    try:
        server.run_block("recovery_target_time", BACKUP=backup, ARCHIVE=archive, RECOVERED=data, UNTIL=until, PGPORT=recovered.port,
                         RECOVERED_URL=recovered.url)
        recovered.run("pg_ctl", "stop", "-w", "-D", data)
        recovered.start()
        keys = {name: original.daemon.options[name] for name in KEYS}
        node = make_hookline("postgres", Database(recovered, original.database.name), **SMALL | keys, HL_DEPLOYMENT="recovered",
                             HL_NODE_TIMEOUT_SECS=6, STORE_TIMEOUT_MS=2000).start()
        assert node.value("SELECT count(*) FROM events WHERE tenant_id = :id", id=tenant.id) == 3
        assert_waits(node, receiver, "HL_DEPLOYMENT")
        assert_goes_on(node, receiver)
        node.daemon.stop()
    finally:
        recovered.remove()
