"""The tables of the measured rows, as text for the terminal and as Markdown."""

from dataclasses import dataclass, field


DESCRIBING = {"name", "storage", "events_per_body", "connections"}  # a row with only these cells is not shown


@dataclass
class Table:
    title: str
    columns: list  # (key of a row, heading, digits after the point, or None for text)
    rows_of: str = ""  # the case whose rows the table shows; by default the case of its name
    plot: dict = field(default_factory=dict)  # for plot.plot()

    def lines(self, rows):
        figures = {key for key, _, _ in self.columns} - DESCRIBING
        shown = [row for row in rows if any(row.get(key) is not None for key in figures)]
        return [[cell(row.get(key), digits) for key, _, digits in self.columns] for row in shown]

    def headings(self):
        return [heading for _, heading, _ in self.columns]


def cell(value, digits):
    if value is None:
        return "-"
    return str(value) if digits is None else f"{value:,.{digits}f}"


NAME = ("name", "", None)
STORE = ("storage", "store", None)
EVENTS = ("events_per_body", "events in a body", 0)
CONNECTIONS = ("connections", "connections", 0)
ACCEPTED = ("accepted_per_s", "accepted/s", 0)
STORED = ("stored_per_s", "stored/s", 0)
P50, P99, P999 = ("p50_ms", "p50 ms", 2), ("p99_ms", "p99 ms", 2), ("p999_ms", "p99.9 ms", 2)
REFUSED = ("refused_percent", "refused %", 1)
OTHERS = ("others_percent", "others' CPU %", 0)
CPU = [
    ("cpu_acceptors_us", "acceptors", 2), ("cpu_writers_us", "writers", 2), ("cpu_postgres_us", "PostgreSQL", 2),
    ("cpu_client_us", "client", 2),
]
CPU_SUM = ("cpu_us", "CPU µs/event", 2)
STORE_AGAINST = {"y": "stored_per_s", "log_x": True}

