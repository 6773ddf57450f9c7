"""
Subscriptions in the API: fields, filters, transforms, limits, and their endpoints. Over both stores.
"""

import uuid

import pytest

from harness.endpoints import as_json, make, path_of, run_at_once

REMOVE = [{"op": "remove_field", "field": "payload.secret"}]
OTHERS = {"topic_pattern": "invoice.#", "filter": {"eq": "payload.kind", "value": "a"}, "transform": REMOVE, "enabled": False,
          "name": "n\u00e4me", "description": "two\nlines", "metadata": {"team": [1]}}
DEFAULTS = {"filter": None, "transform": None, "transform_id": None, "enabled": True, "name": None, "description": None, "metadata": {}}


@pytest.fixture
def client(tenant):
    return tenant.client


@pytest.fixture
def endpoint(client):
    return make(client)


def subscribe(client, endpoint, **fields):
    reply = client.post("/v1/subscriptions", {"endpoint_id": endpoint["id"], "topic_pattern": "order.*"} | fields)
    assert reply.status == 201, reply
    return reply.json


def path_to(subscription):
    return f"/v1/subscriptions/{subscription['id']}"


def patched(client, subscription, body):
    reply = client.patch(path_to(subscription), body)
    assert reply.status == 200, reply
    return reply.json


def ids(client, query=""):
    return [item["id"] for item in client.get(f"/v1/subscriptions?{query}").json["items"]]


def test_a_subscription_has_all_its_fields_and_reads_the_same_everywhere(client, tenant, endpoint):
    reply = client.post("/v1/subscriptions", {"endpoint_id": endpoint["id"].upper(), "topic_pattern": "order.*"})
    made = reply.json
    assert reply.status == 201 and reply.headers["ETag"] == '"1"'
    assert {name: made[name] for name in DEFAULTS} == DEFAULTS
    assert made["id"] == made["subscription_id"] and made["endpoint_id"] == endpoint["id"] and made["tenant_id"] == tenant.id
    assert made["topic_pattern"] == "order.*" and made["created_at"] == made["updated_at"]
    one = client.get(path_to(made))
    assert one.json == made and one.headers["ETag"] == '"1"'
    assert client.get("/v1/subscriptions").json == {"items": [made], "count": 1, "next_cursor": None, "cursor": None}


def test_each_field_can_be_set_changed_and_reset(client, endpoint):
    made = subscribe(client, endpoint, **OTHERS)
    assert {name: made[name] for name in OTHERS} == OTHERS
    subscription = subscribe(client, endpoint)
    for name, value in OTHERS.items():
        changed = patched(client, subscription, {name: value})
        assert changed[name] == value and changed == client.get(path_to(subscription)).json
    for name in DEFAULTS:
        changed = patched(client, subscription, {name: None})
    assert {name: changed[name] for name in DEFAULTS} == DEFAULTS and changed["topic_pattern"] == OTHERS["topic_pattern"]
    assert subscribe(client, endpoint, **dict.fromkeys(DEFAULTS))["filter"] is None
    got = client.get(path_to(made)).json
    changed = patched(client, made, got | {"name": "renamed"})
    assert changed == got | {"name": "renamed", "version": 2, "updated_at": changed["updated_at"]}


def test_filters_transforms_and_own_fields_come_back_unchanged(client, endpoint):
    filter_ = '{"op":"and","conditions":[{"op":"gt","path":"payload.n","value":9007199254740993},{"eq":"payload.r","value":1.10}]}'
    transform = '{"op":"set_field","path":"payload.\\u00e9","value":1e400}'
    reply = client.post("/v1/subscriptions", f'{{"endpoint_id":"{endpoint["id"]}","topic_pattern":"#","filter":{filter_},'
                                             f'"transform":{transform},"own":{{"n":1.50}},"metadata":{{"m":-0}}}}')
    assert reply.status == 201, reply
    for shown in reply, client.get(path_to(reply.json)), client.get("/v1/subscriptions"), client.patch(path_to(reply.json), {}):
        for name, text in ("filter", filter_), ("transform", transform), ("own", '{"n":1.50}'), ("metadata", '{"m":-0}'):
            assert f'"{name}":{text}'.encode() in shown.body


BAD = [
    ("topic_pattern", ["", "a..b", ".", "a.*b", "a b", "a\n", "x" * 256, 5, [], None, "a.\u0085"]),
    ("filter", ["x", 5, [], {"eq": "payload.a"}, {"gt": "payload.a", "value": None}, {"op": "like", "path": "a", "value": 1},
                {"and": {"eq": 1}}, {"not": []}, {"eq": "a..b", "value": 1}, {"eq": "a", "value": 1, "more": 2},
                {"eq": "a", "value": "x" * 20000}]),
    ("transform", ["x", 5, [5], [{"op": "drop"}], [{"op": "remove_field"}], [{"op": "set_field", "field": "a"}],
                   [{"op": "rename_field", "from": "a"}], [REMOVE[0]] * 65, [{"op": "remove_field", "field": "a", "x": 1}]]),
    ("enabled", [1, "true", []]), ("name", [5, "a" * 256, "\u001b"]), ("description", [5]), ("metadata", [5, [], "x"]),
    ("endpoint_id", ["x", 5, "", None, []]),
]


