"""COPY of hooksd's rows by psql: the rate of PostgreSQL alone."""

import os
import subprocess
import time

IN_ORDER = "SELECT * FROM hook_events ORDER BY event_id"
SIZES = """SELECT sum(pg_table_size(relid)), sum(pg_indexes_size(relid))
    FROM (SELECT relid FROM pg_partition_tree(TABLE_NAME) UNION SELECT TABLE_NAME::regclass) AS tables"""


class Copies:
    """Rows in files, and the rate at which as many connections copy them into a table."""

    def __init__(self, bench, most, table="hook_events"):
        self.bench = bench
        self.database = bench.database
        self.rows = min(most, self.database.value(f"SELECT count(*) FROM {table}"))
        self.files = []

    def psql(self, command, **environment):
        program = self.database.server.bindir / "psql"
        words = [program, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", command, self.database.url]
        return subprocess.Popen(words, env=os.environ | environment)

    def export(self, select, form="(FORMAT binary)", parts=2):
        """Writes the first rows of the query, in order, to so many files."""
        rows = self.rows // parts
        self.rows = rows * parts
        files = []
        for part in range(parts):
            files.append(self.bench.work / f"rows-{len(self.files) + part}.copy")
            limited = f"{' '.join(select.split())} LIMIT {rows} OFFSET {rows * part}"
            assert self.psql(rf"\copy ({limited}) TO '{files[-1]}' {form}").wait() == 0
        self.files += files
        return files

    def remove(self):
        for file in self.files:
            file.unlink()

    def measure(self, name, files, table="hook_events", columns="", form="(FORMAT binary)", **environment):
        self.database.query(f"TRUNCATE {table}")
        self.database.query("CHECKPOINT")
        spent, wal, started = self.bench.postgres_seconds(), self.wal_bytes(), time.monotonic()
        clients = [self.psql(rf"\copy {table} {columns} FROM '{file}' {form}", **environment) for file in files]
        codes = [client.wait() for client in clients]
        elapsed = time.monotonic() - started
        spent, wal = self.bench.postgres_seconds() - spent, self.wal_bytes() - wal
        assert not any(codes) and self.database.value(f"SELECT count(*) FROM {table}") == self.rows
        heap, indexes = self.database.query(SIZES.replace('TABLE_NAME', f"'{table}'"))[0]
        return {
            "name": name, "stored_per_s": self.rows / elapsed, "cpu_postgres_us": 1e6 * spent / self.rows,
            "wal_bytes": wal / self.rows, "table_bytes": int(heap) / self.rows, "index_bytes": int(indexes) / self.rows,
        }

    def wal_bytes(self):
        return int(self.database.value("SELECT pg_current_wal_insert_lsn() - '0/0'"))
