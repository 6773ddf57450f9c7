"""Tenants in the API: created, shown, changed, and deleted with all their rows, also if the deletion is interrupted."""

import json
import os
import signal
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.waiting import wait_until
from harness.webhooks import STORES

WRONG_BODIES = [
    ('{"name": "a",}', "invalid_json", "byte 14 (line 1, column 14)"),
    ("[]", "validation_error", "must be a JSON object"),
    ('{"id": 5}', "validation_error", "id: must be a string"),
    ('{"id": ""}', "validation_error", "id: "),
    ('{"id": "a b"}', "validation_error", "id: "),
    ('{"id": "a/b"}', "validation_error", "id: "),
    ('{"id": ".."}', "validation_error", "id: "),
    (json.dumps({"id": "x" * 65}), "validation_error", "id: must have 1 to 64 characters, and has 65"),
    ('{"id": "\\u0000"}', "validation_error", "id: holds \\u0000"),
    (b'{"name": "\xff"}', "invalid_json", "invalid UTF-8"),
    ('{"name": ""}', "validation_error", "name: "),
    ('{"name": "a\\nb"}', "validation_error", "name: holds the control character U+000A"),
    (json.dumps({"name": "é" * 256}), "validation_error", "name: must have 1 to 255 characters, and has 256"),
    ('{"metadata": []}', "validation_error", "metadata: must be an object"),
]


def new_id():
    return f"t-{uuid.uuid4().hex[:12]}"


def is_refused(reply, status, code, detail=""):
    assert (reply.status, reply.json["error"]) == (status, code), reply
    assert detail in reply.json["detail"], reply
    assert reply.json["message"] == reply.json["detail"]


def count(hookline):
    return hookline.admin.get("/v1/tenants?limit=1").json["total"]


def test_a_new_tenant_gets_a_working_key_that_is_shown_once(hookline):
    name = new_id()
    made = hookline.admin.post("/v1/tenants", {"id": name, "name": "Acmé", "metadata": {"n": 1234567890123456789}})
    assert made.status == 201
    shown = dict(made.json)
    key = shown.pop("api_key")
    assert (shown["id"], shown["tenant_id"], shown["name"], shown["status"]) == (name, name, "Acmé", "active")
    assert (shown["api_key_count"], shown["created_at"]) == (1, shown["updated_at"])
    assert b'"metadata":{"n":1234567890123456789}' in made.body, "numbers keep their spelling"
    again = hookline.admin.get(f"/v1/tenants/{name}")
    assert again.json == shown
    assert key.encode() not in again.body
    headers = {"Authorization": f"Bearer {key}"}
    audit = hookline.keyless.get("/v1/admin/audit", headers=headers)
    assert (audit.status, audit.headers["X-Tenant-Id"]) == (200, name)
    assert hookline.keyless.get("/v1/tenants", headers=headers).status == 403


def test_an_empty_body_creates_a_tenant_with_a_uuid(hookline):
    made = hookline.admin.post("/v1/tenants").json
    assert uuid.UUID(made["id"]).version == 7
    assert made["name"] == made["id"]
    assert made["metadata"] is None


@pytest.mark.parametrize(("body", "code", "detail"), WRONG_BODIES)
def test_a_wrong_body_creates_and_changes_no_tenant(hookline, body, code, detail):
    tenant = hookline.new_tenant()
    before, rows = count(hookline), hookline.rows_of(tenant.id)
    is_refused(hookline.admin.post("/v1/tenants", body), 400, code, detail)
    assert count(hookline) == before
    if '"id"' not in str(body):
        is_refused(hookline.admin.patch(f"/v1/tenants/{tenant.id}", body), 400, code, detail)
    assert hookline.rows_of(tenant.id) == rows


def test_one_of_many_requests_at_once_gets_an_id(hookline):
    name = new_id()
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: hookline.admin.post("/v1/tenants", {"id": name}), range(8)))
    assert sorted(reply.status for reply in replies) == [201] + [409] * 7
    is_refused(next(reply for reply in replies if reply.status == 409), 409, "conflict")
    assert len(hookline.rows_of(name)["api_keys"]) == 1


