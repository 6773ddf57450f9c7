"""A receiver of webhooks over HTTP/2 whose frames the test writes: it can refuse or reset a stream, or go away."""

import contextlib
import socket
import ssl
import struct
import threading

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
NO_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL = 0, 2, 7, 8
STATUS_200 = b"\x88"


class Connection:
    """A connection, with functions that send frames."""

    def __init__(self, encrypted, number):
        self.socket, self.number = encrypted, number

    def send(self, kind, flags, stream, payload=b""):
        self.socket.sendall(struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload)

    def answer(self, stream):
        self.send(HEADERS, END_STREAM | END_HEADERS, stream, STATUS_200)

    def reset(self, stream, code):
        self.send(RST_STREAM, 0, stream, struct.pack(">I", code))

    def go_away(self, last, code=NO_ERROR):
        self.send(GOAWAY, 0, 0, struct.pack(">II", last, code))

    def allow(self, stream, count):
        for window in (0, stream):
            self.send(WINDOW_UPDATE, 0, window, struct.pack(">I", count))

    def close(self):
        self.socket.close()
        raise EOFError

    def frames(self):
        while True:
            head = self.read(9)
            yield head[3], head[4], struct.unpack(">I", head[5:])[0], self.read(int.from_bytes(head[:3], "big"))

    def read(self, length):
        data = b""
        while len(data) < length:
            more = self.socket.recv(length - len(data))
            if not more:
                raise EOFError
            data += more
        return data


class Http2Receiver:
    """
    Calls react(connection, stream) for each complete request and counts it in `requests`. Calls on_headers, if given,
    when a request's headers arrive.
    """

    def __init__(self, certificate, key, react, on_headers=None):
        self.react, self.on_headers = react, on_headers
        self.requests = self.connections = 0
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.context.set_alpn_protocols(["h2"])
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self._run, args=(plain, self.connections), daemon=True).start()

    def _run(self, plain, number):
        with contextlib.suppress(OSError, EOFError), self.context.wrap_socket(plain, server_side=True) as encrypted:
            connection = Connection(encrypted, number)
            connection.read(24)  # the client's preface
            connection.send(SETTINGS, 0, 0)
            for kind, flags, stream, payload in connection.frames():
                if kind == SETTINGS and not flags & ACK:
                    connection.send(SETTINGS, ACK, 0)
                if kind == DATA and payload:
                    connection.allow(stream, len(payload))
                if kind == HEADERS and self.on_headers is not None:
                    self.on_headers(connection, stream)
                if kind in (DATA, HEADERS) and flags & END_STREAM:
                    self.requests += 1
                    self.react(connection, stream)
