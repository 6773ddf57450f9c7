"""Takes and restores snapshots of the embedded store as an operator does, also of a store without a daemon."""

import contextlib
import json
import shutil
import sqlite3

from harness.daemon import run_program


class StoredHere:
    """
    An embedded store with some rows, in a directory of its own and without a daemon. store() runs `hooksctl store`.
    """

    def __init__(self, directory, tenants=3):
        self.data_dir = directory / "data"
        self.path = self.data_dir / "hookline.db"
        self.options = {"DATA_DIR": self.data_dir, "HL_STORE_BACKEND": "embedded", "HL_API_KEY": "a-key-of-this-test",
                        "STORAGE_TYPE": "jsonl", "JSONL_PATH": directory / "events.jsonl"}
        made = run_program("hooksctl", "migrate", options=self.options)
        assert made.returncode == 0, made
        self.data_dir.chmod(0o700)
        for number in range(tenants):
            self.add(f"tenant-{number}")

    def add(self, tenant):
        with self.connect() as database:
            database.execute("INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES (?, ?, 1, 1)", (tenant, "x" * 300))

    @contextlib.contextmanager
    def connect(self):
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as database:
            yield database

    def tenants(self):
        with self.connect() as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            return {row[0] for row in database.execute("SELECT tenant_id FROM tenants")}

    def store(self, *words):
        return run_program("hooksctl", "store", *words, options=self.options)

    def files(self):
        """Names and content of all files in DATA_DIR, without the lock, which also a refused command may create."""
        return {path.relative_to(self.data_dir): path.read_bytes() for path in self.data_dir.rglob("*")
                if path.is_file() and path.name != "lock"}


def create(options, dest, cwd=None):
    run = run_program("hooksctl", "store", "snapshot", "create", f"--dest={dest}", options=options, cwd=cwd)
    assert (run.returncode, run.stderr) == (0, ""), run
    return run


class Snapshot:
    """A copy of a snapshot that the test may damage."""

    def __init__(self, of, at):
        shutil.copytree(of, at)
        self.path = at
        self.database = at / "hookline.db"
        self.manifest_path = at / "manifest.json"

    @property
    def manifest(self):
        return json.loads(self.manifest_path.read_text())

    def say(self, **members):
        self.manifest_path.write_text(json.dumps(self.manifest | members))
