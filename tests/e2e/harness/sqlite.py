"""SQLite databases as a daemon leaves them, and other programs at them."""

import contextlib
import sqlite3

from harness.events import minimal


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


def post(daemon, session):
    reply = daemon.post_event(minimal(session_id=session))
    assert (reply.status, reply.headers["X-Hooks-Ack"]) == (202, "stored")


@contextlib.contextmanager
def locked(path):
    """Another program's transaction that writes."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=20)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other
        other.execute("COMMIT")


def in_trouble(daemon, reason):
    """The log says what and why, and who posts now is told to come again, or has it spooled."""
    daemon.wait_for_log(rf"the store is unavailable.*SQLITE_PATH.*{reason}")
    assert daemon.get("/health").json()["status"] == "degraded"
    reply = daemon.post_event(minimal())
    if reply.status == 503:
        assert int(reply.headers["Retry-After"]) > 0
    else:
        assert (reply.status, reply.headers["X-Hooks-Ack"]) == (202, "spooled")
