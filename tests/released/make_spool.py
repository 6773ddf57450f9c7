#!/usr/bin/python3
"""
Writes a spool file with the hooksd of a release, for tests that later releases read it:

    HOOKS_BUILD_DIR=/path/to/build/of/0.1.0 /usr/bin/python3 tests/released/make_spool.py 0.1.0

makes in tests/released/0.1.0

  spool-00-000000000001.bin  events of every shape, spooled while PostgreSQL is stopped
  spool.jsonl                what that release's `hooksctl spool export` makes of it
  rows.jsonl                 the rows that its `hooksctl spool replay` stores
"""

import json
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from harness.daemon import Daemon  # noqa: E402
from harness.postgres import Database, PostgresServer, free_port  # noqa: E402

ROWS = """
SELECT (to_jsonb(e) || jsonb_build_object(
	'timestamp', "timestamp" AT TIME ZONE 'UTC', 'received_at', received_at AT TIME ZONE 'UTC'))::text
FROM hook_events AS e ORDER BY event_id"""
SPOOL = ".agentic/hooksd/spool/spool-00-000000000001.bin"


def event(**fields):
    return {"event_type": "t", "session_id": "s", "timestamp": "2026-11-22T03:54:40.123456Z"} | fields


def bodies():
    longest = {name: "\U0001f916" * limit for name, limit in (
        ("event_type", 100), ("session_id", 255), ("event_id", 255), ("workflow_id", 255), ("phase_id", 100), ("milestone_id", 100))}
    whole = dict(event_id="{0198A2B4-1111-7222-8333-444455556666}", workflow_id="w-1", phase_id="p-1", milestone_id="m-1")
    for fields in (
        whole | {"data": {"tool": "bash", "n": 1, "nested": [1, {"two": [None, True]}]}},
        {"event_type": "only what must be", "session_id": "test-123"},
        {"event_id": None, "workflow_id": None, "phase_id": None, "milestone_id": None, "data": None},
        {"event_id": "my-own-id-1", "workflow_id": "", "phase_id": "", "milestone_id": ""},
        {"event_id": "é日本🤖", "session_id": "naïve café", "phase_id": "quote \" slash \\ tab \t"},
        longest,
        {"timestamp": "1969-12-31T23:59:59.999999Z"},
        {"timestamp": "9999-12-31T23:59:59.999999Z"},
        {"timestamp": 1700000000.5, "workflow_id": "a NUL \0 in a name"},
    ):
        yield json.dumps(event(**fields))
    for data in (
        r'{"nul":"\u0000","pair":"\ud83e\udd16","alone":"\ud800","low":"\udfff"}',
        r'{"big":1e400,"exact":12345678901234567890.10,"nan":NaN,"inf":-Infinity}',
        r'{ "spaces" : [ 1 , 2 ] , "spaces" : "twice" }',
    ):
        yield json.dumps(event())[:-1] + f', "data": {data}}}'
    for size in range(8):  # every length of padding
        yield json.dumps(event(data={"k": "x" * size}, unknown=size))
    yield json.dumps(event(event_type="large", data={"text": "large " * 2000}))


def main():
    target = HERE / sys.argv[1]
    target.mkdir(exist_ok=True)
    server = PostgresServer()
    server.start()
    with tempfile.TemporaryDirectory() as directory:
        daemon = Daemon(Path(directory), {
            "HOST": "127.0.0.1", "PORT": free_port(), "RING_PATH": f"{directory}/ring", "ACCEPTORS": 1, "WRITERS": 1,
            "SPOOL_AFTER_MS": 0, "DATABASE_URL": server.new_database().url})
        daemon.start()
        server.stop()
        for body in bodies():
            with daemon.client() as client:
                reply = client.post("/events", body.encode())
            assert reply.status == 202 and reply.headers["X-Hooks-Ack"] == "spooled", (body, reply)
        daemon.stop()
        (target / "spool-00-000000000001.bin").write_bytes((Path(directory) / SPOOL).read_bytes())
        (target / "spool.jsonl").write_text(daemon.hooksctl("spool", "export").stdout)

        server.start()
        done = daemon.hooksctl("spool", "replay")
        assert done.returncode == 0, done
        database = Database(server, "e2e_1")
        (target / "rows.jsonl").write_text("".join(f"{row[0]}\n" for row in database.query(ROWS)))
    server.remove()


if __name__ == "__main__":
    main()