def test_a_repetition_with_its_idempotency_key_creates_nothing_and_shows_no_key(hookline):
    key, before = {"Idempotency-Key": uuid.uuid4().hex}, count(hookline)
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: hookline.admin.post("/v1/tenants", {"name": "once"}, headers=key), range(8)))
    assert sorted(reply.status for reply in replies) == [200] * 7 + [201]
    assert len({reply.json["id"] for reply in replies}) == 1
    assert sum("api_key" in reply.json for reply in replies) == 1
    assert count(hookline) == before + 1
    is_refused(hookline.admin.post("/v1/tenants", {"name": "other"}, headers=key), 409, "idempotency_conflict")
    is_refused(hookline.admin.post("/v1/tenants", headers={"Idempotency-Key": "x" * 256}), 400, "validation_error")
    assert count(hookline) == before + 1


def test_a_change_affects_only_the_named_members(hookline):
    name = new_id()
    made = hookline.admin.post("/v1/tenants", {"id": name, "name": "old", "metadata": {"a": 1}}).json
    changed = hookline.admin.patch(f"/v1/tenants/{name}", {"name": "new"})
    assert changed.status == 200
    assert (changed.json["name"], changed.json["metadata"]) == ("new", {"a": 1})
    assert changed.json["updated_at"] >= made["updated_at"]
    changed = hookline.admin.patch(f"/v1/tenants/{name}", {"name": None, "metadata": None, "id": "other"})
    assert (changed.json["id"], changed.json["name"], changed.json["metadata"]) == (name, name, None)
    assert hookline.admin.patch(f"/v1/tenants/{name}").json == hookline.admin.get(f"/v1/tenants/{name}").json


@pytest.mark.parametrize("name", ["nobody", "%00", "%FF", "a%20b", "x" * 300, "%2e%2e", "'--"])
def test_an_unknown_tenant_is_404(hookline, name):
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/stats"), ("GET", "/api-keys"),
                         ("POST", "/api-keys")):
        reply = hookline.admin.request(method, f"/v1/tenants/{name}{path}")
        assert reply.status in (400, 404), reply
        assert reply.json["error"] in ("not_found", "bad_request", "validation_error"), reply


def test_pages_of_the_list_show_each_tenant_once(hookline):
    prefix = new_id()
    names = [f"{prefix}-{n}" for n in range(5)]
    for name in names:
        assert hookline.admin.post("/v1/tenants", {"id": name}).status == 201
    page = hookline.admin.get("/v1/tenants?limit=2").json
    assert page["tenants"] == page["items"]
    assert page["cursor"] == page["next_cursor"]
    assert (page["count"], page["total"]) == (2, count(hookline))
    for order in ("asc", "desc"):
        items = hookline.admin.items(f"/v1/tenants?limit=2&order={order}")
        assert len(items) == len({item["id"] for item in items}) == count(hookline)
        mine = [item["id"] for item in items if item["id"].startswith(prefix)]
        assert mine == sorted(names, reverse=order == "desc")


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=ten", "limit=1&limit=2", "order=up", "cursor=x",
                                   "cursor=***", "cursor=dGQw", "cursor=a2Ew", "limit=%FF"])
def test_a_wrong_query_is_refused_with_the_parameters_name(hookline, query):
    is_refused(hookline.admin.get(f"/v1/tenants?{query}"), 400, "validation_error", query.split("=")[0])


def test_an_empty_value_of_the_query_counts_as_absent(hookline):
    assert hookline.admin.get("/v1/tenants?limit=&cursor=&order=").status == 200


def test_stats_count_a_tenants_objects(hookline):
    tenant = hookline.new_tenant()
    tenant.key()
    endpoint = tenant.client.post("/v1/endpoints", {"url": "https://receiver.example/"}).json
    for topic in ("a", "b"):
        body = {"endpoint_id": endpoint["id"], "topic_pattern": topic}
        assert tenant.client.post("/v1/subscriptions", body).status == 201
    stats = hookline.admin.get(f"/v1/tenants/{tenant.id}/stats").json
    assert stats == {"id": tenant.id, "tenant_id": tenant.id, "queue_depth": 0, "in_flight": 0, "dlq_count": 0, "api_keys": 2,
                     "event_count": 0, "endpoint_count": 1, "subscription_count": 2, "delivery_count": 0}


