"""
PostgreSQL, PgBouncer, a lock or the network hangs: connections stay open without an answer. The writers give up and
spool the events during the hang (every answer below comes then). Afterwards each event is stored once.
"""

import contextlib
import re
import signal
import socket
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.events import differences, expected, random_events
from harness.load import Load
from harness.metrics import accounted, metrics, wait_accounted
from harness.pgbouncer import PgBouncer
from harness.proxy import DOWN, UP, FaultyProxy
from harness.waiting import PATIENCE, wait_until

TIMEOUT_MS = 700 * PATIENCE
IMPATIENT = {"STORE_TIMEOUT_MS": TIMEOUT_MS, "SPOOL_AFTER_MS": 0}
NEVER = {"STORE_TIMEOUT_MS": 3600000, "SPOOL_AFTER_MS": 0}


def batches(count, size, seed):
    events = random_events(count * size, sessions=1, seed=seed)[0]
    return [events[start : start + size] for start in range(0, len(events), size)]


def post(daemon, some, *acks):
    """
    Posts the batches. Any acknowledgement is accepted unless some are named: on a busy machine a statement may exceed a
    small STORE_TIMEOUT_MS.
    """
    for batch in some:
        reply = daemon.post_batch(batch)
        assert reply.status == 202 and (not acks or reply.headers["X-Hooks-Ack"] in acks), reply


def assert_stored_once(daemon, database, some):
    daemon.wait_spool_empty()
    assert differences([expected(event) for batch in some for event in batch], database.events()) == []


@pytest.fixture
def proxy(database):
    with FaultyProxy(database.server.port) as proxy:
        yield proxy


@pytest.fixture
def sender():
    with ThreadPoolExecutor(1) as pool:
        yield pool


def keepalives(port):
    """
    For each open connection of a server's port: the seconds until the kernel sends a keepalive probe to the client.
    """
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    timers = [fields[5].split(":") for fields in lines if fields[1].endswith(f":{port:04X}") and fields[3] == "01"]
    return [int(when, 16) / 100 for kind, when in timers if kind == "02"]


@contextlib.contextmanager
def locked(database):
    with database.server.connect(database.name) as holder, holder.transaction():
        holder.execute("LOCK TABLE hook_events IN ACCESS EXCLUSIVE MODE")
        yield


@contextlib.contextmanager
def black_hole(database):
    """Replaces the server during the block by one that accepts connections and never answers."""
    database.server.stop()
    with socket.create_server(("127.0.0.1", database.server.port)):
        yield
    database.server.start()


def trouble(name, database):
    return {"stopped": database.server.hung, "locked": lambda: locked(database)}[name]()


@pytest.mark.parametrize("name", ["stopped", "locked"])
def test_events_are_spooled_while_postgresql_hangs(database, hooksd, name):
    daemon = hooksd(database, WRITERS=2, **IMPATIENT)
    some = batches(12, 20, seed=81)
    post(daemon, some[:4])
    with trouble(name, database):
        post(daemon, some[4:], "spooled")
        assert daemon.get("/health").json()["status"] == "degraded"
    assert_stored_once(daemon, database, some)
    assert accounted(metrics(daemon))


def test_clients_under_load_notice_no_hang(database, hooksd):
    daemon = hooksd(database, WRITERS=2, **IMPATIENT)
    load = Load(daemon, random_events(4000, sessions=4, seed=82), batch=20)
    with load:
        for done in (400, 1600):
            load.wait_acknowledged(done)
            with database.server.hung():
                load.wait_acknowledged(done + 600)
    assert_stored_once(daemon, database, [load.events()])
    assert (load.repeated, load.unavailable) == (set(), 0)
    assert accounted(metrics(daemon))


