"""
Hostile requests to every operation of the webhooks' API: each gets an error in JSON, no row changes, no process dies,
and the log gets no warning.
"""

import json
import re

import pytest

from harness.client import RawConnection
from harness.metrics import series
from harness.operations import OPERATIONS, body_of, make_objects, path_of, takes_body
from harness.webhooks import NOTHING, one_store, postgres_is_slow

LIMIT = 65536  # the greatest body, in bytes
WITH_BODY = [operation for operation in OPERATIONS if takes_body(operation) and operation.symbol != "ADMIN_ROTATE_SECRETS"]
WITH_ID = [operation for operation in OPERATIONS if "{" in operation.path]
LISTS = [operation for operation in OPERATIONS if operation.symbol.endswith("_LIST")]


def names(operation):
    return operation.symbol


class Target:
    """A tenant with objects, and a client that may use all operations."""

    def __init__(self, hookline):
        self.hookline = hookline
        self.tenant = hookline.new_tenant()
        self.own = make_objects(self.tenant, "own")
        self.client = self.tenant.key(["*", "admin"])
        self.own["key"] = self.tenant.key().id

    def ask(self, operation, body=NOTHING, path=None, query="", headers=()):
        """Requests the operation on the tenant's own objects. Arguments replace parts of the request."""
        if body is NOTHING and takes_body(operation):
            body = body_of(operation, self.own)
        target = path or path_of(operation, self.own)
        return self.client.request(operation.method, target + (f"?{query}" if query else ""), body, headers)


@pytest.fixture
def target(hookline):
    """
    One tenant for all tests. After a test its rows are unchanged, no process has died, and the log has no warning.
    """
    target = hookline.once("hostile", Target)
    before = hookline.rows_of(target.tenant.id)
    tenants = hookline.value("SELECT count(*) FROM tenants WHERE deleted_at IS NULL")
    pids = {role: hookline.daemon.pids(role) for role in ("acceptor", "control")}
    logged = len(hookline.daemon.whole_log())
    yield target
    assert hookline.rows_of(target.tenant.id) == before
    assert hookline.value("SELECT count(*) FROM tenants WHERE deleted_at IS NULL") == tenants
    assert {role: hookline.daemon.pids(role) for role in pids} == pids
    assert not re.findall(r"^\S+ (?:error|warning) .*$", hookline.daemon.whole_log()[logged:], re.MULTILINE)
    assert target.client.get("/v1/endpoints").status == 200


def assert_refused(reply, *statuses):
    assert reply.status in statuses, reply
    assert reply.json["detail"]  # the client checks the rest against openapi.json


MALFORMED = [
    b"", b" ", b"{", b"}", b"[", b'{"a"', b'{"a":', b'{"a":1', b'{"a":1,}', b'{"a":1}x', b'{"a":1}{"a":1}', b"{'a':1}",
    b'{"a":01}', b'{"a":+1}', b'{"a":.5}', b'{"a":NaN}', b'{"a":tru}', b'{"a":"\x01"}', b'{"a":"\n"}', b'{"a":"\\x"}',
    b'{"a":"\\u12"}', b'{"a":"', b'{"a":"\xff"}', b'{"\xc3":1}', b'{"a":"\xc0\x80"}', b'{"a":"\xed\xa0\x80"}',
    b"\xef\xbb\xbf{", b"\x00", b'{"a":1}\x00', b'{"\x00":1}', b"\xff\xfe{\x00}\x00", b"<xml/>", b"a=b", b"[" * 20000,
    b'{"a":' * 10000, b"[" * 300 + b"]" * 300, b"/**/{}", b'{"a":1e}', b"nul",
]


@postgres_is_slow
@pytest.mark.parametrize("operation", WITH_BODY, ids=names)
def test_invalid_json_is_400_with_the_position(target, operation):
    for body in MALFORMED:
        if not body.strip() and operation.symbol not in ("ENDPOINT_CREATE", "SUBSCRIPTION_CREATE", "SUBSCRIPTION_TEST", "TENANT_ROTATE_KEY"):
            continue  # an empty body counts as {}, valid for operations without required members
        reply = target.ask(operation, body)
        assert_refused(reply, 400)
        assert reply.json["error"] in ("invalid_json", "validation_error"), (body, reply)


@postgres_is_slow
@pytest.mark.parametrize("operation", WITH_BODY, ids=names)
def test_a_body_other_than_an_object_is_400(target, operation):
    for body in ([], [{}], "text", b'"text"', 1, 1.5, True, None, [body_of(operation, target.own)]):
        assert_refused(target.ask(operation, body), 400)