@pytest.mark.parametrize("store", STORES)
def test_an_idempotency_key_is_forgotten_after_a_day(make_hookline, store):
    hookline = make_hookline(store).start()
    key = {"Idempotency-Key": "once"}
    first = hookline.admin.post("/v1/tenants", headers=key).json
    long_ago = {"postgres": "created_at - interval '25 hours'", "embedded": "created_at - 25 * 3600 * 1000"}[store]
    hookline.query(f"UPDATE idempotency_keys SET created_at = {long_ago}")
    second = hookline.admin.post("/v1/tenants", headers=key)
    assert (second.status, second.json["id"] != first["id"]) == (201, True)
    assert hookline.admin.post("/v1/tenants", headers=key).json["id"] == second.json["id"]
    hookline.query(f"UPDATE idempotency_keys SET created_at = {long_ago}")
    hookline.query("UPDATE upkeep SET ran_at = NULL WHERE task = 'idempotency_keys'")
    hookline.daemon.restart()
    wait_until(lambda: hookline.value("SELECT count(*) FROM idempotency_keys") == 0, "the old key to be removed", 10)


# Deletes


def gone(hookline, name):
    wait_until(lambda: not any(hookline.rows_of(name).values()), f"all of {name} to be removed", 20)


def test_a_deleted_tenant_is_gone_at_once_and_its_id_can_be_used_again(hookline):
    tenant = hookline.new_tenant(id=new_id(), name="first")
    other = tenant.key(["endpoints.read"], name="second key")
    endpoint = tenant.client.post("/v1/endpoints", {"url": "https://receiver.example/"}).json
    tenant.client.post("/v1/subscriptions", {"endpoint_id": endpoint["id"], "topic_pattern": "#"})
    assert hookline.admin.delete(f"/v1/tenants/{tenant.id}").status == 204
    assert {tenant.client.get("/v1/endpoints").status, other.get("/v1/endpoints").status} == {401}
    is_refused(hookline.admin.get(f"/v1/tenants/{tenant.id}"), 404, "not_found")
    is_refused(hookline.admin.delete(f"/v1/tenants/{tenant.id}"), 404, "not_found")
    is_refused(hookline.admin.get(f"/v1/apikeys/{other.id}"), 404, "not_found")
    gone(hookline, tenant.id)
    again = hookline.admin.post("/v1/tenants", {"id": tenant.id})
    assert (again.status, again.json["api_key_count"]) == (201, 1)
    assert [hookline.value("SELECT events_from = created_at FROM tenants WHERE tenant_id = :id", id=name)
            for name in (tenant.id, hookline.new_tenant().id, "default")] == [True, None, None]
    assert len(hookline.admin.items(f"/v1/tenants/{tenant.id}/api-keys")) == 1, "the old keys are gone"
    assert tenant.client.get("/v1/endpoints").status == 401, "an old key does not open the new tenant"
    by_whom = hookline.admin.items(f"/v1/admin/audit?object_kind=tenant&object_id={tenant.id}&order=asc")
    assert [entry["action"] for entry in by_whom] == ["tenant.create", "tenant.delete", "tenant.create"]


def test_the_tenant_of_the_start_keys_cannot_be_deleted(hookline):
    is_refused(hookline.admin.delete("/v1/tenants/default"), 409, "conflict", "HL_TENANT_ID")


