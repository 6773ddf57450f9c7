"""
No request reaches another tenant's objects, and every operation requires its scope. The cases are made from the table
of operations, so a new operation is tested too.
"""

import secrets

import pytest

from harness.operations import ALL_OPERATIONS, BODIES, KINDS, OPERATIONS, SCOPES, body_of, make_objects, path_of, takes_body
from harness.webhooks import NOTHING, ApiClient, one_store, postgres_is_slow

WITH_ID = [operation for operation in OPERATIONS if "{" in operation.path]
LISTS = [operation for operation in OPERATIONS if operation.symbol.endswith("_LIST")]


def names(operation):
    return operation.symbol


class Victim:
    def __init__(self, hookline):
        self.mark = f"m{secrets.token_hex(8)}"
        self.tenant = hookline.new_tenant(name=f"tenant {self.mark}", metadata={"mark": self.mark})
        self.ids = make_objects(self.tenant, self.mark, enabled=False)  # disabled: the service changes no row by itself
        key = f"k-{self.mark}"
        self.idempotency_key = key
        hookline.admin.post("/v1/tenants", {"name": f"twin {self.mark}"}, headers={"Idempotency-Key": key})


@pytest.fixture
def victim(hookline):
    """A tenant that all tests of a daemon share. No test may change it."""
    return hookline.once("victim", Victim)


class Attacker:
    """Another tenant. A test that deletes its objects makes new ones."""

    def __init__(self, hookline):
        self.tenant = hookline.new_tenant()
        self.client, self.id = self.tenant.client, self.tenant.id
        self.own = make_objects(self.tenant, "attacker", enabled=False)


@pytest.fixture
def attacker(hookline):
    return hookline.once("attacker", Attacker)


@pytest.fixture
def untouched(hookline):
    """A tenant whose requests are all refused, so its rows never change."""
    return hookline.once("untouched", Attacker)


@pytest.fixture
def unharmed(hookline, victim):
    """Checks that the victim's rows are unchanged after the test."""
    before = hookline.rows_of(victim.tenant.id)
    assert sum(map(len, before.values())) > 10
    yield
    assert hookline.rows_of(victim.tenant.id) == before


def tenants_in(value):
    """Every tenant_id in a reply at any depth, without the members that clients can fill freely."""
    if isinstance(value, list):
        return {tenant for item in value for tenant in tenants_in(item)}
    if not isinstance(value, dict):
        return set()
    found = {value["tenant_id"]} if isinstance(value.get("tenant_id"), str) else set()
    return found.union(*(tenants_in(item) for name, item in value.items() if name not in ("metadata", "filter")))


def assert_silent(reply, victim, attacker):
    assert victim.mark.encode() not in reply.body, reply
    assert victim.tenant.id not in tenants_in(reply.json), reply
    if reply.status < 300:
        assert reply.headers["X-Tenant-Id"] == attacker.id


def smuggled(operation, victim):
    """Yields additions to a request that name another tenant's objects: (query, headers, members of the body)."""
    ids = victim.ids
    for name in ("tenant_id", "tenant", "tenant_ids", "tenantId"):
        yield f"{name}={ids['tenant']}", {}, {}
        yield "", {}, {name: ids["tenant"]}
        yield "", {}, {"metadata": {name: ids["tenant"]}}
    for name in ("X-Tenant-Id", "X-HL-Tenant-Id", "Tenant-Id", "X-Forwarded-User"):
        yield "", {name: ids["tenant"]}, {}
    for kind, name in (("endpoint", "endpoint_id"), ("subscription", "subscription_id"), ("key", "key_id"),
                       ("event", "event_id"), ("job", "job_id"), ("event", "after_id")):
        yield f"{name}={ids[kind]}", {}, {}
    for kind in KINDS.values():
        yield f"id={ids[kind]}", {}, {}
        yield "", {}, {"id": ids[kind]}
    yield "", {"If-Match": '"1"'}, {}
    yield "", {"If-Match": "*"}, {}
    yield "", {"Idempotency-Key": victim.idempotency_key}, {}
    yield "", {"Forwarded": f"for={ids['tenant']}", "Cookie": f"tenant_id={ids['tenant']}"}, {}


def ask(client, operation, path, query="", headers=(), body=NOTHING):
    parameters = f"{'&' if '?' in path else '?'}{query}" if query else ""
    return client.request(operation.method, path + parameters, body, headers)


