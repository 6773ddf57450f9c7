"""
Endpoints in the API: fields, secrets, versions and concurrent changes. Over both stores. test_endpoint_rules.py tests
refusals, test_endpoint_lists.py lists.
"""

import base64
import json
import uuid

import pytest

from harness.endpoints import OTHER_SECRET, SECRET, URL, as_json, make, patched, path_of, run_at_once, stored

DEFAULTS = {
    "name": None, "description": None, "metadata": {}, "headers": {}, "enabled": True, "paused": False,
    "timeout_ms": 30000, "max_in_flight": 10, "rate_limit_rps": 100, "exact_limits": False, "fifo": False,
    "ordering": "endpoint", "on_dead": "continue", "fail_fast": True, "retry_schedule": None, "max_attempts": None,
    "max_retries": None, "keep_response": False, "body": "envelope", "legacy_headers": False,
}
READ_ONLY = {"state": "active", "disabled_reason": None, "failing_since": None, "breaker": "closed", "last_success_at": None,
             "old_secret_until": None}
OTHERS = {
    "name": "n\u00e4me", "description": "two\nlines", "metadata": {"team": ["a"]}, "headers": {"X-A": "1"}, "enabled": False,
    "paused": True, "timeout_ms": 5000, "max_in_flight": 1, "rate_limit_rps": 7, "exact_limits": True, "fifo": True,
    "ordering": "key", "on_dead": "block", "fail_fast": False, "retry_schedule": ["5s", 30000], "max_attempts": 4,
    "keep_response": True, "body": "payload", "legacy_headers": True,
}
NOT_FOR_DELIVERIES = {"name", "description", "metadata", "own"}


@pytest.fixture
def client(tenant):
    return tenant.client


# ---- fields ----


def test_an_endpoint_has_all_its_fields_and_reads_the_same_everywhere(client, tenant):
    reply = client.post("/v1/endpoints", {"url": URL})
    endpoint = reply.json
    assert reply.status == 201 and reply.headers["ETag"] == '"1"' and reply.headers["X-Tenant-Id"] == tenant.id
    assert {name: endpoint[name] for name in DEFAULTS | READ_ONLY} == DEFAULTS | READ_ONLY
    assert endpoint["id"] == endpoint["endpoint_id"] and uuid.UUID(endpoint["id"]).version == 7
    assert endpoint["tenant_id"] == tenant.id and endpoint["url"] == URL and endpoint["version"] == 1
    assert endpoint["created_at"] == endpoint["updated_at"] > 1_700_000_000_000
    shown = endpoint | {"secret": "***"}
    one = client.get(path_of(endpoint))
    assert one.json == shown and one.headers["ETag"] == '"1"'
    assert client.get(path_of(endpoint).upper().replace("/V1/ENDPOINTS", "/v1/endpoints")).json == shown
    assert client.get("/v1/endpoints").json == {"items": [shown], "count": 1, "next_cursor": None, "cursor": None}


def test_each_field_can_be_set_changed_and_reset(client):
    made = make(client, **OTHERS)
    shown = OTHERS | {"headers": {"X-A": "***"}, "max_retries": 3}
    assert {name: made[name] for name in shown} == shown
    endpoint = make(client)
    for name, value in OTHERS.items():
        changed = patched(client, endpoint, {name: value})
        expected = client.get(path_of(endpoint)).json
        assert changed == expected and changed[name] == shown[name]
    assert {name: changed[name] for name in shown} == shown
    for name in OTHERS:
        changed = patched(client, endpoint, {name: None})
        assert changed[name] == DEFAULTS[name]
    assert {name: changed[name] for name in DEFAULTS} == DEFAULTS
    assert changed["version"] == 1 + 2 * len(OTHERS)


def test_null_at_creation_means_the_default(client):
    made = make(client, secret=None, own=None, **dict.fromkeys(DEFAULTS))
    assert {name: made[name] for name in DEFAULTS} == DEFAULTS
    assert made["secret"].startswith("whsec_") and "own" not in made