@pytest.mark.parametrize("statement", ["COPY", "INSERT"])
def test_attempts_at_a_locked_table_leave_no_statement_in_the_server(database, hooksd, statement):
    daemon = hooksd(database, WRITERS=1, **IMPATIENT)
    some = batches(3, 20, seed=83)
    if statement == "INSERT":  # hooksd uses INSERT after a batch of duplicates
        post(daemon, some[:1] * 2)
    with locked(database):
        post(daemon, some, "spooled")
        daemon.wait_for_log(f"the store is unavailable .*STORE_TIMEOUT_MS={TIMEOUT_MS}", count=3)
        waiting = database.value(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
        assert waiting <= 1
        # The attempts never report the store as ready, which would mislead the next request.
        assert len(re.findall("the store is ready", daemon.log())) == 1
    assert_stored_once(daemon, database, some)


@pytest.mark.parametrize("directions", [(UP, DOWN), (UP,), (DOWN,)], ids=["both", "up", "down"])
def test_events_are_spooled_while_the_network_loses_everything(database, proxy, hooksd, directions):
    daemon = hooksd(DATABASE_URL=proxy.url(database), WRITERS=2, **IMPATIENT)
    some = batches(12, 20, seed=84)
    post(daemon, some[:4])
    proxy.swallow(*directions)
    post(daemon, some[4:], "spooled")
    proxy.release()
    assert_stored_once(daemon, database, some)
    assert accounted(metrics(daemon))


def test_a_batch_that_arrives_in_half_is_stored_once(database, proxy, hooksd):
    """The server waits for the rest of the COPY, and locks its rows' keys until it notices the lost connection."""
    daemon = hooksd(DATABASE_URL=proxy.url(database), WRITERS=1, **IMPATIENT)
    events = random_events(2000, sessions=1, seed=85)[0]
    # This row comes early enough to be in the next attempts too, each of which has half as many rows.
    proxy.swallow(UP, words=uuid.UUID(events[300]["event_id"]).bytes)
    post(daemon, [events], "spooled")
    assert database.count() == 0
    assert any(seconds <= 10 for seconds in keepalives(database.server.port)), "the server probes the client soon"
    proxy.release()
    assert_stored_once(daemon, database, [events])


def test_a_batch_whose_commit_got_no_answer_is_stored_once(database, proxy, hooksd):
    daemon = hooksd(DATABASE_URL=proxy.url(database), WRITERS=1, **IMPATIENT)
    events = random_events(20, sessions=1, seed=86)[0]
    proxy.swallow(DOWN, words=b"COPY 20\0")
    post(daemon, [events], "spooled")
    assert database.count() == 20
    proxy.release()
    assert_stored_once(daemon, database, [events])
    wait_until(lambda: metrics(daemon)["events_duplicate_total"] == 20, "the duplicates to be found out")
    assert wait_accounted(daemon)["events_stored_total"] == 0


def test_a_batch_whose_connection_is_cut_is_stored_once(database, proxy, hooksd):
    daemon = hooksd(DATABASE_URL=proxy.url(database), WRITERS=1, STORE_TIMEOUT_MS=10000)
    events = random_events(2000, sessions=1, seed=87)[0]
    proxy.cut_before(uuid.UUID(events[1000]["event_id"]).bytes)
    post(daemon, [events])
    proxy.cut()
    more = random_events(20, sessions=1, seed=88)[0]
    post(daemon, [more])
    assert_stored_once(daemon, database, [events, more])
    assert accounted(metrics(daemon))


def test_events_are_spooled_while_the_network_is_extremely_slow(database, proxy, hooksd):
    daemon = hooksd(DATABASE_URL=proxy.url(database), WRITERS=2, **IMPATIENT)
    some = batches(10, 20, seed=89)
    post(daemon, some[:2])
    proxy.trickle()
    post(daemon, some[2:], "spooled")
    proxy.release()
    assert_stored_once(daemon, database, some)
    assert accounted(metrics(daemon))


def test_events_are_spooled_while_pgbouncer_hangs(postgres, database, hooksd):
    bouncer = PgBouncer(postgres)
    try:
        daemon = hooksd(DATABASE_URL=bouncer.start().url(database), WRITERS=2, **IMPATIENT)
        some = batches(12, 20, seed=90)
        post(daemon, some[:4])
        bouncer.process.send_signal(signal.SIGSTOP)
        post(daemon, some[4:], "spooled")
        bouncer.process.send_signal(signal.SIGCONT)
        assert_stored_once(daemon, database, some)
        assert accounted(metrics(daemon))
    finally:
        bouncer.process.send_signal(signal.SIGCONT)
        bouncer.remove()


@contextlib.contextmanager
def slow_rows(database, seconds):
    database.query(
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN PERFORM pg_sleep({seconds}); RETURN NEW; END $$")
    database.query("CREATE TRIGGER slow BEFORE INSERT ON hook_events FOR EACH ROW EXECUTE FUNCTION dawdle()")
    yield
    database.query("DROP TRIGGER slow ON hook_events")


def test_a_table_too_slow_for_large_batches_gets_smaller_ones(database, hooksd):
    daemon = hooksd(database, WRITERS=1, **IMPATIENT)
    events = random_events(60, sessions=1, seed=91)[0]
    with slow_rows(database, 0.02 * PATIENCE):
        post(daemon, [events], "spooled")
        assert_stored_once(daemon, database, [events])


def test_a_table_too_slow_for_any_row_is_logged(database, hooksd):
    daemon = hooksd(database, WRITERS=1, **IMPATIENT)
    some = batches(2, 1, seed=92)
    with slow_rows(database, 3600):
        post(daemon, some, "spooled")
        daemon.wait_for_log(f"the store is unavailable .*given up after .*STORE_TIMEOUT_MS={TIMEOUT_MS}", count=2)
    assert_stored_once(daemon, database, some)


@pytest.mark.parametrize("name", ["stopped", "locked"])
def test_a_stop_while_a_statement_hangs_spools_the_events(database, hooksd, sender, name):
    daemon = hooksd(database, WRITERS=2, DRAIN_TIMEOUT_SECONDS=5, **NEVER)
    some = batches(2, 20, seed=93)
    post(daemon, some[:1])
    with trouble(name, database):
        reply = sender.submit(daemon.post_batch, some[1])
        wait_until(lambda: metrics(daemon)["events_received_total"] == 40, "the request to wait")
        daemon.stop()  # exits with 0, so no event is left on the ring
        assert reply.result().headers["X-Hooks-Ack"] == "spooled"
        assert daemon.spool_files()
    daemon.start()
    assert_stored_once(daemon, database, some)


def test_a_stop_while_connecting_hangs_spools_the_events(database, hooksd):
    """The waiting events have their 202 already, and SPOOL_AFTER_MS is longer than the drain."""
    daemon = hooksd(database, WRITERS=1, ACK="queued", DRAIN_TIMEOUT_SECONDS=5, SPOOL_AFTER_MS=3600000)
    some = batches(2, 20, seed=94)
    post(daemon, some[:1])
    daemon.wait_stored(20)
    with black_hole(database):
        daemon.wait_for_log("the store failed")
        post(daemon, some[1:])
        daemon.stop()
        assert daemon.spool_files()
    daemon.start()
    assert_stored_once(daemon, database, some)


@pytest.mark.parametrize("name", ["stopped", "locked"])
def test_the_service_starts_and_stops_while_postgresql_hangs(database, hooksd, name):
    """Connecting and checking the schema hang as statements do."""
    daemon = hooksd(database, DRAIN_TIMEOUT_SECONDS=5, **NEVER)
    daemon.stop()
    with trouble(name, database):
        daemon.start(store_ready=False)
        daemon.stop()
    daemon.start()
    post(daemon, batches(1, 5, seed=95))
