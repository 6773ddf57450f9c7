"""Invalid endpoints: the reply names the member, and no row is stored. Over both stores."""

import uuid

import pytest

from harness.endpoints import SECRET, URL, make, patched, path_of


@pytest.fixture
def client(tenant):
    return tenant.client


BAD_URLS = {
    "ftp://example.com/": "https://", "example.com": "https://", "": "empty", "https://": "host", "https://a:0/": "port",
    "https://a:65536/": "port", "http://name:80@10.0.0.5/": "user name", "http://a\\@b/": "backslash at byte 9",
    "https://a%40b/": "host", "https://example.com/a b": "blank at byte 22", "https://b\u00fccher.example/": "ASCII at byte 10",
    "https://example.com/\u20ac": "ASCII at byte 21", "https://example.com/#part": "fragment", "http://127.0.0.1/": "HL_ALLOW_NETWORKS",
    "http://0x7f.1/": "HL_ALLOW_NETWORKS", "http://2130706433/": "HL_ALLOW_NETWORKS", "http://0177.0.0.1/": "HL_ALLOW_NETWORKS",
    "http://localhost:8080/": "HL_ALLOW_NETWORKS", "http://169.254.169.254/latest": "HL_ALLOW_NETWORKS",
    "http://[::ffff:127.0.0.1]/": "HL_ALLOW_NETWORKS", "http://[64:ff9b::7f00:1]/": "HL_ALLOW_NETWORKS",
    "http://[2002:7f00:1::]/": "HL_ALLOW_NETWORKS", "http://[fe80::1%25eth0]/": "zone", "https://x.example/" + "a" * 2048: "bytes",
    "https://example.com/\n": "url",
}
BAD_HEADERS = {
    "X-A\r\nHost": "x", "X A": "x", "": "x", "X\u00e9": "x", "Host": "x", "content-length": "1", "Content-Type": "x", "Connection": "x",
    "Transfer-Encoding": "x", "user-agent": "x", "X-HL-Signature": "x", "x-hookline-topic": "x", "webhook-id": "x",
    "X-V1": "a\r\nHost: b", "X-V2": "a\n", "X-V3": "\x7f", "X-V4": 5, "X-V5": None, "X-V6": ["a"], "X-V7": " a", "X-V8": "\u20ac",
    "X-V9": "a" * 4096, "X-V10": "***",
}
BAD_SECRETS = ["abc", "v1," + SECRET, SECRET + "\n", " " + "a" * 20, "whsec_AAAA", "whsec_" + "!" * 32, SECRET[:-1], "whsk_" + "a" * 32,
               "a" * 257, 5, [], True]
BAD_FIELDS = [
    ("enabled", ["true", 1, [], "yes"]), ("paused", ["false", 0]), ("fifo", [1]), ("exact_limits", ["x"]), ("fail_fast", [0]),
    ("keep_response", ["x"]), ("legacy_headers", [1]), ("timeout_ms", [0, 99, 300001, -1, 1.5, "30000", True, [], 10**30]),
    ("max_in_flight", [0, 10001, -5, "1"]), ("rate_limit_rps", [0, 100001, 0.5]), ("ordering", ["both", "", 1, "Endpoint"]),
    ("on_dead", ["stop", 5]), ("body", ["json", {}]), ("name", [5, "a" * 256, "a\nb", "\u001b[0m"]),
    ("description", [{}, "a" * 4097, "\u0000"]), ("metadata", ["x", [], 5]), ("headers", ["x", [], 5]),
    ("max_attempts", [0, 102, "3", 1.5]), ("max_retries", [-1, 101, "3"]),
    ("retry_schedule", ["", "5", "5s,", "0s", "8d", "169h", 5, {}, ["5"], [999], [True], [None], ["5s", []], [1000] * 101, [10**10]]),
]
BAD_BODIES = ["{", "", "[]", "null", "5", '"x"', '{"url":"https://x.example"', '{"url":"https://x.example"}}', "\x00", '{"a":NaN}',
              b'{"url":"https://x.example","name":"\xff"}', '{"url":"https://x.example","x":"\\ud800"}',
              '{"url":"https://x.example","x":{"\\u0000":1}}', '{"url":"https://x.example","x":' + "[" * 100 + "]" * 100 + "}"]


def refused_fields():
    for url, told in BAD_URLS.items():
        yield {"url": url}, "url", told
    yield {"url": 5}, "url", "string"
    yield {"url": None}, "url", "required"
    for name, value in BAD_HEADERS.items():
        yield {"headers": {"X-Good": "1", name: value}}, "headers", (name or "empty name").split("\r")[0]
    yield {"headers": {"x-a": "1", "X-A": "2"}}, "headers", "twice"
    yield {"headers": {f"x-{n}": "1" for n in range(33)}}, "headers", "32"
    yield {"headers": {f"x-{n}": "1" for n in range(5000)}}, "headers", ""
    for secret in BAD_SECRETS:
        yield {"secret": secret}, "secret", ""
    for name, values in BAD_FIELDS:
        for value in values:
            yield {name: value}, name, ""