def wrong_values(document, schema):
    """Values that a member's schema does not allow."""
    document_schema = document.resolve(schema) if "$ref" in schema else schema
    longest = document_schema.get("maxLength", 0)
    candidates = [True, 0, -1, 1, 1.5, 1e300, 2**31, 2**63, -(2**63), 2**64, "", "x", "x\u0000y", "\u001b[31m", " ", [], [1],
                  [[]], {}, {"a": 1}, "x" * (longest + 1), "x" * 10000]
    return [value for value in candidates if document.errors(schema, value)]


@postgres_is_slow
@pytest.mark.parametrize("operation", WITH_BODY, ids=names)
def test_members_of_a_wrong_type_or_out_of_bounds_are_400_and_named(target, operation):
    document = target.hookline.document
    described = document.document["paths"][operation.path][operation.method.lower()]
    if "requestBody" not in described:
        return
    schema = document.resolve(described["requestBody"]["content"]["application/json"]["schema"])
    if schema.get("maxProperties") == 0:
        assert_refused(target.ask(operation, {"any": 1}), 400, 404)
        return
    tried = 0
    for name, member in schema["properties"].items():
        for value in wrong_values(document, member):
            reply = target.ask(operation, body_of(operation, target.own) | {name: value})
            assert_refused(reply, 400, 404)
            assert reply.status == 404 or name in reply.json["detail"], (value, reply)
            tried += 1
    assert tried > 5


@postgres_is_slow
@pytest.mark.parametrize("operation", WITH_BODY, ids=names)
def test_texts_with_nul_or_half_surrogate_pairs_are_400(target, operation):
    """NUL and half surrogate pairs are valid JSON, but no store keeps them."""
    for text in (b"a\\u0000b", b"\\ud800", b"\\udc00\\ud800"):
        for body in (b'{"name":"%s"' % text, b'{"metadata":{"a":"%s"}' % text, b'{"metadata":{"%s":1}' % text):
            rest = json.dumps(body_of(operation, target.own)).encode()[1:]
            if b'"name"' in body:
                rest = re.sub(rb'"name": "\w+"(, )?', b"", rest)
            reply = target.ask(operation, body + (b"," if rest != b"}" else b"") + rest)
            assert_refused(reply, 400)


@one_store
@pytest.mark.parametrize("operation", OPERATIONS, ids=names)
def test_a_body_over_64_kib_is_413(target, operation):
    body = json.dumps({"name": "x", "pad": "p" * LIMIT}).encode()
    assert_refused(target.ask(operation, body), 413)
    assert_refused(target.ask(operation, b" " * (1 << 20)), 413)


IDS = ["%00", "%ff", "%C0%80", "%", "%z", "%zz", "a%0ab", "%1b%5b31m", "%2e%2e%2f", "a%2fb", "'%20OR%201=1--", "x" * 100,
       "x" * 1000, "0", "-1", "null", "00000000-0000-0000-0000-000000000000", "0190f5fe-7c00-7a00-8abc-01234567abc",
       "0190f5fe-7c00-7a00-8abc-012345678abcd", "%F0%9F%98%80", "*", "{id}", "%25s%25n", "a;b", "a:b"]


@postgres_is_slow
@pytest.mark.parametrize("operation", WITH_ID, ids=names)
def test_invalid_ids_are_4xx(target, operation):
    for text in IDS:
        reply = target.ask(operation, path=operation.path.replace("{id}", text).replace("{key_id}", text))
        assert_refused(reply, 400, 404)
        if "{key_id}" in operation.path:
            reply = target.ask(operation, path=operation.path.replace("{id}", target.tenant.id).replace("{key_id}", text))
            assert_refused(reply, 400, 404)


QUERIES = [
    *(f"limit={value}" for value in ("0", "-1", "1001", "x", "1e3", "1.5", "%00", "+5x", "9" * 30, "0x10", "%31x")),
    *(f"cursor={value}" for value in ("x", "%00", "%ff", "AAAA", "=", "-", "_", "a" * 1000, "..", "%2e", "null", "A" * 43)),
    *(f"order={value}" for value in ("up", "ASC", "asc,desc", "%61scx", "1", "%00")),
    "limit=5&limit=6x", "limit=%", "limit=%f", "order=%zz", "cursor=%e4",
]


@postgres_is_slow
@pytest.mark.parametrize("operation", LISTS, ids=names)
def test_invalid_query_values_are_400_and_named(target, operation):
    for query in QUERIES:
        reply = target.ask(operation, query=query)
        assert_refused(reply, 400)
        assert reply.json["error"] == "validation_error" and query.split("=")[0] in reply.json["detail"], (query, reply)


@postgres_is_slow
@pytest.mark.parametrize("operation", LISTS, ids=names)
def test_long_or_malformed_queries_are_200_or_400(target, operation):
    for query in ("", "&", "=", "&&==&", "limit", "limit=", "a" * 5000, "x=" + "%41" * 1500, "&".join(f"a{n}=1" for n in range(900)),
                  "%00=1", "%ff=%ff", "%", "limit=5;cursor=x"):
        assert target.ask(operation, query=query).status in (200, 400), query


