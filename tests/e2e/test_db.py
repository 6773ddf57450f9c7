"""
The connection to the webhooks' store when PostgreSQL, the network or a pooler fails. Programs of tests/unit test what
both databases do alike; they run here against PostgreSQL. test_db_embedded.py tests the embedded database.
"""

import signal
import subprocess
import threading

import pytest

from harness.daemon import BUILD_DIR, clean_environment
from harness.db_driver import ADD, BUSY, COUNT, REFUSED
from harness.pgbouncer import PgBouncer
from harness.proxy import DOWN, UP, FaultyProxy
from harness.standby import Standby
from harness.waiting import wait_until

CHECK = "check SELECT 1 / ($1::int - 1)"  # 1 fails

PROGRAMS = """
    test_db test_db_bulk test_copy_guard test_store_tests test_lease_rows test_webhooks_endpoints test_webhooks_nodes
    test_router test_job_marker test_sink_publish test_job_outcomes test_job_rows test_fifo_rows test_fifo_places
    test_publish_order test_store_thread test_store_requests test_outcome_writer test_runs test_endpoint_disabling
    test_failing_endpoints test_node_keeper test_tenant_stats test_figures test_retention test_removal test_event_removal
    test_follower test_lists test_event_rows test_adoption test_adopted_jobs test_store_nodes
    test_node_watch test_place_watch test_db_distributed test_stream_log
""".split()


@pytest.fixture
def things(driver, database):
    """A database with the schema and a table `things`."""
    driver(POSTGRES_URL=database.url)
    database.query("CREATE TABLE things (name text PRIMARY KEY)")
    return database


def load(db, first, count):
    db.must("begin")
    db.must(f"load {first} {count}")
    db.must(f"each {first} {count}")
    db.must(f"{CHECK}; 7")


@pytest.mark.parametrize("program", PROGRAMS)
def test_postgresql_behaves_as_sqlite_does(all_tables, program):
    def run(url):
        return subprocess.run(
            [BUILD_DIR / "tests/unit" / program], env=clean_environment({"HOOKS_TEST_POSTGRES_URL": url}), capture_output=True,
            text=True, timeout=60)

    assert f'database "{all_tables.name}x" does not exist' in run(all_tables.url + "x").stderr, "it uses this database"
    done = run(all_tables.url)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_hanging_server_costs_one_deadline_and_one_try_to_connect(driver, things, postgres):
    db = driver(POSTGRES_URL=things.url + "?connect_timeout=2")
    with postgres.hung():
        db.must("deadline 300")
        seconds, text = db.must_fail(f"run {COUNT}")
        assert 0.2 < seconds < 2 and "in time" in text
        db.must("deadline 10000")
        seconds, text = db.must_fail("begin")
        assert 1 < seconds < 5 and "timeout expired" in text
        assert db.must_fail("begin")[0] < 0.5
    wait_until(lambda: db.call(f"run {COUNT}") == (0, "0"), "the server to be asked again")
    db.add("after")


def test_a_statement_that_times_out_at_a_lock_is_cancelled_in_the_server(driver, things):
    db = driver(POSTGRES_URL=things.url)
    with things.server.connect(things.name) as other:
        other.execute("BEGIN; LOCK TABLE things")
        db.must("begin")
        db.must("deadline 500")
        assert db.call(f"run {ADD}; late")[0] < 0
        db.must("rollback")
        other.execute("ROLLBACK")
    db.must("deadline 10000")
    assert db.must(f"run {COUNT}") == "0"


def test_a_connection_killed_in_a_transaction_loses_only_that_transaction(driver, things):
    db = driver(POSTGRES_URL=things.url)
    db.must("begin")
    db.must(f"run {ADD}; lost")
    pid = db.must("run SELECT pg_backend_pid()")
    things.value("SELECT pg_terminate_backend(%s)", int(pid))
    assert db.call(f"run {ADD}; lost, too")[0] < 0
    db.must("rollback")
    db.add("kept")
    assert db.must("run SELECT name FROM things") == "kept"


def test_a_dead_idle_connection_is_replaced_without_an_error(driver, things, postgres):
    db = driver(POSTGRES_URL=things.url)
    postgres.restart({})
    assert db.must(f"run {COUNT}") == "0"
    postgres.stop(signal.SIGQUIT)
    postgres.start()
    db.add("after")


