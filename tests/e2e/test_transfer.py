"""hooksctl import and export copy hook events from one store to another, each once and unchanged."""

import contextlib
import fcntl
import json
import os
import sqlite3
import subprocess
import uuid

import pytest

from harness.daemon import BUILD_DIR, clean_environment, run_program
from harness.events import differences, expected, from_jsonl, random_events
from harness.killpoint import AFTER, BEFORE, Killpoint

CLIENT_IDS = uuid.UUID("c2794c55-9d05-48fc-abc1-80f365c3efcd")
COLUMNS = ("event_id, \"timestamp\", received_at, created_date, tenant_id, client_event_id, event_type, session_id, workflow_id, phase_id, "
           "milestone_id, data")
AS_TEXT = {"timestamp": "to_char(\"timestamp\" AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
           "received_at": "to_char(received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"}
DATA = ('{}', '{"n":12345678901234567890,"x":1.10}', '{"text":"Grüße 😀 \\u00e9 \\"q\\""}', '{"a":[1,{"b":null}],"z":"\\\\"}')


def line(number, data=None):
    """A line as hooksd writes it, of a distinct event."""
    fields = {"event_id": str(uuid.UUID(int=number + 1, version=4)), "client_event_id": None, "event_type": f"type_{number % 3}",
              "session_id": f"session {number % 5} é", "workflow_id": None if number % 2 else f"w/{number}", "phase_id": "p\"\\\n",
              "milestone_id": None}
    if number % 7 == 3:
        fields["client_event_id"] = f"own-{number}"
        fields["event_id"] = str(uuid.uuid5(CLIENT_IDS, f"own-{number}"))
    texts = {name: value for name, value in fields.items() if value is not None or name != "client_event_id"}
    tenant = ',"tenant_id":"acme"' if number % 11 == 5 else ""
    return (json.dumps(texts, ensure_ascii=False, separators=(",", ":"))[:-1] + tenant + f',"data":{data or DATA[number % 4]}'
            + f',"timestamp":"2026-{1 + number % 9:02}-{1 + number % 28:02}T03:54:40.{number % 10**6:06}Z"}}')


def transfer(command, *words, **options):
    return run_program("hooksctl", command, "--json", *map(str, words), options={"DATA_DIR": "/nonexistent"} | options)


def counts(run, code=0):
    """The figures of a transfer that are not zero."""
    assert run.returncode == code, run.stdout + run.stderr
    told = json.loads(run.stdout)
    return {name: count for name, count in told.items() if name != "dry_run" and count}


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "given.jsonl"
    written = [line(number) for number in range(3000)]
    path.write_text("".join(text + "\n" for text in written))
    return path


