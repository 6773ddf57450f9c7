"""CORS: pages of other origins. Off by default."""

import pytest

from harness.client import detail
from harness.daemon import run_program
from harness.events import minimal
from harness.metrics import series

APP = "https://app.example"
POSTED = {"/events", "/events/batch"}
ROUTES = POSTED | {"/", "/health", "/livez", "/readyz", "/metrics", "/metrics/prometheus", "/openapi.json", "/openapi.yaml"}


def preflight(client, path, origin=APP, method="POST", headers="content-type,idempotency-key"):
    return client.request("OPTIONS", path, headers={
        "Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers})


def allowed(reply):
    return reply.headers["Access-Control-Allow-Origin"]


def test_replies_have_no_cors_headers_by_default(hooksd):
    with hooksd().client() as client:
        for path in ROUTES:
            assert preflight(client, path).status == 405
        reply = client.request("GET", "/health", None, {"Origin": APP})
    assert reply.status == 200
    assert not [name for name in reply.headers if name.lower().startswith(("access-control", "vary"))]


@pytest.mark.parametrize("path", sorted(ROUTES) + ["//events", "/events/"])
def test_a_preflight_is_answered_on_every_route(shared_hooksd, path):
    daemon = shared_hooksd(CORS_ORIGINS=f"https://other.example, {APP}")
    with daemon.client() as client:
        for _ in range(2):  # on the same connection
            reply = preflight(client, path)
            assert (reply.status, reply.body) == (204, b"")
            assert "Content-Length" not in reply.headers
            assert allowed(reply) == APP
            assert ("POST" if "events" in path else "GET") in reply.headers["Access-Control-Allow-Methods"]
            assert reply.headers["Access-Control-Allow-Headers"] == "content-type,idempotency-key"
            assert int(reply.headers["Access-Control-Max-Age"]) > 0
            assert "Origin" in reply.headers["Vary"]
        assert client.connection.sock is not None


def test_an_allowed_page_can_read_every_reply(hooksd):
    daemon = hooksd(CORS_ORIGINS=APP, MAX_BODY_BYTES=100_000)
    requests = [
        (202, "POST", "/events", b'{"event_type":"a","session_id":"s"}'),
        (422, "POST", "/events", b"{}"),
        (413, "POST", "/events", b" " * 200_000),
        (404, "GET", "/nowhere", None),
        (405, "GET", "/events", None),
        (200, "GET", "/health", None),
    ]
    for status, method, path, body in requests:
        with daemon.client() as client:
            reply = client.request(method, path, body, {"Origin": APP})
        assert reply.status == status
        assert allowed(reply) == APP
        assert reply.headers["Vary"] == "Origin"
        assert reply.headers["Access-Control-Expose-Headers"] == (
            "X-Hooks-Ack, Preference-Applied, Retry-After, ETag, X-Tenant-Id, WWW-Authenticate")


def test_other_origins_get_no_cors_headers(hooksd):
    with hooksd(CORS_ORIGINS=APP).client() as client:
        for origin in ("https://evil.example", "http://app.example", f"{APP}:8443", f"{APP}.evil.example", "null", APP[:-1]):
            for reply in (preflight(client, "/events", origin), client.post("/events", minimal(), Origin=origin)):
                assert allowed(reply) is None, origin
                assert reply.headers["Vary"] == "Origin"


def pages_of(port):
    """Headers of a browser's POST, and whether it is accepted without CORS_ORIGINS."""
    own = f"http://127.0.0.1:{port}"
    return [
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": f"{own}.evil.example"}, False),
        ({"Origin": "http://127.0.0.1"}, False),
        ({"Origin": APP, "Sec-Fetch-Site": "cross-site"}, False),
        ({"Origin": own, "Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({}, True),
        ({"Origin": own}, True),
        ({"Origin": APP, "Sec-Fetch-Site": "same-origin"}, True),  # a proxy has changed Host
        ({"Sec-Fetch-Site": "none"}, True),
    ]


def test_a_page_of_another_origin_cannot_post_events(hooksd):
    """A body without a media type, which browsers send without a preflight."""
    daemon = hooksd()
    with daemon.client() as client:
        for path in ("/events", "/events/batch"):
            for headers, let_in in pages_of(daemon.port):
                body = b'{"event_type":"a","session_id":"s"}' if path == "/events" else b"[]"
                reply = client.request("POST", path, body, headers)
                assert reply.status == (202 if let_in else 403), headers
                if not let_in:
                    assert "CORS_ORIGINS" in detail(reply)
        assert client.request("GET", "/health", None, {"Origin": APP}).status == 200
    assert len(daemon.jsonl_events()) == 4
    assert series(daemon)['requests_rejected_total{reason="forbidden"}'] == 14


def test_a_page_of_an_allowed_origin_can_post_events(hooksd):
    with hooksd(CORS_ORIGINS=f"{APP}, vscode-webview://abc").client() as client:
        for origin in (APP, "vscode-webview://abc"):
            for more in ({}, {"Sec-Fetch-Site": "cross-site"}):
                assert client.post("/events", minimal(), Origin=origin, **more).status == 202
        assert client.post("/events", minimal(), Origin=f"{APP}:444").status == 403


def test_a_request_with_a_key_is_accepted_from_any_origin(hooksd):
    daemon = hooksd(HL_API_KEY="a-key-of-the-test")
    with daemon.client() as client:
        key = {"Authorization": "Bearer a-key-of-the-test"}
        assert client.request("POST", "/events", b'{"event_type":"a","session_id":"s"}', key | {"Origin": APP}).status == 202
        assert client.request("POST", "/events", b'{"event_type":"a","session_id":"s"}', {"Origin": APP}).status == 403


def test_a_star_allows_any_origin(hooksd):
    with hooksd(CORS_ORIGINS="*").client() as client:
        for reply in (preflight(client, "/events", "https://any.example"), client.post("/events", minimal(), Origin="null")):
            assert allowed(reply) == "*"
        assert allowed(client.post("/events", minimal(), Origin=APP)) == "*"


def test_options_without_an_origin_lists_the_methods(hooksd):
    with hooksd(CORS_ORIGINS=APP).client() as client:
        reply = client.request("OPTIONS", "/events")
        assert (reply.status, reply.headers["Allow"]) == (204, "POST, OPTIONS")
        assert client.request("PUT", "/events").headers["Allow"] == "POST, OPTIONS"
        assert client.request("OPTIONS", "/nowhere").status == 404


@pytest.mark.parametrize("value", [f"{APP}/", "app.example", f"{APP},", "*,https://a.example", "https://*.example", "https://", "null"])
def test_an_invalid_origin_in_cors_origins_is_refused_at_start(value):
    result = run_program("hooksd", "--check-config", options={"CORS_ORIGINS": value})
    assert result.returncode == 64
    assert "like https://app.example" in result.stderr