def test_calls_fail_at_once_while_the_server_is_down(driver, things, postgres):
    db = driver(POSTGRES_URL=things.url)
    postgres.stop()
    assert db.call(f"run {COUNT}")[0] < 0
    for _ in range(20):  # between two tries to connect, calls repeat the last reason
        seconds, text = db.must_fail("begin")
        assert seconds < 1 and "refused" in text
    postgres.start()
    wait_until(lambda: db.call(f"run {COUNT}")[0] == 0, "the server to be asked again")


@pytest.mark.parametrize("lost", [UP, DOWN], ids=["request", "answer"])
def test_a_commit_whose_answer_is_lost_is_in_doubt(driver, things, postgres, lost):
    with FaultyProxy(postgres.port) as proxy:
        db = driver(POSTGRES_URL=proxy.url(things))
        db.must("begin")
        db.must(f"run {ADD}; doubtful")
        proxy.swallow(lost, words=b"COMMIT")
        db.must("deadline 500")
        assert db.call("commit")[0] < 0
        db.must("rollback")
        proxy.release()
        db.must("deadline 10000")
        known = db.must(f"run {COUNT}")
        assert known == ("0" if lost == UP else "1")


def test_a_deadlock_fails_one_transaction_as_busy_and_the_other_goes_on(driver, things):
    things.query("INSERT INTO things VALUES ('a'), ('b')")
    one, other = driver(POSTGRES_URL=things.url), driver(POSTGRES_URL=things.url)
    update = "run UPDATE things SET name = name WHERE name = $1; "
    one.must("begin"), other.must("begin")
    one.must(update + "a"), other.must(update + "b")
    one.send(update + "b"), other.send(update + "a")
    codes = sorted(db.answer()[0] for db in (one, other))
    assert codes == [0, BUSY]
    one.must("rollback"), other.must("rollback")


def test_the_connection_leaves_a_server_that_became_read_only(driver, things):
    db = driver(POSTGRES_URL=things.url)
    things.query(f"ALTER DATABASE {things.name} SET default_transaction_read_only = on")
    assert db.must(f"run {COUNT}") == "0", "an old session is not told of the change"
    things.value("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
                 things.name)
    code, text = db.call("begin")
    assert code < 0 and "read-only" in text


@pytest.mark.plain_postgres("a setting of one server")
def test_a_fenced_off_server_gets_no_write_and_its_answers_do_not_count(driver, things, postgres):
    readers, writers = [[driver(POSTGRES_URL=things.url) for _ in range(2)] for _ in "rw"]
    for db in readers + writers:
        assert db.must(f"run {COUNT}") == "0"

    def alter(command):
        with postgres.connect("postgres") as connection:
            connection.execute(f"ALTER SYSTEM {command}")
            connection.execute("SELECT pg_reload_conf()")

    alter("SET default_transaction_read_only = on")
    try:
        for db in readers:
            wait_until(lambda: db.call(f"run {COUNT}")[0] < 0, "a reader to hear of it")
        for db in writers:
            wait_until(lambda: refused_or_undone(db), "a writer to hear of it")
    finally:
        alter("RESET default_transaction_read_only")
    for db in readers + writers:
        wait_until(lambda: db.call(f"run {COUNT}")[0] == 0, "it to go on")


def refused_or_undone(db):
    code, text = db.call("begin")
    if code == 0:
        db.must("rollback")
    return code < 0 and "read-only" in text


@pytest.mark.plain_postgres("a standby of one server")
def test_after_a_switch_over_the_new_primary_is_found(driver, things, postgres):
    standby = Standby(postgres)
    standby.start()
    try:
        url = f"postgresql://postgres@127.0.0.1:{postgres.port},127.0.0.1:{standby.port}/{things.name}?target_session_attrs=read-write"
        db = driver(POSTGRES_URL=url)
        db.add("before")
        with standby.connect(things.name) as near:
            wait_until(lambda: near.execute(COUNT).fetchone() == (1,), "the standby to have the row")
        postgres.stop()
        standby.promote()
        db.add("after")
        load(db, 0, 100)
        assert db.must(f"run {COUNT}") == "102"
    finally:
        standby.remove()


