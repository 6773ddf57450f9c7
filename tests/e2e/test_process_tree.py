"""Master, acceptors and writers: listening, replacement of dead processes, and shutdown."""

import os
import re
import signal
import socket
import threading
import time

import pytest

from harness.client import http_post
from harness.daemon import session_members
from harness.events import differences, expected, minimal, random_events
from harness.load import Load
from harness.waiting import wait_until


def kill_and_wait_for_successor(daemon, role, number=signal.SIGKILL):
    """Kills one process of that role. Returns its pid when the tree is complete again."""
    before = daemon.pids(role)
    os.kill(before[0], number)

    def replaced():
        now = daemon.pids(role)
        return len(now) == len(before) and before[0] not in now

    wait_until(replaced, f"a new {role}")
    return before[0]


@pytest.mark.parametrize("acceptors,writers", [(1, 1), (4, 1), (2, 2)])
def test_the_tree_has_the_configured_processes(database, hooksd, acceptors, writers):
    daemon = hooksd(database, ACCEPTORS=acceptors, WRITERS=writers)
    assert len(daemon.pids("acceptor")) == acceptors
    assert len(daemon.pids("writer")) == writers
    assert len(session_members(daemon.pid)) == 1 + acceptors + writers


def test_the_ready_line_names_processes_store_and_port(hooksd):
    daemon = hooksd(ACCEPTORS=3)
    line = daemon.wait_for_log(r".* ready host=.*").group()
    assert f"master[{daemon.pid}]" in line
    for field in ("host=127.0.0.1", f"port={daemon.port}", "storage=jsonl", "acceptors=3", "writers=1"):
        assert field in line
    assert len(re.findall(r"master\[\d+\] ready ", daemon.log())) == 1


def test_every_acceptor_accepts_connections(hooksd):
    """Each acceptor has its own socket. With enough connections each gets some, and metrics count them all."""
    daemon = hooksd(ACCEPTORS=4)
    for number in range(64):
        assert daemon.post_event(minimal()).status == 202
        assert daemon.metrics()["events_received_total"] == number + 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_term_and_int_drain_and_exit_0(hooksd, number):
    daemon = hooksd()
    assert daemon.post_event(minimal()).status == 202
    daemon.signal(number)
    daemon.wait_exit(0)
    assert len(daemon.jsonl_lines()) == 1


def test_a_drain_stores_accepted_events(hooksd):
    daemon = hooksd(ACK="queued")
    for _ in range(20):
        assert daemon.post_batch([minimal()] * 500).status == 202
    daemon.stop()
    assert len(daemon.jsonl_lines()) == 10_000


def test_a_drain_answers_a_request_that_has_arrived_in_part(hooksd):
    daemon = hooksd(ACCEPTORS=1)
    request = http_post("/events", b'{"event_type":"a","session_id":"s"}')
    with daemon.raw() as connection:
        connection.send(request[:-5])
        # Another answered request on the same loop shows that the first half has arrived.
        daemon.post_event(minimal())
        daemon.signal(signal.SIGTERM)
        daemon.wait_for_log(" draining ")
        connection.send(request[-5:])
        assert connection.read_reply().status == 202
    daemon.wait_exit(0)
    assert len(daemon.jsonl_lines()) == 2


def test_a_drain_answers_clients_in_the_accept_queue(hooksd):
    """TERM comes while connections are in the accept queue. Their clients have sent requests and wait."""
    daemon = hooksd(ACCEPTORS=1)
    acceptor = daemon.pids("acceptor")[0]
    os.kill(acceptor, signal.SIGSTOP)
    connections = [daemon.raw() for _ in range(100)]
    for connection in connections:
        connection.send(http_post("/events", b'{"event_type":"a","session_id":"s"}'))
    daemon.signal(signal.SIGTERM)
    daemon.wait_for_log(" draining ")
    os.kill(acceptor, signal.SIGCONT)
    for connection in connections:
        assert connection.read_reply().status == 202
        connection.close()
    daemon.wait_exit(0)
    assert len(daemon.jsonl_lines()) == 100


def test_idle_connections_do_not_delay_a_drain(hooksd):
    daemon = hooksd()
    with daemon.client() as idle, daemon.raw() as silent:
        assert idle.post_event(minimal()).status == 202
        started = time.monotonic()
        daemon.stop()
        assert time.monotonic() - started < 10
        assert silent.closed_by_peer()


def test_a_second_term_ends_the_service_at_once(hooksd):
    """The writer is stopped, so an event is left to drain: the first TERM waits, the second does not."""
    daemon = hooksd(ACK="queued", DRAIN_TIMEOUT_SECONDS=60)
    writer = daemon.pids("writer")[0]
    os.kill(writer, signal.SIGSTOP)
    assert daemon.post_event(minimal()).status == 202
    daemon.signal(signal.SIGTERM)
    daemon.wait_for_log(" draining ")
    daemon.signal(signal.SIGTERM)
    started = time.monotonic()
    daemon.wait_exit(3)
    assert time.monotonic() - started < 10
    daemon.start()
    daemon.wait_stored(1)
    assert len(daemon.jsonl_lines()) == 1


def test_a_drain_that_takes_too_long_exits_3_and_the_next_start_stores_the_rest(hooksd):
    daemon = hooksd(ACK="queued", DRAIN_TIMEOUT_SECONDS=1)
    os.kill(daemon.pids("writer")[0], signal.SIGSTOP)
    assert daemon.post_batch([minimal()] * 10).status == 202
    daemon.stop(expect=3)
    daemon.start()
    daemon.wait_stored(10)
    assert len(daemon.jsonl_lines()) == 10