def test_invalid_members_are_refused_by_name_and_nothing_is_stored(client, hookline, tenant, endpoint):
    subscription = subscribe(client, endpoint)
    deep = {"eq": "a", "value": 1}
    for _ in range(40):
        deep = {"not": deep}
    before = hookline.rows_of(tenant.id)
    for name, values in [*BAD, ("filter", [deep])]:
        for value in values:
            body = {"endpoint_id": endpoint["id"], "topic_pattern": "a"} | {name: value}
            for reply in client.post("/v1/subscriptions", body), client.patch(path_to(subscription), {name: value}):
                assert reply.status == 400 and reply.json["error"] == "validation_error", (name, value, reply)
                assert name in reply.json["detail"], (name, value, reply)
    for body in "{", "[]", "null", "", "{}", '{"topic_pattern":"a"}', f'{{"endpoint_id":"{endpoint["id"]}"}}', b'{"a":"\xff"}':
        assert client.post("/v1/subscriptions", body).status == 400, body
    reply = client.post("/v1/subscriptions", {"endpoint_id": endpoint["id"], "topic_pattern": "a", "transform": [REMOVE[0], {"op": "x"}]})
    assert "transform[1]" in reply.json["detail"] and "byte" in reply.json["detail"]
    assert hookline.rows_of(tenant.id) == before


def test_an_unknown_or_foreign_endpoint_is_not_found(client, hookline, endpoint):
    gone, foreign = make(client), make(hookline.new_tenant().client)
    assert client.delete(path_of(gone)).status == 204
    subscription = subscribe(client, endpoint)
    for other in gone["id"], foreign["id"], str(uuid.uuid4()):
        for reply in (client.post("/v1/subscriptions", {"endpoint_id": other, "topic_pattern": "a"}),
                      client.patch(path_to(subscription), {"endpoint_id": other})):
            assert reply.status == 404 and "endpoint_id" in reply.json["detail"]
    assert ids(client) == [subscription["id"]]
    assert client.get(f"/v1/subscriptions?endpoint_id={foreign['id']}").json["count"] == 0


def test_invalid_and_foreign_ids_are_not_found(client, hookline):
    other = hookline.new_tenant().client
    foreign = subscribe(other, make(other))
    for name in ["x", "%20", "'", str(uuid.uuid4()), foreign["id"], foreign["id"][:-1]]:
        for reply in client.get(f"/v1/subscriptions/{name}"), client.patch(f"/v1/subscriptions/{name}"), client.delete(f"/v1/subscriptions/{name}"):
            assert reply.status == 404 and reply.json["error"] == "not_found", (name, reply)
    assert other.get(path_to(foreign)).json == foreign


def test_a_subscription_can_be_deleted_by_itself_or_with_its_endpoint(client, endpoint):
    other = make(client)
    one, two, third = subscribe(client, endpoint), subscribe(client, other), subscribe(client, endpoint)
    assert client.delete(path_to(third)).status == 204
    assert client.delete(path_to(third)).status == client.get(path_to(third)).status == 404
    assert ids(client) == [one["id"], two["id"]]
    assert client.delete(path_of(endpoint)).status == 204
    assert ids(client) == [two["id"]] and client.get(path_to(one)).status == client.patch(path_to(one), {}).status == 404
    assert client.get(path_of(other)).status == 200


def test_lists_can_be_filtered_and_reversed(client, endpoint):
    other = make(client)
    first, second = subscribe(client, endpoint), subscribe(client, other, enabled=False)
    third = subscribe(client, endpoint, topic_pattern="a.#")
    expected = {
        "": [first, second, third], "order=desc": [third, second, first], f"endpoint_id={endpoint['id']}": [first, third],
        f"endpoint_id={endpoint['id']}&order=desc": [third, first], "enabled=true": [first, third], "enabled=false": [second],
        "topic_pattern=a.%23": [third], f"endpoint_id={other['id']}&enabled=true": [], "limit=2": [first, second]}
    for query, found in expected.items():
        assert ids(client, query) == [one["id"] for one in found], query
    cursor = client.get("/v1/subscriptions?limit=1").json["next_cursor"]
    assert ids(client, f"cursor={cursor}") == [second["id"], third["id"]]
    assert ids(client, f"cursor={cursor}&endpoint_id={endpoint['id']}") == [third["id"]]
    for query in "endpoint_id=x", "enabled=1", "limit=0", "cursor=x", f"order=desc&cursor={cursor}":
        assert client.get(f"/v1/subscriptions?{query}").status == 400, query
    assert client.get(f"/v1/endpoints?cursor={cursor}").status == 400


