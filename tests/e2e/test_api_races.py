"""Conflicting requests to the management API at once: each is answered, and each change is whole or absent."""

import collections
import concurrent.futures
import secrets
import threading

URL = "https://example.com/hooks"


def at_once(*calls):
    """Makes all calls at the same time. Returns their results in order."""
    barrier = threading.Barrier(len(calls))

    def run(call):
        barrier.wait()
        return call()

    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def statuses(replies):
    return collections.Counter(reply.status for reply in replies)


def deadlocks(hookline):
    """The number of deadlocks in PostgreSQL's log. Each one has blocked its sessions for a second."""
    return hookline.database.server.log_path.read_text().count("deadlock detected") if hookline.database else 0


def new_endpoint(client, **fields):
    reply = client.post("/v1/endpoints", {"url": URL} | fields)
    assert reply.status == 201, reply
    return reply.json


def test_one_of_several_changes_with_the_same_if_match_succeeds(hookline):
    client = hookline.new_tenant().client
    path = f"/v1/endpoints/{new_endpoint(client)['id']}"
    replies = at_once(*[lambda name=f"writer {n}": client.patch(path, {"name": name}, headers={"If-Match": '"1"'})
                        for n in range(8)])
    assert statuses(replies) == {200: 1, 412: 7}
    [winner] = [reply for reply in replies if reply.status == 200]
    assert client.get(path).json == winner.json


def test_no_change_outlasts_a_delete_at_the_same_time(hookline):
    client = hookline.new_tenant().client
    path = f"/v1/endpoints/{new_endpoint(client)['id']}"
    replies = at_once(*[lambda n=n: client.patch(path, {"url": f"{URL}/{n}"}) for n in range(8)], lambda: client.delete(path))
    assert replies[-1].status == 204 and set(statuses(replies[:-1])) <= {200, 404}
    assert client.get(path).status == 404


def test_a_tenant_deleted_while_its_keys_are_in_use_leaves_no_row(hookline):
    tenant = hookline.new_tenant()
    keys = [tenant.key() for _ in range(3)]
    path, before = f"/v1/tenants/{tenant.id}", deadlocks(hookline)
    replies = at_once(
        *[lambda key=key: key.post("/v1/endpoints", {"url": URL}) for key in keys],
        *[lambda key=key: hookline.admin.patch(f"/v1/apikeys/{key.id}", {"name": "another"}) for key in keys],
        *[lambda key=key: hookline.admin.post(f"{path}/rotate-key", {"key_id": key.id}) for key in keys],
        *[lambda: hookline.admin.post(f"{path}/api-keys") for _ in keys],
        lambda: hookline.admin.delete(path),
    )
    assert replies[-1].status == 204
    assert set(statuses(replies[:-1])) <= {200, 201, 401, 404, 409} and deadlocks(hookline) == before
    made = [reply.json["key"] for reply in replies if reply.status in (200, 201) and "key" in reply.json]
    for key in [*made, *(key.key for key in keys), tenant.client.key]:
        tenant.client.key = key
        assert tenant.client.get("/v1/endpoints").status == 401


def test_creations_with_one_idempotency_key_make_one_tenant(hookline):
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    replies = at_once(*[lambda: hookline.admin.post("/v1/tenants", {"name": "one"}, headers=headers) for _ in range(16)])
    assert statuses(replies) == {201: 1, 200: 15}
    assert len({reply.json["id"] for reply in replies}) == 1
    assert [reply.status for reply in replies if "api_key" in reply.json] == [201]
    assert hookline.admin.post("/v1/tenants", {"name": "two"}, headers=headers).json["error"] == "idempotency_conflict"


def test_a_key_is_rotated_once_and_the_second_request_names_its_successor(hookline):
    """A second rotation would inherit the end of the overlap, and lock the users of its key out after an hour."""
    tenant = hookline.new_tenant()
    old, path = tenant.key(["events.read"]), f"/v1/tenants/{tenant.id}/rotate-key"
    replies = at_once(*[lambda: hookline.admin.post(path, {"key_id": old.id}) for _ in range(4)])
    assert statuses(replies) == {200: 1, 409: 3}
    [new] = [reply.json for reply in replies if reply.status == 200]
    assert {new["id"] in reply.json["detail"] for reply in replies if reply.status == 409} == {True}
    assert hookline.admin.get(f"/v1/apikeys/{old.id}").json["replaced_by"] == new["id"]

    successor = hookline.admin.get(f"/v1/apikeys/{new['id']}").json
    assert (successor["expires_at"], successor["scopes"], successor["replaced_by"]) == (None, ["events.read"], None)
    assert hookline.admin.post(path, {"key_id": new["id"]}).status == 200
