"""What PostgreSQL itself makes of rows that hooksd has stored: COPY as it is, and with one thing changed at a time."""

import os
import subprocess
import time

from cases import BATCH, case, services

ROWS = 500_000
IN_ORDER = "SELECT * FROM hook_events ORDER BY event_id"
BY_SESSION = """SELECT (stored).* FROM (SELECT hook_events AS stored, row_number() OVER (ORDER BY event_id) / 5000 AS batch
    FROM hook_events) AS numbered ORDER BY batch, (stored).session_id, (stored)."timestamp" """
TEXTS = ["tenant_id", "client_event_id", "event_type", "session_id", "workflow_id", "phase_id", "milestone_id", "data"]
TEXTS_FIRST = ", ".join(["event_type", "session_id", "created_date", "tenant_id", '"timestamp"', "client_event_id",
                         "received_at", "workflow_id", "phase_id", "milestone_id", "event_id", "data"])
SIZES = """SELECT sum(pg_table_size(relid)), sum(pg_indexes_size(relid))
    FROM (SELECT relid FROM pg_partition_tree(TABLE_NAME) UNION SELECT TABLE_NAME::regclass) AS tables"""
MIB = 1 << 20


class Copies:
    """Rows in files, in halves, and how fast two connections bring them into a table."""

    def __init__(self, bench):
        self.bench = bench
        self.database = bench.database
        self.rows = self.database.count()
        self.files = []

    def psql(self, command, **environment):
        program = self.database.server.bindir / "psql"
        words = [program, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", command, self.database.url]
        return subprocess.Popen(words, env=os.environ | environment)

    def export(self, select, form="(FORMAT binary)"):
        """Two files with half of what the query gives, in its order."""
        halves = [f"LIMIT {self.rows // 2}", f"OFFSET {self.rows // 2}"]
        files = [self.bench.work / f"{len(self.files)}-{half}.copy" for half in range(len(halves))]
        self.files += files
        for file, half in zip(files, halves):
            assert self.psql(rf"\copy ({' '.join(select.split())} {half}) TO '{file}' {form}").wait() == 0
        return files

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
        self.bench.add("copy", {
            "name": name, "stored_per_s": self.rows / elapsed, "cpu_postgres_us": 1e6 * spent / self.rows,
            "wal_bytes": wal / self.rows, "table_bytes": int(heap) / self.rows, "index_bytes": int(indexes) / self.rows,
        })

    def wal_bytes(self):
        return int(self.database.value("SELECT pg_current_wal_insert_lsn() - '0/0'"))


@case
def copy(bench):
    """COPY of the same rows, alone, with one thing changed at a time: order, format, indexes, columns, WAL"""
    with services(bench, "postgres") as service:
        service.measure("rows to copy", **BATCH, seconds=60, requests=bench.events(ROWS) // 100)
    copies, query = Copies(bench), bench.database.query
    (month,), *more = query("SELECT DISTINCT tableoid::regclass::text FROM hook_events")
    assert not more, "a month has just begun: run it again"
    stored, sorted_rows = copies.export(IN_ORDER), copies.export(BY_SESSION)
    text = copies.export(IN_ORDER, "")
    random_ids = copies.export(IN_ORDER.replace("*", ", ".join(
        ["gen_random_uuid()", '"timestamp"', "received_at", "created_date", *TEXTS])))
    texts_first = copies.export(IN_ORDER.replace("*", TEXTS_FIRST))

    copies.measure("binary, in the order of ids", stored)
    copies.measure("text instead of binary", text, form="")
    copies.measure("5,000 at a time sorted by session", sorted_rows)
    copies.measure("random ids (UUIDv4)", random_ids)
    copies.measure("straight into the month's table", stored, table=month)
    copies.measure("wal_compression = lz4", stored, PGOPTIONS="-c wal_compression=lz4")
    copies.measure("synchronous_commit = off", stored, PGOPTIONS="-c synchronous_commit=off")
    with_setting(bench, "full_page_writes = off", lambda name: copies.measure(name, stored))
    with_setting(bench, "wal_buffers = '64MB'", lambda name: copies.measure(name, stored))

    query(f"CREATE TABLE columns_mixed AS SELECT {TEXTS_FIRST} FROM hook_events LIMIT 0")
    query("ALTER TABLE columns_mixed ADD PRIMARY KEY (event_id, created_date)")
    query('CREATE INDEX ON columns_mixed (session_id, "timestamp")')
    query('CREATE INDEX ON columns_mixed USING brin ("timestamp")')
    copies.measure("columns in an order that needs padding", texts_first, table="columns_mixed")
    query("DROP TABLE columns_mixed")

    query("CREATE TABLE fewer (LIKE hook_events INCLUDING DEFAULTS)")
    copies.measure("without any index", stored, table="fewer")
    query("ALTER TABLE fewer ADD PRIMARY KEY (event_id, created_date)")
    copies.measure("with the key alone", stored, table="fewer")
    query('CREATE INDEX ON fewer (session_id, "timestamp")')
    copies.measure("with the key and the index of sessions", stored, table="fewer")
    query("ALTER INDEX fewer_pkey SET (fillfactor = 100)")
    copies.measure("the same, the key's index filled (fillfactor = 100)", stored, table="fewer")
    query("DROP TABLE fewer")
    copies.measure("the first once more", stored)
    for file in copies.files:
        file.unlink()


def with_setting(bench, setting, measure):
    """For settings that the whole server has."""
    name = setting.split(" = ")[0]
    for change in (f"ALTER SYSTEM SET {setting}", f"ALTER SYSTEM RESET {name}"):
        bench.database.query(change)
        bench.server.stop()
        bench.server.start()
        if "RESET" not in change:
            measure(setting)
