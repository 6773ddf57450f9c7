"""
A table that a DBA has changed: a fault of the table does not count as a fault of a row. No event becomes a dead letter
if it can be stored after a repair of the table, and no request gets "stored" before that.
"""

import json
import uuid

import pytest

from harness.dba import apply_roles, apply_schema, url_as
from harness.events import minimal, now, timestamp_text
from harness.metrics import metrics
from harness.waiting import wait_until

SPOOLS_AT_ONCE = {"SPOOL_AFTER_MS": 0, "WRITERS": 1}


def event(session="s", **fields):
    return minimal(event_id=str(uuid.uuid4()), session_id=session, timestamp=timestamp_text(now()), **fields)


def post(daemon, sessions, ack="stored"):
    reply = daemon.post_batch([event(session) for session in sessions])
    assert (reply.status, reply.headers["X-Hooks-Ack"]) == (202, ack), reply


def stored(database):
    return "".join(sorted(session for session, in database.query("SELECT session_id FROM hook_events")))


def letters(database):
    return database.query("SELECT session_id, sqlstate FROM hook_events_dead_letters ORDER BY id")


def away_until(daemon, database, mend, words):
    """
    The store is unavailable for that reason. After the repair all spooled events are stored, without dead letters.
    """
    daemon.wait_for_log(f"the store is unavailable .*{words}")
    for statement in mend.split("; "):
        database.query(statement)
    daemon.wait_spool_empty()
    assert letters(database) == []


# Readiness


@pytest.mark.parametrize("broken,words", [
    ("ALTER TABLE hook_events RENAME TO elsewhere", "hook_events.*does not exist"),
    ("ALTER TABLE hook_events RENAME COLUMN phase_id TO stage", "phase_id.*does not exist"),
    ("ALTER TABLE hook_events RENAME TO e; CREATE VIEW hook_events AS SELECT 1 AS one", "hook_events"),
    ("ALTER TABLE hook_events DROP CONSTRAINT hook_events_pkey", "ON CONFLICT specification.*42P10"),
])
def test_the_service_is_not_ready_with_a_table_that_refuses_every_row(database, hooksd, broken, words):
    hooksd(database).stop()
    for statement in broken.split("; "):
        database.query(statement)
    daemon = hooksd(database, store_ready=False)
    daemon.wait_for_log(f"the store is unavailable .*{words}")
    assert daemon.get("/readyz").status == 503
    assert daemon.get("/health").json()["status"] == "degraded"
    assert daemon.post_event(minimal()).status == 503


def test_the_service_is_not_ready_with_a_role_that_may_only_insert(database, hooksd):
    """A duplicate needs SELECT, and would block all other events."""
    apply_roles(database)
    apply_schema(database)
    apply_roles(database)
    database.query("REVOKE SELECT ON hook_events FROM hooks_writer")
    daemon = hooksd(store_ready=False, DATABASE_URL=url_as(database, "hooks_writer"))
    daemon.wait_for_log("the store is unavailable .*permission denied for table hook_events")
    assert daemon.get("/readyz").status == 503
    database.query("GRANT SELECT ON hook_events TO hooks_writer")
    daemon.wait_store_ready()


def test_a_view_in_place_of_the_table_stores_rows(database, hooksd):
    hooksd(database).stop()
    database.query("ALTER TABLE hook_events RENAME TO elsewhere")
    database.query("CREATE VIEW hook_events AS SELECT * FROM elsewhere WHERE session_id <> 'x' WITH CHECK OPTION")
    daemon = hooksd(database, WRITERS=1)
    again = [event("a")]
    for _ in range(2):
        assert daemon.post_batch(again).headers["X-Hooks-Ack"] == "stored"
    post(daemon, "bxc")
    assert stored(database) == "abc"
    assert letters(database) == [("x", "44000")]


def test_events_are_kept_while_the_table_is_renamed(database, hooksd):
    daemon = hooksd(database, **SPOOLS_AT_ONCE)
    post(daemon, "a")
    database.query("ALTER TABLE hook_events RENAME TO elsewhere")
    post(daemon, "bc", "spooled")
    away_until(daemon, database, "ALTER TABLE elsewhere RENAME TO hook_events", "does not exist")
    assert stored(database) == "abc"


# Row-level security


