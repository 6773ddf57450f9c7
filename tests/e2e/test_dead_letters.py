"""Dead letters: PostgreSQL refuses a row, other rows are stored, and the exact event can be stored later."""

import json
import math
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest

from harness.daemon import run_program
from harness.metrics import metrics
from harness.waiting import SANITIZED, wait_until

BATCH = 2000 if SANITIZED else 10000

# Events that jsonb cannot hold or that a DBA's rules refuse: [data, session_id, SQLSTATE]
POISON = [
    (b'{"x":[1e200000]}', "s", "22003"),
    (b'{"x":-1' + b"0" * 200_000 + b"}", "s", "22003"),
    (b'{"a":{"b":[1, 1e99999999999999999999]},"text":"kept \\u0000 as it is"}', "s", "22003"),
    (b"{}", "checked", "23514"),
    (b"{}", "raised", "P0001"),
    (b"{}", "raised with a state of its own", "45000"),
    (b"{}", "stumbled", "42883"),
]
DBA = [
    "ALTER TABLE hook_events ADD CONSTRAINT good_session CHECK (session_id <> 'checked')",
    "CREATE FUNCTION object() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " IF NEW.session_id = 'raised' THEN RAISE 'not this one'; END IF;"
    " IF NEW.session_id = 'raised with a state of its own' THEN RAISE SQLSTATE '45000'; END IF;"
    " IF NEW.session_id = 'stumbled' THEN PERFORM no_such_function(); END IF;"
    " RETURN NEW; END $$",
    "CREATE TRIGGER object BEFORE INSERT ON hook_events FOR EACH ROW EXECUTE FUNCTION object()",
]


def text_of(number, data=b"{}", session="s"):
    """An event as bytes, with an id made from its number."""
    head = {
        "event_id": str(uuid.UUID(int=number + 1)),
        "event_type": "numbered",
        "session_id": session,
        "timestamp": "2026-01-02T03:04:05.000006Z",
    }
    return json.dumps(head).encode()[:-1] + b', "data": ' + data + b"}"


def post(daemon, events):
    reply = daemon.post_batch(b"[" + b",".join(events) + b"]")
    assert (reply.status, reply.json()["accepted"]) == (202, len(events)), reply


def letters(database):
    """[number, SQLSTATE, payload] in the order of refusal."""
    rows = database.query("SELECT event_id, sqlstate, payload FROM hook_events_dead_letters ORDER BY id")
    return [(identity.int - 1, sqlstate, payload) for identity, sqlstate, payload in rows]


def poison(database):
    for statement in DBA:
        database.query(statement)


def stumbling(database):
    """From now on PostgreSQL refuses sessions whose name begins with "bad"."""
    database.query("ALTER TABLE hook_events ADD CONSTRAINT no_bad CHECK (session_id NOT LIKE 'bad%')")


def mended(database):
    database.query("ALTER TABLE hook_events DROP CONSTRAINT no_bad")


def file_of(daemon):
    return daemon.directory / ".agentic/hooksd/dead-letters.jsonl"


def ctl(daemon, *words, code=0):
    result = daemon.hooksctl("deadletter", *words)
    assert result.returncode == code, (result.stdout, result.stderr)
    return result.stdout + result.stderr


# The cost of dead letters


