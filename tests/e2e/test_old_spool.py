"""A spool of an older release: this release lists it and stores every event unchanged."""

import json
import shutil

import pytest

from harness.accounting import accounted
from harness.daemon import REPOSITORY
from harness.metrics import metrics
from harness.waiting import wait_until

RELEASED = REPOSITORY / "tests/released"  # make_spool.py there has made the files
NAME = "spool-00-000000000001.bin"
ROWS = """
SELECT (to_jsonb(e) || jsonb_build_object(
	'timestamp', "timestamp" AT TIME ZONE 'UTC', 'received_at', received_at AT TIME ZONE 'UTC'))::text
FROM hook_events AS e ORDER BY event_id"""


@pytest.fixture(params=sorted(path.name for path in RELEASED.iterdir() if path.is_dir()))
def release(request):
    return RELEASED / request.param


@pytest.fixture
def daemon(make_hooksd, database, release):
    """A daemon that is not started, with the old release's spool."""
    daemon = make_hooksd(database, WRITERS=1)
    spool = daemon.directory / ".agentic/hooksd/spool"
    spool.mkdir(parents=True)
    shutil.copy(release / NAME, spool)
    return daemon


def rows_of(release):
    return [json.loads(line) for line in (release / "rows.jsonl").read_text().splitlines()]


def stored(database, expected):
    """The rows without the columns that are newer than the release."""
    rows = [json.loads(text) for text, in database.query(ROWS)]
    return [{name: row[name] for name in old} for row, old in zip(rows, expected, strict=True)]


def test_hooksctl_lists_and_exports_an_old_spool_as_its_release_did(daemon, release):
    expected = (release / "spool.jsonl").read_text()
    listed = daemon.hooksctl("spool", "list")
    assert listed.returncode == 0 and f" {expected.count(chr(10))} events wait" in listed.stdout, listed
    verified = daemon.hooksctl("spool", "verify")
    assert verified.returncode == 0, verified
    exported = daemon.hooksctl("spool", "export")
    assert exported.returncode == 0, exported
    assert exported.stdout == expected


def test_hooksctl_replays_an_old_spool(daemon, database, release):
    assert daemon.hooksctl("migrate").returncode == 0
    replayed = daemon.hooksctl("spool", "replay")
    assert replayed.returncode == 0, replayed
    assert daemon.spool_files() == []
    assert stored(database, rows_of(release)) == rows_of(release)


def test_hooksd_stores_an_old_spool_at_start(daemon, database, release):
    expected = rows_of(release)
    daemon.start()
    daemon.wait_spool_empty()
    wait_until(lambda: database.count() == len(expected), "all rows")
    assert stored(database, expected) == expected
    numbers = metrics(daemon)
    assert accounted(numbers) and numbers["events_stored_total"] == len(expected)


def test_damage_in_an_old_spool_costs_one_event(daemon, database, release):
    path = daemon.directory / ".agentic/hooksd/spool" / NAME
    content = bytearray(path.read_bytes())
    content[-100] ^= 1  # in the last event, a large one
    path.write_bytes(content)
    daemon.start()
    daemon.wait_for_log("damage in the spool: skipped")
    wait_until(lambda: database.count() == len(rows_of(release)) - 1, "the other rows")
    assert accounted(metrics(daemon))


def test_this_release_appends_its_own_events_to_an_old_spool(daemon, database, release, postgres):
    expected = rows_of(release)
    daemon.options["SPOOL_AFTER_MS"] = 0
    assert daemon.hooksctl("migrate").returncode == 0
    with postgres.hung():
        daemon.start(store_ready=False)
        with daemon.client() as client:
            wait_until(lambda: client.post_event({"event_type": "new", "session_id": "s"}).status == 202, "the spool")
    daemon.wait_spool_empty()
    wait_until(lambda: database.value("SELECT count(*) FROM hook_events WHERE event_type = 'new'") == 1, "the new event")
    database.query("DELETE FROM hook_events WHERE event_type = 'new'")
    assert stored(database, expected) == expected
