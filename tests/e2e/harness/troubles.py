"""Steps that tests of a failing JSONL file and of a failing SQLite database share."""

from harness.events import minimal
from harness.recorder import wait_acknowledged


def post(daemon, session):
    reply = daemon.post_event(minimal(session_id=session))
    assert (reply.status, reply.headers["X-Hooks-Ack"]) == (202, "stored")


def in_trouble(daemon, path_option, reason):
    """The log names the path and the reason. A new post gets 503 with Retry-After, or is spooled."""
    daemon.wait_for_log(rf"the store is unavailable.*{path_option}.*{reason}")
    assert daemon.get("/health").json()["status"] == "degraded"
    reply = daemon.post_event(minimal())
    if reply.status == 503:
        assert int(reply.headers["Retry-After"]) > 0
    else:
        assert (reply.status, reply.headers["X-Hooks-Ack"]) == (202, "spooled")


def overcome(daemon, recorders, writers):
    """The same writers acknowledge again, and the spool becomes empty."""
    wait_acknowledged(recorders)
    daemon.wait_spool_empty()
    assert daemon.pids("writer") == writers


def start_on_a_full_disk(daemon, disk, first, sessions):
    """
    Starts the daemon on a full disk, for the first time or after it was killed. It stores events when the disk has room
    again.
    """
    (disk.path / "others").write_text("of somebody else")
    if not first:
        daemon.start()
        post(daemon, "before")
        daemon.kill()
    disk.fill(daemon)
    daemon.start(store_ready=False)
    disk.free()
    daemon.wait_store_ready()
    post(daemon, "after")
    assert sessions(daemon) == (["after"] if first else ["before", "after"])
