"""
The webhooks' API for tests: daemons with both stores, tenants, clients with keys. A client checks every reply against
the OpenAPI document of its daemon.
"""

import contextlib
import http.client
import itertools
import json
import os
import re
import secrets
import sqlite3

import psycopg.rows
import pytest

from harness.client import JSON, Reply, encode
from harness.daemon import Daemon
from harness.openapi import document_of
from harness.waiting import wait_until

STORES = ["postgres", "embedded"]
# For tests of what acceptors do before a request reaches a store: one store is enough.
one_store = pytest.mark.parametrize("hookline", ["embedded"], indirect=True)
# For tests that run the same checks on each operation: `make test` runs them on one store.
postgres_is_slow = pytest.mark.parametrize(
    "hookline", ["embedded", pytest.param("postgres", marks=pytest.mark.wanted_by("SLOW_TESTS"))], indirect=True)
NOTHING = object()  # the body of a request that has none; None is the JSON value null

_numbers = itertools.count()


class ApiReply(Reply):
    @property
    def json(self):
        """The parsed body, or None for a reply without one."""
        return json.loads(self.body) if self.body else None


class ApiClient:
    """A client with one key. Each request has a new connection, so that requests reach all acceptors."""

    def __init__(self, hookline, key=None, key_id=None):
        """key: None sends no key."""
        self.hookline = hookline
        self.key = key
        self.id = key_id

    def request(self, method, path, body=NOTHING, headers=()):
        """
        body: bytes and texts are sent unchanged, everything else as JSON. headers: a dictionary, or pairs that may
        repeat a name. They replace the default headers.
        """
        pairs = list(headers.items() if isinstance(headers, dict) else headers)
        given = {name.lower() for name, _ in pairs}
        data = b"" if body is NOTHING else encode(body)
        usual = [("Authorization", f"Bearer {self.key}")] * (self.key is not None)
        if body is not NOTHING:
            usual += [("Content-Type", JSON)]
        if body is not NOTHING or method in ("POST", "PUT", "PATCH"):
            usual += [("Content-Length", str(len(data)))]
        connection = http.client.HTTPConnection("127.0.0.1", self.hookline.daemon.port, timeout=30)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_host="host" in given, skip_accept_encoding=True)
            for name, value in [pair for pair in usual if pair[0].lower() not in given] + pairs:
                connection.putheader(name, value)
            connection.endheaders(data)
            response = connection.getresponse()
            reply = ApiReply(response.status, response.headers, response.read())
        self.hookline.document.check(method, path, reply)
        return reply

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, body=NOTHING, **options):
        return self.request("POST", path, body, **options)

    def patch(self, path, body=NOTHING, **options):
        return self.request("PATCH", path, body, **options)

    def delete(self, path, **options):
        return self.request("DELETE", path, **options)

    def items(self, path):
        """All items of a list, page by page."""
        items, cursor = [], None
        while True:
            reply = self.get(path + (f"{'&' if '?' in path else '?'}cursor={cursor}" if cursor else ""))
            assert reply.status == 200, reply
            items += reply.json["items"]
            cursor = reply.json["next_cursor"]
            if cursor is None:
                return items


class Tenant:
    """A tenant for one test, and a client with a key of the scope *."""

    def __init__(self, hookline, created):
        self.hookline = hookline
        self.id = created["id"]
        self.client = ApiClient(hookline, created["api_key"])

    def key(self, scopes=("*",), **fields):
        """Makes another key. Returns a client with it, whose id is the key's id."""
        reply = self.hookline.admin.post(f"/v1/tenants/{self.id}/api-keys", {"scopes": list(scopes)} | fields)
        assert reply.status == 201, reply
        return ApiClient(self.hookline, reply.json["key"], reply.json["id"])