def test_every_operation_with_a_body_has_a_valid_one_here():
    assert {operation.symbol for operation in OPERATIONS if takes_body(operation)} == set(BODIES)
    assert len(OPERATIONS) > 25


@one_store
def test_every_route_of_the_api_is_in_the_table_of_operations_or_publishes(hookline):
    published = {("POST", "/v1/events"), ("POST", "/v1/events/batch")}  # tested below
    pages = {("GET", "/v1/dev/inbox/ui")}  # without data
    routes = {(method, path) for method, path, _ in hookline.document.operations()
              if path.startswith("/v1/") or path == "/events/stream"} - pages
    known = {(operation.method, operation.path) for operation in ALL_OPERATIONS}
    assert {route for route in routes - published if route not in known and ("ANY", route[1]) not in known} == set()
    assert {path for _, path in known} == {path for _, path in routes - published}


@postgres_is_slow
@pytest.mark.parametrize("operation", WITH_ID, ids=names)
def test_ids_of_another_tenant_in_a_path_are_unknown(attacker, victim, unharmed, operation):
    own = attacker.own
    status = 403 if operation.scope == "admin" else 404
    for foreign in (victim.ids[kind] for kind in KINDS.values()):
        ids = own | dict.fromkeys(KINDS.values(), foreign)
        body = body_of(operation, own) if takes_body(operation) else NOTHING
        for headers in ({}, {"If-Match": '"1"'}, {"If-Match": "*"}, {"X-Tenant-Id": victim.tenant.id}):
            reply = ask(attacker.client, operation, path_of(operation, ids), headers=headers, body=body)
            assert reply.status == status, reply
            assert_silent(reply, victim, attacker)
        reply = ask(attacker.client, operation, path_of(operation, ids), f"tenant_id={victim.tenant.id}", body=body)
        assert reply.status == status, reply


@pytest.mark.parametrize("operation", [one for one in WITH_ID if one.scope != "admin"], ids=names)
def test_admin_keys_reach_only_objects_of_their_own_tenant(hookline, victim, unharmed, operation):
    body = body_of(operation, victim.ids) if takes_body(operation) else NOTHING
    assert ask(hookline.admin, operation, path_of(operation, victim.ids), body=body).status == 404


@postgres_is_slow
@pytest.mark.parametrize("operation", OPERATIONS, ids=names)
def test_no_part_of_a_request_changes_its_tenant(attacker, victim, unharmed, operation):
    own = attacker.own
    for query, headers, members in smuggled(operation, victim):
        if members and not takes_body(operation):
            continue
        body = body_of(operation, own) | members if takes_body(operation) else NOTHING
        if operation.method == "DELETE" and operation.scope != "admin":
            own = make_objects(attacker.tenant, "attacker")
        reply = ask(attacker.client, operation, path_of(operation, own), query, headers, body)
        if operation.scope == "admin":
            assert reply.status == 403, reply
        elif operation.symbol == "AUDIT_LIST" and query.startswith("tenant_id="):
            assert reply.status == 403, reply
        else:
            assert reply.status in (200, 201, 202, 204, 400, 404, 409, 412), (query, headers, members, reply)
        assert_silent(reply, victim, attacker)


@postgres_is_slow
@pytest.mark.parametrize("operation", LISTS, ids=names)
def test_cursors_of_another_tenant_list_only_own_objects(attacker, victim, unharmed, operation):
    if operation.scope == "admin":
        return  # an administrator may list the objects of all tenants
    for order in ("asc", "desc"):
        page = victim.tenant.client.get(f"{operation.path}?limit=1&order={order}").json
        for _ in range(3):
            reply = attacker.client.get(f"{operation.path}?limit=1000&order={order}&cursor={page['next_cursor']}")
            assert reply.status == 200, reply
            assert_silent(reply, victim, attacker)
            if (page := victim.tenant.client.get(
                    f"{operation.path}?limit=1&order={order}&cursor={page['next_cursor']}").json)["next_cursor"] is None:
                break