@pytest.mark.plain_postgres("triggers are refused on distributed tables")
@pytest.mark.parametrize("count", [1, 7, 60])
def test_refused_rows_in_a_large_batch_cost_only_themselves(database, hooksd, count):
    """The other rows are stored in order. The number of statements grows with k log n."""
    daemon = hooksd(database, WRITERS=1)
    poison(database)
    database.query("ALTER TABLE hook_events ADD COLUMN arrival bigserial")
    poisoned = {round((place + 0.5) * BATCH / count): POISON[place % len(POISON)] for place in range(count)}
    events = [text_of(number, *poisoned.get(number, ())[:2]) for number in range(BATCH)]
    before = metrics(daemon)
    post(daemon, events)

    stored = [identity.int - 1 for identity, in database.query("SELECT event_id FROM hook_events ORDER BY arrival")]
    assert stored == [number for number in range(BATCH) if number not in poisoned]
    found = letters(database)
    assert [(number, sqlstate) for number, sqlstate, _ in found] == [(n, poisoned[n][2]) for n in sorted(poisoned)]
    for number, _, payload in found:
        assert f'"data":{poisoned[number][0].decode().replace(", ", ",")}}}' in payload

    after = metrics(daemon)
    assert after["events_dead_lettered_total"] == count
    assert after["storage_errors_total"] == 0
    # Each poisoned row is in one half at each level. A check violation is tried twice. Each letter is one statement;
    # one probe follows.
    levels = math.ceil(math.log2(BATCH)) - math.floor(math.log2(count))
    bound = 2 * count * (levels + 2) + 3 * count + 2
    statements = after["store_statements_total"] - before["store_statements_total"]
    assert count < statements <= bound < BATCH / 3 or (SANITIZED and statements <= bound), (statements, bound)


@pytest.mark.plain_postgres("triggers are refused on distributed tables")
def test_a_letter_has_the_event_and_the_reason(database, hooksd):
    daemon = hooksd(database)
    poison(database)
    before = datetime.now(timezone.utc) - timedelta(seconds=1)
    event = {
        "event_id": "my own id", "event_type": "t\ty", "session_id": "raised", "workflow_id": "ключ", "phase_id": None,
        "milestone_id": "m", "timestamp": "2026-01-31T23:30:00-02:00",
        "data": {"z": [1.50, "\ufffd"], "a": {}},
    }
    assert daemon.post_event(event).status == 202
    (refused_at, sqlstate, message, event_id, created_date, event_type, session_id, payload), = database.query(
        "SELECT refused_at, sqlstate, message, event_id, created_date, event_type, session_id, payload"
        " FROM hook_events_dead_letters")
    assert before < refused_at < datetime.now(timezone.utc) + timedelta(seconds=1)
    assert (sqlstate, message, event_type, session_id) == ("P0001", "not this one", "t\ty", "raised")
    assert str(created_date) == "2026-02-01"
    told = json.loads(payload)
    received = datetime.fromisoformat(told.pop("received_at"))
    assert before < received <= refused_at + timedelta(seconds=1)
    assert told == {key: value for key, value in event.items() if value is not None} | {
        "timestamp": "2026-02-01T01:30:00.000000Z"}

    # The payload is valid for POST and stores the same event.
    database.query("DROP TRIGGER object ON hook_events")
    assert daemon.post_event(payload).status == 202
    assert database.query("SELECT event_id FROM hook_events") == [(event_id,)]


def test_an_event_sent_again_stays_one_letter(database, hooksd):
    daemon = hooksd(database)
    stumbling(database)
    for _ in range(3):
        post(daemon, [text_of(0), text_of(1, session="bad"), text_of(1, session="bad"), text_of(2)])
    assert [number for number, _, _ in letters(database)] == [1]
    assert database.count() == 2
    numbers = metrics(daemon)
    assert (numbers["events_received_total"], numbers["events_stored_total"]) == (12, 2)
    assert (numbers["events_duplicate_total"], numbers["events_dead_lettered_total"]) == (4, 6)


def test_escapes_that_jsonb_cannot_hold_are_replaced_and_counted(database, hooksd):
    daemon = hooksd(database)
    post(daemon, [text_of(0, b'{"k\\u0000":"\\ud800!"}'), text_of(1, b'{"fine":"\\ud83e\\udd16 \\\\u0000"}'),
                  text_of(2, b'{"low":"\\udc00"}')])
    assert [event["data"] for event in sorted(database.events(), key=lambda event: event["event_id"])] == [
        {"k\ufffd": "\ufffd!"}, {"fine": "🤖 \\u0000"}, {"low": "\ufffd"}]
    assert metrics(daemon)["events_sanitised_total"] == 2
    assert letters(database) == []


# Faults of the table are told from faults of a row


