"""
A receiver of webhooks in the test's process: an HTTP/1.1 server that records every request and gives the answers, good
or bad, that a test has scripted. It takes some thousand requests a second.
"""

import asyncio
import ssl
import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field

from harness.waiting import wait_until

HEAD_MAX = 64 * 1024


@dataclass(frozen=True)
class Answer:
    """
    delay: seconds before the answer begins. drop: True closes the connection without an answer. hang: True never
    answers. cut: the number of bytes of the body to send before the connection is closed. trickle: seconds between the
    bytes of the body. raw: all bytes of the answer, in place of status, headers and body.
    """

    status: int = 200
    headers: tuple = ()  # pairs
    body: bytes = b""
    delay: float = 0
    drop: bool = False
    hang: bool = False
    cut: int = None
    trickle: float = 0
    close: bool = False  # True closes the connection after the answer
    raw: bytes = None

    @property
    def delivers(self):
        """Whether a client that gets the whole head sees a 2xx status."""
        return not self.drop and not self.hang and self.raw is None and 200 <= self.status <= 299

    def head(self):
        lines = [f"HTTP/1.1 {self.status} Scripted", f"Content-Length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines += ["Connection: close"] * self.close
        return "\r\n".join(lines).encode() + b"\r\n\r\n"


OK = Answer()


@dataclass
class Arrival:
    """A recorded request. The target and the headers are unchanged, in their order."""

    at: float  # time.monotonic() when it was complete
    method: str
    target: str
    headers: list  # pairs
    body: bytes
    connection: int  # the connection's number
    answer: Answer = None
    ended: float = field(default=None, compare=False)  # time.monotonic() when the kernel had the answer

    @property
    def done(self):
        return self.ended is not None

    @property
    def path(self):
        return self.target.split("?", 1)[0]

    def header(self, name):
        """The only value of that header, or None. Several values fail the test."""
        values = [value for found, value in self.headers if found.lower() == name.lower()]
        assert len(values) < 2, f"{name} came {len(values)} times"
        return values[0] if values else None

    @property
    def sent(self):
        """When the attempt began, in seconds of the courier's clock. It may be recorded here later."""
        return int(self.header("x-hl-timestamp")) / 1000

    @property
    def job(self):
        return self.header("webhook-id")

    @property
    def event(self):
        return self.header("x-hl-event-id")


class Connection(asyncio.Protocol):
    """One connection of a client. It answers pipelined requests in turn."""

    def __init__(self, receiver, number):
        self.receiver = receiver
        self.number = number
        self.received = bytearray()
        self.head = None  # the head of a request with an incomplete body
        self.answering = False

    def connection_made(self, transport):
        self.transport = transport
        self.receiver.connections.add(self)

    def connection_lost(self, _error):
        self.receiver.connections.discard(self)

    def data_received(self, data):
        self.received += data
        if not self.answering:
            self.take()

    def take(self):
        """Answers the next request if it is complete."""
        if self.head is None:
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                if len(self.received) > HEAD_MAX:
                    self.receiver.problems.append(f"a head without end: {bytes(self.received[:200])!r}")
                    self.transport.abort()
                return
            lines = self.received[:end].decode("latin-1").split("\r\n")
            del self.received[: end + 4]
            method, target, version = lines[0].split(" ")
            headers = [tuple(line.split(": ", 1)) for line in lines[1:]]
            lengths = [value for name, value in headers if name.lower() == "content-length"]
            if version not in ("HTTP/1.1", "HTTP/1.0") or len(lengths) != 1 or not lengths[0].isdigit():
                self.receiver.problems.append(f"not a request with one length: {lines}")
                self.transport.abort()
                return
            self.head = method, target, headers, int(lengths[0])
        method, target, headers, length = self.head
        if len(self.received) < length:
            return
        body = bytes(self.received[:length])
        del self.received[:length]
        self.head = None
        self.answering = True
        arrival = Arrival(time.monotonic(), method, target, headers, body, self.number)
        self.receiver.record(arrival)
        if arrival.answer.delay or arrival.answer.trickle:
            task = asyncio.ensure_future(self.answer_slowly(arrival))
            self.receiver.slow.add(task)
            task.add_done_callback(self.receiver.slow.discard)
        else:
            self.answer(arrival)

    def answer(self, arrival):
        answer = arrival.answer
        if answer.hang or self.transport.is_closing():
            return
        if answer.drop:
            self.transport.abort()
            return
        self.transport.write(answer.raw if answer.raw is not None else answer.head() + answer.body[: answer.cut])
        self.finish(arrival)

    async def answer_slowly(self, arrival):
        answer = arrival.answer
        await asyncio.sleep(answer.delay)
        if not answer.trickle:
            self.answer(arrival)
            return
        self.transport.write(answer.head())
        for byte in answer.body:
            await asyncio.sleep(answer.trickle)
            if self.transport.is_closing():
                return
            self.transport.write(bytes([byte]))
        self.finish(arrival)

    def finish(self, arrival):
        arrival.ended = time.monotonic()
        self.answering = False
        answer = arrival.answer
        if answer.close or answer.cut is not None or answer.raw is not None:
            self.transport.close()
        elif self.received:
            self.take()


class Receiver:
    """
    `with Receiver() as receiver:` listens on a free port. answers: the answers by path. A value is an Answer, a list of
    Answers to give in turn (the last one for ever), or a function from an Arrival to an Answer, which runs in the
    receiver's thread. Other paths get 200.
    """

    def __init__(self, certificate=None, host="127.0.0.1"):
        """certificate: (file of the chain, file of its key). None: plain HTTP."""
        self.host = host
        self.certificate = certificate
        self.answers = {}
        self.arrivals = []
        self.problems = []
        self.connections = set()
        self.slow = set()  # tasks that answer slowly
        self.opened = 0  # the number of connections so far
        self._turns = defaultdict(int)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        self.server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, kind, *rest):
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        if kind is None:
            assert self.problems == []

    async def _listen(self, port=0):
        context = None
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)
        return await self._loop.create_server(self._connection, self.host, port, ssl=context, backlog=1024)

    async def _end(self):
        self.server.close()
        for task in list(self.slow):
            task.cancel()
        # A task that accepts a connection closes its socket only when the task ends.
        accepting = asyncio.all_tasks() - {asyncio.current_task()} - self.slow
        if accepting:
            _, others = await asyncio.wait(accepting, timeout=1)
            for task in others:
                task.cancel()  # closes its socket
            if others:
                await asyncio.wait(others, timeout=1)
        for connection in list(self.connections):
            connection.transport.abort()

    def _connection(self):
        self.opened += 1
        return Connection(self, self.opened)

    def url(self, path="/"):
        return f"{'https' if self.certificate else 'http'}://{self.host}:{self.port}{path}"

    def record(self, arrival):
        """Records the arrival and chooses its answer."""
        script = self.answers.get(arrival.path, OK)
        if isinstance(script, (list, tuple)):
            turn = self._turns[arrival.path]
            self._turns[arrival.path] += 1
            script = script[min(turn, len(script) - 1)]
        arrival.answer = script if isinstance(script, Answer) else script(arrival)
        self.arrivals.append(arrival)

    def refuse(self):
        """Until listen() the port is closed. All connections end."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)

    def listen(self):
        self.server = asyncio.run_coroutine_threadsafe(self._listen(self.port), self._loop).result(10)

    def at(self, path):
        return [arrival for arrival in list(self.arrivals) if arrival.path == path]

    def sent_after(self, moment, path):
        """
        The requests of attempts that began later than that (time.time()). An earlier attempt may be recorded later.
        """
        return [arrival for arrival in self.at(path) if arrival.sent > moment]

    def wait(self, count, path=None, timeout=15):
        """Waits until so many requests have arrived, at that path or in all, and returns them."""
        def arrived():
            found = self.at(path) if path else list(self.arrivals)
            return found if len(found) >= count else None

        return wait_until(arrived, f"{count} requests at {path or 'the receiver'}", timeout)

    def in_flight(self):
        """The number of requests without a complete answer."""
        recent = deque(self.arrivals, 10000)
        return sum(not arrival.done and not arrival.answer.drop for arrival in recent)
