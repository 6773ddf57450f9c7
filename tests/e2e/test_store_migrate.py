"""hooksctl store migrate moves all rows of the webhooks unchanged to another store, which then delivers the jobs."""

import json
import os
import pty
import sqlite3
import subprocess

import pytest

from harness.daemon import BUILD_DIR, clean_environment, run_program
from harness.killpoint import AFTER, BEFORE, Killpoint
from harness.left_jobs import deliveries, leave_jobs, resume
from harness.waiting import wait_until
from harness.webhook_rows import columns, fill, of_postgres, of_sqlite
from harness.webhooks import STORES

pytestmark = pytest.mark.plain_postgres("store migrate does not support distributed tables")

SMALL = {"STORAGE_TYPE": "jsonl", "ACCEPTORS": 1, "WRITERS": 1, "HL_PUBLISHERS": 1, "HL_COURIERS": 1}
SOME = {"events": 2500}
MANY = {"events": 10500, "jobs": 2100}
LARGE = "x" * (3 << 20)


@pytest.fixture(scope="module")
def tables(postgres_server, webhooks_template):
    postgres_server.start()
    database = postgres_server.new_database(webhooks_template)
    yield columns(database)
    database.drop()


def migrate(home, *words, environment=None):
    return run_program("hooksctl", "store", "migrate", *map(str, words), options={"DATA_DIR": home / "data"} | (environment or {}))


def make_embedded(path, tables, rows):
    """An embedded store with made-up rows that no hooksd has used."""
    made = run_program("hooksctl", "migrate", options={"HL_STORE_BACKEND": "embedded", "HL_API_KEY": "a-key-of-this-test", "HL_DATA_PATH": path})
    assert made.returncode == 0, made
    fill(path, tables, rows)
    return path


def assert_moved(run):
    assert run.returncode == 0, run.stdout + run.stderr
    assert "are the same in both stores" in run.stdout


def spoil(path):
    """Adds a value that stops the move in the middle. Returns the row's key."""
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE transforms SET steps = '[]' || char(0) WHERE transform_id = (SELECT max(transform_id) FROM transforms)")
        return connection.execute("SELECT tenant_id || ', ' || transform_id FROM transforms WHERE instr(steps, char(0))").fetchone()[0]


def mend(path):
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE transforms SET steps = '[]' WHERE instr(steps, char(0))")


def identity(database):
    return database.value("SELECT count(*) FROM store_identity")


def test_a_store_with_rows_in_every_table_is_unchanged_after_a_move_and_back(tmp_path, tables, empty_database):
    old = make_embedded(tmp_path / "old.db", tables, MANY)
    with sqlite3.connect(old) as connection:
        for place in range(5):
            connection.execute("UPDATE events SET payload = ? WHERE rowid = ?", (json.dumps(LARGE), 1000 + place))
    before = of_sqlite(old, tables)
    assert all(before.values())
    assert_moved(migrate(tmp_path, "--from", old, "--to", empty_database.url))
    assert of_postgres(empty_database, tables) == before
    assert empty_database.value("SELECT count(*) FROM events_default") == 0
    assert of_sqlite(old, tables) == before
    assert_moved(migrate(tmp_path, f"--from={empty_database.url}", f"--to={tmp_path / 'new' / 'back.db'}"))
    assert of_sqlite(tmp_path / "new" / "back.db", tables) == before


def test_moved_jobs_belong_to_a_node_that_has_left_and_deliveries_are_paused(tmp_path, tables, empty_database):
    old = make_embedded(tmp_path / "old.db", tables, {})
    assert_moved(migrate(tmp_path, "--from", old, "--to", empty_database.url))
    nodes = empty_database.query("SELECT node_id FROM delivery_nodes WHERE left_at IS NOT NULL AND adopted_by IS NULL")
    assert len(nodes) == 1
    for table in ("jobs", "fifo_heads", "replays"):
        assert set(empty_database.query(f"SELECT DISTINCT node_id FROM {table} WHERE node_id IS NOT NULL")) == set(nodes)
    assert empty_database.value("SELECT reason FROM pauses WHERE tenant_id = '*' AND paused_by IS NULL").startswith("everything here was moved")
    assert identity(empty_database) == 0


@pytest.mark.unsanitized("a sanitizer's library must be loaded first")
@pytest.mark.parametrize(("statement", "side"), [(60, AFTER)] + [
    pytest.param(statement, side, marks=pytest.mark.wanted_by("SLOW_TESTS")) for statement, side in ((3, AFTER), (40, BEFORE), (200, AFTER))])
