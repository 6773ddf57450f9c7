"""The rate of COPY itself under various conditions, for DBAs and for the design of the schema."""

from cases import BATCH, case, services
from copies import IN_ORDER, Copies

ROWS = 500_000
BY_SESSION = """SELECT (stored).* FROM (SELECT hook_events AS stored, row_number() OVER (ORDER BY event_id) / 5000 AS batch
    FROM hook_events) AS numbered ORDER BY batch, (stored).session_id, (stored)."timestamp", (stored).event_id"""
TEXTS = ["tenant_id", "client_event_id", "event_type", "session_id", "workflow_id", "phase_id", "milestone_id", "data"]
TEXTS_FIRST = ", ".join(["event_type", "session_id", "created_date", "tenant_id", '"timestamp"', "client_event_id",
                         "received_at", "workflow_id", "phase_id", "milestone_id", "event_id", "data"])


@case
def copy(bench):
    """COPY of the same rows, alone, with one thing changed at a time: order, format, indexes, columns, WAL"""
    with services(bench, "postgres") as service:
        service.measure("rows to copy", **BATCH, seconds=60, requests=bench.events(ROWS) // 100)
    copies, query = Copies(bench, ROWS), bench.database.query
    (month,), *more = query("SELECT DISTINCT tableoid::regclass::text FROM hook_events")
    assert not more, "a month has just begun: run the case again"
    stored, sorted_rows = copies.export(IN_ORDER), copies.export(BY_SESSION)
    text = copies.export(IN_ORDER, "")
    random_ids = copies.export(IN_ORDER.replace("*", ", ".join(
        ["gen_random_uuid()", '"timestamp"', "received_at", "created_date", *TEXTS])))
    texts_first = copies.export(IN_ORDER.replace("*", TEXTS_FIRST))

    def measure(name, files, **options):
        bench.add("copy", copies.measure(name, files, **options))

    measure("binary, in the order of ids", stored)
    measure("text instead of binary", text, form="")
    measure("5,000 at a time sorted by session", sorted_rows)
    measure("random ids (UUIDv4)", random_ids)
    measure("straight into the month's table", stored, table=month)
    measure("wal_compression = lz4", stored, PGOPTIONS="-c wal_compression=lz4")
    measure("synchronous_commit = off", stored, PGOPTIONS="-c synchronous_commit=off")
    for setting, value in (("full_page_writes", "off"), ("wal_buffers", "64MB"), ("backend_flush_after", "2MB")):
        with bench.server.with_settings(**{setting: value}):
            measure(f"{setting} = {value}", stored)

    query(f"CREATE TABLE columns_mixed AS SELECT {TEXTS_FIRST} FROM hook_events LIMIT 0")
    query("ALTER TABLE columns_mixed ADD PRIMARY KEY (event_id, created_date)")
    query('CREATE INDEX ON columns_mixed (session_id, "timestamp")')
    query('CREATE INDEX ON columns_mixed USING brin ("timestamp")')
    measure("columns in an order that needs padding", texts_first, table="columns_mixed")
    query("DROP TABLE columns_mixed")

    query("CREATE TABLE fewer (LIKE hook_events INCLUDING DEFAULTS)")
    measure("without any index", stored, table="fewer")
    query("ALTER TABLE fewer ADD PRIMARY KEY (event_id, created_date)")
    measure("with the key alone", stored, table="fewer")
    query('CREATE INDEX ON fewer (session_id, "timestamp")')
    measure("with the key and the index of sessions", stored, table="fewer")
    query('ALTER TABLE fewer ALTER session_id TYPE text COLLATE "en-US-x-icu"')
    measure("the same, sessions compared as English (en-US-x-icu)", stored, table="fewer")
    query('ALTER TABLE fewer ALTER session_id TYPE text COLLATE "C"')
    query("ALTER INDEX fewer_pkey SET (fillfactor = 100)")
    measure("those two, the key's index filled (fillfactor = 100)", stored, table="fewer")
    query("DROP TABLE fewer")
    measure("the first once more", stored)
    copies.remove()
