"""POST /v1/admin/compact removes old rows at once, on any node, and keeps the others. Over both stores."""

import sqlite3
from contextlib import closing

import pytest

from harness.daemon import run_program
from harness.deliveries import Endpoints
from harness.nodes import frozen
from harness.rows import Rows, now_ms
from harness.waiting import wait_until
from harness.webhooks import STORES
from test_retention import DAY, ids, make_month_of

COMPACT = "/v1/admin/compact"
SMALL = {"STORAGE_TYPE": "jsonl", "ACCEPTORS": 1, "WRITERS": 1, "HL_PUBLISHERS": 1, "HL_COURIERS": 1}


def last_run(hookline):
    return hookline.admin.get("/v1/admin/stats").json["compaction"]


def wait_run(hookline, before=None):
    """Waits until a run after `before` has ended. Returns its figures."""
    wait_until(lambda: last_run(hookline)["last_run_at"] not in (None, before and before["last_run_at"]), "a run to end", 30)
    return last_run(hookline)


@pytest.mark.parametrize("store", STORES)
def test_old_rows_are_removed_at_once_and_no_others(make_hookline, receiver, store):
    hookline = make_hookline(store, **SMALL).start()
    tenant = hookline.new_tenant()
    rows = Rows(hookline, tenant)
    endpoint = Endpoints(tenant, receiver).add("/in", enabled=False)["id"]
    first = wait_run(hookline)
    old, expired = now_ms() - 100 * DAY, now_ms() - 2 * DAY
    make_month_of(hookline, old)
    gone = rows.event(at_ms=old)
    rows.attempt(endpoint, gone, at_ms=old)
    young = rows.event(payload={"n": 1})
    waits = rows.job(endpoint, young, status="held", expires_at=None)
    letter = rows.dead_letter(endpoint)
    reply = tenant.client.post("/v1/events", {"topic": "orders.made", "idempotency_key": "old", "payload": 1})
    assert reply.status == 201
    hookline.query("UPDATE idempotency_keys SET created_at = " + (f"{expired}" if store == "embedded" else f"hl_time({expired})")
                   + " WHERE tenant_id = :id", id=tenant.id)

    reply = hookline.admin.post(COMPACT)
    assert (reply.status, reply.json["ok"]) == (202, True) and reply.json["message"]
    told = wait_run(hookline, first)
    assert told["segments_deleted"] == 0 and told["duration_ms"] >= 0 and told["last_run_at"] > first["last_run_at"]
    assert gone not in ids(hookline, "events", "event_id", tenant)
    assert ids(hookline, "attempts", "attempt_id", tenant) == set()
    wait_until(lambda: ids(hookline, "idempotency_keys", "key", tenant) == set(), "the old key to go", 10)
    assert tenant.client.get(f"/v1/events/{young}").status == 200
    assert tenant.client.get(f"/v1/endpoints/{endpoint}").status == 200
    assert len(tenant.client.items("/v1/subscriptions")) == 1
    assert waits in ids(hookline, "jobs", "job_id", tenant)
    assert tenant.client.get(f"/v1/dlq/{letter}").status == 200
    audited = hookline.admin.get("/v1/admin/audit?action=store.compact").json["items"]
    assert [entry["object_kind"] for entry in audited] == ["installation"]


def test_the_embedded_store_returns_its_free_pages(make_hookline):
    hookline = make_hookline("embedded", **SMALL).start()
    first = wait_run(hookline)
    hookline.daemon.stop()
    with closing(sqlite3.connect(hookline.data_path, isolation_level=None)) as database:
        database.execute("CREATE TABLE filled AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)"
                         " SELECT randomblob(4000) FROM n")
        database.execute("DROP TABLE filled")
    hookline.start()
    before = hookline.value("PRAGMA freelist_count")
    assert before > 5000
    assert hookline.admin.post(COMPACT, {}).status == 202
    wait_run(hookline, first)
    assert hookline.value("PRAGMA freelist_count") <= 2560 + 1000


