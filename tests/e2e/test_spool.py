"""During an outage of PostgreSQL events go to the spool. Afterwards each spooled event is stored once."""

import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.accounting import accounted
from harness.events import differences, expected, random_events
from harness.load import Load
from harness.metrics import metrics, wait_settled
from harness.waiting import PATIENCE, wait_until

AT_ONCE = {"SPOOL_AFTER_MS": 0}


def batches(count, size, seed):
    events = random_events(count * size, sessions=1, seed=seed)[0]
    return [events[start : start + size] for start in range(0, len(events), size)]


def post(daemon, some, ack="spooled"):
    """Posts the batches one by one on new connections, so that all writers get some."""
    for batch in some:
        reply = daemon.post_batch(batch)
        assert (reply.status, reply.headers["X-Hooks-Ack"]) == (202, ack), reply


def stored_once(database, daemon, some):
    daemon.wait_spool_empty()
    events = [expected(event) for batch in some for event in batch]
    wait_until(lambda: database.count() >= len(events), "all events")
    assert differences(events, database.events()) == []


def without_store(database, hooksd, **options):
    """A daemon whose store was ready and is down now."""
    daemon = hooksd(database, **(AT_ONCE | {"WRITERS": 2} | options))
    database.server.stop()
    return daemon


def test_events_of_an_outage_are_spooled_and_stored_once(database, hooksd):
    daemon = hooksd(database, WRITERS=2, **AT_ONCE)
    some = batches(30, 20, seed=51)
    post(daemon, some[:10], ack="stored")
    database.server.stop()
    post(daemon, some[10:])
    numbers = metrics(daemon)
    assert numbers["events_spooled_total"] == numbers["spool_events"] == 400
    assert numbers["spool_files"] == len(daemon.spool_files()) > 0
    assert accounted(numbers)
    assert daemon.get("/readyz").status == 200
    assert daemon.get("/health").json()["status"] == "degraded"
    database.server.start()
    stored_once(database, daemon, some)
    numbers = metrics(daemon)
    assert (numbers["events_stored_total"], numbers["spool_events"], numbers["spool_bytes"]) == (600, 0, 0)
    assert accounted(numbers)


def test_events_of_a_short_outage_are_not_spooled(database, hooksd):
    daemon = hooksd(database, SPOOL_AFTER_MS=3600000)
    load = Load(daemon, random_events(2000, sessions=2, seed=52), batch=20)
    with load:
        load.wait_acknowledged(500)
        database.server.stop()
        database.server.start()
    assert metrics(daemon)["events_spooled_total"] == 0
    assert differences([expected(event) for event in load.events()], database.events()) == []


def test_a_silent_server_delays_no_request(database, hooksd):
    daemon = without_store(database, hooksd, DRAIN_TIMEOUT_SECONDS=5)
    some = batches(30, 10, seed=60)
    with socket.create_server(("127.0.0.1", database.server.port)):  # accepts connections and never answers
        for batch in some:
            begin = time.monotonic()
            post(daemon, [batch])
            assert time.monotonic() - begin < 2 * PATIENCE
        daemon.stop()
    database.server.start()
    daemon.start()
    stored_once(database, daemon, some)


@pytest.mark.parametrize("what", ["writers", "all"])
def test_events_spooled_before_a_kill_are_stored_once(database, hooksd, what):
    daemon = without_store(database, hooksd)
    some = batches(40, 10, seed=53)
    post(daemon, some[:20])
    if what == "writers":
        for writer in daemon.pids("writer"):
            os.kill(writer, signal.SIGKILL)
    else:
        daemon.kill()
        daemon.start(store_ready=False)
    # A new writer spools too: the spool proves that the store was reached before.
    wait_until(lambda: daemon.get("/readyz").status == 200, "events to be accepted")
    post(daemon, some[20:])
    database.server.start()
    stored_once(database, daemon, some)


def test_a_replay_under_load_stores_each_event_once(database, hooksd):
    daemon = without_store(database, hooksd, WRITERS=1)
    some = batches(40, 300, seed=54)
    post(daemon, some)
    load = Load(daemon, random_events(2000, sessions=4, seed=55), batch=10)
    with load:
        load.wait_acknowledged(200)
        database.server.start()
    stored_once(database, daemon, some + [load.events()])


def test_fewer_writers_take_over_all_files(database, hooksd):
    daemon = without_store(database, hooksd, WRITERS=4)
    some = batches(40, 5, seed=56)
    post(daemon, some)
    daemon.stop()
    daemon.options["WRITERS"] = 1
    database.server.start()
    daemon.start()
    stored_once(database, daemon, some)


def test_a_stop_during_an_outage_spools_the_events_on_the_ring(database, hooksd):
    daemon = without_store(database, hooksd, ACK="queued", SPOOL_AFTER_MS=3600000, DRAIN_TIMEOUT_SECONDS=5)
    some = batches(10, 20, seed=57)
    post(daemon, some, ack="queued")
    daemon.stop()  # exits with 0, so no event is left on the ring
    listed = daemon.hooksctl("spool", "list")
    assert listed.returncode == 0 and "spool-0" in listed.stdout
    database.server.start()
    daemon.start()
    stored_once(database, daemon, some)


