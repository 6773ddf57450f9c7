"""
Publishers and the ledger of their events. For each acknowledged event and each endpoint that matches, exactly one job
exists: the receiver has answered it with 2xx at least once, or it is a dead letter, or it waits in its row.
"""

import http.client
import json
import random
import re
import threading
import time
from collections import Counter

from harness.client import Client
from harness.waiting import PATIENCE, wait_until

DONE = (200, 201, 202)  # 202: spooled
NAME = re.compile(rb'"n":"([^"]+)"')


class Endpoints:
    """Endpoints of one tenant at a receiver, each with one subscription and found by its path."""

    def __init__(self, tenant, receiver):
        self.tenant = tenant
        self.receiver = receiver
        self.patterns = {}  # by path
        self.ids = {}

    def add(self, path, pattern="#", **fields):
        client = self.tenant.client
        made = client.post("/v1/endpoints", {"url": self.receiver.url(path)} | fields)
        assert made.status == 201, made
        subscribed = client.post("/v1/subscriptions", {"endpoint_id": made.json["id"], "topic_pattern": pattern})
        assert subscribed.status == 201, subscribed
        self.patterns[path] = pattern
        self.ids[path] = made.json["id"]
        return made.json

    def matching(self, topic):
        return {path for path, pattern in self.patterns.items() if matches(pattern, topic)}


def matches(pattern, topic):
    """`*` matches one segment, a final `#` any number. The ledger does not use hooksd's code for patterns."""
    words, parts = pattern.split("."), topic.split(".")
    if words[-1] == "#":
        words, parts = words[:-1], parts[: len(words) - 1]
    return len(words) == len(parts) and all(word in ("*", part) for word, part in zip(words, parts))


class Publisher:
    """
    A client that publishes without pause, or every `pause` seconds, and records the outcome of each event. Each event
    has a name in its payload and an idempotency key. The client sends it again until it is acknowledged, so each event
    is published exactly once. Its id is in the last reply, or in a lost one if the last reply was `spooled`.
    """

    timeout = 20  # seconds, of a request

    def __init__(self, hookline, tenant, number, topics=("orders.made",), batch=1, pause=0, padding=100):
        self.hookline = hookline
        self.key = tenant.client.key
        self.number = number
        self.topics = topics
        self.batch = batch
        self.pause = pause
        self.padding = padding
        self.random = random.Random(number)
        self.acknowledged = {}  # topics by name
        self.perhaps = {}  # the same, for events with an unknown outcome
        self.acks = Counter()  # "stored", "deduped", "spooled"; statuses of refusals; "broken" connections
        self.failure = None
        self.ending = threading.Event()
        self.client = None
        self.made = 0
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        try:
            while not self.ending.is_set():
                self.publish_until_acknowledged()
                if self.pause:
                    self.ending.wait(self.pause)
        except BaseException as failure:  # raised again by Publishing
            self.failure = failure
        finally:
            if self.client:
                self.client.close()

    def event(self):
        self.made += 1
        name = f"{self.number}-{self.made}"
        return {"topic": self.random.choice(self.topics), "idempotency_key": f"key-{name}",
                "payload": {"n": name, "padding": "x" * self.padding}}

    def publish_until_acknowledged(self):
        events = [self.event() for _ in range(self.batch)]
        body = events if self.batch > 1 else events[0]
        deadline = time.monotonic() + 60 * PATIENCE
        while time.monotonic() < deadline:
            if self._publish(body):
                self.acknowledged |= {event["payload"]["n"]: event["topic"] for event in events}
                return
            time.sleep(0.01)
        raise AssertionError(f"not acknowledged in time: {dict(self.acks)}")

    def _publish(self, body):
        """Returns whether the event was acknowledged, or the batch as a whole."""
        reply = self.ask(body)
        if reply is None or reply.status in (429, 503):
            return False
        return not any("error" in item for item in self.count(reply))

    def ask(self, body):
        """Returns the reply. None: the connection ended without one."""
        try:
            self.client = self.client or Client(self.hookline.daemon.port, timeout=self.timeout * PATIENCE)
            path = "/v1/events/batch" if self.batch > 1 else "/v1/events"
            reply = self.client.post(path, body, Authorization=f"Bearer {self.key}")
        except (OSError, http.client.HTTPException):
            if self.client:
                self.client.close()
            self.client = None
            self.acks["broken"] += 1
            return None
        if reply.status in (429, 503):
            self.acks[reply.status] += 1
        return reply

    def count(self, reply):
        """The items of an acknowledging reply."""
        assert reply.status in DONE, reply
        found = json.loads(reply.body)
        items = found["items"] if self.batch > 1 else [found]
        assert len(items) == self.batch, reply
        for item in items:
            self.acks[item.get("error") or ("deduped" if item.get("deduped") else "spooled" if reply.status == 202 else "stored")] += 1
        return items


class Publishing:
    """`with Publishing([publishers]):` publishes until the end of the block, which raises a client's failure."""

    def __init__(self, publishers):
        self.publishers = publishers

    def __enter__(self):
        for publisher in self.publishers:
            publisher.thread.start()
        return self

    def __exit__(self, kind, *rest):
        for publisher in self.publishers:
            publisher.ending.set()
        for publisher in self.publishers:
            publisher.thread.join()
        if kind is None:
            self.raise_failures()

    def raise_failures(self):
        for publisher in self.publishers:
            if publisher.failure:
                raise publisher.failure

    def count(self):
        return sum(len(publisher.acknowledged) for publisher in self.publishers)

    def wait_more(self, count, timeout=30):
        before = self.count()
        wait_until(lambda: self.count() >= before + count or any(each.failure for each in self.publishers),
                   f"{count} events more to be acknowledged", timeout)
        self.raise_failures()


