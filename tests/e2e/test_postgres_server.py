"""Settings of a server, database or role: hooksd checks those that affect every row, and sets those that it may set."""

import contextlib
import signal

import pytest

from harness.daemon import run_program
from harness.events import minimal, now, timestamp_text
from harness.metrics import metrics
from harness.waiting import wait_until


def post(daemon, events, ack="stored"):
    reply = daemon.post_batch(events)
    assert (reply.status, reply.headers["X-Hooks-Ack"]) == (202, ack), reply


def not_ready(daemon, words):
    """The daemon logs the reason and accepts no event."""
    daemon.wait_for_log(f"the store is unavailable .*{words}")
    assert daemon.get("/readyz").status == 503
    assert daemon.post_event(minimal()).status == 503


@contextlib.contextmanager
def database_of(server, options):
    database = server.new_database(options)
    yield database
    server.start()
    database.drop()


# The encoding


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_is_not_utf8_is_refused_with_the_fix(postgres, hooksd, encoding):
    with database_of(postgres, f"ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'") as database:
        daemon = hooksd(database, store_ready=False)
        not_ready(daemon, f"{encoding}.*ENCODING 'UTF8' TEMPLATE template0")
        assert database.value("SELECT to_regclass('hooks_schema_migrations')") is None
        migrated = run_program("hooksctl", "migrate", options={"DATABASE_URL": database.url})
        assert migrated.returncode == 1 and encoding in migrated.stderr
        database.drop()
        with postgres.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {database.name} ENCODING 'UTF8' TEMPLATE template0")
        daemon.wait_store_ready()
        post(daemon, [minimal(data={"v": "caf\u00e9"})])
        assert database.count() == 1


# synchronous_commit


def set_commits(database, where, value):
    if where == "server":
        with database.server.connect("postgres") as connection:
            connection.execute(f"ALTER SYSTEM SET synchronous_commit = '{value}'")
            connection.execute("SELECT pg_reload_conf()")
        wait_until(lambda: database.value("SHOW synchronous_commit") == value, "the server to have read it")
    elif where == "database":
        database.query(f"ALTER DATABASE {database.name} SET synchronous_commit = '{value}'")
    else:
        database.query(f"ALTER ROLE postgres IN DATABASE {database.name} SET synchronous_commit = '{value}'")


@pytest.fixture
def commits(database):
    """A function that sets synchronous_commit. The fixture resets the server's value at the end."""
    yield lambda where, value: set_commits(database, where, value)
    with database.server.connect("postgres") as connection:
        connection.execute("ALTER SYSTEM RESET synchronous_commit")
        connection.execute("SELECT pg_reload_conf()")


def watch_commits(database):
    """Adds columns in which each row and each dead letter records its transaction's synchronous_commit."""
    for table in ("hook_events", "hook_events_dead_letters"):
        database.query(f"ALTER TABLE {table} ADD COLUMN commits text DEFAULT current_setting('synchronous_commit')")


def commits_of(database, table="hook_events"):
    return {value for value, in database.query(f"SELECT DISTINCT commits FROM {table}")}


def some_events(count=3):
    return [minimal(event_id=f"of {count}: {n}", timestamp=timestamp_text(now())) for n in range(count)]


def store_by_all_statements(daemon):
    """Stores events by COPY, by INSERT ... ON CONFLICT, and as a dead letter."""
    events = some_events()
    post(daemon, events)
    post(daemon, events + some_events(2))
    post(daemon, b'[{"event_type":"t","session_id":"s","data":{"x":1e200000}}]')


@pytest.mark.parametrize("where", ["server", "database", "role"])
def test_events_are_committed_to_disk_although_synchronous_commit_is_off(database, hooksd, commits, where):
    commits(where, "off")
    daemon = hooksd(database, WRITERS=1)
    watch_commits(database)
    store_by_all_statements(daemon)
    assert commits_of(database) == commits_of(database, "hook_events_dead_letters") == {"on"}


@pytest.mark.parametrize("value", ["local", "remote_write", "remote_apply", "on"])
def test_other_values_of_synchronous_commit_are_kept(database, hooksd, commits, value):
    commits("database", value)
    daemon = hooksd(database, WRITERS=1)
    watch_commits(database)
    store_by_all_statements(daemon)
    assert commits_of(database) == commits_of(database, "hook_events_dead_letters") == {value}


def test_synchronous_commit_switched_off_at_run_time_has_no_effect(database, hooksd, commits):
    daemon = hooksd(database, WRITERS=1)
    watch_commits(database)
    post(daemon, some_events())
    commits("server", "off")
    store_by_all_statements(daemon)
    assert commits_of(database) == commits_of(database, "hook_events_dead_letters") == {"on"}


def test_a_retried_letter_is_on_disk_before_it_is_removed(database, hooksd, commits):
    commits("database", "off")
    daemon = hooksd(database, WRITERS=1)
    watch_commits(database)
    database.query("ALTER TABLE hook_events_dead_letters RENAME TO elsewhere")
    database.query("ALTER TABLE hook_events ADD CONSTRAINT closed CHECK (session_id = 'open')")
    post(daemon, some_events(1))
    database.query("ALTER TABLE hook_events DROP CONSTRAINT closed")
    assert "stored 1" in daemon.hooksctl("deadletter", "retry").stdout
    assert commits_of(database) == {"on"}


def test_acknowledged_events_survive_a_crash_with_synchronous_commit_off(database, hooksd):
    with database.server.with_settings(synchronous_commit="off", wal_writer_delay="10s"):
        daemon = hooksd(database)
        for _ in range(20):
            post(daemon, [minimal()])
        database.server.stop(signal.SIGQUIT)
        database.server.start()
        daemon.wait_store_ready()
        assert database.count() == 20


