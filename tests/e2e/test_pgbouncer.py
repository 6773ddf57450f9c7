"""PgBouncer in transaction mode with fewer server connections than writers."""

import contextlib
import json
import signal
import uuid

import pytest

from harness.accounting import settled
from harness.daemon import run_program
from harness.events import differences, expected, minimal, random_events
from harness.load import Load
from harness.metrics import metrics
from harness.pgbouncer import PgBouncer
from harness.waiting import wait_until

REPLICAS, WRITERS, POOL_SIZE = 2, 2, 2


@pytest.fixture
def database(empty_database):
    """A database without tables: hooksd creates them through the pooler."""
    return empty_database


@pytest.fixture
def bouncer(postgres):
    bouncer = PgBouncer(postgres, default_pool_size=POOL_SIZE)
    try:
        yield bouncer.start()
    finally:
        bouncer.remove()


@pytest.fixture
def replicas(bouncer, database, make_hooksd):
    """Two daemons that start together on an empty database."""
    replicas = [make_hooksd(DATABASE_URL=bouncer.url(database), WRITERS=WRITERS) for _ in range(REPLICAS)]
    for replica in replicas:
        replica.spawn()
    for replica in replicas:
        replica.port = int(replica.wait_for_log(replica.ready_pattern).group(1))
        replica.wait_store_ready()
    return replicas


def total(replicas, name):
    return sum(metrics(replica)[name] for replica in replicas)


@contextlib.contextmanager
def loads_on(replicas, seed):
    """Loads with two streams for each replica. The first stream is the same for all replicas, at the same time."""
    shared, *streams = random_events(2000 * (2 * len(replicas) + 1), sessions=2 * len(replicas) + 1, seed=seed)
    loads = [Load(replica, [shared, *streams[2 * n : 2 * n + 2]], batch=20) for n, replica in enumerate(replicas)]
    with contextlib.ExitStack() as stack:
        for load in loads:
            stack.enter_context(load)
        yield loads


def assert_stored_once(replicas, database, loads):
    for replica in replicas:
        replica.wait_spool_empty()
    sent = {event["event_id"]: expected(event) for load in loads for event in load.events()}
    assert differences(list(sent.values()), database.events()) == []
    assert all(settled(metrics(replica)) for replica in replicas)
    # A repeated batch whose commit got no answer counts as duplicates.
    assert total(replicas, "events_stored_total") <= len(sent)


def pool_of(bouncer, database):
    return next(pool for pool in bouncer.console("SHOW POOLS") if pool["database"] == database.name)


def test_replicas_share_a_small_pool(bouncer, database, replicas):
    with loads_on(replicas, seed=41) as loads:
        pass
    assert_stored_once(replicas, database, loads)
    assert total(replicas, "events_duplicate_total") == len(loads[0].streams[0]) * (REPLICAS - 1)
    assert total(replicas, "storage_errors_total") == 0
    pool = pool_of(bouncer, database)
    assert pool["pool_mode"] == "transaction"
    assert pool["cl_active"] + pool["cl_waiting"] == REPLICAS * WRITERS
    servers = database.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
    assert 1 <= servers <= POOL_SIZE


def test_hooksds_settings_of_a_session_end_with_its_transaction(bouncer, database, replicas):
    for replica in replicas:
        assert replica.post_batch([minimal()] * 100).status == 202
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(bouncer.connect(database.name)) for _ in range(POOL_SIZE)]
        for session in sessions:  # each holds a session of the server until its transaction ends
            session.execute("BEGIN")
            found = [session.execute(f"SHOW {name}").fetchone()[0] for name in ("statement_timeout", "tcp_keepalives_idle")]
            assert found == ["0", database.value("SHOW tcp_keepalives_idle")]


@contextlib.contextmanager
def all_sessions(bouncer, database):
    """Holds all of the pool's sessions during the block."""
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(bouncer.connect(database.name)) for _ in range(POOL_SIZE)]
        for session in sessions:
            session.execute("BEGIN")
        yield sessions
        for session in sessions:
            session.execute("COMMIT")


def test_another_clients_temporary_tables_get_no_events(bouncer, database, replicas):
    with all_sessions(bouncer, database) as sessions:
        for session in sessions:
            session.execute("CREATE TEMP TABLE hook_events (LIKE hook_events INCLUDING ALL)")
            session.execute("CREATE TEMP TABLE hook_events_dead_letters (LIKE hook_events_dead_letters INCLUDING ALL)")
    events = [minimal(event_id=str(uuid.uuid4())) for _ in range(20)]
    poison = json.dumps([minimal(data={})]).replace("{}", '{"x": 1e200000}')
    for replica in replicas:
        for body in (events, events[:5] + [minimal()], poison):
            assert replica.post_batch(body).headers["X-Hooks-Ack"] == "stored"
    assert database.count() == 20 + REPLICAS
    assert database.value("SELECT count(*) FROM hook_events_dead_letters") == REPLICAS


