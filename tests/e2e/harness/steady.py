"""A steady stream of events without retries, for tests of how work on the store affects clients."""

import itertools
import threading
import time
import uuid

from harness.events import now, timestamp_text
from harness.waiting import wait_until

RATE = 5000  # events a second, if the machine is fast enough
BATCH = 100
CONNECTIONS = 5


class SteadyLoad:
    """
    Sends batches at a fixed pace on each connection. A connection that waits for an answer falls behind and then
    catches up. The events of a batch take turns at the times of `moments`, which may change at any time. Used as a
    context manager. An answer other than a 202 with one of those acknowledgements ends the load and fails the test.
    """

    def __init__(self, daemon, acks=("stored",)):
        self.daemon = daemon
        self.acks = acks
        self.moments = [now()]
        self.acknowledged = set()
        self.longest_wait = 0  # seconds, from a request to its acknowledgement
        self.failures = []
        self.numbers = itertools.count(uuid.uuid4().int >> 64 << 64)
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(CONNECTIONS)]

    def __enter__(self):
        self.started = time.monotonic()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, *rest):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        self.seconds = time.monotonic() - self.started
        if kind is None:
            assert self.failures == []

    def flow(self, count=1000):
        """Waits until so many more events have been acknowledged."""
        target = len(self.acknowledged) + count
        wait_until(lambda: len(self.acknowledged) >= target or self.failures, f"{count} more acknowledged events", 30)
        assert self.failures == []

    def report(self, title):
        """Prints the figures, for runs with pytest -s."""
        print(f"\n{title}: {len(self.acknowledged) / self.seconds:.0f} events/s for {self.seconds:.1f} s,"
              f" the longest wait of a request was {self.longest_wait * 1000:.0f} ms")

    def _run(self, number):
        try:
            with self.daemon.client() as client:
                self._post(client, f"steady-{number}")
        except Exception as failure:  # flow() and __exit__ report it in the test's thread
            self.failures.append(failure)

    def _post(self, client, session):
        due = time.monotonic()
        while not self.stopping.wait(max(0, due - time.monotonic())) and not self.failures:
            with self.lock:
                ids = [str(uuid.UUID(int=next(self.numbers))) for _ in range(BATCH)]
            times = itertools.cycle([timestamp_text(moment) for moment in self.moments])
            batch = [
                {"event_id": event_id, "event_type": "tool_execution_completed", "session_id": session,
                 "timestamp": time_text, "data": {"tool_name": "Bash", "output": "x" * 100}}
                for event_id, time_text in zip(ids, times)
            ]
            begin = time.monotonic()
            reply = client.post_batch(batch)
            waited = time.monotonic() - begin
            assert reply.status == 202 and reply.headers["X-Hooks-Ack"] in self.acks, reply
            with self.lock:
                self.acknowledged.update(ids)
                self.longest_wait = max(self.longest_wait, waited)
            due += BATCH * CONNECTIONS / RATE