# Settings that a session cannot change are logged


def test_settings_that_can_lose_commits_are_logged(database, hooksd):
    daemon = hooksd(database)
    assert "may lose" not in daemon.log()
    daemon.stop()
    this_month = f"hook_events_{now():%Y_%m}"
    database.query(f"ALTER TABLE {this_month} SET UNLOGGED")
    with database.server.with_settings(fsync="off"):
        daemon.start()
        daemon.wait_for_log(f'PostgreSQL may lose what it has committed.*reason="fsync=off, {this_month} is UNLOGGED"')
        post(daemon, [minimal()])
        daemon.stop()


def test_a_read_only_database_is_unavailable_with_the_reason(database, hooksd):
    hooksd(database).stop()
    database.query(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
    daemon = hooksd(database, store_ready=False)
    not_ready(daemon, "read-only transaction")


# Sessions that the server ends


def idle_writers(database):
    return database.query(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'hooksd'")


def test_an_idle_session_that_the_server_ends_is_replaced_without_a_warning(database, hooksd):
    daemon = hooksd(database, WRITERS=1)
    daemon.stop()
    database.query(f"ALTER DATABASE {database.name} SET idle_session_timeout = '2s'")
    daemon.start()
    daemon.wait_for_log("info.* the store has closed an idle connection: opening another .*57P05", count=2)
    assert daemon.get("/health").json()["status"] == "healthy"
    post(daemon, [minimal()])
    assert metrics(daemon)["storage_errors_total"] == 0
    assert "warning" not in daemon.log() and "error " not in daemon.log()


def test_an_idle_timeout_of_a_millisecond_is_an_error(database, hooksd):
    """Then hooksd does not open one connection after the other without pause."""
    daemon = hooksd(database, WRITERS=1)
    daemon.stop()
    database.query(f"ALTER DATABASE {database.name} SET idle_session_timeout = '1ms'")
    daemon.start(store_ready=False)
    daemon.wait_for_log("the store is unavailable .*57P05")


def test_the_servers_reason_for_ending_a_session_is_logged(database, hooksd):
    daemon = hooksd(database, WRITERS=1)
    database.query("SELECT pg_terminate_backend(%s)", idle_writers(database)[0][0])
    daemon.wait_for_log("the store failed.*terminating connection due to administrator command")
    daemon.wait_store_ready()
    assert metrics(daemon)["storage_errors_total"] == 1


def test_the_reason_of_an_immediate_shutdown_is_logged(database, hooksd):
    daemon = hooksd(database, WRITERS=1)
    database.server.stop(signal.SIGQUIT)
    daemon.wait_for_log("the store failed.*terminating connection due to immediate shutdown command")
    database.server.start()
    daemon.wait_store_ready()


def test_the_servers_reason_for_ending_a_copy_is_logged(database, hooksd):
    daemon = hooksd(database, WRITERS=1, ACK="queued")
    database.query("CREATE TABLE gate ()")
    database.query(
        "CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " PERFORM * FROM gate; RETURN NEW; END $$")
    database.query("CREATE TRIGGER gate BEFORE INSERT ON hook_events FOR EACH ROW EXECUTE FUNCTION wait_at_gate()")
    with database.server.connect(database.name) as gate, gate.transaction():
        gate.execute("LOCK TABLE gate")
        # More bytes than the sockets hold, so the writer is in the middle of sending.
        post(daemon, [minimal(data={"pad": "x" * 400_000}) for _ in range(19)], "queued")
        wait_until(lambda: database.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                                          " AND wait_event_type = 'Lock'") == 1, "the writer at the gate")
        database.query("SELECT pg_terminate_backend(%s)", idle_writers(database)[0][0])
        daemon.wait_for_log("the store failed.*terminating connection due to administrator command")
    daemon.wait_spool_empty()
    wait_until(lambda: database.count() == 19, "the events")


# Messages in the WAL


def without_messages(database):
    # The function's parameters depend on the version.
    for (function,) in database.query("SELECT oid::regprocedure::text FROM pg_proc WHERE proname = 'pg_logical_emit_message'"):
        database.query(f"ALTER FUNCTION {function} RENAME TO somebody_elses")


def test_duplicates_need_no_wal_message_without_standbys(database, hooksd):
    daemon = hooksd(database, WRITERS=1)
    without_messages(database)
    events = some_events()
    for _ in range(2):
        post(daemon, events)
    numbers = metrics(daemon)
    assert (numbers["events_duplicate_total"], numbers["storage_errors_total"]) == (3, 0)


def test_duplicates_are_not_acknowledged_without_a_wal_message_with_standbys(database, hooksd):
    daemon = hooksd(database, WRITERS=1, SPOOL_AFTER_MS=0)
    without_messages(database)
    events = some_events()
    post(daemon, events)
    with database.server.connect("postgres") as connection:
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'a_standby'")
        connection.execute("SELECT pg_reload_conf()")
        try:
            wait_until(lambda: database.value("SHOW synchronous_standby_names"), "the server to have read it")
            post(daemon, events, "spooled")
            daemon.wait_for_log("cannot make sure that the standbys have the resent events.*42883")
        finally:
            connection.execute("SET synchronous_commit = local")
            connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
            connection.execute("SELECT pg_reload_conf()")
    daemon.wait_spool_empty()
    assert metrics(daemon)["events_duplicate_total"] == 3
