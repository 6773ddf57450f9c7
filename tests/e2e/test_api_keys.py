"""API keys through the API: their fields, the scopes that a caller may grant, rotation and revocation."""

import json
import re
import time
import uuid

import pytest

from harness.webhooks import ApiClient

WRONG_BODIES = [
    ('{"scopes"}', "invalid_json", "malformed JSON at byte"),
    ('{"name": 1}', "validation_error", "name: must be a string"),
    ('{"label": 1}', "validation_error", "label: must be a string"),
    (json.dumps({"name": "x" * 256}), "validation_error", "name: must have 1 to 255 characters"),
    ('{"scopes": "events.read"}', "validation_error", "scopes: must be an array"),
    ('{"scopes": []}', "validation_error", "scopes: must have 1 to 50 scopes"),
    (json.dumps({"scopes": ["*"] * 51}), "validation_error", "scopes: must have 1 to 50 scopes"),
    ('{"scopes": ["events.read", 5]}', "validation_error", "scopes.1: must be a string"),
    ('{"scopes": ["events.raed"]}', "validation_error", "scopes.0: there is no such scope"),
    ('{"scopes": ["*", "\\n"]}', "validation_error", "scopes.1: holds the control character"),
    ('{"events_per_second": 0}', "validation_error", "events_per_second: must be a whole number from 1 to 2147483647"),
    ('{"events_per_second": 2147483648}', "validation_error", "events_per_second: "),
    ('{"bytes_per_second": -1}', "validation_error", "bytes_per_second: "),
    ('{"bytes_per_second": 1.5}', "validation_error", "bytes_per_second: "),
    ('{"expires_at": 1}', "validation_error", "expires_at: must be a time to come"),
    ('{"expires_at": "2030-01-01"}', "validation_error", "expires_at: "),
    ('{"expires_at": 99999999999999999}', "validation_error", "expires_at: "),
]


def is_refused(reply, status, code, detail=""):
    assert (reply.status, reply.json["error"]) == (status, code), reply
    assert detail in reply.json["detail"], reply


def keys_path(tenant):
    return f"/v1/tenants/{tenant.id}/api-keys"


def make(hookline, tenant, **fields):
    reply = hookline.admin.post(keys_path(tenant), fields)
    assert reply.status == 201, reply
    return reply.json


def in_ms(seconds):
    return int(time.time() * 1000) + seconds * 1000


def test_a_key_is_shown_once_and_kept_as_its_digest(hookline):
    tenant = hookline.new_tenant()
    expires = in_ms(3600)
    made = make(hookline, tenant, label="publisher", scopes=["events:publish", "endpoints.manage"], events_per_second=5,
                bytes_per_second=2 ** 40, expires_at=expires)
    key = made.pop("key")
    assert made.pop("token") == key
    assert re.fullmatch("hl_live_[0-9A-Za-z]{43}", key)
    assert key.startswith(made["prefix"])
    assert made == hookline.admin.get(f"/v1/apikeys/{made['id']}").json
    assert (made["id"], made["name"], made["tenant_id"]) == (made["key_id"], "publisher", tenant.id)
    assert made["scopes"] == ["events.publish", "endpoints.manage"]
    assert (made["events_per_second"], made["bytes_per_second"], made["expires_at"]) == (5, 2 ** 40, expires)
    assert (made["revoked_at"], made["last_used_at"]) == (None, None)
    assert key not in repr(hookline.rows_of(tenant.id))
    assert key not in hookline.daemon.whole_log()


def test_a_key_has_all_scopes_but_admin_when_none_are_named(hookline):
    tenant = hookline.new_tenant()
    for fields in ({}, {"scopes": None}, {"name": None, "events_per_second": None, "expires_at": None}):
        made = make(hookline, tenant, **fields)
        assert (made["scopes"], made["name"], made["events_per_second"]) == (["*"], None, None)
    client = ApiClient(hookline, made["key"])
    assert client.get("/v1/endpoints").status == 200
    is_refused(client.get("/v1/apikeys"), 403, "forbidden")


@pytest.mark.parametrize(("body", "code", "detail"), WRONG_BODIES)
def test_a_wrong_body_creates_and_changes_no_key(hookline, body, code, detail):
    tenant = hookline.new_tenant()
    key = make(hookline, tenant)
    before = hookline.rows_of(tenant.id)
    is_refused(hookline.admin.post(keys_path(tenant), body), 400, code, detail)
    is_refused(hookline.admin.patch(f"/v1/apikeys/{key['id']}", body), 400, code, detail)
    assert hookline.rows_of(tenant.id) == before


