"""
Mutations of valid HTTP, sent as fast as the daemon reads: no process dies, valid requests get answers, and each
acknowledged event is stored. MUTATED_SECONDS is the duration (20). The seed is printed; MUTATED_SEED repeats the
requests. With HOOKS_BUILD_DIR of a sanitized build the sanitizers check the parsers too.
"""

import gzip
import json
import os
import random
import re
import socket
import threading
import time

import pytest

from harness.client import http_post
from harness.events import minimal
from harness.metrics import series, wait_settled
from harness.waiting import PATIENCE

SECONDS = float(os.environ.get("MUTATED_SECONDS", "20"))
SEED = int(os.environ.get("MUTATED_SEED", str(random.randrange(1 << 32))))
CLIENTS = 4
ROLES = ("acceptor", "writer", "publisher", "courier", "control")
ACCEPTED = re.compile(rb'\{"accepted":(\d+),"message":"Events accepted"')

EVENT = json.dumps(minimal(session_id="mutated", event_id="run-7", data={"a": [1, 2.5e3, None, "\u00fc\\u0000"]})).encode()
BATCH = json.dumps([minimal(session_id=f"mutated-{n}") for n in range(5)]).encode()
LINES = b"\n".join(json.dumps(minimal(session_id=f"mutated-{n}")).encode() for n in range(5))

# Bytes that confuse parsers, inserted at random places.
PIECES = [b"\r\n", b"\n", b"\r", b"\0", b"\t", b" ", b":", b"\r\n\r\n", b"\x7f", b"\xff", b"\xc3\x28", b"\xef\xbb\xbf", b"%00", b"%2e%2e%2f", b"/../",
          b"//", b"?", b"#", b"{", b"}", b"[", b"]", b'"', b"\\u0000", b"\\ud800", b",", b"NaN", b"-", b"1e999", b"99999999999999999999", b"0x10",
          b"Content-Length: 5\r\n", b"Content-Length: 99999999999999999999\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: identity\r\n",
          b"Host: other\r\n", b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n",
          b"Content-Encoding: gzip\r\n", b"Content-Type: text/plain\r\n", b"Origin: https://evil.example\r\n", b"Prefer: handling=lenient\r\n",
          b"Idempotency-Key: null\r\n", b"Authorization: Bearer x\r\n", b"0\r\n\r\n", b"ffffffffffffffff\r\n", b";ext=1\r\n",
          b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"A" * 5000, b"x: y\r\n" * 101]


def chunked(path, body, size):
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[at:at + size]), body[at:at + size]) for at in range(0, len(body), size))
    return (f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
            + chunks + b"0\r\n\r\n")


def get(path, *headers):
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: test", *headers]).encode() + b"\r\n\r\n"


def requests(key):
    """Valid requests."""
    bearer = f"Authorization: Bearer {key}"
    published = json.dumps({"topic": "order.created", "payload": {"n": 1}}).encode()
    return [
        http_post("/events", EVENT), http_post("/events/batch", BATCH), http_post("/events/batch", BATCH, [bearer]),
        http_post("/events/batch", BATCH, ["Prefer: handling=lenient", "Idempotency-Key: run-7"]),
        http_post("/events/batch", LINES, ["Content-Type: application/x-ndjson"]).replace(b"Content-Type: application/json\r\n", b"", 1),
        http_post("/events", gzip.compress(EVENT, mtime=0), ["Content-Encoding: gzip"]),
        http_post("/events/batch", gzip.compress(BATCH, mtime=0), ["Content-Encoding: gzip"]),
        chunked("/events", EVENT, 7), chunked("/events/batch", BATCH, 100),
        http_post("/v1/events", published, [bearer]), http_post("/v1/events/batch", b"[" + published + b"," + published + b"]", [bearer]),
        http_post("/v1/endpoints", b'{"url":"https://127.77.0.9/in"}', [bearer]),
        get("/health"), get("/metrics/prometheus"), get("/openapi.json"), get("/", "Connection: close"),
        get("/v1/endpoints?limit=2", bearer), get("/v1/events?topic=order.created&order=asc", bearer),
        get("/v1/jobs/0190f5fe-7c00-7a00-8abc-012345678abc", bearer), b"OPTIONS /events HTTP/1.1\r\nHost: test\r\n\r\n",
    ]


