"""API keys on the routes of hook events, metrics and the OpenAPI document, with the keys of the configuration."""

import json

import pytest

from harness.events import minimal
from harness.metrics import series
from harness.waiting import wait_until

KEY = "start-key-of-the-tests-0123456789"
ADMIN = "admin-key-of-the-tests-0123456789"
EVENT_ROUTES = [("/events", minimal()), ("/events/batch", [minimal()])]
METRICS_ROUTES = ["/metrics", "/metrics/prometheus", "/openapi.json", "/openapi.yaml"]


def bearer(key):
    return {"authorization": f"Bearer {key}"}


def get(daemon, path, **headers):
    with daemon.client() as client:
        return client.request("GET", path, headers=headers)


@pytest.fixture
def keyed(hooksd):
    """A daemon with start keys, on its embedded store."""

    def start(**options):
        return hooksd(**{"HL_API_KEY": KEY, "HL_STORE_BACKEND": "embedded"} | options)

    return start


def assert_unauthorized(reply):
    assert reply.status == 401, reply
    assert reply.headers["WWW-Authenticate"] == "Bearer"
    assert set(reply.json()) == {"detail"}


def test_events_need_no_key_unless_it_is_required(keyed):
    daemon = keyed()
    for path, body in EVENT_ROUTES:
        with daemon.client() as client:
            assert client.post(path, body).status == 202


def test_a_key_that_is_sent_with_events_must_be_right(keyed):
    daemon = keyed()
    body = b'{"event_type":"t","session_id":"s"}'
    lines = ["POST /events HTTP/1.1", "Host: test", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    for headers in (
        ["Authorization: Bearer nobody-has-this-key"],
        ["Authorization: Basic dXNlcjpwYXNz"],
        ["Authorization: Bearer"],
        ["Authorization: Bearer "],
        [f"Authorization: Bearer{KEY}"],
        [f"Authorization: Bearer {KEY} {KEY}"],
        [f"Authorization: {KEY}"],
        [f"Authorization: Bearer {KEY}é"],
        ["Authorization: Bearer " + "x" * 600],
        ["Authorization:"],
        [f"Authorization: Bearer {KEY}", f"Authorization: Bearer {KEY}"],
    ):
        with daemon.raw() as connection:
            connection.send("\r\n".join([*lines, *headers]).encode() + b"\r\n\r\n" + body)
            reply = connection.read_reply()
        # Before control has read the store's keys, nobody knows whether there is such a key.
        assert reply.status in ((401, 503) if "nobody" in headers[0] else (401,)), (headers, reply)
        assert set(reply.json()) == {"detail"}


def test_the_schemes_name_may_have_any_case(keyed):
    daemon = keyed(REQUIRE_API_KEY="true")
    for scheme in ("Bearer", "bearer", "BEARER", "Bearer  "):
        assert daemon.post_event(minimal(), authorization=f"{scheme} {KEY}").status == 202


def test_events_without_a_key_are_refused_where_one_is_required(keyed):
    daemon = keyed(REQUIRE_API_KEY="true")
    for path, body in EVENT_ROUTES:
        with daemon.client() as client:
            assert_unauthorized(client.post(path, body))
            accepted = client.post(path, body, **bearer(KEY))
            assert accepted.status == 202
            assert accepted.headers["X-Tenant-Id"] == "default"
    assert series(daemon)['requests_rejected_total{reason="unauthorized"}'] == 2


LENGTHS = ["Content-Length: 1000000", "Transfer-Encoding: chunked"]


def head(request, *headers):
    return "\r\n".join([f"{request} HTTP/1.1", "Host: test", *headers]).encode() + b"\r\n\r\n"


def test_strangers_are_refused_before_they_send_a_large_body(keyed):
    daemon = keyed(REQUIRE_API_KEY="true")
    wait_until(lambda: daemon.post_event(minimal(), **bearer("nobody-has-this-key")).status == 401, "the keys to be read")
    for path in ("/events", "//events/batch/?a=b", "/%65vents", "http://test/v1/events", "/v1/events/batch", "/v1/endpoints"):
        for headers in ([], ["Authorization: Basic dXNlcjpwYXNz"], ["Authorization: Bearer nobody-has-this-key"],
                        [f"Authorization: Bearer {KEY}"] * 2):
            for length in LENGTHS:
                with daemon.raw() as connection:
                    connection.send(head(f"POST {path}", length, "Expect: 100-continue", *headers))
                    reply = connection.read_reply()
                    assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, "Bearer"), (path, headers, reply)
                    assert ("error" in reply.json()) == path.startswith("/v1/")
                    assert connection.closed_by_peer()
    with daemon.raw() as connection:
        connection.send(head("POST /events", LENGTHS[0], "Expect: 100-continue", f"Authorization: Bearer {KEY}"))
        assert connection.read_reply().status == 100


