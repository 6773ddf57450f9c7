"""The control process: what its death, its hangs and badly behaved clients cost, and whom."""

import contextlib
import gzip
import http.client
import json
import os
import re
import secrets
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.daemon import stopped
from harness.events import minimal
from harness.metrics import metrics
from harness.pgbouncer import PgBouncer
from harness.waiting import PATIENCE, wait_until
from harness.webhooks import STORES

SERVED = 200


class Answer:
    def __init__(self, response, body, took):
        self.status, self.headers, self.body, self.took = response.status, response.headers, body, took

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} after {self.took:.2f} s: {self.body[:300]!r}"


def ask(hookline, method="GET", path="/v1/endpoints", body=None, key=None, timeout=30, **headers):
    """
    A request on a connection of its own. The reply is not checked against the OpenAPI document: it may be a refusal.
    """
    begin = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", hookline.daemon.port, timeout=timeout)
    with contextlib.closing(connection):
        connection.request(method, path, body, {"Authorization": f"Bearer {key or hookline.start_key.key}"} | headers)
        response = connection.getresponse()
        return Answer(response, response.read(), time.monotonic() - begin)


def is_served(hookline):
    return ask(hookline).status == SERVED


def control_pid(hookline):
    return wait_until(lambda: hookline.daemon.pids("control"), "a control process")[0]


def in_flight(hookline):
    return metrics(hookline.daemon)["control_in_flight_requests"]


def assert_unavailable(answer, code="control_unavailable"):
    assert answer.status == 503, answer
    assert answer.headers["Retry-After"] == "1"
    assert answer.json["error"] == code
    assert answer.json["detail"] == answer.json["message"]


@pytest.fixture
def start(make_hookline):
    """Starts a daemon with hook events in a file, so that only the store of webhooks can fail."""

    def start(store="embedded", **options):
        hookline = make_hookline(store, STORAGE_TYPE="jsonl", **options)
        hookline.daemon.start()
        wait_until(lambda: ask(hookline).status != 503, "control and its store")
        return hookline

    return start


# Control dies, hangs, is replaced


@pytest.mark.parametrize("store", STORES)
def test_a_killed_control_costs_only_its_callers_a_503(start, store):
    hookline = start(store)
    acceptors, control = hookline.daemon.pids("acceptor"), control_pid(hookline)
    with ThreadPoolExecutor(20) as pool, stopped(control):
        waiting = [pool.submit(ask, hookline) for _ in range(20)]
        wait_until(lambda: in_flight(hookline) == 20, "the requests to be under way")
        assert hookline.daemon.post_event(minimal()).status == 202
        os.kill(control, signal.SIGKILL)
        for answer in [future.result() for future in waiting]:
            assert_unavailable(answer)
            assert answer.headers["X-Tenant-Id"] == "default"
            assert answer.took < 10
    wait_until(lambda: is_served(hookline), "the next control to answer")
    assert hookline.daemon.post_event(minimal()).status == 202
    assert hookline.daemon.pids("acceptor") == acceptors
    assert hookline.daemon.get("/health").json()["webhooks"]["state"] == "ready"
    assert in_flight(hookline) == 0


def test_a_control_that_dies_repeatedly_answers_in_between(start):
    """Some requests may get 503. Every request gets an answer, and the service goes on."""
    hookline = start()
    answers = []
    for _ in range(4):
        os.kill(control_pid(hookline), signal.SIGKILL)
        answers += [ask(hookline), ask(hookline)]
    assert {answer.status for answer in answers} <= {SERVED, 503}
    wait_until(lambda: is_served(hookline), "control to answer")


def test_callers_of_a_stuck_control_get_503_by_the_deadline(start):
    hookline = start(STORE_TIMEOUT_MS="500ms")
    with stopped(control_pid(hookline)):
        answer = ask(hookline)
        assert_unavailable(answer)
        assert 2.4 < answer.took < 5
        assert hookline.daemon.post_event(minimal()).status == 202
    # Control's late reply to that request goes to no client.
    assert all(ask(hookline).status == SERVED for _ in range(5))
    assert in_flight(hookline) == 0