def test_equal_steps_share_one_transform(client, hookline, tenant, endpoint):
    spaced = client.post("/v1/subscriptions", f'{{"endpoint_id":"{endpoint["id"]}","topic_pattern":"a","transform":'
                                              '[ {"op" : "remove_field",\n"field":"payload.secret"} ]}')
    one, two = subscribe(client, endpoint, transform=REMOVE), subscribe(client, make(client), transform=REMOVE)
    three = subscribe(client, endpoint, transform=[{"op": "remove_field", "field": "payload.other"}])
    assert spaced.json["transform_id"] == one["transform_id"] == two["transform_id"] != three["transform_id"]
    assert hookline.value("SELECT COUNT(*) FROM transforms WHERE tenant_id = :id", id=tenant.id) == 2
    changed = patched(client, one, {"transform": [{"op": "remove_field", "field": "payload.third"}]})
    assert changed["transform_id"] not in (one["transform_id"], three["transform_id"])
    rows = hookline.query("SELECT * FROM transforms WHERE tenant_id = :id", id=tenant.id)
    assert len(rows) == 3 and REMOVE in [as_json(row["steps"]) for row in rows], "a transform's row never changes"
    other = hookline.new_tenant()
    assert subscribe(other.client, make(other.client), transform=REMOVE)["transform_id"] != two["transform_id"]


def test_a_change_that_names_another_version_is_refused(client, endpoint):
    subscription = subscribe(client, endpoint)
    path = path_to(subscription)
    assert client.patch(path, {"name": "a"}, headers={"If-Match": '"1"'}).status == 200
    for reply in client.patch(path, {"name": "b"}, headers={"If-Match": '"1"'}), client.delete(path, headers={"If-Match": '"1"'}):
        assert reply.status == 412 and reply.json["error"] == "precondition_failed"
    assert client.get(path).json["name"] == "a" and client.delete(path, headers={"If-Match": '"2"'}).status == 204


def test_concurrent_changes_of_one_subscription_are_all_kept(client, endpoint):
    subscription = subscribe(client, endpoint)

    def set_own(number):
        for turn in range(5):
            patched(client, subscription, {f"own-{number}": turn})

    run_at_once([lambda number=number: set_own(number) for number in range(6)])
    after = client.get(path_to(subscription)).json
    assert [after[f"own-{number}"] for number in range(6)] == [4] * 6 and after["version"] == 31


def test_no_subscription_outlives_its_endpoint(client, hookline, tenant):
    for _ in range(8):
        endpoint = make(client)
        run_at_once([lambda: client.delete(path_of(endpoint))] + [
            lambda: client.post("/v1/subscriptions", {"endpoint_id": endpoint["id"], "topic_pattern": "a"})] * 3)
        assert client.get(f"/v1/subscriptions?endpoint_id={endpoint['id']}").json["count"] == 0
    assert ids(client) == []


def test_each_change_raises_the_routing_version_and_has_an_audit_row(client, hookline, tenant, endpoint):
    def version():
        return hookline.value("SELECT version FROM routing_versions WHERE tenant_id = :id", id=tenant.id)

    versions = [version()]
    subscription = subscribe(client, endpoint)
    versions.append(version())
    patched(client, subscription, {"topic_pattern": "#"})
    versions.append(version())
    client.patch(path_to(subscription), {"topic_pattern": "a..b"})
    client.delete(path_to(subscription))
    versions.append(version())
    assert versions == [versions[0] + n for n in range(4)]
    rows = hookline.query("SELECT * FROM audit_log WHERE tenant_id = :id AND object_id = :object ORDER BY audit_id",
                          id=tenant.id, object=subscription["id"])
    assert [(row["action"], row["object_kind"]) for row in rows] == [
        (f"subscription.{what}", "subscription") for what in ("create", "update", "delete")]
    assert as_json(rows[1]["before"])["topic_pattern"] == "order.*" and as_json(rows[1]["after"])["topic_pattern"] == "#"


def copies_of(hookline, tenant, subscription, count, columns):
    """Adds copies of a subscription's row by SQL, with a new id in each of those columns."""
    number = "lpad(to_hex(i), 12, '0')" if hookline.store == "postgres" else "printf('%012x', i)"
    cast = "::uuid" if hookline.store == "postgres" else ""
    names = list(hookline.query("SELECT * FROM subscriptions WHERE subscription_id = :id", id=subscription["id"])[0])
    values = {name: f"('01900000-0000-7000-8000-' || {number}){cast}" for name in columns}
    hookline.query(
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
        f" INSERT INTO subscriptions ({', '.join(names)}) SELECT {', '.join(values.get(name, name) for name in names)}"
        " FROM subscriptions, n WHERE tenant_id = :tenant AND subscription_id = :id", tenant=tenant.id, id=subscription["id"])


