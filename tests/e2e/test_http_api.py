"""HTTP: routes, methods, sizes, and unusual clients."""

import json
import re
import socket

import pytest

from harness.client import NDJSON, detail, http_post
from harness.events import minimal
from harness.waiting import wait_until

ROUTES = {
    "/": "GET",
    "/events": "POST",
    "/events/batch": "POST",
    "/health": "GET",
    "/livez": "GET",
    "/readyz": "GET",
    "/metrics": "GET",
    "/metrics/prometheus": "GET",
    "/openapi.json": "GET",
    "/openapi.yaml": "GET",
}
BODY = b'{"event_type":"a","session_id":"s"}'


@pytest.fixture
def daemon(shared_hooksd):
    return shared_hooksd()


@pytest.fixture
def client(daemon):
    with daemon.client() as client:
        yield client


def detail(reply):
    """The text of an error reply. Every error reply is JSON."""
    assert reply.headers["Content-Type"].startswith("application/json")
    text = reply.json()["detail"]
    assert isinstance(text, str) and text
    return text


# Routes


@pytest.mark.parametrize("path", ROUTES)
def test_a_trailing_slash_is_the_same_route(client, path):
    bodies = {"/events": BODY, "/events/batch": b"[" + BODY + b"]"}
    for variant in (path, path + "/", path + "?source=test"):
        reply = client.request(ROUTES[path], variant, bodies.get(path))
        assert reply.status == (202 if path in bodies else 200), variant


@pytest.mark.parametrize("path", ROUTES)
def test_repeated_slashes_are_the_same_route(client, path):
    bodies = {"/events": BODY, "/events/batch": b"[" + BODY + b"]"}
    for variant in ("/" + path, "///" + path, path.replace("/", "//"), "/" + path + "//", "/" + path + "?a=//b"):
        reply = client.request(ROUTES[path], variant, bodies.get(path))
        assert reply.status == (202 if path in bodies else 200), variant
        assert client.request("PUT", variant).status == 405


@pytest.mark.parametrize("path", ROUTES)
def test_other_methods_are_405_and_name_the_right_one(client, path):
    for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} - {ROUTES[path]}:
        reply = client.request(method, path, BODY if method != "GET" else None)
        assert reply.status == 405, method
        assert ROUTES[path] in reply.headers["Allow"]
        detail(reply)


@pytest.mark.parametrize(
    "path", ["/event", "/events/batch/x", "/eventsbatch", "/metrics/other", "/health/x", "/%00", "/../etc/passwd"]
)
def test_unknown_paths_are_404(client, path):
    for method in ("GET", "POST"):
        reply = client.request(method, path, BODY if method == "POST" else None)
        assert reply.status == 404
        detail(reply)


@pytest.mark.parametrize("path", [path for path, method in ROUTES.items() if method == "GET"])
def test_head_is_get_without_a_body(client, path):
    got, head = client.get(path), client.request("HEAD", path)
    assert (head.status, head.body, head.headers["Content-Type"]) == (200, b"", got.headers["Content-Type"])
    assert int(head.headers["Content-Length"]) > 0
    assert client.connection.sock is not None


def test_the_root_page_names_the_service_and_its_routes(client):
    text = client.get("/").body.decode()
    assert text.startswith("hooksd ")
    for path, method in ROUTES.items():
        assert f"{method:4} {path} " in text
    reply = client.post("/", BODY)
    assert (reply.status, reply.headers["Allow"]) == (405, "GET, HEAD")
    assert "/events" in detail(reply)


PROMETHEUS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


