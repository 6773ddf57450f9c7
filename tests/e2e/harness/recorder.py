"""
Clients that record their answers, and the verdict: acknowledged events are stored once, refused events are not stored.
"""

import http.client
import random
import threading
import uuid
from collections import Counter
from contextlib import contextmanager

from harness.client import Client
from harness.waiting import wait_until

CLIENTS = 6


class Recorder:
    """
    A client that never repeats a request. An acknowledged request must be stored, a refused one must not. Without an
    answer, or with an answer that does not know the outcome, it may be stored or not.
    """

    def __init__(self, daemon, seed, number):
        self.daemon = daemon
        self.random = random.Random(f"{seed}-{number}")
        self.session = f"session-{number}"
        self.requests = []  # (ids, acknowledged, refused)
        self.answers = Counter()  # counts by X-Hooks-Ack, "refused", "not known"
        self.client = None
        self.failure = None
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def stop(self):
        self.stopped.set()
        self.thread.join()
        assert self.failure is None, repr(self.failure)

    def _run(self):
        try:
            while not self.stopped.is_set():
                self._post_one_batch()
        except BaseException as failure:
            self.failure = failure
        finally:
            if self.client:
                self.client.close()

    def _post_one_batch(self):
        batch = [
            {
                "event_type": "chaos",
                "session_id": self.session,
                "event_id": str(uuid.UUID(int=self.random.getrandbits(128), version=4)),
                "data": {"text": "x" * self.random.randrange(600)},
            }
            for _ in range(self.random.choice([1, 1, 3, 40]))
        ]
        acknowledged = refused = False
        try:
            self.client = self.client or Client(self.daemon.port, timeout=20)
            reply = self.client.post_batch(batch)
            assert reply.status in (202, 503), reply
            acknowledged = reply.status == 202
            refused = not acknowledged and "nothing of this request was kept" in reply.json()["detail"]
            self.answers[reply.headers["X-Hooks-Ack"] if acknowledged else "refused" if refused else "not known"] += 1
        except (OSError, http.client.HTTPException):
            self.client.close()
            self.client = None
        self.requests.append(([event["event_id"] for event in batch], acknowledged, refused))
        if not acknowledged:
            self.stopped.wait(0.01)


@contextmanager
def recording(daemon, seed):
    """Recorders that post during the block, and after it until each has had one more acknowledgement."""
    recorders = [Recorder(daemon, seed, number) for number in range(CLIENTS)]
    try:
        yield recorders
        wait_acknowledged(recorders)
    finally:
        for recorder in recorders:
            recorder.stopped.set()
    for recorder in recorders:
        recorder.stop()


def wait_acknowledged(recorders):
    """Waits until each has had one more request acknowledged. It may have sent that request before."""
    before = [(recorder, len(recorder.requests)) for recorder in recorders]

    def all_were():
        return all(any(acknowledged for _, acknowledged, _ in recorder.requests[count:]) or recorder.failure
                   for recorder, count in before)

    wait_until(all_were, "every client to be acknowledged", 30)


def judge(recorders, *stores):
    """
    Prints the figures and checks them. stores: lists of ids. An event may be in two stores if the daemon has changed
    its store.
    """
    counts = [Counter(ids) for ids in stores]
    stored = set().union(*counts)
    requests = [request for recorder in recorders for request in recorder.requests]
    acknowledged = [id for ids, acknowledged, _ in requests if acknowledged for id in ids]
    verdict = {
        "lost": [id for id in acknowledged if id not in stored],
        "doubled": [id for store in counts for id, count in store.items() if count > 1],
        "torn": [ids for ids, *_ in requests if 0 < len(stored.intersection(ids)) < len(ids)],
        "refused and stored": [id for ids, _, refused in requests if refused for id in ids if id in stored],
    }
    answers = sum((recorder.answers for recorder in recorders), Counter())
    told = ", ".join(f"{len(found)} {what}" for what, found in verdict.items())
    print(f"{len(acknowledged)} events acknowledged, {len(requests)} requests, answers {dict(answers)}; {told}")
    assert {what: found[:3] for what, found in verdict.items() if found} == {}
