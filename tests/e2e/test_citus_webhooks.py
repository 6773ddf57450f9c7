"""
Webhooks on Citus: the distributed tables, with functions of Citus' names (citus_stand_in.sql), and published events
through a proxy that answers as Citus (harness/citus_wire.py).
"""

import json
import re
import subprocess

import psycopg
import pytest

from harness.citus import LOOKS_DISTRIBUTED, STAND_IN
from harness.citus_wire import CitusProxy
from harness.daemon import BUILD_DIR, clean_environment
from harness.dba import Month
from harness.waiting import wait_until
from harness.webhooks import clean_up, make_hookline as new_hookline
from test_citus import calls, distribute
# Tests of the other stores that also run here, with the fixture hookline of this file.
from test_publish import test_a_batch_with_a_key_can_be_repeated  # noqa: F401
from test_publisher import publish, subscribe
from test_replay import test_a_replayed_event_is_sent_at_once_with_a_new_webhook_id  # noqa: F401
from test_requeue import test_a_requeued_letter_is_delivered_by_a_new_schedule  # noqa: F401
from test_requeue import test_a_requeued_job_that_dies_again_is_one_letter_with_its_event  # noqa: F401

pytestmark = pytest.mark.plain_postgres("brings a stand-in for Citus")


# hooks_distribute


@pytest.fixture
def store(all_tables):
    """A database with all tables and the stand-in, without distributed tables."""
    assert all_tables.psql("-f", STAND_IN).returncode == 0
    return all_tables


def made(database):
    return [call for call in calls(database) if call.startswith("create_") and "function" not in call]


