"""Clients notice almost nothing when a service in use is stopped, reloaded or restarted."""

import contextlib
import os
import re
import signal
import socket

import pytest

from harness.client import http_post
from harness.events import minimal
from harness.listening import pass_descriptors
from harness.waiting import wait_until
from harness.witness import Witness, Witnesses, is_readable

EVENT = b'{"event_type":"a","session_id":"s"}'


def stored_ids(daemon, database):
    events = database.events() if database else daemon.stored_events()
    return {event["event_id"] for event in events}


def fleet(port, busy=0, paced=0, anew=0):
    """Witnesses of which every other one posts batches."""
    return Witnesses(
        [Witness(port, batch=1 + 19 * (n % 2)) for n in range(busy)]
        + [Witness(port, batch=1 + 19 * (n % 2), pause=0.2 + 0.02 * n) for n in range(paced)]
        + [Witness(port, anew=True) for _ in range(anew)])


def wait_leaving(daemon):
    """Waits until the only acceptor has begun to leave."""
    wait_until(lambda: re.search(r"^acceptor.* draining ", daemon.hooksctl("status").stdout, re.MULTILINE),
               "the acceptor to leave")


def roll(daemon):
    """Sends HUP. Returns when every acceptor has been replaced."""
    before = set(daemon.pids("acceptor"))
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: not before & set(daemon.pids("acceptor")), "the old acceptors to be gone", 30)
    wait_until(lambda: len(daemon.pids("acceptor")) == len(before), "new acceptors")


@pytest.mark.parametrize("storage", ["jsonl", "sqlite", "postgres"])
def test_a_stop_under_load_answers_every_request_and_resets_no_connection(request, hooksd, storage):
    database = request.getfixturevalue("database") if storage == "postgres" else None
    daemon = hooksd(database, STORAGE_TYPE=storage)
    with fleet(daemon.port, busy=48, paced=16, anew=4) as clients, daemon.raw() as idle, daemon.raw() as silent:
        idle.send(http_post("/events", EVENT))
        assert idle.read_reply().status == 202
        clients.wait_for_answers()
        daemon.stop(expect=0)
        clients.join()
        assert idle.socket.recv(1) == b""
        assert silent.socket.recv(1) == b""
    outcomes = clients.outcomes()
    assert outcomes.pop("refused") == 68
    assert set(outcomes) == {"202"}, outcomes
    assert set(clients.acknowledged()) - stored_ids(daemon, database) == set()


def test_a_stop_under_load_while_postgresql_hangs_answers_every_request(database, hooksd):
    """The writers begin to spool halfway through the drain's time. The acceptors wait for that."""
    daemon = hooksd(database, WRITERS=2, DRAIN_TIMEOUT_SECONDS=8)
    with fleet(daemon.port, busy=48, paced=16) as clients:
        with database.server.hung():
            daemon.stop(expect=0)
            clients.join()
    outcomes = clients.outcomes()
    assert outcomes.pop("refused") == 64
    assert set(outcomes) == {"202"}, outcomes
    daemon.start()
    daemon.wait_spool_empty()
    assert set(clients.acknowledged()) - stored_ids(daemon, database) == set()


def test_a_new_connection_during_a_drain_is_refused_and_never_reset(hooksd):
    daemon = hooksd(ACCEPTORS=1)
    with daemon.raw() as connection:
        connection.send(http_post("/events", EVENT)[:-5])
        daemon.post_event(minimal())
        daemon.signal(signal.SIGTERM)
        daemon.wait_for_log(" draining ")
        with pytest.raises(ConnectionRefusedError):
            daemon.raw(timeout=30)
        assert not is_readable(connection)
        connection.send(EVENT[-5:])
        reply = connection.read_reply()
        assert (reply.status, reply.headers["connection"]) == (202, "close")
        assert connection.socket.recv(1) == b""
    daemon.wait_exit(0)


