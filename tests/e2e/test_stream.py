"""
GET /v1/stream: published events and delivery attempts as they are stored, without a gap over outages and restarts. Over
both stores.
"""

import contextlib
import http.client
import json
import os
import re
import select
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.daemon import BUILD_DIR, clean_environment, run_program
from harness.metrics import text_of
from harness.rows import job_of, now_ms
from harness.streams import Stream
from harness.waiting import wait_until
from harness.webhooks import STORES, one_store

TENANT_MAX = 256


def publish(client, topic="order.created", payload=None, **fields):
    reply = client.post("/v1/events", {"topic": topic, "payload": payload} | fields)
    assert reply.status == 201, reply
    return reply.json["id"]


@pytest.fixture
def stream(hookline, tenant):
    """Opens streams of the tenant, and closes them at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda *args, key=tenant.client.key, **query: stack.enter_context(Stream(hookline.daemon, key, *args, **query))


def test_a_stream_shows_events_as_the_api_does(tenant, stream):
    first = stream().opened()
    assert first.headers["Content-Type"] == "text/event-stream"
    assert first.headers["Cache-Control"] == "no-store" and first.headers["X-Accel-Buffering"] == "no"
    assert first.headers["Transfer-Encoding"] == "chunked" and first.headers["X-Tenant-Id"] == tenant.id
    event = publish(tenant.client, payload={"n": 12345678901234567890.10, "s": "\u00e9\nx"}, ordering_key="k")
    frame = first.next()
    assert frame.data == tenant.client.get(f"/v1/events/{event}").json and frame.id and frame.type is None


def test_a_stream_can_be_limited_to_topics_and_types(tenant, stream, rows):
    all_of_it, orders = stream().opened(), stream(topic="order.*").opened()
    deliveries, no_deliveries = stream(types="deliveries").opened(), stream(types="events", topic="#").opened()
    endpoint = tenant.client.post("/v1/endpoints", {"url": "https://shop.example/in", "enabled": False}).json["id"]
    other, order = publish(tenant.client, "user.created"), publish(tenant.client)
    attempt = rows.attempt(endpoint, order, status="failure", http_status=503)
    last = publish(tenant.client)
    assert {frame.data["id"] for frame in orders.take(2)} == {order, last}
    assert {frame.data["id"] for frame in no_deliveries.take(3)} == {other, order, last}
    assert {frame.data.get("id") for frame in all_of_it.take(4)} == {other, order, last, None}
    frame = deliveries.next()
    assert frame.type == "deliveries.status" and frame.id is None
    shown = tenant.client.get(f"/v1/deliveries/{attempt}").json
    assert frame.data == {
        "topic": "deliveries.status", "attempt_id": attempt, "job_id": job_of(order), "event_id": order, "endpoint_id": endpoint,
        "attempt_n": 1, "status": "failed", "http_status": 503, "latency_ms": 12, "ts": shown["started_at"] + 12}


def test_a_reconnecting_client_continues_at_its_position(tenant, stream, hookline):
    with stream().opened() as first:
        ids = [publish(tenant.client) for _ in range(3)]
        frames = first.until(ids)
    missed = [publish(tenant.client) for _ in range(3)]
    position = frames[0].id
    for again in (stream(position), stream(last_event_id=position), stream(frames[0].data["id"]),
                  stream(last_event_id=frames[0].data["id"])):
        got = [frame.data["id"] for frame in again.opened().until([*ids[1:], *missed])]
        assert sorted(set(got)) == sorted(got), "each event comes once on a stream"
    live = publish(tenant.client)
    again.until([live])


def test_a_reconnecting_client_without_events_continues_where_it_began(tenant, stream):
    with stream().opened() as first:
        assert first.place
    missed = publish(tenant.client)
    stream(first.place).opened().until([missed])
    assert stream(types="deliveries").opened().place is None


def test_old_events_come_once_and_in_order(tenant, stream, rows):
    at = now_ms() - 3_600_000
    old = rows.events_at_once(at, 1000)
    place = stream(old[0]).opened()
    assert [frame.data["id"] for frame in place.take(1000)] == old
    live = publish(tenant.client)
    assert place.next().data["id"] == live


def test_events_of_a_transaction_that_commits_late_are_not_skipped(hookline, tenant, stream, rows):
    watching, orders = stream().opened(), stream(topic="order.#").opened()
    begun = now_ms() - 3000
    later = [publish(tenant.client) for _ in range(3)]
    position = watching.until(later)[-1].id
    late = rows.event(at_ms=begun)
    assert watching.next().data["id"] == late
    assert late in [frame.data["id"] for frame in orders.until([late])]
    assert late in [frame.data["id"] for frame in stream(position).opened().until([late])]


def test_events_of_an_open_transaction_of_postgresql_are_not_skipped(hookline, tenant, stream):
    if hookline.store != "postgres":
        return  # SQLite has one writer at a time
    watching = stream().opened()
    late = "01900000-0000-7000-8000-00000000" + "0000"
    with hookline.database.server.connect(hookline.database.name) as connection:
        with connection.transaction():
            connection.execute(
                "INSERT INTO events (tenant_id, event_id, created_at, occurred_at, job_count, topic)"
                " VALUES (%s, %s, hl_now(), hl_now(), 0, 'late')", (tenant.id, late))
            position = watching.until([publish(tenant.client) for _ in range(2)])[-1].id
            beside = stream(position).opened()
    assert watching.next().data["id"] == late
    beside.until([late])


def test_unreadable_attempts_do_not_delay_events(hookline, tenant, stream):
    if hookline.store != "postgres":
        return  # a running service has no embedded store without a table
    both, events = stream().opened(), stream(types="events").opened()
    hookline.database.query("ALTER TABLE attempts RENAME TO attempts_away")
    try:
        sent = [publish(tenant.client) for _ in range(3)]
        events.until(sent)
        both.until(sent)
    finally:
        hookline.database.query("ALTER TABLE attempts_away RENAME TO attempts")


def test_clients_without_the_right_to_stream_are_refused(hookline, tenant, stream):
    for key, query, status in ((None, {}, 401), ("wrong", {}, 401), (None, {"token": "wrong"}, 401),
                               (tenant.key(["events.read"]).key, {}, 403)):
        with Stream(hookline.daemon, key, **query) as refused:
            assert (refused.status, refused.headers["Content-Type"]) == (status, "application/json")
    for query in ({"topic": "a..b"}, {"types": "other"}, {"last_event_id": "nonsense"}):
        assert stream(**query).status == 400
    assert tenant.client.request("HEAD", "/v1/stream").status == 200


def test_a_key_in_the_query_works_and_is_not_logged(hookline, tenant, stream):
    client = tenant.key(["stream.subscribe"])
    browser = stream(key=None, token=client.key).opened()
    assert browser.headers["X-Tenant-Id"] == tenant.id
    event = publish(tenant.client)
    assert browser.next().data["id"] == event
    assert client.key not in hookline.daemon.whole_log()


def test_streams_of_a_key_end_when_it_is_revoked(hookline, tenant, stream):
    client = tenant.key(["stream.subscribe"])
    ending, staying = stream(key=client.key).opened(), stream().opened()
    assert hookline.admin.delete(f"/v1/apikeys/{client.id}").status in (200, 204)
    assert ending.ends()
    event = publish(tenant.client)
    assert staying.next().data["id"] == event


def test_hundreds_of_streams_do_not_block_the_api(hookline, stream):
    crowd = hookline.new_tenant()
    with ThreadPoolExecutor(32) as pool:
        streams = list(pool.map(lambda _: stream(key=crowd.client.key), range(TENANT_MAX)))
    for one in streams:
        one.opened()
    clients = re.search(r"^hookline_stream_clients (\d+)", text_of(hookline.daemon), re.MULTILINE)
    assert int(clients[1]) >= TENANT_MAX
    refused = stream(key=crowd.client.key)
    assert (refused.status, refused.headers["Retry-After"]) == (429, "5")
    assert crowd.client.get("/v1/events").status == 200
    event = publish(crowd.client)
    assert all(one.next().data["id"] == event for one in streams)
    streams[0].close()

    def is_served():
        publish(crowd.client)  # the failed write shows that a client has gone
        with Stream(hookline.daemon, crowd.client.key) as another:
            return another.status == 200

    wait_until(is_served, "the place of a client that has gone")


@pytest.mark.parametrize("store", STORES)
def test_a_client_misses_no_event_over_restarts_and_deaths(make_hookline, store):
    hookline = make_hookline(store).start()
    client, daemon = hookline.start_key, hookline.daemon
    position, got, published = None, set(), set()

    def try_to_go_on():
        """
        Returns a stream that has shown all events, and its position. None: the stream has ended, which is permitted
        until all processes are replaced.
        """
        stream = None
        try:
            stream = Stream(daemon, client.key, position)
            return stream, stream.opened().until(published - got)[-1].id
        except (OSError, http.client.HTTPException, AssertionError):
            if stream:
                stream.close()

    with Stream(daemon, client.key).opened() as first:
        published.add(publish(client))
        position = first.until(published)[-1].id
    for trouble in ("control dies", "HUP", "acceptors die"):
        got = set(published)
        published.add(publish(client))
        current, position = wait_until(try_to_go_on, f"a stream before {trouble}")
        got = set(published)
        if trouble == "HUP":
            daemon.signal(signal.SIGHUP)
        else:
            for pid in daemon.pids("control" if trouble == "control dies" else "acceptor"):
                os.kill(pid, signal.SIGKILL)
        with current:
            assert current.ends()
        hookline.wait_ready()
        published.add(publish(client))
        current, position = wait_until(try_to_go_on, f"a stream after {trouble}")
        current.close()
    got = set(published)
    published.add(publish(client))
    last, _ = wait_until(try_to_go_on, "a stream in the end")
    daemon.signal(signal.SIGTERM)
    with last:
        assert last.ends()


def test_a_stream_opened_during_an_outage_misses_no_event_after_its_first_comment(make_hookline, postgres):
    hookline = make_hookline("postgres", STORAGE_TYPE="jsonl").start()
    client = hookline.start_key
    with Stream(hookline.daemon, client.key).opened() as before:
        event = publish(client)
        position = before.until([event])[-1].id
    hookline.database.server.stop()
    wait_until(lambda: client.get("/v1/events").status == 503, "the outage to be noticed")
    with Stream(hookline.daemon, client.key) as new, Stream(hookline.daemon, client.key, position) as old, \
            Stream(hookline.daemon, client.key, event) as behind_event:
        # Control may still have the closed stream's rows. Then a stream without an event's id opens at once.
        first = {stream: (stream.status, stream.frame().lines) for stream in (new, old, behind_event)}
        assert first[behind_event] == (200, [": waiting for the store"])
        assert all(got in ((200, [":"]), first[behind_event]) for got in first.values())
        assert client.request("HEAD", "/v1/stream").status == 200
        hookline.database.server.start()
        for stream in (stream for stream, got in first.items() if got == first[behind_event]):
            stream.opened()
        hookline.wait_ready()
        later = publish(client)
        for stream in (new, old, behind_event):
            stream.until([later])


@pytest.mark.unsanitized("a slow service sends whole frames before it is stopped")
def test_a_frame_that_a_stop_cuts_off_is_not_completed(make_hookline):
    hookline = make_hookline("embedded").start()
    client, daemon = hookline.start_key, hookline.daemon
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # the kernel keeps little
        lazy.connect(("127.0.0.1", daemon.port))
        lazy.sendall(f"GET /v1/stream HTTP/1.0\r\nAuthorization: Bearer {client.key}\r\n\r\n".encode())
        got = b""
        while b"retry" not in got:
            got += lazy.recv(4096)
        for _ in range(30):
            publish(client, payload="x" * 400_000)
        [control] = daemon.pids("control")
        os.kill(control, signal.SIGSTOP)
        while select.select([lazy], [], [], 0.5)[0] and (more := lazy.recv(1 << 20)):
            got += more
        os.kill(control, signal.SIGKILL)
        with contextlib.suppress(ConnectionError):
            while more := lazy.recv(1 << 20):
                got += more
    *frames, rest = got.split(b"\r\n\r\n", 1)[1].split(b"\n\n")
    assert rest.startswith(b"id:"), "the stream has ended within a frame"
    assert all(json.loads(frame.split(b"data: ")[1]) for frame in frames if b"data: " in frame)


@contextlib.contextmanager
def follow(hookline, tenant, *words):
    """Runs `hooksctl stream` and yields its output."""
    options = {"HL_URL": f"http://127.0.0.1:{hookline.daemon.port}", "HL_API_KEY": tenant.client.key}
    command = [BUILD_DIR / "hooksctl", "stream", *words]
    with subprocess.Popen(command, env=clean_environment(options), stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout
        process.terminate()


@one_store
def test_hooksctl_shows_a_stream_as_json_lines(hookline, tenant, tmp_path):
    events = [publish(tenant.client, payload={"n": number}) for number in range(2)]
    with follow(hookline, tenant, f"--from={events[0]}") as lines:
        got = {json.loads(lines.readline())["id"] for _ in range(2)}
        assert got == set(events)
        third = publish(tenant.client)
        assert json.loads(lines.readline())["id"] == third
    refused = run_program("hooksctl", "tail", "--topic=a..b", cwd=tmp_path, options={
        "HL_URL": f"http://127.0.0.1:{hookline.daemon.port}", "HL_API_KEY": tenant.client.key})
    assert refused.returncode == 1 and "topic" in refused.stderr


