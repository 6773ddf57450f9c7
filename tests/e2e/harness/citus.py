"""
An existing Citus cluster as the tests' server: HOOKS_ENGINE=citus, and DATABASE_URL of a superuser on the coordinator.
"""

import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from harness.postgres import Database

STAND_IN = Path(__file__).with_name("citus_stand_in.sql")


# hooksd looks up the extension by its name, and the extension's catalog says whether jobs is distributed.
LOOKS_DISTRIBUTED = """
SET allow_system_table_mods = on;
UPDATE pg_extension SET extname = 'citus' WHERE extname = 'plpgsql';
CREATE VIEW pg_catalog.pg_dist_partition AS SELECT oid::regclass AS logicalrelid FROM pg_class WHERE relname = 'jobs'
"""


class Cluster:
    """
    Has the methods of PostgresServer that the tests use. new_database() makes the database on all nodes, without
    tables. If template1 holds the stand-in in place of Citus, there is one node.
    """

    distributes = True

    def __init__(self, url):
        self.url = url
        self.bindir = Path(shutil.which("psql")).parent
        self.databases = 0
        with psycopg.connect(url, autocommit=True) as connection:
            self.host, self.port = connection.info.host, connection.info.port
            self.nodes = []
            if connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'citus'").fetchone():
                self.nodes = connection.execute(
                    "SELECT nodename, nodeport FROM pg_dist_node WHERE noderole = 'primary' ORDER BY groupid").fetchall()

    def url_of(self, name, host=None, port=None):
        parts = urlsplit(self.url)
        place = parts.netloc.rpartition("@")[2] if host is None else f"{host}:{port}"
        return urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@{place}", path=f"/{name}"))

    def connect(self, name):
        return psycopg.connect(self.url_of(name), autocommit=True)

    def everywhere(self, name, statement):
        """Runs the statement on the coordinator, which is the first node, and on the workers."""
        for place in self.nodes or [()]:
            with psycopg.connect(self.url_of(name, *place), autocommit=True) as connection:
                connection.execute(statement)

    def new_database(self, options=""):
        if options:
            pytest.skip(f"a database with {options}")
        self.databases += 1
        name = f"e2e_{os.getpid()}_{self.databases}"
        # One node at a time: adding a node creates roles, and all databases share the roles.
        with psycopg.connect(self.url, autocommit=True) as turn:
            turn.execute("SELECT pg_advisory_lock(1)")
            return self.make_database(name)

    def make_database(self, name):
        self.everywhere("postgres", f"CREATE DATABASE {name}")
        if self.nodes:
            self.everywhere(name, "CREATE EXTENSION citus")
        database = Database(self, name)
        database.url = self.url_of(name)
        for number, place in enumerate(self.nodes):
            database.query("SELECT citus_set_coordinator_host(%s, %s)" if number == 0 else "SELECT citus_add_node(%s, %s)", *place)
        return database

    def drop(self, name):
        self.everywhere("postgres", f"DROP DATABASE {name} WITH (FORCE)")

    def start(self):
        pass

    remove = start

    def __getattr__(self, name):
        pytest.skip(f"the cluster does not belong to the tests: {name}")