def test_the_last_answer_of_a_draining_service_says_close(hooksd):
    """This includes a request from before the drain whose events are stored during it."""
    daemon = hooksd(ACCEPTORS=1)
    writer = daemon.pids("writer")[0]
    os.kill(writer, signal.SIGSTOP)
    with daemon.raw() as connection:
        connection.send(http_post("/events", EVENT))
        wait_until(lambda: daemon.metrics()["events_received_total"] == 1, "the event to be received")
        daemon.signal(signal.SIGTERM)
        wait_leaving(daemon)
        os.kill(writer, signal.SIGCONT)
        reply = connection.read_reply()
        assert (reply.status, reply.headers["connection"]) == (202, "close")
        assert connection.socket.recv(1) == b""
    daemon.wait_exit(0)


def test_hup_replaces_the_acceptors_without_one_failed_request_or_closed_connection(database, hooksd):
    daemon = hooksd(database)
    with fleet(daemon.port, busy=12, paced=12, anew=4) as clients:
        for _ in range(3):
            roll(daemon)
            clients.wait_for_answers(2)
    assert set(clients.outcomes()) == {"202"}, clients.outcomes()
    assert {client.connections for client in clients.all if not client.anew} == {1}
    assert set(clients.acknowledged()) - stored_ids(daemon, database) == set()


def test_hup_keeps_requests_that_have_arrived_in_part(hooksd):
    """
    The next acceptor goes on reading wherever the request was cut. Only a chunked body is read to its end by the old
    acceptor.
    """
    daemon = hooksd(ACCEPTORS=1)
    request = http_post("/events", EVENT)
    chunked = (b"POST /events HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
               b"%x\r\n%s\r\n0\r\n\r\n" % (len(EVENT), EVENT))
    cuts = [(request, 0), (request, 7), (request, request.index(b"\r\n\r\n") + 2), (request, len(request) - 5),
            (chunked, 30), (chunked.replace(b"Transfer-Encoding", b"transfer-encoding"), chunked.index(b"\r\n\r\n"))]
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(daemon.raw()) for _ in cuts]
        for connection, (whole, cut) in zip(connections, cuts):
            connection.send(whole[:cut])
        slow = stack.enter_context(daemon.raw())
        slow.send(chunked[:-20])
        daemon.post_event(minimal())
        before = daemon.pids("acceptor")
        daemon.signal(signal.SIGHUP)
        wait_leaving(daemon)
        slow.send(chunked[-20:])
        assert slow.read_reply().status == 202
        wait_until(lambda: len(daemon.pids("acceptor")) == 1 and daemon.pids("acceptor") != before, "a new acceptor")
        for connection, (whole, cut) in zip([*connections, slow], [*cuts, (request, 0)]):
            connection.send(whole[cut:])
            reply = connection.read_reply()
            assert (reply.status, reply.headers["connection"]) == (202, "keep-alive")


def test_hup_keeps_a_waiting_request_and_the_next_pipelined_one(hooksd):
    daemon = hooksd(ACCEPTORS=1)
    writer = daemon.pids("writer")[0]
    os.kill(writer, signal.SIGSTOP)
    with daemon.raw() as connection, daemon.raw() as patient:
        for each in (connection, patient):
            each.send(http_post("/events", EVENT))
        wait_until(lambda: daemon.metrics()["events_received_total"] == 2, "the events to be received")
        connection.send(http_post("/events", EVENT))
        before = daemon.pids("acceptor")
        daemon.signal(signal.SIGHUP)
        wait_leaving(daemon)
        os.kill(writer, signal.SIGCONT)
        assert [connection.read_reply().status for _ in range(2)] == [202, 202]
        assert patient.read_reply().status == 202
        wait_until(lambda: not set(before) & set(daemon.pids("acceptor")), "the old acceptor to be gone")
        for each in (connection, patient):
            each.send(http_post("/events", EVENT))
            assert each.read_reply().status == 202


def test_hup_keeps_hundreds_of_idle_connections(hooksd):
    """More connections than fit into one message between acceptors."""
    daemon = hooksd(ACCEPTORS=1)
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(daemon.raw()) for _ in range(600)]
        roll(daemon)
        for connection in connections:
            connection.send(b"GET /livez HTTP/1.1\r\nHost: test\r\n\r\n")
            assert connection.read_reply().status == 200