def test_health_shows_a_stuck_control_and_readyz_does_not(start):
    hookline = start(STUCK_AFTER_SECONDS=4)
    with stopped(control_pid(hookline)):
        wait_until(lambda: "control-0 is silent" in hookline.daemon.get("/health").json().get("detail", ""), "health", 30)
        assert hookline.daemon.get("/readyz").status == 200


def test_a_stuck_control_is_killed_and_replaced(start):
    hookline = start(STUCK_AFTER_SECONDS=1)
    control = control_pid(hookline)
    os.kill(control, signal.SIGSTOP)
    hookline.daemon.wait_for_log(r"process is stuck: killing it role=control")
    wait_until(lambda: is_served(hookline), "the next control to answer")
    assert control_pid(hookline) != control


def test_hup_replaces_acceptors_and_control_and_no_request_fails(start):
    hookline = start()
    before = hookline.daemon.pids("acceptor") + hookline.daemon.pids("control")
    stop, answers = threading.Event(), []

    def ask_on():
        while not stop.is_set():
            answers.append(ask(hookline))

    threads = [threading.Thread(target=ask_on) for _ in range(4)]
    for thread in threads:
        thread.start()
    hookline.daemon.signal(signal.SIGHUP)
    wait_until(lambda: not set(before) & set(hookline.daemon.pids("acceptor") + hookline.daemon.pids("control")),
               "new processes")
    wait_until(lambda: len(hookline.daemon.pids("control")) == 1 and is_served(hookline), "the new control")
    wait_until(lambda: len(answers) > 100, "many answers")
    stop.set()
    for thread in threads:
        thread.join()
    assert {answer.status for answer in answers} == {SERVED}, [answer for answer in answers if answer.status != SERVED]


@pytest.mark.parametrize("store", STORES)
def test_term_ends_the_service_within_ten_seconds_under_load(start, store):
    hookline = start(store)
    stop = threading.Event()

    def ask_on():
        while not stop.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                ask(hookline)

    threads = [threading.Thread(target=ask_on) for _ in range(4)]
    for thread in threads:
        thread.start()
    begin = time.monotonic()
    hookline.daemon.stop()
    took = time.monotonic() - begin
    stop.set()
    for thread in threads:
        thread.join()
    assert took < 10


# Badly behaved clients


def test_requests_beyond_the_limit_are_refused_and_the_others_answered(start):
    hookline = start(ACCEPTORS=1)
    with ThreadPoolExecutor(300) as pool:
        with stopped(control_pid(hookline)):
            asked = [pool.submit(ask, hookline) for _ in range(300)]
            wait_until(lambda: sum(future.done() for future in asked) == 44, "44 refusals")
            assert in_flight(hookline) == 256
            for future in asked:
                if future.done():
                    assert_unavailable(future.result(), "overloaded")
        answers = [future.result() for future in asked]
    assert [answer.status for answer in answers].count(SERVED) == 256


def test_a_client_that_disconnects_leaves_no_request_behind(start):
    hookline = start()
    head = f"GET /v1/endpoints HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {hookline.start_key.key}\r\n\r\n".encode()
    with stopped(control_pid(hookline)):
        for _ in range(50):
            with socket.create_connection(("127.0.0.1", hookline.daemon.port)) as connection:
                connection.sendall(head)
        wait_until(lambda: in_flight(hookline) == 50, "the requests to be under way")
    wait_until(lambda: in_flight(hookline) == 0, "the requests to be over")
    assert is_served(hookline)


