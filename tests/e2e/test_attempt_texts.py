"""Texts of attempts: any bytes of a receiver become valid text, and no credential appears. Over both stores."""

import contextlib
import json
import ssl
import uuid

from harness.certificates import Authority
from harness.daemon import run_program
from harness.metrics import text_of
from harness.receivers import Receiver
from harness.recording_receiver import Answer
from harness.waiting import wait_until

# path: (the body of a reply, the text that is kept: the first 4,096 bytes as UTF-8)
REPLIES = {
    "/nul": (b"a\x00b\x00", "a\ufffdb\ufffd"),
    "/no-utf8": (b"\xff\xc3\xa9\xed\xa0\x80\x80", "\ufffd\u00e9" + "\ufffd" * 4),
    "/cut-by-the-limit": (b"x" * 4095 + "\u00e9".encode(), "x" * 4095),
    "/cut-by-the-receiver": (b"\xf0\x9f\x98", "\ufffd" * 3),
    "/controls": (b"\x1b[31m\r\n\x7f\"\\", "\x1b[31m\r\n\x7f\"\\"),
    "/markup": (b"<script>alert(1)</script>", "<script>alert(1)</script>"),
    "/long": (b"\x00" * 70_000, "\ufffd" * 1365),
}


def count(hookline, tenant, table):
    return hookline.value(f"SELECT count(*) FROM {table} WHERE tenant_id = :id", id=tenant.id)


def wait_ended(hookline, tenant):
    wait_until(lambda: count(hookline, tenant, "jobs") == 0, "all jobs to end", 30)


def test_replies_of_any_bytes_are_kept_as_text_and_lose_no_other_attempt(hookline, tenant, endpoints, receiver):
    """One event goes to all endpoints, so one transaction, or a few, stores all outcomes."""
    ids = {}
    for path, (body, _) in REPLIES.items():
        receiver.answers[path] = Answer(status=422, body=body)
        ids[path] = endpoints.add(path, keep_response=True)["id"]
    ids["/good"] = endpoints.add("/good", keep_response=True)["id"]
    receiver.answers["/good"] = Answer(body=b"thanks")
    assert tenant.client.post("/v1/events", {"topic": "orders.made"}).status == 201
    wait_ended(hookline, tenant)
    items = tenant.client.get("/v1/deliveries").json["items"]
    shown = {item["endpoint_id"]: (item["http_status"], item["response_body"]) for item in items}
    assert len(items) == len(ids)
    for path, (_, text) in REPLIES.items():
        assert shown[ids[path]] == (422, text), path
    assert shown[ids["/good"]] == (200, "thanks")
    letters = tenant.client.get("/v1/dlq").json["items"]
    assert {letter["endpoint_id"] for letter in letters} == set(ids.values()) - {ids["/good"]}
    assert {letter["reason"] for letter in letters} == {"http_422"}


def test_an_attempt_shows_why_a_certificate_was_refused(hookline, tenant, endpoints, tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*Authority(tmp_path, "Unknown Root").issue("shop.example"))

    def shake_hands(connection):
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as stream:
            taken.append(stream.recv(1))

    taken = []
    with Receiver(handle=shake_hands, address="127.77.0.3") as receiver:
        endpoints.add("/in", url=receiver.url.replace("http", "https"), retry_schedule=[])
        assert tenant.client.post("/v1/events", {"topic": "orders.made"}).status == 201
        wait_ended(hookline, tenant)
    assert receiver.connections == 1 and taken in ([], [b""])
    [attempt], [letter] = (tenant.client.get(path).json["items"] for path in ("/v1/deliveries", "/v1/dlq"))
    assert (attempt["status"], attempt["http_status"], attempt["peer_address"]) == ("failure", None, f"127.77.0.3:{receiver.port}")
    assert "the chain is incomplete: the certificate of 'CN=Unknown Root'" in attempt["certificate_error"]
    assert attempt["error"] == letter["last_error"]
    assert attempt["error"].startswith("the certificate of 127.77.0.3 was not accepted: the chain is incomplete")


def test_failures_reveal_no_url_header_or_secret(hookline, tenant, endpoints, receiver, tmp_path):
    """
    The receivers also send the secret word back, in replies and in the target of a redirect. Only the host and the
    endpoint's id may be shown.
    """
    word = uuid.uuid4().hex
    made = {"/hangs": Answer(hang=True), "/drops": Answer(drop=True), "/fails": Answer(status=500, body=word.encode()),
            "/aborts": Answer(status=409, headers=(("webhook-delivery", "abort-message"), ("X-Word", word))),
            "/redirects": Answer(status=302, headers=(("Location", f"http://{word}:{word}@127.77.0.9/{word}?t={word}"),)),
            "/no-http": Answer(raw=f"{word}\r\n\r\n".encode()), "/gone": Answer(status=410, body=word.encode())}
    urls = {"/refused": f"http://127.77.0.1:1/{word}?token={word}", "/no-tls": f"https://127.77.0.1:{receiver.port}/{word}",
            "/no-name": f"http://no-such-name.invalid/{word}"}
    receiver.answers = {f"{path}/{word}": answer for path, answer in made.items()}
    for path in made | urls:
        endpoints.add(f"{path}/{word}", url=urls.get(path, receiver.url(f"{path}/{word}?token={word}")), retry_schedule=[],
                      timeout_ms=1000, secret=f"secret {word}", headers={"X-Word": word})
    assert tenant.client.post("/v1/events", {"topic": "orders.made"}).status == 201
    # A failed look-up of a name is no attempt, so the job of /no-name may wait.
    wait_until(lambda: not hookline.query("SELECT 1 FROM jobs WHERE tenant_id = :id AND endpoint_id <> :other", id=tenant.id,
                                          other=endpoints.ids[f"/no-name/{word}"]), "the dead letters", 30)
    client = tenant.client
    letters = client.get("/v1/dlq").json["items"]
    told = [json.dumps(client.get(path).json) for path in ("/v1/deliveries", "/v1/jobs", "/v1/dlq", "/v1/admin/stats")]
    told += [json.dumps(client.get(f"/v1/dlq/{letter['id']}").json) for letter in letters]
    options = {"HL_URL": f"http://127.0.0.1:{hookline.daemon.port}", "HL_API_KEY": client.key}
    told += [run_program("hooksctl", what, "ls", options=options, cwd=tmp_path).stdout for what in ("deliveries", "dlq", "jobs")]
    told += [text_of(hookline.daemon), hookline.daemon.get("/health").body.decode(), hookline.daemon.whole_log()]
    rows = {table: repr(hookline.query(f"SELECT * FROM {table} WHERE tenant_id = :id", id=tenant.id))
            for table in ("attempts", "dlq", "jobs", "notices")}
    for text in [*told, *rows.values()]:
        assert word not in text, text[max(0, text.find(word) - 300):][:600]
    errors = {item["error"] for item in client.get("/v1/deliveries").json["items"] if item["error"]}
    assert len(errors) >= 6 and any("127.77.0.1" in error for error in errors), errors