def test_every_table_is_distributed_and_a_tenants_tables_are_colocated(store):
    tenanted = {row[0] for row in store.query(
        "SELECT relname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'tenant_id'"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition")}
    told = dict(distribute(store))
    together = {name for name, outcome in told.items() if outcome == "distributed now"}
    assert {"jobs", "events", "attempts", "endpoints", "dlq"} < together < tenanted
    assert {name for name, outcome in told.items() if outcome == "a reference table now"} == {
        "hooks_schema_migrations", "hookline_schema_migrations", "tenants", "api_keys", "routing_versions", "changes", "pauses", "upkeep",
        "delivery_nodes", "store_identity", "inbox_keys"}
    assert store.query("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
                       " AND NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = pg_class.oid)") == [
                           ("hook_event_log",)]  # stays local: with distributed tables hooksd does not write it
    assert store.query("SELECT DISTINCT colocationid FROM pg_dist_partition WHERE logicalrelid = ANY (%s::regclass[])", list(together)) == [
        store.query("SELECT colocationid FROM pg_dist_partition WHERE logicalrelid = 'jobs'::regclass")[0]]
    assert "create_reference_table changes" in (asked := calls(store))
    assert "create_distributed_table jobs by tenant_id with none, 4 shards, 0 rows" in asked
    assert "create_distributed_table events by tenant_id with jobs, 4 shards, 0 rows" in asked
    functions = {row[0] for row in store.query("SELECT oid::regprocedure::text FROM pg_proc WHERE proname ~ '^(hooks|hl)_'")}
    assert functions <= {call.removeprefix("create_distributed_function ") for call in asked}

    assert {outcome for name, outcome in distribute(store) if name in told and "functions" not in name and name != "hook_events"} == {"exists"}
    assert made(store) == []


def test_a_month_of_events_is_colocated_with_its_parent(store):
    distribute(store, "6")
    month = Month(9)
    calls(store)
    for parent in ("events", "attempts"):
        name = store.value(f"SELECT create_monthly_partition('{parent}', {month.args})")
        assert made(store) == [f"create_distributed_table {name} by tenant_id with {parent}, 6 shards, 0 rows"]


@pytest.mark.parametrize("statement, told, undo", [
    ("CREATE UNIQUE INDEX of_a_dba ON endpoints (url)", "the unique index of_a_dba of endpoints lacks tenant_id", "DROP INDEX of_a_dba"),
    ("CREATE TRIGGER of_a_dba BEFORE INSERT ON attempts_default FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
     "the table attempts_default has the trigger of_a_dba", "DROP TRIGGER of_a_dba ON attempts_default"),
    ("CREATE TABLE notes (job_id uuid, tenant_id text, FOREIGN KEY (tenant_id, job_id) REFERENCES dlq (tenant_id, job_id))",
     "the foreign key notes_tenant_id_job_id_fkey of notes", "DROP TABLE notes"),
])
def test_objects_that_citus_forbids_are_named_and_nothing_is_distributed(store, statement, told, undo):
    store.query(statement)
    with pytest.raises(psycopg.Error) as caught:
        distribute(store)
    assert caught.value.diag.sqlstate == "0A000" and told in caught.value.diag.message_primary
    assert caught.value.diag.message_hint
    # hooks_distribute() checks this before it does anything.
    with pytest.raises(psycopg.Error, match=re.escape(told)):
        distribute(store, "0")
    assert store.value("SELECT count(*) FROM pg_dist_partition") == 0
    store.query(undo)
    assert dict(distribute(store))["endpoints"] == "distributed now"


def test_a_table_that_is_distributed_in_another_way_is_named(store):
    store.query("SELECT create_distributed_table('endpoints', 'tenant_id', shard_count => 3)")
    with pytest.raises(psycopg.Error, match="the table endpoints is distributed in another way than jobs") as caught:
        distribute(store)
    assert caught.value.diag.message_hint.endswith("SELECT undistribute_table('endpoints'), then call this again.")


# Statements


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.parametrize("program", [
    "test_sink_publish", "test_job_outcomes", "test_job_rows", "test_outcome_writer", "test_retention", "test_router", "test_follower",
    "test_removal", "test_event_rows", "test_runs", "test_db_bulk", "test_endpoint_disabling", "test_lists",
    "test_tenant_stats", "test_store_thread"])
def test_the_statements_for_citus_behave_like_those_for_postgresql(all_tables, program):
    """All tables exist at the start, because a program's first connection finds out whether they are distributed."""
    all_tables.query(LOOKS_DISTRIBUTED)
    assert all_tables.value("SELECT count(*) FROM pg_dist_partition WHERE logicalrelid = to_regclass('jobs')") == 1
    run = subprocess.run(
        [BUILD_DIR / "tests/unit" / program], env=clean_environment({"HOOKS_TEST_POSTGRES_URL": all_tables.url}),
        capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr


# Published events


@pytest.fixture(scope="module")
def cluster(postgres_server, webhooks_template, tmp_path_factory):
    """A database that looks like Citus, and a daemon that reaches it through the proxy of harness/citus_wire.py."""
    postgres_server.start()
    database = postgres_server.new_database(webhooks_template)
    database.query(LOOKS_DISTRIBUTED)
    with CitusProxy(postgres_server.port) as proxy:
        hookline = new_hookline(tmp_path_factory.mktemp("citus"), "postgres", database, HL_POSTGRES_URL=proxy.url(database))
        yield hookline.start()
        clean_up([hookline])
    database.drop()


@pytest.fixture
def hookline(cluster):
    return cluster


@pytest.fixture
def client(hookline):
    client = hookline.new_tenant().client
    wait_until(lambda: client.post("/v1/events", {}).status == 400, "a publisher that takes events", 20)
    return client


NO_ROOM = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.tenant_id = '%s' THEN
		RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
	END IF;
	RETURN NEW;
END
$$;
CREATE TRIGGER no_room BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION no_room()
"""


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.parametrize("table", ["events", "jobs"])
def test_events_wait_while_a_worker_has_no_room_and_are_no_dead_letters(hookline, table):
    """Citus' error looks like that of a refused row. Other tenants' events are stored at the same time."""
    tenant, other = hookline.new_tenant(), hookline.new_tenant()
    subscribe(tenant.client)
    wait_until(lambda: publish(tenant.client).status == publish(other.client).status == 201, "answers from the store", 20)
    topic = f"full.{table}"
    hookline.database.query(NO_ROOM % (tenant.id, table))
    wait_until(lambda: publish(tenant.client, topic).status == 202, "the spool", 20)
    letters = hookline.daemon.hooksctl("deadletter", "list").stdout
    hookline.database.query("DROP FUNCTION no_room CASCADE")
    wait_until(lambda: hookline.value("SELECT count(*) FROM jobs JOIN events USING (event_id) WHERE topic = :topic", topic=topic) > 0,
               "the spooled events and their jobs", 30)
    assert topic not in letters + hookline.daemon.hooksctl("deadletter", "list").stdout
    wait_until(lambda: publish(tenant.client).status == 201, "answers from the store", 20)


def test_an_event_that_the_store_refuses_becomes_a_dead_letter_with_the_reason(hookline):
    tenant = hookline.new_tenant()
    wait_until(lambda: publish(tenant.client).status == 201, "answers from the store", 20)
    hookline.database.query("ALTER TABLE events ADD CONSTRAINT no_bad CHECK (topic <> 'bad.one')")
    assert publish(tenant.client, "bad.one").status >= 400
    hookline.database.query("ALTER TABLE events DROP CONSTRAINT no_bad")
    letter, = [letter for letter in map(json.loads, hookline.daemon.hooksctl("deadletter", "export").stdout.splitlines())
               if letter.get("topic") == "bad.one"]
    shown = hookline.daemon.hooksctl("deadletter", "show", letter["event_id"]).stdout
    assert "23514" in shown and "no_bad" in shown