def test_a_clients_own_fields_are_kept_unchanged(client):
    own = '{"id":9007199254740993,"r":1.10,"e":1e400,"z":-0,"s":"\\u001b\\u00e9"}'
    reply = client.post("/v1/endpoints", f'{{"url":"{URL}","metadata":{own},"x-own":{own},"\\u00e9":[ ]}}')
    assert reply.status == 201, reply
    assert f'"metadata":{own}'.encode() in reply.body and f'"x-own":{own}'.encode() in reply.body
    endpoint = reply.json
    changed = client.patch(path_of(endpoint), '{"x-own":null,"y":1.50}')
    assert changed.status == 200 and "x-own" not in changed.json
    for shown in changed, client.get(path_of(endpoint)), client.get("/v1/endpoints"):
        assert f'"metadata":{own}'.encode() in shown.body and b'"y":1.50' in shown.body
        assert "\u00e9" in shown.body.decode()


def test_the_last_of_two_members_of_one_name_counts(client):
    reply = client.post("/v1/endpoints", f'{{"url":"ftp://x","url":"{URL}","own":1,"own":2,"name":"a","name":"b"}}')
    assert reply.status == 201 and reply.json["name"] == "b" and reply.json["own"] == 2


def test_max_retries_is_max_attempts_less_one(client):
    endpoint = make(client, max_retries=0)
    assert (endpoint["max_attempts"], endpoint["max_retries"]) == (1, 0)
    assert patched(client, endpoint, {"max_attempts": 5})["max_retries"] == 4
    assert patched(client, endpoint, {"max_attempts": 5, "max_retries": 2})["max_attempts"] == 3
    assert patched(client, endpoint, {"max_attempts": 9, "max_retries": 2})["max_retries"] == 8
    reply = client.patch(path_of(endpoint), {"max_attempts": 3, "max_retries": 5})
    assert reply.status == 400 and "max_retries" in reply.json["detail"]
    assert make(client, max_attempts=3, max_retries=2)["max_attempts"] == 3


def test_a_retry_schedule_comes_back_as_it_was_sent(client):
    for schedule in "5s,30s,5m,30m,2h", ["5s", "1500ms", 604800000], [], [1000] * 100:
        assert make(client, retry_schedule=schedule)["retry_schedule"] == schedule


# ---- secrets ----


def test_a_generated_secret_is_shown_once_and_a_given_one_never(client, hookline, tenant):
    for given in [{}, {"secret": ""}, {"secret": None}]:
        endpoint = make(client, **given)
        secret = endpoint["secret"]
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
        for shown in client.get(path_of(endpoint)), client.get("/v1/endpoints"), client.patch(path_of(endpoint), {"name": "x"}):
            assert secret.encode() not in shown.body
        assert stored(hookline, endpoint)["secret"].startswith("enc:v1:")
        assert secret not in hookline.daemon.log()
    assert make(client, secret=SECRET)["secret"] == "***"
    assert SECRET not in repr(hookline.rows_of(tenant.id)) and SECRET not in hookline.daemon.log()


def test_header_values_are_shown_nowhere(client, hookline, tenant):
    value = f"Bearer {uuid.uuid4().hex}"
    reply = client.post("/v1/endpoints", {"url": URL, "headers": {"Authorization": value, "X-Empty": ""}})
    assert reply.status == 201 and reply.json["headers"] == {"Authorization": "***", "X-Empty": "***"}
    endpoint = reply.json
    replies = [reply, client.get(path_of(endpoint)), client.get("/v1/endpoints"), client.patch(path_of(endpoint), {"name": "a"}),
               client.patch(path_of(endpoint), {"headers": {"Authorization": value, "X A": "b"}}),
               client.post("/v1/endpoints", {"url": "x", "headers": {"Authorization": value}})]
    assert all(value.encode() not in reply.body for reply in replies)
    assert value not in repr(hookline.rows_of(tenant.id)) and value not in hookline.daemon.log()