def test_a_tenants_filters_and_transforms_are_limited_to_4_mib(client, hookline, tenant, endpoint):
    large = {"eq": "payload.x", "value": "v" * 15860}
    first = subscribe(client, endpoint, filter=large)
    copies_of(hookline, tenant, first, 261, ["subscription_id"])  # 262 filters of 16,000 bytes and a few
    last = subscribe(client, endpoint)
    before = hookline.rows_of(tenant.id)
    for reply in (client.post("/v1/subscriptions", {"endpoint_id": endpoint["id"], "topic_pattern": "a", "filter": large}),
                  client.patch(path_to(last), {"filter": large})):
        assert reply.status == 400 and "4194304" in reply.json["detail"] and reply.json["error"] == "validation_error"
    assert hookline.rows_of(tenant.id) == before
    assert client.patch(path_to(first), {"filter": None}).status == 200
    assert client.patch(path_to(last), {"filter": large}).status == 200


def test_changes_that_do_not_grow_are_accepted_above_4_mib(client, hookline, tenant, endpoint):
    """Rows of an older version without the limit, or made by hand."""
    large = {"eq": "payload.x", "value": "v" * 15860}
    first, last = subscribe(client, endpoint, filter=large), path_to(subscribe(client, endpoint))
    copies_of(hookline, tenant, first, 280, ["subscription_id"])
    for body in ({"name": "another"}, {"enabled": False}, {"topic_pattern": "order.b"}, {"topic_pattern": "#"}):
        assert client.patch(last, body).status == 200, body
    before = hookline.rows_of(tenant.id)
    for reply in (client.post("/v1/subscriptions", {"endpoint_id": endpoint["id"], "topic_pattern": "a"}),
                  client.patch(last, {"topic_pattern": "order.longer"}), client.patch(last, {"filter": {"exists": "payload.x"}})):
        assert reply.status == 400 and "4194304" in reply.json["detail"]
    assert hookline.rows_of(tenant.id) == before
    assert client.patch(path_to(first), {"filter": None}).status == 200, "less, although still above 4 MiB"


@pytest.mark.wanted_by("SLOW_TESTS")
def test_a_tenant_is_limited_to_10000_pairs_of_endpoint_and_transform(client, hookline, tenant, endpoint):
    first = subscribe(client, endpoint)
    copies_of(hookline, tenant, first, 9998, ["subscription_id", "transform_id"])
    subscribe(client, endpoint, topic_pattern="another.pattern")  # an existing pair
    last = subscribe(client, make(client))
    body = {"endpoint_id": endpoint["id"], "topic_pattern": "a"}
    before = hookline.rows_of(tenant.id)
    reply = client.post("/v1/subscriptions", body | {"transform": REMOVE})
    assert reply.status == 400 and "10000" in reply.json["detail"] and hookline.rows_of(tenant.id) == before
    assert client.patch(path_to(last), {"transform": REMOVE}).status == 200, "it replaces another pair"
    assert client.delete(path_to(last)).status == 204
    statuses = []

    def one_more(field):
        step = {"op": "remove_field", "field": field}
        statuses.append(client.post("/v1/subscriptions", body | {"transform": [step]}).status)

    run_at_once([lambda field=field: one_more(field) for field in "abc"])
    assert sorted(statuses) == [201, 400, 400]


def test_an_object_over_64_kib_is_refused(client, endpoint):
    body = {"endpoint_id": endpoint["id"], "topic_pattern": "a"}
    assert client.post("/v1/subscriptions", body | {"own": "x" * 65536}).status == 413
    subscription = subscribe(client, endpoint, own="x" * 40000)
    reply = client.patch(path_to(subscription), {"more": "x" * 40000})
    assert reply.status == 413 and reply.json["error"] == "payload_too_large"
    assert patched(client, subscription, {"own": None, "more": "x" * 40000})["version"] == 2


def test_reading_and_writing_need_different_scopes(tenant, endpoint):
    reader, writer = tenant.key(["subscriptions.read"]), tenant.key(["subscriptions.write"])
    subscription = subscribe(writer, endpoint)
    assert reader.get(path_to(subscription)).status == reader.get("/v1/subscriptions").status == 200
    for reply in (reader.post("/v1/subscriptions", {}), reader.patch(path_to(subscription), {}), reader.delete(path_to(subscription))):
        assert reply.status == 403 and reply.json["required_scope"] == "subscriptions.write"
