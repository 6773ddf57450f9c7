"""Makes up rows for every table of the webhooks' store, by the types of columns, and reads both stores in one form."""

import contextlib
import json
import sqlite3
import zlib

TYPES = """SELECT c.relname, a.attname, format_type(a.atttypid, NULL), a.attnotnull
           FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
           WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
             AND c.relnamespace = 'public'::regnamespace ORDER BY 1, a.attnum"""
# Tables that describe the store itself, most with one row.
OF_THE_STORE = {"changes", "inbox_keys", "store_identity", "hookline_schema_migrations", "delivery_nodes", "endpoint_tests"}
NOT_MOVED = {"endpoints": {"lease_epoch", "lease_until", "pinned_node_id"}}
HOOK_EVENTS = {"hook_events", "hook_event_log", "hook_events_dead_letters", "hooks_schema_migrations"}
MONTH_MS = 30 * 86400000
SPECIAL = ("", "\x01\t\n\"\\'", "Grüße, 日本語, 😀, e\u0301", "%_{}[],;$1 NULL \\N", " ")


def columns(database):
    """{table: [(column, PostgreSQL's type, whether it is NOT NULL)]} of a database with the webhooks' tables."""
    found = {}
    for table, column, kind, filled in database.query(TYPES):
        if table not in HOOK_EVENTS:
            found.setdefault(table, []).append((column, kind, filled))
    return found


def made_up_id(column, number):
    """A UUID for that number. The order of the UUIDs differs from the order of the numbers."""
    return f"{number * 2654435761 % 2**32:08x}-0000-4000-8000-{zlib.crc32(column.encode()):08x}{number % 2**16:04x}"


def made_up(table, column, kind, number):
    """A value of the column's type. Different numbers give different texts and ids."""
    text = f"{SPECIAL[number % len(SPECIAL)]}{number}"
    if column == "breaker":
        return ("closed", "open", "half_open")[number % 3]
    if column == "tenant_id":
        return f"tenant-{number % 7}.{number}" if table in ("tenants", "pauses", "tenant_stats", "routing_versions") else f"t{number % 3}"
    if kind == "uuid":
        return made_up_id(column, number)
    if kind == "uuid[]":
        return json.dumps([made_up_id(column, 4 * number + item) for item in range(number % 4)], separators=(",", ":"))
    if kind == "json":
        return json.dumps({"z": text, "a": [1.10, None], "n": 10**18 + number}, ensure_ascii=bool(number % 2)) + "\n"
    if kind == "timestamp with time zone":
        return 1700000000000 + number * 7919 % (14 * MONTH_MS)
    if kind == "boolean":
        return number % 2
    if kind in ("smallint", "integer", "bigint"):
        bits = {"smallint": 15, "integer": 31, "bigint": 63}[kind]
        return (2**bits - 1, -(2**bits), 0, number % 2**bits)[number % 4] if column not in ("id", "node_id") else 1 + number % 5
    return text


def fill(path, tables, rows):
    """
    Adds made-up rows to an embedded store. rows: the number of rows by table; other tables get 20. Every fourth row has
    NULL in all columns that allow it.
    """
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for table, fields in tables.items():
            if table in OF_THE_STORE:
                continue
            names = [column for column, _, _ in fields]
            values = ([None if not filled and number % 4 == 3 else made_up(table, column, kind, number)
                       for column, kind, filled in fields] for number in range(rows.get(table, 20)))
            connection.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})", values)
        connection.execute("INSERT INTO inbox_keys (id, key) VALUES (1, 'a key')")
        connection.execute("UPDATE changes SET version = 4711, removed_version = 17")


def moved(tables):
    """The tables and columns that a move copies, without the columns of nodes."""
    left = OF_THE_STORE - {"changes", "inbox_keys"}
    return {table: [(column, kind) for column, kind, _ in fields if column not in NOT_MOVED.get(table, ()) and column != "node_id"]
            for table, fields in tables.items() if table not in left}


def of_sqlite(path, tables):
    """
    {table: sorted rows of texts} of an embedded store, without the pause of all deliveries, which is never copied.
    """
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return {table: sorted(connection.execute(
            f"SELECT {', '.join(f'CAST({column} AS TEXT)' for column, _ in fields)} FROM {table}"
            + " WHERE tenant_id <> '*'" * (table == "pauses")), key=repr) for table, fields in moved(tables).items()}


def of_postgres(database, tables):
    """The same for a PostgreSQL database."""
    forms = {"timestamp with time zone": "floor(EXTRACT(epoch FROM {0}) * 1000)::bigint::text", "boolean": "{0}::int::text",
             "uuid[]": "array_to_json({0})::text"}
    found = {}
    with database.server.connect(database.name) as connection:
        for table, fields in moved(tables).items():
            values = ", ".join(forms.get(kind, "{0}::text").format(column) for column, kind in fields)
            rows = connection.execute(f"SELECT {values} FROM {table}" + " WHERE tenant_id <> '*'" * (table == "pauses"))
            found[table] = sorted(rows.fetchall(), key=repr)
    return found