def test_an_endpoint_can_be_sent_back_as_shown_without_changing_its_secret_or_headers(client, hookline):
    endpoint = make(client, secret=SECRET, headers={"X-A": "one", "X-B": "two"}, own=[1], max_attempts=3)
    before, changes = stored(hookline, endpoint), hookline.value("SELECT version FROM changes")
    got = client.get(path_of(endpoint)).json
    sent = {name: value for name, value in got.items() if name != "enabled"}  # it would end the run of failures
    changed = patched(client, endpoint, sent | {"name": "renamed"})
    volatile = {"name": "renamed", "version": 2, "updated_at": changed["updated_at"]}
    assert changed == got | volatile
    after = stored(hookline, endpoint)
    assert {name: after[name] for name in ("secret", "headers", "old_secret")} == \
        {name: before[name] for name in ("secret", "headers", "old_secret")}
    assert patched(client, endpoint, {"secret": ""})["version"] == 3
    assert stored(hookline, endpoint)["secret"] == before["secret"]
    assert hookline.value("SELECT version FROM changes") == changes, "no setting of deliveries changed"


def test_a_secret_in_a_patch_is_used_at_once_and_not_shown(client, hookline):
    endpoint = make(client)
    client.post(path_of(endpoint) + "/rotate-secret", {"overlap_seconds": 600})
    before = stored(hookline, endpoint)
    assert before["old_secret"]
    assert patched(client, endpoint, {"secret": SECRET})["secret"] == "***"
    after = stored(hookline, endpoint)
    assert after["secret"] != before["secret"] and after["old_secret"] is None and after["old_secret_until"] is None


def test_the_present_secret_in_a_patch_ends_the_overlap_at_once(make_hookline):
    hookline = make_hookline("embedded", HL_MASTER_KEY="").start()  # with a key the column would change
    client = hookline.new_tenant().client
    endpoint = make(client)
    client.post(path_of(endpoint) + "/rotate-secret", {"secret": SECRET, "overlap_seconds": 600})
    changes = hookline.value("SELECT version FROM changes")
    assert patched(client, endpoint, {"secret": SECRET})["old_secret_until"] is None
    assert stored(hookline, endpoint)["old_secret"] is None
    assert hookline.value("SELECT version FROM changes") > changes, "couriers act by it before the answer"


def test_a_rotation_shows_the_new_secret_once_and_keeps_the_old_one_for_the_overlap(client, hookline):
    endpoint = make(client)
    rotate = path_of(endpoint) + "/rotate-secret"
    first = stored(hookline, endpoint)["secret"]
    reply = client.post(rotate, {"overlap_seconds": 3600})
    assert reply.status == 200 and reply.headers["ETag"] == '"2"' and reply.json["secret"] != endpoint["secret"]
    assert abs(reply.json["old_secret_until"] - reply.json["updated_at"] - 3_600_000) < 60_000
    row = stored(hookline, endpoint)
    assert row["old_secret"] == first and row["secret"] != first
    assert client.get(path_of(endpoint)).json["secret"] == "***"
    for body in [None, {}, {"overlap_seconds": None}]:
        reply = client.post(rotate, *([] if body is None else [body]))
        assert abs(reply.json["old_secret_until"] - reply.json["updated_at"] - 86_400_000) < 60_000
    changes = hookline.value("SELECT version FROM changes")
    reply = client.post(rotate, {"overlap_seconds": 0, "secret": OTHER_SECRET})
    assert reply.status == 200 and reply.json["secret"] == "***" and reply.json["old_secret_until"] is None
    assert stored(hookline, endpoint)["old_secret"] is None
    assert hookline.value("SELECT version FROM changes") > changes


BAD_ROTATIONS = [
    ({"overlap_seconds": -1}, "overlap_seconds"), ({"overlap_seconds": 604801}, "overlap_seconds"),
    ({"overlap_seconds": "1"}, "overlap_seconds"), ({"overlap_seconds": 1.5}, "overlap_seconds"),
    ({"secret": "***"}, "secret"), ({"secret": "abc"}, "secret"), ({"secret": 5}, "secret"), ("[]", "object"), ("{", "byte 2"),
]


def test_an_invalid_rotation_changes_nothing(client, hookline):
    endpoint = make(client)
    before = stored(hookline, endpoint)
    for body, place in BAD_ROTATIONS:
        reply = client.post(path_of(endpoint) + "/rotate-secret", body)
        assert reply.status == 400 and place in reply.json["detail"], body
    assert stored(hookline, endpoint) == before


