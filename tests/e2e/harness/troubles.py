"""What tests of a store in trouble have in common, whether it is a JSONL file or an SQLite database."""

from harness.events import minimal
from harness.recorder import wait_acknowledged


def post(daemon, session):
    reply = daemon.post_event(minimal(session_id=session))
    assert (reply.status, reply.headers["X-Hooks-Ack"]) == (202, "stored")


def in_trouble(daemon, path_option, reason):
    """The log says what and why, and who posts now is told to come again, or has it spooled."""
    daemon.wait_for_log(rf"the store is unavailable.*{path_option}.*{reason}")
    assert daemon.get("/health").json()["status"] == "degraded"
    reply = daemon.post_event(minimal())
    if reply.status == 503:
        assert int(reply.headers["Retry-After"]) > 0
    else:
        assert (reply.status, reply.headers["X-Hooks-Ack"]) == (202, "spooled")


def overcome(daemon, recorders, writers):
    """Acknowledged again by the same processes, and stored at last."""
    wait_acknowledged(recorders)
    daemon.wait_spool_empty()
    assert daemon.pids("writer") == writers


def start_on_a_full_disk(daemon, disk, first, sessions):
    """The daemon's first start, or one after it has been killed; it stores when there is room again."""
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