def test_invalid_members_are_refused_by_name_and_nothing_is_stored(client, hookline, tenant):
    endpoint = make(client, name="kept", headers={"X-Kept": "1"})
    before = hookline.rows_of(tenant.id)
    for fields, place, told in refused_fields():
        for reply in client.post("/v1/endpoints", {"url": URL} | fields), client.patch(path_of(endpoint), fields):
            assert reply.status == 400 and reply.json["error"] == "validation_error", (fields, reply)
            assert place in reply.json["detail"] and told in reply.json["detail"], (fields, reply)
            assert reply.json["message"] == reply.json["detail"]
    for body in BAD_BODIES:
        reply = client.post("/v1/endpoints", body)
        assert reply.status == 400 and reply.json["error"] in ("invalid_json", "validation_error"), (body, reply)
        if body:  # an empty body counts as {}, a valid change of nothing
            assert client.patch(path_of(endpoint), body).status == 400, body
    assert client.post("/v1/endpoints", {"secret": "***", "url": URL}).status == 400
    assert client.post("/v1/endpoints", {}).json["detail"] == "url: is required"
    assert hookline.rows_of(tenant.id) == before


def test_urls_of_the_own_inbox_are_accepted_only_while_it_is_on(client, hookline):
    path = "/v1/dev/inbox/receive/token"
    for url in f"http://localhost:8080{path}", f"http://127.0.0.1{path}", f"http://[::1]:1{path}":
        reply = client.post("/v1/endpoints", {"url": url})
        assert reply.status == 201 and reply.json["url"] == url
    for url in (f"http://10.0.0.1{path}", f"http://localhost{path}/../../../../../events", f"http://localhost{path}%2f..", f"http://localhost/x{path}",
                "http://localhost/v1/dev/inbox/receive/", f"http://127.0.0.1{path}?a=b", f"http://0.0.0.0{path}"):
        assert client.post("/v1/endpoints", {"url": url}).status == 400, url


def test_an_error_about_a_url_or_secret_does_not_repeat_it(client, hookline):
    token = uuid.uuid4().hex
    for body in [{"url": f"http://127.0.0.1/{token}"}, {"url": f"http://{token}:{token}@x.example/"},
                 {"url": URL, "secret": f"v1,{token}"}, {"url": URL, "headers": {"X-A": f"{token}\n"}}]:
        reply = client.post("/v1/endpoints", body)
        assert reply.status == 400 and token.encode() not in reply.body
    assert token not in hookline.daemon.log()


def test_invalid_and_foreign_ids_are_not_found(client, hookline):
    foreign = make(hookline.new_tenant().client)
    for name in ["x", "0", "%20", "..", "'", str(uuid.uuid4()), foreign["id"], foreign["id"] + "0", foreign["id"][:-1], "a" * 300]:
        path = f"/v1/endpoints/{name}"
        for reply in client.get(path), client.patch(path), client.delete(path), client.post(path + "/rotate-secret"):
            assert reply.status == 404 and reply.json["error"] == "not_found", (name, reply)


def test_a_tenant_id_in_a_body_or_query_has_no_effect(client, hookline, tenant):
    other = hookline.new_tenant()
    endpoint = make(client, tenant_id=other.id, id=str(uuid.uuid4()), state="disabled", version=9, created_at=1)
    assert endpoint["tenant_id"] == tenant.id and endpoint["state"] == "active" and endpoint["version"] == 1
    assert patched(client, endpoint, {"tenant_id": other.id, "endpoint_id": "x"})["tenant_id"] == tenant.id
    assert client.get(f"/v1/endpoints?tenant_id={other.id}").json["count"] == 1
    assert other.client.get(f"/v1/endpoints?tenant_id={tenant.id}").json["count"] == 0


def test_an_object_over_64_kib_is_refused(client):
    assert client.post("/v1/endpoints", {"url": URL, "own": "x" * 65536}).status == 413
    endpoint = make(client, own="x" * 40000)
    reply = client.patch(path_of(endpoint), {"more": "x" * 40000})
    assert reply.status == 413 and reply.json["error"] == "payload_too_large"
    assert "more" not in client.get(path_of(endpoint)).json
    assert patched(client, endpoint, {"own": None, "more": "x" * 40000})["version"] == 2
    assert make(client, headers={f"x-{n}": "v" * 1900 for n in range(32)})["headers"].keys() == {f"x-{n}" for n in range(32)}
