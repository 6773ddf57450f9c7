"""
Single attempts by the courier's HTTP client at receivers that behave well or badly. There is no daemon: the client runs
in tests/unit/http_driver.c, with names of the test.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import resource
import socket
import time

import pytest

from harness.http_driver import HttpDriver
from harness.receivers import OK, Receiver, dead_port
from harness.waiting import PATIENCE, SANITIZED, wait_until

EVENT_ID = "11111111-2222-7333-8444-555566660000"


@pytest.fixture
def driver(tmp_path):
    with HttpDriver(tmp_path) as driver:
        yield driver


def head_and_body(request):
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode("utf-8").split("\r\n")
    return first, [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)], body


# ---- requests ----


@pytest.mark.parametrize("size", [1, 600, 512 * 1024])
def test_a_receiver_gets_each_header_once_and_the_payload_unchanged(driver, size):
    payload = "7" if size == 1 else '"' + "\u20ac\\u001B " * ((size - 2) // 10) + '"'
    with Receiver() as receiver:
        result = driver.attempt(receiver.url, body="payload", payload=payload)
    assert result["end"] == "answered" and result["http_status"] == 200 and result["verdict"] == "delivered"
    [request] = receiver.requests
    first, headers, body = head_and_body(request)
    assert first == "POST / HTTP/1.1" and body == payload.encode()
    names = [name for name, _ in headers]
    assert sorted(names) == sorted(set(names))
    assert not {"expect", "transfer-encoding", "accept", "accept-encoding", "connection", "traceparent"} & set(names)
    values = dict(headers)
    assert values["content-type"] == "application/json" and values["content-length"] == str(len(body))
    assert values["host"] == f"127.0.0.1:{receiver.port}" and values["user-agent"].startswith("HookLine/")
    assert values["x-hl-topic"] == values["x-hookline-topic"] == "order.created" and values["x-hookline-attempt"] == "1"
    assert values["x-hl-event-id"] == values["x-hookline-event-id"] == EVENT_ID
    assert values["x-hl-delivery-id"] == values["x-hookline-delivery-id"] == result["attempt_id"]


def test_signatures_cover_the_bytes_that_arrive(driver):
    key = bytes(range(32))
    new, old = "whsec_" + base64.b64encode(key).decode(), "the secret before it"
    with Receiver() as receiver:
        driver.attempt(receiver.url, secret=new, old_secret=old, legacy_headers=True, payload='"\u2028\\u001b \U0001f600"',
                       traceparent="00-1-2-01")
    _, headers, body = head_and_body(receiver.requests[0])
    values = dict(headers)
    own = "v1=" + hmac.new(old.encode(), f"{values['x-hl-timestamp']}.".encode() + body, hashlib.sha256).hexdigest()
    assert values["x-hl-signature"] == values["x-hookline-signature"] == values["x-gp-signature"] == own
    signed = f"{values['webhook-id']}.{values['webhook-timestamp']}.".encode() + body
    standard = ["v1," + base64.b64encode(hmac.new(k, signed, hashlib.sha256).digest()).decode() for k in (key, old.encode())]
    assert values["webhook-signature"].split(" ") == standard
    assert abs(int(values["x-hl-timestamp"]) / 1000 - time.time()) < 60 and values["traceparent"] == "00-1-2-01"
    assert json.loads(body)["event"]["_trace"] == {"traceparent": "00-1-2-01"}


@pytest.mark.parametrize("target", [
    "/a%2Fb%20c?x=%2F&y=a%3Db+c;d&empty=&", "/..%2f/../a/./b//", "/?", "/*?a?b", "", "?q", "/%e2%82%ac!$'()*,:@[]^`{|}~"])  # fmt: skip
def test_path_and_query_are_sent_byte_for_byte(driver, target):
    with Receiver() as receiver:
        assert driver.attempt(receiver.url[:-1] + target)["http_status"] == 200
    asked = target if target.startswith("/") else "/" + target
    assert receiver.requests[0].split(b"\r\n")[0].decode() == f"POST {asked} HTTP/1.1"


def test_the_endpoints_own_headers_are_sent_and_no_header_comes_twice(driver):
    with Receiver() as receiver:
        driver.attempt(receiver.url, headers="x-a: 1\r\nx-empty: \r\naccept: text/plain\r\n", topic="a\r\nx-evil: 1")
    _, headers, _ = head_and_body(receiver.requests[0])
    assert ("x-a", "1") in headers and ("x-empty", "") in headers and ("accept", "text/plain") in headers
    assert "x-evil" not in dict(headers) and "x-hl-topic" not in dict(headers)


def test_a_transform_changes_the_body_that_is_signed(driver):
    with Receiver() as receiver:
        driver.attempt(receiver.url, body="event", payload='{"card":"4","n":1.10}',
                       transform='{"op":"remove_field","field":"payload.card"}')
    assert b'"payload":{"n":1.10}' in receiver.requests[0]


def test_proxies_in_the_environment_are_not_used(tmp_path):
    with Receiver() as proxy, Receiver() as receiver:
        used = {name: proxy.url for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")}
        with HttpDriver(tmp_path, **used) as driver:
            assert driver.attempt(receiver.url)["http_status"] == 200
            assert driver.attempt(receiver.url.replace("http:", "https:"), timeout_ms=200)["end"] == "failed"
    assert proxy.connections == 0 and len(receiver.requests) == 1


# ---- replies ----


def answers(driver, *chunks, pause=0, hold=False, **order):
    """The result at a receiver that reads a request, answers it, and closes the connection or holds it open."""
    def handle(connection):
        receiver.read(connection)
        for chunk in chunks:
            connection.sendall(chunk)
            receiver.stopped.wait(pause)
        if hold:
            receiver.stopped.wait(60)

    with Receiver(handle=handle) as receiver:
        result = driver.attempt(receiver.url, **{"keep_response": True, **order})
    assert len(receiver.requests) == 1
    return result


def test_a_slow_reply_body_ends_at_the_deadline_and_its_status_counts(driver):
    begun = time.monotonic()
    result = answers(driver, b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", *[b"x"] * 1000, pause=0.05, timeout_ms=400)
    assert result["verdict"] == "delivered" and set(result["response"]) == {"x"}
    assert 390 <= result["duration_ms"] < 3000 * PATIENCE and time.monotonic() - begun < 10 * PATIENCE


def test_a_receiver_that_never_answers_fails_at_the_deadline(driver):
    result = answers(driver, hold=True, timeout_ms=300)
    assert result["end"] == "failed" and result["verdict"] == "retry" and result["charged"]
    assert result["error"].startswith("no reply from 127.0.0.1 within ") and 290 <= result["duration_ms"] < 3000 * PATIENCE
    assert result["connect_ms"] >= 0 and result["first_byte_ms"] == -1 and result["peer"].startswith("127.0.0.1:")


def test_an_incomplete_head_is_no_reply(driver):
    result = answers(driver, b"HTTP/1.1 200 OK\r\n", *[b"x: y\r\n"] * 1000, pause=0.05, timeout_ms=300)
    assert result["end"] == "failed" and result["http_status"] == 0 and "no reply" in result["error"]


def test_a_close_fails_the_attempt_only_before_the_head_is_complete(driver):
    for chunk, words in [(b"", "without a reply"), (b"HTTP/1.1 200 OK\r\n", "within the head of its reply"),
                         (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", "was lost")]:
        result = answers(driver, chunk)
        assert result["end"] == "failed" and words in result["error"], chunk
    for chunk in [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789", b"HTTP/1.1 200 OK\r\n\r\n0123456789",
                  b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n0123456789",
                  b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                  b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789 and more"]:
        result = answers(driver, chunk)
        assert result["end"] == "answered" and result["verdict"] == "delivered", chunk
    assert answers(driver, b"HTTP/1.1 503 Busy\r\nContent-Length: 9\r\nRetry-After: 3\r\n\r\n")["retry_after_ms"] == 3000


def test_a_reply_of_any_length_is_read_to_64_kib(driver):
    sent = []

    def handle(connection):
        receiver.read(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
        while True:
            sent.append(connection.send(b"a" * 65536))

    with Receiver(handle=handle) as receiver:
        result = driver.attempt(receiver.url, keep_response=True)
        assert result["verdict"] == "delivered" and result["response"] == "a" * 4096
    assert sum(sent) < 32 << 20
    endless = answers(driver, b"HTTP/1.1 422 No\r\nTransfer-Encoding: chunked\r\n\r\n", *[b"8000\r\n" + b"b" * 0x8000 + b"\r\n"] * 3, hold=True)
    assert endless["reason"] == "http_422" and endless["response"] == "b" * 4096


def test_a_reply_is_kept_only_if_the_endpoint_wants_it(driver):
    assert answers(driver, OK, keep_response=False)["response"] == ""


def test_invalid_utf_8_in_a_reply_becomes_valid_text(driver):
    body = b"a\x00\xff\xc3\xa9\xed\xa0\x80\x1b" + b"\r\n" + b"\xf0\x9f"
    result = answers(driver, b"HTTP/1.1 200 OK\r\nX: \x80\xff\x01\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert result["response"] == "a\ufffd\ufffd\u00e9\ufffd\ufffd\ufffd\x1b\r\n\ufffd\ufffd" and result["verdict"] == "delivered"


def test_informational_replies_do_not_end_an_attempt(driver):
    hints = b"HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\nwebhook-delivery: disable\r\n\r\n"
    result = answers(driver, b"HTTP/1.1 100 Continue\r\n\r\n", hints, OK, pause=0.02)
    assert result["http_status"] == 200 and result["directive"] == "none" and result["retry_after_ms"] == -1
    assert answers(driver, hints)["end"] == "failed"
    assert answers(driver, hints, hold=True, timeout_ms=200)["end"] == "failed"
    assert answers(driver, *[hints] * 2000)["end"] == "failed"


def test_a_head_without_end_is_no_reply(driver):
    result = answers(driver, b"HTTP/1.1 200 OK\r\n", *[b"x: " + b"y" * 8000 + b"\r\n"] * 20, hold=True)
    assert result["end"] == "failed" and result["duration_ms"] < 4000 * PATIENCE and "headers" in result["error"]


@pytest.mark.parametrize("reply", [
    b"\x16\x03\x01\x00\x05hello", b"hello\r\n\r\n", b"HTTP/1.1 \r\n\r\n", b"HTTP/9.9 200 OK\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n",
    b"HTTP/1.1 2x0 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n: x\r\n folded\r\n\r\n", b"HTTP/1.1 200 OK\rX: y\r\r", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"])  # fmt: skip
def test_any_malformed_reply_ends_the_attempt_with_an_explanation(driver, reply):
    result = answers(driver, reply)
    assert result["end"] in ("answered", "failed") and (result["end"] == "answered") == (result["http_status"] != 0)
    assert result["error"] or result["http_status"] == 200
    assert driver.attempt("http://127.0.0.1:1/")["error"] == "cannot connect to 127.0.0.1: Connection refused"


def test_a_redirect_is_not_followed_and_its_host_is_named(driver):
    for status in (301, 302, 303, 307, 308):
        with Receiver() as target:
            reply = f"HTTP/1.1 {status} Moved\r\nLocation: {target.url}secret?token=1\r\nContent-Length: 0\r\n\r\n".encode()
            result = answers(driver, reply)
            assert target.connections == 0
        assert result["verdict"] == "retry" and result["http_status"] == status
        assert result["error"] == f"127.0.0.1 redirects to http://127.0.0.1:{target.port}, which is not followed"


def test_headers_of_a_reply_control_the_delivery(driver):
    result = answers(driver, b"HTTP/1.1 429 Slow\r\nretry-after: 120\r\nContent-Length: 0\r\n\r\n")
    assert result["retry_after_ms"] == 120000 and not result["charged"]
    result = answers(driver, b"HTTP/1.1 500 X\r\nWebhook-Delivery: abort-message\r\nContent-Length: 0\r\n\r\n")
    assert result["directive"] == "abort" and result["reason"] == "aborted"


@pytest.mark.parametrize("close", ["at once", "after the headers"])
def test_the_status_of_a_receiver_that_does_not_read_a_large_body_counts(driver, close):
    def handle(connection):
        received = b""
        while close != "at once" and b"\r\n\r\n" not in received:
            received += connection.recv(1)
        if close == "at once":
            connection.recv(1)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with Receiver(handle=handle) as receiver:
        results = driver.attempts(receiver.url, body="payload", payload='"' + "a" * 500_000 + '"', count=5 if SANITIZED else 50)
    assert {(result["http_status"], result["reason"]) for result in results} == {(413, "http_413")}


# ---- connections ----


def test_connections_are_kept_and_reused(driver):
    with Receiver() as receiver:
        results = driver.attempts(receiver.url, count=1000, parallel=32)
    assert len(results) == len({result["attempt_id"] for result in results}) == 1000
    assert {result["verdict"] for result in results} == {"delivered"} and len(receiver.requests) == 1000
    assert receiver.connections <= 64
    assert all(result["peer"] == f"127.0.0.1:{receiver.port}" for result in results)
    again = [result for result in results if result["connect_ms"] == -1]
    assert len(again) >= 900


def test_a_kept_connection_that_the_receiver_closes_fails_no_attempt(driver):
    closed = []

    def handle(connection):
        receiver.read(connection)
        connection.sendall(OK)
        receiver.stopped.wait(0.02)  # closes a kept connection, sometimes while the next request is under way
        closed.append(connection)

    with Receiver(handle=handle) as receiver:
        for _ in range(20):
            assert driver.attempt(receiver.url)["http_status"] == 200
            count = len(receiver.requests)
            wait_until(lambda count=count: len(closed) >= count, "the connection to be closed")
        assert {(result["http_status"], result["error"]) for result in driver.attempts(receiver.url, count=100, parallel=4)} == {(200, "")}


def test_a_misdirected_request_is_repeated_on_another_connection(driver):
    with Receiver(b"HTTP/1.1 421 Misdirected\r\nContent-Length: 0\r\n\r\n") as receiver:
        results = driver.attempts(receiver.url, count=3)
    assert [result["http_status"] for result in results] == [421] * 3 and receiver.connections == 3
    assert {result["verdict"] for result in results} == {"retry"}


def test_host_names_share_no_connection(tmp_path):
    with Receiver() as receiver:
        names = {"a.example": "127.0.0.1", "b.example": "127.0.0.1"}
        with HttpDriver(tmp_path, names) as driver:
            for name in [*names, *names]:
                assert driver.attempt(f"http://{name}:{receiver.port}/")["http_status"] == 200
    assert receiver.connections == 2


@pytest.mark.parametrize("one_by_one", [False, True])
def test_attempts_under_way_at_a_stop_are_not_charged(driver, one_by_one):
    with Receiver(handle=lambda connection: receiver.stopped.wait(60)) as receiver:
        results = driver.attempts(receiver.url, count=8, parallel=8, timeout_ms=60000, cancel_after_ms=100, one_by_one=one_by_one)
        assert {(result["end"], result["charged"]) for result in results} == {("ours", False)}
    done = answers(driver, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", hold=True, timeout_ms=60000, cancel_after_ms=300,
                   one_by_one=one_by_one)
    assert done["verdict"] == "delivered"


def test_attempts_without_free_descriptors_are_not_charged(driver):
    with Receiver() as receiver, Receiver() as other:
        assert driver.attempt(receiver.url)["http_status"] == 200
        used = driver.descriptors()
        resource.prlimit(driver.process.pid, resource.RLIMIT_NOFILE, (min(set(range(1000)) - set(used)), 4096))
        assert driver.attempt(receiver.url)["http_status"] == 200
        result = driver.attempt(other.url)
        assert result["end"] == "ours" and not result["charged"] and "files" in result["error"]
        resource.prlimit(driver.process.pid, resource.RLIMIT_NOFILE, (4096, 4096))
        assert driver.attempt(other.url)["http_status"] == 200


# ---- names ----


def test_a_silent_address_delays_an_attempt_little_if_another_one_answers(tmp_path):
    port, kept = dead_port(socket.AF_INET6)
    with contextlib.ExitStack() as stack:
        for one in kept:
            stack.enter_context(one)
        receiver = stack.enter_context(Receiver())
        driver = stack.enter_context(HttpDriver(
            tmp_path, {"both.example": "2606:2800::1,93.184.216.34"}, {"2606:2800::1": port, "93.184.216.34": receiver.port}))
        result = driver.attempt("http://both.example/")
        assert result["http_status"] == 200 and result["duration_ms"] < 1500 * PATIENCE, result
        assert driver.said("connect") == ["2606:2800::1", "93.184.216.34"]


def test_a_name_that_does_not_exist_is_charged_to_the_endpoint(tmp_path):
    with HttpDriver(tmp_path, {"gone.example": "absent"}) as driver:
        result = driver.attempt("http://gone.example/")
    assert result["end"] == "failed" and result["charged"] and result["dns_ms"] == -1
    assert result["error"] == "the name gone.example does not exist, or has no address"


def test_a_failed_lookup_is_not_charged_and_is_repeated_later(tmp_path):
    with Receiver() as receiver, HttpDriver(tmp_path, {"a.example": "fails|127.0.0.1", "b.example": "127.0.0.1"}) as driver:
        result = driver.attempt(f"http://a.example:{receiver.port}/")
        assert result["end"] == "unresolved" and not result["charged"] and "a.example" in result["error"]
        assert driver.attempt(f"http://b.example:{receiver.port}/")["http_status"] == 200
        assert driver.attempt(f"http://a.example:{receiver.port}/")["end"] == "unresolved"
        assert driver.said("lookup") == ["a.example", "b.example"]


def test_names_without_an_answer_do_not_delay_others(tmp_path):
    silent = {f"s{n}.example": "silent" for n in range(6)}
    with Receiver() as receiver, HttpDriver(tmp_path, silent | {"a.example": "127.0.0.1"}) as driver:
        results = []
        for name in silent:  # each takes a second, after which the client knows that it is slow
            driver.begin(f"http://{name}/", timeout_ms=100)
        for _ in silent:
            results.append(driver.results()[0])
        assert {(result["end"], result["charged"]) for result in results} == {("unresolved", False)}
        begun = time.monotonic()
        assert driver.attempt(f"http://a.example:{receiver.port}/", timeout_ms=10000)["http_status"] == 200
        assert time.monotonic() - begun < 4 * PATIENCE


def test_new_names_in_silent_zones_do_not_delay_others(tmp_path):
    silent = {f"s{n}.dead{n % 4}.example": "silent" for n in range(80)}
    with Receiver() as receiver, HttpDriver(tmp_path, silent | {"a.example": "127.0.0.1"}) as driver:
        for name in silent:
            assert driver.attempt(f"http://{name}/", timeout_ms=5)["end"] == "unresolved"
        begun = time.monotonic()
        assert driver.attempt(f"http://a.example:{receiver.port}/", timeout_ms=10000)["http_status"] == 200
        assert time.monotonic() - begun < 4 * PATIENCE


def test_a_name_in_any_spelling_is_looked_up_once_for_many_attempts(tmp_path):
    with Receiver() as receiver, HttpDriver(tmp_path, {"a.example": "127.0.0.1"}) as driver:
        results = driver.attempts(f"http://a.example:{receiver.port}/", count=100, parallel=50)
        assert {result["http_status"] for result in results} == {200}
        for spelling in ("A.Example", "a.example."):
            assert driver.attempt(f"http://{spelling}:{receiver.port}/")["http_status"] == 200
        assert driver.said("lookup") == ["a.example"]


# ---- the service's own inbox ----


def test_only_urls_of_the_own_inbox_lead_to_the_own_listener(tmp_path):
    path = "/v1/dev/inbox/receive/token"
    with Receiver() as own, Receiver() as other:
        inbox = {"HL_DEV_INBOX": "true", "HL_PUBLIC_URL": "https://hooks.example", "HOST": "0.0.0.0", "PORT": own.port}
        with HttpDriver(tmp_path, {"hooks.example": "127.0.0.1"}, allow="", **inbox) as driver:
            for url in (f"http://localhost:9{path}", f"http://127.0.0.1:{other.port}{path}", f"https://hooks.example{path}"):
                assert driver.attempt(url)["http_status"] == 200, url
                first, headers, _ = head_and_body(own.requests[-1])
                assert first == f"POST {path} HTTP/1.1" and dict(headers)["host"] == url.split("/")[2]
            for url in (f"http://127.0.0.1:{own.port}/", f"http://127.0.0.1:{own.port}/events", f"http://localhost:{own.port}{path}/../x",
                        f"http://hooks.example{path}", "http://hooks.example/"):
                assert driver.attempt(url)["end"] == "guard", url
        assert len(own.requests) == 3 and other.connections == 0
        with HttpDriver(tmp_path, allow="", PORT=own.port) as driver:  # without the inbox
            assert driver.attempt(f"http://localhost:{own.port}{path}")["end"] == "guard"
