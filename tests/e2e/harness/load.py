"""Many connections posting at once, each stream of events in order, retrying whatever was not acknowledged."""

import http.client
import threading
import time

from harness.waiting import PATIENCE, wait_until


class Load:
    """
    One thread and one connection per stream (a list of events). A request that got no answer, or a 503, is sent
    again: `repeated` holds the ids of events that may therefore have been stored before their acknowledgement.
    Used as a context manager: leaving the block waits until everything is acknowledged.
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
        """Leaves out second copies of events that had to be sent again."""
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
        except Exception as failure:  # told by __exit__ in the test's own thread
            self.failures.append(failure)

    def _deliver(self, client, events):
        """Posts until acknowledged; returns the connection to go on with."""
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
