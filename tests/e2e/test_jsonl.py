"""The JSONL store appends to one file in order, repairs it after a crash, and rotates it between lines."""

import json
import os
import re
import resource
import signal

import pytest

from harness.client import encode, http_post
from harness.events import minimal, random_events
from harness.load import Load
from harness.waiting import wait_until


def test_missing_parent_directories_are_created(hooksd):
    daemon = hooksd(JSONL_PATH="a/b/c/d/events.jsonl")
    assert daemon.post_event(minimal()).status == 202
    assert len(daemon.jsonl_lines()) == 1


def test_a_restart_appends_to_the_file(hooksd):
    daemon = hooksd()
    for number in range(3):
        assert daemon.post_event(minimal(session_id=f"s{number}")).status == 202
        daemon.restart()
    assert [event["session_id"] for event in daemon.jsonl_events()] == ["s0", "s1", "s2"]


def test_a_durable_event_is_in_the_file_before_the_answer(hooksd):
    daemon = hooksd(ACCEPTORS=1)
    with daemon.client() as client:
        for number in range(100):
            assert client.post_event(minimal()).status == 202
            assert len(daemon.jsonl_lines()) == number + 1


@pytest.mark.parametrize("torn", [b'{"event_id":"0190f5fe-7c00-7a00-8abc-0123', b"{", b'{"complete":"but no newline"}',
                                  b'{"zeros":"where the newline was"}\0\0'])
def test_a_torn_last_line_is_repaired_at_start(make_hooksd, torn):
    daemon = make_hooksd()
    daemon.jsonl_path.parent.mkdir(parents=True)
    whole = b'{"event_id":"x","data":{}}\n'
    daemon.jsonl_path.write_bytes(whole * 3 + torn)
    daemon.start()
    assert daemon.post_event(minimal(session_id="after")).status == 202
    lines = daemon.jsonl_lines()
    assert lines[:3] == [whole.strip()] * 3
    assert json.loads(lines[-1])["session_id"] == "after"
    for line in lines:
        json.loads(line)
    if torn.endswith(b"}"):
        assert lines[3] == torn  # a whole line that lacked only its newline
    else:
        assert "torn" in daemon.log()


def test_a_torn_line_without_any_newline_is_repaired(make_hooksd):
    daemon = make_hooksd()
    daemon.jsonl_path.parent.mkdir(parents=True)
    daemon.jsonl_path.write_bytes(b'{"event_id":"' + b"x" * 300_000)
    daemon.start()
    assert daemon.post_event(minimal(session_id="after")).status == 202
    assert [event["session_id"] for event in daemon.jsonl_events()] == ["after"]


def test_order_is_kept_per_connection(hooksd):
    daemon = hooksd(ACCEPTORS=4)
    streams = random_events(4000, sessions=16, seed=11)
    with Load(daemon, streams, batch=10):
        pass
    positions = {}
    for event in daemon.jsonl_events():
        expected_next = positions.get(event["session_id"], 0)
        assert event["data"]["position"] == expected_next
        positions[event["session_id"]] = expected_next + 1
    assert set(positions.values()) == {250}


def test_single_and_batch_keep_their_order_on_one_connection(hooksd):
    daemon = hooksd(ACK="queued")
    with daemon.client() as client:
        for number in range(0, 300, 3):
            assert client.post_event(minimal(data={"n": number})).status == 202
            assert client.post_batch([minimal(data={"n": n}) for n in (number + 1, number + 2)]).status == 202
    daemon.wait_stored(300)
    assert [event["data"]["n"] for event in daemon.jsonl_events()] == list(range(300))


def test_a_newline_in_pretty_printed_data_does_not_break_a_line(hooksd):
    daemon = hooksd()
    event = minimal(data={"text": "a\nb\r\nc\u2028d\u0085e", "list": [1, {"x": "\n"}]})
    for indent in (None, 1, 4, "\t", "\n"):
        assert daemon.post_event(json.dumps(event, indent=indent, ensure_ascii=False)).status == 202
        assert daemon.post_batch(json.dumps([event, event], indent=indent, ensure_ascii=False)).status == 202
    events = daemon.jsonl_events()
    assert len(events) == 15
    assert all(stored["data"] == event["data"] for stored in events)


