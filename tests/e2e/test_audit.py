"""The audit log: each change with its author, the values before and after, no secrets; and who may read it."""

import pytest

SECRET = "whsec_bXkgc2VjcmV0IG15IHNlY3JldCBteSBzZWNyZXQ="


def entries(client, query=""):
    return client.items(f"/v1/admin/audit?limit=100&{query}")


def worked(hookline):
    """A tenant whose keys and endpoints were changed, and the client that made most changes."""
    tenant = hookline.new_tenant()
    client = tenant.key(["endpoints.manage"], name="the app")
    endpoint = client.post("/v1/endpoints", {"url": "https://receiver.example/", "secret": SECRET,
                                             "headers": {"x-token": "a very secret value"}}).json
    assert client.patch(f"/v1/endpoints/{endpoint['id']}", {"description": "changed"}).status == 200
    assert client.delete(f"/v1/endpoints/{endpoint['id']}").status == 204
    assert hookline.admin.delete(f"/v1/apikeys/{client.id}").status == 204
    return tenant, client, endpoint


def test_each_change_is_logged_with_its_author_object_and_values(hookline):
    tenant, client, endpoint = worked(hookline)
    told = entries(tenant.client, "order=asc")
    assert [entry["action"] for entry in told] == ["key.create", "key.create", "endpoint.create", "endpoint.update",
                                                   "endpoint.delete", "key.revoke"]
    assert {entry["tenant_id"] for entry in told} == {tenant.id}
    made, changed, deleted = told[2:5]
    assert {(entry["key_id"], entry["key_name"]) for entry in (made, changed, deleted)} == {(client.id, "the app")}
    assert {(entry["object_kind"], entry["object_id"]) for entry in (made, changed, deleted)} == {("endpoint", endpoint["id"])}
    assert (made["before"], deleted["after"]) == (None, None)
    assert (changed["before"]["description"], changed["after"]["description"]) == (None, "changed")
    assert told[0]["key_id"] == "HL_ADMIN_KEY"
    assert [entry["created_at"] for entry in told] == sorted(entry["created_at"] for entry in told)
    assert told == entries(tenant.client)[::-1], "the newest come first by default"


def test_the_audit_log_holds_no_secret(hookline):
    tenant, client, _ = worked(hookline)
    text = hookline.admin.get(f"/v1/admin/audit?tenant_id={tenant.id}").body.decode()
    stored = repr(hookline.rows_of(tenant.id)["audit_log"])
    for secret in (SECRET, "a very secret value", client.key, tenant.client.key):
        assert secret not in text
        assert secret not in stored


def test_a_refused_request_is_not_logged(hookline):
    tenant = hookline.new_tenant()
    before = entries(tenant.client)
    assert tenant.client.post("/v1/endpoints", {"url": "file:///etc/passwd"}).status == 400
    assert hookline.admin.post(f"/v1/tenants/{tenant.id}/api-keys", {"scopes": ["nonsense"]}).status == 400
    assert entries(tenant.client) == before


def test_a_tenant_sees_its_own_audit_log_and_an_administrator_all(hookline):
    one, other = worked(hookline)[0], worked(hookline)[0]
    assert {entry["tenant_id"] for entry in entries(one.client)} == {one.id}
    assert entries(one.client, f"tenant_id={one.id}") == entries(one.client)
    refused = one.client.get(f"/v1/admin/audit?tenant_id={other.id}")
    assert (refused.status, refused.json["required_scope"]) == (403, "admin")
    assert {one.id, other.id} <= {entry["tenant_id"] for entry in entries(hookline.admin)}
    assert entries(hookline.admin, f"tenant_id={other.id}") == entries(other.client)
    assert one.key(["endpoints.read", "events.read"]).get("/v1/admin/audit").status == 403


def test_the_audit_log_can_be_filtered_by_key_object_and_time(hookline):
    tenant, client, endpoint = worked(hookline)
    everything = entries(tenant.client)
    for query, keep in ((f"key_id={client.id}", lambda entry: entry["key_id"] == client.id),
                        ("action=key.create", lambda entry: entry["action"] == "key.create"),
                        ("object_kind=endpoint", lambda entry: entry["object_kind"] == "endpoint"),
                        (f"object_id={endpoint['id']}", lambda entry: entry["object_id"] == endpoint["id"]),
                        ("action=endpoint.update&object_kind=key", lambda entry: False),
                        ("action=&object_kind=", lambda entry: True)):
        assert entries(tenant.client, query) == [entry for entry in everything if keep(entry)], query
    middle = everything[2]["created_at"]
    assert entries(tenant.client, f"from_ms={middle}") == [entry for entry in everything if entry["created_at"] >= middle]
    assert entries(tenant.client, f"to_ms={middle}") == [entry for entry in everything if entry["created_at"] < middle]


def test_pages_of_the_audit_log_hold_each_entry_once(hookline):
    tenant = worked(hookline)[0]
    everything = entries(tenant.client)
    for limit in (1, 4, 5):
        assert tenant.client.items(f"/v1/admin/audit?limit={limit}") == everything
        assert tenant.client.items(f"/v1/admin/audit?limit={limit}&order=asc") == everything[::-1]


@pytest.mark.parametrize("query", ["from_ms=x", "from_ms=-1", "to_ms=1e3", "to_ms=999999999999999999", "limit=0", "order=new",
                                   "cursor=bGQw", "from_ms=1&from_ms=2", "action=%FF"])
def test_a_wrong_query_is_refused(hookline, query):
    reply = hookline.admin.get(f"/v1/admin/audit?{query}")
    assert (reply.status, reply.json["error"]) == (400, "validation_error")
    assert query.split("=")[0] in reply.json["detail"]
