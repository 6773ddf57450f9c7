"""
Control is killed at a statement, before the statement goes to the database or after it has taken effect. Whatever the
client's reply, the store is consistent, its audit log has every change, and shared memory has the store's keys.
KILL_ALL=1 tries every statement instead of a sample.
"""

import os
import random
import time

import pytest

from harness.invariants import check_keys, check_removed, check_tenant
from harness.killpoint import AFTER, BEFORE, Killpoint
from harness.waiting import PATIENCE, wait_until
from harness.webhooks import STORES, ApiClient

ALL = os.environ.get("KILL_ALL") == "1"
SAMPLE = 8  # kills
SHORT_LIVES = 8  # in a row: the master gives up after ten lives of less than a second
A_LIFE = 1.2  # seconds


class Script:
    """
    Creates, changes and removes one object of each kind. Repeats a request after each 503, as the API's documents say.
    """

    def __init__(self, hookline):
        self.hookline = hookline
        self.kept, self.deleted = [], []  # tenants
        self.keys = {}  # clients by key id
        self.refused = 0  # replies with 503

    def ask(self, client, method, path, body=None, done=(200, 201, 204), **options):
        """Accepts 404 or 409 after a 503: the first request was done, and its reply was lost."""
        arguments = (method, path) if body is None else (method, path, body)
        lost = []

        def answered():
            reply = client.request(*arguments, **options)
            lost.append(reply.status == 503)
            return None if reply.status == 503 else reply

        reply = wait_until(answered, f"an answer to {method} {path}")
        self.refused += sum(lost)
        assert reply.status in done or (any(lost) and reply.status in (404, 409)), reply
        return reply.json if reply.status != 204 else None

    def key(self, made):
        self.keys[made["key_id"]] = ApiClient(self.hookline, made["key"], made["key_id"])
        return self.keys[made["key_id"]]

    def run(self):
        admin = self.hookline.admin
        tenant, client = self.make_tenant("kept")
        other, _ = self.make_tenant("given-up")
        self.kept.append(tenant)
        self.deleted.append(other)
        self.ask(admin, "PATCH", f"/v1/tenants/{tenant}", {"metadata": {"n": 1}})
        keys = f"/v1/tenants/{tenant}/api-keys"
        first = self.key(self.ask(admin, "POST", keys, {"name": "a", "scopes": ["endpoints.read"]}))
        self.ask(admin, "PATCH", f"/v1/apikeys/{first.id}", {"scopes": ["endpoints.read", "endpoints.write"]})
        rotated = self.ask(admin, "POST", f"/v1/tenants/{tenant}/rotate-key", {"key_id": first.id, "overlap_seconds": 0})
        second = self.key(rotated) if "key" in rotated else first  # the lost reply held the successor
        third = self.key(self.ask(admin, "POST", keys, {"scopes": ["*"]}))
        self.ask(admin, "DELETE", f"{keys}/{second.id}")
        self.ask(admin, "DELETE", f"/v1/apikeys/{third.id}")

        endpoint = {"url": "https://example.com/hook", "headers": {"x-a": "b"}, "metadata": {"n": 9007199254740993}}
        kept = self.ask(client, "POST", "/v1/endpoints", endpoint)["id"]
        removed = self.ask(client, "POST", "/v1/endpoints", endpoint)["id"]
        self.ask(client, "PATCH", f"/v1/endpoints/{kept}", {"url": "https://example.com/other", "enabled": False})
        self.ask(client, "POST", f"/v1/endpoints/{kept}/rotate-secret", {"overlap_seconds": 60})
        subscription = {"endpoint_id": kept, "topic_pattern": "a.#", "filter": {"eq": "payload.x", "value": 1},
                        "transform": [{"remove_field": {"field": "payload.y"}}]}
        one = self.ask(client, "POST", "/v1/subscriptions", subscription)["id"]
        two = self.ask(client, "POST", "/v1/subscriptions", subscription | {"endpoint_id": removed})["id"]
        transform = [{"add_field": {"field": "payload.z", "value": 2}}]
        self.ask(client, "PATCH", f"/v1/subscriptions/{one}", {"transform": transform})
        self.ask(client, "DELETE", f"/v1/subscriptions/{two}")
        self.ask(client, "DELETE", f"/v1/endpoints/{removed}")
        self.ask(admin, "DELETE", f"/v1/tenants/{other}")

    def make_tenant(self, name):
        headers = {"Idempotency-Key": f"{name}-{random.getrandbits(64):x}"}
        made = self.ask(self.hookline.admin, "POST", "/v1/tenants", {"name": name}, headers=headers)
        if "api_key" not in made:  # the lost reply held the key
            made["api_key"] = self.ask(self.hookline.admin, "POST", f"/v1/tenants/{made['id']}/api-keys", {})["key"]
        return made["id"], ApiClient(self.hookline, made["api_key"])

    def check(self):
        for tenant in self.kept:
            check_tenant(self.hookline, tenant)
        check_keys(self.hookline, self.keys)


@pytest.fixture(params=STORES)
def killable(request, make_hookline, tmp_path):
    """A daemon whose control can be killed, and the killpoint."""
    killpoint = Killpoint(tmp_path / "killpoint")
    hookline = make_hookline(request.param, STORAGE_TYPE="jsonl", ACCEPTORS=1, **killpoint.environment()).start()
    return hookline, killpoint


def run_and_die(hookline, killpoint, statement, side):
    """Returns the finished script, and whether control died. It does not if there are fewer statements."""
    hookline.wait_ready()  # upkeep may have died after the last script
    script = Script(hookline)
    killpoint.arm(statement, side)
    script.run()
    died = killpoint.disarm()
    assert died or script.refused == 0, "only a death causes a 503"
    script.check()
    return script, died


def statements_of_a_run(hookline, killpoint):
    Script(hookline).run()  # opens connections and gives upkeep time for its work after a start
    killpoint.arm(1 << 30, BEFORE)
    Script(hookline).run()
    left = killpoint.left()
    killpoint.disarm()
    return (1 << 30) - left


@pytest.mark.wanted_by("SLOW_TESTS")
@pytest.mark.unsanitized("a sanitizer's library must be loaded first")
@pytest.mark.timeout(3600 if ALL else 180 * PATIENCE)
def test_a_control_killed_at_any_statement_leaves_a_consistent_store_and_the_right_keys(killable):
    hookline, killpoint = killable
    count = statements_of_a_run(hookline, killpoint)
    assert count > 60, "the library counts the script's statements"
    points = [(statement, side) for statement in range(1, count + 1) for side in (BEFORE, AFTER)]
    if not ALL:
        points = random.sample(points, SAMPLE)
    print(f"{count} statements; control dies at {points}")
    deleted, deaths = [], 0
    for number, (statement, side) in enumerate(points, 1):
        script, died = run_and_die(hookline, killpoint, statement, side)
        deaths += died
        if number % SHORT_LIVES == 0:
            born = time.monotonic()
            wait_until(lambda: time.monotonic() > born + A_LIFE, "a control to live")
        deleted += script.deleted
    assert deaths >= len(points) / 4, "most of the counted statements are the script's, the others upkeep's"
    for tenant in deleted:
        check_removed(hookline, tenant)