# ---- versions and concurrent changes ----


def test_a_change_that_names_another_version_is_refused(client):
    endpoint = make(client)
    path = path_of(endpoint)
    assert client.patch(path, {"name": "a"}, headers={"If-Match": '"1"'}).status == 200
    for call in (lambda: client.patch(path, {"name": "b"}, headers={"If-Match": '"1"'}),
                 lambda: client.delete(path, headers={"If-Match": '"1"'}),
                 lambda: client.post(path + "/rotate-secret", headers={"If-Match": '"9"'})):
        reply = call()
        assert reply.status == 412 and reply.json["error"] == "precondition_failed"
    assert client.get(path).json["name"] == "a"
    assert client.patch(path, {"name": "c"}, headers={"If-Match": "*"}).status == 200
    assert client.delete(path, headers={"If-Match": '"3"'}).status == 204


def test_concurrent_changes_of_one_endpoint_are_all_kept(client):
    endpoint = make(client, metadata={"n": 0})
    path = path_of(endpoint)

    def count_up():
        done = 0
        while done < 5:
            got = client.get(path)
            reply = client.patch(path, {"metadata": {"n": got.json["metadata"]["n"] + 1}}, headers={"If-Match": got.headers["ETag"]})
            assert reply.status in (200, 412), reply
            done += reply.status == 200

    def set_own(number):
        for turn in range(5):
            assert client.patch(path, {f"own-{number}": turn}).status == 200

    run_at_once([count_up] * 4 + [lambda number=number: set_own(number) for number in range(4)])
    after = client.get(path).json
    assert after["metadata"] == {"n": 20} and after["version"] == 41
    assert [after[f"own-{number}"] for number in range(4)] == [4] * 4


def test_only_changes_for_deliveries_raise_the_version_of_changes(client, hookline, tenant):
    def versions():
        with hookline.reader() as read:
            return (read("SELECT version FROM changes")[0]["version"],
                    read("SELECT version FROM routing_versions WHERE tenant_id = :id", id=tenant.id)[0]["version"])

    endpoint = make(client)
    for name, value in (OTHERS | {"url": URL + "x", "secret": SECRET, "own": 1}).items():
        before = versions()
        patched(client, endpoint, {name: value})
        after = versions()
        assert after[1] == before[1] + 1 and (after[0] > before[0]) == (name not in NOT_FOR_DELIVERIES), name
    before = versions()
    assert client.delete(path_of(endpoint)).status == 204
    assert versions()[0] > before[0] and versions()[1] == before[1] + 1


def test_a_new_url_or_enabling_it_ends_a_run_of_failures(client, hookline):
    endpoint = make(client)

    def disable():
        hookline.query("UPDATE endpoints SET state = 'disabled', disabled_reason = 'gone', failing_since = created_at"
                       " WHERE endpoint_id = :id", id=endpoint["id"])
        got = client.get(path_of(endpoint)).json
        assert (got["state"], got["disabled_reason"], got["failing_since"], got["enabled"]) == \
            ("disabled", "gone", endpoint["created_at"], False)
        return got

    got = disable()
    kept = patched(client, endpoint, got | {"name": "other"})
    assert kept["state"] == "disabled" and kept["failing_since"]
    assert client.get("/v1/endpoints?enabled=false").json["count"] == 1
    for change in {"enabled": True}, {"url": URL + "new"}:
        disable()
        changed = patched(client, endpoint, change)
        assert (changed["state"], changed["disabled_reason"], changed["failing_since"]) == ("active", None, None)