def test_subscriptions_to_another_tenants_endpoint_are_404(attacker, victim, unharmed):
    own = attacker.own
    body = {"endpoint_id": victim.ids["endpoint"], "topic_pattern": "#"}
    assert attacker.client.post("/v1/subscriptions", body).status == 404
    assert attacker.client.patch(f"/v1/subscriptions/{own['subscription']}", body).status == 404
    listed = attacker.client.get(f"/v1/subscriptions?endpoint_id={victim.ids['endpoint']}")
    assert listed.status == 404 or listed.json["items"] == []
    assert victim.ids["endpoint"] not in str(attacker.client.items("/v1/subscriptions"))


def test_events_of_another_tenant_are_not_replayed_and_its_endpoint_gets_nothing(attacker, victim, unharmed):
    client, own, foreign = attacker.client, attacker.own, victim.ids
    for body, status in (({"event_id": foreign["event"]}, 410), ({"endpoint_id": foreign["endpoint"]}, 404),
                         ({"event_id": own["event"], "endpoint_id": foreign["endpoint"]}, 404),
                         ({"topic": "#", "endpoint_id": foreign["endpoint"], "dry_run": True}, 404)):
        reply = client.post("/v1/replay", body)
        assert reply.status == status, (body, reply)
        assert_silent(reply, victim, attacker)
    told = client.post("/v1/replay", {"event_ids": [foreign["event"], foreign["job"]]}).json
    assert (told["matched"], told["scheduled"]) == (0, 0)
    assert {result["error"] for result in told["results"]} == {"gone"}
    told = client.post("/v1/replay", {"topic": f"{victim.mark}.*"}).json
    assert (told["matched"], told["scheduled"]) == (0, 0)
    for body in ({"endpoint_id": foreign["endpoint"]}, {"topic": f"{victim.mark}.*"}):
        told = client.post("/v1/dlq/requeue", body).json
        assert (told["matched"], told["requeued"]) == (0, 0)


def test_ids_of_another_tenant_find_nothing_in_lists(attacker, victim, unharmed):
    for path, filters in (("/v1/deliveries", ("job", "event", "endpoint")), ("/v1/jobs", ("endpoint", "event")),
                          ("/v1/dlq", ("endpoint",)), ("/v1/subscriptions", ("endpoint",))):
        assert {name for name in filters} <= set(victim.ids)
        for name in filters:
            assert attacker.client.get(f"{path}?{name}_id={victim.ids[name]}").json["items"] == [], (path, name)
            assert victim.tenant.client.get(f"{path}?{name}_id={victim.ids[name]}").json["items"], (path, name)
    for path in ("/v1/events", "/v1/dlq"):
        assert attacker.client.get(f"{path}?topic={victim.mark}.*").json["items"] == []
    assert attacker.client.get(f"/v1/events?after_id={victim.ids['event']}").status == 400


def test_published_events_belong_to_the_keys_tenant(attacker, victim, unharmed):
    foreign = victim.tenant.id
    event = {"topic": f"{victim.mark}.created", "payload": {"tenant_id": foreign}, "tenant_id": foreign, "tenant": foreign,
             "id": victim.ids["event"], "event_id": victim.ids["event"], "endpoint_id": victim.ids["endpoint"]}
    for query in ("", f"?tenant_id={foreign}"):
        for headers in ({}, {"X-Tenant-Id": foreign, "X-HL-Tenant-Id": foreign}):
            made = attacker.client.post(f"/v1/events{query}", event, headers=headers)
            assert (made.status, made.json["tenant_id"], made.json["job_ids"]) == (201, attacker.id, [])
            assert attacker.client.get(f"/v1/events/{made.json['id']}").status == 200
            batch = attacker.client.post(f"/v1/events/batch{query}", [event], headers=headers)
            assert batch.status == 201 and batch.json["items"][0]["job_ids"] == []


def test_only_administrators_delete_events_of_another_tenant(attacker, victim, unharmed):
    for key in (attacker.client, attacker.tenant.key(["events.*", "endpoints.*", "dlq.*", "deliveries.*"])):
        for confirm in (victim.tenant.id, attacker.id):
            reply = key.delete(f"/v1/events?topic=%23&tenant_id={victim.tenant.id}&confirm={confirm}")
            assert (reply.status, reply.json["required_scope"]) == (403, "admin")


def test_keys_of_one_tenant_cannot_be_rotated_or_revoked_through_another(hookline, attacker, victim, unharmed):
    path = f"/v1/tenants/{attacker.id}"
    assert hookline.admin.post(f"{path}/rotate-key", {"key_id": victim.ids["key"]}).status == 404
    assert hookline.admin.delete(f"{path}/api-keys/{victim.ids['key']}").status == 404