def mutate(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(data) + 1)
        to = min(len(data), at + rng.choice((1, 2, 8, 64)))
        kind = rng.randrange(7)
        if kind == 0:
            data[at:at] = rng.choice(PIECES)
        elif kind == 1:
            del data[at:to]
        elif kind == 2:
            data[at:at] = data[at:to] * rng.choice((1, 2, 30))
        elif kind == 3 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 4:
            data[at:to] = rng.randbytes(to - at)
        elif kind == 5:
            del data[at:]
        else:
            data[at:to] = rng.choice(PIECES)
    return bytes(data)


def stream(rng, good):
    """The bytes of one connection: one request or a few in a row, at least one of them mutated."""
    count = rng.choice((1, 1, 2, 4))
    wrong = rng.randrange(count)
    return b"".join(mutate(rng, rng.choice(good)) if n == wrong or rng.random() < 0.3 else rng.choice(good) for n in range(count))


def exchange(port, rng, data):
    """
    Sends the bytes in one or a few pieces and shuts down. Returns all bytes of the answer. The daemon may cut it off.
    """
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=60 * PATIENCE) as connection:
        try:
            cut = rng.randrange(len(data) + 1) if rng.random() < 0.2 else len(data)
            connection.sendall(data[:cut])
            connection.sendall(data[cut:])
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(1 << 16):
                received += piece
        except TimeoutError:
            raise AssertionError(f"no answer and no end to {data!r}") from None
        except OSError:
            pass
    return received


class Attack(threading.Thread):
    """Sends mutated requests until a time, and a valid one after each fifty."""

    def __init__(self, number, hookline, until):
        super().__init__()
        self.number, self.daemon_under_test, self.until = number, hookline.daemon, until
        self.good = requests(hookline.daemon.options["HL_API_KEY"])
        self.rng = random.Random(f"{SEED}-{number}")
        self.sent, self.accepted, self.stored, self.problem = 0, 0, [], None

    def run(self):
        try:
            with self.daemon_under_test.client(timeout=60 * PATIENCE) as client:
                while time.monotonic() < self.until:
                    for _ in range(50):
                        received = exchange(self.daemon_under_test.port, self.rng, stream(self.rng, self.good))
                        self.sent += 1
                        self.accepted += sum(map(int, ACCEPTED.findall(received)))
                    session = f"good-{self.number}-{self.sent}"
                    reply = client.post_event(minimal(session_id=session))
                    assert reply.status == 202, reply
                    self.stored.append(session)
        except Exception as problem:  # the test reports it
            self.problem = problem


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.timeout(120 + 3 * SECONDS * PATIENCE)
def test_mutated_requests_kill_no_process_and_lose_no_event(make_hookline):
    hookline = make_hookline("embedded").start()
    daemon = hookline.daemon
    pids = {role: daemon.pids(role) for role in ROLES}
    until = time.monotonic() + SECONDS
    attacks = [Attack(number, hookline, until) for number in range(CLIENTS)]
    for attack in attacks:
        attack.start()
    for attack in attacks:
        attack.join()
    print(f"\nMUTATED_SEED={SEED}: {sum(attack.sent for attack in attacks)} connections,"
          f" {sum(attack.accepted for attack in attacks)} events accepted of mutated streams,"
          f" {sum(len(attack.stored) for attack in attacks)} good requests between them")
    assert not [attack.problem for attack in attacks if attack.problem], daemon.log()[-4000:]
    assert {role: daemon.pids(role) for role in ROLES} == pids, daemon.log()[-4000:]
    numbers = wait_settled(daemon)
    assert not {name: value for name, value in series(daemon).items() if name.startswith("process_restarts_total") and value}
    stored = daemon.jsonl_events()
    assert numbers["events_stored_total"] == len(stored)
    assert len(stored) >= sum(attack.accepted + len(attack.stored) for attack in attacks)
    sessions = [event["session_id"] for event in stored if event["session_id"].startswith("good-")]
    assert sorted(sessions) == sorted(session for attack in attacks for session in attack.stored)