def rows(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT {COLUMNS} FROM hook_events ORDER BY event_id").fetchall()


def rows_of(database):
    values = ", ".join(AS_TEXT.get(name.strip(' "'), f"{name}::text") for name in COLUMNS.split(", "))
    return database.query(f"SELECT {values} FROM hook_events ORDER BY event_id")


def test_events_are_unchanged_after_a_transfer_to_sqlite_and_back(tmp_path, lines):
    assert counts(transfer("import", f"--from={lines}", f"--to={tmp_path / 'events.db'}")) == {"read": 3000, "stored": 3000}
    assert counts(transfer("export", f"--from={tmp_path / 'events.db'}", f"--to={tmp_path / 'back.jsonl'}")) == {"read": 3000, "stored": 3000}
    assert (tmp_path / "back.jsonl").read_text() == lines.read_text()


def test_events_are_the_same_in_postgresql_and_in_a_second_database(tmp_path, lines, empty_database):
    first, second = tmp_path / "first.db", tmp_path / "second.db"
    assert counts(transfer("import", f"--from={lines}", "--to", first)) == {"read": 3000, "stored": 3000}
    assert counts(transfer("import", "--from", first, "--to", empty_database.url)) == {"read": 3000, "stored": 3000}
    was, is_now = rows(first), rows_of(empty_database)
    assert [row[:-1] for row in was] == [row[:-1] for row in is_now]
    assert [json.loads(row[-1]) for row in was] == [json.loads(row[-1]) for row in is_now]
    assert empty_database.value("SELECT count(*) FROM hook_events_default") == 0
    assert counts(transfer("export", "--from", empty_database.url, "--to", second)) == {"read": 3000, "stored": 3000}
    assert [row[:-1] for row in rows(second)] == [row[:-1] for row in was]


def test_existing_events_count_as_duplicates(tmp_path, lines):
    target = tmp_path / "events.db"
    (tmp_path / "half.jsonl").write_text("".join(f"{line(number)}\n" for number in range(0, 3000, 2)))
    assert counts(transfer("import", f"--from={tmp_path / 'half.jsonl'}", "--to", target)) == {"read": 1500, "stored": 1500}
    assert counts(transfer("import", f"--from={lines}", "--to", target)) == {"read": 3000, "stored": 1500, "duplicates": 1500}


@pytest.mark.unsanitized("a sanitizer's library must be loaded first")
@pytest.mark.parametrize(("statement", "side"), [(2, BEFORE), (1500, AFTER)])
def test_a_killed_import_can_be_repeated(tmp_path, lines, statement, side):
    target = tmp_path / "events.db"
    assert transfer("import", "--from", lines, "--to", target, "--dry-run").returncode == 0
    assert not target.exists()
    killpoint = Killpoint(tmp_path / "killpoint", process="hooksctl")
    killpoint.arm(statement, side)
    assert transfer("import", "--from", lines, "--to", target, **killpoint.environment()).returncode == -9
    again = counts(transfer("import", "--from", lines, "--to", target))
    assert again["stored"] + again.get("duplicates", 0) == 3000
    assert len(rows(target)) == 3000


@pytest.mark.parametrize("store", ["jsonl", "sqlite", "postgres"])
def test_filters_choose_the_transferred_events(tmp_path, lines, store, request):
    source = lines
    if store != "jsonl":
        source = request.getfixturevalue("empty_database").url if store == "postgres" else tmp_path / "events.db"
        assert counts(transfer("import", "--from", lines, "--to", source))["stored"] == 3000
    all_lines = lines.read_text().splitlines()
    for words, wanted in (
        (["--session=session 2 é"], lambda event: event["session_id"] == "session 2 é"),
        (["--type", "type_1", "--session", "session 0 é"], lambda event: event["event_type"] == "type_1" and event["session_id"] == "session 0 é"),
        (["--since=2026-03-01", "--until", "2026-04-15T03:54:40.000500Z"],
         lambda event: "2026-03-01" <= event["timestamp"] < "2026-04-15T03:54:40.000500Z"),
        (["--type=none"], lambda event: False),
    ):
        run = transfer("export", "--from", source, *words)
        chosen = [json.loads(text)["event_id"] for text in run.stdout.splitlines()]
        assert sorted(chosen) == sorted(event["event_id"] for event in map(json.loads, all_lines) if wanted(event))
        assert json.loads(run.stderr.splitlines()[-1])["stored"] == len(chosen)


def test_invalid_lines_are_reported_and_the_others_stored(tmp_path):
    good = [line(number) for number in range(3)]
    bad = ["{", "[]", "\ufeff{}", '{"event_id":"x","event_type":"a","session_id":"b","timestamp":"2026-01-01"}',
           good[0].replace("2026", "then"), good[0].replace('"data":{', '"data":{{'), good[0].replace('"event_type"', '"kind"')]
    path = tmp_path / "mixed.jsonl"
    path.write_text("\n".join([good[0], *bad, "", good[1], good[2]]))  # the last line has no newline
    run = transfer("import", "--from", path, "--to", tmp_path / "events.db")
    assert counts(run, code=1) == {"read": 3, "stored": 3, "unreadable": len(bad)}
    assert [text for text in run.stderr.splitlines() if "is no event" in text] == [
        f"line {number} is no event with event_id and timestamp" for number in range(2, 2 + len(bad))]


def test_escapes_that_jsonb_cannot_hold_are_stored_as_by_the_service(tmp_path, empty_database):
    path = tmp_path / "given.jsonl"
    path.write_text(line(1, '{"a":"x\\u0000y","b":"\\ud800"}') + "\n")
    assert counts(transfer("import", "--from", path, "--to", empty_database.url)) == {"read": 1, "stored": 1}
    assert json.loads(empty_database.value("SELECT data::text FROM hook_events")) == {"a": "x\ufffdy", "b": "\ufffd"}


def test_an_existing_file_is_not_overwritten(tmp_path, lines):
    (tmp_path / "back.jsonl").write_text("mine\n")
    run = transfer("export", "--from", lines, "--to", tmp_path / "back.jsonl")
    assert run.returncode == 1 and "is there already" in run.stderr
    assert (tmp_path / "back.jsonl").read_text() == "mine\n"
    run = transfer("export", "--from", tmp_path / "none.db", "--to", tmp_path / "new.jsonl")
    assert run.returncode == 1 and "none.db: No such file" in run.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back.jsonl", "given.jsonl"]


def test_a_file_of_a_running_export_is_not_touched(tmp_path, lines):
    part = tmp_path / "back.jsonl.part"
    part.write_text("its lines\n")
    with part.open("r+") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        run = transfer("export", "--from", lines, "--to", tmp_path / "back.jsonl")
        assert run.returncode == 1 and "another hooksctl writes" in run.stderr
        assert part.read_text() == "its lines\n"
    assert counts(transfer("export", "--from", lines, "--to", tmp_path / "back.jsonl")) == {"read": 3000, "stored": 3000}
    assert (tmp_path / "back.jsonl").read_text() == lines.read_text() and not part.exists()


@pytest.mark.unsanitized("a sanitizer needs more address space than the limit")
def test_a_line_larger_than_the_memory_is_an_error(tmp_path):
    path = tmp_path / "given.jsonl"
    path.write_text(line(1) + "\n")
    os.truncate(path, 1 << 30)
    run = subprocess.run(["prlimit", f"--as={256 << 20}", BUILD_DIR / "hooksctl", "import", f"--from={path}", f"--to={tmp_path / 'events.db'}"],
                         env=clean_environment({}), capture_output=True, text=True, timeout=30)
    assert run.returncode == 1 and "Cannot allocate memory" in run.stderr


def test_events_of_a_running_service_can_be_exported(tmp_path, make_hooksd):
    daemon = make_hooksd(STORAGE_TYPE="sqlite", SQLITE_PATH=tmp_path / "events.db").start()
    events = [event for stream in random_events(300, 3, seed=5) for event in stream]
    assert daemon.post_batch(events).status == 202
    run = run_program("hooksctl", "export", options=daemon.options, cwd=daemon.directory)
    assert run.returncode == 0, run.stderr
    stored = [from_jsonl(json.loads(text)) for text in run.stdout.encode().splitlines()]
    assert differences(map(expected, events), stored) == []


@pytest.mark.parametrize(("words", "sentence"), [
    (["import"], "--from is missing"),
    (["export", "--since=yesterday"], "--since='yesterday'"),
    (["export", "all"], "usage: hooksctl export"),
    (["import", "--from=postgresql://%zz", "--to=x.jsonl"], "DATABASE_URL"),
    (["import", "--from=a.jsonl", "b.jsonl"], "b.jsonl: not a flag"),
    (["import", "--from=a.jsonl", "--from", "b.jsonl"], "--from is given more than once"),
    (["import", "--from=a.jsonl", "--to=postgre://me:secret@x/y"], "postgre: no store has such a URL"),
])
def test_wrong_arguments_are_wrong_usage(tmp_path, words, sentence):
    run = run_program("hooksctl", *words, cwd=tmp_path)
    assert run.returncode == 64 and sentence in run.stderr and "secret" not in run.stderr
    assert list(tmp_path.iterdir()) == []