def test_only_events_take_large_bodies(keyed):
    daemon = keyed()
    chunk = b"11000\r\n" + b"x" * 0x11000 + b"\r\n"
    for request in ("GET /health", "GET /events", "POST /nothing", "POST /v1/endpoints"):
        for length, body in zip(LENGTHS, (b"", chunk)):
            with daemon.raw() as connection:
                connection.send(head(request, length, f"Authorization: Bearer {KEY}") + body)
                reply = connection.read_reply()
                assert reply.status == 413 and "only those of events" in reply.json()["detail"], (request, reply)
    assert series(daemon)['requests_rejected_total{reason="body_size"}'] == 8


def test_without_an_api_a_key_on_events_is_not_looked_at(hooksd):
    daemon = hooksd()
    assert daemon.post_event(minimal(), **bearer("anything")).status == 202


def test_metrics_and_documents_are_open_unless_a_key_is_required(keyed):
    daemon = keyed()
    for path in METRICS_ROUTES:
        assert get(daemon, path).status == 200
        assert get(daemon, path, Authorization="Bearer of something else").status == 200


def test_metrics_and_documents_want_the_scope_metrics_where_a_key_is_required(keyed):
    daemon = keyed(METRICS_REQUIRE_KEY="true")
    for path in METRICS_ROUTES:
        assert_unauthorized(get(daemon, path))
        assert get(daemon, path, **bearer(KEY)).status == 200
    for path in ("/", "/health", "/livez", "/readyz"):
        assert get(daemon, path).status == 200


def test_start_keys_come_from_files_also_and_are_replaced_at_the_next_start(keyed, tmp_path):
    file = tmp_path / "key"
    file.write_text("key-of-a-file-0123456789abcdef\n")
    daemon = keyed(HL_API_KEY="", HL_API_KEY_FILE=file, HL_ADMIN_KEY=ADMIN, HL_TENANT_ID="acme", REQUIRE_API_KEY="true")
    reply = daemon.post_event(minimal(), **bearer("key-of-a-file-0123456789abcdef"))
    assert (reply.status, reply.headers["X-Tenant-Id"]) == (202, "acme")
    assert daemon.post_event(minimal(), **bearer(ADMIN)).status == 202
    file.write_text("another-key-of-a-file-0123456789\n")
    daemon.kill()  # the ring, and with it the table, stays
    daemon.start()
    assert daemon.post_event(minimal(), **bearer("another-key-of-a-file-0123456789")).status == 202
    assert daemon.post_event(minimal(), **bearer("key-of-a-file-0123456789abcdef")).status in (401, 503)


def test_the_keys_tenant_is_that_of_its_events_in_every_store(keyed, database):
    of_key = minimal(session_id="with", event_id="one", tenant_id="of the client")
    stores = {
        "postgres": lambda daemon: database.query("SELECT session_id, tenant_id, data FROM hook_events"),
        "sqlite": lambda daemon: [
            (row["session_id"], row["tenant_id"], json.loads(row["data"]))
            for row in daemon.sqlite_query("SELECT session_id, tenant_id, data FROM hook_events")],
        "jsonl": lambda daemon: [
            (event["session_id"], event.get("tenant_id", "default"), event["data"]) for event in daemon.jsonl_events()],
    }
    for store, stored in stores.items():
        options = {"DATABASE_URL": database.url} if store == "postgres" else {}
        daemon = keyed(STORAGE_TYPE=store, HL_TENANT_ID="acme", **options)
        assert daemon.post_event(of_key, **bearer(KEY)).status == 202
        assert daemon.post_event(minimal(session_id="without", event_id="one")).status == 202
        # The same text is another tenant's other event; what the client calls tenant_id is a field like any other.
        assert sorted(stored(daemon)) == [("with", "acme", {"tenant_id": "of the client"}), ("without", "default", {})]


def test_an_event_that_was_refused_is_stored_for_its_tenant_later(keyed, database):
    daemon = keyed(DATABASE_URL=database.url, HL_TENANT_ID="acme")
    database.query("ALTER TABLE hook_events ADD CONSTRAINT good CHECK (session_id <> 'bad')")
    events = [minimal(session_id=session, event_id=f"id-{session}") for session in ("good", "bad")]
    assert daemon.post_batch(events, **bearer(KEY)).status == 202
    daemon.wait_stored(1)
    database.query("ALTER TABLE hook_events DROP CONSTRAINT good")
    result = daemon.hooksctl("deadletter", "retry")
    assert result.returncode == 0, result
    assert database.query("SELECT DISTINCT tenant_id, client_event_id FROM hook_events ORDER BY 2") == [
        ("acme", "id-bad"), ("acme", "id-good")]
    assert daemon.post_batch(events, **bearer(KEY)).status == 202  # sent again, they are found by their ids
    assert database.query("SELECT count(*) FROM hook_events") == [(2,)]
