"""
Subscriptions are created, changed and deleted on one node while clients publish without pause on another node, which is
killed and restarted. Each event is routed by all changes that were answered before its publishing, and makes one job.
"""

import itertools
import json
import os
import signal
import time
from collections import defaultdict

import pytest

from harness.background import Background
from harness.deliveries import Publisher, Publishing
from harness.endpoints import make
from harness.waiting import PATIENCE, wait_until
from harness.webhooks import STORES, ApiClient

SMALL = {"STORAGE_TYPE": "jsonl", "ACCEPTORS": 1, "HL_COURIERS": 1}
NEVER = float("inf")
DEATHS = 4
AT_LEAST = 50  # pairs of an event and an endpoint that must have a job, and that must have none


class TimedPublisher(Publisher):
    """
    times: when each event was first sent and when it was acknowledged. A spooled event may be stored at any later time.
    """

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.times = {}

    def publish_until_acknowledged(self):
        began, spooled = time.monotonic(), self.acks["spooled"]
        super().publish_until_acknowledged()
        self.times[f"{self.number}-{self.made}"] = began, NEVER if self.acks["spooled"] > spooled else time.monotonic()


class Changes(Background):
    """
    Adds and removes matching subscriptions of endpoints in every possible way. Between a request and its reply the
    routing is unknown.
    """

    def __init__(self, client, publishers):
        super().__init__()
        self.client = client
        self.publishers = publishers
        self.spans = defaultdict(list)  # by endpoint: [whether events go there, from, until]
        self.count = 0

    def work(self):
        for ways in itertools.cycle([self.made_and_deleted, self.disabled_and_enabled, self.of_another_pattern,
                                     self.of_another_filter, self.of_another_endpoint]):
            if self.ending.is_set():
                return
            ways()

    def endpoint(self):
        """Makes a disabled endpoint without subscriptions. Disabled, so that its jobs stay."""
        endpoint = make(self.client, enabled=False)["id"]
        self.spans[endpoint].append([False, 0, NEVER])
        return endpoint

    def subscribe(self, endpoint, **fields):
        return self.change({endpoint: True}, "POST", "/v1/subscriptions", {"endpoint_id": endpoint, "topic_pattern": "#"} | fields)["id"]

    def patch(self, subscription, goes, **fields):
        self.change(goes, "PATCH", f"/v1/subscriptions/{subscription}", fields)

    def delete(self, subscription, endpoint):
        self.change({endpoint: False}, "DELETE", f"/v1/subscriptions/{subscription}")

    def change(self, goes, method, path, *body):
        """goes: {endpoint: whether events go there from the reply on}."""
        asked = time.monotonic()
        for endpoint in goes:
            self.spans[endpoint][-1][2] = asked
        reply = self.client.request(method, path, *body)
        assert reply.status in (200, 201, 204), reply
        for endpoint, on in goes.items():
            self.spans[endpoint].append([on, time.monotonic(), NEVER])
        self.count += 1
        self.let_publish(2 * len(self.publishers))  # requests under way, and at least one event sent after the reply
        return reply.json

    def let_publish(self, count):
        until = self.published() + count
        while self.published() < until and not self.ending.wait(0.002):
            pass

    def published(self):
        return sum(len(publisher.times) for publisher in self.publishers)

    def made_and_deleted(self):
        endpoint = self.endpoint()
        for _ in range(2):
            self.delete(self.subscribe(endpoint), endpoint)

    def disabled_and_enabled(self):
        endpoint = self.endpoint()
        made = self.subscribe(endpoint)
        self.patch(made, {endpoint: False}, enabled=False)
        self.patch(made, {endpoint: True}, enabled=True)
        self.delete(made, endpoint)

    def of_another_pattern(self):
        endpoint = self.endpoint()
        made = self.subscribe(endpoint, topic_pattern="orders.*")
        self.patch(made, {endpoint: False}, topic_pattern="bills.#")
        self.patch(made, {endpoint: True}, topic_pattern="*.made")
        self.delete(made, endpoint)

    def of_another_filter(self):
        endpoint = self.endpoint()
        made = self.subscribe(endpoint, filter={"exists": "payload.n", "value": True})
        self.patch(made, {endpoint: False}, filter={"eq": "payload.n", "value": 7})
        self.patch(made, {endpoint: True}, filter=None)
        self.delete(made, endpoint)

    def of_another_endpoint(self):
        one, other = self.endpoint(), self.endpoint()
        made = self.subscribe(one)
        self.patch(made, {one: False, other: True}, endpoint_id=other)
        self.patch(made, {one: True, other: False}, endpoint_id=one)
        self.delete(made, one)