def resident_bytes(pid):
    return int(re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()).group(1)) << 10


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.unsanitized("a sanitizer keeps freed memory")
def test_clients_that_do_not_read_are_cut_off_and_cost_bounded_memory(start):
    """Twenty readers of a page of 4 MiB each: more than the limit of all replies together."""
    hookline = start()
    document = {"url": "https://hooks.example/x", "metadata": {"text": "x" * 60000}}
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: ask(hookline, "POST", body=json.dumps(document)), range(75)))
    assert {answer.status for answer in made} == {201}, made[0]
    page = ask(hookline)
    assert 3.5 * 2**20 < len(page.body) <= 4 * 2**20
    control = control_pid(hookline)
    before = resident_bytes(control)
    head = f"GET /v1/endpoints HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {hookline.start_key.key}\r\n\r\n".encode()
    with contextlib.ExitStack() as stack:
        readers = []
        for _ in range(20):
            readers.append(stack.enter_context(socket.socket()))
            readers[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            readers[-1].connect(("127.0.0.1", hookline.daemon.port))
            readers[-1].sendall(head)
        wait_until(lambda: in_flight(hookline) > 10, "replies that wait for their readers")
        others = [ask(hookline, path=f"/v1/endpoints/{json.loads(made[0].body)['id']}") for _ in range(20)]
        assert {answer.status for answer in others} == {200}
        assert max(answer.took for answer in others) < 4 * PATIENCE
        assert resident_bytes(control) - before < 120 * 2**20
        wait_until(lambda: in_flight(hookline) == 0, "the readers to be cut off")
        for reader in readers:
            reader.settimeout(10)
            taken = 0
            with contextlib.suppress(ConnectionResetError):
                while part := reader.recv(1 << 20):
                    taken += len(part)
                    if b"HTTP/1.1 503" in part:
                        break
            assert taken < len(page.body)
    assert ask(hookline).body == page.body


def test_a_client_with_the_current_etag_gets_304(start):
    hookline = start()
    created = ask(hookline, "POST", body=b'{"url": "https://hooks.example/x"}')
    path = f"/v1/endpoints/{created.json['id']}"
    tag = ask(hookline, path=path).headers["ETag"]
    assert re.fullmatch(r'"\d+"', tag)
    for known in (tag, f'"other", W/{tag}', "*"):
        answer = ask(hookline, path=path, **{"If-None-Match": known})
        assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", tag)
    assert ask(hookline, path=path, **{"If-None-Match": '"other"'}).status == 200
    assert ask(hookline, "PATCH", path, b'{"name": "n"}', **{"If-None-Match": tag}).status == 200
    whole, head = ask(hookline, path=path), ask(hookline, "HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(whole.body)) and head.headers["ETag"] == whole.headers["ETag"]


def test_a_connection_stays_open_between_requests(start):
    hookline = start()
    connection = http.client.HTTPConnection("127.0.0.1", hookline.daemon.port, timeout=10)
    with contextlib.closing(connection):
        for method, path in [("GET", "/v1/endpoints"), ("HEAD", "/v1/endpoints"), ("PUT", "/v1/endpoints"),
                             ("GET", "/v1/nowhere"), ("GET", "/v1/endpoints")]:
            connection.request(method, path, headers={"Authorization": f"Bearer {hookline.start_key.key}"})
            own = connection.sock.getsockname()
            response = connection.getresponse()
            body = response.read()
            assert (body == b"") == (method == "HEAD")
            assert int(response.headers["Content-Length"]) > 0
            assert connection.sock is not None and connection.sock.getsockname() == own


# Errors


@pytest.mark.parametrize("method, path, options, status, code", [
    ("GET", "/v1/nowhere", {}, 404, "not_found"),
    ("GET", "/v1", {}, 404, "not_found"),
    ("GET", "/v1/endpoints/" + "x" * 300, {}, 404, "not_found"),
    ("PUT", "/v1/endpoints", {}, 405, "method_not_allowed"),
    ("POST", "/v1/endpoints", {"body": b"x" * 65537}, 413, "payload_too_large"),
    ("POST", "/v1/endpoints", {"body": gzip.compress(b" " * 65537), "Content-Encoding": "gzip"}, 413, "payload_too_large"),
    ("POST", "/v1/endpoints", {"body": b"{}", "Content-Encoding": "gzip"}, 400, "validation_error"),
    ("POST", "/v1/endpoints", {"body": b"{}", "Content-Encoding": "br"}, 415, "unsupported_encoding"),
    ("POST", "/v1/endpoints", {"body": b"{}", "Idempotency-Key": "a b"}, 400, "validation_error"),
    ("GET", "/v1/endpoints/%ff", {}, 400, "validation_error"),
    ("GET", "/v1/endpoints/a%00b", {}, 400, "validation_error"),
    ("GET", "/v1/endpoints?limit=%ff", {}, 400, "validation_error"),
    ("GET", "/v1/endpoints?cursor=" + "x" * 600, {}, 400, "validation_error"),
    ("GET", "/v1/endpoints", {"key": "wrong"}, 401, "unauthorized"),
])
def test_every_error_of_the_api_has_the_same_members(hookline_embedded, method, path, options, status, code):
    answer = ask(hookline_embedded, method, path, **options)
    assert (answer.status, answer.json["error"]) == (status, code), answer
    assert answer.json["detail"] == answer.json["message"] != ""
    assert answer.headers["Content-Type"] == "application/json"
    assert (answer.headers["Allow"] == "POST, GET, HEAD") == (status == 405)


@pytest.mark.parametrize("request_bytes, status", [
    (b"GET /v1/endpoints HTTP/1.1\r\nHost: h\r\nBad Header\r\n\r\n", 400),
    (b"GET /v1/endpoints HTTP/9.9\r\n\r\n", 400),
    (b"POST /v1/endpoints HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer KEY\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk\r\n", 400),
    (b"POST /v1/endpoints HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer KEY\r\nContent-Length: 99999999999\r\n\r\n", 413),
    (b"POST /v1/endpoints HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: miracles\r\n\r\n", 417),
])
def test_errors_of_the_http_library_have_the_same_members(hookline_embedded, request_bytes, status):
    with socket.create_connection(("127.0.0.1", hookline_embedded.daemon.port), timeout=10) as connection:
        connection.sendall(request_bytes.replace(b"KEY", hookline_embedded.start_key.key.encode()))
        response = http.client.HTTPResponse(connection)
        response.begin()
        reply = json.loads(response.read())
    assert response.status == status
    assert set(reply) == {"error", "detail", "message"} and reply["detail"] == reply["message"]


def test_a_body_of_any_content_type_is_accepted(hookline_embedded):
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "nonsense"):
        answer = ask(hookline_embedded, "POST", "/v1/endpoints", b"[]", **{"Content-Type": content_type})
        assert answer.status != 415, answer


def test_the_api_is_off_without_a_key_in_the_configuration(hooksd):
    daemon = hooksd(STORAGE_TYPE="jsonl")
    assert daemon.pids("control") == []
    for path in ("/v1/endpoints", "/v1/nowhere", "/v1"):
        reply = daemon.get(path)
        assert (reply.status, reply.json()["error"]) == (404, "not_found")
        assert "HL_API_KEY" in reply.json()["detail"]
    assert "/v1/" not in daemon.get("/").body.decode()
    assert "webhooks" not in daemon.get("/health").json()
    assert daemon.get("/healthz").json() == {"status": "ok"}


@pytest.fixture(scope="module")
def hookline_embedded(tmp_path_factory):
    """One daemon that all tests of errors share."""
    from harness.webhooks import clean_up, make_hookline

    hookline = make_hookline(tmp_path_factory.mktemp("control"), "embedded")
    hookline.daemon.start()
    wait_until(lambda: ask(hookline).status != 503, "control and its store")
    yield hookline
    clean_up([hookline])


# Control's store


def test_an_outage_of_the_database_is_503_at_once_and_hook_events_go_on(start, postgres):
    hookline = start("postgres")
    hookline.database.server.stop()
    wait_until(lambda: ask(hookline).status == 503, "the outage to be noticed")
    answers = [ask(hookline) for _ in range(10)]
    for answer in answers:
        assert_unavailable(answer, "store_unavailable")
    assert sorted(answer.took for answer in answers)[5] < 0.5
    assert hookline.daemon.post_event(minimal()).status == 202
    assert hookline.daemon.get("/readyz").status == 200
    assert hookline.daemon.get("/health").json()["webhooks"]["state"] == "unavailable"
    hookline.database.server.start()
    wait_until(lambda: is_served(hookline), "the store to be back")
    wait_until(lambda: hookline.daemon.get("/health").json()["webhooks"]["state"] == "ready", "health to say so")


def test_the_service_is_not_ready_before_it_has_reached_its_store(make_hookline):
    hookline = make_hookline("postgres", STORAGE_TYPE="jsonl", HL_POSTGRES_URL="postgresql://127.0.0.1:1/nothing")
    hookline.daemon.start(store_ready=False)
    assert_unavailable(ask(hookline), "store_unavailable")
    reply = hookline.daemon.get("/readyz")
    assert (reply.status, reply.json()["detail"]) == (503, "the store of webhooks has not been reached yet")
    webhooks = hookline.daemon.get("/health").json()["webhooks"]
    assert (webhooks["store"], webhooks["state"]) == ("postgres", "connecting")
    assert hookline.daemon.post_event(minimal()).status == 202


def test_two_connections_of_a_pgbouncer_are_enough(start, postgres, database):
    bouncer = PgBouncer(database.server, default_pool_size=2).start()
    try:
        hookline = start("postgres", database=database, HL_POSTGRES_URL=bouncer.url(database))
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: ask(hookline), range(200)))
        assert {answer.status for answer in answers} == {SERVED}
    finally:
        bouncer.remove()