@pytest.mark.parametrize("to", STORES)
def test_a_killed_move_is_continued(tmp_path, tables, empty_database, to, statement, side):
    old = make_embedded(tmp_path / "old.db", tables, SOME)
    before = of_sqlite(old, tables)
    source, target = old, empty_database.url
    if to == "embedded":
        assert_moved(migrate(tmp_path, "--from", old, "--to", empty_database.url))
        source, target = empty_database.url, tmp_path / "new.db"
    killpoint = Killpoint(tmp_path / "killpoint", process="hooksctl")
    killpoint.arm(statement, side)
    killed = migrate(tmp_path, "--from", source, "--to", target, environment=killpoint.environment())
    assert killed.returncode == -9, killed
    went_on = migrate(tmp_path, "--from", source, "--to", target)
    assert_moved(went_on)
    after = of_postgres(empty_database, tables) if to == "postgres" else of_sqlite(target, tables)
    assert after == before


def test_hooksd_does_not_use_an_incomplete_new_store(tmp_path, tables, empty_database, make_hookline):
    old = make_embedded(tmp_path / "old.db", tables, {})
    spoil(old)
    assert migrate(tmp_path, "--from", old, "--to", empty_database.url).returncode == 1
    assert empty_database.value("SELECT count(*) FROM tenants") == 20 and identity(empty_database) == 1
    hookline = make_hookline("postgres", empty_database, **SMALL)
    hookline.daemon.start(store_ready=False)
    hookline.daemon.wait_for_log("a move into the webhooks' store is not finished")
    hookline.daemon.stop()
    mend(old)
    assert_moved(migrate(tmp_path, "--from", old, "--to", empty_database.url))


def place_of(hookline):
    """The argument that names the daemon's store for a move."""
    return hookline.database.url if hookline.store == "postgres" else hookline.data_path


def move_to(hookline, make_hookline, store, home):
    """
    Moves the stopped daemon's store to another kind of store. Returns a daemon with the new store and the same keys.
    """
    keys = {name: hookline.daemon.options[name] for name in ("HL_API_KEY", "HL_ADMIN_KEY", "HL_MASTER_KEY")}
    other = make_hookline(store, **SMALL | keys)
    assert_moved(migrate(home, "--from", place_of(hookline), "--to", place_of(other)))
    return other


@pytest.mark.parametrize(("store", "fifo"), [("postgres", True), ("embedded", False)])
def test_the_new_store_delivers_waiting_jobs_once_after_a_resume(tmp_path, make_hookline, receiver, store, fifo):
    old = make_hookline("embedded" if store == "postgres" else "postgres", **SMALL).start()
    leave_jobs(old, receiver, fifo=fifo)
    new = move_to(old, make_hookline, store, tmp_path).start()
    shown = wait_until(lambda: deliveries(new)["paused"] and deliveries(new), "the pause to be shown")
    assert "was moved from another store" in shown["paused_reason"]
    wait_until(lambda: new.value("SELECT count(*) FROM jobs WHERE status = 'held'") == 3, "what waits to be held")
    assert receiver.arrivals == []
    resume(new)
    receiver.wait(3, "/in")
    wait_until(lambda: new.value("SELECT count(*) FROM jobs") == 0, "no job to be left", 20)
    assert len({arrival.job for arrival in receiver.arrivals}) == len(receiver.arrivals) == 3
    order = [json.loads(arrival.body)["event"]["payload"]["n"] for arrival in receiver.arrivals]
    assert (order if fifo else sorted(order)) == [0, 1, 2]


@pytest.mark.parametrize("store", ["embedded", pytest.param("postgres", marks=pytest.mark.wanted_by("SLOW_TESTS"))])
def test_the_old_store_sends_nothing_until_it_is_reopened(tmp_path, make_hookline, receiver, store):
    old = make_hookline(store, **SMALL).start()
    leave_jobs(old, receiver)
    move_to(old, make_hookline, "embedded" if store == "postgres" else "postgres", tmp_path)
    old.daemon.start(store_ready=False)
    old.daemon.wait_for_log("everything in the webhooks' store was moved to another one")
    assert old.admin.get("/v1/endpoints").status == 503

    def reopen():
        return run_program("hooksctl", "store", "reopen", options=old.daemon.options, cwd=old.daemon.directory)

    reopened = reopen()
    assert reopened.returncode == 0 and "with deliveries paused" in reopened.stdout, reopened
    old.wait_ready()
    shown = wait_until(lambda: deliveries(old)["paused"] and deliveries(old), "the pause to be shown")
    assert "this one was opened again" in shown["paused_reason"]
    assert receiver.arrivals == []
    resume(old)
    receiver.wait(3, "/in")
    old.daemon.stop()
    again = reopen()
    assert again.returncode == 1 and "nothing was moved away" in again.stderr


