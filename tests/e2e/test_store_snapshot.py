"""
hooksctl store: a snapshot of the embedded store is complete. A restore leaves the old store or the new one, and sends
nothing.
"""

import contextlib
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess

import pytest

from harness.daemon import BUILD_DIR, clean_environment
from harness.deliveries import Publisher, Publishing
from harness.power import KEEPS, Machine
from harness.recording_receiver import Answer
from harness.snapshots import Snapshot, StoredHere, create
from harness.waiting import wait_until
from test_copies import SMALL, assert_goes_on, assert_waits, leave_jobs

FIRST, LATER = {"tenant-0", "tenant-1", "tenant-2"}, {"later"}
SEED = int(os.environ.get("SNAPSHOT_SEED", random.randrange(1 << 32)))


@pytest.fixture
def stored(tmp_path):
    return StoredHere(tmp_path)


@pytest.fixture(scope="module")
def taken(tmp_path_factory):
    """A store and its snapshot. No test may change them."""
    directory = tmp_path_factory.mktemp("taken")
    stored = StoredHere(directory)
    create(stored.options, directory / "snapshot")
    return stored, directory / "snapshot"


# With a daemon

def test_jobs_of_a_restored_snapshot_are_sent_only_after_a_resume(make_hookline, receiver):
    hookline = make_hookline("embedded", **SMALL).start()
    tenant = leave_jobs(hookline, receiver)
    receiver.answers["/in"] = Answer(500)
    hookline.start()
    snapshot = hookline.daemon.hooksctl("store", "snapshot", "create", "--dest=snapshot")
    assert (snapshot.returncode, snapshot.stderr) == (0, ""), snapshot
    receiver.answers["/in"] = Answer()
    wait_until(lambda: hookline.value("SELECT count(*) FROM jobs") == 0, "what waited to be delivered")
    later = tenant.client.post("/v1/events", {"topic": "orders.later", "payload": 1}).json["id"]
    refused = hookline.daemon.hooksctl("store", "restore", "--from=snapshot")
    assert refused.returncode == 1 and "is in use by pid" in refused.stderr
    hookline.daemon.stop()
    receiver.arrivals.clear()

    restored = hookline.daemon.hooksctl("store", "restore", "--from", "snapshot")
    assert (restored.returncode, restored.stderr) == (0, ""), restored
    assert "3 jobs that wait" in restored.stdout and "hooksctl deliveries resume" in restored.stdout
    aside = restored.stdout.split("The store before is kept: ")[1].split("\n")[0]
    with contextlib.closing(sqlite3.connect(hookline.daemon.directory / aside)) as before:
        assert before.execute("SELECT count(*) FROM events").fetchone() == (4,)
    hookline.start()
    assert tenant.client.get(f"/v1/events/{later}").status == 404
    assert_waits(hookline, receiver, "DATA_DIR")
    assert_goes_on(hookline, receiver)


def test_a_snapshot_under_load_has_all_events_acknowledged_before_it(make_hookline, tmp_path):
    hookline = make_hookline("embedded", **SMALL).start()
    tenant = hookline.new_tenant()
    with Publishing([Publisher(hookline, tenant, number) for number in range(2)]) as publishing:
        publishing.wait_more(50)
        before = publishing.count()
        create(hookline.daemon.options, tmp_path / "snapshot", cwd=hookline.daemon.directory)
        publishing.wait_more(10)
    with contextlib.closing(sqlite3.connect(tmp_path / "snapshot/hookline.db")) as database:
        count, = database.execute("SELECT count(*) FROM events WHERE topic = 'orders.made'").fetchone()
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA auto_vacuum").fetchone() == (2,), "as the store's"
    assert before <= count <= publishing.count()
    assert hookline.value("SELECT count(*) FROM events WHERE topic = 'orders.made'") == publishing.count()


# The snapshot