def test_events_are_committed_to_disk_although_synchronous_commit_is_off(bouncer, database, hooksd):
    hooksd(database).stop()
    for table in ("hook_events", "hook_events_dead_letters"):
        database.query(f"ALTER TABLE {table} ADD COLUMN commits text DEFAULT current_setting('synchronous_commit')")
    database.query(f"ALTER DATABASE {database.name} SET synchronous_commit = off")
    daemon = hooksd(DATABASE_URL=bouncer.url(database), WRITERS=1)
    events = [minimal(event_id=str(uuid.uuid4())) for _ in range(3)]
    poison = json.dumps([minimal(data={})]).replace("{}", '{"x": 1e200000}')
    for body in (events, events + [minimal()], poison):
        assert daemon.post_batch(body).headers["X-Hooks-Ack"] == "stored"
    for table in ("hook_events", "hook_events_dead_letters"):
        assert database.query(f"SELECT DISTINCT commits FROM {table}") == [("on",)]


def test_an_idle_timeout_of_pgbouncer_is_no_error(postgres, database, hooksd):
    bouncer = PgBouncer(postgres, client_idle_timeout=2)
    try:
        daemon = hooksd(DATABASE_URL=bouncer.start().url(database), WRITERS=1)
        daemon.wait_for_log("the store has closed an idle connection: opening another .*client_idle_timeout", count=2)
        assert daemon.post_event(minimal()).headers["X-Hooks-Ack"] == "stored"
        assert metrics(daemon)["storage_errors_total"] == 0
    finally:
        bouncer.remove()


def test_hooksctl_migrates_through_the_pooler(bouncer, database, hooksd):
    daemon = hooksd(store_ready=False, DATABASE_URL=bouncer.url(database), AUTO_MIGRATE="false")
    daemon.wait_for_log("hooksctl migrate")
    for said in ("applied", "nothing to do"):
        result = run_program("hooksctl", "migrate", options={"DATABASE_URL": bouncer.url(database)})
        assert result.returncode == 0, result.stderr
        assert said in result.stdout
    daemon.wait_store_ready()
    assert daemon.post_event(minimal()).status == 202
    assert database.count() == 1


def test_refused_rows_and_escapes_are_handled_through_the_pooler(database, replicas):
    bodies = [json.dumps(minimal(event_id=str(uuid.uuid4()), data={"n": n, "text": "t"})) for n in range(1000)]
    poisoned = {0, 1, 499, 500, 999}
    for n in poisoned:
        bodies[n] = bodies[n].replace('"t"', "1e200000")
    bodies[7] = bodies[7].replace('"t"', '"a\\u0000b \\ud800"')
    for replica in replicas:
        # Each replica gets the batch twice: the rows are duplicates, or are refused again.
        for _ in range(2):
            reply = replica.post_batch("[" + ",".join(bodies) + "]")
            assert (reply.status, reply.json()["accepted"]) == (202, 1000)
    stored = {event["data"]["n"]: event["data"]["text"] for event in database.events()}
    assert stored == {n: "t" for n in range(1000) if n not in poisoned} | {7: "a\ufffdb \ufffd"}
    assert database.count() == 995
    counts = [total(replicas, f"events_{kind}_total") for kind in ("received", "stored", "duplicate", "dead_lettered")]
    assert counts == [4000, 995, 3 * 995, 4 * 5]
    assert total(replicas, "storage_errors_total") == 0


def test_a_crash_of_postgresql_behind_the_pooler_loses_no_event(database, replicas):
    with loads_on(replicas, seed=42) as loads:
        loads[0].wait_acknowledged(1000)
        database.server.stop(signal.SIGQUIT)
        # Not every replica notices: a writer that waits for a session goes on waiting, and gets one of the new server.
        wait_until(lambda: total(replicas, "storage_errors_total") > 0, "a writer to notice")
        database.server.start()
    assert_stored_once(replicas, database, loads)


def test_a_restart_of_the_pooler_loses_no_event(bouncer, database, replicas):
    with loads_on(replicas, seed=43) as loads:
        loads[0].wait_acknowledged(1000)
        bouncer.stop()
        for replica in replicas:
            replica.wait_for_log("the store is unavailable")
        bouncer.start()
    assert_stored_once(replicas, database, loads)


def test_events_are_stored_once_although_others_hold_the_whole_pool(bouncer, database, replicas):
    """The writers wait for a session until PgBouncer disconnects them."""

    @contextlib.contextmanager
    def pool_held():
        with contextlib.ExitStack() as stack:
            for _ in range(POOL_SIZE):
                holder = stack.enter_context(bouncer.connect(database.name))
                stack.enter_context(holder.transaction())
                holder.execute("SELECT 1")
            yield

    with loads_on(replicas, seed=44) as loads:
        with pool_held():
            wait_until(lambda: pool_of(bouncer, database)["cl_waiting"] == REPLICAS * WRITERS, "all writers to wait")
        assert total(replicas, "storage_errors_total") == 0
        loads[0].wait_acknowledged(1000)
        bouncer.console("SET query_wait_timeout = 1")
        with pool_held():
            for replica in replicas:
                replica.wait_for_log("the store is unavailable .*query_wait_timeout")
    assert_stored_once(replicas, database, loads)
