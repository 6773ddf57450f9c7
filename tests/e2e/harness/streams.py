"""A client of GET /v1/stream, or of GET /events/stream."""

import contextlib
import http.client
import json
import time
import urllib.parse

from harness.waiting import PATIENCE

TIMEOUT = 20 * PATIENCE


class Frame:
    """The lines between two empty lines. A comment has no fields."""

    def __init__(self, lines):
        self.lines = lines
        self.fields = dict(line.split(": ", 1) for line in lines if line and not line.startswith(":"))

    @property
    def id(self):
        return self.fields.get("id")

    @property
    def type(self):
        return self.fields.get("event")

    @property
    def data(self):
        return json.loads(self.fields["data"]) if "data" in self.fields else None

    def __repr__(self):
        return repr(self.lines)


class Stream:
    """A client that is connected until close(), or until the end of `with`. key=None: no Authorization header."""

    def __init__(self, daemon, key, last_id=None, headers=(), timeout=TIMEOUT, path="/v1/stream", **query):
        path += ("?" + urllib.parse.urlencode(query) if query else "")
        headers = dict(headers) | ({"Authorization": f"Bearer {key}"} if key else {})
        headers |= {"Last-Event-ID": last_id} if last_id else {}
        self.connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=timeout)
        try:
            self.connection.request("GET", path, headers=headers)
            self.response = self.connection.getresponse()
        except BaseException:
            self.connection.close()
            raise
        self.status, self.headers = self.response.status, self.response.headers
        self.place = None  # the position at which the stream began, if frames have ids

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self.response.close()
        self.connection.close()

    def opened(self):
        """Waits for the first bytes. From then on the stream misses no published event."""
        assert self.status == 200, self.response.read()
        while (frame := self.frame()).lines != [":"]:
            assert frame.lines == [": waiting for the store"], frame
        frame = self.frame()
        assert frame is not None and "retry" in frame.fields
        self.place = frame.id
        return self

    def frame(self):
        """The next frame. None: the stream has ended in good order."""
        lines = []
        while True:
            line = self.response.readline()
            if line == b"":
                assert not lines, f"the stream ends within {lines}"
                return None
            line = line.decode().removesuffix("\n")
            if line == "":
                return Frame(lines)
            lines.append(line)

    def next(self):
        """The next frame that has data. None: the stream has ended."""
        while (frame := self.frame()) is not None:
            if "data" in frame.fields:
                return frame
        return None

    def take(self, count):
        """The next `count` frames with data."""
        return [self.next() for _ in range(count)]

    def until(self, ids, name="id"):
        """Reads frames until all these events have come. name: the member with an event's id."""
        missing, frames = set(ids), []
        deadline = time.monotonic() + TIMEOUT
        while missing:
            assert time.monotonic() < deadline, f"{missing} have not come"
            frame = self.next()
            assert frame is not None, f"the stream ends before {missing}"
            frames.append(frame)
            missing.discard(frame.data.get(name))
        return frames

    def ends(self):
        """Whether the stream ends in time without another frame; comments may come."""
        with contextlib.suppress(http.client.IncompleteRead, ConnectionError):
            return self.next() is None
        return True