def test_a_server_that_takes_few_connections_answers_every_request(start, postgres, database):
    """Six connections: one for a publisher, one for a courier, two for upkeep, and two for four workers."""
    bouncer = PgBouncer(database.server, max_client_conn=6).start()
    try:
        hookline = start("postgres", database=database, HL_POSTGRES_URL=bouncer.url(database), HL_PUBLISHERS=1, HL_COURIERS=1)
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: ask(hookline), range(200)))
        assert {answer.status for answer in answers} == {SERVED}
        assert "takes fewer connections than there are workers" in hookline.daemon.log()
    finally:
        bouncer.remove()


def test_two_services_share_a_database(start, database):
    both = [start("postgres", database=database), start("postgres", database=database)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: ask(both[n % 2]), range(100)))
    assert {answer.status for answer in answers} == {SERVED}


def test_a_failing_task_of_upkeep_does_not_stop_the_others(start, database):
    hookline = start("postgres", database=database)
    hookline.daemon.stop()
    database.query("ALTER FUNCTION ensure_partitions(regclass, integer, date) RENAME TO something_else")
    database.query("DELETE FROM upkeep")
    hookline.daemon.start()
    hookline.daemon.wait_for_log("the upkeep of the webhooks' store failed .*ensure_partitions")
    wait_until(lambda: database.query("SELECT task FROM upkeep WHERE ran_at IS NOT NULL"), "another task to be done")


