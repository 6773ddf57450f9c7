"""SQLite databases as a daemon leaves them, and other programs at them."""

import contextlib
import sqlite3


def ids(*paths):
    """The events' ids in whole databases, each of which another program may open."""
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
    """Another program's transaction that writes."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=20)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other
        other.execute("COMMIT")