@pytest.mark.parametrize("accept, content_type", [
    (None, "application/json"),
    ("*/*", "application/json"),
    ("application/json, text/plain, */*", "application/json"),
    ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json"),
    (PROMETHEUS, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ("text/plain;version=0.0.4;q=1,*/*;q=0.1", "text/plain; version=0.0.4; charset=utf-8"),
])
def test_metrics_at_the_default_path_of_prometheus_are_in_its_format(client, accept, content_type):
    reply = client.request("GET", "/metrics", headers={"Accept": accept} if accept else {})
    assert reply.headers["Content-Type"] == content_type
    assert reply.headers["Vary"] == "Accept"
    if content_type == "application/json":
        assert "events_received_total" in reply.json()
    else:
        assert re.search(rb"\nhooks_events_received_total \d+\n", reply.body)


def test_livez_and_readyz_answer_200(client):
    assert client.get("/livez").status == 200
    assert client.get("/readyz").status == 200


def test_openapi_document_names_every_route(client):
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.")
    for path, method in ROUTES.items():
        assert method.lower() in document["paths"][path], path


# Sizes


def padded_event(size):
    """An event of exactly that many bytes."""
    frame = len(json.dumps(minimal(data={"pad": ""}), separators=(",", ":")))
    return json.dumps(minimal(data={"pad": "x" * (size - frame)}), separators=(",", ":")).encode()


def test_bodies_up_to_max_body_bytes_are_accepted_and_bigger_ones_are_413(hooksd):
    daemon = hooksd(MAX_BODY_BYTES=100_000, MAX_EVENT_BYTES=100_000)
    with daemon.client() as client:
        assert client.post_event(padded_event(100_000)).status == 202
    reply = daemon.post_event(padded_event(100_001))
    assert reply.status == 413
    detail(reply)
    assert len(daemon.jsonl_lines()) == 1


def test_a_huge_content_length_is_413_before_the_body_is_sent(daemon):
    with daemon.raw() as connection:
        connection.send(b"POST /events HTTP/1.1\r\nHost: test\r\nContent-Length: 1099511627776\r\n\r\n")
        assert connection.read_reply().status == 413


def test_a_huge_content_length_is_413_also_for_a_client_that_waits_for_100_continue(daemon):
    acceptors = daemon.pids("acceptor")
    with daemon.raw() as connection:
        connection.send(b"POST /events HTTP/1.1\r\nHost: test\r\nContent-Length: 1099511627776\r\nExpect: 100-continue\r\n\r\n")
        assert connection.read_reply().status == 413
        assert connection.closed_by_peer()
    assert daemon.pids("acceptor") == acceptors


def test_a_client_that_is_still_sending_sees_the_413(shared_hooksd):
    """A close with unread input resets the connection, and the client would lose the reply. So the server reads on."""
    daemon = shared_hooksd(MAX_BODY_BYTES=100_000)
    for _ in range(5):
        reply = daemon.post_event(b" " * (16 << 20))
        assert reply.status == 413
        detail(reply)


def test_clients_that_keep_a_refused_connection_open_are_cut_off(hooksd):
    """The server reads on for a moment after such a refusal, then closes. It must survive that."""
    daemon = hooksd(ACCEPTORS=1, MAX_BODY_BYTES=2048)
    acceptors = daemon.pids("acceptor")
    connections = [daemon.raw() for _ in range(3)]
    for connection in connections:
        connection.send(b"POST /events HTTP/1.1\r\nHost: test\r\nContent-Length: 99999\r\n\r\n")
        assert connection.read_reply().status == 413

    def closed(connection):
        """Whether the server answers further bytes with a reset."""
        try:
            connection.send(b" ")
            return False
        except (BrokenPipeError, ConnectionResetError):
            return True

    wait_until(lambda: all(closed(connection) for connection in connections), "the server to hang up")
    for connection in connections:
        connection.close()
    assert daemon.post_event(minimal()).status == 202
    assert daemon.pids("acceptor") == acceptors


def test_a_refused_head_request_gets_no_body(hooksd):
    daemon = hooksd(MAX_BODY_BYTES=2048)
    with daemon.raw() as connection:
        connection.send(b"HEAD /health HTTP/1.1\r\nHost: test\r\nContent-Length: 99999\r\n\r\n")
        received = b""
        while data := connection.socket.recv(65536):
            received += data
    assert received.startswith(b"HTTP/1.1 413 ")
    assert received.endswith(b"\r\n\r\n")


def test_a_chunked_body_over_max_body_bytes_is_413(shared_hooksd):
    daemon = shared_hooksd(MAX_BODY_BYTES=100_000)
    with daemon.raw() as connection:
        connection.send(b"POST /events HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"%x\r\n%s\r\n" % (40_000, b" " * 40_000)
        connection.send(chunk * 3)
        assert connection.read_reply().status == 413


def test_one_event_over_max_event_bytes_is_413(hooksd):
    daemon = hooksd(MAX_EVENT_BYTES=10_000)
    assert daemon.post_event(padded_event(9_000)).status == 202
    reply = daemon.post_batch([json.loads(padded_event(size)) for size in (100, 11_000)])
    assert reply.status == 413
    assert len(daemon.jsonl_lines()) == 1


def test_more_than_max_batch_events_is_413(hooksd):
    daemon = hooksd(MAX_BATCH_EVENTS=10)
    with daemon.client() as client:
        assert client.post_batch([minimal()] * 10).status == 202
        assert client.post_batch([minimal()] * 11).status == 413
        assert client.post("/events/batch", (BODY + b"\n") * 11, content_type=NDJSON).status == 413
    assert len(daemon.jsonl_lines()) == 10


def test_a_big_event_is_stored_whole(daemon):
    data = {"blob": "0123456789abcdef" * (3 << 16)}
    assert daemon.post_event(minimal(data=data)).status == 202
    assert daemon.jsonl_events()[0]["data"] == data


# The ack


@pytest.mark.parametrize("ack,reached", [("durable", "stored"), ("queued", "queued")])
def test_every_202_names_its_acknowledgement(hooksd, ack, reached):
    daemon = hooksd(ACK=ack)
    assert daemon.post_event(minimal()).headers["X-Hooks-Ack"] == reached
    assert daemon.post_batch([minimal()] * 2).headers["X-Hooks-Ack"] == reached
    daemon.wait_stored(3)


# Unusual clients


def test_keep_alive_serves_many_requests_on_one_connection(daemon):
    with daemon.raw() as connection:
        for _ in range(200):
            connection.send(http_post("/events", BODY))
            assert connection.read_reply().status == 202
    assert len(daemon.jsonl_lines()) == 200


def test_connection_close_is_honoured(daemon):
    with daemon.raw() as connection:
        connection.send(http_post("/events", BODY, ["Connection: close"]))
        assert connection.read_reply().status == 202
        assert connection.closed_by_peer()


def test_http_1_0_is_served(daemon):
    with daemon.raw() as connection:
        connection.send(b"POST /events HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY))
        assert connection.read_reply().status == 202
        assert connection.closed_by_peer()


def test_pipelined_requests_are_answered_in_order(daemon):
    requests = [
        http_post("/events", b'{"event_type":"a","session_id":"first"}'),
        b"GET /livez HTTP/1.1\r\nHost: test\r\n\r\n",
        http_post("/events", b"{}"),
        http_post("/events/batch", b"[" + BODY + b"," + BODY + b"]"),
        b"GET /nowhere HTTP/1.1\r\nHost: test\r\n\r\n",
        http_post("/events", BODY),
    ]
    with daemon.raw() as connection:
        connection.send(b"".join(requests))
        assert [connection.read_reply().status for _ in requests] == [202, 200, 422, 202, 404, 202]
    assert len(daemon.jsonl_lines()) == 4


def test_chunked_bodies_are_accepted(daemon):
    body = json.dumps([minimal(data={"n": n}) for n in range(50)]).encode()
    with daemon.raw() as connection:
        for size in (1, 7, 1000, len(body)):
            chunks = [body[start : start + size] for start in range(0, len(body), size)]
            encoded = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
            head = b"POST /events/batch HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
            connection.send(head + encoded)
            reply = connection.read_reply()
            assert (reply.status, reply.json()["accepted"]) == (202, 50)
    assert len(daemon.jsonl_lines()) == 200


def test_expect_100_continue_is_answered(daemon):
    with daemon.raw() as connection:
        request = http_post("/events", BODY, ["Expect: 100-continue"])
        head = request[: -len(BODY)]
        connection.send(head)
        assert connection.read_reply().status == 100
        connection.send(BODY)
        assert connection.read_reply().status == 202


def test_a_slow_client_does_not_hold_up_the_others(shared_hooksd):
    daemon = shared_hooksd(ACCEPTORS=1)
    request = http_post("/events", BODY)
    with daemon.raw() as slow, daemon.client() as fast:
        for position in range(0, len(request) - 1):
            slow.send(request[position : position + 1])
            if position % 10 == 0:
                assert fast.post_event(BODY).status == 202
        stored = len(daemon.jsonl_lines())
        slow.send(request[-1:])
        assert slow.read_reply().status == 202
        assert len(daemon.jsonl_lines()) == stored + 1


def test_a_half_sent_body_stores_nothing(daemon):
    body = json.dumps([minimal()] * 100).encode()
    for length in (0, 1, len(body) // 2, len(body) - 1):
        with daemon.raw() as connection:
            connection.send(http_post("/events/batch", body)[: -len(body) + length if length else -len(body)])
            connection.socket.shutdown(socket.SHUT_WR)
            assert connection.closed_by_peer()
    assert daemon.post_event(minimal()).status == 202
    assert len(daemon.jsonl_lines()) == 1


@pytest.mark.parametrize("ack", ["durable", "queued"])
def test_a_client_that_leaves_before_the_answer_affects_no_other(hooksd, ack):
    daemon = hooksd(ACK=ack, ACCEPTORS=1)
    for _ in range(50):
        with daemon.raw() as connection:
            connection.send(http_post("/events", BODY) * 3)
    assert daemon.post_event(minimal()).status == 202
    daemon.wait_stored(1)


@pytest.mark.parametrize("garbage", [
    b"\x00" * 64,
    b"GET\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01",
    b"POST /events HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST /events HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000,
])
def test_garbage_instead_of_http_costs_only_its_connection(shared_hooksd, garbage):
    daemon = shared_hooksd(ACCEPTORS=1)
    before = daemon.pids("acceptor")
    with daemon.raw() as connection:
        try:
            connection.send(garbage)
            connection.socket.shutdown(socket.SHUT_WR)
            while connection.socket.recv(65536):
                pass
        except (ConnectionResetError, BrokenPipeError, OSError):
            pass
    assert daemon.post_event(minimal()).status == 202
    assert daemon.pids("acceptor") == before


def test_five_hundred_connections_are_served_at_once(daemon):
    before = daemon.metrics()["events_stored_total"]
    connections = [daemon.raw() for _ in range(500)]
    try:
        for turn in range(2):
            for connection in connections:
                connection.send(http_post("/events", BODY))
            for connection in connections:
                assert connection.read_reply().status == 202
        assert daemon.metrics()["events_stored_total"] == before + 1000
    finally:
        for connection in connections:
            connection.close()
    wait_until(lambda: len(daemon.jsonl_lines()) == 1000, "all events")


def test_an_upgrade_to_http2_is_not_offered(daemon):
    with daemon.raw() as connection:
        connection.send(
            b"GET /livez HTTP/1.1\r\nHost: test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"
        )
        assert connection.read_reply().status == 200


def test_an_absolute_uri_is_the_same_route(daemon):
    with daemon.raw() as connection:
        for url in (b"http://any.host/livez", b"HTTP://any.host:80//livez/", b"https://any.host/livez?a=b", b"http://any.host"):
            connection.send(b"GET " + url + b" HTTP/1.1\r\nHost: any.host\r\n\r\n")
            assert connection.read_reply().status == 200, url
        connection.send(b"OPTIONS * HTTP/1.1\r\nHost: any.host\r\n\r\n")
        assert connection.read_reply().status == 404