def test_hup_keeps_the_writer_of_a_connection(hooksd):
    """Then its events stay in order. Connections take the writers in turn; these two have the same writer."""
    daemon = hooksd(ACCEPTORS=1, WRITERS=2, ACK="queued")
    for writer in daemon.pids("writer"):
        os.kill(writer, signal.SIGSTOP)
    with daemon.raw() as one, daemon.raw() as between, daemon.raw() as other:
        between.close()

        def depths():
            """Posts on both connections. Returns the number of waiting requests for each writer."""
            for connection in (one, other):
                connection.send(http_post("/events", EVENT))
                assert connection.read_reply().status == 202
            lanes = re.findall(r"^0 -> \d +(\d+) ", daemon.hooksctl("status").stdout, re.MULTILINE)
            return [int(depth) for depth in lanes]

        before = depths()
        assert sorted(before) == [0, 2]
        roll(daemon)
        assert depths() == [2 * depth for depth in before]
        for writer in daemon.pids("writer"):
            os.kill(writer, signal.SIGCONT)
    daemon.stop()
    assert len(daemon.jsonl_lines()) == 4


def test_a_stop_in_the_middle_of_a_hup_answers_every_request(hooksd):
    """The old acceptor serves the connections that it had handed over to a successor, because that never starts."""
    daemon = hooksd(ACCEPTORS=1)
    writer = daemon.pids("writer")[0]
    os.kill(writer, signal.SIGSTOP)
    with daemon.raw() as idle, daemon.raw() as waiting:
        waiting.send(http_post("/events", EVENT))
        wait_until(lambda: daemon.metrics()["events_received_total"] == 1, "the event to be received")
        daemon.signal(signal.SIGHUP)
        wait_leaving(daemon)
        with daemon.raw() as late:
            for connection in (idle, late):
                connection.send(http_post("/events", EVENT))
            daemon.signal(signal.SIGTERM)
            daemon.wait_for_log(" draining ")
            os.kill(writer, signal.SIGCONT)
            for connection in (idle, late, waiting):
                assert connection.read_reply().status == 202
                assert connection.socket.recv(1) == b""
    daemon.wait_exit(0)
    assert len(daemon.jsonl_lines()) == 3


def test_a_stop_answers_clients_of_an_acceptor_that_died(hooksd):
    daemon = hooksd(ACCEPTORS=1)
    for number in range(5):  # the master waits longer before each restart
        acceptor, = wait_until(lambda: daemon.pids("acceptor"), "an acceptor")
        os.kill(acceptor, signal.SIGKILL)
        daemon.wait_for_log("process died", count=number + 1)
    with daemon.raw() as connection:
        connection.send(http_post("/events", EVENT))
        daemon.signal(signal.SIGTERM)
        assert connection.read_reply().status == 202
    daemon.wait_exit(0)


def test_the_service_answers_before_a_silent_store_does(hooksd):
    """Acceptors wait for the first state of the store, to refuse no client too early, but not for long."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        daemon = hooksd(DATABASE_URL=f"postgresql://hooks@127.0.0.1:{silent.getsockname()[1]}/hooks", store_ready=False)
        assert daemon.get("/livez").status == 200
        assert daemon.post_event(minimal()).status == 503
        daemon.stop()


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.parametrize("storage", ["jsonl", "sqlite", "postgres"])
def test_a_restart_on_a_passed_socket_fails_no_request(request, make_hooksd, storage):
    database = request.getfixturevalue("database") if storage == "postgres" else None
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        daemon = make_hooksd(database, STORAGE_TYPE=storage)
        pass_descriptors(daemon, [listener.fileno()])
        daemon.start()
        with fleet(daemon.port, busy=8, paced=12, anew=4) as clients:
            for _ in range(3):
                daemon.stop()
                daemon.start(store_ready=False)
                clients.wait_for_answers(2)
        daemon.stop()
    assert set(clients.outcomes()) == {"202"}, clients.outcomes()
    assert set(clients.acknowledged()) - stored_ids(daemon, database) == set()
