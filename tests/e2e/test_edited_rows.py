"""Rows of the webhooks' store that were edited by hand: the API goes on working and shows the undamaged parts."""

import contextlib
import sqlite3

import pytest

from harness.waiting import wait_until
from harness.webhooks import STORES

# Invalid JSON. PostgreSQL refuses it, since these columns have the type json.
NO_JSON = [
    "UPDATE endpoints SET metadata = '{'",
    "UPDATE endpoints SET extra = 'x'",
    "UPDATE endpoints SET retry_schedule = '\"1s'",
    "UPDATE subscriptions SET filter = '{\"a\":'",
    "UPDATE api_keys SET scopes = '[\"*\"'",
    "UPDATE tenants SET metadata = ''",
    "UPDATE audit_log SET before = '{', after = '}'",
]
DAMAGED = [
    "UPDATE endpoints SET secret = 'enc:v1:'",
    "UPDATE endpoints SET secret = '', old_secret = 'enc:v1:0123456789abcdef:', old_secret_until = NULL",
    "UPDATE endpoints SET headers = 'enc:v1:0123456789abcdef:AAAA'",
    "UPDATE endpoints SET headers = ''",
    "UPDATE endpoints SET headers = '[1]'",
    "UPDATE endpoints SET headers = '{\"a\"'",
    "UPDATE endpoints SET extra = '[]'",
    "UPDATE subscriptions SET transform_id = '00000000-0000-8000-8000-000000000000'",
]


@pytest.fixture
def edited(make_hookline, store):
    """A daemon, and a function that runs a statement on its store."""
    hookline = make_hookline(store, HL_MASTER_KEY_OLD="00" * 32).start()

    def edit(sql):
        if store == "postgres":
            with hookline.database.server.connect(hookline.database.name) as connection:
                connection.execute(sql)
            return
        with contextlib.closing(sqlite3.connect(hookline.data_path, timeout=20, isolation_level=None)) as connection:
            connection.create_function("hl_time", 1, lambda ms: ms)
            connection.execute(sql)

    return hookline, edit


def control_pid(hookline):
    return wait_until(lambda: hookline.daemon.pids("control"), "a control process")[0]


def ask_everything(hookline, client):
    """Requests each operation on each object. Every reply has an expected status and a JSON body."""
    [endpoint], [subscription] = client.get("/v1/endpoints").json["items"], client.get("/v1/subscriptions").json["items"]
    endpoint_path, tenant_path = f"/v1/endpoints/{endpoint['id']}", f"/v1/tenants/{endpoint['tenant_id']}"
    asked = [
        client.get(endpoint_path),
        client.get(f"/v1/subscriptions/{subscription['id']}"),
        client.get("/v1/admin/audit"),
        hookline.admin.get("/v1/tenants"),
        hookline.admin.get(tenant_path),
        hookline.admin.get(f"{tenant_path}/stats"),
        hookline.admin.get(f"{tenant_path}/api-keys"),
        client.patch(endpoint_path, {"name": "another"}),
        client.patch(endpoint_path, {"headers": {"x-token": "***"}}),
        client.patch(f"/v1/subscriptions/{subscription['id']}", {"name": "another"}),
        hookline.admin.post("/v1/admin/rotate-secrets"),
        client.post(f"{endpoint_path}/rotate-secret"),
    ]
    for reply in asked:
        assert reply.status in (200, 400, 409) and reply.json, reply


@pytest.mark.parametrize("store", ["embedded"])
def test_invalid_json_in_a_column_is_shown_as_null(edited):
    check(*edited, NO_JSON + DAMAGED)


@pytest.mark.parametrize("store", ["postgres"])
def test_a_damaged_secret_or_id_affects_no_other_object(edited):
    check(*edited, DAMAGED)


def check(hookline, edit, statements):
    pid = control_pid(hookline)
    for statement in statements:
        client = hookline.new_tenant().client
        endpoint = client.post("/v1/endpoints", {"url": "https://example.com/", "headers": {"x-token": "of the receiver"}})
        subscription = {"endpoint_id": endpoint.json["id"], "topic_pattern": "a", "metadata": {"kept": True}}
        assert client.post("/v1/subscriptions", subscription).status == 201
        edit(statement)
        ask_everything(hookline, client)
    assert control_pid(hookline) == pid


@pytest.mark.parametrize("store", STORES)
def test_a_list_goes_past_an_overlong_id(edited):
    hookline, edit = edited
    pid, last = control_pid(hookline), hookline.new_tenant(id="z").id
    edit(f"INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES ('{'x' * 300}', 'long', hl_time(1), hl_time(1))")
    headers = {"Authorization": f"Bearer {hookline.admin.key}"}  # not by ApiClient: the id is invalid
    with hookline.daemon.client() as client:
        shown = client.request("GET", "/v1/tenants", headers=headers).json()["items"]
        assert [item["id"] for item in shown][-2:] == ["x" * 300, last]
        assert client.request("GET", "/v1/tenants?limit=1&order=desc", headers=headers).status == 200
    assert control_pid(hookline) == pid


@pytest.mark.parametrize("store", STORES)
def test_a_tenant_with_an_invalid_id_does_not_stop_others_from_publishing(edited):
    hookline, edit = edited
    odd, other = hookline.new_tenant(), hookline.new_tenant()
    for table in ("tenants", "api_keys"):
        edit(f"UPDATE {table} SET tenant_id = 'a\"b' WHERE tenant_id = '{odd.id}'")
    hookline.daemon.stop()
    hookline.start()
    wait_until(lambda: odd.client.post("/v1/events", {"topic": "a"}).status != 503, "the keys to be read")
    assert odd.client.post("/v1/events", {"topic": "a"}).status == 401
    assert other.client.post("/v1/events", {"topic": "a"}).status == 201