TABLES = {
    "rates": Table(
        "Events a second at full load",
        [NAME, EVENTS, CONNECTIONS, ACCEPTED, STORED, P50, P99, REFUSED, ("of_noop", "of doing nothing", 2),
         ("of_ceiling", "of the yardstick", 2), OTHERS],
        plot={"y": "stored_per_s"},
    ),
    "cpu": Table("CPU µs for each event, by process", [NAME, EVENTS, *CPU], "rates"),
    "footprint": Table(
        "Memory of hooksd at full load, MiB",
        [NAME, EVENTS, ("private_mib", "private", 1), ("segment_mib", "segment", 1), ("memory_mib", "together", 1),
         ("rss_mib", "RSS + segment", 1)],
        "rates",
    ),
    "latency": Table(
        "Latency at half of the highest rate",
        [NAME, EVENTS, CONNECTIONS, ("requests_per_s", "requests/s", 0), ("of_highest", "of the highest", 2), P50, P99,
         P999, ("max_ms", "longest ms", 2), ("due_p50_ms", "p50 with waiting", 2),
         ("due_p99_ms", "p99 with waiting", 2), ("due_p999_ms", "p99.9 with waiting", 2), OTHERS],
    ),
    "stages": Table(
        "Where the CPU of an event goes, batches of 100",
        [NAME, ("instructions", "instructions", 0), ("jsonl_us", "JSONL µs", 3), ("postgres_us", "PostgreSQL µs", 3)],
    ),
    "processes": Table(
        "Numbers of processes, batches of 100",
        [STORE, ("acceptors", "acceptors", 0), ("writers", "writers", 0), STORED, P99, *CPU, OTHERS],
    ),
    "connections": Table(
        "Numbers of connections, single events",
        [STORE, CONNECTIONS, STORED, P50, P99, REFUSED, CPU_SUM, ("memory_mib", "memory MiB", 0), OTHERS],
        plot={"x": "connections"} | STORE_AGAINST,
    ),
    "sizes": Table(
        "Sizes of events",
        [STORE, ("event_bytes", "bytes", 0), EVENTS, STORED, ("megabytes_per_s", "MB/s", 0), P99, *CPU, OTHERS],
        plot={"x": "event_bytes"} | STORE_AGAINST,
    ),
    "batches": Table(
        "Sizes of batches",
        [STORE, EVENTS, CONNECTIONS, STORED, P50, P99, REFUSED, *CPU, OTHERS],
        plot={"x": "events_per_body"} | STORE_AGAINST,
    ),
    "duplicates": Table(
        "Events that were stored before",
        [("duplicates_percent", "sent again %", 0), ("found_percent", "found %", 1), ACCEPTED, STORED, P99, *CPU,
         OTHERS],
    ),
    "ids": Table("Ids of events", [("ids", "event_id", None), STORED, P99, *CPU, OTHERS]),
    "copy": Table(
        "COPY by two connections, one thing changed at a time",
        [NAME, ("stored_per_s", "rows/s", 0), ("cpu_postgres_us", "CPU µs/row", 2), ("wal_bytes", "WAL bytes/row", 0),
         ("table_bytes", "table bytes/row", 0), ("index_bytes", "index bytes/row", 0)],
    ),
    "spool": Table("PostgreSQL unavailable, and back", [NAME, EVENTS, STORED, P50, P99, REFUSED, *CPU]),
    "write_turn": Table(
        "A small change beside a process that writes to the same SQLite database without pause",
        [NAME, ("changes", "changes", 0), P50, P99, ("max_ms", "longest ms", 2), STORED],
    ),
    "management": Table(
        "The management API, 8 connections as fast as it answers",
        [NAME, ("requests_per_s", "requests/s", 0), P50, P99, ("us", "µs", 2)],
    ),
    "moves": Table(
        "Events while the management API is used",
        [NAME, ("events_per_s", "events/s", 0), ("requests_per_s", "management requests/s", 0),
         ("p99_ratio", "p99, with to without", 2), ("rate_ratio", "accepted/s, with to without", 2),
         ("without_low", "p99 without to without, lower quarter", 2), ("without", "half", 2), ("without_high", "upper quarter", 2)],
    ),
    "publish": Table(
        "Publishing events of 500 bytes that nobody subscribes to",
        [NAME, EVENTS, CONNECTIONS, ACCEPTED, STORED, ("of_ceiling", "of the ceiling", 2), P50, P99,
         *[(f"cpu_{role}_us", role, 2) for role in ("acceptors", "publishers")], ("cpu_postgres_us", "PostgreSQL", 2),
         ("cpu_client_us", "client", 2), OTHERS],
    ),
    "delivery": Table(
        "Events of 500 bytes, published in batches of 10 and each delivered to one endpoint, as many as are delivered in time",
        [NAME, ("endpoints", "endpoints", 0), ("published_per_s", "published/s", 0), ("delivered_per_s", "delivered/s", 0),
         ("cpu_us", "CPU µs/event", 1),
         *[(f"cpu_{role}_us", role, 1) for role in ("acceptors", "publishers", "couriers", "control")],
         ("cpu_postgres_us", "PostgreSQL", 1), ("cpu_client_us", "client", 1), ("cpu_receiver_us", "receiver", 1), OTHERS],
    ),
    "snapshot": Table(
        "The same under a snapshot that is five minutes old",
        [NAME, ("published_per_s", "published/s", 0), ("delivered_per_s", "delivered/s", 0),
         ("of_before", "of the rate before", 2), ("cpu_us", "CPU µs/event", 1), ("cpu_postgres_us", "PostgreSQL", 1), OTHERS],
    ),
    "delivery_latency": Table(
        "From sending a publish to the arrival of its first attempt",
        [NAME, ("published_per_s", "published/s", 0), P50, ("p95_ms", "p95 ms", 2), P99, ("max_ms", "longest ms", 2), OTHERS],
    ),
    "backup": Table(
        "From when a publish was due to its reply, without snapshots of the embedded store and beside them",
        [NAME, ("published_per_s", "published/s", 0), ("p50_ms", "p50 ms without", 2), ("p50_beside_ms", "with", 2),
         ("p99_ms", "p99 ms without", 2), ("p99_beside_ms", "with", 2), ("p99_ratio", "p99, with to without, half", 2),
         ("low", "lower quarter", 2), ("high", "upper quarter", 2), ("snapshot_s", "snapshot s", 1), ("snapshot_mib", "MiB", 0)],
    ),
    "adoption": Table(
        "Jobs of a node that is gone, from their adoption on",
        [NAME, ("jobs", "jobs", 0), ("endpoints", "endpoints", 0), ("moved_s", "all moved, s", 1),
         ("delivered_s", "all delivered, s", 1)],
    ),
    "bloat": Table(
        "2,000 events a second for ten minutes, each delivered to one of 20 endpoints: the first minute, the last, and a start",
        [NAME, ("delivered_per_s", "delivered/s", 0), ("first_cpu_us", "CPU µs/event, first minute", 1), ("cpu_us", "last", 1),
         ("first_cpu_postgres_us", "PostgreSQL, first minute", 1), ("cpu_postgres_us", "last", 1),
         ("jobs_mib", "jobs MiB", 0), ("start_s", "start with 1,000 jobs, s", 1)],
    ),
    "fair": Table(
        "From sending a publish to the arrival of its first attempt at 1,000 endpoints, beside three that fail or are behind",
        [NAME, ("published_per_s", "published/s", 0), ("waiting_jobs", "waiting jobs", 0), ("p50_ms", "p50 ms without", 2),
         ("p50_beside_ms", "with", 2), ("p50_ratio", "ratio", 2), ("p95_ms", "p95 ms without", 2), ("p95_beside_ms", "with", 2),
         ("p95_ratio", "ratio", 2), ("without_low", "p95 without to without, lower quarter", 2), ("without", "half", 2),
         ("without_high", "upper quarter", 2), ("memory_mib", "memory MiB", 0), ("full_mib", "at full load", 0)],
    ),
    "hostile": Table(
        "Good clients beside 10,000 idle ones, 2,000 that send heads slowly and 2,000 that send bodies slowly",
        [NAME, ("requests_per_s", "requests/s", 0), ("clients", "hostile clients", 0), ("p50_ms", "p50 ms without", 2),
         ("p50_beside_ms", "with", 2), ("p99_ms", "p99 ms without", 2), ("p99_beside_ms", "with", 2), ("p99_ratio", "ratio", 2),
         ("without_low", "p99 without to without, lower quarter", 2), ("without", "half", 2), ("without_high", "upper quarter", 2),
         ("not_taken", "requests refused", 0), ("quiet_mib", "acceptor MiB before", 1), ("memory_mib", "with", 1),
         ("most_mib", "at most", 0)],
    ),
    "queues": Table(
        "Job queues with a handler that does nothing, beside events that are published and delivered",
        [NAME, ("work", "work", None), ("delivered_per_s", "jobs/s", 0), ("cpu_us", "CPU µs/job", 1),
         ("cpu_queue_us", "node or hooksd", 1), ("cpu_postgres_us", "PostgreSQL", 1), ("cpu_client_us", "client", 1),
         ("cpu_receiver_us", "receiver", 1), OTHERS],
    ),
    "routing": Table(
        "Routing an event, one part at a time",
        [NAME, ("ns", "ns", 0), ("of_scan", "of scanning the event", 1), ("of_copy", "of copying it", 0), ("bytes", "bytes", 0)],
    ),
    "peers": Table(
        "Other programs, same bodies",
        [NAME, EVENTS, CONNECTIONS, ACCEPTED, STORED, P50, P99, CPU_SUM],
    ),
    "trace": Table(
        "Longest latency in each tenth of a second",
        [NAME, EVENTS, ("requests_per_s", "requests/s", 0), P50, P99, P999, ("slots", "tenths", 0),
         ("slot_p50_ms", "longest, half of them ms", 2), ("slot_p99_ms", "longest, 99 % of them ms", 2),
         ("due_max_ms", "longest of all ms", 2), OTHERS],
        plot={"series": "ms", "x": "seconds"},
    ),
    "memory": Table(
        "Memory over time, MiB",
        [NAME, ("seconds", "seconds", 0), ("events", "events", 0), ("tenth_mib", "after a tenth", 1),
         ("half_mib", "after half", 1), ("end_mib", "at the end", 1), ("highest_mib", "highest", 1)],
        plot={"series": "MiB", "x": "seconds"},
    ),
    "growth": Table(
        "Cost of an event while the month grows",
        [NAME, ("million_rows", "million rows", 2), STORED, *CPU, ("wal_bytes", "WAL bytes/event", 0),
         ("table_mib", "table MiB", 0), ("indexes_mib", "indexes MiB", 0),
         ("empty_cpu_postgres_us", "PostgreSQL, empty month", 2), ("of_empty", "of that", 2), OTHERS],
        plot={"x": "million_rows", "y": "of_empty", "y_title": "CPU of PostgreSQL, as a multiple of an empty month's"},
    ),
}


def table_rows(name, results):
    """(rows, description of their run), or ([], None) without results."""
    found = results.get(TABLES[name].rows_of or name)
    return (found["rows"], found["about"]) if found else ([], None)


def text(table, rows):
    lines = [table.headings(), *table.lines(rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(table.columns))]
    formats = [f"{{:{'<' if column[2] is None else '>'}{width}}}" for column, width in zip(table.columns, widths)]
    aligned = ["  ".join(form.format(word) for form, word in zip(formats, line)).rstrip() for line in lines]
    return "\n".join([table.title, *aligned, ""])


def markdown(table, rows):
    rule = ["---" if digits is None else "---:" for _, _, digits in table.columns]
    return "\n".join(f"| {' | '.join(line)} |" for line in [table.headings(), rule, *table.lines(rows)])
