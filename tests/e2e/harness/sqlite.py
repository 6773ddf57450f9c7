"""Reads SQLite databases of a daemon, and holds locks on them as another program."""

import contextlib
import sqlite3


def ids(*paths):
    """The ids of the events in these databases. Each database must be complete and not locked."""
    found = []
    for path in paths:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            found += [row[0] for row in connection.execute("SELECT event_id FROM hook_events")]
    return found


def sessions(daemon):
    return [event["session_id"] for event in daemon.sqlite_events()]


@contextlib.contextmanager
def locked(path):
    """A writing transaction of another program during the block."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=20)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other
        other.execute("COMMIT")
