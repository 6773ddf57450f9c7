"""Clients that create, change and delete objects of the webhooks' API all the time, and the checks of the outcome."""

import http.client
import random
import threading
from collections import Counter
from types import SimpleNamespace

from harness.waiting import wait_until
from harness.webhooks import NOTHING, ApiClient


DONE_HERE = 202  # done, but a courier has not confirmed in time that it knows the change


class Worker:
    """
    One client with a tenant of its own. For each endpoint it keeps the possible names: the name of the last reply 200
    or 201, and the names of later changes with the answer 503. Such a change may have happened or not.
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
        """The reply. If connections may be cut, a cut one counts as 503: the outcome of the request is unknown too."""
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
        """Compares the store and the API with the replies that this client got."""
        client = ApiClient(hookline, self.tenant.client.key)
        shown = {one["id"]: one for one in client.items("/v1/endpoints")}
        subscribed = {one["id"] for one in client.items("/v1/subscriptions")}
        for endpoint, names in self.names.items():
            if endpoint not in shown:
                assert endpoint in self.perhaps_deleted, f"{endpoint} was acknowledged and is missing"
            else:
                assert shown[endpoint]["name"] in names, shown[endpoint]
        assert not self.deleted & shown.keys()
        for subscription, endpoint in self.subscriptions.items():
            assert subscription in subscribed or endpoint not in shown, subscription
        self.check_audit(hookline)

    def check_audit(self, hookline):
        """Each change and its audit row are both stored, or neither is. An endpoint's version counts its changes."""
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
    """`with CrudLoad(hookline):` works until the end of the block, which raises the first failure of a client."""

    def __init__(self, hookline, clients=6, seed=1, cuts=False):
        """cuts: acceptors die too, so connections may end without a reply."""
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
                    self.ending.wait(0.02)  # a refused client waits before it tries again
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
        """The number of replies with one of these statuses."""
        return sum(worker.statuses[status] for worker in self.workers for status in statuses)

    def wait_changes(self, more, timeout=30):
        """Waits until every client has had that many more changes acknowledged."""
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
