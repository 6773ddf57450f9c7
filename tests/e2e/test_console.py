"""The console's pages over HTTP: access and headers. tests/console opens them in a browser."""

import base64
import re

import pytest

from harness.webhooks import one_store

POLICY = {
    "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "connect-src": "'self'", "img-src": "'self' data:",
    "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
}
HEADERS = {"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
           "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin"}
PAGES = ["/console", "/v1/dev/inbox/ui"]
TYPES = {"html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}


def assert_keeps_to_itself(reply):
    policy = dict(part.strip().split(" ", 1) for part in reply.headers["Content-Security-Policy"].split(";"))
    assert policy == POLICY
    assert {name: reply.headers[name] for name in HEADERS} == HEADERS
    assert "Set-Cookie" not in reply.headers


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def is_off(reply, code, option):
    return (reply.status, reply.json["error"]) == (404, code) and option in reply.json["detail"]


@one_store
@pytest.mark.parametrize("path", [*PAGES, "/console/"])
def test_a_page_needs_no_key_and_its_headers_isolate_it(hookline, path):
    reply = hookline.keyless.get(path)
    assert (reply.status, reply.headers["Content-Type"]) == (200, TYPES["html"])
    assert_keeps_to_itself(reply)
    assert hookline.keyless.request("HEAD", path).headers["Content-Length"] == str(len(reply.body))
    with hookline.daemon.client() as client:
        assert client.request("POST", path, b"").status == 405


@one_store
def test_the_service_serves_everything_that_the_pages_load(hookline):
    wanted, loaded = [hookline.keyless.get(path).body.decode() for path in PAGES], set()
    while wanted:
        text = wanted.pop()
        for name in re.findall(r'"/console/([\w.]+)"', text) + re.findall(r'from "\./([\w.]+)"', text):
            if name in loaded:
                continue
            loaded.add(name)
            reply = hookline.keyless.get(f"/console/{name}")
            assert (reply.status, reply.headers["Content-Type"]) == (200, TYPES[name.rsplit(".", 1)[1]])
            assert_keeps_to_itself(reply)
            wanted.append(reply.body.decode())
    assert {"main.js", "inbox_page.js", "style.css", "icon.svg", "api.js"} <= loaded
    for name in ("nothing.js", "MAIN.JS", "main.js.map"):
        reply = hookline.keyless.get(f"/console/{name}")
        assert (reply.status, reply.json["error"]) == (404, "not_found")
        assert_keeps_to_itself(reply)


@one_store
def test_a_browser_with_a_cached_file_gets_304(hookline):
    first = hookline.keyless.get("/console/main.js")
    assert first.headers["Cache-Control"] == "no-cache"
    again = hookline.keyless.get("/console/main.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert_keeps_to_itself(again)
    other = hookline.keyless.get("/console/main.js", headers={"If-None-Match": '"0123456789abcdef01234567"'})
    assert (other.status, other.body) == (200, first.body)


@pytest.mark.parametrize("hookline", ["postgres"], indirect=True)
def test_the_console_is_off_with_postgres_by_default(hookline):
    for path in ("/console", "/console/main.js"):
        reply = hookline.keyless.get(path)
        assert is_off(reply, "console_disabled", "HL_CONSOLE_ENABLED")
        assert_keeps_to_itself(reply)
    assert "/console" not in hookline.keyless.get("/").body.decode()


def test_the_console_asks_for_its_password_if_one_is_set(make_hookline):
    hookline = make_hookline("embedded", HL_CONSOLE_PASS="pa:ss-word", HL_DEV_INBOX="false").start()
    for headers in ({}, basic("admin", "other"), basic("admin", ""), basic("root", "pa:ss-word"), basic("admin", "pa:ss-word2"),
                    {"Authorization": "Basic"}, {"Authorization": "Basic !"}, {"Authorization": "Basic " + "A" * 4000},
                    {"Authorization": f"Bearer {hookline.start_key.key}"}):
        for path in ("/console", "/console/main.js"):
            reply = hookline.keyless.get(path, headers=headers)
            assert reply.status == 401 and reply.headers["WWW-Authenticate"].startswith("Basic realm="), headers
            assert "HL_CONSOLE_PASS" in reply.json["detail"]
            assert_keeps_to_itself(reply)
    assert hookline.keyless.get("/console", headers=basic("admin", "pa:ss-word")).status == 200
    assert hookline.keyless.get("/v1/events", headers=basic("admin", "pa:ss-word")).status == 401, "it is no API key"
    assert is_off(hookline.keyless.get("/v1/dev/inbox/ui"), "dev_inbox_disabled", "HL_DEV_INBOX")
    assert "pa:ss-word" not in hookline.daemon.log()


def test_without_the_api_there_is_no_console(make_hooksd):
    daemon = make_hooksd(HL_CONSOLE_ENABLED="true").start()
    reply = daemon.get("/console")
    assert (reply.status, reply.json()["error"]) == (404, "console_disabled") and "HL_API_KEY" in reply.json()["detail"]
    assert daemon.get("/v1/dev/inbox/ui").status == 404
