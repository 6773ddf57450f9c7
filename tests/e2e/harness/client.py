"""HTTP clients: Client keeps one connection alive, RawConnection sends bytes unchanged."""

import email.message
import http.client
import json
import socket

JSON = "application/json"
NDJSON = "application/x-ndjson"


class Reply:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:500]!r}>"


def encode(value):
    """The body of a request: bytes and text unchanged, everything else as compact JSON."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def detail(reply):
    """The text of an error reply. Every error reply is JSON."""
    assert reply.headers["Content-Type"].startswith("application/json")
    text = reply.json()["detail"]
    assert isinstance(text, str) and text
    return text


class Client:
    """tls: the ssl.SSLContext for TLS, with the host name "localhost". None: plain HTTP."""

    def __init__(self, port, host="127.0.0.1", timeout=30, tls=None):
        if tls:
            self.connection = http.client.HTTPSConnection("localhost", port, timeout=timeout, context=tls)
        else:
            self.connection = http.client.HTTPConnection(host, port, timeout=timeout)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.connection.close()

    def request(self, method, path, body=None, headers=None):
        try:
            self.connection.request(method, path, body=body, headers=headers or {})
            response = self.connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        except BaseException:
            self.connection.close()  # the next request opens a new one
            raise

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, body, content_type=JSON, **headers):
        """Keyword arguments become headers: content_encoding="gzip"."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if content_type is not None:
            fields["Content-Type"] = content_type
        return self.request("POST", path, encode(body), fields)

    def post_event(self, event, **headers):
        return self.post("/events", event, **headers)

    def post_batch(self, events, **headers):
        return self.post("/events/batch", events, **headers)


class RawConnection:
    """
    A socket that sends given bytes and reads one reply after another, so that requests can be pipelined. tls: see
    Client; session: the TLS session of an earlier connection. With TLS an end without close_notify is an error.
    """

    def __init__(self, port, timeout=30, tls=None, session=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        if tls:
            self.socket = tls.wrap_socket(
                self.socket, server_hostname="localhost", session=session, suppress_ragged_eofs=False)
        self.received = b""

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def closed_by_peer(self):
        """Blocks until the server sends bytes or closes. Returns whether the server has closed the connection."""
        try:
            return not self.received and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def read_reply(self):
        """The next reply. It must state its length, unless it is an interim 1xx."""
        while b"\r\n\r\n" not in self.received:
            self._receive()
        head, self.received = self.received.split(b"\r\n\r\n", 1)
        status_line, *fields = head.decode("latin-1").split("\r\n")
        headers = email.message.Message()  # looks names up in any case
        for name, value in (field.split(":", 1) for field in fields):
            headers[name] = value.strip()
        status = int(status_line.split()[1])
        length = int(headers["content-length"]) if status >= 200 else 0
        while len(self.received) < length:
            self._receive()
        body, self.received = self.received[:length], self.received[length:]
        return Reply(status, headers, body)

    def _receive(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError(f"closed by the server after {self.received!r}")
        self.received += data


def http_post(path, body, headers=()):
    """The bytes of a POST with a Content-Length."""
    lines = [f"POST {path} HTTP/1.1", "Host: test", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *headers]).encode() + b"\r\n\r\n" + body