def test_path_query_or_body_name_the_tenant_of_a_new_key(hookline):
    tenant, other = hookline.new_tenant(), hookline.new_tenant()
    for reply in (hookline.admin.post(f"/v1/apikeys?tenant_id={tenant.id}"),
                  hookline.admin.post("/v1/apikeys", {"tenant_id": tenant.id}),
                  hookline.admin.post(f"/v1/apikeys?tenant_id={tenant.id}", {"tenant_id": tenant.id})):
        assert (reply.status, reply.json["tenant_id"]) == (201, tenant.id)
    assert hookline.admin.post("/v1/apikeys").json["tenant_id"] == "default"
    before = hookline.rows_of(tenant.id), hookline.rows_of(other.id)
    is_refused(hookline.admin.post(f"/v1/apikeys?tenant_id={tenant.id}", {"tenant_id": other.id}), 400, "validation_error")
    is_refused(hookline.admin.post(keys_path(tenant), {"tenant_id": other.id}), 400, "validation_error", "tenant_id")
    is_refused(hookline.admin.post("/v1/apikeys", {"tenant_id": "nobody"}), 404, "not_found")
    is_refused(hookline.admin.post("/v1/apikeys", {"tenant_id": "no/body"}), 400, "validation_error", "tenant_id")
    is_refused(hookline.admin.get("/v1/apikeys?tenant_id=nobody"), 404, "not_found")
    assert (hookline.rows_of(tenant.id), hookline.rows_of(other.id)) == before


def test_keys_are_listed_in_the_order_of_their_creation(hookline):
    tenant = hookline.new_tenant()
    ids = [hookline.admin.get(keys_path(tenant)).json["items"][0]["id"], *(make(hookline, tenant)["id"] for _ in range(4))]
    for path in (keys_path(tenant), f"/v1/apikeys?tenant_id={tenant.id}"):
        glue = "&" if "?" in path else "?"
        for order, expected in (("asc", ids), ("desc", ids[::-1])):
            items = hookline.admin.items(f"{path}{glue}limit=2&order={order}")
            assert [item["id"] for item in items] == expected
            assert not any("key" in item or "token" in item for item in items)


def test_a_changed_key_is_effective_for_the_next_request(hookline):
    tenant = hookline.new_tenant()
    client = tenant.key(["endpoints.read"], name="old")
    assert client.get("/v1/endpoints").status == 200
    changed = hookline.admin.patch(f"/v1/apikeys/{client.id}", {"scopes": ["events.read"], "name": "new"})
    assert (changed.status, changed.json["scopes"], changed.json["name"]) == (200, ["events.read"], "new")
    is_refused(client.get("/v1/endpoints"), 403, "forbidden")
    changed = hookline.admin.patch(f"/v1/apikeys/{client.id}", {"scopes": None, "name": None})
    assert (changed.json["scopes"], changed.json["name"]) == (["*"], None)
    assert client.get("/v1/endpoints").status == 200
    assert hookline.admin.patch(f"/v1/apikeys/{client.id}").json == changed.json


def test_a_key_cannot_grant_a_scope_that_it_lacks(hookline):
    tenant = hookline.new_tenant()
    full = make(hookline, tenant)
    limited = tenant.key(["admin", "events.read"])
    before = hookline.rows_of(tenant.id)
    for reply in (limited.post(keys_path(tenant)),
                  limited.post(keys_path(tenant), {"scopes": ["endpoints.write"]}),
                  limited.patch(f"/v1/apikeys/{limited.id}", {"scopes": ["admin", "*"]}),
                  limited.patch(f"/v1/apikeys/{full['id']}", {"name": "mine"}),
                  limited.post(f"/v1/tenants/{tenant.id}/rotate-key", {"key_id": full["id"]})):
        is_refused(reply, 403, "forbidden")
        assert reply.json["code"] == "INSUFFICIENT_SCOPE"
    assert limited.post(keys_path(tenant), {"scopes": ["endpoints.write"]}).json["required_scope"] == "endpoints.write"
    assert hookline.rows_of(tenant.id) == before
    assert limited.post(keys_path(tenant), {"scopes": ["events.read"]}).status == 201


def test_a_key_cannot_remove_the_scope_admin_from_itself(hookline):
    client = hookline.new_tenant().key(["admin", "*"])
    is_refused(client.patch(f"/v1/apikeys/{client.id}", {"scopes": ["*"]}), 409, "conflict")
    assert hookline.admin.patch(f"/v1/apikeys/{client.id}", {"scopes": ["*"]}).status == 200
    is_refused(client.get("/v1/apikeys"), 403, "forbidden")


def test_a_revoked_key_stays_listed_and_is_never_valid_again(hookline):
    tenant = hookline.new_tenant()
    client = tenant.key()
    assert hookline.admin.delete(f"{keys_path(tenant)}/{client.id}").status == 204
    assert client.get("/v1/endpoints").status == 401
    before = hookline.rows_of(tenant.id)
    assert hookline.admin.delete(f"/v1/apikeys/{client.id}").status == 204, "as the first one"
    is_refused(hookline.admin.patch(f"/v1/apikeys/{client.id}", {"expires_at": in_ms(60)}), 409, "conflict")
    is_refused(hookline.admin.post(f"/v1/tenants/{tenant.id}/rotate-key", {"key_id": client.id}), 409, "conflict")
    assert hookline.rows_of(tenant.id) == before
    assert hookline.admin.get(f"/v1/apikeys/{client.id}").json["revoked_at"] > 0
    assert hookline.admin.get(f"/v1/tenants/{tenant.id}").json["api_key_count"] == 1


