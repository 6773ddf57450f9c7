"""Other programs remove files in DATA_DIR while hooksd uses them, or put files of their own there."""

import os
import random
import shutil

import pytest

from harness.accounting import accounted
from harness.events import minimal
from harness.metrics import metrics, wait_accounted
from harness.waiting import wait_until

AT_ONCE = {"SPOOL_AFTER_MS": 0, "WRITERS": 1}


def spool(daemon):
    return daemon.directory / ".agentic/hooksd/spool"


def post(daemon, first, count, ack="spooled"):
    for number in range(first, first + count):
        reply = daemon.post_event(minimal(session_id=f"s{number}"))
        assert (reply.status, reply.headers["X-Hooks-Ack"]) == (202, ack)


def stored(database):
    return sorted(int(row[0][1:]) for row in database.query("SELECT session_id FROM hook_events"))


@pytest.fixture
def spooling(database, hooksd):
    daemon = hooksd(database, **AT_ONCE)
    database.server.stop()
    post(daemon, 0, 5)
    return daemon


def remove_file(daemon):
    for path in spool(daemon).iterdir():
        path.unlink()


def remove_directory(daemon):
    shutil.rmtree(spool(daemon))


def remove_data_dir(daemon):
    shutil.rmtree(spool(daemon).parent)


def move_file(daemon):
    for path in spool(daemon).iterdir():
        path.rename(daemon.directory / path.name)


REMOVALS = [remove_file, remove_directory, remove_data_dir, move_file]


@pytest.mark.parametrize("remove", REMOVALS)
def test_spooled_events_are_kept_although_their_file_is_removed(database, spooling, remove):
    remove(spooling)
    spooling.wait_for_log("a spool file was removed: it is made again")
    wait_until(lambda: len(spooling.spool_files()) == 1, "the file")
    post(spooling, 5, 5)
    assert accounted(metrics(spooling))
    spooling.kill()
    database.server.start()
    spooling.start()
    spooling.wait_spool_empty()
    assert stored(database) == list(range(10))
    assert accounted(metrics(spooling)) and metrics(spooling)["events_damaged_total"] == 0


@pytest.mark.parametrize("remove", REMOVALS)
def test_an_append_notices_that_its_file_was_removed(database, spooling, remove):
    for number in range(5, 25, 5):
        remove(spooling)
        post(spooling, number, 5)
    spooling.stop()
    database.server.start()
    spooling.start()
    spooling.wait_spool_empty()
    assert stored(database) == list(range(25))


@pytest.mark.unsanitized("sanitizers need SANDBOX=off")
@pytest.mark.parametrize("remove", [remove_directory, remove_data_dir])
def test_spooled_events_are_kept_although_their_old_directory_is_removed(database, hooksd, remove):
    daemon = hooksd(database, **AT_ONCE)
    daemon.stop()
    spool(daemon).mkdir()
    daemon.start()
    database.server.stop()
    post(daemon, 0, 5)
    remove(daemon)
    post(daemon, 5, 5)
    daemon.wait_for_log("a file or directory of this process was replaced")
    daemon.kill()
    database.server.start()
    daemon.start()
    daemon.wait_spool_empty()
    assert stored(database) == list(range(10))
    assert accounted(metrics(daemon)) and metrics(daemon)["events_damaged_total"] == 0


def test_a_missing_file_of_an_earlier_run_is_logged_and_counted(database, spooling):
    spooling.restart(store_ready=False)
    remove_file(spooling)
    post(spooling, 5, 5)
    database.server.start()
    spooling.wait_for_log("a spool file is gone: its events are not stored.*events=5")
    spooling.wait_spool_empty()
    assert stored(database) == list(range(5, 10))
    numbers = metrics(spooling)
    assert accounted(numbers) and numbers["events_damaged_total"] == 5


def test_a_foreign_file_with_a_spool_files_name_is_set_aside_whole(database, hooksd):
    daemon = hooksd(database, **AT_ONCE)
    daemon.stop()
    content = b"\x7fELF" + random.Random(1).randbytes(20_000_000)
    spool(daemon).mkdir(parents=True)
    (spool(daemon) / "spool-00-000000000001.bin").write_bytes(content)
    daemon.start()
    daemon.wait_for_log("a file of the spool's name holds no event: set aside")
    wait_until(lambda: [name.split("-")[0] for name in daemon.spool_files()] == ["damaged"], "the file to be set aside")
    assert (spool(daemon) / daemon.spool_files()[0]).read_bytes() == content
    wait_until(lambda: metrics(daemon)["events_damaged_total"] == 1, "the count")  # it may have held an event
    wait_accounted(daemon)
    post(daemon, 0, 1, ack="stored")


@pytest.mark.parametrize("name", ["counters", "counters.new"])
def test_a_foreign_file_with_the_counters_name_is_set_aside(hooksd, make_hooksd, name):
    daemon = make_hooksd(DATA_DIR="project")
    path = daemon.directory / "project" / name
    path.parent.mkdir()
    path.write_text("counters of the laundry: 7 machines\n")
    daemon.start()
    assert daemon.post_event(minimal()).status == 202
    daemon.restart()
    assert metrics(daemon)["events_received_total"] == 1
    [aside] = path.parent.glob(f"{name}.set-aside.*")
    assert aside.read_text() == "counters of the laundry: 7 machines\n"


def test_a_foreign_file_with_the_dead_letters_name_is_set_aside(database, hooksd, make_hooksd):
    daemon = make_hooksd(database, DATA_DIR="project")
    path = daemon.directory / "project/dead-letters.jsonl"
    path.parent.mkdir()
    path.write_bytes(b"PK\3\4 an archive of letters that nobody has fetched")
    daemon.start()
    database.query("ALTER TABLE hook_events ADD CONSTRAINT narrow CHECK (session_id <> 'refused')")
    database.query("DROP TABLE hook_events_dead_letters")
    for _ in range(2):
        assert daemon.post_event(minimal(session_id="refused")).status == 202
    [aside] = path.parent.glob("dead-letters.jsonl.set-aside.*")
    assert aside.read_bytes() == b"PK\3\4 an archive of letters that nobody has fetched"
    assert len(path.read_text().splitlines()) == 2


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_dead_letters_go_to_a_new_file_after_a_removal_or_a_move(database, hooksd, how):
    daemon = hooksd(database)
    database.query("ALTER TABLE hook_events ADD CONSTRAINT narrow CHECK (session_id <> 'refused')")
    database.query("DROP TABLE hook_events_dead_letters")
    path = daemon.directory / ".agentic/hooksd/dead-letters.jsonl"
    assert daemon.post_event(minimal(session_id="refused")).status == 202
    first = path.read_text()
    if how == "removed":
        path.unlink()
    else:
        path.with_name("other").write_text(first * 2)
        os.rename(path.with_name("other"), path)
    assert daemon.post_event(minimal(session_id="refused")).status == 202
    assert len(path.read_text().splitlines()) == (1 if how == "removed" else 3)
