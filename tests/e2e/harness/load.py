"""Many connections that post at once. Each posts its stream of events in order and retries until acknowledged."""

import http.client
import threading
import time

from harness.waiting import PATIENCE, wait_until


class Load:
    """
    One thread and one connection per stream (a list of events). A request without an answer, or with a 503, is sent
    again. `repeated` holds the ids of events without an answer: these may be stored twice.
    Used as a context manager: the end of the block waits until everything is acknowledged.
    """

    def __init__(self, daemon, streams, batch):
        self.daemon = daemon
        self.streams = streams
        self.batch = batch
        self.acknowledged = 0
        self.unavailable = 0
        self.repeated = set()
        self.failures = []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._run, args=(stream,), daemon=True) for stream in streams]

    def events(self):
        return [event for stream in self.streams for event in stream]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, *rest):
        deadline = time.monotonic() + 50 * PATIENCE
        for thread in self.threads:
            thread.join(max(0, deadline - time.monotonic()))
        if kind is None:
            assert self.failures == []
            assert not any(thread.is_alive() for thread in self.threads), "the load did not end"

    def wait_acknowledged(self, count):
        wait_until(lambda: self.acknowledged >= count or self.failures, f"{count} acknowledged events", 40)
        assert self.failures == []

    def without_repeats(self, stored):
        """The stored events without second copies of repeated events."""
        seen = set()
        kept = []
        for event in stored:
            if event["event_id"] in seen and event["event_id"] in self.repeated:
                continue
            seen.add(event["event_id"])
            kept.append(event)
        return kept

    def _run(self, stream):
        try:
            client = self.daemon.client()
            try:
                for start in range(0, len(stream), self.batch):
                    client = self._deliver(client, stream[start : start + self.batch])
            finally:
                client.close()
        except Exception as failure:  # __exit__ reports it in the test's thread
            self.failures.append(failure)

    def _deliver(self, client, events):
        """Posts until acknowledged. Returns the client for the next request."""
        deadline = time.monotonic() + 40 * PATIENCE
        while time.monotonic() < deadline:
            try:
                reply = client.post_batch(events) if len(events) > 1 else client.post_event(events[0])
            except (OSError, http.client.HTTPException):
                with self.lock:
                    self.repeated.update(event["event_id"] for event in events)
                client.close()
                time.sleep(0.01)
                client = self.daemon.client()
                continue
            if reply.status == 503:
                assert int(reply.headers["Retry-After"]) >= 0
                self.unavailable += 1
                time.sleep(0.02)
                continue
            assert (reply.status, reply.json()["accepted"]) == (202, len(events)), reply
            with self.lock:
                self.acknowledged += len(events)
            return client
        raise AssertionError(f"no acknowledgement in time for {events[0]['event_id']}")