def test_each_change_has_an_audit_row_without_secrets(client, hookline, tenant):
    key = tenant.key(["endpoints.write"], name="ci")
    endpoint = make(key, secret=SECRET, headers={"X-A": "hidden-value"})
    path = path_of(endpoint)
    key.patch(path, {"name": "new", "secret": OTHER_SECRET})
    rotated = key.post(path + "/rotate-secret").json["secret"]
    key.delete(path)
    rows = hookline.query("SELECT * FROM audit_log WHERE tenant_id = :id AND object_id = :object ORDER BY audit_id",
                          id=tenant.id, object=endpoint["id"])
    assert [row["action"] for row in rows] == \
        ["endpoint.create", "endpoint.update", "endpoint.rotate_secret", "endpoint.delete"]
    assert {(row["key_id"], row["key_name"], row["object_kind"]) for row in rows} == {(key.id, "ci", "endpoint")}
    old, new = as_json(rows[1]["before"]), as_json(rows[1]["after"])
    assert old["name"] is None and new["name"] == "new" and new["headers"] == {"X-A": "***"}
    assert old["secret"] == "***" and new["secret"] != "***", "the row shows the change, not the secret"
    assert rows[0]["before"] is None and rows[3]["after"] is None
    assert not any(secret in repr(rows) for secret in (SECRET, OTHER_SECRET, rotated, "hidden-value"))


def test_reading_and_writing_need_different_scopes(tenant, client):
    reader, writer = tenant.key(["endpoints.read"]), tenant.key(["endpoints.write"])
    endpoint = make(writer)
    assert reader.get(path_of(endpoint)).status == reader.get("/v1/endpoints").status == 200
    for reply in (reader.post("/v1/endpoints", {"url": URL}), reader.patch(path_of(endpoint), {}), reader.delete(path_of(endpoint)),
                  reader.post(path_of(endpoint) + "/rotate-secret")):
        assert reply.status == 403 and reply.json["required_scope"] == "endpoints.write"


# ---- deletes ----


def test_every_route_answers_404_for_a_deleted_endpoint(client):
    endpoint = make(client)
    path = path_of(endpoint)
    reply = client.delete(path)
    assert reply.status == 204 and reply.body == b""
    for again in client.get(path), client.patch(path, {"name": "x"}), client.delete(path), client.post(path + "/rotate-secret"):
        assert again.status == 404
    assert client.get("/v1/endpoints").json["count"] == 0


# ---- daemons with other options ----


def test_without_a_master_key_header_values_are_stored_and_merged_in_plain_text(make_hookline):
    hookline = make_hookline("embedded", HL_MASTER_KEY=None, HL_ALLOW_NETWORKS="loopback, 10.1.0.0/16").start()
    client = hookline.new_tenant().client
    endpoint = make(client, url="http://localhost:8080/", secret=SECRET, headers={"X-A": "one", "x-b": "t\"wo", "X-C": "3"})
    assert stored(hookline, endpoint)["secret"] == SECRET
    changed = patched(client, endpoint, {"headers": {"X-B": "***", "X-A": "***", "X-D": "new"}})
    assert changed["headers"] == {"X-B": "***", "X-A": "***", "X-D": "***"}
    assert json.loads(stored(hookline, endpoint)["headers"]) == {"X-B": "t\"wo", "X-A": "one", "X-D": "new"}
    reply = client.patch(path_of(endpoint), {"headers": {"X-A": "***", "X-C": "***"}})
    assert reply.status == 400 and "headers.X-C" in reply.json["detail"]
    assert patched(client, endpoint, {"headers": None})["headers"] == {}
    for url, status in {"http://127.0.0.1/": 201, "http://[::1]:1/": 201, "http://10.1.2.3/": 201, "http://10.2.0.1/": 400,
                        "http://169.254.169.254/": 400}.items():
        assert client.post("/v1/endpoints", {"url": url}).status == status, url


def test_a_patch_keeps_headers_whose_master_key_is_missing(make_hookline):
    hookline = make_hookline("embedded").start()
    client = hookline.new_tenant().client
    endpoint = make(client, headers={"X-A": "one"}, secret=SECRET)
    before = stored(hookline, endpoint)
    hookline.daemon.stop()
    hookline.daemon.options["HL_MASTER_KEY"] = "ab" * 32
    hookline.start()
    got = client.get(path_of(endpoint)).json
    assert got["headers"] is None
    assert patched(client, endpoint, {"name": "renamed"})["name"] == "renamed"
    for headers in None, {}, {"X-A": "two"}:
        reply = client.patch(path_of(endpoint), got | {"headers": headers})
        assert reply.status == 409 and "HL_MASTER_KEY" in reply.json["detail"]
    after = stored(hookline, endpoint)
    assert after["headers"] == before["headers"] and after["secret"] == before["secret"]