def test_requests_get_503_while_the_spool_is_full(database, hooksd):
    daemon = without_store(database, hooksd, WRITERS=1, SPOOL_MAX_BYTES="1MiB")
    some = batches(200, 50, seed=58)
    accepted = []
    for batch in some:
        reply = daemon.post_batch(batch)
        if reply.status != 202:
            break
        assert reply.headers["X-Hooks-Ack"] == "spooled"
        accepted.append(batch)
    assert reply.status == 503 and int(reply.headers["Retry-After"]) > 0
    assert len(accepted) > 3
    assert daemon.get("/readyz").status == 503
    assert metrics(daemon)["spool_bytes"] <= 1 << 20
    database.server.start()
    stored_once(database, daemon, accepted)
    post(daemon, some[-2:-1], ack="stored")
    database.server.stop()
    post(daemon, some[-1:])
    database.server.start()
    stored_once(database, daemon, accepted + some[-2:])


def test_requests_are_refused_while_the_spool_cannot_be_written(database, hooksd):
    """
    A file has the name of the spool's directory: accepted events wait, new ones are refused, and all works again when
    the file is gone.
    """
    daemon = hooksd(database, WRITERS=1, **AT_ONCE)
    some = batches(3, 10, seed=61)
    post(daemon, some[:1], ack="stored")
    obstacle = daemon.directory / ".agentic/hooksd/spool"
    obstacle.parent.mkdir(parents=True, exist_ok=True)
    obstacle.write_text("")
    database.server.stop()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(daemon.post_batch, some[1])
        daemon.wait_for_log("the spool takes no more events")
        wait_until(lambda: daemon.post_batch(some[2]).status == 503, "the refusal")
        obstacle.unlink()
        assert waiting.result().headers["X-Hooks-Ack"] == "spooled"
    post(daemon, some[2:])
    database.server.start()
    stored_once(database, daemon, some)


def test_damage_in_the_spool_costs_one_event_and_is_logged(database, hooksd):
    daemon = without_store(database, hooksd, WRITERS=1)
    some = batches(1, 30, seed=59)
    post(daemon, some)
    daemon.stop()
    assert daemon.hooksctl("spool", "verify").returncode == 0
    path = daemon.directory / ".agentic/hooksd/spool" / daemon.spool_files()[0]
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    verified = daemon.hooksctl("spool", "verify")
    assert verified.returncode == 1 and "29 good" in verified.stdout
    database.server.start()
    daemon.start()
    wait_until(lambda: database.count() == 29, "what is whole")
    wait_until(lambda: metrics(daemon)["spool_events"] == 0, "the end of the replay")
    assert metrics(daemon)["events_damaged_total"] == 1
    assert [name.split("-")[0] for name in daemon.spool_files()] == ["damaged"]


def test_without_a_spool_only_stored_events_are_acknowledged(database, hooksd):
    daemon = hooksd(database, **AT_ONCE, SPOOL_MAX_BYTES=0)
    some = batches(3, 20, seed=57)
    post(daemon, some[:1], ack="stored")
    database.server.stop()

    def refused():
        return daemon.get("/readyz").status == 503

    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(daemon.post_batch, some[1])  # waits if it comes before hooksd notices the outage
        wait_until(refused, "the outage to be seen")
        assert daemon.post_batch(some[2]).status == 503
        assert daemon.spool_files() == []
        database.server.start()
        answered = waiting.result()
    daemon.wait_store_ready()
    assert (answered.status, answered.headers.get("X-Hooks-Ack")) in [(202, "stored"), (503, None)]
    assert database.count() == (40 if answered.status == 202 else 20)
    assert accounted(metrics(daemon))


def test_an_existing_spool_is_stored_although_spooling_is_switched_off(database, hooksd):
    daemon = without_store(database, hooksd)
    some = batches(2, 20, seed=58)
    post(daemon, some)
    daemon.stop()
    daemon.options["SPOOL_MAX_BYTES"] = 0
    database.server.start()
    daemon.start()
    stored_once(database, daemon, some)


def test_without_a_spool_a_stop_acknowledges_only_stored_events(database, hooksd):
    daemon = hooksd(database, **AT_ONCE, SPOOL_MAX_BYTES=0, WRITERS=1, DRAIN_TIMEOUT_SECONDS=2)
    [writer] = daemon.pids("writer")
    os.kill(writer, signal.SIGSTOP)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(daemon.post_batch, batches(1, 20, seed=59)[0])
        wait_until(lambda: metrics(daemon)["ring_events"] == 20, "the request to wait")
        database.server.stop()
        os.kill(writer, signal.SIGCONT)
        daemon.wait_for_log("the store failed")
        daemon.stop()
        assert waiting.result().status == 503
    assert daemon.spool_files() == []
    database.server.start()
    daemon.start()
    assert (database.count(), wait_settled(daemon)["events_discarded_total"]) == (0, 20)
