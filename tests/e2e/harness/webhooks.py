"""
The webhooks' API as its users speak it: daemons over both stores, tenants, clients with keys. Every reply that a client
gets is held against the OpenAPI document that its daemon serves.
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
# Over one of them: tests of what acceptors do before any store is asked.
one_store = pytest.mark.parametrize("hookline", ["embedded"], indirect=True)
# `make test` has them over one: tests that ask each operation the same.
postgres_is_slow = pytest.mark.parametrize(
    "hookline", ["embedded", pytest.param("postgres", marks=pytest.mark.wanted_by("SLOW_TESTS"))], indirect=True)
NOTHING = object()  # the body of a request that has none; None is the JSON value null

_numbers = itertools.count()


class ApiReply(Reply):
    @property
    def json(self):
        """Of a reply without a body None."""
        return json.loads(self.body) if self.body else None


class ApiClient:
    """Asks as the holder of one key. Each request has a connection of its own, so that all acceptors are asked."""

    def __init__(self, hookline, key=None, key_id=None):
        """key: None sends none."""
        self.hookline = hookline
        self.key = key
        self.id = key_id

    def request(self, method, path, body=NOTHING, headers=()):
        """
        body: bytes and texts go as they are, everything else as JSON. headers: a dictionary, or pairs, of which
        several may have one name; they replace the usual ones.
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
        """The items of all pages of a list."""
        items, cursor = [], None
        while True:
            reply = self.get(path + (f"{'&' if '?' in path else '?'}cursor={cursor}" if cursor else ""))
            assert reply.status == 200, reply
            items += reply.json["items"]
            cursor = reply.json["next_cursor"]
            if cursor is None:
                return items


class Tenant:
    """One of a test's own, and the client that has the key with the scope *."""

    def __init__(self, hookline, created):
        self.hookline = hookline
        self.id = created["id"]
        self.client = ApiClient(hookline, created["api_key"])

    def key(self, scopes=("*",), **fields):
        """Makes another key: a client whose id is the key's."""
        reply = self.hookline.admin.post(f"/v1/tenants/{self.id}/api-keys", {"scopes": list(scopes)} | fields)
        assert reply.status == 201, reply
        return ApiClient(self.hookline, reply.json["key"], reply.json["id"])


class Hookline:
    """A daemon whose webhooks are on, over one of STORES."""

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
        """Until all keys are known, publishers have reached their store, and control's answers now."""
        wait_until(lambda: self.daemon.get("/readyz").status == 200, "readiness", 30)
        wait_until(lambda: self.admin.get("/v1/tenants?limit=1").status != 503, "control and its store", 30)

    @property
    def document(self):
        if self._document is None:
            key = self.admin.key or self.start_key.key  # METRICS_REQUIRE_KEY asks for one here also
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            with self.daemon.client() as client:
                reply = client.request("GET", "/openapi.json", headers=headers)
            self._document = document_of(reply.body)
        return self._document

    def once(self, name, make):
        """What make(self) makes, for all tests that ask for the name: objects that no test may change."""
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
        A function from SQL and parameters, which are :name in both stores, to rows as dictionaries: read beside the
        daemon as any other program would. Times and booleans come as each store has them.
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
        """The rows of one statement; see reader()."""
        with self.reader() as read:
            return read(sql, **parameters)

    def tables_of_tenants(self):
        """The names of all tables that have rows of tenants, as the store's catalog has them."""
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
        """How many rows the store has of a tenant, by table; without the tables that have none."""
        with self.reader() as read:
            counts = {name: read(f"SELECT count(*) AS n FROM {name} WHERE tenant_id = :id", id=tenant_id)[0]["n"]
                      for name in self.tables_of_tenants()}
        return {name: count for name, count in counts.items() if count}

    def rows_of(self, tenant_id):
        """All that the store has of a tenant, by table; without what the use of a key leaves behind, and the figures of each minute."""
        names = [name for name in self.tables_of_tenants() if name != "tenant_stats"]
        with self.reader() as read:
            tables = {name: read(f"SELECT * FROM {name} WHERE tenant_id = :id", id=tenant_id) for name in names}
        return {table: sorted(repr({name: value for name, value in row.items() if name != "last_used_at"}) for row in rows)
                for table, rows in tables.items()}

    def value(self, sql, **parameters):
        return next(iter(self.query(sql, **parameters)[0].values()))


def make_hookline(directory, store, database=None, **options):
    """
    A Hookline that is not started, with a directory of its own; database: of the store postgres. An option that is
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
        "HL_ALLOW_NETWORKS": "127.77.0.0/16",  # receivers of tests; other addresses of this machine are refused
    }
    if database:
        defaults["HL_POSTGRES_URL"] = database.url
    options = {name: value for name, value in (defaults | options).items() if value is not None}
    return Hookline(Daemon(home, options), store, database)


def clean_up(hooklines):
    """Stops them all, then tells the first problem."""
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
