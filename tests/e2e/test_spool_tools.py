"""hooksctl spool lists and exports the spooled events, or stores them without hooksd."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess

from harness.accounting import accounted
from harness.daemon import BUILD_DIR, clean_environment, run_program
from harness.events import differences, expected, from_jsonl
from harness.metrics import metrics
from harness.waiting import wait_until
from test_spool import batches, post, stored_once, without_store


def spool_directory(daemon):
    return daemon.directory / ".agentic/hooksd/spool"


def spool_paths(daemon):
    return sorted(spool_directory(daemon).glob("spool-*.bin"))


def spooled(database, hooksd, count, size, seed, event_bytes=0, **options):
    """A stopped daemon whose spool holds the batches, with PostgreSQL running again."""
    daemon = without_store(database, hooksd, **options)
    some = batches(count, size, seed)
    for event in (event for batch in some for event in batch):
        event["data"]["bulk"] = "x" * event_bytes
    post(daemon, some)
    daemon.stop()
    database.server.start()
    return daemon, [event for batch in some for event in batch]


def start_replay(daemon):
    return subprocess.Popen([BUILD_DIR / "hooksctl", "spool", "replay"], env=clean_environment(daemon.options),
                            cwd=daemon.directory, stdout=subprocess.DEVNULL)


def lines(result):
    return [from_jsonl(json.loads(line)) for line in result.stdout.encode().splitlines()]


def sums(result):
    """The figures of a replay for all files: {"stored": 7, ...}."""
    last = result.stdout.splitlines()[-1]
    assert last.startswith("in all: "), result
    return {name: int(number) for name, number in re.findall(r"([a-z ]+) (\d+)", last.removeprefix("in all: ").replace(", ", ","))}


def flip(path, place):
    damaged = bytearray(path.read_bytes())
    damaged[place] ^= 1
    path.write_bytes(damaged)


def test_list_shows_files_age_and_total(database, hooksd):
    daemon, events = spooled(database, hooksd, 4, 5, seed=70)
    (spool_directory(daemon) / "damaged-00-000000000001-64.bin").write_bytes(b"x" * 8)
    listed = daemon.hooksctl("spool", "list")
    assert listed.returncode == 0, listed
    size = sum(path.stat().st_size for path in spool_paths(daemon))
    for path in spool_paths(daemon):
        assert re.search(rf"^{path.name} +20\S+Z +0 min \d+ s +{path.stat().st_size} +\d+$", listed.stdout, re.M), listed
    assert re.search(rf"^{len(spool_paths(daemon))} files?, {size} bytes, 20 events wait; the oldest for 0 min", listed.stdout, re.M)
    assert "set aside" in listed.stdout


def test_the_export_has_the_events_that_the_table_gets_later(database, hooksd):
    daemon, events = spooled(database, hooksd, 20, 10, seed=71)
    before = {path: path.read_bytes() for path in spool_paths(daemon)}
    exported = daemon.hooksctl("spool", "export")
    assert (exported.returncode, exported.stderr) == (0, "")
    assert differences([expected(event) for event in events], lines(exported)) == []
    assert {path: path.read_bytes() for path in spool_paths(daemon)} == before
    daemon.start()
    daemon.wait_spool_empty()
    assert differences(lines(exported), database.events()) == []


def test_the_export_equals_the_file_of_a_jsonl_store(database, hooksd):
    daemon, events = spooled(database, hooksd, 3, 10, seed=72, WRITERS=1)
    exported = daemon.hooksctl("spool", "export")
    jsonl = hooksd()
    assert jsonl.post_batch(events).status == 202
    assert exported.stdout.encode().splitlines() == jsonl.jsonl_lines()  # in the same order


def test_an_export_while_the_service_spools_is_complete(database, hooksd):
    daemon = without_store(database, hooksd)
    events, exported = [], []
    for some in batches(10, 10, seed=73):
        post(daemon, [some])
        events += some
        exported = daemon.hooksctl("spool", "export")
        assert (exported.returncode, exported.stderr) == (0, "")
        assert differences([expected(event) for event in events], lines(exported)) == []
    assert daemon.hooksctl("spool", "verify").returncode == 0
    database.server.start()
    stored_once(database, daemon, [events])


def test_an_export_that_is_cut_short_fails(database, hooksd):
    daemon, _ = spooled(database, hooksd, 10, 100, seed=74)
    command = [BUILD_DIR / "hooksctl", "spool", "export"]
    run = {"env": clean_environment(daemon.options), "cwd": daemon.directory, "stderr": subprocess.PIPE, "timeout": 30}
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as closed_pipe, open("/dev/full", "wb") as full:
        for out, reason in ((closed_pipe, errno.EPIPE), (full, errno.ENOSPC)):
            result = subprocess.run(command, stdout=out, **run)
            assert result.returncode == 1
            assert f"cannot write to the standard output: {os.strerror(reason)}" in result.stderr.decode()
    closed = subprocess.run(["sh", "-c", 'exec "$0" spool export >&-', command[0]], **run)
    assert closed.returncode == 1
    assert b"cannot write to the standard output" in closed.stderr
    assert daemon.hooksctl("spool", "verify").returncode == 0


def test_an_empty_spool_differs_from_a_wrong_directory(database, hooksd, tmp_path):
    daemon = hooksd(database)
    for action in ("list", "verify", "export", "replay"):
        assert daemon.hooksctl("spool", action).returncode == 0
    assert daemon.hooksctl("spool", "export").stdout == ""
    wrong = daemon.hooksctl("spool", "list", f"--data-dir={tmp_path}/nowhere")
    assert wrong.returncode == 1 and f"{tmp_path}/nowhere" in wrong.stderr


def test_a_replay_stores_every_event_and_empties_the_spool(database, hooksd):
    daemon, events = spooled(database, hooksd, 20, 10, seed=75)
    replayed = daemon.hooksctl("spool", "replay")
    assert replayed.returncode == 0, replayed
    assert sums(replayed) == {"stored": 200, "duplicates": 0, "dead letters": 0, "damaged bytes": 0}
    assert daemon.spool_files() == []
    assert differences([expected(event) for event in events], database.events()) == []
    assert sums(daemon.hooksctl("spool", "replay"))["stored"] == 0
    daemon.start()
    assert accounted(metrics(daemon)) and metrics(daemon)["events_damaged_total"] == 0


def test_a_replay_creates_the_tables_of_a_new_database(postgres, database, hooksd):
    """The volume of a dead pod, mounted elsewhere, and a database without tables."""
    daemon, events = spooled(database, hooksd, 4, 10, seed=76)
    volume = daemon.directory / "mounted"
    (daemon.directory / ".agentic/hooksd").rename(volume)
    other = postgres.new_database()
    replayed = run_program("hooksctl", "spool", "replay", f"--data-dir={volume}", f"--database-url={other.url}")
    assert replayed.returncode == 0, replayed
    assert differences([expected(event) for event in events], other.events()) == []
    other.drop()


def kill_in_the_middle(database, daemon, event):
    """Begins a replay and kills it when it has stored some events and is about to store that one."""
    database.query("CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql"
                   " AS 'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END'")
    database.query(f"CREATE TRIGGER hold BEFORE INSERT ON hook_events FOR EACH ROW"
                   f" WHEN (NEW.event_id = '{event['event_id']}') EXECUTE FUNCTION hold()")
    with database.server.connect(database.name) as holder:
        holder.execute("SELECT pg_advisory_lock(1)")
        replay = start_replay(daemon)
        wait_until(lambda: database.count() > 0, "the first events")
        replay.kill()
        assert replay.wait() == -signal.SIGKILL
    assert spool_paths(daemon)


def test_a_repeatedly_killed_replay_stores_each_event_once(database, hooksd):
    # The events fill several of the transactions of some MiB in which a replay stores them.
    daemon, events = spooled(database, hooksd, 40, 1, seed=77, event_bytes=500_000, WRITERS=1)
    kill_in_the_middle(database, daemon, events[-1])
    while spool_paths(daemon):
        seen = database.count()
        replay = start_replay(daemon)
        wait_until(lambda: database.count() > seen or replay.poll() is not None, "some progress")
        replay.kill()
        replay.wait()
    assert differences([expected(event) for event in events], database.events()) == []


def test_the_service_continues_a_killed_replay(database, hooksd):
    daemon, events = spooled(database, hooksd, 40, 1, seed=78, event_bytes=500_000, WRITERS=1)
    kill_in_the_middle(database, daemon, events[-1])
    daemon.start()
    stored_once(database, daemon, [events])


def test_a_replay_between_a_kill_and_the_next_start_stores_each_event_once(database, hooksd):
    """Acknowledged events are in the spool, on the ring, or in both, and are stored once."""
    daemon = without_store(database, hooksd, ACK="queued")
    some = batches(40, 20, seed=88)
    post(daemon, some, ack="queued")
    daemon.kill()
    database.server.start()
    assert daemon.hooksctl("spool", "replay").returncode == 0
    daemon.start()
    stored_once(database, daemon, some)
    assert accounted(metrics(daemon))


def test_a_replay_beside_a_running_service_is_refused(database, hooksd):
    daemon = without_store(database, hooksd)
    some = batches(4, 5, seed=79)
    post(daemon, some)
    before = {path: path.read_bytes() for path in spool_paths(daemon)}
    for arguments in ([], [str(path) for path in before]):
        refused = daemon.hooksctl("spool", "replay", *arguments)
        assert refused.returncode == 1
        assert f"in use by pid {daemon.pid}" in refused.stderr
    assert {path: path.read_bytes() for path in spool_paths(daemon)} == before
    database.server.start()
    stored_once(database, daemon, some)


def test_a_service_does_not_start_beside_a_replay(database, hooksd):
    daemon, events = spooled(database, hooksd, 2, 5, seed=80)
    with database.server.connect(database.name) as connection:
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE hook_events")
        replay = start_replay(daemon)
        lock = daemon.directory / ".agentic/hooksd/lock"
        wait_until(lambda: lock.read_text() == f"{replay.pid}\n", "the replay's lock")
        daemon.spawn()
        daemon.wait_exit(expect=1)
        assert f"in use by pid {replay.pid} (another hooksd, or hooksctl spool replay)" in daemon.log()
    assert replay.wait(timeout=30) == 0
    daemon.start()
    stored_once(database, daemon, [events])


def test_a_replay_without_the_store_keeps_the_spool(database, hooksd):
    daemon, events = spooled(database, hooksd, 2, 5, seed=81)
    database.server.stop()
    before = daemon.spool_files()
    failed = daemon.hooksctl("spool", "replay")
    assert failed.returncode == 1 and "Connection refused" in failed.stderr, failed
    assert daemon.spool_files() == before
    database.server.start()
    assert daemon.hooksctl("spool", "replay").returncode == 0
    assert differences([expected(event) for event in events], database.events()) == []


def test_a_replay_into_a_jsonl_store_is_refused_with_advice(database, hooksd):
    daemon, _ = spooled(database, hooksd, 1, 5, seed=82)
    before = daemon.spool_files()
    refused = daemon.hooksctl("spool", "replay", "--storage-type=jsonl")
    assert refused.returncode == 64 and "export >>" in refused.stderr
    assert daemon.spool_files() == before


def test_an_event_refused_in_a_replay_becomes_a_dead_letter(database, hooksd):
    daemon, events = spooled(database, hooksd, 1, 20, seed=83)
    session = events[7]["event_id"]
    database.query(f"ALTER TABLE hook_events ADD CONSTRAINT unwanted CHECK (event_id <> '{session}')")
    replayed = daemon.hooksctl("spool", "replay")
    assert replayed.returncode == 0, replayed
    assert sums(replayed) == {"stored": 19, "duplicates": 0, "dead letters": 1, "damaged bytes": 0}
    assert session in daemon.hooksctl("deadletter", "export").stdout


def test_damage_costs_one_event_and_is_reported_with_its_position(database, hooksd):
    daemon, events = spooled(database, hooksd, 1, 30, seed=84, WRITERS=1)
    (path,) = spool_paths(daemon)
    size = path.stat().st_size
    flip(path, size // 2)
    place = rf"{path.name}: bytes (\d+) to (\d+) are damaged"
    for action in ("verify", "export", "replay"):
        result = daemon.hooksctl("spool", action)
        assert result.returncode == 1
        first, last = (int(number) for number in re.search(place, result.stderr).groups())
        assert first <= size // 2 < last
        if action == "verify":
            assert "29 good" in result.stdout
        if action == "export":
            exported = lines(result)
            assert len(exported) == 29
    assert sums(result)["stored"] == 29
    assert differences(exported, database.events()) == []
    # The file is set aside for the service, and its undamaged events can still be stored.
    (kept,) = daemon.spool_files()
    assert kept.startswith("damaged-")
    again = daemon.hooksctl("spool", "replay", str(spool_directory(daemon) / kept))
    assert again.returncode == 1
    assert sums(again)["stored"] == 0 and sums(again)["duplicates"] > 0
    assert daemon.spool_files() == [kept]


def test_an_unfinished_append_does_not_count_as_damage(database, hooksd):
    daemon, events = spooled(database, hooksd, 2, 10, seed=85, WRITERS=1)
    (path,) = spool_paths(daemon)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[64:164])
    for action in ("verify", "export", "replay"):
        result = daemon.hooksctl("spool", action)
        assert result.returncode == 0, result
        assert f"bytes {len(whole)} to {len(whole) + 100} are an append that was never completed" in result.stderr
    assert sums(result)["stored"] == 20 and daemon.spool_files() == []


def test_named_files_can_be_anywhere_also_beside_a_running_service(database, hooksd, tmp_path):
    daemon, events = spooled(database, hooksd, 10, 10, seed=86)
    copies = tmp_path / "copies"
    shutil.copytree(spool_directory(daemon), copies)
    for path in spool_paths(daemon):
        path.unlink()
    daemon.start()
    paths = sorted(str(path) for path in copies.iterdir())
    assert differences([expected(event) for event in events], lines(daemon.hooksctl("spool", "export", *paths))) == []
    replayed = daemon.hooksctl("spool", "replay", *paths)
    assert replayed.returncode == 0, replayed
    assert list(copies.iterdir()) == []
    assert differences([expected(event) for event in events], database.events()) == []


def test_foreign_files_are_left_alone(database, hooksd):
    daemon, events = spooled(database, hooksd, 1, 10, seed=87, WRITERS=1)
    foreign = {
        "notes.txt": b"not a spool file\n" * 100,
        "empty": b"",
        "spool-0-1.bin": b"hookssp1" * 8,
    }
    for name, content in foreign.items():
        (spool_directory(daemon) / name).write_bytes(content)
    os.mkfifo(spool_directory(daemon) / "spool-00-000000000077.bin")
    (spool_directory(daemon) / "spool-00-000000000078.bin").symlink_to("/etc/passwd")
    (spool_directory(daemon) / "spool-00-000000000079.bin").mkdir()
    for action in ("verify", "export", "replay"):
        result = daemon.hooksctl("spool", action)
        assert result.returncode == 1
        assert "spool-00-000000000077.bin: is not a regular file" in result.stderr
    assert sums(result)["stored"] == 10
    named = daemon.hooksctl("spool", "replay", *(str(spool_directory(daemon) / name) for name in foreign), "none")
    assert named.returncode == 1 and "none: cannot open it" in named.stderr
    for name, content in foreign.items():
        assert (spool_directory(daemon) / name).read_bytes() == content
    for special in spool_directory(daemon).glob("spool-00-00000000007*"):
        special.rmdir() if special.is_dir() and not special.is_symlink() else special.unlink()


def test_wrong_usage_of_spool_prints_the_usage():
    for arguments in ([], ["no-such-action"]):
        result = run_program("hooksctl", "spool", *arguments)
        assert result.returncode == 64 and "replay" in result.stderr
    helped = run_program("hooksctl", "spool", "--help")
    assert helped.returncode == 0 and "export" in helped.stdout
