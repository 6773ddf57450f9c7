"""JSONL_PATH names another program's file, by mistake or because it was moved there. Not one byte of it changes."""

import gzip
import io
import json
import os
import random
import sqlite3

import pytest

from harness.daemon import run_program
from harness.events import minimal


def database(tmp_path):
    with sqlite3.connect(tmp_path / "database") as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.executemany("INSERT INTO t VALUES (?)", [(f"{number}\n",) for number in range(1000)])
    return (tmp_path / "database").read_bytes()


TEXT = "".join(f"a line of a diary, {number}\n" for number in range(3000))
DOCUMENT = {"name": "a package", "dependencies": {str(number): "1.0" for number in range(100)}}
FOREIGN = {
    "noise": lambda _: b"\x01" + random.Random(1).randbytes(300_000),
    "a database": database,
    "gzip": lambda _: gzip.compress(TEXT.encode() * 20),
    "UTF-16": lambda _: TEXT.encode("utf-16"),
    "UTF-16 that begins with a brace": lambda _: ("".join(f'{{"n":{n}}}\n' for n in range(999))).encode("utf-16-le"),
    "a text": lambda _: TEXT.encode(),
    "a text that does not end": lambda _: TEXT.encode() + b"and so",
    "an array": lambda _: json.dumps([DOCUMENT] * 9).encode(),
    "a document of several lines": lambda _: json.dumps(DOCUMENT, indent=2).encode(),
    "an image of a disk": lambda _: bytes(32768) + b"\x01CD001\x01" + bytes(200_000) + TEXT.encode(),
    "one byte": lambda _: b"x",
    "zeros and then text": lambda _: bytes(100) + TEXT.encode(),
}


@pytest.fixture(params=FOREIGN)
def foreign(request, tmp_path):
    return FOREIGN[request.param](tmp_path)


def beside(path):
    return sorted(other.name for other in path.parent.iterdir() if not other.name.startswith(".") and other != path)


def test_a_file_of_another_kind_is_left_unchanged(hooksd, tmp_path, foreign):
    path = tmp_path / "place/document"
    path.parent.mkdir()
    path.write_bytes(foreign)
    before = path.stat()
    daemon = hooksd(store_ready=False, JSONL_PATH=path)
    daemon.wait_for_log(f"the store is unavailable.*{path} does not begin like a file of events")
    assert daemon.get("/readyz").status == 503
    assert daemon.post_event(minimal()).status == 503
    daemon.restart(store_ready=False)
    daemon.wait_for_log("does not begin like a file of events")
    assert path.read_bytes() == foreign and path.stat().st_mtime_ns == before.st_mtime_ns
    assert beside(path) == []
    path.rename(tmp_path / "moved away")
    daemon.wait_store_ready()
    assert daemon.post_event(minimal()).status == 202
    assert (tmp_path / "moved away").read_bytes() == foreign


def test_check_config_refuses_a_file_of_another_kind(tmp_path, foreign):
    path = tmp_path / "document"
    path.write_bytes(foreign)
    checked = run_program("hooksd", "--check-config", options={"JSONL_PATH": path})
    assert checked.returncode == 64
    assert f"JSONL_PATH={path} does not begin like a file of events" in checked.stderr
    assert path.read_bytes() == foreign


@pytest.mark.parametrize("path,told", [("/dev/null", "not a regular file"), ("/dev/full", "not a regular file"),
                                       ("/tmp", "not a regular file")])
def test_check_config_refuses_devices_and_directories(path, told):
    checked = run_program("hooksd", "--check-config", options={"JSONL_PATH": path})
    assert checked.returncode == 64
    assert f"JSONL_PATH={path} is {told}" in checked.stderr


@pytest.mark.parametrize("content", [None, b"", b"\n", b'{"a":1}\n', b'{"a":1}', b'{"torn', b"{", b'\xef\xbb\xbf{"a":1}\n'])
def test_check_config_accepts_files_that_can_be_appended_to(tmp_path, content):
    path = tmp_path / "events.jsonl"
    if content is not None:
        path.write_bytes(content)
    checked = run_program("hooksd", "--check-config", options={"JSONL_PATH": path})
    assert (checked.returncode, checked.stdout) == (0, "configuration ok\n")
    assert path.exists() == (content is not None)
    assert content is None or path.read_bytes() == content


def move_in(path, foreign):
    other = path.with_name("other")
    other.write_bytes(foreign)
    other.rename(path)


def copy_over(path, foreign):
    with open(path, "r+b") as file:  # the same inode
        file.write(foreign)
        file.truncate()


