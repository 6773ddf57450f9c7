"""API keys, including those of the configuration, on the routes of hook events, metrics and the OpenAPI document."""

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
    """A daemon with start keys and the embedded store."""

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


def test_a_key_sent_with_events_must_be_valid(keyed):
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
        # An acceptor cannot refuse an unknown key before control has read the store's keys.
        assert reply.status in ((401, 503) if "nobody" in headers[0] else (401,)), (headers, reply)
        assert set(reply.json()) == {"detail"}


def test_the_name_of_the_scheme_may_have_any_case(keyed):
    daemon = keyed(REQUIRE_API_KEY="true")
    for scheme in ("Bearer", "bearer", "BEARER", "Bearer  "):
        assert daemon.post_event(minimal(), authorization=f"{scheme} {KEY}").status == 202


def test_events_without_a_required_key_are_refused(keyed):
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


def test_clients_without_a_valid_key_are_refused_before_a_large_body(keyed):
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


def test_only_routes_of_events_accept_large_bodies(keyed):
    daemon = keyed()
    chunk = b"11000\r\n" + b"x" * 0x11000 + b"\r\n"
    for request in ("GET /health", "GET /events", "POST /nothing", "POST /v1/endpoints"):
        for length, body in zip(LENGTHS, (b"", chunk)):
            with daemon.raw() as connection:
                connection.send(head(request, length, f"Authorization: Bearer {KEY}") + body)
                reply = connection.read_reply()
                assert reply.status == 413 and "only those of events" in reply.json()["detail"], (request, reply)
    assert series(daemon)['requests_rejected_total{reason="body_size"}'] == 8


def test_keys_on_events_are_ignored_without_an_api(hooksd):
    daemon = hooksd()
    assert daemon.post_event(minimal(), **bearer("anything")).status == 202


def test_metrics_and_documents_are_open_unless_a_key_is_required(keyed):
    daemon = keyed()
    for path in METRICS_ROUTES:
        assert get(daemon, path).status == 200
        assert get(daemon, path, Authorization="Bearer of something else").status == 200


def test_metrics_and_documents_need_the_scope_metrics_when_a_key_is_required(keyed):
    daemon = keyed(METRICS_REQUIRE_KEY="true")
    for path in METRICS_ROUTES:
        assert_unauthorized(get(daemon, path))
        assert get(daemon, path, **bearer(KEY)).status == 200
    for path in ("/", "/health", "/livez", "/readyz"):
        assert get(daemon, path).status == 200


def test_start_keys_can_be_in_files_and_are_replaced_at_the_next_start(keyed, tmp_path):
    file = tmp_path / "key"
    file.write_text("key-of-a-file-0123456789abcdef\n")
    daemon = keyed(HL_API_KEY="", HL_API_KEY_FILE=file, HL_ADMIN_KEY=ADMIN, HL_TENANT_ID="acme", REQUIRE_API_KEY="true")
    reply = daemon.post_event(minimal(), **bearer("key-of-a-file-0123456789abcdef"))
    assert (reply.status, reply.headers["X-Tenant-Id"]) == (202, "acme")
    assert daemon.post_event(minimal(), **bearer(ADMIN)).status == 202
    file.write_text("another-key-of-a-file-0123456789\n")
    daemon.kill()  # keeps the ring, which holds the table of keys
    daemon.start()
    assert daemon.post_event(minimal(), **bearer("another-key-of-a-file-0123456789")).status == 202
    assert daemon.post_event(minimal(), **bearer("key-of-a-file-0123456789abcdef")).status in (401, 503)


def test_events_belong_to_the_keys_tenant_in_every_store(keyed, database):
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
        # The same id of another tenant is another event. A client's member tenant_id is data like any other.
        assert sorted(stored(daemon)) == [("with", "acme", {"tenant_id": "of the client"}), ("without", "default", {})]


def test_a_dead_letter_is_retried_for_its_tenant(keyed, database):
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
    assert daemon.post_batch(events, **bearer(KEY)).status == 202  # the repeated events are duplicates
    assert database.query("SELECT count(*) FROM hook_events") == [(2,)]