@pytest.mark.parametrize("key_id", ["nothing", "%00", "00000000-0000-7000-8000-000000000000", "x" * 500])
def test_an_unknown_key_is_404(hookline, key_id):
    tenant = hookline.new_tenant()
    for method, path in (("GET", "/v1/apikeys"), ("PATCH", "/v1/apikeys"), ("DELETE", "/v1/apikeys"), ("DELETE", keys_path(tenant))):
        reply = hookline.admin.request(method, f"{path}/{key_id}")
        assert reply.status in (400, 404), reply


def test_a_key_cannot_be_revoked_through_another_tenants_path(hookline):
    tenant, other = hookline.new_tenant(), hookline.new_tenant()
    client = tenant.key()
    is_refused(hookline.admin.delete(f"{keys_path(other)}/{client.id}"), 404, "not_found")
    is_refused(hookline.admin.post(f"/v1/tenants/{other.id}/rotate-key", {"key_id": client.id}), 404, "not_found")
    assert client.get("/v1/endpoints").status == 200


# Rotation


def rotate(hookline, tenant, client, **fields):
    return hookline.admin.post(f"/v1/tenants/{tenant.id}/rotate-key", {"key_id": client.id} | fields)


def test_a_rotated_key_passes_on_its_terms_and_ends_after_the_overlap(hookline):
    tenant = hookline.new_tenant()
    expires = in_ms(24 * 3600)
    client = tenant.key(["endpoints.read"], name="app", events_per_second=7, expires_at=expires)
    now = time.time()
    rotated = rotate(hookline, tenant, client)
    assert rotated.status == 200
    assert rotated.json["old_key_id"] == client.id
    assert now + 3598 <= rotated.json["old_key_expires_at"] <= time.time() + 3601
    new = hookline.admin.get(f"/v1/apikeys/{rotated.json['id']}").json
    assert (new["scopes"], new["name"], new["events_per_second"], new["expires_at"]) == (["endpoints.read"], "app", 7, expires)
    assert {ApiClient(hookline, rotated.json["key"]).get("/v1/endpoints").status, client.get("/v1/endpoints").status} == {200}
    old = hookline.admin.get(f"/v1/apikeys/{client.id}").json
    assert old["expires_at"] // 1000 == rotated.json["old_key_expires_at"]


def test_a_rotation_without_overlap_ends_the_old_key_at_once(hookline):
    tenant = hookline.new_tenant()
    client = tenant.key()
    rotated = rotate(hookline, tenant, client, overlap_seconds=0)
    assert client.get("/v1/endpoints").status == 401
    assert ApiClient(hookline, rotated.json["key"]).get("/v1/endpoints").status == 200
    is_refused(rotate(hookline, tenant, client), 409, "conflict")


def test_a_rotation_never_lengthens_the_life_of_the_old_key(hookline):
    tenant = hookline.new_tenant()
    expires = in_ms(60)
    client = tenant.key(expires_at=expires)
    assert rotate(hookline, tenant, client, overlap_seconds=3600).json["old_key_expires_at"] == expires // 1000


@pytest.mark.parametrize(("body", "detail"), [
    ({}, "key_id: is required"), ({"key_id": 5}, "key_id: must be a string"), ({"key_id": "x"}, "key_id: must be the id of a key"),
    ({"key_id": str(uuid.UUID(int=0)), "overlap_seconds": -1}, "overlap_seconds: "),
    ({"key_id": str(uuid.UUID(int=0)), "overlap_seconds": "1h"}, "overlap_seconds: "),
    ({"key_id": str(uuid.UUID(int=0)), "overlap_seconds": 31536001}, "overlap_seconds: "),
])
def test_a_wrong_rotation_changes_nothing(hookline, body, detail):
    tenant = hookline.new_tenant()
    before = hookline.rows_of(tenant.id)
    is_refused(hookline.admin.post(f"/v1/tenants/{tenant.id}/rotate-key", body), 400, "validation_error", detail)
    assert hookline.rows_of(tenant.id) == before


def test_an_unknown_key_is_not_rotated(hookline):
    tenant = hookline.new_tenant()
    body = {"key_id": str(uuid.uuid4())}
    is_refused(hookline.admin.post(f"/v1/tenants/{tenant.id}/rotate-key", body), 404, "not_found")
    is_refused(hookline.admin.post("/v1/tenants/nobody/rotate-key", body), 404, "not_found", "no such tenant")
