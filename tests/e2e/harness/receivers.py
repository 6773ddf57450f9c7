"""Receivers of webhooks on raw sockets: one function of the test handles each connection."""

import contextlib
import socket
import threading

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def read_request(connection):
    """The bytes of one request. b"" at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        more = connection.recv(1 << 20)
        if not more:
            return b""
        body += more
    return head + b"\r\n\r\n" + body


class Receiver:
    """
    answer: the bytes that answer each request, or a function for each connection. requests: all requests in order.
    """

    def __init__(self, answer=OK, handle=None, address="127.0.0.1", backlog=128):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.answer, self.handle = answer, handle or self._serve
        self.requests, self.connections, self.stopped = [], 0, threading.Event()
        self.listener = socket.create_server((address, 0), family=family, backlog=backlog)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://{f'[{address}]' if ':' in address else address}:{self.port}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stopped.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def read(self, connection):
        request = read_request(connection)
        if request:
            self.requests.append(request)
        return request

    def _serve(self, connection):
        while self.read(connection):
            connection.sendall(self.answer)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection, contextlib.suppress(OSError):
            self.handle(connection)


def dead_port(family=socket.AF_INET):
    """A loopback port that neither accepts nor refuses connections, and the sockets that fill its backlog."""
    listener = socket.socket(family)
    listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    listener.listen(0)
    kept = [listener]
    for _ in range(8):
        client = socket.socket(family)
        client.setblocking(False)
        client.connect_ex(listener.getsockname())
        kept.append(client)
    return listener.getsockname()[1], kept
