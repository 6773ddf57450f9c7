"""Clients that make, change and delete objects of the webhooks' API all the time, and what must be true afterwards."""

import http.client
import random
import threading
from collections import Counter
from types import SimpleNamespace

from harness.waiting import wait_until
from harness.webhooks import NOTHING, ApiClient


DONE_HERE = 202  # done, but some courier has not said in time that it knows


class Worker:
    """
    One client with a tenant of its own. Of each endpoint it knows the names that it may have: the one of the last
    reply 200 or 201, and those of changes that were answered 503 since, which may have happened or not.
    """

    def __init__(self, hookline, seed, cuts):
        self.cuts = cuts
        self.tenant = hookline.new_tenant()
        self.random = random.Random(seed)
        self.names = {}
        self.deleted = set()
        self.perhaps_deleted = set()
        self.subscriptions = {}  # id to endpoint
        self.statuses = Counter()
        self.error = None

    def step(self, number):
        names = self.names
        chance = self.random.random()
        known = self.random.choice(sorted(names)) if names else None
        name = f"name {number}"
        if known is None or chance < 0.35:
            reply = self.ask("POST", "/v1/endpoints", {"url": "https://hooks.example.com/", "name": name})
            self.count(reply, 201)
            if reply.status == 201:
                names[reply.json["id"]] = {name}
        elif chance < 0.65:
            reply = self.ask("PATCH", f"/v1/endpoints/{known}", {"name": name})
            self.count(reply, 200, perhaps_gone=known in self.perhaps_deleted)
            if reply.status in (200, DONE_HERE):
                names[known] = {name}
            elif reply.status == 503:
                names[known].add(name)
        elif chance < 0.85:
            reply = self.ask("POST", "/v1/subscriptions", {"endpoint_id": known, "topic_pattern": "order.*"})
            self.count(reply, 201, perhaps_gone=known in self.perhaps_deleted)
            if reply.status == 201:
                self.subscriptions[reply.json["id"]] = known
        else:
            reply = self.ask("DELETE", f"/v1/endpoints/{known}")
            self.count(reply, 204, perhaps_gone=known in self.perhaps_deleted)
            if reply.status == 503:
                self.perhaps_deleted.add(known)
            else:
                self.deleted.add(known)
                del names[known]

    def ask(self, method, path, body=NOTHING):
        """The reply; where connections may be cut 503 also then: nobody knows what became of the request."""
        try:
            return self.tenant.client.request(method, path, body)
        except (OSError, http.client.HTTPException):
            if not self.cuts:
                raise
            return SimpleNamespace(status=503, json=None)

    def count(self, reply, wanted, perhaps_gone=False):
        assert reply.status in (wanted, DONE_HERE, 503) or (reply.status == 404 and perhaps_gone), reply
        self.statuses[reply.status] += 1

    def check(self, hookline):
        """Holds the store and the API against what this client was told."""
        client = ApiClient(hookline, self.tenant.client.key)
        shown = {one["id"]: one for one in client.items("/v1/endpoints")}
        subscribed = {one["id"] for one in client.items("/v1/subscriptions")}
        for endpoint, names in self.names.items():
            if endpoint not in shown:
                assert endpoint in self.perhaps_deleted, f"{endpoint} was acknowledged and is not there"
            else:
                assert shown[endpoint]["name"] in names, shown[endpoint]
        assert not self.deleted & shown.keys()
        for subscription, endpoint in self.subscriptions.items():
            assert subscription in subscribed or endpoint not in shown, subscription
        self.check_audit(hookline)

    def check_audit(self, hookline):
        """Each change is there with its audit row, or neither is: versions count changes."""
        with hookline.reader() as read:
            endpoints = read("SELECT * FROM endpoints WHERE tenant_id = :id", id=self.tenant.id)
            subscriptions = read("SELECT * FROM subscriptions WHERE tenant_id = :id", id=self.tenant.id)
            rows = read("SELECT action, object_id FROM audit_log WHERE tenant_id = :id", id=self.tenant.id)
        audited = Counter((row["action"], str(row["object_id"])) for row in rows)
        made = {name for action, name in audited if action == "endpoint.create"}
        assert made >= self.names.keys() | self.deleted
        assert {str(row["endpoint_id"]) for row in endpoints} <= made
        deleted = {name for action, name in audited if action == "endpoint.delete"}
        assert deleted >= self.deleted
        standing = {str(row["endpoint_id"]) for row in endpoints if row["deleted_at"] is None}
        assert standing == made - deleted
        for row in endpoints:
            endpoint = str(row["endpoint_id"])
            changes = audited["endpoint.update", endpoint] + audited["endpoint.delete", endpoint]
            assert audited["endpoint.create", endpoint] == 1
            assert row["version"] in (1 + changes, 1 + audited["endpoint.update", endpoint]), (row, changes)
        subscribed = {name for action, name in audited if action == "subscription.create"}
        assert {str(row["subscription_id"]) for row in subscriptions} <= subscribed
        assert subscribed >= self.subscriptions.keys()


class CrudLoad:
    """`with CrudLoad(hookline):` works until the end of the block, then raises what any client met."""

    def __init__(self, hookline, clients=6, seed=1, cuts=False):
        """cuts: also acceptors die, so that connections end without a reply."""
        self.workers = [Worker(hookline, seed + number, cuts) for number in range(clients)]
        self.threads = [threading.Thread(target=self.run, args=(worker,)) for worker in self.workers]
        self.ending = threading.Event()

    def run(self, worker):
        number = 0
        try:
            while not self.ending.is_set():
                refused = worker.statuses[503]
                worker.step(number := number + 1)
                if worker.statuses[503] > refused:
                    self.ending.wait(0.02)  # clients that are refused come back, but not as fast as they can
        except BaseException as error:  # raised again where the load ends
            worker.error = error

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exc):
        self.ending.set()
        for thread in self.threads:
            thread.join()
        for worker in self.workers:
            if worker.error:
                raise worker.error

    def answered(self, *statuses):
        """How many replies had one of these statuses."""
        return sum(worker.statuses[status] for worker in self.workers for status in statuses)

    def wait_changes(self, more, timeout=30):
        """Until every client has had that many changes more acknowledged."""
        def counts():
            return [worker.statuses[200] + worker.statuses[DONE_HERE] + worker.statuses[201] + worker.statuses[204] for worker in self.workers]

        before = counts()
        wait_until(lambda: any(worker.error for worker in self.workers) or all(
            now >= then + more for now, then in zip(counts(), before)), f"{more} changes more by every client", timeout)
        for worker in self.workers:
            if worker.error:
                raise worker.error

    def check(self, hookline):
        for worker in self.workers:
            worker.check(hookline)