# Acceptors hold no secrets


def memory_of(pid):
    """All writable memory of the process. Read-only memory holds no secrets."""
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            found = re.match(r"(\w+)-(\w+) rw", line)
            if found:
                begin, end = (int(edge, 16) for edge in found.groups())
                with contextlib.suppress(OSError, ValueError):
                    memory.seek(begin)
                    yield memory.read(end - begin)


@pytest.mark.unsanitized("a sanitizer's shadow memory is too large to read")
def test_acceptors_have_no_secret_in_memory_and_open_no_store(start, database):
    password = secrets.token_hex(16)
    url = re.sub(r"^postgresql://(\w+)(:[^@]*)?@", rf"postgresql://\1:{password}@", database.url)
    hookline = start("postgres", database=database, HL_POSTGRES_URL=url, HL_MASTER_KEY_OLD=secrets.token_hex(32),
                     RING_BYTES="40M", MAX_BODY_BYTES="1M")
    secret = {name: hookline.daemon.options[name] for name in ("HL_ADMIN_KEY", "HL_MASTER_KEY", "HL_MASTER_KEY_OLD")}
    secret["password"] = password

    def found_in(parts):
        return {name for part in parts for name, value in secret.items() if value.encode() in part}

    for pid in hookline.daemon.pids("acceptor"):
        assert not found_in(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("environ", "cmdline"))
        assert not found_in(memory_of(pid))
        assert not [entry for entry in Path(f"/proc/{pid}/fd").iterdir() if "hookline.db" in os.readlink(entry)]
    assert {"password", "HL_MASTER_KEY"} <= found_in(memory_of(control_pid(hookline)))  # the search works