class Hookline:
    """A daemon with webhooks on one of STORES."""

    def __init__(self, daemon, store, database=None):
        self.daemon = daemon
        self.store = store
        self.database = database
        self.admin = ApiClient(self, daemon.options.get("HL_ADMIN_KEY"))
        self.start_key = ApiClient(self, daemon.options.get("HL_API_KEY"))
        self.keyless = ApiClient(self)
        self._document = None
        self._made = {}
        self._tables = None

    def start(self):
        self.daemon.start()
        self.wait_ready()
        return self

    def wait_ready(self):
        """
        Waits until acceptors know all keys, publishers have reached their store, and control answers from its store.
        """
        wait_until(lambda: self.daemon.get("/readyz").status == 200, "readiness", 30)
        wait_until(lambda: self.admin.get("/v1/tenants?limit=1").status != 503, "control and its store", 30)

    @property
    def document(self):
        if self._document is None:
            key = self.admin.key or self.start_key.key  # METRICS_REQUIRE_KEY demands a key here too
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            with self.daemon.client() as client:
                reply = client.request("GET", "/openapi.json", headers=headers)
            self._document = document_of(reply.body)
        return self._document

    def once(self, name, make):
        """The result of the first make(self) for that name. Tests share it, so no test may change it."""
        if name not in self._made:
            self._made[name] = make(self)
        return self._made[name]

    def new_tenant(self, **fields):
        reply = self.admin.post("/v1/tenants", {"name": f"tenant {next(_numbers)}"} | fields)
        assert reply.status == 201, reply
        return Tenant(self, reply.json)

    @property
    def data_path(self):
        """The embedded store's file."""
        data_dir = self.daemon.options.get("DATA_DIR", ".agentic/hooksd")
        return self.daemon.directory / self.daemon.options.get("HL_DATA_PATH", f"{data_dir}/hookline.db")

    @contextlib.contextmanager
    def reader(self):
        """
        A function from SQL and parameters (:name for both stores) to rows as dictionaries, on a connection of this
        process to the store. Times and booleans have the store's own types.
        """
        if self.store == "postgres":
            with self.database.session() as connection:
                def read(sql, **parameters):
                    cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
                    cursor.execute(re.sub(r"(?<!:):(\w+)", r"%(\1)s", sql), parameters)
                    return cursor.fetchall() if cursor.description else []

                yield read
            return
        with contextlib.closing(sqlite3.connect(self.data_path, timeout=20, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            yield lambda sql, **parameters: [dict(row) for row in connection.execute(sql, parameters)]

    def query(self, sql, **parameters):
        """The rows of one statement. See reader()."""
        with self.reader() as read:
            return read(sql, **parameters)

    def tables_of_tenants(self):
        """The names of all tables with a column tenant_id, from the store's catalog."""
        if self.store == "postgres":
            names = """SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
                       WHERE a.attname = 'tenant_id' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                         AND c.relnamespace = 'public'::regnamespace"""
        else:
            names = """SELECT m.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c
                       WHERE m.type = 'table' AND c.name = 'tenant_id'"""
        if self._tables is None:
            self._tables = [row["name"] for row in self.query(names)]
        return self._tables

    def counts_of(self, tenant_id):
        """The number of a tenant's rows by table, without empty ones."""
        with self.reader() as read:
            counts = {name: read(f"SELECT count(*) AS n FROM {name} WHERE tenant_id = :id", id=tenant_id)[0]["n"]
                      for name in self.tables_of_tenants()}
        return {name: count for name, count in counts.items() if count}

    def rows_of(self, tenant_id):
        """All rows of a tenant by table, without the traces of a key's use and the figures of each minute."""
        names = [name for name in self.tables_of_tenants() if name != "tenant_stats"]
        with self.reader() as read:
            tables = {name: read(f"SELECT * FROM {name} WHERE tenant_id = :id", id=tenant_id) for name in names}
        return {table: sorted(repr({name: value for name, value in row.items() if name != "last_used_at"}) for row in rows)
                for table, rows in tables.items()}

    def value(self, sql, **parameters):
        return next(iter(self.query(sql, **parameters)[0].values()))


def make_hookline(directory, store, database=None, **options):
    """
    A Hookline that is not started, with a directory of its own. database: for the store postgres. An option that is
    None is not set.
    """
    number = next(_numbers)
    home = directory / f"hookline-{store}-{number}"
    home.mkdir()
    defaults = {
        "HOST": "127.0.0.1",
        "PORT": 0,
        "ACCEPTORS": 2,
        "RING_PATH": f"/dev/shm/hooksd-e2e-{os.getpid()}-hookline-{number}.ring",
        "HL_STORE_BACKEND": store,
        "HL_API_KEY": f"start-{secrets.token_hex(16)}",
        "HL_ADMIN_KEY": f"admin-{secrets.token_hex(16)}",
        "HL_MASTER_KEY": secrets.token_hex(32),
        "HL_ALLOW_NETWORKS": "127.77.0.0/16",  # the receivers of tests; others of this machine are refused
    }
    if database:
        defaults["HL_POSTGRES_URL"] = database.url
    options = {name: value for name, value in (defaults | options).items() if value is not None}
    return Hookline(Daemon(home, options), store, database)


def clean_up(hooklines):
    """Stops all daemons, then raises the first problem."""
    problems = []
    for hookline in hooklines:
        try:
            hookline.daemon.clean_up()
        except Exception as problem:
            problems.append(problem)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(hookline.daemon.options["RING_PATH"])
    if problems:
        raise problems[0]
