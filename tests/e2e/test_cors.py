"""Pages of other origins: what their browser asks and is told, off by default."""

import pytest

from harness.daemon import run_program
from harness.events import minimal

APP = "https://app.example"
POSTED = {"/events", "/events/batch"}
ROUTES = POSTED | {"/", "/health", "/livez", "/readyz", "/metrics", "/metrics/prometheus", "/openapi.json", "/openapi.yaml"}


def preflight(client, path, origin=APP, method="POST", headers="content-type,idempotency-key"):
    return client.request("OPTIONS", path, headers={
        "Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers})


def allowed(reply):
    return reply.headers["Access-Control-Allow-Origin"]


def test_nothing_is_said_unless_it_is_configured(hooksd):
    with hooksd().client() as client:
        for path in ROUTES:
            assert preflight(client, path).status == 405
        reply = client.post("/events", minimal(), Origin=APP)
    assert reply.status == 202
    assert not [name for name in reply.headers if name.lower().startswith(("access-control", "vary"))]


@pytest.mark.parametrize("path", sorted(ROUTES) + ["//events", "/events/"])
def test_a_preflight_is_answered_on_every_route(hooksd, path):
    daemon = hooksd(CORS_ORIGINS=f"https://other.example, {APP}")
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


def test_every_reply_can_be_read_by_the_page(hooksd):
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


def test_other_origins_are_not_let_in(hooksd):
    with hooksd(CORS_ORIGINS=APP).client() as client:
        for origin in ("https://evil.example", "http://app.example", f"{APP}:8443", f"{APP}.evil.example", "null", APP[:-1]):
            for reply in (preflight(client, "/events", origin), client.post("/events", minimal(), Origin=origin)):
                assert allowed(reply) is None, origin
                assert reply.headers["Vary"] == "Origin"


def test_any_origin(hooksd):
    with hooksd(CORS_ORIGINS="*").client() as client:
        for reply in (preflight(client, "/events", "https://any.example"), client.post("/events", minimal(), Origin="null")):
            assert allowed(reply) == "*"
        assert allowed(client.post("/events", minimal(), Origin=APP)) == "*"


def test_options_without_a_page(hooksd):
    with hooksd(CORS_ORIGINS=APP).client() as client:
        reply = client.request("OPTIONS", "/events")
        assert (reply.status, reply.headers["Allow"]) == (204, "POST, OPTIONS")
        assert client.request("PUT", "/events").headers["Allow"] == "POST, OPTIONS"
        assert client.request("OPTIONS", "/nowhere").status == 404


@pytest.mark.parametrize("value", [f"{APP}/", "app.example", f"{APP},", "*,https://a.example", "https://*.example", "https://", "null"])
def test_what_is_no_origin_is_refused_at_start(value):
    result = run_program("hooksd", "--check-config", options={"CORS_ORIGINS": value})
    assert result.returncode == 64
    assert "like https://app.example" in result.stderr