@pytest.mark.parametrize("role", ["acceptor", "writer"])
def test_a_killed_child_is_replaced_and_the_log_names_it_and_the_cause(hooksd, role):
    daemon = hooksd()
    dead = kill_and_wait_for_successor(daemon, role)
    obituary = next(line for line in daemon.log().splitlines() if "process died" in line)
    assert f"role={role}" in obituary
    assert re.search(rf"={dead}\b", obituary)
    assert "cause=Killed signal=9" in obituary
    for _ in range(10):
        assert daemon.post_event(minimal()).status == 202
    assert len(daemon.jsonl_lines()) == 10


@pytest.mark.parametrize("role", ["acceptor", "writer"])
@pytest.mark.parametrize("storage", ["jsonl", "sqlite", "postgres"])
def test_children_killed_under_load_lose_and_double_no_event(request, hooksd, role, storage):
    database = request.getfixturevalue("database") if storage == "postgres" else None
    daemon = hooksd(database, STORAGE_TYPE=storage, WRITERS=2 if database else 1)
    load = Load(daemon, random_events(6000, sessions=8, seed=7), batch=20)
    with load:
        for part in (1, 2, 3):
            load.wait_acknowledged(part * 1000)
            kill_and_wait_for_successor(daemon, role)
    stored = database.events() if database else daemon.stored_events()
    if role == "acceptor" and storage == "jsonl":
        stored = load.without_repeats(stored)
    assert differences([expected(event) for event in load.events()], stored) == []


def test_clients_do_not_notice_the_death_of_a_writer(hooksd):
    """No connection is closed: the acceptor waits until the successor acknowledges."""
    daemon = hooksd(ACCEPTORS=1)
    with daemon.client() as client:
        for _ in range(3):
            os.kill(daemon.pids("writer")[0], signal.SIGKILL)
            assert client.post_event(minimal()).status == 202
    assert len(daemon.jsonl_lines()) == 3


def test_children_do_not_outlive_the_master(hooksd):
    daemon = hooksd()
    assert daemon.post_event(minimal()).status == 202
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.wait_exit(-signal.SIGKILL)
    daemon.start()
    assert daemon.post_event(minimal()).status == 202
    assert len(daemon.jsonl_lines()) == 2


def test_queued_events_survive_the_death_of_the_whole_tree(hooksd):
    daemon = hooksd(ACK="queued")
    os.kill(daemon.pids("writer")[0], signal.SIGSTOP)
    for number in range(100):
        assert daemon.post_event(minimal(session_id=f"s{number}")).status == 202
    daemon.kill()
    assert not daemon.jsonl_path.exists() or daemon.jsonl_path.read_bytes() == b""
    daemon.start()
    daemon.wait_stored(100)
    assert sorted(event["session_id"] for event in daemon.jsonl_events()) == sorted(f"s{n}" for n in range(100))


def test_a_tree_of_another_size_adopts_the_ring(hooksd):
    daemon = hooksd(ACK="queued", ACCEPTORS=4)
    os.kill(daemon.pids("writer")[0], signal.SIGSTOP)
    for number in range(100):
        assert daemon.post_event(minimal()).status == 202
    daemon.kill()
    daemon.options["ACCEPTORS"] = 1
    daemon.start()
    wait_until(lambda: len(daemon.jsonl_lines()) == 100, "all queued events")
    assert daemon.post_event(minimal()).status == 202
    daemon.stop()
    assert len(daemon.jsonl_lines()) == 101


def test_a_ring_file_of_something_else_is_set_aside_not_deleted(make_hooksd, tmp_path):
    ring = tmp_path / "ring" / "events.ring"
    ring.parent.mkdir()
    ring.write_bytes(b"precious bytes of another program\n" * 1000)
    daemon = make_hooksd(RING_PATH=str(ring))
    daemon.start()
    assert daemon.post_event(minimal()).status == 202
    kept = [path for path in ring.parent.iterdir() if path != ring]
    assert len(kept) == 1
    assert kept[0].read_bytes().startswith(b"precious bytes")
    assert kept[0].name in daemon.log()


def test_a_start_that_fails_for_the_port_leaves_no_ring_behind(make_hooksd):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        daemon = make_hooksd(PORT=taken.getsockname()[1])
        daemon.spawn()
        daemon.wait_exit(1)
    assert not os.path.exists(daemon.options["RING_PATH"])


def test_hup_replaces_the_acceptors_without_refusing_a_client(hooksd):
    daemon = hooksd(ACCEPTORS=2)
    before = set(daemon.pids("acceptor"))
    stop = threading.Event()
    statuses = []

    def post_all_the_time():
        while not stop.is_set():
            statuses.append(daemon.post_event(minimal()).status)

    sender = threading.Thread(target=post_all_the_time)
    sender.start()
    try:
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: len(set(daemon.pids("acceptor")) - before) == 2, "new acceptors")
    finally:
        stop.set()
        sender.join()
    assert set(statuses) == {202}
    assert len(daemon.jsonl_lines()) == len(statuses)


def test_counters_survive_the_death_of_an_acceptor(hooksd):
    daemon = hooksd(ACCEPTORS=2)
    for _ in range(10):
        assert daemon.post_event(minimal()).status == 202
    kill_and_wait_for_successor(daemon, "acceptor")
    assert daemon.metrics()["events_received_total"] == 10
    assert daemon.metrics()["events_stored_total"] == 10


def test_a_child_that_keeps_dying_is_restarted_at_growing_intervals(hooksd):
    """The restart budget: the master neither restarts without pause nor gives up after a few deaths."""
    daemon = hooksd(ACCEPTORS=1)
    for _ in range(5):
        kill_and_wait_for_successor(daemon, "writer")
    assert daemon.post_event(minimal()).status == 202
    assert len(daemon.jsonl_lines()) == 1
