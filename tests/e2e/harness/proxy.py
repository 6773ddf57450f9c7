"""A TCP proxy that can keep back what the server says, so that a test acts between a commit and its acknowledgement."""

import socket
import threading


class HoldingProxy:
    """Forwards to 127.0.0.1:port. After hold_before(words), the reply with these words and all later ones wait."""

    def __init__(self, port):
        self.target = port
        self.words = None
        self.holding = threading.Event()
        self.released = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sockets = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.release()
        for connection in [self.listener, *self.sockets]:
            connection.close()

    def hold_before(self, words):
        self.holding.clear()
        self.released.clear()
        self.words = words

    def wait_held(self, timeout=15):
        assert self.holding.wait(timeout), f"the server never said {self.words!r}"

    def release(self):
        self.words = None
        self.released.set()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            self.sockets += [client, server]
            threading.Thread(target=self._forward, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._forward, args=(server, client, True), daemon=True).start()

    def _forward(self, source, sink, may_hold):
        try:
            while data := source.recv(65536):
                if may_hold and self.words and self.words in data:
                    self.holding.set()
                    self.released.wait()
                sink.sendall(data)
        except OSError:
            pass
        for connection in (source, sink):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
