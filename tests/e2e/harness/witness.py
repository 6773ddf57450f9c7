"""Clients that never repeat a request and count the outcomes, for tests of restarts and upgrades under load."""

import collections
import json
import select
import ssl
import threading
import time
import uuid

from harness.client import RawConnection, http_post
from harness.waiting import PATIENCE, wait_until


def is_readable(connection):
    poll = select.poll()
    poll.register(connection.socket, select.POLLIN)
    return bool(poll.poll(0)) and not (isinstance(connection.socket, ssl.SSLSocket) and is_only_ticket(connection))


def is_only_ticket(connection):
    """
    Whether the readable bytes are only TLS records of the protocol, not an answer or the end. Reads these records.
    """
    timeout = connection.socket.gettimeout()
    connection.socket.settimeout(0)
    try:
        connection.received += connection.socket.recv(1)
        return False
    except ssl.SSLWantReadError:
        return True
    except ssl.SSLError:
        return False
    finally:
        connection.socket.settimeout(timeout)


class Witness:
    """
    A client in its own thread. It keeps its connection as long as the service does; with anew=True it connects for
    every request. pause: seconds between two requests. Before it sends, it checks whether the connection was closed. It
    counts outcomes: "202" and other statuses; "refused" and "reset"; "closed", if the connection ended before the first
    byte of an answer; "cut", if it ended within an answer. A refused connection ends the client. tls: see Client.
    """

    def __init__(self, port, batch=1, pause=0, anew=False, tls=None):
        self.port = port
        self.tls = tls
        self.batch = batch
        self.pause = pause
        self.anew = anew
        self.outcomes = collections.Counter()
        self.acknowledged = []
        self.connections = 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        connection = None
        while not self.stopping.is_set():
            try:
                if connection and (self.anew or is_readable(connection)):
                    connection.close()
                    connection = None
                if not connection:
                    connection = RawConnection(self.port, timeout=30 * PATIENCE, tls=self.tls)
                    self.connections += 1
            except ConnectionRefusedError:
                self.outcomes["refused"] += 1
                break
            except ssl.SSLError:
                self.outcomes["reset"] += 1
                continue
            if not self._post(connection):
                connection.close()
                connection = None
            self.stopping.wait(self.pause)
        if connection:
            connection.close()

    def _post(self, connection):
        """Returns whether the connection can be used again."""
        ids = [str(uuid.uuid4()) for _ in range(self.batch)]
        events = [{"event_id": each, "event_type": "a", "session_id": "s", "data": {"text": "x" * 200}} for each in ids]
        path, value = ("/events", events[0]) if self.batch == 1 else ("/events/batch", events)
        try:
            connection.send(http_post(path, json.dumps(value).encode()))
            reply = connection.read_reply()
        except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
            self.outcomes["reset"] += 1
            return False
        except ConnectionError:
            self.outcomes["cut" if connection.received else "closed"] += 1
            return False
        self.outcomes[str(reply.status)] += 1
        if reply.status == 202:
            self.acknowledged += ids
        return reply.headers["connection"] == "keep-alive"


class Witnesses:
    """Many Witnesses, used as a context manager. The block begins when each has had an answer."""

    def __init__(self, witnesses):
        self.all = witnesses

    def __enter__(self):
        for witness in self.all:
            witness.thread.start()
        self.wait_for_answers()
        return self

    def __exit__(self, *exc):
        for witness in self.all:
            witness.stopping.set()
        self.join()

    def wait_for_answers(self, count=1):
        """Waits until each has had so many more answers."""
        before = {witness: witness.outcomes.total() for witness in self.all}
        wait_until(
            lambda: all(witness.outcomes.total() >= before[witness] + count for witness in self.all if witness.thread.is_alive()),
            "answers for all clients", 60)

    def join(self):
        """Waits until all clients have ended, by themselves or because of stop()."""
        deadline = time.monotonic() + 60 * PATIENCE
        for witness in self.all:
            witness.thread.join(max(0, deadline - time.monotonic()))
        assert not any(witness.thread.is_alive() for witness in self.all), "a client did not end"

    def outcomes(self):
        return sum((witness.outcomes for witness in self.all), collections.Counter())

    def acknowledged(self):
        return [each for witness in self.all for each in witness.acknowledged]