def test_hup_reopens_a_file_that_was_moved_away(hooksd):
    """As logrotate does: mv, then HUP. Every event is in one of the two files, in order."""
    daemon = hooksd(ACCEPTORS=1)
    moved = daemon.jsonl_path.with_suffix(".1")
    assert daemon.post_event(minimal(data={"n": 0})).status == 202
    daemon.jsonl_path.rename(moved)
    assert daemon.post_event(minimal(data={"n": 1})).status == 202
    daemon.signal(signal.SIGHUP)

    sent = 2

    def reopened():
        nonlocal sent
        try:
            assert daemon.post_event(minimal(data={"n": sent})).status == 202
        except ConnectionError:
            return False  # HUP was replacing this acceptor
        sent += 1
        return daemon.jsonl_path.exists()

    wait_until(reopened, "the file to be made again")
    numbers = [json.loads(line)["data"]["n"] for line in moved.read_bytes().splitlines() + daemon.jsonl_lines()]
    assert numbers == list(range(sent))


def rotated_files(daemon):
    return sorted(daemon.jsonl_path.parent.glob(daemon.jsonl_path.name + ".*"))


def test_rotation_by_size_never_splits_a_line(hooksd):
    limit = 64 * 1024
    daemon = hooksd(JSONL_ROTATE_BYTES=limit, ACCEPTORS=1)
    with daemon.client() as client:
        for start in range(0, 3000, 30):
            events = [minimal(data={"n": n, "pad": "é" * (n % 200)}) for n in range(start, start + 30)]
            assert client.post_batch(events).status == 202
    rotated = rotated_files(daemon)
    assert len(rotated) >= 5
    numbers = []
    for path in [*rotated, daemon.jsonl_path]:
        content = path.read_bytes()
        assert content.endswith(b"\n")
        numbers += [json.loads(line)["data"]["n"] for line in content.splitlines()]
    assert numbers == list(range(3000))
    for path in rotated:
        assert limit / 2 <= path.stat().st_size <= limit * 2, path


def test_rotation_goes_on_after_a_restart(hooksd):
    daemon = hooksd(JSONL_ROTATE_BYTES=20_000)
    for _ in range(3):
        assert daemon.post_batch([minimal(data={"pad": "x" * 100})] * 60).status == 202
        daemon.restart()
    files = [*rotated_files(daemon), daemon.jsonl_path]
    assert len(files) >= 3
    assert sum(len(path.read_bytes().splitlines()) for path in files) == 180


def reserved(path):
    """The bytes that the file occupies on disk beyond its content, give or take a few blocks."""
    status = path.stat()
    return max(0, status.st_blocks * 512 - status.st_size - 2 * status.st_blksize)


@pytest.mark.parametrize("killed", [False, True])
def test_reserved_blocks_after_the_end_are_released_at_a_stop(hooksd, killed):
    daemon = hooksd(WRITERS=2)
    for _ in range(30):
        assert daemon.post_batch([minimal(data={"pad": "x" * 1000})] * 100).status == 202
    assert reserved(daemon.jsonl_path) <= daemon.jsonl_path.stat().st_size
    if killed:
        daemon.kill()
        daemon.start()
        assert daemon.post_event(minimal()).status == 202
    daemon.stop()
    assert reserved(daemon.jsonl_path) == 0
    assert len(daemon.jsonl_lines()) == 3000 + killed


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("how", ["rotated", "moved"])
def test_reserved_blocks_are_released_when_a_new_file_begins(hooksd, how, killed):
    daemon = hooksd(JSONL_ROTATE_BYTES="4M")
    batch = [minimal(data={"pad": "x" * 1000})] * 100
    while daemon.jsonl_path.stat().st_size < 3_500_000:
        assert daemon.post_batch(batch).status == 202
    if killed:
        daemon.kill()
        daemon.start()
    if how == "moved":
        daemon.jsonl_path.rename(daemon.jsonl_path.with_name("events.jsonl.moved"))
    while not rotated_files(daemon) or not daemon.jsonl_path.exists():
        assert daemon.post_batch(batch).status == 202
    assert [reserved(path) for path in rotated_files(daemon)] == [0]