@postgres_is_slow
@pytest.mark.parametrize("operation", OPERATIONS, ids=names)
def test_repeated_or_invalid_headers_are_refused(target, operation):
    key = target.client.key
    bearer = ("Authorization", f"Bearer {key}")
    for other in (f"Bearer {key}", "Bearer nonsense", ""):
        assert_refused(target.ask(operation, headers=[bearer, ("Authorization", other)]), 400, 401)
    if operation.symbol.startswith(("ENDPOINT_", "SUBSCRIPTION_")) and operation.symbol.endswith(("_UPDATE", "_DELETE")):
        for value in ('"0"', '"999"', "1", "W/\"1\"", '"', '""', "x" * 1000, '"1', "\x07", '"99999999999999999999"', "\xff"):
            assert_refused(target.ask(operation, headers={"If-Match": value}), 400, 412)
        assert_refused(target.ask(operation, headers=[("If-Match", '"7"'), ("If-Match", '"8"')]), 400, 412)
    if operation.symbol == "TENANT_CREATE":
        for value in ("", " ", "x" * 256, "a\x7fb", "\xe4", "a\tb"):
            assert_refused(target.ask(operation, headers={"Idempotency-Key": value}), 400)
        assert_refused(target.ask(operation, headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "b")]), 400)


@one_store
@pytest.mark.parametrize("operation", OPERATIONS, ids=names)
def test_other_methods_are_405_and_change_nothing(target, operation):
    path = path_of(operation, target.own)
    for method in ("PUT", "OPTIONS", "TRACE", "QUERY", "PROPFIND", "get", "Delete"):
        reply = target.client.request(method, path)
        assert_refused(reply, 405)
        assert operation.method in reply.headers["Allow"]
    if operation.method == "GET":
        head, got = target.client.request("HEAD", path), target.client.get(path)
        assert (head.status, head.body, head.headers["ETag"]) == (got.status, b"", got.headers["ETag"])


def test_requests_that_end_early_or_are_cut_off_change_nothing(target):
    for operation in WITH_BODY:
        body = json.dumps(body_of(operation, target.own)).encode()
        head = (f"{operation.method} {path_of(operation, target.own)} HTTP/1.1\r\nHost: a\r\n"
                f"Authorization: Bearer {target.client.key}\r\nContent-Length: {len(body) + 1}\r\n\r\n").encode()
        for data in (head, head + body, head + body[:1]):
            with RawConnection(target.hookline.daemon.port) as connection:
                connection.send(data)


def test_any_content_type_is_accepted(hookline):
    tenant = hookline.new_tenant()
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "x", ""):
        reply = tenant.client.post(
            "/v1/endpoints", {"url": "https://hooks.example.com/"}, headers={"Content-Type": content_type})
        assert reply.status == 201, content_type


def test_paths_and_ids_of_requests_add_no_series_to_the_metrics(target):
    def series_names():
        return set(series(target.hookline.daemon))

    target.client.get("/v1/nothing")
    before = series_names()
    for number in range(300):
        for path in (f"/v1/{number}", f"/v1/endpoints/{number}", f"/v1/tenants/{number}/stats"):
            target.hookline.admin.get(path)
    assert series_names() == before
    assert not re.search(r"/v1/\w+/|hl_live_|example\.com", str(before))


def test_odd_texts_are_kept_unchanged_and_never_break_a_log_line(hookline):
    odd = "a\"b'c\\d\u2028e\u202ef%s%n"
    tenant = hookline.new_tenant(name=odd)
    key = tenant.key(name=odd)
    for control in ("\n", "\r", "\x1b[31m", "\x7f", "\x85"):
        assert key.post("/v1/endpoints", {"url": "https://hooks.example.com/", "name": f"a{control}b"}).status == 400
    logged = len(hookline.daemon.whole_log())
    reply = key.post("/v1/endpoints", {"url": "https://hooks.example.com/", "name": odd, "description": odd, odd: odd},
                     headers={"User-Agent": "x\\n y\"", "X-Request-Id": "a b"})
    assert reply.status == 201, reply
    shown = key.get(f"/v1/endpoints/{reply.json['id']}").json
    assert (shown["name"], shown["description"], shown[odd]) == (odd, odd, odd)
    assert [row["key_name"] for row in key.items("/v1/admin/audit") if row["action"] == "endpoint.create"] == [odd]
    for path in ("/v1/endpoints/%0a%1b%5b31m", "/v1/%0aerror%20x", "/v1/endpoints?cursor=%0a"):
        assert key.get(path).status in (400, 404)
    for line in hookline.daemon.whole_log()[logged:].splitlines():
        assert re.match(r"\d{4}-\S+Z (debug|info|warning|error) \S+\[\d+\] ", line), line
        assert not re.search(r"[\x00-\x1f\x7f]", line)
