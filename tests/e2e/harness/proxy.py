"""
TCP proxies between hooksd and PostgreSQL. HoldingProxy holds the server's replies back, so that a test can act between
a commit and its acknowledgement. FaultyProxy loses bytes, cuts connections and slows them down.
"""

import contextlib
import socket
import threading

UP, DOWN = "to the server", "to the client"


class Link:
    """One connection: the two sockets of the proxy."""

    def __init__(self, client, server):
        self.ends = {UP: (client, server), DOWN: (server, client)}  # (from, to)
        self.dead = set()  # directions in which bytes were lost

    def close(self):
        for connection in self.ends[UP]:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Proxy:
    """Forwards to 127.0.0.1:port. A subclass handles the bytes in pass_on()."""

    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.links = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.release()
        self.listener.close()
        for link in self.links:
            for connection in link.ends[UP]:
                connection.close()

    def url(self, database):
        return database.url.replace(f":{self.target}/", f":{self.port}/")

    def release(self):
        raise NotImplementedError

    def pass_on(self, link, direction, data):
        raise NotImplementedError

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            link = Link(client, server)
            self.links.append(link)
            for direction in (UP, DOWN):
                threading.Thread(target=self._forward, args=(link, direction), daemon=True).start()

    def _forward(self, link, direction):
        source, _sink = link.ends[direction]
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.pass_on(link, direction, data)
        if not link.dead:
            link.close()


class HoldingProxy(Proxy):
    """After hold_before(words) the reply with these words and all later ones wait until release()."""

    def __init__(self, port):
        self.words = None
        self.holding = threading.Event()
        self.released = threading.Event()
        super().__init__(port)

    def hold_before(self, words):
        self.holding.clear()
        self.released.clear()
        self.words = words

    def wait_held(self, timeout=15):
        assert self.holding.wait(timeout), f"the server never sent {self.words!r}"

    def release(self):
        self.words = None
        self.released.set()

    def pass_on(self, link, direction, data):
        if direction == DOWN and self.words and self.words in data:
            self.holding.set()
            self.released.wait()
        link.ends[direction][1].sendall(data)


class FaultyProxy(Proxy):
    """Forwards until a test asks for a fault. release() ends all faults."""

    def __init__(self, port):
        self.swallowed = {}  # words by direction: on each connection the bytes from these words on are lost
        self.swallowing = threading.Event()  # set when bytes were lost
        self.cut_at = None  # the words of cut_before()
        self.trickling = False
        self.whole = threading.Event()
        super().__init__(port)

    def swallow(self, *directions, words=b""):
        """Loses everything in these directions, also the end of the stream. With words: from these words on."""
        self.swallowing.clear()
        self.swallowed = dict.fromkeys(directions, words)

    def wait_swallowed(self, timeout=15):
        assert self.swallowing.wait(timeout), "no bytes came that could be lost"

    def cut(self):
        for link in self.links:
            link.close()

    def cut_before(self, words):
        """Ends the next connection on which these words go to the server, before them."""
        self.cut_at = words

    def trickle(self):
        """Forwards single bytes with pauses, in both directions."""
        self.whole.clear()
        self.trickling = True

    def release(self):
        """Ends all faults, and closes the connections that have lost bytes on both sides."""
        self.swallowed, self.cut_at, self.trickling = {}, None, False
        self.whole.set()
        for link in self.links:
            if link.dead:
                link.close()

    def pass_on(self, link, direction, data):
        words = self.swallowed.get(direction)
        if words is not None and words in data:
            link.dead.add(direction)
            self.swallowing.set()
            data = data[: data.index(words)]
        elif direction in link.dead:
            return
        if direction == UP and self.cut_at and self.cut_at in data:
            self.cut_at = None
            link.close()
            raise OSError("cut")
        sink = link.ends[direction][1]
        while self.trickling and data:
            sink.sendall(data[:1])
            data = data[1:]
            self.whole.wait(0.05)
        sink.sendall(data)
