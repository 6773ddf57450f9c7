"""Lists of endpoints: pages, filters, cursors. Over both stores."""

import json
import threading

import pytest

from harness.endpoints import make, path_of, run_at_once, stored


@pytest.fixture
def client(tenant):
    return tenant.client


def copies_of(hookline, tenant, endpoint, count, extra=None):
    """Adds endpoints by SQL with ascending ids that come before all ids of the service."""
    number = "lpad(to_hex(i), 12, '0')" if hookline.store == "postgres" else "printf('%012x', i)"
    new_id = f"'01900000-0000-7000-8000-' || {number}"
    values = {"endpoint_id": f"({new_id})::uuid" if hookline.store == "postgres" else new_id, "headers": "'{}'", "secret": "'unused secret'"}
    if extra:
        values["extra"] = ":extra"
    names = list(stored(hookline, endpoint))
    hookline.query(
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
        f" INSERT INTO endpoints ({', '.join(names)}) SELECT {', '.join(values.get(name, name) for name in names)}"
        " FROM endpoints, n WHERE tenant_id = :tenant AND endpoint_id = :id",
        tenant=tenant.id, id=endpoint["id"], **({"extra": extra} if extra else {}))
    return [f"01900000-0000-7000-8000-{i:012x}" for i in range(1, count + 1)]


def pages_of(client, query):
    """All pages, without a check against the OpenAPI document, which would take seconds for thousands of items."""
    cursor = None
    while True:
        path = f"/v1/endpoints?{query}" + (f"&cursor={cursor}" if cursor else "")
        with client.hookline.daemon.client() as plain:
            page = plain.request("GET", path, headers={"Authorization": f"Bearer {client.key}"}).json()
        assert page["count"] == len(page["items"]) and page["cursor"] == page["next_cursor"]
        yield page
        cursor = page["next_cursor"]
        if cursor is None:
            return


def test_pages_hold_each_endpoint_once_while_others_are_added_and_deleted(client, hookline, tenant):
    old = copies_of(hookline, tenant, make(client), 3000)
    stop = threading.Event()
    listed = {}

    def come_and_go():
        while not stop.wait(0.01):
            assert client.delete(path_of(make(client))).status == 204

    def read():
        try:
            for order in "asc", "desc":
                listed[order] = [item["id"] for page in pages_of(client, f"limit=130&order={order}") for item in page["items"]]
        finally:
            stop.set()

    run_at_once([come_and_go, read])
    for order, ids in listed.items():
        assert len(ids) == len(set(ids)) and ids == sorted(ids, reverse=order == "desc")
        assert [one for one in ids if one in set(old)] == (old if order == "asc" else old[::-1])
    assert [page["count"] for page in pages_of(client, "")][:3] == [1000] * 3, "1000 is the default limit"


def test_a_page_ends_at_4_mib(client, hookline, tenant):
    old = copies_of(hookline, tenant, make(client), 150, extra=json.dumps({"own": "x" * 60000}))
    sizes, listed = [], []
    cursor = ""
    while cursor is not None:
        reply = client.get(f"/v1/endpoints?cursor={cursor}")
        sizes.append(len(reply.body))
        listed += [item["id"] for item in reply.json["items"]]
        cursor = reply.json["next_cursor"]
    assert listed[:150] == old and len(listed) == 151
    assert len(sizes) == 3 and max(sizes) < (4 << 20) + 1000 and sizes[0] > 4_000_000


def test_a_list_can_be_filtered_by_enabled(client):
    on, off = make(client), make(client, enabled=False)
    assert [item["id"] for item in client.get("/v1/endpoints?enabled=true").json["items"]] == [on["id"]]
    assert [item["id"] for item in client.get("/v1/endpoints?enabled=false").json["items"]] == [off["id"]]
    assert client.get("/v1/endpoints?enabled=&limit=&cursor=&order=").json["count"] == 2, "an empty value is none"


def test_a_wrong_query_is_refused_with_its_reason(client):
    for query in ["enabled=yes", "limit=0", "limit=1001", "limit=-1", "limit=x", "limit=1.5", "order=up", "cursor=!", "cursor=e",
                  "cursor=ZWE", "cursor=%00", "cursor=" + "A" * 5000, "limit=%ff"]:
        reply = client.get(f"/v1/endpoints?{query}")
        assert reply.status == 400 and query.split("=")[0] in reply.json["detail"], (query, reply)


def test_a_cut_cursor_or_one_of_another_list_is_refused(client):
    for _ in range(3):
        make(client)
    cursor = client.get("/v1/endpoints?limit=1").json["next_cursor"]
    for wrong in cursor[:-1], cursor[1:], cursor + "A", cursor[:-1] + "*":
        assert client.get(f"/v1/endpoints?cursor={wrong}").status == 400, wrong
    assert client.get(f"/v1/endpoints?order=desc&cursor={cursor}").status == 400
    assert client.get(f"/v1/subscriptions?cursor={cursor}").status == 400
    assert client.get(f"/v1/endpoints?limit=2&cursor={cursor}").json["count"] == 2
