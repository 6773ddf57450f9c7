"""The media type, the charset and the compression of a body."""

import ctypes
import ctypes.util
import gzip
import json

import pytest

from harness.client import NDJSON, detail, http_post
from harness.events import minimal
from harness.metrics import series

BODY = b'{"event_type":"a","session_id":"s"}'


def zstd(data):
    """Compresses with the zstd library that hooksd links, because Debian's Python has no zstd module."""
    library = ctypes.CDLL(ctypes.util.find_library("zstd"))
    library.ZSTD_compressBound.restype = library.ZSTD_compress.restype = ctypes.c_size_t
    library.ZSTD_compressBound.argtypes = [ctypes.c_size_t]
    library.ZSTD_compress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
    out = ctypes.create_string_buffer(library.ZSTD_compressBound(len(data)))
    length = library.ZSTD_compress(out, len(out), data, len(data), 3)
    return out.raw[:length]


@pytest.fixture
def daemon(shared_hooksd):
    return shared_hooksd()


@pytest.fixture
def client(daemon):
    with daemon.client() as client:
        yield client


@pytest.mark.parametrize(
    "content_type", [None, "application/json", "application/json; charset=utf-8", "APPLICATION/JSON",
                     'application/json;odata=verbose ; Charset="UTF-8"', "text/json;charset=us-ascii", "application/json;"]
)
def test_json_content_types_are_accepted(client, content_type):
    assert client.post("/events", BODY, content_type=content_type).status == 202


@pytest.mark.parametrize(
    "content_type", ["text/xml", "application/x-www-form-urlencoded", "image/png", "application/jsonp"]
)
def test_other_content_types_are_415(client, content_type):
    for path in ("/events", "/events/batch"):
        reply = client.post(path, BODY, content_type=content_type)
        assert reply.status == 415
        detail(reply)


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=iso-8859-1", "application/json;charset=UTF-16", f"{NDJSON}; charset=latin1",
                     'application/json; a=b; charset="windows-1252"'])
def test_another_charset_is_415_and_the_error_names_utf_8(daemon, client, content_type):
    before = series(daemon)
    for path in ("/events", "/events/batch"):
        reply = client.post(path, BODY, content_type=content_type)
        assert reply.status == 415
    assert "UTF-8" in detail(reply)
    assert (series(daemon) - before)['requests_rejected_total{reason="media_type"}'] == 2


@pytest.mark.parametrize("content_type", [NDJSON, "application/jsonl", "application/x-ndjson; charset=utf-8"])
def test_ndjson_batches_are_accepted(daemon, client, content_type):
    body = "\n".join(json.dumps(minimal(session_id=f"s{n}")) for n in range(3))
    for variant in (body, body + "\n", body.replace("\n", "\n\n") + "\n\n", body.replace("\n", "\r\n")):
        reply = client.post("/events/batch", variant, content_type=content_type)
        assert reply.status == 202
        assert reply.json()["accepted"] == 3
    assert [event["session_id"] for event in daemon.jsonl_events()] == ["s0", "s1", "s2"] * 4


def test_an_empty_ndjson_batch_is_accepted(client):
    assert client.post("/events/batch", "\n", content_type=NDJSON).json()["accepted"] == 0


@pytest.mark.parametrize("encoding,compress", [("gzip", gzip.compress), ("zstd", zstd)])
def test_compressed_bodies_are_accepted(daemon, client, encoding, compress):
    events = [minimal(session_id=f"s{n}", data={"text": "é" * n}) for n in range(500)]
    body = json.dumps(events).encode()
    reply = client.post("/events/batch", compress(body), content_encoding=encoding)
    assert reply.status == 202
    assert reply.json()["accepted"] == 500
    assert [event["data"] for event in daemon.jsonl_events()] == [event["data"] for event in events]
    assert client.post("/events", compress(BODY), content_encoding=encoding.upper()).status == 202


