"""A faulty network between the daemon and PostgreSQL: cut connections, lost packets, a slow line."""

import socket
import threading
import time

# A slow line forwards this many bytes, then pauses.
SLOW_CHUNK = 4096
SLOW_PAUSE = 0.01


class BadNetwork:
    """Forwards to 127.0.0.1:target. Bytes in a stalled or slow network arrive later, unless the connection is cut."""

    def __init__(self, target):
        self.target = target
        self.flowing = threading.Event()
        self.flowing.set()
        self.slow = False
        self.closed = False
        self.connections = set()
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.closed = True
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()
        self.flowing.set()

    def through(self, url, port):
        """The URL with this network's port in place of the server's."""
        return url.replace(f":{port}/", f":{self.port}/")

    def cut(self):
        """Ends every connection. New ones can be made."""
        with self.lock:
            for connection in self.connections:
                shut(connection)

    def stall(self):
        """Until flow() nothing arrives: no data and no end of a connection."""
        self.flowing.clear()

    def flow(self):
        self.flowing.set()

    def _accept(self):
        while not self.closed:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client):
        self.flowing.wait()
        try:
            server = socket.create_connection(("127.0.0.1", self.target))
        except OSError:  # the server is down
            client.close()
            return
        pair = {client, server}
        with self.lock:
            self.connections |= pair
        back = threading.Thread(target=self._forward, args=(server, client), daemon=True)
        back.start()
        self._forward(client, server)
        back.join()
        with self.lock:
            self.connections -= pair
        client.close()
        server.close()

    def _forward(self, source, sink):
        try:
            while data := source.recv(SLOW_CHUNK if self.slow else 65536):
                if self.slow:
                    time.sleep(SLOW_PAUSE)
                self.flowing.wait()
                sink.sendall(data)
        except OSError:
            pass
        self.flowing.wait()
        shut(source)
        shut(sink)


def shut(connection):
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