def test_rotation_is_off_by_default(hooksd):
    daemon = hooksd()
    assert daemon.post_batch([minimal(data={"pad": "x" * 1000})] * 5000).status == 202
    assert rotated_files(daemon) == []
    assert len(daemon.jsonl_lines()) == 5000


def test_a_writer_killed_at_any_time_loses_and_doubles_no_line(hooksd):
    daemon = hooksd(ACCEPTORS=2)
    load = Load(daemon, random_events(8000, sessions=4, seed=5), batch=10)
    with load:
        for part in range(1, 7):
            load.wait_acknowledged(part * 1000)
            writer = daemon.pids("writer")[0]
            os.kill(writer, signal.SIGKILL)
            wait_until(lambda: daemon.pids("writer") not in ([], [writer]), "a new writer")
    stored = [event["event_id"] for event in daemon.jsonl_events()]
    assert sorted(stored) == sorted(event["event_id"] for event in load.events())


def test_an_unwritable_path_is_logged_and_answered_with_503(hooksd, tmp_path):
    """A directory has the file's name: no event can be acknowledged as durable until the directory is removed."""
    obstacle = tmp_path / "events.jsonl"
    obstacle.mkdir()
    daemon = hooksd(store_ready=False, JSONL_PATH=str(obstacle))
    daemon.wait_for_log(re.escape(str(obstacle)))
    assert daemon.get("/readyz").status == 503
    assert daemon.get("/health").json()["status"] == "degraded"
    reply = daemon.post_event(minimal())
    assert reply.status == 503
    assert int(reply.headers["Retry-After"]) > 0
    obstacle.rmdir()
    daemon.wait_store_ready()
    assert daemon.post_event(minimal()).status == 202
    assert len(obstacle.read_text().splitlines()) == 1


def test_a_fifo_in_place_of_the_file_does_not_block_the_writer(hooksd, tmp_path):
    fifo = tmp_path / "events.jsonl"
    os.mkfifo(fifo)
    daemon = hooksd(store_ready=False, JSONL_PATH=str(fifo))
    daemon.wait_for_log("not a regular file")
    assert daemon.post_event(minimal()).status == 503
    fifo.unlink()
    daemon.wait_store_ready()
    assert daemon.post_event(minimal()).status == 202


def test_a_replacement_file_without_its_last_newline_is_repaired(hooksd):
    """An editor moves a changed copy over the file. The next line of hooksd must not join the copy's last one."""
    daemon = hooksd()
    assert daemon.post_event(minimal(session_id="before")).status == 202
    edited = daemon.jsonl_path.with_suffix(".edited")
    edited.write_bytes(daemon.jsonl_path.read_bytes() + b'{"session_id":"edited"}')
    edited.rename(daemon.jsonl_path)
    assert daemon.post_event(minimal(session_id="after")).status == 202
    assert [event["session_id"] for event in daemon.jsonl_events()] == ["before", "edited", "after"]


def test_a_file_size_limit_fails_the_store_and_kills_no_process(hooksd):
    daemon = hooksd()
    # A large limit, because it also applies to the writer's log.
    assert daemon.post_event(minimal(data={"padding": "x" * 100_000})).status == 202
    writers = daemon.pids("writer")
    size = daemon.jsonl_path.stat().st_size
    resource.prlimit(writers[0], resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))
    with daemon.raw() as connection:
        connection.send(http_post("/events", encode(minimal(session_id="late"))))
        daemon.wait_for_log("the store is unavailable.*File too large")
        resource.prlimit(writers[0], resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert connection.read_reply().status == 202
    assert daemon.pids("writer") == writers
    assert daemon.jsonl_events()[-1]["session_id"] == "late"