@pytest.mark.parametrize("broken,whole", [
    ("hook_events RENAME COLUMN phase_id TO stage", "hook_events RENAME COLUMN stage TO phase_id"),
    ("hook_events RENAME TO elsewhere", "elsewhere RENAME TO hook_events"),
])
def test_a_table_that_refuses_every_row_makes_no_letters(database, hooksd, broken, whole):
    daemon = hooksd(database, ACK="queued")
    database.query(f"ALTER TABLE {broken}")
    post(daemon, [text_of(number) for number in range(5)])
    daemon.wait_for_log("the store is unavailable")
    database.query(f"ALTER TABLE {whole}")
    wait_until(lambda: database.count() == 5, "the events")
    assert letters(database) == []


@pytest.mark.plain_postgres("triggers are refused on distributed tables")
def test_a_stop_while_rows_are_isolated_is_quick(database, hooksd):
    daemon = hooksd(database, ACK="queued", WRITERS=1, DRAIN_TIMEOUT_SECONDS=2)
    database.query("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                   " PERFORM pg_sleep(0.02); IF NEW.session_id = 'bad' THEN RAISE 'no'; END IF; RETURN NEW; END $$")
    database.query("CREATE TRIGGER slow BEFORE INSERT ON hook_events FOR EACH ROW EXECUTE FUNCTION slow()")
    post(daemon, [text_of(number, session="bad" if number % 10 == 9 else "s") for number in range(100)])
    wait_until(lambda: letters(database), "the first letter")
    daemon.stop()  # rows that are not isolated by then go to the spool
    database.query("DROP TRIGGER slow ON hook_events")
    stumbling(database)
    daemon.start()
    daemon.wait_spool_empty()
    assert database.count() == 90
    assert sorted(number for number, _, _ in letters(database)) == list(range(9, 100, 10))


# The file of dead letters, for letters that the table does not take


def test_letters_go_to_the_file_without_the_table(database, hooksd):
    daemon = hooksd(database)
    stumbling(database)
    database.query("DROP TABLE hook_events_dead_letters")
    post(daemon, [text_of(0), text_of(1, b'{"exact":1.50}', "bad"), text_of(2), text_of(3, session="bad")])
    assert database.count() == 2
    lines = [json.loads(line) for line in file_of(daemon).read_text().splitlines()]
    assert [line["event_id"][-1] for line in lines] == ["2", "4"]
    assert {line["sqlstate"] for line in lines} == {"23514"}
    assert '"data":{"exact":1.50}}' in lines[0]["payload"]
    assert (lines[0]["session_id"], lines[0]["created_date"]) == ("bad", "2026-01-02")
    assert metrics(daemon)["events_dead_lettered_total"] == 2
    assert "they go to the file" in daemon.log()


def test_a_letter_that_the_table_refuses_goes_to_the_file(database, hooksd):
    daemon = hooksd(database)
    stumbling(database)
    database.query("ALTER TABLE hook_events_dead_letters ADD CHECK (length(payload) < 1000)")
    long = b'{"x":"%s"}' % (b"x" * 1000)
    post(daemon, [text_of(0, session="bad"), text_of(1, long, "bad"), text_of(2, session="bad")])
    assert [number for number, _, _ in letters(database)] == [0, 2]
    assert len(file_of(daemon).read_text().splitlines()) == 1


# hooksctl


def test_list_retry_and_export_work_without_letters(database, hooksd):
    daemon = hooksd(database)
    assert ctl(daemon, "list") == ctl(daemon, "retry") == ctl(daemon, "retry", "all") == "no dead letters\n"
    assert ctl(daemon, "export") == ""


def test_list_and_show(database, hooksd):
    daemon = hooksd(database)
    stumbling(database)
    hostile = text_of(1, b'{"exact":1.50}', "bad \x1b[31m \u009b")
    post(daemon, [text_of(0, b'{"x":1e200000}'), hostile, text_of(2)])
    listed = ctl(daemon, "list")
    rows = [line for line in listed.splitlines() if re.match(r"\d+ +20", line)]
    assert [row.split()[0] for row in rows] == [str(row[0]) for row in database.query(
        "SELECT id FROM hook_events_dead_letters ORDER BY id")]
    assert "22003" in rows[0] and "23514" in rows[1] and "no_bad" in rows[1]
    assert listed.endswith("\n2 dead letters\n")
    assert "\x1b" not in listed and "\u009b" not in listed

    number = rows[1].split()[0]
    shown = ctl(daemon, "show", number)
    assert ctl(daemon, "show", str(uuid.UUID(int=2))) == shown
    assert "\u009b" not in shown and json.loads(shown.partition("payload\n")[2])["session_id"] == "bad \x1b[31m \u009b"
    assert '"data":{"exact":1.50}}' in shown and re.search(r"^sqlstate +23514$", shown, re.M)
    assert "there is no such letter" in ctl(daemon, "show", "999999", code=1)
    assert "there is no such letter" in ctl(daemon, "retry", str(uuid.uuid4()), code=1)


@pytest.mark.plain_postgres("Citus' nodes assign the numbers")
def test_long_numbers_of_letters_are_listed_whole(database, hooksd):
    """Numbers from a second node of a Citus cluster begin above 2^48."""
    daemon = hooksd(database)
    stumbling(database)
    wide = 281474976710658
    for number, first in enumerate((7, wide, 2**63 - 2)):
        database.query(f"ALTER TABLE hook_events_dead_letters ALTER COLUMN id RESTART WITH {first}")
        post(daemon, [text_of(number, session=f"bad{number}")])
    rows = [line for line in ctl(daemon, "list").splitlines() if re.match(r"\d+ +20", line)]
    assert [row.split()[0] for row in rows] == ["7", str(wide), str(2**63 - 2)]
    for number, row in enumerate(rows):
        shown = ctl(daemon, "show", row.split()[0])
        assert re.search(rf"^session_id +bad{number}$", shown, re.M)
    for part in (str(wide)[:8], str(wide) + "0", "1" + "0" * 30):
        assert "there is no such letter" in ctl(daemon, "show", part, code=1)
    mended(database)
    assert f"{wide}  stored\n" in ctl(daemon, "retry", str(wide))
    assert [number for number, _, _ in letters(database)] == [0, 2]


def test_a_shortened_text_in_a_list_is_marked(database, hooksd):
    daemon = hooksd(database)
    stumbling(database)
    sessions = ["bad" + "x" * 17, "bad" + "ж" * 18, "bad" + "x" * 17 + "y"]
    post(daemon, [text_of(number, session=session) for number, session in enumerate(sessions)])
    rows = [line for line in ctl(daemon, "list").splitlines() if re.match(r"\d+ +20[-\d]+T\d\d:\d\d:\d\d ", line)]
    assert [row.split()[4] for row in rows] == [sessions[0], sessions[1][:19] + "…", sessions[2][:19] + "…"]


@pytest.mark.plain_postgres("triggers are refused on distributed tables")
def test_control_characters_in_postgresqls_messages_are_escaped(database, hooksd):
    daemon = hooksd(database)
    database.query("CREATE FUNCTION object() RETURNS trigger LANGUAGE plpgsql AS"
                   " $$ BEGIN RAISE 'not %', chr(27) || '[31m' || chr(155); END $$")
    database.query("CREATE TRIGGER object BEFORE INSERT ON hook_events FOR EACH ROW EXECUTE FUNCTION object()")
    post(daemon, [text_of(0)])
    for words, code in ((["list"], 0), (["show", str(uuid.UUID(int=1))], 0), (["retry"], 1)):
        told = ctl(daemon, *words, code=code)
        assert "not [31m?" in told and "\x1b" not in told and "\u009b" not in told


def test_retry_stores_letters_whose_cause_is_gone(database, hooksd):
    daemon = hooksd(database)
    stumbling(database)
    post(daemon, [text_of(0, b'{"x":1e200000}'), *(text_of(n, b'{"n":%d}' % n, f"bad{n}") for n in range(1, 5))])
    assert "still refused 5" in ctl(daemon, "retry", code=1)
    assert len(letters(database)) == 5

    mended(database)
    received = dict(database.query("SELECT event_id, (payload::json->>'received_at')::timestamptz"
                                   " FROM hook_events_dead_letters WHERE sqlstate = '23514'"))
    one = str(database.value("SELECT id FROM hook_events_dead_letters WHERE session_id = 'bad1'"))
    assert f"{one}  stored\n" in ctl(daemon, "retry", one)
    assert [event["data"] for event in database.events()] == [{"n": 1}]

    post(daemon, [text_of(2, b'{"n":2}', "bad2")])  # the client has sent it again
    database.query("ALTER TABLE hook_events ADD CONSTRAINT later CHECK (session_id <> 'bad3')")
    told = ctl(daemon, "retry", "all", code=1)
    assert "stored 1, duplicates 1, still refused 2" in told
    assert sorted(event["data"]["n"] for event in database.events()) == [1, 2, 4]
    assert [(n, state) for n, state, _ in letters(database)] == [(0, "22003"), (3, "23514")]
    assert "later" in database.value("SELECT message FROM hook_events_dead_letters WHERE session_id = 'bad3'")
    stored = dict(database.query("SELECT event_id, received_at FROM hook_events WHERE session_id <> 'bad2'"))
    assert stored == {identity: received[identity] for identity in stored}


def test_retry_of_the_file_while_it_is_written(database, hooksd):
    daemon = hooksd(database)
    stumbling(database)
    database.query("ALTER TABLE hook_events_dead_letters RENAME TO away")
    post(daemon, [text_of(0, session="bad0"), text_of(1, b'{"x":1e200000}'), text_of(2, session="bad2")])
    file = file_of(daemon)
    exported = ctl(daemon, "export")
    assert exported == file.read_text()
    listed = ctl(daemon, "list")
    assert str(file.relative_to(daemon.directory)) in listed and str(uuid.UUID(int=1)) in listed
    assert ctl(daemon, "show", str(uuid.UUID(int=2))).count("22003") == 1

    mended(database)
    assert f"{uuid.UUID(int=1)}  stored" in ctl(daemon, "retry", str(uuid.UUID(int=1)))
    assert len(file.read_text().splitlines()) == 2

    stumbling_again = "ALTER TABLE hook_events ADD CONSTRAINT no_bad CHECK (session_id <> 'bad9') NOT VALID"
    database.query(stumbling_again)
    post(daemon, [text_of(9, session="bad9")])  # the writer had the old file open and must use the new one
    assert [json.loads(line)["event_id"][-2:] for line in file.read_text().splitlines()] == ["02", "03", "0a"]
    owner = file.stat()
    assert "stored 1, duplicates 0, still refused 2" in ctl(daemon, "retry", code=1)
    assert (file.stat().st_mode, file.stat().st_uid) == (owner.st_mode, owner.st_uid)
    assert [json.loads(line)["event_id"][-2:] for line in file.read_text().splitlines()] == ["02", "0a"]
    mended(database)
    database.query("DELETE FROM hook_events")
    ctl(daemon, "retry", str(uuid.UUID(int=10)))
    assert database.count() == 1
    assert not list(file.parent.glob("*.new"))


def test_retry_keeps_lines_of_the_file_that_are_no_letters(database, hooksd):
    daemon = hooksd(database)
    database.query("DROP TABLE hook_events_dead_letters")
    stumbling(database)
    post(daemon, [text_of(0, session="bad")])
    file = file_of(daemon)
    good = file.read_text()
    torn = '{"refused_at":"2026-01-02T03'
    foreign = json.dumps(json.loads(good) | {"event_id": str(uuid.uuid4()), "payload": "[]"})
    file.write_text("nonsense\n" + good + "{}\n" + foreign + "\n" + torn)
    mended(database)
    told = ctl(daemon, "retry", code=1)
    assert "line 1 of the file is no dead letter" in told
    assert "stored 1, duplicates 0, still refused 0, unreadable 1" in told
    assert file.read_text() == "nonsense\n{}\n" + foreign + "\n" + torn
    assert database.count() == 1


def test_two_retries_at_once(database, hooksd):
    daemon = hooksd(database)
    stumbling(database)
    count = 100
    post(daemon, [text_of(number, session="bad") for number in range(count)])
    database.query("ALTER TABLE hook_events_dead_letters RENAME TO away")
    post(daemon, [text_of(1000 + number, session="bad") for number in range(count)])
    database.query("ALTER TABLE away RENAME TO hook_events_dead_letters")
    mended(database)
    with ThreadPoolExecutor(3) as pool:
        told = [result.stdout for result in pool.map(lambda _: daemon.hooksctl("deadletter", "retry"), range(3))]
    assert sum(int(number) for text in told for number in re.findall(r"^stored (\d+)", text, re.M)) == 2 * count
    assert database.count() == 2 * count
    assert ctl(daemon, "list") == "no dead letters\n"


def test_retry_names_a_failure_of_the_store(database, hooksd):
    daemon = hooksd(database)
    stumbling(database)
    post(daemon, [text_of(0, session="bad")])
    database.query("ALTER TABLE hook_events RENAME TO elsewhere")
    assert "hook_events" in ctl(daemon, "retry", code=1)
    assert [state for _, state, _ in letters(database)] == ["23514"]
    database.query("ALTER TABLE elsewhere RENAME TO hook_events")
    database.server.stop()
    for action in ("list", "retry", "export"):
        told = ctl(daemon, action, code=1)
        assert "not-a-real-secret" not in told and "connect" in told.lower()


def test_exported_letters_can_be_posted(database, hooksd):
    daemon = hooksd(database)
    stumbling(database)
    post(daemon, [text_of(number, b'{"n":%d.50}' % number, "bad") for number in range(25)])
    mended(database)
    lines = [json.loads(line) for line in ctl(daemon, "export").splitlines()]
    body = "".join(line["payload"] + "\n" for line in lines)
    assert daemon.post_batch(body, content_type="application/x-ndjson").json()["accepted"] == 25
    assert database.count() == 25
    assert "stored 0, duplicates 25" in ctl(daemon, "retry")


@pytest.mark.parametrize("words", [
    [], ["lost"], ["list", "1"], ["show"], ["show", "x"], ["show", "1", "2"], ["show", "0"],
    ["retry", "-1"], ["retry", "every"], ["export", "x"],
])
def test_wrong_usage(words, tmp_path):
    result = run_program("hooksctl", "deadletter", *words, options={"DATA_DIR": tmp_path})
    assert result.returncode == 64
    assert result.stdout == "" and "hooksctl deadletter" in result.stderr


def test_deadletter_reads_the_file_without_a_database(tmp_path):
    options = {"DATA_DIR": tmp_path}
    result = run_program("hooksctl", "deadletter", "list", options=options)
    assert (result.returncode, result.stdout) == (0, "no dead letters\n")
    assert "dead-letters.jsonl only" in result.stderr
    result = run_program("hooksctl", "deadletter", "retry", options=options)
    assert result.returncode == 64
    assert "DATABASE_URL" in result.stderr


def test_deadletter_help_lists_the_actions():
    result = run_program("hooksctl", "deadletter", "--help")
    assert result.returncode == 0
    for word in ("list", "show ID", "retry [ID|all]", "export", "Exit codes"):
        assert word in result.stdout


def test_a_refused_event_in_every_batch_does_not_flood_the_log(database, hooksd):
    daemon = hooksd(database, WRITERS=1)
    stumbling(database)
    for number in range(0, 200, 2):
        post(daemon, [text_of(number), text_of(number + 1, session="bad")])
    assert len(letters(database)) == 100
    lines = re.findall(r"PostgreSQL refused events.* events=(\d+)", daemon.log())
    assert 1 <= len(lines) < 50, "far fewer lines than batches"
    assert sum(map(int, lines)) <= 100