@pytest.mark.parametrize("store", STORES)
def test_a_move_of_a_store_in_use_is_refused(tmp_path, make_hookline, store, empty_database):
    hookline = make_hookline(store, **SMALL).start()
    run = migrate(tmp_path, "--from", place_of(hookline), "--to", tmp_path / "new.db" if store == "postgres" else empty_database.url)
    assert run.returncode == 1
    assert (f"pid {hookline.daemon.pid}" if store == "embedded" else "the hooksd on") in run.stderr
    assert not (tmp_path / "new.db").exists()


def test_a_move_into_a_store_with_rows_is_refused(tmp_path, tables, empty_database):
    old = make_embedded(tmp_path / "old.db", tables, {})
    assert_moved(migrate(tmp_path, "--from", old, "--to", empty_database.url))
    again = migrate(tmp_path, "--from", old, "--to", empty_database.url)
    assert again.returncode == 1 and "the new store is not empty: its table tenants has rows" in again.stderr


def test_a_value_that_postgresql_cannot_store_is_named_and_can_be_skipped(tmp_path, tables, empty_database):
    old = make_embedded(tmp_path / "old.db", tables, {})
    key = spoil(old)
    run = migrate(tmp_path, "--from", old, "--to", empty_database.url)
    assert run.returncode == 1
    assert f"the table transforms: the column steps of the row ({key})" in run.stderr
    mend(old)
    went_on = migrate(tmp_path, "--from", old, "--to", empty_database.url)
    assert_moved(went_on)
    assert "going on: " in went_on.stderr
    assert of_postgres(empty_database, tables) == of_sqlite(old, tables)


def test_a_change_of_the_old_store_between_two_runs_is_detected(tmp_path, tables, empty_database):
    old = make_embedded(tmp_path / "old.db", tables, {})
    spoil(old)
    assert migrate(tmp_path, "--from", old, "--to", empty_database.url).returncode == 1
    mend(old)
    with sqlite3.connect(old) as connection:
        connection.execute("UPDATE tenants SET name = 'changed'")
    run = migrate(tmp_path, "--from", old, "--to", empty_database.url)
    assert run.returncode == 1 and "the rows of the table tenants differ in the two stores" in run.stderr
    assert identity(empty_database) == 1


def test_a_dry_run_of_a_move_counts_rows_and_changes_nothing(tmp_path, tables, empty_database):
    old = make_embedded(tmp_path / "old.db", tables, SOME)
    run = migrate(tmp_path, "--from", old, "--to", empty_database.url, "--dry-run", "--json")
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    rows = {table["table"]: table["rows"] for table in told["tables"]}
    assert rows == {table: len(of) for table, of in of_sqlite(old, tables).items()}
    assert told["rows"] == sum(rows.values())
    assert {left["what"] for left in told["left_out"]} >= {"delivery_nodes", "store_identity"}
    assert empty_database.value("SELECT to_regclass('tenants')") is None


def test_a_terminal_shows_a_progress_bar(tmp_path, tables, empty_database):
    old = make_embedded(tmp_path / "old.db", tables, {})
    terminal, end = pty.openpty()
    run = subprocess.run([BUILD_DIR / "hooksctl", "store", "migrate", f"--from={old}", f"--to={empty_database.url}", "--json"],
                         env=clean_environment({"DATA_DIR": tmp_path / "data"}), stdout=subprocess.PIPE, stderr=end, timeout=30)
    os.close(end)
    shown = os.read(terminal, 1 << 16)
    os.close(terminal)
    assert run.returncode == 0
    assert b"] " in shown and b" %  moving: 0 of " in shown and b" %  comparing: 0 of " in shown
    assert all(len(table["checksum"]) == 64 for table in json.loads(run.stdout)["tables"])


@pytest.mark.parametrize(("words", "sentence"), [
    ([], "--to is missing"),
    (["--to=/nothing/new.db"], "both stores are files of SQLite"),
    (["--to"], "--to needs a value"),
    (["--from=postgresql://x/y", "--to=postgresql://x/z"], "copy it by pg_dump"),
    (["--to=postgresql://x/z", "--colour"], "no such flag"),
    (["--to=postgresql://x/z", "more"], "more: not a flag"),
    (["--to=postgresql://x/z", "--to=postgresql://x/y"], "--to is given more than once"),
    (["--from=postgresql://x/z", "--to=postgre://me@x/y"], "postgre: no store has such a URL"),
])
def test_wrong_arguments_are_wrong_usage(tmp_path, words, sentence):
    run = migrate(tmp_path, *words)
    assert run.returncode == 64 and sentence in run.stderr


def test_an_error_names_a_missing_old_store(tmp_path):
    run = migrate(tmp_path, "--from", tmp_path / "none.db", "--to", "postgresql://127.0.0.1:9/x")
    assert run.returncode == 1 and f"{tmp_path / 'none.db'}: No such file" in run.stderr
    assert not (tmp_path / "none.db").exists()