def fill(hookline, tenant, rows):
    """Adds many rows to several tables, of existing endpoints and of missing ones."""
    many = ("SELECT n FROM generate_series(1, :rows) AS n" if hookline.store == "postgres" else
            "WITH RECURSIVE g (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < :rows) SELECT n FROM g")
    id_of = {"postgres": "('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid",
             "embedded": "('00000000-0000-7000-8000-' || substr('000000000000' || n, -12))"}[hookline.store]
    hookline.query(f"INSERT INTO transforms (tenant_id, transform_id, steps, created_at)"
                   f" SELECT :id, {id_of}, '[]', (SELECT created_at FROM tenants WHERE tenant_id = :id) FROM ({many}) AS m",
                   id=tenant.id, rows=rows)
    hookline.query(f"INSERT INTO audit_log (tenant_id, audit_id, created_at, key_id, action, object_kind, object_id)"
                   f" SELECT :id, {id_of}, (SELECT created_at FROM tenants WHERE tenant_id = :id), 'k', 'a', 'k', 'i'"
                   f" FROM ({many}) AS m", id=tenant.id, rows=rows)
    hookline.query(f"INSERT INTO subscriptions (tenant_id, subscription_id, endpoint_id, version, topic_pattern, enabled,"
                   f" created_at, updated_at) SELECT :id, {id_of}, (SELECT endpoint_id FROM endpoints WHERE tenant_id = :id),"
                   f" 1, '#', {'true' if hookline.store == 'postgres' else '1'}, t.created_at, t.created_at"
                   f" FROM ({many}) AS m, (SELECT created_at FROM tenants WHERE tenant_id = :id) AS t", id=tenant.id, rows=rows)


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.parametrize("store", STORES)
def test_a_deletion_goes_on_after_each_death_of_control_and_of_the_tree(make_hookline, store):
    hookline = make_hookline(store).start()
    kept, deleted = hookline.new_tenant(), hookline.new_tenant()
    for tenant in (kept, deleted):
        assert tenant.client.post("/v1/endpoints", {"url": "https://receiver.example/"}).status == 201
        fill(hookline, tenant, 3500)
    before = hookline.rows_of(kept.id)
    assert hookline.admin.delete(f"/v1/tenants/{deleted.id}").status == 204

    def left(table):
        return hookline.value(f"SELECT count(*) FROM {table} WHERE tenant_id = :id", id=deleted.id)

    # Control dies during the removal from the first table, then the whole daemon.
    for table in ("subscriptions", "transforms"):
        wait_until(lambda: left(table) < 3500, "some slices to be gone")
        [pid] = hookline.daemon.pids("control")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: hookline.daemon.pids("control") not in ([], [pid]), "another control")
    hookline.daemon.kill()
    hookline.start()
    gone(hookline, deleted.id)
    assert hookline.rows_of(kept.id) == before
    assert hookline.admin.post("/v1/tenants", {"id": deleted.id}).status == 201


def test_two_nodes_remove_a_tenant_together(make_hookline):
    one = make_hookline("postgres").start()
    keys = {name: one.daemon.options[name] for name in ("HL_API_KEY", "HL_ADMIN_KEY", "HL_MASTER_KEY")}
    other = make_hookline("postgres", one.database, **keys).start()
    tenants = [one.new_tenant() for _ in range(2)]
    for tenant in tenants:
        assert tenant.client.post("/v1/endpoints", {"url": "https://receiver.example/"}).status == 201
        fill(one, tenant, 2500)
    assert {node.admin.delete(f"/v1/tenants/{tenant.id}").status for node, tenant in zip((one, other), tenants)} == {204}
    for tenant in tenants:
        gone(other, tenant.id)
    assert "the upkeep of the webhooks' store failed" not in one.daemon.log() + other.daemon.log()
    assert one.admin.get("/v1/tenants").json["total"] == 1


@pytest.mark.parametrize("store", STORES)
def test_all_rows_of_a_deleted_endpoint_are_removed(make_hookline, store):
    hookline = make_hookline(store).start()
    tenant = hookline.new_tenant()
    endpoint = tenant.client.post("/v1/endpoints", {"url": "https://receiver.example/"}).json
    fill(hookline, tenant, 2500)
    other = tenant.client.post("/v1/endpoints", {"url": "https://receiver.example/"}).json
    kept = tenant.client.post("/v1/subscriptions", {"endpoint_id": other["id"], "topic_pattern": "#"}).json
    assert tenant.client.delete(f"/v1/endpoints/{endpoint['id']}").status == 204
    os.kill(hookline.daemon.pids("control")[0], signal.SIGKILL)
    wait_until(lambda: [row["subscription_id"] for row in hookline.query(
        "SELECT subscription_id FROM subscriptions WHERE tenant_id = :id", id=tenant.id)] in ([kept["id"]], [uuid.UUID(kept["id"])]),
        "the endpoint's subscriptions to go", 20)
    wait_until(lambda: hookline.value("SELECT count(*) FROM endpoints WHERE tenant_id = :id", id=tenant.id) == 1,
               "the endpoint to go")
    hookline.wait_ready()
    assert [item["id"] for item in tenant.client.items("/v1/endpoints")] == [other["id"]]