@pytest.mark.parametrize("encoding,compress", [("gzip", gzip.compress), ("zstd", zstd)])
def test_damaged_compressed_bodies_are_refused(daemon, client, encoding, compress):
    whole = compress(json.dumps([minimal(data={"text": str(n)}) for n in range(100)]).encode())
    for damaged in (whole[:-10], whole[: len(whole) // 2], whole[:3], b"", b"not compressed", whole + whole[:20]):
        reply = client.post("/events/batch", damaged, content_encoding=encoding)
        assert 400 <= reply.status < 500, damaged[:40]
        assert reply.json()["detail"]
    assert daemon.jsonl_lines() == []


@pytest.mark.parametrize("encoding,compress", [("gzip", gzip.compress), ("zstd", zstd)])
def test_a_compression_bomb_is_413(hooksd, encoding, compress):
    daemon = hooksd(MAX_BODY_BYTES=1 << 20)
    bomb = compress(b"[" + b" " * (64 << 20) + b"]")
    assert len(bomb) < 1 << 17
    reply = daemon.post_batch(bomb, content_encoding=encoding)
    assert reply.status == 413
    detail(reply)


def test_an_unknown_content_encoding_is_415(client):
    for encoding in ("br", "compress", "gzip, br"):
        reply = client.post("/events", BODY, content_encoding=encoding)
        assert (reply.status, reply.headers["Accept-Encoding"]) == (415, "gzip, zstd"), encoding
        assert "must be gzip, zstd or identity" in detail(reply)


def test_a_body_that_is_compressed_twice_is_415(daemon, client):
    reply = client.post("/events", gzip.compress(gzip.compress(BODY)), content_encoding="gzip, gzip")
    assert reply.status == 415
    assert "once" in detail(reply)
    with daemon.raw() as connection:
        connection.send(http_post("/events", BODY, ["Content-Encoding: gzip", "Content-Encoding: zstd"]))
        assert connection.read_reply().status == 415


def test_identity_in_a_list_of_encodings_is_ignored(daemon, client):
    for encoding in ("gzip, identity", "identity,gzip", " GZIP ,"):
        assert client.post("/events", gzip.compress(BODY), content_encoding=encoding).status == 202, encoding
    assert client.post("/events", BODY, content_encoding="identity, identity").status == 202
    with daemon.raw() as connection:
        connection.send(http_post("/events", zstd(BODY), ["Content-Encoding: identity", "Content-Encoding: zstd"]))
        assert connection.read_reply().status == 202


def test_zeros_after_a_gzip_body_are_accepted(client):
    assert client.post("/events", gzip.compress(BODY) + bytes(600), content_encoding="gzip").status == 202
    assert client.post("/events", gzip.compress(BODY) + bytes(600) + b"x", content_encoding="gzip").status == 400


def zstd_frame(data, window, dictionary=None):
    """
    An uncompressed zstd frame with a window of 2 to that power bytes and without a size, as a streaming encoder sends.
    """
    header = bytes([0 if dictionary is None else 1, (window - 10) << 3]) + bytes([] if dictionary is None else [dictionary])
    return b"\x28\xb5\x2f\xfd" + header + (len(data) << 3 | 1).to_bytes(3, "little") + data


def test_a_zstd_body_with_too_large_a_window_gets_zstds_option_as_advice(daemon, client):
    before = series(daemon)
    assert client.post("/events", zstd_frame(BODY, 23), content_encoding="zstd").status == 202
    for body, words in ((zstd_frame(BODY, 24), "level 19"), (zstd_frame(BODY, 27), "window of more than 8 MiB"),
                        (zstd_frame(BODY, 20, dictionary=7), "dictionary")):
        reply = client.post("/events", body, content_encoding="zstd")
        assert reply.status == 400
        assert words in detail(reply)
    counted = series(daemon) - before
    assert counted['requests_rejected_total{reason="compression"}'] == 3
    assert counted['requests_rejected_total{reason="body_size"}'] == 0