def test_audit_shows_a_tenant_its_own_rows_only(hookline, attacker, victim, unharmed):
    rows = attacker.client.items("/v1/admin/audit")
    assert rows and {row["tenant_id"] for row in rows} == {attacker.id}
    asked = attacker.client.get(f"/v1/admin/audit?tenant_id={victim.tenant.id}")
    assert asked.status == 403 or asked.json["items"] == [] or tenants_in(asked.json) == {attacker.id}
    seen = hookline.admin.items(f"/v1/admin/audit?tenant_id={victim.tenant.id}")
    assert {row["tenant_id"] for row in seen} == {victim.tenant.id}


# Keys and scopes


@one_store
@pytest.mark.parametrize("operation", OPERATIONS, ids=names)
def test_no_operation_is_open_without_a_key(hookline, victim, unharmed, operation):
    path = path_of(operation, victim.ids)
    body = body_of(operation, victim.ids) if takes_body(operation) else NOTHING
    good = victim.tenant.client.key
    for header in (None, "", "Bearer", "Bearer ", f"Basic {good}", good, f"Bearer {good}x", f"Bearer {good[:-1]}",
                   f"Bearer {good[:-1]}{chr(ord(good[-1]) ^ 1)}", "Bearer " + "x" * 5000, f"Bearer {good} {good}"):
        reply = ask(hookline.keyless, operation, path, headers={"Authorization": header} if header is not None else {},
                    body=body)
        assert (reply.status, reply.json["error"], reply.json["code"]) == (401, "unauthorized", "AUTH_REQUIRED"), header
        assert good not in str(reply.json)
    reply = ask(hookline.keyless, operation, path, f"token={good}&api_key={good}", body=body)
    assert reply.status == 401


@one_store
@pytest.mark.parametrize("operation", OPERATIONS, ids=names)
def test_a_refusal_names_the_scope_that_a_key_lacks(hookline, untouched, operation):
    tenant, own = untouched.tenant, untouched.own
    others = set(SCOPES.values()) - {"*", "admin", operation.scope}
    lacking = [tenant.key(others)]
    if operation.scope != "*":
        lacking.append(tenant.key(["*" if operation.scope == "admin" else "admin"]))
    body = body_of(operation, own) if takes_body(operation) else NOTHING
    before = hookline.rows_of(tenant.id)
    for key in lacking:
        reply = ask(key, operation, path_of(operation, own), body=body)
        assert (reply.status, reply.json["error"], reply.json["code"], reply.json["required_scope"]) == (
            403, "forbidden", "INSUFFICIENT_SCOPE", operation.scope)
    assert hookline.rows_of(tenant.id) == before


@postgres_is_slow
@pytest.mark.parametrize("operation", OPERATIONS, ids=names)
def test_a_key_with_the_scope_alone_is_enough(hookline, operation):
    tenant = hookline.new_tenant()
    own = make_objects(tenant, "own")
    own["key"] = tenant.key([operation.scope]).id  # a key cannot change one with more scopes
    body = body_of(operation, own) if takes_body(operation) else NOTHING
    reply = ask(tenant.key([operation.scope]), operation, path_of(operation, own), body=body)
    assert reply.status in (200, 201, 202, 204, 409 if operation.symbol == "ADMIN_ROTATE_SECRETS" else 200), reply


def test_keys_of_a_deleted_tenant_are_refused(hookline):
    tenant = hookline.new_tenant()
    own = make_objects(tenant, "own")
    assert hookline.admin.delete(f"/v1/tenants/{tenant.id}").status == 204
    for operation in OPERATIONS:
        body = body_of(operation, own) if takes_body(operation) else NOTHING
        assert ask(tenant.client, operation, path_of(operation, own), body=body).status == 401


@one_store
def test_unknown_paths_are_404_also_without_a_key(hookline):
    for client in (hookline.keyless, hookline.admin, ApiClient(hookline, "nonsense")):
        for path in ("/v1", "/v1/", "/v1/nothing", "/v1/endpoints/a/b/c", "/v1/tenants/a/stats/x"):
            for method in ("GET", "POST", "DELETE"):
                assert client.request(method, path).status == 404