class Ledger:
    """Compares the acknowledged events, by name, with the receiver's requests and the store's rows."""

    def __init__(self, hookline, endpoints, publishers, never=()):
        """never: paths whose receiver refuses every request during the test. Their jobs may wait."""
        self.hookline = hookline
        self.endpoints = endpoints
        self.never = never
        self.acknowledged, perhaps = {}, {}
        for publisher in publishers:
            self.acknowledged |= publisher.acknowledged
            perhaps |= publisher.perhaps
        self._delivered = Counter()
        self._read = 0  # how many of the receiver's arrivals are counted
        pairs = self._pairs_of(self.acknowledged)
        self.perhaps = self._pairs_of(perhaps)
        self.kept = {(path, name) for path, name in pairs if path in never}
        self.owed = pairs - self.kept

    def _pairs_of(self, topics):
        return {(path, name) for name, topic in topics.items() for path in self.endpoints.matching(topic)}

    def delivered(self):
        """The number of 2xx answers of each job, by (path, name, job)."""
        new = self.endpoints.receiver.arrivals[self._read :]
        self._read += len(new)
        self._delivered.update((arrival.path, NAME.search(arrival.body)[1].decode(), arrival.job)
                               for arrival in new if arrival.answer.delivers)
        return self._delivered

    def rows(self, columns, table):
        return self.hookline.query(f"SELECT {columns} FROM {table} WHERE tenant_id = :id", id=self.endpoints.tenant.id)

    def _pairs(self, sql):
        """The path and the name of each row. The statement returns endpoint_id and payload."""
        paths = {id: path for path, id in self.endpoints.ids.items()}
        rows = self.hookline.query(sql, id=self.endpoints.tenant.id)
        return [(paths[str(row["endpoint_id"])], json.loads(row["payload"])["n"]) for row in rows]

    def dead(self):
        return set(self._pairs("SELECT endpoint_id, CAST(payload AS text) AS payload FROM dlq WHERE tenant_id = :id"))

    def waiting(self):
        """(path, name) of each job."""
        return self._pairs("SELECT j.endpoint_id, CAST(e.payload AS text) AS payload FROM jobs j JOIN events e"
                           " ON e.tenant_id = j.tenant_id AND e.event_id = j.event_id WHERE j.tenant_id = :id")

    def missing(self):
        missing = self.owed - {(path, name) for path, name, _ in self.delivered()}
        return missing - self.dead() if missing else missing

    def unfinished(self):
        """Waiting jobs, without those that may wait."""
        may_wait = [id for path, id in self.endpoints.ids.items() if path in self.never]
        return [row for row in self.rows("*", "jobs") if str(row["endpoint_id"]) not in may_wait]

    def wait_delivered(self, timeout=60):
        """Waits until no delivery is missing and no job waits."""
        try:
            wait_until(lambda: not self.missing(), "everything to be delivered", timeout)
            wait_until(lambda: not self.unfinished(), "every outcome to be committed", timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.explain()}") from None

    def explain(self):
        missing = sorted(self.missing())
        stored = {json.loads(row["payload"])["n"] for row in self.rows("CAST(payload AS text) AS payload", "events")}
        lost = [name for _, name in missing if name not in stored]
        unfinished = self.unfinished()
        return (f"{len(missing)} of {len(self.owed)} are missing, as {missing[:3]}; {len(lost)} of these are not among the"
                f" {len(stored)} events, as {lost[:3]}; {len(unfinished)} jobs wait, as {unfinished[:3]}")

    def duplicates(self):
        """The number of repeated deliveries."""
        return sum(count - 1 for count in self.delivered().values())

    def check(self, duplicates_most):
        """Prints the figures and checks them. Call wait_delivered() first."""
        deliveries = self.delivered()
        jobs = Counter((path, name) for path, name, _ in deliveries)
        print(f"{len(self.acknowledged)} events acknowledged, {len(self.owed)} deliveries owed, {sum(deliveries.values())}"
              f" made, {len(self.dead())} dead; {self.duplicates()} duplicates, at most {duplicates_most}")
        assert not self.missing()
        assert [each for each, count in jobs.items() if count > 1] == [], "an event makes one job for an endpoint"
        waiting, dead = self.waiting(), self.dead()
        assert len(waiting) == len(set(waiting)), "an event makes one job for an endpoint"
        assert self.kept == (set(waiting) - self.perhaps) | (self.kept & dead), "each waits or is dead"
        assert not dead & set(waiting), "a waiting job has no dead letter"
        strayed = jobs.keys() - self.owed - self.perhaps
        assert not strayed, f"{sorted(strayed)[:3]} were delivered, but not published for that endpoint"
        assert self.duplicates() <= duplicates_most

    def check_rows(self):
        """Checks the store's rows: each job has a successful attempt, each success has a 2xx, no job is left."""
        attempts = self.rows("job_id, status, http_status", "attempts")
        succeeded = {str(row["job_id"]) for row in attempts if row["status"] == "success"}
        dead = self.dead()  # includes events that were delivered and failed when delivered again
        untold = [delivery for delivery in self.delivered() if delivery[2] not in succeeded and delivery[:2] not in dead]
        assert not untold, f"{len(untold)} deliveries without a stored attempt, such as {untold[:3]}"
        assert [row for row in attempts if (row["status"] == "success") != (200 <= (row["http_status"] or 0) <= 299)] == []
        assert self.unfinished() == []