def test_only_the_owner_can_read_a_snapshot_and_the_manifest_describes_it(taken):
    stored, path = taken
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in [path, *path.iterdir()]}
    assert modes == {"snapshot": 0o700, "hookline.db": 0o600, "manifest.json": 0o600}
    manifest = json.loads((path / "manifest.json").read_text())
    database = (path / "hookline.db").read_bytes()
    assert manifest["sha256"] == hashlib.sha256(database).hexdigest() and manifest["bytes"] == len(database)
    assert manifest["tables"]["tenants"] == 3 and manifest["tables"]["jobs"] == 0
    with stored.connect() as connection:
        tables = {name for name, in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        version, = connection.execute("SELECT max(version) FROM hookline_schema_migrations").fetchone()
    assert set(manifest["tables"]) == tables and manifest["schema_version"] == version


def test_validate_only_accepts_a_complete_snapshot_and_changes_nothing(taken):
    stored, path = taken
    before = stored.files()
    for words in (["restore"], ["snapshot", "restore"]):
        run = stored.store(*words, f"--from={path}", "--validate-only")
        assert (run.returncode, run.stderr) == (0, "") and "a whole snapshot" in run.stdout
    assert stored.files() == before


def flip(snapshot):
    content = bytearray(snapshot.database.read_bytes())
    content[len(content) // 2] ^= 1
    snapshot.database.write_bytes(content)


def change_rows(snapshot):
    """Changes rows and the checksum, as a deliberate forgery does."""
    with contextlib.closing(sqlite3.connect(snapshot.database)) as database, database:
        database.execute("DELETE FROM tenants WHERE tenant_id = 'tenant-1'")
    content = snapshot.database.read_bytes()
    snapshot.say(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))


def put(content):
    return lambda snapshot: snapshot.manifest_path.write_bytes(content)


SPOILED = {
    "a bit of the database is another": (flip, "the snapshot is damaged"),
    "its end is missing": (lambda snapshot: os.truncate(snapshot.database, 8192), "the snapshot is damaged"),
    "its database is missing": (lambda snapshot: snapshot.database.unlink(), "the snapshot is incomplete"),
    "its database is a directory": (lambda snapshot: (snapshot.database.unlink(), snapshot.database.mkdir()), "not a regular file"),
    "its manifest is missing": (lambda snapshot: snapshot.manifest_path.unlink(), "never finished"),
    "its manifest is cut off": (lambda snapshot: os.truncate(snapshot.manifest_path, 100), "is damaged"),
    "its manifest is empty": (put(b""), "is damaged"),
    "its manifest is another program's": (put(b'{"name": "manifest"}'), "belongs to another program"),
    "its manifest is a list": (put(b"[" * 2000), "is damaged"),
    "its manifest is huge": (put(b" " * 100_000), "no manifest of a snapshot"),
    "its manifest holds a NUL": (put(b'{"format": 1}\0'), "is damaged"),
    "its manifest names control characters": (lambda snapshot: snapshot.say(made_by="\x1b[2J"), "is damaged"),
    "its manifest counts below zero": (lambda snapshot: snapshot.say(bytes=-1), "is damaged"),
    "its manifest has too many tables": (lambda snapshot: snapshot.say(tables={f"t{n}": 0 for n in range(65)}), "is damaged"),
    "its format is newer": (lambda snapshot: snapshot.say(format_version=2), "of a newer version"),
    "its schema is newer": (lambda snapshot: snapshot.say(schema_version=99), "newer than this program's"),
    "its schema is another": (lambda snapshot: snapshot.say(schema_version=1), "has schema version"),
    "rows are missing": (change_rows, "2 rows in tenants, and the manifest says 3"),
}


@pytest.mark.parametrize("what", SPOILED)
def test_a_damaged_snapshot_is_refused_before_any_change(taken, tmp_path, what):
    stored, path = taken
    spoil, message = SPOILED[what]
    snapshot = Snapshot(path, tmp_path / "spoiled")
    spoil(snapshot)
    before = stored.files()
    for more in (["--validate-only"], []):
        run = stored.store("restore", f"--from={snapshot.path}", *more)
        assert run.returncode == 1 and message in run.stderr and run.stdout == "", run
        assert "\x1b" not in run.stderr
    assert stored.files() == before


def test_a_directory_without_a_snapshot_is_refused(taken, tmp_path):
    stored, _ = taken
    for path in (tmp_path, tmp_path / "nothing"):
        run = stored.store("restore", f"--from={path}")
        assert run.returncode == 1 and "this is no snapshot" in run.stderr


def other_dests(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    (tmp_path / "file").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    return {"full": "is not empty", "file": "is a file", "link": "is a file or a symbolic link", "missing/below": "No such file"}


def test_a_destination_that_is_not_an_empty_directory_is_unchanged(taken, tmp_path):
    stored, _ = taken
    for name, message in other_dests(tmp_path).items():
        before = sorted(tmp_path.rglob("*"))
        run = stored.store("snapshot", "create", "--dest", tmp_path / name)
        assert run.returncode == 1 and message in run.stderr, run
        assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_directory_is_used_and_closed_to_others(taken, tmp_path):
    stored, _ = taken
    (tmp_path / "empty").mkdir(mode=0o755)
    create(stored.options, tmp_path / "empty")
    assert stat.S_IMODE((tmp_path / "empty").stat().st_mode) == 0o700


def test_a_snapshot_of_an_unfinished_move_is_refused(stored, tmp_path):
    with stored.connect() as database:
        database.execute("INSERT INTO store_identity (id, store_id) VALUES (1, 'move of another store')")
    run = stored.store("snapshot", "create", f"--dest={tmp_path}/snapshot")
    assert run.returncode == 1 and "an unfinished move" in run.stderr and not (tmp_path / "snapshot").exists()


def run_limited(stored, *words, prepare):
    return subprocess.run([BUILD_DIR / "hooksctl", "store", *words], env=clean_environment(stored.options), preexec_fn=prepare,
                          capture_output=True, text=True, timeout=30)


def no_room():
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def interrupted():
    """A Ctrl-C that is pending when the program starts."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("prepare,message", [(no_room, ""), (interrupted, "stopped by a signal")], ids=["no room", "Ctrl-C"])
def test_a_snapshot_that_fails_leaves_no_file(taken, tmp_path, prepare, message):
    stored, _ = taken
    run = run_limited(stored, "snapshot", "create", f"--dest={tmp_path}/snapshot", prepare=prepare)
    assert run.returncode == 1 and message in run.stderr, run
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    run = run_limited(stored, "snapshot", "create", f"--dest={tmp_path}/mine", prepare=prepare)
    assert run.returncode == 1 and list((tmp_path / "mine").iterdir()) == [] and (tmp_path / "mine").is_dir()


@pytest.mark.parametrize("prepare", [no_room, interrupted], ids=["no room", "Ctrl-C"])
def test_a_restore_that_fails_leaves_the_store_unchanged(taken, stored, prepare):
    stored.add("later")
    before = stored.files()
    run = run_limited(stored, "restore", f"--from={taken[1]}", prepare=prepare)
    assert run.returncode == 1, run
    assert stored.files() == before


# The restore

def test_a_restore_keeps_the_old_store_and_leaves_no_log_beside_the_new_one(taken, stored):
    stored.add("later")
    run = stored.store("restore", f"--from={taken[1]}")
    assert (run.returncode, run.stderr) == (0, ""), run
    assert stored.tenants() == FIRST
    kept, = stored.data_dir.glob("hookline.db.set-aside.*")
    assert str(kept) in run.stdout
    assert {path.name for path in stored.data_dir.iterdir()} == {"hookline.db", kept.name, "lock"}
    kept.rename(stored.path)
    assert stored.tenants() == FIRST | LATER


def test_a_restore_keeps_the_log_of_a_killed_store(taken, stored):
    with stored.connect() as database:
        database.execute("PRAGMA wal_autocheckpoint = 0")
        database.execute("INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES ('later', 'x', 1, 1)")
        shutil.copytree(stored.data_dir, stored.data_dir.with_name("killed"))
    shutil.rmtree(stored.data_dir)
    stored.data_dir.with_name("killed").rename(stored.data_dir)
    assert (stored.data_dir / "hookline.db-wal").stat().st_size > 0
    assert stored.store("restore", f"--from={taken[1]}").returncode == 0
    assert stored.tenants() == FIRST
    kept, = stored.data_dir.glob("hookline.db.set-aside.*")
    kept.rename(stored.path)
    assert stored.tenants() == FIRST | LATER


def test_a_damaged_store_is_replaced_and_kept_unchanged(taken, stored):
    content = bytearray(stored.path.read_bytes())
    content[100:4096] = bytes(3996)
    stored.path.write_bytes(content)
    log = stored.data_dir / "hookline.db-wal"
    log.write_bytes(b"what is left of a log")
    run = stored.store("restore", f"--from={taken[1]}")
    assert run.returncode == 0 and "is damaged" in run.stderr, run
    assert stored.tenants() == FIRST
    kept, kept_log = sorted(stored.data_dir.glob("hookline.db.set-aside.*"))
    assert kept.read_bytes() == content and kept_log.read_bytes() == b"what is left of a log" and kept_log.name == f"{kept.name}-wal"


def test_a_store_that_another_program_has_open_is_not_replaced(taken, stored):
    with stored.connect() as database:
        database.execute("SELECT count(*) FROM tenants").fetchone()
        run = stored.store("restore", f"--from={taken[1]}")
        assert run.returncode == 1 and "is open in another program" in run.stderr
    assert stored.tenants() == FIRST and not list(stored.data_dir.glob("*.set-aside.*"))


def test_another_applications_database_is_not_replaced(taken, stored):
    stored.path.unlink()
    with stored.connect() as database:
        database.execute("CREATE TABLE addresses (name)")
    before = stored.files()
    run = stored.store("restore", f"--from={taken[1]}")
    assert run.returncode == 1 and "another application" in run.stderr
    assert stored.files() == before


def test_a_restore_works_without_an_old_store_and_through_a_symbolic_link(taken, stored, tmp_path):
    stored.path.unlink()
    for name in ("hookline.db-wal", "hookline.db-shm"):
        (stored.data_dir / name).unlink(missing_ok=True)
    assert stored.store("restore", f"--from={taken[1]}").returncode == 0
    assert stored.tenants() == FIRST and not list(stored.data_dir.glob("*.set-aside.*"))
    (tmp_path / "disk").mkdir()
    stored.path.rename(tmp_path / "disk/real.db")
    stored.path.symlink_to(tmp_path / "disk/real.db")
    stored.add("later")
    assert stored.store("restore", f"--from={taken[1]}").returncode == 0
    assert stored.path.is_symlink() and stored.tenants() == FIRST
    assert len(list((tmp_path / "disk").glob("real.db.set-aside.*"))) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to another user")
def test_a_restore_by_another_user_than_the_stores_is_refused(taken, stored):
    os.chown(stored.data_dir, 12345, 12345)
    run = stored.store("restore", f"--from={taken[1]}")
    assert run.returncode == 1 and "belongs to the user 12345" in run.stderr


def test_snapshots_are_refused_for_postgresql(stored, tmp_path):
    stored.options |= {"HL_STORE_BACKEND": "postgres", "HL_POSTGRES_URL": "postgresql://127.0.0.1:1/x"}
    run = stored.store("snapshot", "create", f"--dest={tmp_path}/snapshot")
    assert run.returncode == 64 and "docs/backup.md" in run.stderr


@pytest.mark.parametrize("words", [[], ["snapshot"], ["snapshot", "create"], ["restore"], ["restore", "--from"], ["compress"],
                                   ["restore", "--dest=x"], ["snapshot", "create", "--dest=x", "--validate-only"]])
def test_wrong_arguments_of_store_print_the_usage(stored, words):
    run = stored.store(*words)
    assert run.returncode == 64 and run.stderr.startswith("usage: hooksctl store ")


@pytest.mark.parametrize("words", [["restore", "--from=x", "more"], ["restore", "--from", "x", "more"],
                                   ["restore", "--validate-only", "more", "--from=x"], ["snapshot", "--dest=x", "create"]])
def test_an_argument_after_flags_is_wrong_usage(stored, words):
    run = stored.store(*words)
    assert run.returncode == 64 and ("more: not a flag" in run.stderr or "create: not a flag" in run.stderr)


# Kills and power cuts

class Deaths:
    """A restore that dies at an operation on the disk, by SIGKILL or by a power cut."""

    def __init__(self, stored, snapshot, old):
        self.stored, self.snapshot, self.old = stored, snapshot, old
        self.pristine = stored.data_dir.with_name("pristine")
        stored.data_dir.rename(self.pristine)
        self.machine = Machine(stored.data_dir)

    def restore(self, at):
        """Returns whether the restore has completed."""
        shutil.rmtree(self.stored.data_dir)
        shutil.copytree(self.pristine, self.stored.data_dir)
        environment = self.machine.power_on(at)
        run = subprocess.run([BUILD_DIR / "hooksctl", "store", "restore", f"--from={self.snapshot}"],
                             env=clean_environment(self.stored.options | environment), process_group=0, capture_output=True, timeout=30)
        assert run.returncode in (0, -signal.SIGKILL), run
        return run.returncode == 0

    def operations(self):
        assert self.restore(0)
        return int.from_bytes((self.machine.platter / "operations").read_bytes(), "little")

    def check(self, *told):
        """Checks that the old store or the new one is complete, and that the next restore succeeds."""
        assert self.stored.tenants() in (FIRST, self.old), (SEED, *told)
        assert self.stored.store("restore", f"--from={self.snapshot}").returncode == 0, (SEED, *told)
        assert self.stored.tenants() == FIRST, (SEED, *told)
        assert not list(self.stored.data_dir.glob("*.restoring")), (SEED, *told)


@pytest.fixture(params=["stopped", "killed"])
def deaths(request, taken, stored, tmp_path):
    """The replaced store was closed in good order, or its newest row is only in its log."""
    stored.add("earlier")
    with stored.connect() as database:
        database.execute("PRAGMA wal_autocheckpoint = 0")
        database.execute("INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES ('later', 'x', 1, 1)")
        shutil.copytree(stored.data_dir, tmp_path / "killed")
    if request.param == "killed":
        shutil.rmtree(stored.data_dir)
        (tmp_path / "killed").rename(stored.data_dir)
    return Deaths(stored, taken[1], FIRST | LATER | {"earlier"})


@pytest.mark.unsanitized("a sanitizer's library must be loaded first")
def test_a_restore_that_is_killed_leaves_the_old_store_or_the_new_one(deaths):
    last = deaths.operations()
    assert last > 10
    every = range(1, last + 1)
    for at in every if "SLOW_TESTS" in os.environ else random.Random(SEED).sample(every, 4) + [last]:
        assert not deaths.restore(at)
        deaths.check(at)


@pytest.mark.unsanitized("a sanitizer's library must be loaded first")
@pytest.mark.wanted_by("SLOW_TESTS")
def test_a_power_cut_in_a_restore_leaves_the_old_store_or_the_new_one(deaths):
    dice = random.Random(SEED)
    for at in range(1, deaths.operations() + 1):
        for keep in dice.sample(KEEPS, 2):
            deaths.restore(at)
            deaths.machine.cut(dice, keep)
            deaths.check(at, keep)
    deaths.restore(0)
    deaths.machine.cut(dice, "nothing")
    assert deaths.stored.tenants() == FIRST, "a completed restore is durable"