def test_eight_connections_share_two_sessions_of_a_pooler(driver, things, postgres):
    pooler = PgBouncer(postgres, default_pool_size=2).start()
    try:
        drivers = [driver(POSTGRES_URL=pooler.url(things)) for _ in range(8)]
        failed = []

        def work(number, db):
            for turn in range(20):
                db.must("begin")
                code, text = db.call(f"run {ADD}; {number}.{turn}")
                if code == 0 and turn % 5 == 4:
                    code, text = db.call(f"run {ADD}; {number}.{turn}")
                    assert (code, text) == (REFUSED, "conflict")
                    db.must("rollback")
                elif code == 0:
                    assert db.must(f"run {COUNT}") >= "1"
                    code, text = db.call("commit")
                db.must(f"run {COUNT}")
                if code not in (0, REFUSED):
                    failed.append(text)

        threads = [threading.Thread(target=work, args=pair) for pair in enumerate(drivers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert things.value(COUNT) == 8 * 16
    finally:
        pooler.remove()


def test_a_commit_waits_for_the_disk_whatever_the_database_says(driver, things):
    things.query(f"ALTER DATABASE {things.name} SET synchronous_commit = off")
    db = driver(POSTGRES_URL=things.url)
    db.must("begin")
    assert db.must("run SELECT current_setting('synchronous_commit')") == "on"
    db.must("commit")
    things.query(f"ALTER DATABASE {things.name} SET synchronous_commit = remote_apply")
    db = driver(POSTGRES_URL=things.url)
    db.must("begin")
    assert db.must("run SELECT current_setting('synchronous_commit')") == "remote_apply"
    db.must("rollback")


# ---- many rows at once ----

def test_copies_and_their_commits_work_through_a_pooler(driver, things, postgres):
    pooler = PgBouncer(postgres, default_pool_size=2).start()
    try:
        drivers = [driver(POSTGRES_URL=pooler.url(things)) for _ in range(4)]

        def work(first, db):
            for turn in range(5):
                load(db, first + 10 * turn, 10)
                db.must("begin")
                assert db.call(f"load {first} 1") == (0, ""), "the statement has its prepared name by now"
                assert db.call(f"{CHECK}; 1")[0] == REFUSED
                db.must("rollback")
                db.must("begin")
                db.must(f"load {first} 1")
                assert db.call(f"load {first} 1") == (REFUSED, "conflict")
                db.must("rollback")

        threads = [threading.Thread(target=work, args=(1000 * number, db)) for number, db in enumerate(drivers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert things.value(COUNT + " WHERE name LIKE '%%!'") == things.value(COUNT) == 4 * 50
    finally:
        pooler.remove()


def test_a_copy_whose_connection_is_lost_stores_no_row(driver, things, postgres):
    with FaultyProxy(postgres.port) as proxy:
        db = driver(POSTGRES_URL=proxy.url(things))
        for swallowed in (b"COPY", b"0500"):
            db.must("begin")
            proxy.swallow(UP, words=swallowed)
            db.must("deadline 500")
            assert db.call("load 0 1000")[0] < 0
            db.must("rollback")
            proxy.release()
            db.must("deadline 10000")
            assert db.must(f"run {COUNT}") == "0"
        load(db, 0, 1000)
        assert db.must(f"run {COUNT}") == "1000"


def test_the_next_transaction_works_after_the_server_ended_a_session_in_a_copy(driver, things):
    db = driver(POSTGRES_URL=things.url)
    db.must("begin")
    pid = int(db.must("run SELECT pg_backend_pid()"))
    with things.server.connect(things.name) as other:
        other.execute("BEGIN; LOCK TABLE things")
        db.send("load 0 1000")
        wait_until(lambda: things.value("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s", pid) == "Lock", "it to wait")
        things.value("SELECT pg_terminate_backend(%s)", pid)
        assert db.answer()[0] < 0
        other.execute("ROLLBACK")
    db.must("rollback")
    load(db, 0, 1000)


def test_a_restart_between_two_loads_goes_unnoticed(driver, things, postgres):
    db = driver(POSTGRES_URL=things.url)
    load(db, 0, 100)
    postgres.restart({})
    load(db, 100, 100)
    assert db.must(f"run {COUNT}") == "200"


@pytest.mark.parametrize("lost", [UP, DOWN], ids=["request", "answer"])
def test_a_check_whose_answer_is_lost_leaves_the_commit_in_doubt(driver, things, postgres, lost):
    with FaultyProxy(postgres.port) as proxy:
        db = driver(POSTGRES_URL=proxy.url(things))
        db.must("begin")
        db.must("load 0 100")
        proxy.swallow(lost, words=b"COMMIT")
        db.must("deadline 500")
        assert db.call(f"{CHECK}; 7")[0] < 0
        db.must("rollback")
        proxy.release()
        db.must("deadline 10000")
        assert db.must(f"run {COUNT}") == ("0" if lost == UP else "100")