@pytest.mark.wanted_by("SLOW_TESTS")
def test_hooksctl_requests_a_run_and_every_node_shows_its_figures(start_nodes):
    one, other = start_nodes(2)
    before = wait_run(one)
    options = {"HL_URL": f"http://127.0.0.1:{one.daemon.port}", "HL_ADMIN_KEY": one.admin.key}
    for words in (["admin", "compact"], ["store", "compact"]):
        run = run_program("hooksctl", *words, options=options)
        assert (run.returncode, run.stderr) == (0, "") and "what is old is removed now" in run.stdout, run
        before = wait_run(other, before)
        assert last_run(one) == before


@pytest.mark.wanted_by("SLOW_TESTS")
def test_another_node_makes_the_run_that_a_hanging_node_was_asked_for(start_nodes):
    one, other = start_nodes(2)
    before = wait_run(other)
    with frozen(one.daemon):
        other.query("UPDATE upkeep SET ran_at = NULL WHERE task = 'retention'")  # as the request does
        wait_run(other, before)


def test_a_tenants_key_removes_old_rows_of_that_tenant_only(make_hookline, receiver):
    hookline = make_hookline("embedded", **SMALL).start()
    tenant, other = hookline.new_tenant(), hookline.new_tenant()
    first = wait_run(hookline)
    old = now_ms() - 100 * DAY
    for one in (other, tenant):
        rows = Rows(hookline, one)
        endpoint = Endpoints(one, receiver).add("/in", enabled=False)["id"]
        rows.attempt(endpoint, rows.event(at_ms=old), at_ms=old)
    young, waits = rows.event(), rows.event(at_ms=old)
    rows.job(endpoint, waits, status="held", expires_at=None)
    reply = tenant.client.post(COMPACT)
    assert (reply.status, reply.json["ok"]) == (202, True)
    assert ids(hookline, "events", "event_id", tenant) == {young, waits}
    assert ids(hookline, "attempts", "attempt_id", tenant) == set()
    assert len(ids(hookline, "events", "event_id", other)) == len(ids(hookline, "attempts", "attempt_id", other)) == 1
    assert hookline.query("SELECT 1 FROM upkeep WHERE task = 'retention' AND ran_at IS NULL") == []
    assert last_run(hookline) == first
    audited = tenant.client.get("/v1/admin/audit?action=store.compact").json["items"]
    assert [(entry["object_kind"], entry["object_id"]) for entry in audited] == [("tenant", tenant.id)]
    assert hookline.admin.post(f"{COMPACT}?tenant_id={other.id}").status == 202
    assert ids(hookline, "events", "event_id", other) == set()
    assert tenant.client.post(f"{COMPACT}?tenant_id={tenant.id}x").status == 404
    assert hookline.admin.post(f"{COMPACT}?tenant_id={tenant.id}x").status == 404
    assert hookline.query("SELECT 1 FROM audit_log WHERE tenant_id = :id", id=f"{tenant.id}x") == []
    assert tenant.key(["events.publish"]).post(COMPACT).status == 403
    assert tenant.client.post(COMPACT, {"what": "all"}).status == 400


@pytest.mark.wanted_by("SLOW_TESTS")
def test_a_replay_does_not_wait_until_many_old_rows_are_removed(make_hookline, receiver):
    hookline = make_hookline("embedded", **SMALL).start()
    tenant = hookline.new_tenant()
    Endpoints(tenant, receiver).add("/in", enabled=False)
    assert tenant.client.post("/v1/events", {"topic": "orders.made", "payload": 1}).status == 201
    wait_run(hookline)
    hookline.query("INSERT INTO idempotency_keys WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
                   " SELECT :id, 'events', i, '', '', 0 FROM n", id=tenant.id)

    def left():
        return hookline.value("SELECT count(*) FROM idempotency_keys")

    assert hookline.admin.post(COMPACT).status == 202
    wait_until(lambda: left() < 300000, "the removal to begin", 20)
    replay = tenant.client.post("/v1/replay", {"topic": "#", "limit": 1000}).json
    wait_until(lambda: tenant.client.get(f"/v1/replay/{replay['id']}").json["status"] == "done", "the replay to be done", 20)
    assert left() > 0
    wait_until(lambda: left() == 0, "all of them to go", 60)