@pytest.fixture
def secured(database):
    """Enables row-level security. Returns the URL of a role that it binds."""
    apply_roles(database)
    apply_schema(database)
    apply_roles(database)
    for table in ("hook_events", "hook_events_dead_letters"):
        database.query(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    database.query("CREATE POLICY letters ON hook_events_dead_letters FOR INSERT TO hooks_writer WITH CHECK (true)")
    return url_as(database, "hooks_writer")


def policies(database, insert="true"):
    database.query(f"CREATE POLICY i ON hook_events FOR INSERT TO hooks_writer WITH CHECK ({insert})")
    database.query("CREATE POLICY s ON hook_events FOR SELECT TO hooks_writer USING (true)")


def test_rows_are_stored_by_insert_when_row_level_security_forbids_copy(database, secured, hooksd):
    policies(database)
    daemon = hooksd(DATABASE_URL=secured, WRITERS=1)
    post(daemon, "aab")
    again = [event("c")]
    for _ in range(2):
        assert daemon.post_batch(again).status == 202
    poison = json.dumps([event("p", data={}), event("d")]).replace('"data": {}', '"data": {"x": 1e200000}')
    assert daemon.post_batch(poison).status == 202
    assert stored(database) == "aabcd"
    assert letters(database) == [("p", "22003")]
    numbers = metrics(daemon)
    assert (numbers["events_stored_total"], numbers["events_duplicate_total"], numbers["storage_errors_total"]) == (5, 1, 0)


def test_one_policy_for_all_commands_is_enough(database, secured, hooksd):
    database.query("CREATE POLICY hooks ON hook_events TO hooks_writer USING (true)")
    daemon = hooksd(DATABASE_URL=secured)
    post(daemon, "a")
    assert stored(database) == "a"


def test_events_are_stored_after_row_level_security_is_enabled_at_run_time(database, secured, hooksd):
    policies(database)
    database.query("ALTER TABLE hook_events DISABLE ROW LEVEL SECURITY")
    daemon = hooksd(DATABASE_URL=secured, WRITERS=1)
    post(daemon, "a")
    database.query("ALTER TABLE hook_events ENABLE ROW LEVEL SECURITY")
    post(daemon, "bc")
    post(daemon, "d")
    assert stored(database) == "abcd"
    assert metrics(daemon)["storage_errors_total"] == 0


def test_the_service_is_not_ready_without_a_policy_and_names_it(database, secured, hooksd):
    daemon = hooksd(store_ready=False, DATABASE_URL=secured)
    daemon.wait_for_log("the store is unavailable .*row-level security of hook_events refuses every row.*BYPASSRLS")
    assert daemon.get("/readyz").status == 503
    policies(database)
    daemon.wait_store_ready()
    post(daemon, "a")


def test_a_policy_that_refuses_every_row_makes_no_dead_letters(database, secured, hooksd):
    policies(database, insert="tenant_id = current_setting('app.tenant', true)")
    daemon = hooksd(DATABASE_URL=secured, **SPOOLS_AT_ONCE)
    post(daemon, "abc", "spooled")
    away_until(daemon, database, "ALTER POLICY i ON hook_events WITH CHECK (true)",
               "PostgreSQL refuses every event: .*row-level security.*BYPASSRLS")
    assert stored(database) == "abc"


def test_a_policy_that_refuses_some_rows_costs_only_these(database, secured, hooksd):
    policies(database, insert="session_id <> 'x'")
    daemon = hooksd(DATABASE_URL=secured, WRITERS=1)
    post(daemon, "xaxbx")
    assert stored(database) == "ab"
    assert letters(database) == [("x", "42501")] * 3


def test_a_schema_version_hidden_by_row_level_security_is_logged(database, secured, hooksd):
    policies(database)
    database.query("ALTER TABLE hooks_schema_migrations ENABLE ROW LEVEL SECURITY")
    daemon = hooksd(store_ready=False, DATABASE_URL=secured)
    daemon.wait_for_log("the store is unavailable .*hooks_schema_migrations shows no version to this role.*row-level security")


# Every row is refused


BROKEN_TRIGGER = """
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF NEW.session_id LIKE '{sessions}' THEN INSERT INTO audits VALUES (NEW.event_id); END IF; RETURN NEW; END $$"""


def with_trigger(database, sessions="%"):
    database.query(BROKEN_TRIGGER.format(sessions=sessions))
    database.query("CREATE TRIGGER audit BEFORE INSERT ON hook_events FOR EACH ROW EXECUTE FUNCTION audit()")


@pytest.mark.parametrize("count", [1, 2, 100])
def test_a_trigger_that_fails_for_every_row_makes_no_dead_letters(database, hooksd, count):
    daemon = hooksd(database, **SPOOLS_AT_ONCE)
    post(daemon, "a")
    with_trigger(database)
    post(daemon, "b" * count, "spooled")
    away_until(daemon, database, "CREATE TABLE audits (id uuid)", "PostgreSQL refuses every event: .*audits.*42P01")
    assert stored(database) == "a" + "b" * count


def test_a_trigger_that_fails_for_some_rows_costs_only_these(database, hooksd):
    daemon = hooksd(database, WRITERS=1)
    with_trigger(database, sessions="x")
    post(daemon, "x" * 10 + "a" + "x" * 30)
    assert stored(database) == "a"
    assert letters(database) == [("x", "42P01")] * 40
    assert metrics(daemon)["storage_errors_total"] == 0


def test_a_row_whose_trigger_fails_waits_until_others_are_stored(database, hooksd):
    """
    A single refused row may mean that every row is refused, so it waits in the spool, blocks no other, and becomes a
    dead letter when another row was stored.
    """
    daemon = hooksd(database, **SPOOLS_AT_ONCE)
    with_trigger(database, sessions="x")
    post(daemon, "xx", "spooled")
    daemon.wait_for_log("PostgreSQL refuses every event")

    def good():
        reply = daemon.post_batch([event("g")])
        assert reply.status == 202
        return letters(database)

    wait_until(good, "the letters")
    daemon.wait_spool_empty()
    assert letters(database) == [("x", "42P01")] * 2
    assert set(stored(database)) == {"g"}


def test_a_foreign_not_null_column_makes_no_dead_letters(database, hooksd):
    daemon = hooksd(database, **SPOOLS_AT_ONCE)
    post(daemon, "a")
    database.query("ALTER TABLE hook_events ADD COLUMN region text NOT NULL DEFAULT 'here'")
    post(daemon, "b")
    database.query("ALTER TABLE hook_events ALTER COLUMN region DROP DEFAULT")
    post(daemon, "cd", "spooled")
    away_until(daemon, database, "ALTER TABLE hook_events ALTER COLUMN region SET DEFAULT 'there'",
               "PostgreSQL refuses every event: .*region.*23502")
    assert stored(database) == "abcd"


def test_a_not_null_constraint_on_hooksds_column_makes_dead_letters(database, hooksd):
    daemon = hooksd(database, WRITERS=1)
    database.query("ALTER TABLE hook_events ALTER COLUMN workflow_id SET NOT NULL")
    assert daemon.post_batch([event("a"), event("b", workflow_id="w")]).status == 202
    post(daemon, "c")
    assert stored(database) == "b"
    assert letters(database) == [("a", "23502"), ("c", "23502")]


def test_a_batch_that_a_check_refuses_whole_becomes_dead_letters(database, hooksd):
    daemon = hooksd(database, WRITERS=1)
    database.query("ALTER TABLE hook_events ADD CONSTRAINT closed CHECK (session_id = 'a')")
    post(daemon, "ab")
    assert "every event" not in daemon.log()
    post(daemon, "bcd")
    daemon.wait_for_log("error .*PostgreSQL refused every event of a batch for the same reason.*events=3 .*closed.*23514")
    assert [session for session, _ in letters(database)] == ["b", "b", "c", "d"]


def test_events_wait_while_a_subpartitioned_month_has_no_partition_for_them(database, hooksd):
    daemon = hooksd(database, **SPOOLS_AT_ONCE)
    post(daemon, "a")
    this_month = f"hook_events_{now():%Y_%m}"
    bounds = database.value("SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = %s::regclass", this_month)
    database.query(f"DROP TABLE {this_month}")
    database.query(f"CREATE TABLE {this_month} PARTITION OF hook_events {bounds} PARTITION BY RANGE (created_date)")
    post(daemon, "bc", "spooled")
    away_until(daemon, database, f"CREATE TABLE weeks PARTITION OF {this_month} DEFAULT",
               "PostgreSQL refuses every event: no partition of relation")
    assert stored(database) == "bc"


# The log shows no values of rows


@pytest.mark.parametrize("ddl", [
    "ALTER TABLE hook_events ADD CHECK ((data->>'n')::int > 0)",
    "ALTER TABLE hook_events ADD CHECK (data->>'n' <> 'a secret')",
    "CREATE UNIQUE INDEX ON hook_events ((data->>'n'), created_date)",
])
def test_the_log_shows_no_value_of_a_refused_row(database, hooksd, ddl):
    daemon = hooksd(database, WRITERS=1)
    database.query(ddl)
    assert daemon.post_batch([event("a", data={"n": "a secret"}), event("b", data={"n": "a secret"})]).status == 202
    daemon.wait_for_log("they are in the dead letters")
    assert "secret" not in daemon.log()
    assert database.value("SELECT bool_or(message LIKE '%secret%') FROM hook_events_dead_letters") is False