@pytest.mark.parametrize("come", [move_in, copy_over])
def test_a_foreign_file_that_comes_at_run_time_is_left_unchanged(hooksd, come, foreign):
    daemon = hooksd(SPOOL_AFTER_MS=0)
    assert daemon.post_event(minimal(session_id="before")).status == 202
    kept = daemon.jsonl_path.with_name("kept")
    if come is move_in:
        os.link(daemon.jsonl_path, kept)
    come(daemon.jsonl_path, foreign)
    for number in range(3):
        reply = daemon.post_event(minimal(session_id=f"after-{number}"))
        assert (reply.status, reply.headers["X-Hooks-Ack"]) == (202, "spooled")
    daemon.wait_for_log("does not begin like a file of events")
    assert daemon.get("/health").json()["status"] == "degraded"
    assert daemon.jsonl_path.read_bytes() == foreign
    daemon.jsonl_path.rename(daemon.jsonl_path.with_name("document"))
    daemon.wait_spool_empty()
    assert [event["session_id"] for event in daemon.jsonl_events()] == [f"after-{number}" for number in range(3)]
    assert daemon.jsonl_path.with_name("document").read_bytes() == foreign


def lines(first, last):
    return b"".join(b'{"event_id":"%d","text":"%s"}\n' % (n, b"x" * 100) for n in range(first, last))


@pytest.mark.parametrize("content", [
    lines(0, 100) + b'{"somebody":"wrote \0 here"}\n' + lines(100, 200),
    lines(0, 3) + b'{"and":"here \0\0\0"}\n',
    lines(0, 9) + bytes(7) + b"\n" + lines(9, 10),
    lines(0, 1) + b"not JSON at all\n" + lines(1, 2),
    b'{"by":"another program"}\n' * 50,
    b'\xef\xbb\xbf{"by":"an editor"}\r\n{"of":"Windows"}\r\n',
    b"\n\n" + lines(0, 2),
    b"\n",
])
def test_an_end_that_is_no_torn_append_is_left_unchanged(make_hooksd, content):
    daemon = make_hooksd()
    daemon.jsonl_path.parent.mkdir(parents=True)
    daemon.jsonl_path.write_bytes(content)
    daemon.start()
    assert daemon.post_event(minimal(session_id="after")).status == 202
    stored = daemon.jsonl_path.read_bytes()
    assert stored.startswith(content)
    assert json.loads(stored[len(content) :])["session_id"] == "after"
    assert beside(daemon.jsonl_path) == []


@pytest.mark.parametrize("rest", [b'{"by":"another program"}', b'{"nested":{"text":"\\"}{\\\\"}} ', b"not JSON at all",
                                  b'{"with":"\x01"'])
def test_a_last_line_that_is_not_torn_gets_its_newline(make_hooksd, rest):
    daemon = make_hooksd()
    daemon.jsonl_path.parent.mkdir(parents=True)
    daemon.jsonl_path.write_bytes(lines(0, 2) + rest)
    daemon.start()
    assert daemon.post_event(minimal(session_id="after")).status == 202
    assert daemon.jsonl_lines()[2] == rest
    assert json.loads(daemon.jsonl_lines()[3])["session_id"] == "after"
    assert beside(daemon.jsonl_path) == []


def sectors(text, *lost):
    """The text as on a disk that has not written these sectors."""
    content = bytearray(text)
    for number in lost:
        content[number * 512 : (number + 1) * 512] = bytes(len(content[number * 512 : (number + 1) * 512]))
    return bytes(content)


@pytest.mark.parametrize("content", [
    lines(0, 30) + b'{"event_id":"torn',
    lines(0, 30) + b'{"zeros":"behind it"}' + bytes(5),
    sectors(lines(0, 100), 3, 7, 8),
    sectors(lines(0, 100), 0),
    sectors(lines(0, 100)[:-50], 5),
    bytes(3000),
])
def test_a_repair_keeps_the_removed_bytes_in_a_file_beside(make_hooksd, content):
    daemon = make_hooksd()
    daemon.jsonl_path.parent.mkdir(parents=True)
    daemon.jsonl_path.write_bytes(content)
    daemon.start()
    assert daemon.post_event(minimal(session_id="after")).status == 202
    [kept] = beside(daemon.jsonl_path)
    assert kept.startswith("events.jsonl.torn.")
    daemon.wait_for_log(f"torn lines are taken out of the end of the JSONL file.*{kept}")
    torn = daemon.jsonl_path.with_name(kept).read_bytes().splitlines(keepends=True)
    whole = daemon.jsonl_path.read_bytes().splitlines(keepends=True)
    assert json.loads(whole.pop())["session_id"] == "after"
    before = io.BytesIO(content).readlines()
    assert sorted(whole + torn) == sorted(before)
    assert [line for line in before if line in whole] == whole and all(json.loads(line) for line in whole)
    daemon.restart()
    assert beside(daemon.jsonl_path) == [kept]
