"""Invariants of the webhooks' store that hold whenever control dies, checked against the audit log."""

import json
from collections import Counter

from harness.waiting import wait_until

KINDS = {"tenant": ("tenants", "tenant_id"), "key": ("api_keys", "key_id"), "endpoint": ("endpoints", "endpoint_id"),
         "subscription": ("subscriptions", "subscription_id")}
ENDS = {f"{kind}.delete" for kind in KINDS} | {"key.revoke"}
JSON_COLUMNS = {"tenants": ["metadata"], "api_keys": ["scopes"],
                "endpoints": ["metadata", "extra", "retry_schedule"],
                "subscriptions": ["filter", "metadata", "extra"], "transforms": ["steps"], "audit_log": ["before", "after"]}


def parsed(value):
    return json.loads(value) if isinstance(value, str) else value


def check_tenant(hookline, tenant_id):
    """Checks that the rows of a living tenant agree with each other and with the audit log."""
    with hookline.reader() as read:
        read("BEGIN ISOLATION LEVEL REPEATABLE READ" if hookline.store == "postgres" else "BEGIN")
        tables = {name: [dict(row) for row in read(f"SELECT * FROM {name} WHERE tenant_id = :id", id=tenant_id)]
                  for name in [*JSON_COLUMNS, "routing_versions"]}
        tables["audit_log"] += map(dict, audit_of_tenant(read, tenant_id))
        newest = read("SELECT version FROM changes")[0]["version"]
    for name, columns in JSON_COLUMNS.items():
        for row in tables[name]:
            for column in columns:
                parsed(row[column])

    endpoints = {str(row["endpoint_id"]): row for row in tables["endpoints"]}
    transforms = {str(row["transform_id"]) for row in tables["transforms"]}
    for row in tables["subscriptions"]:
        assert str(row["endpoint_id"]) in endpoints or row["deleted_at"], row
        assert row["transform_id"] is None or str(row["transform_id"]) in transforms, row
    for row in tables["api_keys"]:
        assert row["change_version"] <= newest, (row["change_version"], newest)
    versions = [row["change_version"] for row in tables["api_keys"]]
    assert len(versions) == len(set(versions)), "two changes of keys never have the same version"

    actions = {}  # by kind and id
    made_for = {}  # the endpoint of each subscription, by the audit log
    deleted = {str(row["object_id"]) for row in tables["audit_log"] if row["action"] == "endpoint.delete"}
    for row in tables["audit_log"]:
        actions.setdefault((row["object_kind"], str(row["object_id"])), []).append(row["action"])
        if row["action"] == "subscription.create":
            made_for[str(row["object_id"])] = parsed(row["after"])["endpoint_id"]
    for kind, (table, key) in KINDS.items():
        for row in tables[table]:
            check_object(kind, row, actions.pop((kind, str(row[key])), []))
    for (kind, object_id), done in actions.items():  # upkeep may have removed the row of a deleted object
        ended = ENDS.intersection(done) or made_for.get(object_id) in deleted
        assert ended, f"{kind} {object_id} is missing, but {done}"

    routed = [row["version"] % 2**20 for row in tables["routing_versions"]]
    changes = Counter(row["object_kind"] for row in tables["audit_log"])
    assert sum(routed) == changes["endpoint"] + changes["subscription"], (routed, changes)


def check_object(kind, row, done):
    """Exactly one audit row for each change: one creation, one row for each later version, at most one end."""
    assert done.count(f"{kind}.create") == 1, (row, done)
    if kind == "key":
        assert done.count("key.revoke") == bool(row["revoked_at"]), (row, done)
        assert row["expires_at"] or "key.rotate" not in done, (row, done)
        return
    assert done.count(f"{kind}.delete") == bool(row["deleted_at"]), (row, done)
    if "version" in row:
        assert row["version"] == len(done), (row, done)


def audit_of_tenant(read, tenant_id):
    """The audit rows about the tenant itself, which stand in the log of the caller's tenant."""
    return read("SELECT * FROM audit_log WHERE object_kind = 'tenant' AND object_id = :id AND tenant_id <> :id", id=tenant_id)


def check_removed(hookline, tenant_id):
    """Waits until upkeep has removed a deleted tenant and all its rows."""
    wait_until(lambda: not any(hookline.rows_of(tenant_id).values()), "upkeep to remove the tenant", 30)
    with hookline.reader() as read:
        assert sorted(row["action"] for row in audit_of_tenant(read, tenant_id)) == ["tenant.create", "tenant.delete"]


def check_keys(hookline, keys):
    """Checks that the API accepts exactly those of these keys (by id) that the store holds as valid."""
    now = "now()" if hookline.store == "postgres" else "(julianday('now') - 2440587.5) * 86400000"
    valid = {str(row["key_id"]) for row in hookline.query(
        "SELECT k.key_id FROM api_keys k JOIN tenants t ON t.tenant_id = k.tenant_id WHERE k.revoked_at IS NULL"
        f" AND (k.expires_at IS NULL OR k.expires_at > {now}) AND t.deleted_at IS NULL")}
    for key_id, client in keys.items():
        status = client.get("/v1/endpoints?limit=1").status
        assert status == (200 if key_id in valid else 401), (key_id, status)