def restart(hookline, number):
    """Restarts the node: in turn by a kill and in good order."""
    if number % 2:
        hookline.daemon.restart(store_ready=False)
    else:
        hookline.daemon.kill()
        hookline.daemon.start(store_ready=False)


def kill_publisher(hookline, _number):
    os.kill(wait_until(lambda: hookline.daemon.pids("publisher"), "a publisher")[0], signal.SIGKILL)


def check(hookline, tenant, changes, times):
    """Returns the numbers of checked pairs of an event and an endpoint: with a job, and without one."""
    names = {str(row["event_id"]): json.loads(row["payload"])["n"] for row in hookline.query(
        "SELECT event_id, CAST(payload AS text) AS payload FROM events WHERE tenant_id = :id", id=tenant.id)}
    assert sorted(names.values()) == sorted(times), "each event is stored once"
    jobs = [(names[str(row["event_id"])], str(row["endpoint_id"])) for row in hookline.query(
        "SELECT event_id, endpoint_id FROM jobs WHERE tenant_id = :id", id=tenant.id)]
    made = set(jobs)
    assert len(made) == len(jobs), "an event makes one job for an endpoint"
    judged = {True: 0, False: 0}
    for endpoint, spans in changes.spans.items():
        for goes, since, until in spans:
            for name in (name for name, (sent, stored) in times.items() if since <= sent and stored <= until):
                told = f"event {name} of {times[name]}, endpoint {endpoint} of {spans}"
                assert ((name, endpoint) in made) == goes, told
                judged[goes] += 1
    return judged


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.timeout(120 * PATIENCE)
@pytest.mark.parametrize("store", STORES)
def test_events_are_routed_by_each_answered_change_whatever_dies(make_hookline, store):
    """The embedded store has only one node, so there the publisher is killed."""
    publishing_node = changing_node = make_hookline(store, **SMALL).start()
    if store == "postgres":
        changing_node = make_hookline(store, publishing_node.database, HL_PUBLISHERS=1, **SMALL,
                                      **{name: publishing_node.daemon.options[name] for name in ("HL_MASTER_KEY", "HL_ADMIN_KEY")}).start()
    die = restart if store == "postgres" else kill_publisher
    tenant = changing_node.new_tenant()
    key = ApiClient(publishing_node, tenant.client.key)
    wait_until(lambda: key.get("/v1/events").status == 200, "the publishing node to know the key")
    publishers = [TimedPublisher(publishing_node, tenant, number) for number in range(3)]
    with Changes(tenant.client, publishers) as changes, Publishing(publishers) as publishing:
        for number in range(DEATHS):
            publishing.wait_more(60, 30)
            count = changes.count
            wait_until(lambda count=count: changes.failure or changes.count > count + 8, "subscriptions to change")
            die(publishing_node, number)
        publishing.wait_more(60, 30)
    times = {name: time for publisher in publishers for name, time in publisher.times.items()}
    wait_until(lambda: publishing_node.value("SELECT count(*) FROM events WHERE tenant_id = :id", id=tenant.id) == len(times),
               "what was spooled to be stored", 30)
    judged = check(publishing_node, tenant, changes, times)
    print(f"{changes.count} changes, {len(times)} events; judged: {judged}")
    assert min(judged.values()) > AT_LEAST
